/* The status location: GET shows, POST changes. Who may do so is for nginx's own access rules to say. */
#include "ngx_http_loadwise.h"

enum { FORM_MAX = 4096 };

static ngx_int_t answer(ngx_http_request_t *r, ngx_uint_t status, const ngx_str_t *text, ngx_loadwise_format_e format)
{
    static const ngx_str_t types[] = {
        ngx_string("application/json"),
        ngx_string("text/plain; version=0.0.4; charset=utf-8"),
        ngx_string("application/openmetrics-text; version=1.0.0; charset=utf-8"),
    };
    ngx_chain_t out;
    ngx_buf_t *buf;
    ngx_int_t rc;
    r->headers_out.status = status;
    r->headers_out.content_length_n = (off_t)text->len;
    r->headers_out.content_type = types[format];
    r->headers_out.content_type_len = types[format].len;
    rc = ngx_http_send_header(r);
    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only)
        return rc;
    buf = ngx_calloc_buf(r->pool);
    if (buf == NULL)
        return NGX_ERROR;
    buf->pos = text->data;
    buf->last = text->data + text->len;
    buf->memory = 1;
    buf->last_buf = r == r->main;
    buf->last_in_chain = 1;
    out.buf = buf;
    out.next = NULL;
    return ngx_http_output_filter(r, &out);
}

static ngx_int_t is_format(const ngx_str_t *value, const char *name)
{
    return value->len == ngx_strlen(name) && ngx_strncmp(value->data, name, value->len) == 0;
}

/* `?format=`, else what the location says. NGX_DECLINED for one that is none. */
static ngx_int_t format_of(ngx_http_request_t *r, ngx_loadwise_format_e *format)
{
    const ngx_http_loadwise_loc_conf_t *lcf = ngx_http_get_module_loc_conf(r, ngx_http_loadwise_module);
    ngx_str_t value;
    *format = lcf->format;
    if (ngx_http_arg(r, (u_char *)"format", sizeof "format" - 1, &value) != NGX_OK)
        return NGX_OK;
    if (is_format(&value, "json"))
        *format = NGX_LOADWISE_JSON;
    else if (is_format(&value, "prometheus"))
        *format = NGX_LOADWISE_PROMETHEUS;
    else if (is_format(&value, "openmetrics"))
        *format = NGX_LOADWISE_OPENMETRICS;
    else
        return NGX_DECLINED;
    return NGX_OK;
}

static ngx_int_t show(ngx_http_request_t *r)
{
    ngx_loadwise_format_e format;
    ngx_str_t text;
    const ngx_int_t rc = ngx_http_discard_request_body(r);
    if (rc != NGX_OK)
        return rc;
    if (format_of(r, &format) != NGX_OK)
        return NGX_HTTP_BAD_REQUEST;
    if (ngx_loadwise_status_text(ngx_loadwise_conf((ngx_cycle_t *)ngx_cycle), format, r->pool, &text) != NGX_OK)
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    return answer(r, NGX_HTTP_OK, &text, format);
}

/* The body, wherever nginx has put it. NGX_DECLINED if it is too long. */
static ngx_int_t read_body(ngx_http_request_t *r, ngx_str_t *text)
{
    text->len = 0;
    text->data = ngx_pnalloc(r->pool, FORM_MAX);
    if (text->data == NULL)
        return NGX_ERROR;
    for (ngx_chain_t *link = r->request_body ? r->request_body->bufs : NULL; link; link = link->next) {
        const off_t len = ngx_buf_size(link->buf);
        /* The last one may be there for its flag alone. */
        if (len == 0)
            continue;
        if (len > (off_t)(FORM_MAX - text->len))
            return NGX_DECLINED;
        if (ngx_buf_in_memory(link->buf))
            ngx_memcpy(text->data + text->len, link->buf->pos, (size_t)len);
        else if (ngx_read_file(link->buf->file, text->data + text->len, (size_t)len, link->buf->file_pos) != len)
            return NGX_ERROR;
        text->len += (size_t)len;
    }
    return NGX_OK;
}

static void change(ngx_http_request_t *r)
{
    ngx_str_t form, text = ngx_null_string;
    ngx_uint_t status;
    const ngx_int_t rc = read_body(r, &form);
    if (rc != NGX_OK) {
        ngx_http_finalize_request(r, rc == NGX_DECLINED ? NGX_HTTP_REQUEST_ENTITY_TOO_LARGE : NGX_HTTP_INTERNAL_SERVER_ERROR);
        return;
    }
    status = ngx_loadwise_change(ngx_loadwise_conf((ngx_cycle_t *)ngx_cycle), r->pool, &form, &text);
    ngx_http_finalize_request(r, status == NGX_HTTP_INTERNAL_SERVER_ERROR ? NGX_HTTP_INTERNAL_SERVER_ERROR
                                                                          : answer(r, status, &text, NGX_LOADWISE_JSON));
}

ngx_int_t ngx_http_loadwise_status_handler(ngx_http_request_t *r)
{
    ngx_int_t rc;
    if (r->method & (NGX_HTTP_GET | NGX_HTTP_HEAD))
        return show(r);
    if (r->method != NGX_HTTP_POST)
        return NGX_HTTP_NOT_ALLOWED;
    rc = ngx_http_read_client_request_body(r, change);
    return rc >= NGX_HTTP_SPECIAL_RESPONSE ? rc : NGX_DONE;
}
