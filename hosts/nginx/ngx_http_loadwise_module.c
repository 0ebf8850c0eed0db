/* The directives of http: `loadwise` and what goes with it in an upstream, and the location of the status. */
#include "ngx_http_loadwise.h"

static void *create_srv_conf(ngx_conf_t *cf);
static void *create_loc_conf(ngx_conf_t *cf);
static char *set_loadwise(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
static char *set_value(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
static char *set_status(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);

static ngx_command_t ngx_http_loadwise_commands[] = {
    {ngx_string("loadwise"), NGX_HTTP_UPS_CONF | NGX_CONF_ANY, set_loadwise, NGX_HTTP_SRV_CONF_OFFSET, 0, NULL},
    {ngx_string("loadwise_config"), NGX_HTTP_UPS_CONF | NGX_CONF_TAKE1, ngx_loadwise_set_config, NGX_HTTP_SRV_CONF_OFFSET, 0,
     NULL},
    {ngx_string("loadwise_check"), NGX_HTTP_UPS_CONF | NGX_CONF_1MORE, ngx_loadwise_set_check, NGX_HTTP_SRV_CONF_OFFSET, 0,
     NULL},
    {ngx_string("loadwise_key"), NGX_HTTP_UPS_CONF | NGX_CONF_TAKE1, set_value, NGX_HTTP_SRV_CONF_OFFSET,
     offsetof(ngx_http_loadwise_srv_conf_t, key), NULL},
    {ngx_string("loadwise_session"), NGX_HTTP_UPS_CONF | NGX_CONF_TAKE1, set_value, NGX_HTTP_SRV_CONF_OFFSET,
     offsetof(ngx_http_loadwise_srv_conf_t, session), NULL},
    {ngx_string("loadwise_status"), NGX_HTTP_LOC_CONF | NGX_CONF_NOARGS | NGX_CONF_TAKE1, set_status,
     NGX_HTTP_LOC_CONF_OFFSET, 0, NULL},
    ngx_null_command,
};

static ngx_http_module_t ngx_http_loadwise_module_ctx = {
    ngx_http_loadwise_add_variables, /* preconfiguration */
    NULL,                            /* postconfiguration */
    NULL,                            /* create main configuration */
    NULL,                            /* init main configuration */
    create_srv_conf,
    NULL, /* merge server configuration */
    create_loc_conf,
    NULL, /* merge location configuration */
};

ngx_module_t ngx_http_loadwise_module = {
    NGX_MODULE_V1,
    &ngx_http_loadwise_module_ctx,
    ngx_http_loadwise_commands,
    NGX_HTTP_MODULE,
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
    ngx_http_loadwise_srv_conf_t *conf = ngx_pcalloc(cf->pool, sizeof *conf);
    if (conf == NULL || ngx_loadwise_init_upstream(&conf->upstream, cf->pool) != NGX_OK)
        return NULL;
    return conf;
}

static void *create_loc_conf(ngx_conf_t *cf)
{
    return ngx_pcalloc(cf->pool, sizeof(ngx_http_loadwise_loc_conf_t));
}

static char *set_loadwise(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_upstream_srv_conf_t *us = ngx_http_conf_get_module_srv_conf(cf, ngx_http_upstream_module);
    ngx_http_loadwise_srv_conf_t *lscf = conf;
    ngx_str_t none = ngx_string("");
    (void)cmd;
    /* Whatever was there before would lose its say, or take ours. */
    if (us->peer.init_upstream != NULL && !lscf->upstream.set)
        return "must come before \"keepalive\", and stand alone among load balancing methods";
    us->peer.init_upstream = ngx_http_loadwise_init_upstream;
    us->flags = NGX_HTTP_UPSTREAM_CREATE | NGX_HTTP_UPSTREAM_WEIGHT | NGX_HTTP_UPSTREAM_MAX_CONNS |
                NGX_HTTP_UPSTREAM_MAX_FAILS | NGX_HTTP_UPSTREAM_FAIL_TIMEOUT | NGX_HTTP_UPSTREAM_DOWN |
                NGX_HTTP_UPSTREAM_BACKUP;
    return ngx_loadwise_set(cf, &lscf->upstream, &none, &us->host);
}

/* `loadwise_key VALUE` and `loadwise_session VALUE` */
static char *set_value(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_loadwise_srv_conf_t *lscf = conf;
    if (!lscf->upstream.set)
        return NGX_LOADWISE_FIRST;
    return ngx_http_set_complex_value_slot(cf, cmd, conf);
}

/* `loadwise_status [json|prometheus|openmetrics]` */
static char *set_status(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_core_loc_conf_t *clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);
    ngx_http_loadwise_loc_conf_t *lcf = conf;
    ngx_str_t *args = cf->args->elts;
    (void)cmd;
    if (cf->args->nelts == 1 || ngx_strcmp(args[1].data, "json") == 0) {
        lcf->format = NGX_LOADWISE_JSON;
    } else if (ngx_strcmp(args[1].data, "prometheus") == 0) {
        lcf->format = NGX_LOADWISE_PROMETHEUS;
    } else if (ngx_strcmp(args[1].data, "openmetrics") == 0) {
        lcf->format = NGX_LOADWISE_OPENMETRICS;
    } else {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "invalid parameter \"%V\"", &args[1]);
        return NGX_CONF_ERROR;
    }
    clcf->handler = ngx_http_loadwise_status_handler;
    return NGX_CONF_OK;
}
