/* The engine of a process: opened from what all upstreams have composed, maintained by a timer, closed at the end. */
#include "ngx_loadwise.h"

enum { MAINTAIN_INTERVAL_MS = 1000 };

void ngx_loadwise_last_error(char message[NGX_LOADWISE_ERROR_MAX])
{
    message[0] = 0;
    if (lw_last_error(message, NGX_LOADWISE_ERROR_MAX, NULL) == LW_ERR_BUFFER_TOO_SMALL)
        ngx_memcpy(message, "(a message too long to show)", sizeof "(a message too long to show)");
}

/* `{"pools": {NAME: CONFIG, ...}}` */
static ngx_int_t engine_text(ngx_loadwise_conf_t *conf, ngx_str_t *text)
{
    ngx_loadwise_upstream_t **upstreams = conf->upstreams.elts;
    size_t size = sizeof "{\"pools\":{}}";
    u_char *p;
    for (ngx_uint_t i = 0; i < conf->upstreams.nelts; i++)
        size += upstreams[i]->name.len + upstreams[i]->config.len + sizeof "\"\":,";
    text->data = p = ngx_alloc(size, conf->cycle->log);
    if (p == NULL)
        return NGX_ERROR;
    p = ngx_sprintf(p, "{\"pools\":{");
    for (ngx_uint_t i = 0; i < conf->upstreams.nelts; i++)
        p = ngx_sprintf(p, "%s\"%V\":%V", i ? "," : "", &upstreams[i]->name, &upstreams[i]->config);
    p = ngx_sprintf(p, "}}");
    text->len = (size_t)(p - text->data);
    return NGX_OK;
}

static const char *health_name(uint32_t health)
{
    switch (health) {
    case LW_HEALTH_HEALTHY:
        return "healthy";
    case LW_HEALTH_DEGRADED:
        return "degraded";
    case LW_HEALTH_UNHEALTHY:
        return "unhealthy";
    default:
        return "recovering";
    }
}

/* Tells the error log what happens to nodes. */
static void observe(const lw_event *event, void *data)
{
    ngx_loadwise_upstream_t *upstream = data;
    const ngx_uint_t level = event->kind == LW_EVENT_HEALTH && event->to != LW_HEALTH_UNHEALTHY ? NGX_LOG_NOTICE : NGX_LOG_WARN;
    char id[NGX_LOADWISE_ID_MAX + 1] = "";
    if (event->generation != 0)
        (void)lw_node_id(event->pool, event->node, event->generation, id, sizeof id, NULL);
    switch (event->kind) {
    case LW_EVENT_HEALTH:
        ngx_log_error(level, ngx_cycle->log, 0,
                      "loadwise: node \"%s\" of \"%V\" is %s, was %s", id, &upstream->name, health_name(event->to),
                      health_name(event->from));
        return;
    case LW_EVENT_BREAKER:
        ngx_log_error(level, ngx_cycle->log, 0, "loadwise: the breaker of node \"%s\" of \"%V\" has %s", id,
                      &upstream->name, event->to ? "opened" : "closed");
        return;
    case LW_EVENT_EJECTION:
        ngx_log_error(level, ngx_cycle->log, 0, "loadwise: node \"%s\" of \"%V\" is %s", id, &upstream->name,
                      event->to ? "ejected as an outlier" : "taken back");
        return;
    case LW_EVENT_PANIC:
        ngx_log_error(level, ngx_cycle->log, 0, "loadwise: \"%V\" %s", &upstream->name,
                      event->to ? "panics: too few nodes are available" : "panics no more");
        return;
    case LW_EVENT_TIER:
        ngx_log_error(level, ngx_cycle->log, 0, "loadwise: tier %uD of \"%V\" takes the most traffic, not %uD",
                      event->to, &upstream->name, event->from);
        return;
    default:
        return;
    }
}

/* Takes hold of a pool, and tells it which of our peers its nodes are. */
static lw_status open_pool(lw_engine engine, ngx_loadwise_upstream_t *upstream)
{
    ngx_loadwise_peer_t *peers = upstream->peers.elts;
    uint64_t observer;
    lw_status status = lw_engine_pool(engine, ngx_loadwise_str(&upstream->name), &upstream->pool);
    if (status == LW_OK)
        status = lw_pool_observe(upstream->pool, 0, observe, upstream, NULL, &observer);
    for (ngx_uint_t i = 0; status == LW_OK && i < upstream->peers.nelts; i++) {
        lw_node_ref node;
        status = lw_pool_node(upstream->pool, ngx_loadwise_str(&peers[i].id), &node);
        if (status == LW_OK)
            /* 0 is a node of which nginx knows nothing. */
            status = lw_node_set_user_data(upstream->pool, node.node, node.generation, i + 1);
        if (status == LW_OK && peers[i].down)
            status = lw_pool_drain(upstream->pool, ngx_loadwise_str(&peers[i].id), 1);
    }
    return status;
}

