/* The engines of a process: one for each place where the state of upstreams is. Opened from what these have composed,
 * maintained by a timer, closed at the end. */
#include "ngx_loadwise.h"

enum { MAINTAIN_INTERVAL_MS = 1000 };

void ngx_loadwise_last_error(char message[NGX_LOADWISE_ERROR_MAX])
{
    message[0] = 0;
    if (lw_last_error(message, NGX_LOADWISE_ERROR_MAX, NULL) == LW_ERR_BUFFER_TOO_SMALL)
        ngx_memcpy(message, "(a message too long to show)", sizeof "(a message too long to show)");
}

/* `{"shared": {...}, "pools": {NAME: CONFIG, ...}}`. Without nodes: those come as the configuration is put in force, which
 * tells the worker that does so from those that find it done. */
static ngx_int_t engine_text(ngx_loadwise_engine_t *engine, ngx_log_t *log, ngx_str_t *text)
{
    static const ngx_str_t no_nodes = ngx_string("[]");
    ngx_loadwise_upstream_t **upstreams = engine->upstreams.elts;
    ngx_pool_t *pool = ngx_create_pool(NGX_DEFAULT_POOL_SIZE, log);
    size_t size = sizeof "{\"shared\":,\"pools\":{}}" + engine->shared.len;
    ngx_str_t config;
    u_char *p;
    if (pool == NULL)
        return NGX_ERROR;
    for (ngx_uint_t i = 0; i < engine->upstreams.nelts; i++)
        size += upstreams[i]->name.len + upstreams[i]->config.len + sizeof "\"\":,";
    text->data = p = ngx_alloc(size, log);
    if (p == NULL)
        goto failed;
    *p++ = '{';
    if (engine->shared.len > 0)
        p = ngx_sprintf(p, "\"shared\":%V,", &engine->shared);
    p = ngx_sprintf(p, "\"pools\":{");
    for (ngx_uint_t i = 0; i < engine->upstreams.nelts; i++) {
        config = upstreams[i]->config;
        if (ngx_loadwise_json_set(pool, &config, "nodes", NULL, &no_nodes) != NGX_OK)
            goto failed;
        p = ngx_sprintf(p, "%s\"%V\":%V", i ? "," : "", &upstreams[i]->name, &config);
    }
    p = ngx_sprintf(p, "}}");
    text->len = (size_t)(p - text->data);
    ngx_destroy_pool(pool);
    return NGX_OK;
failed:
    if (text->data != NULL)
        ngx_free(text->data);
    ngx_destroy_pool(pool);
    return NGX_ERROR;
}

static void maintain_engine(ngx_loadwise_engine_t *engine, ngx_log_t *log)
{
    ngx_loadwise_upstream_t **upstreams = engine->upstreams.elts;
    char message[NGX_LOADWISE_ERROR_MAX];
    if (lw_engine_maintain(engine->engine, 0, NULL) != LW_OK) {
        ngx_loadwise_last_error(message);
        ngx_log_error(NGX_LOG_ERR, log, 0, "loadwise: maintenance: %s", message);
    }
    for (ngx_uint_t i = 0; i < engine->upstreams.nelts; i++) {
        size_t nodes;
        /* Others may have put nodes there, or taken some. */
        if (lw_pool_len(upstreams[i]->pool, &nodes) == LW_OK && nodes > 0)
            upstreams[i]->tries = ngx_min(nodes, upstreams[i]->tries_max);
        if (engine->is_shared)
            ngx_loadwise_follow_nodes(upstreams[i]);
    }
}

static void maintain(ngx_event_t *event)
{
    ngx_loadwise_conf_t *conf = ((ngx_connection_t *)event->data)->data;
    ngx_loadwise_engine_t **engines = conf->engines.elts;
    for (ngx_uint_t i = 0; i < conf->engines.nelts; i++)
        if (engines[i]->engine != 0)
            maintain_engine(engines[i], event->log);
    if (!ngx_exiting)
        ngx_loadwise_check_due(conf);
    ngx_add_timer(event, MAINTAIN_INTERVAL_MS);
}

static void start_timer(ngx_loadwise_conf_t *conf)
{
    if (conf->timer.timer_set)
        return;
    conf->timer_connection.fd = (ngx_socket_t)-1;
    conf->timer_connection.data = conf;
    conf->timer.handler = maintain;
    conf->timer.data = &conf->timer_connection;
    conf->timer.log = conf->cycle->log;
    /* Or it would keep a worker alive that is to end. */
    conf->timer.cancelable = 1;
    ngx_add_timer(&conf->timer, 1);
}

static void close_engine(ngx_loadwise_engine_t *engine, ngx_log_t *log)
{
    ngx_loadwise_upstream_t **upstreams = engine->upstreams.elts;
    for (ngx_uint_t i = 0; i < engine->upstreams.nelts; i++)
        ngx_loadwise_close_pool(upstreams[i], log);
    if (engine->engine)
        (void)lw_engine_free(engine->engine);
    engine->engine = 0;
}

