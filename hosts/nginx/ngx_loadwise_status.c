/* What the status location shows, in memory of the request. */
#include "ngx_loadwise.h"

typedef lw_status (*writer_pt)(const void *of, char *buffer, size_t capacity, size_t *len);

/* What a writer writes. It tells how much that is first, and may need more by then. */
static ngx_int_t write_text(writer_pt write, const void *of, ngx_pool_t *pool, ngx_str_t *text)
{
    size_t len = 0;
    lw_status status = write(of, NULL, 0, &len);
    while (status == LW_OK || status == LW_ERR_BUFFER_TOO_SMALL) {
        const size_t room = len + len / 8 + 1;
        text->data = ngx_pnalloc(pool, room);
        if (text->data == NULL)
            return NGX_ERROR;
        status = write(of, (char *)text->data, room, &len);
        if (status == LW_OK) {
            text->len = len;
            return NGX_OK;
        }
    }
    return NGX_ERROR;
}

static lw_status write_stats(const void *of, char *buffer, size_t capacity, size_t *len)
{
    return lw_engine_stats(((const ngx_loadwise_engine_t *)of)->engine, 0, buffer, capacity, len);
}

typedef struct {
    lw_engine *engines;
    size_t len;
    uint32_t format;
} metrics_t;

static lw_status write_metrics(const void *of, char *buffer, size_t capacity, size_t *len)
{
    const metrics_t *metrics = of;
    return lw_engines_metrics(metrics->engines, metrics->len, metrics->format, buffer, capacity, len);
}

static lw_status write_pool(const void *of, char *buffer, size_t capacity, size_t *len)
{
    return lw_pool_stats(((const ngx_loadwise_upstream_t *)of)->pool, 0, buffer, capacity, len);
}

static ngx_int_t metrics_text(ngx_loadwise_conf_t *conf, uint32_t format, ngx_pool_t *pool, ngx_str_t *text)
{
    ngx_loadwise_engine_t **engines = conf->engines.elts;
    metrics_t metrics = {ngx_palloc(pool, (conf->engines.nelts + 1) * sizeof(lw_engine)), 0, format};
    if (metrics.engines == NULL)
        return NGX_ERROR;
    for (ngx_uint_t i = 0; i < conf->engines.nelts; i++)
        if (engines[i]->engine != 0)
            metrics.engines[metrics.len++] = engines[i]->engine;
    return write_text(write_metrics, &metrics, pool, text);
}

/* What is between the brackets of a list; empty if it has no elements. */
static ngx_str_t inside(ngx_str_t list)
{
    for (list.data++, list.len -= 2; list.len > 0 && list.data[list.len - 1] <= ' '; list.len--)
        ;
    return list;
}

/* One of the processes of an engine. */
static u_char *put_process(u_char *p, const lw_process_status *process)
{
    p = ngx_sprintf(p, "{\"pid\": %uD, \"command\": \"", process->pid);
    p = (u_char *)ngx_escape_json(p, (u_char *)process->command, ngx_strlen(process->command));
    return ngx_sprintf(p, "\", \"alive\": %s, \"own\": %s, \"in_flight\": %uL}",
                       process->flags & LW_PROCESS_ALIVE ? "true" : "false",
                       process->flags & LW_PROCESS_OWN ? "true" : "false", process->in_flight);
}

