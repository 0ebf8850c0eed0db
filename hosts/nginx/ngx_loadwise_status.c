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
    return lw_engine_stats(((const ngx_loadwise_conf_t *)of)->engine, 0, buffer, capacity, len);
}

static lw_status write_prometheus(const void *of, char *buffer, size_t capacity, size_t *len)
{
    return lw_engine_metrics(((const ngx_loadwise_conf_t *)of)->engine, LW_METRICS_PROMETHEUS, buffer, capacity, len);
}

static lw_status write_openmetrics(const void *of, char *buffer, size_t capacity, size_t *len)
{
    return lw_engine_metrics(((const ngx_loadwise_conf_t *)of)->engine, LW_METRICS_OPENMETRICS, buffer, capacity, len);
}

static lw_status write_pool(const void *of, char *buffer, size_t capacity, size_t *len)
{
    return lw_pool_stats(((const ngx_loadwise_upstream_t *)of)->pool, 0, buffer, capacity, len);
}

ngx_int_t ngx_loadwise_status_text(ngx_loadwise_conf_t *conf, ngx_loadwise_format_e format, ngx_pool_t *pool, ngx_str_t *text)
{
    ngx_str_t pools;
    if (conf->upstreams.nelts > 0 && ngx_loadwise_open(conf) != NGX_OK)
        return NGX_ERROR;
    if (format == NGX_LOADWISE_PROMETHEUS)
        return write_text(write_prometheus, conf, pool, text);
    if (format == NGX_LOADWISE_OPENMETRICS)
        return write_text(write_openmetrics, conf, pool, text);
    if (write_text(write_stats, conf, pool, &pools) != NGX_OK)
        return NGX_ERROR;
    text->data = ngx_pnalloc(pool, pools.len + 2 * NGX_INT64_LEN + sizeof "{\"version\": \"\", \"pid\": , \"pools\": }\n" + 32);
    if (text->data == NULL)
        return NGX_ERROR;
    text->len = (size_t)(ngx_sprintf(text->data, "{\"version\": \"%s\", \"pid\": %P, \"pools\": %V}\n", lw_version(), ngx_pid,
                                     &pools) -
                         text->data);
    return NGX_OK;
}

ngx_int_t ngx_loadwise_pool_text(ngx_loadwise_upstream_t *upstream, ngx_pool_t *pool, ngx_str_t *text)
{
    return write_text(write_pool, upstream, pool, text);
}
