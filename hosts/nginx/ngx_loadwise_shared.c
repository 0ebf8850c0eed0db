/* Where the state of upstreams is: what `loadwise` or the file of loadwise_config say of it, and which upstreams so have one
 * engine. The master only reads this: it is workers that open the state. */
#include "ngx_loadwise.h"

/* Adds `,"key":"text"`. */
static u_char *put_text(u_char *p, const char *key, const ngx_str_t *text)
{
    if (text->data == NULL)
        return p;
    p = ngx_sprintf(p, ",\"%s\":\"", key);
    p = (u_char *)ngx_escape_json(p, text->data, text->len);
    *p++ = '"';
    return p;
}

/* `{"shared": {...}}` */
static ngx_int_t write_shared(ngx_pool_t *pool, const ngx_loadwise_shared_args_t *args, ngx_str_t *text)
{
    /* A byte may need six. */
    const size_t room = 6 * (args->path.len + args->mode.len + args->on_bad_segment.len) + args->max_processes.len + 128;
    u_char *p = ngx_pnalloc(pool, room);
    if (p == NULL)
        return NGX_ERROR;
    text->data = p;
    p = ngx_sprintf(p, "{\"shared\":{\"path\":\"");
    p = (u_char *)ngx_escape_json(p, args->path.data, args->path.len);
    *p++ = '"';
    p = put_text(p, "mode", &args->mode);
    p = put_text(p, "on_bad_segment", &args->on_bad_segment);
    if (args->max_processes.data != NULL)
        p = ngx_sprintf(p, ",\"max_processes\":%V", &args->max_processes);
    p = ngx_sprintf(p, "}}");
    text->len = (size_t)(p - text->data);
    return NGX_OK;
}

/* `shared=PATH [mode=MODE] [on_bad_segment=fail|recreate|private] [max_processes=N]` */
char *ngx_loadwise_set_shared(ngx_conf_t *cf, ngx_loadwise_upstream_t *upstream, const ngx_loadwise_shared_args_t *args)
{
    static const char line[] = "line 1: ";
    char message[NGX_LOADWISE_ERROR_MAX], *p = message;
    ngx_str_t text, checked;
    if (args->path.data == NULL) {
        if (args->mode.data == NULL && args->on_bad_segment.data == NULL && args->max_processes.data == NULL)
            return NGX_CONF_OK;
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "\"mode\", \"on_bad_segment\" and \"max_processes\" need \"shared\"");
        return NGX_CONF_ERROR;
    }
    /* Other programs, and workers in directories of their own, are to find the same file. */
    if (args->path.data[0] != '/') {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "the path of \"shared\" must begin with \"/\"");
        return NGX_CONF_ERROR;
    }
    if (args->max_processes.data != NULL && ngx_atoi(args->max_processes.data, args->max_processes.len) == NGX_ERROR) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "invalid parameter \"max_processes=%V\"", &args->max_processes);
        return NGX_CONF_ERROR;
    }
    if (write_shared(cf->pool, args, &text) != NGX_OK)
        return NGX_CONF_ERROR;
    if (lw_config_check((const char *)text.data, text.len, NULL, 0, &checked.len) != LW_OK) {
        ngx_loadwise_last_error(message);
        /* The text that has one line is ours. */
        if (ngx_strncmp(p, line, sizeof line - 1) == 0)
            p += sizeof line - 1;
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "%s", p);
        return NGX_CONF_ERROR;
    }
    checked.data = ngx_pnalloc(cf->pool, checked.len + 1);
    if (checked.data == NULL ||
        lw_config_check((const char *)text.data, text.len, (char *)checked.data, checked.len + 1, &checked.len) != LW_OK ||
        ngx_loadwise_json_find(&checked, "shared", &upstream->shared) != NGX_OK)
        return NGX_CONF_ERROR;
    return NGX_CONF_OK;
}

