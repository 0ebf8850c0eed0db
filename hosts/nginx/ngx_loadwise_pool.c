/* The pool of an upstream in this process: its configuration is put in force, unless another worker has done so, and the
 * engine is told which of its nodes are which peers. */
#include "ngx_loadwise.h"

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
        ngx_log_error(level, ngx_cycle->log, 0, "loadwise: node \"%s\" of \"%V\" is %s, was %s", id, &upstream->name,
                      lw_health_name(event->to), lw_health_name(event->from));
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

/* Whether the configuration in force has a node as `down`. */
static ngx_uint_t is_known_as_down(ngx_loadwise_upstream_t *upstream, lw_node_ref node)
{
    static const char down[] = NGX_LOADWISE_DOWN;
    char name[NGX_LOADWISE_ID_MAX + 1];
    size_t len;
    return lw_node_name(upstream->pool, node.node, node.generation, name, sizeof name, &len) == LW_OK &&
           len >= sizeof down - 1 && ngx_strcmp(name + len - (sizeof down - 1), down) == 0;
}

/* A server that is `down` drains before it could be picked: it comes without a weight, which the configuration gives it.
 * One that the configuration in force has as `down` was drained once, and may have been made active by hand. */
static lw_status drain_if_down(ngx_loadwise_upstream_t *upstream, ngx_loadwise_peer_t *peer)
{
    const lw_str id = ngx_loadwise_str(&peer->id);
    lw_node_spec spec = LW_NODE_SPEC_INIT;
    lw_node_ref node;
    lw_status status = lw_pool_node(upstream->pool, id, &node);
    peer->was_down = status == LW_OK && is_known_as_down(upstream, node);
    if (!peer->down || peer->was_down)
        return status == LW_ERR_UNKNOWN_NODE ? LW_OK : status;
    if (status == LW_ERR_UNKNOWN_NODE) {
        spec.id = id;
        spec.weight = 0;
        status = lw_pool_register(upstream->pool, &spec, NULL);
        if (status == LW_ERR_DUPLICATE_NODE)
            status = LW_OK;
    }
    return status == LW_OK ? lw_pool_drain(upstream->pool, id, 1) : status;
}

static lw_status put_in_force(ngx_loadwise_upstream_t *upstream, ngx_log_t *log)
{
    ngx_loadwise_peer_t *peers = upstream->peers.elts;
    uint32_t was_new = 0;
    lw_status status = LW_OK;
    for (ngx_uint_t i = 0; status == LW_OK && i < upstream->peers.nelts; i++)
        status = drain_if_down(upstream, &peers[i]);
    if (status == LW_OK)
        status = lw_pool_reload_if_new(upstream->pool, (const char *)upstream->config.data, upstream->config.len, &was_new);
    for (ngx_uint_t i = 0; status == LW_OK && was_new && i < upstream->peers.nelts; i++)
        if (peers[i].was_down && !peers[i].down)
            status = lw_pool_drain(upstream->pool, ngx_loadwise_str(&peers[i].id), 0);
    if (status == LW_OK && was_new && upstream->engine->is_shared)
        ngx_log_error(NGX_LOG_NOTICE, log, 0, "loadwise: the configuration of \"%V\" is in force for all processes",
                      &upstream->name);
    return status;
}

/* Takes hold of the pool of an upstream in its engine. */
lw_status ngx_loadwise_open_pool(ngx_loadwise_engine_t *engine, ngx_loadwise_upstream_t *upstream, ngx_log_t *log)
{
    ngx_loadwise_peer_t *peers = upstream->peers.elts;
    char message[NGX_LOADWISE_ERROR_MAX];
    uint64_t observer;
    lw_status status = lw_engine_pool(engine->engine, ngx_loadwise_str(&upstream->name), &upstream->pool);
    if (status == LW_OK)
        status = lw_pool_observe(upstream->pool, 0, observe, upstream, NULL, &observer);
    if (status != LW_OK)
        return status;
    status = put_in_force(upstream, log);
    if (status != LW_OK && upstream->engine->is_shared) {
        /* Limits, for one, are those that it was made with. */
        ngx_loadwise_last_error(message);
        ngx_log_error(NGX_LOG_ERR, log, 0, "loadwise: \"%V\" goes on with the configuration that is in force: %s",
                      &upstream->name, message);
        status = LW_OK;
    }
    for (ngx_uint_t i = 0; status == LW_OK && i < upstream->peers.nelts; i++)
        /* 0 is a node of which nginx knows nothing yet. */
        if (lw_pool_node(upstream->pool, ngx_loadwise_str(&peers[i].id), &peers[i].node) == LW_OK)
            status = lw_node_set_user_data(upstream->pool, peers[i].node.node, peers[i].node.generation, i + 1);
    return status;
}

/* How many picks of this process nobody has finished. */
static uint64_t in_flight(ngx_loadwise_upstream_t *upstream)
{
    lw_process_status *processes;
    lw_node_status *nodes;
    size_t len = 0;
    uint64_t sum = 0;
    if (upstream->engine->is_shared && lw_pool_processes(upstream->pool, NULL, 0, &len) == LW_OK && len > 0) {
        processes = ngx_alloc(len * sizeof *processes, ngx_cycle->log);
        if (processes == NULL)
            return 0;
        processes[0].struct_size = sizeof *processes;
        if (lw_pool_processes(upstream->pool, processes, len, &len) == LW_OK)
            for (size_t i = 0; i < len; i++)
                sum += processes[i].flags & LW_PROCESS_OWN ? processes[i].in_flight : 0;
        ngx_free(processes);
        return sum;
    }
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

void ngx_loadwise_close_pool(ngx_loadwise_upstream_t *upstream, ngx_log_t *log)
{
    uint64_t left;
    if (upstream->pool == 0)
        return;
    left = in_flight(upstream);
    /* A worker that ends gracefully has ended all requests first. */
    if (left > 0 && ngx_exiting && !ngx_terminate)
        ngx_log_error(NGX_LOG_ALERT, log, 0, "loadwise: %uL picks of \"%V\" were never finished", left, &upstream->name);
    (void)lw_pool_free(upstream->pool);
    upstream->pool = 0;
    ngx_loadwise_forget_found(upstream);
}
