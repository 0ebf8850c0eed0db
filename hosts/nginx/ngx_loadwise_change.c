/* Changes of a node by a form that was posted: `upstream=api&node=10.0.0.1:8080` and what is to be of it. */
#include "ngx_loadwise.h"

enum {
    STATUS_OK = 200,
    STATUS_BAD_REQUEST = 400,
    STATUS_NOT_FOUND = 404,
    STATUS_CONFLICT = 409,
    STATUS_INTERNAL_ERROR = 500,
    STATUS_UNAVAILABLE = 503,
};

typedef struct {
    ngx_str_t upstream, node, weight, state; /* data NULL: not given */
} form_t;

/* Undoes what a form does to texts, in place. */
static void decode(ngx_str_t *text)
{
    u_char *from = text->data, *to = text->data;
    for (size_t i = 0; i < text->len; i++)
        if (text->data[i] == '+')
            text->data[i] = ' ';
    ngx_unescape_uri(&to, &from, text->len, 0);
    text->len = (size_t)(to - text->data);
}

/* Reads a form. What is wrong with it, or NULL. */
static const char *read_form(ngx_str_t *text, form_t *form)
{
    const struct {
        const char *name;
        ngx_str_t *value;
    } fields[] = {{"upstream", &form->upstream}, {"node", &form->node}, {"weight", &form->weight}, {"state", &form->state}};
    u_char *p = text->data, *end = text->data + text->len;
    ngx_memzero(form, sizeof *form);
    while (p < end && (end[-1] == '\n' || end[-1] == '\r'))
        end--;
    while (p < end) {
        u_char *next = ngx_strlchr(p, end, '&'), *equals;
        ngx_uint_t i;
        if (next == NULL)
            next = end;
        equals = ngx_strlchr(p, next, '=');
        if (equals == NULL)
            return "a field without a value";
        for (i = 0; i < 4; i++)
            if ((size_t)(equals - p) == ngx_strlen(fields[i].name) && ngx_strncmp(p, fields[i].name, equals - p) == 0)
                break;
        if (i == 4)
            return "an unknown field; known are upstream, node, weight, state";
        if (fields[i].value->data != NULL)
            return "a field that is there twice";
        fields[i].value->data = equals + 1;
        fields[i].value->len = (size_t)(next - equals - 1);
        decode(fields[i].value);
        p = next < end ? next + 1 : end;
    }
    if (form->upstream.data == NULL || form->node.data == NULL)
        return "upstream and node are needed";
    if (form->weight.data == NULL && form->state.data == NULL)
        return "weight or state is needed";
    return NULL;
}

static ngx_int_t is(const ngx_str_t *text, const char *word)
{
    return text->len == ngx_strlen(word) && ngx_strncmp(text->data, word, text->len) == 0;
}

static lw_status set_state(ngx_loadwise_upstream_t *upstream, const form_t *form)
{
    const lw_str node = ngx_loadwise_str(&form->node);
    if (is(&form->state, "draining"))
        return lw_pool_drain(upstream->pool, node, 1);
    if (is(&form->state, "active"))
        return lw_pool_drain(upstream->pool, node, 0);
    return lw_pool_set_health(upstream->pool, node, is(&form->state, "healthy") ? LW_HEALTH_HEALTHY : LW_HEALTH_UNHEALTHY, 0,
                              NULL);
}

static ngx_int_t is_state(const ngx_str_t *text)
{
    return is(text, "draining") || is(text, "active") || is(text, "healthy") || is(text, "unhealthy");
}

static ngx_uint_t answer_error(ngx_pool_t *pool, ngx_str_t *answer, ngx_uint_t status, const char *message)
{
    const size_t len = ngx_strlen(message);
    u_char *p = ngx_pnalloc(pool, sizeof "{\"error\": \"\"}\n" + len + ngx_escape_json(NULL, (u_char *)message, len));
    if (p == NULL)
        return STATUS_INTERNAL_ERROR;
    answer->data = p;
    p = ngx_cpymem(p, "{\"error\": \"", sizeof "{\"error\": \"" - 1);
    p = (u_char *)ngx_escape_json(p, (u_char *)message, len);
    p = ngx_cpymem(p, "\"}\n", sizeof "\"}\n" - 1);
    answer->len = (size_t)(p - answer->data);
    return status;
}

/* Does what a form says, and answers with the figures of its pool, or with what is wrong. Returns a status of HTTP. */
ngx_uint_t ngx_loadwise_change(ngx_loadwise_conf_t *conf, ngx_pool_t *pool, ngx_str_t *text, ngx_str_t *answer)
{
    const ngx_core_conf_t *core = (const ngx_core_conf_t *)ngx_get_conf(conf->cycle->conf_ctx, ngx_core_module);
    char message[NGX_LOADWISE_ERROR_MAX];
    ngx_loadwise_upstream_t *upstream;
    ngx_int_t weight = 0;
    lw_node_ref node;
    form_t form;
    lw_status status = LW_OK;
    const char *wrong = read_form(text, &form);
    if (wrong != NULL)
        return answer_error(pool, answer, STATUS_BAD_REQUEST, wrong);
    if (form.state.data != NULL && !is_state(&form.state))
        return answer_error(pool, answer, STATUS_BAD_REQUEST, "state is one of active, draining, healthy, unhealthy");
    if (form.weight.data != NULL) {
        weight = ngx_atoi(form.weight.data, form.weight.len);
        if (weight == NGX_ERROR || (ngx_uint_t)weight > NGX_MAX_UINT32_VALUE)
            return answer_error(pool, answer, STATUS_BAD_REQUEST, "weight is a number from 0 to 4294967295");
    }
    upstream = ngx_loadwise_upstream_named(conf, &form.upstream);
    if (upstream == NULL)
        return answer_error(pool, answer, STATUS_NOT_FOUND, "no such upstream");
    if (ngx_loadwise_open(conf, upstream->engine) != NGX_OK)
        return answer_error(pool, answer, STATUS_UNAVAILABLE, upstream->engine->error);
    /* What one worker is told, the others do not know. */
    if (!upstream->engine->is_shared && ngx_process == NGX_PROCESS_WORKER && core->worker_processes > 1)
        return answer_error(pool, answer, STATUS_CONFLICT,
                            "each worker has a state of its own: with several workers, the upstream needs \"shared\"");
    if (lw_pool_node(upstream->pool, ngx_loadwise_str(&form.node), &node) != LW_OK)
        return answer_error(pool, answer, STATUS_NOT_FOUND, "no such node");
    if (form.weight.data != NULL)
        status = lw_pool_set_weight(upstream->pool, ngx_loadwise_str(&form.node), (uint32_t)weight);
    if (status == LW_OK && form.state.data != NULL)
        status = set_state(upstream, &form);
    if (status != LW_OK) {
        ngx_loadwise_last_error(message);
        return answer_error(pool, answer, STATUS_BAD_REQUEST, message);
    }
    return ngx_loadwise_pool_text(upstream, pool, answer) == NGX_OK ? STATUS_OK : STATUS_INTERNAL_ERROR;
}