static void maintain(ngx_event_t *event)
{
    ngx_loadwise_conf_t *conf = ((ngx_connection_t *)event->data)->data;
    if (lw_engine_maintain(conf->engine, 0, NULL) != LW_OK) {
        char message[NGX_LOADWISE_ERROR_MAX];
        ngx_loadwise_last_error(message);
        ngx_log_error(NGX_LOG_ERR, event->log, 0, "loadwise: maintenance: %s", message);
    }
    if (!ngx_exiting)
        ngx_loadwise_check_due(conf);
    ngx_add_timer(event, MAINTAIN_INTERVAL_MS);
}

static ngx_int_t open_failed(ngx_loadwise_conf_t *conf, const char *why)
{
    ngx_log_error(NGX_LOG_EMERG, conf->cycle->log, 0, "loadwise: the engine cannot be opened: %s", why);
    ngx_loadwise_close(conf);
    conf->failed_at = ngx_time();
    return NGX_ERROR;
}

/* Opens the engine of this process, unless that failed in this very second. */
ngx_int_t ngx_loadwise_open(ngx_loadwise_conf_t *conf)
{
    ngx_loadwise_upstream_t **upstreams = conf->upstreams.elts;
    char message[NGX_LOADWISE_ERROR_MAX];
    ngx_str_t text;
    lw_status status;
    if (conf->engine != 0)
        return NGX_OK;
    if (conf->failed_at == ngx_time())
        return NGX_ERROR;
    if (lw_abi_version() != LW_ABI_VERSION)
        return open_failed(conf, "the library has another ABI than the module was built for");
    if (engine_text(conf, &text) != NGX_OK)
        return open_failed(conf, "no memory");
    status = lw_engine_from_config((const char *)text.data, text.len, &conf->engine);
    ngx_free(text.data);
    for (ngx_uint_t i = 0; status == LW_OK && i < conf->upstreams.nelts; i++)
        status = open_pool(conf->engine, upstreams[i]);
    if (status != LW_OK) {
        ngx_loadwise_last_error(message);
        return open_failed(conf, message);
    }
    conf->timer_connection.fd = (ngx_socket_t)-1;
    conf->timer_connection.data = conf;
    conf->timer.handler = maintain;
    conf->timer.data = &conf->timer_connection;
    conf->timer.log = conf->cycle->log;
    /* Or it would keep a worker alive that is to end. */
    conf->timer.cancelable = 1;
    ngx_add_timer(&conf->timer, 1);
    return NGX_OK;
}

/* How many picks of a pool nobody has finished. */
static uint64_t in_flight(ngx_loadwise_upstream_t *upstream)
{
    size_t len = 0;
    uint64_t sum = 0;
    lw_node_status *nodes;
    if (lw_pool_nodes(upstream->pool, NULL, 0, &len) != LW_OK || len == 0)
        return 0;
    nodes = ngx_alloc(len * sizeof *nodes, ngx_cycle->log);
    if (nodes == NULL)
        return 0;
    nodes[0].struct_size = sizeof *nodes;
    if (lw_pool_nodes(upstream->pool, nodes, len, &len) == LW_OK)
        for (size_t i = 0; i < len; i++)
            sum += nodes[i].in_flight;
    ngx_free(nodes);
    return sum;
}

void ngx_loadwise_close(ngx_loadwise_conf_t *conf)
{
    ngx_loadwise_upstream_t **upstreams = conf->upstreams.elts;
    ngx_loadwise_stop_checks(conf);
    if (conf->timer.timer_set)
        ngx_del_timer(&conf->timer);
    for (ngx_uint_t i = 0; i < conf->upstreams.nelts; i++) {
        uint64_t left = upstreams[i]->pool ? in_flight(upstreams[i]) : 0;
        /* A worker that ends gracefully has ended all requests first. */
        if (left > 0 && ngx_exiting && !ngx_terminate)
            ngx_log_error(NGX_LOG_ALERT, conf->cycle->log, 0, "loadwise: %uL picks of \"%V\" were never finished", left,
                          &upstreams[i]->name);
        if (upstreams[i]->pool)
            (void)lw_pool_free(upstreams[i]->pool);
        upstreams[i]->pool = 0;
    }
    if (conf->engine)
        (void)lw_engine_free(conf->engine);
    conf->engine = 0;
}