/* The engine whose state is where that of the upstream is; a new one, if there is none. */
ngx_int_t ngx_loadwise_join_engine(ngx_conf_t *cf, ngx_loadwise_upstream_t *upstream, const char **wrong)
{
    ngx_loadwise_conf_t *conf = ngx_loadwise_conf(cf->cycle);
    ngx_loadwise_engine_t **engines = conf->engines.elts, *engine = NULL;
    ngx_loadwise_upstream_t **joined;
    ngx_str_t path = ngx_null_string;
    if (upstream->shared.len > 0 && ngx_loadwise_json_find(&upstream->shared, "path", &path) != NGX_OK)
        return NGX_ERROR;
    for (ngx_uint_t i = 0; i < conf->engines.nelts && engine == NULL; i++)
        if (ngx_loadwise_is_same(&engines[i]->path, &path))
            engine = engines[i];
    if (engine == NULL) {
        ngx_loadwise_engine_t **added = ngx_array_push(&conf->engines);
        if (added == NULL || (*added = engine = ngx_pcalloc(cf->pool, sizeof *engine)) == NULL ||
            ngx_array_init(&engine->upstreams, cf->pool, 4, sizeof(ngx_loadwise_upstream_t *)) != NGX_OK ||
            ngx_array_init(&engine->left, cf->pool, 4, sizeof(ngx_str_t)) != NGX_OK)
            return NGX_ERROR;
        engine->shared = upstream->shared;
        engine->path = path;
    } else if (!ngx_loadwise_is_same(&engine->shared, &upstream->shared)) {
        *wrong = "another upstream has other settings for the same \"shared\"";
        return NGX_ERROR;
    }
    joined = ngx_array_push(&engine->upstreams);
    if (joined == NULL)
        return NGX_ERROR;
    *joined = upstream;
    upstream->engine = engine;
    return NGX_OK;
}

static ngx_uint_t has_upstream(const ngx_loadwise_engine_t *engine, const ngx_str_t *name)
{
    ngx_loadwise_upstream_t **upstreams = engine->upstreams.elts;
    for (ngx_uint_t i = 0; i < engine->upstreams.nelts; i++)
        if (ngx_loadwise_is_same(&upstreams[i]->name, name))
            return 1;
    return 0;
}

/* Notes which upstreams of `before` are none of `engine`. The names are copied: nginx frees a configuration that is over. */
static ngx_int_t note_left(ngx_loadwise_engine_t *engine, const ngx_loadwise_engine_t *before, ngx_pool_t *pool)
{
    ngx_loadwise_upstream_t **upstreams = before->upstreams.elts;
    for (ngx_uint_t i = 0; i < before->upstreams.nelts; i++) {
        ngx_str_t *left;
        if (has_upstream(engine, &upstreams[i]->name))
            continue;
        left = ngx_array_push(&engine->left);
        if (left == NULL || (left->data = ngx_pstrdup(pool, &upstreams[i]->name)) == NULL)
            return NGX_ERROR;
        left->len = upstreams[i]->name.len;
    }
    return NGX_OK;
}

/* What a reload has taken out of the configuration, by states: workers take it out of these. */
ngx_int_t ngx_loadwise_find_left(ngx_cycle_t *cycle)
{
    ngx_loadwise_conf_t *conf = ngx_loadwise_conf(cycle), *before;
    ngx_loadwise_engine_t **engines = conf->engines.elts, **others;
    /* At the start there is none, and one without this module has no place for it. */
    if (cycle->old_cycle->conf_ctx == NULL || ngx_loadwise_module.index >= cycle->old_cycle->modules_n ||
        cycle->old_cycle->modules[ngx_loadwise_module.index] != &ngx_loadwise_module ||
        (before = ngx_loadwise_conf(cycle->old_cycle)) == NULL)
        return NGX_OK;
    others = before->engines.elts;
    for (ngx_uint_t i = 0; i < conf->engines.nelts; i++)
        for (ngx_uint_t j = 0; j < before->engines.nelts; j++)
            if (engines[i]->path.len > 0 && ngx_loadwise_is_same(&engines[i]->path, &others[j]->path) &&
                note_left(engines[i], others[j], cycle->pool) != NGX_OK)
                return NGX_ERROR;
    return NGX_OK;
}
