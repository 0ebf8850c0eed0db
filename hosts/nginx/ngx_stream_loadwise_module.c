/* The directives of stream. */
#include "ngx_stream_loadwise.h"

static void *create_srv_conf(ngx_conf_t *cf);
static char *set_loadwise(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
static char *set_value(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);

static ngx_command_t ngx_stream_loadwise_commands[] = {
    {ngx_string("loadwise"), NGX_STREAM_UPS_CONF | NGX_CONF_ANY, set_loadwise, NGX_STREAM_SRV_CONF_OFFSET, 0, NULL},
    {ngx_string("loadwise_config"), NGX_STREAM_UPS_CONF | NGX_CONF_TAKE1, ngx_loadwise_set_config, NGX_STREAM_SRV_CONF_OFFSET,
     0, NULL},
    {ngx_string("loadwise_check"), NGX_STREAM_UPS_CONF | NGX_CONF_1MORE, ngx_loadwise_set_check, NGX_STREAM_SRV_CONF_OFFSET,
     0, NULL},
    {ngx_string("loadwise_key"), NGX_STREAM_UPS_CONF | NGX_CONF_TAKE1, set_value, NGX_STREAM_SRV_CONF_OFFSET,
     offsetof(ngx_stream_loadwise_srv_conf_t, key), NULL},
    {ngx_string("loadwise_session"), NGX_STREAM_UPS_CONF | NGX_CONF_TAKE1, set_value, NGX_STREAM_SRV_CONF_OFFSET,
     offsetof(ngx_stream_loadwise_srv_conf_t, session), NULL},
    ngx_null_command,
};

static ngx_stream_module_t ngx_stream_loadwise_module_ctx = {
    ngx_stream_loadwise_add_variables, /* preconfiguration */
    NULL,                              /* postconfiguration */
    NULL,                              /* create main configuration */
    NULL,                              /* init main configuration */
    create_srv_conf,
    NULL, /* merge server configuration */
};

ngx_module_t ngx_stream_loadwise_module = {
    NGX_MODULE_V1,
    &ngx_stream_loadwise_module_ctx,
    ngx_stream_loadwise_commands,
    NGX_STREAM_MODULE,
    NULL, /* init master */
    NULL, /* init module */
    NULL, /* init process */
    NULL, /* init thread */
    NULL, /* exit thread */
    NULL, /* exit process */
    NULL, /* exit master */
    NGX_MODULE_V1_PADDING,
};

static void *create_srv_conf(ngx_conf_t *cf)
{
    ngx_stream_loadwise_srv_conf_t *conf = ngx_pcalloc(cf->pool, sizeof *conf);
    if (conf == NULL || ngx_loadwise_init_upstream(&conf->upstream, cf->pool) != NGX_OK)
        return NULL;
    return conf;
}

static char *set_loadwise(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_stream_upstream_srv_conf_t *us = ngx_stream_conf_get_module_srv_conf(cf, ngx_stream_upstream_module);
    ngx_stream_loadwise_srv_conf_t *lscf = conf;
    /* http may have one of the same name. */
    ngx_str_t prefix = ngx_string("stream.");
    (void)cmd;
    if (us->peer.init_upstream != NULL && !lscf->upstream.set)
        return "must stand alone among load balancing methods";
    us->peer.init_upstream = ngx_stream_loadwise_init_upstream;
    us->flags = NGX_STREAM_UPSTREAM_CREATE | NGX_STREAM_UPSTREAM_WEIGHT | NGX_STREAM_UPSTREAM_MAX_CONNS |
                NGX_STREAM_UPSTREAM_MAX_FAILS | NGX_STREAM_UPSTREAM_FAIL_TIMEOUT | NGX_STREAM_UPSTREAM_DOWN |
                NGX_STREAM_UPSTREAM_BACKUP;
    return ngx_loadwise_set(cf, &lscf->upstream, &prefix, &us->host);
}

/* `loadwise_key VALUE` and `loadwise_session VALUE` */
static char *set_value(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_stream_loadwise_srv_conf_t *lscf = conf;
    if (!lscf->upstream.set)
        return NGX_LOADWISE_FIRST;
    return ngx_stream_set_complex_value_slot(cf, cmd, conf);
}