static ngx_int_t open_failed(ngx_loadwise_conf_t *conf, ngx_loadwise_engine_t *engine, const char *why)
{
    ngx_log_error(NGX_LOG_EMERG, conf->cycle->log, 0, "loadwise: the engine cannot be opened: %s", why);
    ngx_cpystrn((u_char *)engine->error, (u_char *)why, sizeof engine->error);
    close_engine(engine, conf->cycle->log);
    engine->failed_at = ngx_time();
    return NGX_ERROR;
}

/* The state that is there, where what is fixed in it is not what is configured: limits, for one. */
static lw_status open_as_it_is(ngx_loadwise_engine_t *engine, ngx_log_t *log)
{
    char message[NGX_LOADWISE_ERROR_MAX];
    const size_t size = engine->path.len + sizeof "{\"shared\":{\"path\":},\"pools\":{}}";
    u_char *text = ngx_alloc(size, log), *end;
    lw_status status;
    if (text == NULL)
        return LW_ERR_LIMIT;
    ngx_loadwise_last_error(message);
    end = ngx_sprintf(text, "{\"shared\":{\"path\":%V},\"pools\":{}}", &engine->path);
    status = lw_engine_from_config((const char *)text, (size_t)(end - text), &engine->engine);
    ngx_free(text);
    if (status == LW_OK)
        ngx_log_error(NGX_LOG_ERR, log, 0, "loadwise: %V is taken as it is: %s", &engine->path, message);
    return status;
}

/* The first of the new workers does; those that are ending go on with what they have. */
static lw_status take_out_what_left(ngx_loadwise_engine_t *engine, ngx_log_t *log)
{
    ngx_str_t *left = engine->left.elts;
    lw_status status = LW_OK;
    for (ngx_uint_t i = 0; status == LW_OK && i < engine->left.nelts; i++) {
        uint32_t was_there = 0;
        status = lw_engine_remove(engine->engine, ngx_loadwise_str(&left[i]), &was_there);
        if (was_there)
            ngx_log_error(NGX_LOG_NOTICE, log, 0, "loadwise: \"%V\" is taken out of %V", &left[i], &engine->path);
    }
    return status;
}

static lw_status open_engine(ngx_loadwise_engine_t *engine, ngx_log_t *log)
{
    ngx_loadwise_upstream_t **upstreams = engine->upstreams.elts;
    char why[NGX_LOADWISE_ERROR_MAX];
    ngx_str_t text;
    lw_status status;
    size_t len = 0;
    if (engine_text(engine, log, &text) != NGX_OK)
        return LW_ERR_LIMIT;
    status = lw_engine_from_config((const char *)text.data, text.len, &engine->engine);
    ngx_free(text.data);
    if (status == LW_ERR_CONFIG && engine->path.len > 0)
        status = open_as_it_is(engine, log);
    if (status == LW_OK)
        status = lw_engine_shared_path(engine->engine, NULL, 0, &len);
    engine->is_shared = len > 0;
    if (status == LW_OK)
        status = take_out_what_left(engine, log);
    for (ngx_uint_t i = 0; status == LW_OK && i < engine->upstreams.nelts; i++)
        status = ngx_loadwise_open_pool(engine, upstreams[i], log);
    if (status == LW_OK && engine->shared.len > 0 && !engine->is_shared &&
        lw_engine_private_because(engine->engine, why, sizeof why, NULL) == LW_OK)
        ngx_log_error(NGX_LOG_WARN, log, 0, "loadwise: this worker goes on alone, without %V: %s", &engine->path, why);
    return status;
}

/* Opens an engine in this process, unless that failed in this very second. */
ngx_int_t ngx_loadwise_open(ngx_loadwise_conf_t *conf, ngx_loadwise_engine_t *engine)
{
    ngx_loadwise_upstream_t **upstreams = engine->upstreams.elts;
    char message[NGX_LOADWISE_ERROR_MAX];
    if (engine->engine != 0)
        return NGX_OK;
    if (engine->failed_at == ngx_time())
        return NGX_ERROR;
    if (lw_abi_version() != LW_ABI_VERSION)
        return open_failed(conf, engine, "the library has another ABI than the module was built for");
    for (ngx_uint_t i = 0; i < engine->upstreams.nelts; i++)
        if (upstreams[i]->found.elts == NULL &&
            ngx_array_init(&upstreams[i]->found, conf->cycle->pool, 4, sizeof(ngx_loadwise_peer_t *)) != NGX_OK)
            return open_failed(conf, engine, "no memory");
    if (open_engine(engine, conf->cycle->log) != LW_OK) {
        ngx_loadwise_last_error(message);
        return open_failed(conf, engine, message);
    }
    start_timer(conf);
    return NGX_OK;
}

void ngx_loadwise_open_all(ngx_loadwise_conf_t *conf)
{
    ngx_loadwise_engine_t **engines = conf->engines.elts;
    for (ngx_uint_t i = 0; i < conf->engines.nelts; i++)
        (void)ngx_loadwise_open(conf, engines[i]);
}

void ngx_loadwise_close(ngx_loadwise_conf_t *conf)
{
    ngx_loadwise_engine_t **engines = conf->engines.elts;
    ngx_loadwise_stop_checks(conf);
    if (conf->timer.timer_set)
        ngx_del_timer(&conf->timer);
    for (ngx_uint_t i = 0; i < conf->engines.nelts; i++)
        close_engine(engines[i], conf->cycle->log);
}
