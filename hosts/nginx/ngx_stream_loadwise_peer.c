/* Upstreams of stream: their servers, and the peers that nginx asks for and gives back. */
#include "ngx_stream_loadwise.h"

static ngx_int_t init_peer(ngx_stream_session_t *s, ngx_stream_upstream_srv_conf_t *us);
static ngx_int_t get_peer(ngx_peer_connection_t *pc, void *data);
static void free_peer(ngx_peer_connection_t *pc, void *data, ngx_uint_t state);
static void notify_peer(ngx_peer_connection_t *pc, void *data, ngx_uint_t type);
#if (NGX_STREAM_SSL)
static ngx_int_t set_session(ngx_peer_connection_t *pc, void *data);
static void save_session(ngx_peer_connection_t *pc, void *data);
#endif

ngx_int_t ngx_stream_loadwise_init_upstream(ngx_conf_t *cf, ngx_stream_upstream_srv_conf_t *us)
{
    ngx_stream_loadwise_srv_conf_t *lscf = ngx_stream_conf_upstream_srv_conf(us, ngx_stream_loadwise_module);
    ngx_stream_upstream_server_t *servers;
    ngx_loadwise_peer_t peer;
    /* It says what is wrong with the servers, and leaves what `zone` copies. */
    if (ngx_stream_upstream_init_round_robin(cf, us) != NGX_OK)
        return NGX_ERROR;
    us->peer.init = init_peer;
    servers = us->servers->elts;
    for (ngx_uint_t i = 0; i < us->servers->nelts; i++) {
        ngx_memzero(&peer, sizeof peer);
        peer.server = servers[i].name;
        peer.addresses = servers[i].naddrs;
        peer.weight = servers[i].weight;
        peer.max_conns = servers[i].max_conns;
        peer.backup = servers[i].backup;
        peer.down = servers[i].down != 0;
        for (ngx_uint_t a = 0; a < servers[i].naddrs; a++) {
            peer.sockaddr = servers[i].addrs[a].sockaddr;
            peer.socklen = servers[i].addrs[a].socklen;
            peer.name = servers[i].addrs[a].name;
            if (ngx_loadwise_add_peer(cf, &lscf->upstream, &peer, servers[i].max_fails, servers[i].fail_timeout) != NGX_OK)
                return NGX_ERROR;
        }
    }
    return ngx_loadwise_compose(cf, &lscf->upstream);
}

/* An empty value is none: a variable that a session does not have is empty. */
static ngx_int_t value_of(ngx_stream_session_t *s, ngx_stream_complex_value_t *from, ngx_str_t *value)
{
    if (from == NULL)
        return NGX_OK;
    if (ngx_stream_complex_value(s, from, value) != NGX_OK)
        return NGX_ERROR;
    if (value->len == 0)
        value->data = NULL;
    return NGX_OK;
}

static ngx_int_t init_peer(ngx_stream_session_t *s, ngx_stream_upstream_srv_conf_t *us)
{
    ngx_stream_loadwise_srv_conf_t *lscf = ngx_stream_conf_upstream_srv_conf(us, ngx_stream_loadwise_module);
    ngx_pool_cleanup_t *cleanup;
    ngx_stream_loadwise_ctx_t *ctx;
    cleanup = ngx_pool_cleanup_add(s->connection->pool, sizeof *ctx);
    if (cleanup == NULL)
        return NGX_ERROR;
    cleanup->handler = ngx_loadwise_end;
    ctx = cleanup->data;
    ngx_memzero(ctx, sizeof *ctx);
    ctx->session = s;
    ngx_loadwise_begin(&ctx->attempts, &lscf->upstream, s->connection->pool);
    if (value_of(s, lscf->key, &ctx->attempts.key) != NGX_OK || value_of(s, lscf->session, &ctx->attempts.session) != NGX_OK)
        return NGX_ERROR;
    s->upstream->peer.data = ctx;
    s->upstream->peer.get = get_peer;
    s->upstream->peer.free = free_peer;
    s->upstream->peer.notify = notify_peer;
    s->upstream->peer.tries = lscf->upstream.tries;
#if (NGX_STREAM_SSL)
    s->upstream->peer.set_session = set_session;
    s->upstream->peer.save_session = save_session;
#endif
    return NGX_OK;
}

static ngx_int_t get_peer(ngx_peer_connection_t *pc, void *data)
{
    ngx_stream_loadwise_ctx_t *ctx = data;
    ctx->began_ns = ngx_loadwise_now_ns();
    ctx->connected_ns = 0;
    return ngx_loadwise_get(pc, &ctx->attempts);
}

static void notify_peer(ngx_peer_connection_t *pc, void *data, ngx_uint_t type)
{
    ngx_stream_loadwise_ctx_t *ctx = data;
    (void)pc;
    if (type == NGX_STREAM_UPSTREAM_NOTIFY_CONNECT)
        ctx->connected_ns = ngx_loadwise_now_ns();
}

/* A connection is well if it could be made and was not broken by the node. How long it took to make is its latency: how
 * long it lasts is up to those who talk over it. */
static void free_peer(ngx_peer_connection_t *pc, void *data, ngx_uint_t state)
{
    ngx_stream_loadwise_ctx_t *ctx = data;
    lw_outcome outcome = LW_OUTCOME_INIT;
    if (ctx->attempts.ticket == 0)
        return;
    if (pc->tries > 0)
        pc->tries--;
    if (ctx->connected_ns == 0) {
        outcome.kind = state & NGX_PEER_FAILED ? LW_OUTCOME_FAILURE : LW_OUTCOME_CANCELLED;
        outcome.failure = state & NGX_PEER_FAILED ? LW_FAILURE_CONNECT : LW_FAILURE_OTHER;
    } else if (state & NGX_PEER_FAILED) {
        outcome.kind = LW_OUTCOME_FAILURE;
    } else if (pc->connection && pc->connection->read->error) {
        outcome.kind = LW_OUTCOME_FAILURE;
        outcome.failure = LW_FAILURE_RESET;
    } else {
        outcome.kind = LW_OUTCOME_SUCCESS;
        outcome.latency_ns = ngx_max(ctx->connected_ns - ctx->began_ns, 1);
    }
    ngx_loadwise_finish(&ctx->attempts, &outcome);
}

/* As in http. */
ngx_stream_loadwise_ctx_t *ngx_stream_loadwise_ctx(ngx_stream_session_t *s)
{
    for (ngx_pool_cleanup_t *cleanup = s->connection->pool->cleanup; cleanup; cleanup = cleanup->next)
        if (cleanup->handler == ngx_loadwise_end && ((ngx_stream_loadwise_ctx_t *)cleanup->data)->session == s)
            return cleanup->data;
    return NULL;
}

#if (NGX_STREAM_SSL)

static ngx_int_t set_session(ngx_peer_connection_t *pc, void *data)
{
    ngx_stream_loadwise_ctx_t *ctx = data;
    ngx_loadwise_peer_t *peer = ctx->attempts.peer;
    return peer && peer->ssl_session ? ngx_ssl_set_session(pc->connection, peer->ssl_session) : NGX_OK;
}

static void save_session(ngx_peer_connection_t *pc, void *data)
{
    ngx_stream_loadwise_ctx_t *ctx = data;
    ngx_loadwise_peer_t *peer = ctx->attempts.peer;
    ngx_ssl_session_t *session = ngx_ssl_get_session(pc->connection);
    if (session == NULL)
        return;
    if (peer == NULL) {
        ngx_ssl_free_session(session);
        return;
    }
    if (peer->ssl_session)
        ngx_ssl_free_session(peer->ssl_session);
    peer->ssl_session = session;
}

#endif