/* Where the state of an engine is, and who shares it; or why it is not open. */
static ngx_int_t shared_text(ngx_loadwise_engine_t *engine, ngx_pool_t *pool, ngx_str_t *text)
{
    /* A byte may need six. */
    const size_t of_process = 6 * sizeof(((lw_process_status *)0)->command) + 128;
    lw_process_status *processes = NULL;
    char why[NGX_LOADWISE_ERROR_MAX] = "";
    size_t len = 0;
    u_char *p;
    if (engine->engine == 0) {
        ngx_cpystrn((u_char *)why, (u_char *)engine->error, sizeof why);
    } else {
        (void)lw_engine_private_because(engine->engine, why, sizeof why, NULL);
        if (lw_engine_processes(engine->engine, NULL, 0, &len) != LW_OK)
            return NGX_ERROR;
        /* Others may come meanwhile. */
        len += 8;
        processes = ngx_pcalloc(pool, len * sizeof *processes);
        if (processes == NULL)
            return NGX_ERROR;
        processes[0].struct_size = sizeof *processes;
        if (lw_engine_processes(engine->engine, processes, len, &len) != LW_OK)
            len = 0;
    }
    text->data = p = ngx_pnalloc(pool, engine->path.len + 6 * ngx_strlen(why) + len * of_process + 128);
    if (p == NULL)
        return NGX_ERROR;
    p = ngx_sprintf(p, "{\"path\": %V, \"error\": ", &engine->path);
    if (why[0] != 0) {
        *p++ = '"';
        p = (u_char *)ngx_escape_json(p, (u_char *)why, ngx_strlen(why));
        *p++ = '"';
    } else {
        p = ngx_sprintf(p, "null");
    }
    p = ngx_sprintf(p, ", \"processes\": [");
    for (size_t i = 0; i < len; i++) {
        p = ngx_sprintf(p, i ? ", " : "");
        p = put_process(p, &processes[i]);
    }
    p = ngx_sprintf(p, "]}");
    text->len = (size_t)(p - text->data);
    return NGX_OK;
}

static ngx_int_t json_text(ngx_loadwise_conf_t *conf, ngx_pool_t *pool, ngx_str_t *text)
{
    ngx_loadwise_engine_t **engines = conf->engines.elts;
    const ngx_uint_t len = conf->engines.nelts;
    ngx_str_t *pools = ngx_pcalloc(pool, (2 * len + 1) * sizeof *pools), *shared = pools + len;
    size_t size = sizeof "{\"version\": \"\", \"pid\": , \"pools\": [], \"shared\": []}\n" + NGX_INT64_LEN + 32;
    const char *comma = "";
    u_char *p;
    if (pools == NULL)
        return NGX_ERROR;
    for (ngx_uint_t i = 0; i < len; i++) {
        if (engines[i]->engine == 0 && engines[i]->path.len == 0)
            return NGX_ERROR;
        if (engines[i]->engine != 0 && write_text(write_stats, engines[i], pool, &pools[i]) != NGX_OK)
            return NGX_ERROR;
        if (engines[i]->path.len > 0 && shared_text(engines[i], pool, &shared[i]) != NGX_OK)
            return NGX_ERROR;
        if (pools[i].len > 0)
            pools[i] = inside(pools[i]);
        size += pools[i].len + shared[i].len + 4;
    }
    text->data = p = ngx_pnalloc(pool, size);
    if (p == NULL)
        return NGX_ERROR;
    p = ngx_sprintf(p, "{\"version\": \"%s\", \"pid\": %P, \"pools\": [", lw_version(), ngx_pid);
    for (ngx_uint_t i = 0; i < len; i++)
        if (pools[i].len > 0) {
            p = ngx_sprintf(p, "%s%V", comma, &pools[i]);
            comma = ", ";
        }
    p = ngx_sprintf(p, "], \"shared\": [");
    comma = "";
    for (ngx_uint_t i = 0; i < len; i++)
        if (shared[i].len > 0) {
            p = ngx_sprintf(p, "%s%V", comma, &shared[i]);
            comma = ", ";
        }
    p = ngx_sprintf(p, "]}\n");
    text->len = (size_t)(p - text->data);
    return NGX_OK;
}

ngx_int_t ngx_loadwise_status_text(ngx_loadwise_conf_t *conf, ngx_loadwise_format_e format, ngx_pool_t *pool, ngx_str_t *text)
{
    ngx_loadwise_open_all(conf);
    switch (format) {
    case NGX_LOADWISE_PROMETHEUS:
        return metrics_text(conf, LW_METRICS_PROMETHEUS, pool, text);
    case NGX_LOADWISE_OPENMETRICS:
        return metrics_text(conf, LW_METRICS_OPENMETRICS, pool, text);
    default:
        return json_text(conf, pool, text);
    }
}

ngx_int_t ngx_loadwise_pool_text(ngx_loadwise_upstream_t *upstream, ngx_pool_t *pool, ngx_str_t *text)
{
    return write_text(write_pool, upstream, pool, text);
}
