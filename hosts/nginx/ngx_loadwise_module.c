/* The module that nginx's http and stream modules share: it keeps what is configured, and opens the engine in each worker. */
#include "ngx_loadwise.h"

static void *create_conf(ngx_cycle_t *cycle);
static char *init_conf(ngx_cycle_t *cycle, void *conf);
static ngx_int_t init_process(ngx_cycle_t *cycle);
static void exit_process(ngx_cycle_t *cycle);

static ngx_core_module_t ngx_loadwise_module_ctx = {
    ngx_string("loadwise"),
    create_conf,
    init_conf,
};

ngx_module_t ngx_loadwise_module = {
    NGX_MODULE_V1,
    &ngx_loadwise_module_ctx,
    NULL,
    NGX_CORE_MODULE,
    NULL, /* init master */
    NULL, /* init module */
    init_process,
    NULL, /* init thread */
    NULL, /* exit thread */
    exit_process,
    NULL, /* exit master */
    NGX_MODULE_V1_PADDING,
};

ngx_loadwise_conf_t *ngx_loadwise_conf(ngx_cycle_t *cycle)
{
    return (ngx_loadwise_conf_t *)ngx_get_conf(cycle->conf_ctx, ngx_loadwise_module);
}

static void *create_conf(ngx_cycle_t *cycle)
{
    ngx_loadwise_conf_t *conf = ngx_pcalloc(cycle->pool, sizeof *conf);
    if (conf == NULL || ngx_array_init(&conf->upstreams, cycle->pool, 4, sizeof(ngx_loadwise_upstream_t *)) != NGX_OK ||
        ngx_array_init(&conf->engines, cycle->pool, 2, sizeof(ngx_loadwise_engine_t *)) != NGX_OK)
        return NULL;
    conf->cycle = cycle;
    ngx_queue_init(&conf->checks);
    return conf;
}

static char *init_conf(ngx_cycle_t *cycle, void *conf)
{
    (void)conf;
    return ngx_loadwise_find_left(cycle) == NGX_OK ? NGX_CONF_OK : NGX_CONF_ERROR;
}

ngx_loadwise_upstream_t *ngx_loadwise_upstream_named(ngx_loadwise_conf_t *conf, ngx_str_t *name)
{
    ngx_loadwise_upstream_t **upstreams = conf->upstreams.elts;
    for (ngx_uint_t i = 0; i < conf->upstreams.nelts; i++)
        if (upstreams[i]->name.len == name->len && ngx_strncmp(upstreams[i]->name.data, name->data, name->len) == 0)
            return upstreams[i];
    return NULL;
}

ngx_int_t ngx_loadwise_add_upstream(ngx_conf_t *cf, ngx_loadwise_upstream_t *upstream)
{
    ngx_loadwise_conf_t *conf = ngx_loadwise_conf(cf->cycle);
    ngx_loadwise_upstream_t **added = ngx_array_push(&conf->upstreams);
    if (added == NULL)
        return NGX_ERROR;
    *added = upstream;
    return NGX_OK;
}

static ngx_int_t init_process(ngx_cycle_t *cycle)
{
    ngx_loadwise_conf_t *conf = ngx_loadwise_conf(cycle);
    /* The cache's helpers balance nothing. */
    if (ngx_process == NGX_PROCESS_WORKER || ngx_process == NGX_PROCESS_SINGLE)
        /* A worker that ends here is not started again: rather let it serve what needs no engine, and try once more. */
        ngx_loadwise_open_all(conf);
    return NGX_OK;
}

static void exit_process(ngx_cycle_t *cycle)
{
    ngx_loadwise_close(ngx_loadwise_conf(cycle));
}
