/* $loadwise_node, $loadwise_state and $loadwise_attempts of the last upstream that a request was at. */
#include "ngx_http_loadwise.h"

enum { NODE, STATE, ATTEMPTS };

static ngx_int_t get_variable(ngx_http_request_t *r, ngx_http_variable_value_t *value, uintptr_t which)
{
    const ngx_http_loadwise_ctx_t *ctx = ngx_http_loadwise_ctx(r);
    ngx_str_t text = ngx_null_string;
    value->not_found = 1;
    if (ctx == NULL)
        return NGX_OK;
    switch (which) {
    case NODE:
        if (ctx->attempts.peer == NULL)
            return NGX_OK;
        text = ctx->attempts.peer->id;
        break;
    case STATE:
        ngx_loadwise_state(&ctx->attempts, &text);
        break;
    default:
        text.data = ngx_pnalloc(r->pool, NGX_INT_T_LEN);
        if (text.data == NULL)
            return NGX_ERROR;
        text.len = (size_t)(ngx_sprintf(text.data, "%ui", (ngx_uint_t)ctx->attempts.count) - text.data);
    }
    value->data = text.data;
    value->len = (unsigned)text.len;
    value->valid = 1;
    value->not_found = 0;
    value->no_cacheable = 0;
    return NGX_OK;
}

ngx_int_t ngx_http_loadwise_add_variables(ngx_conf_t *cf)
{
    static ngx_str_t names[] = {ngx_string("loadwise_node"), ngx_string("loadwise_state"), ngx_string("loadwise_attempts")};
    for (uintptr_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        /* They change from attempt to attempt. */
        ngx_http_variable_t *variable = ngx_http_add_variable(cf, &names[i], NGX_HTTP_VAR_NOCACHEABLE);
        if (variable == NULL)
            return NGX_ERROR;
        variable->get_handler = get_variable;
        variable->data = i;
    }
    return NGX_OK;
}
