/* Upstreams of http: their servers, and the peers that nginx asks for and gives back. */
#include "ngx_http_loadwise.h"

static ngx_int_t init_peer(ngx_http_request_t *r, ngx_http_upstream_srv_conf_t *us);
static ngx_int_t get_peer(ngx_peer_connection_t *pc, void *data);
static void free_peer(ngx_peer_connection_t *pc, void *data, ngx_uint_t state);
#if (NGX_HTTP_SSL)
static ngx_int_t set_session(ngx_peer_connection_t *pc, void *data);
static void save_session(ngx_peer_connection_t *pc, void *data);
#endif

ngx_int_t ngx_http_loadwise_init_upstream(ngx_conf_t *cf, ngx_http_upstream_srv_conf_t *us)
{
    ngx_http_loadwise_srv_conf_t *lscf = ngx_http_conf_upstream_srv_conf(us, ngx_http_loadwise_module);
    ngx_http_upstream_server_t *servers;
    ngx_loadwise_peer_t peer;
    /* It says what is wrong with the servers, and leaves what `zone` copies. */
    if (ngx_http_upstream_init_round_robin(cf, us) != NGX_OK)
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

/* An empty value is none: a variable that a request does not have is empty. */
static ngx_int_t value_of(ngx_http_request_t *r, ngx_http_complex_value_t *from, ngx_str_t *value)
{
    if (from == NULL)
        return NGX_OK;
    if (ngx_http_complex_value(r, from, value) != NGX_OK)
        return NGX_ERROR;
    if (value->len == 0)
        value->data = NULL;
    return NGX_OK;
}

static ngx_int_t init_peer(ngx_http_request_t *r, ngx_http_upstream_srv_conf_t *us)
{
    ngx_http_loadwise_srv_conf_t *lscf = ngx_http_conf_upstream_srv_conf(us, ngx_http_loadwise_module);
    ngx_pool_cleanup_t *cleanup;
    ngx_http_loadwise_ctx_t *ctx;
    cleanup = ngx_pool_cleanup_add(r->pool, sizeof *ctx);
    if (cleanup == NULL)
        return NGX_ERROR;
    cleanup->handler = ngx_loadwise_end;
    ctx = cleanup->data;
    ctx->request = r;
    ngx_loadwise_begin(&ctx->attempts, &lscf->upstream, r->pool);
    if (value_of(r, lscf->key, &ctx->attempts.key) != NGX_OK || value_of(r, lscf->session, &ctx->attempts.session) != NGX_OK)
        return NGX_ERROR;
    r->upstream->peer.data = ctx;
    r->upstream->peer.get = get_peer;
    r->upstream->peer.free = free_peer;
    r->upstream->peer.tries = lscf->upstream.tries;
#if (NGX_HTTP_SSL)
    r->upstream->peer.set_session = set_session;
    r->upstream->peer.save_session = save_session;
#endif
    return NGX_OK;
}

/* The last time that a request was at an upstream of ours; NULL if it never was. A redirect inside nginx forgets what
 * modules keep with a request, but not this. */
ngx_http_loadwise_ctx_t *ngx_http_loadwise_ctx(ngx_http_request_t *r)
{
    for (ngx_pool_cleanup_t *cleanup = r->pool->cleanup; cleanup; cleanup = cleanup->next)
        if (cleanup->handler == ngx_loadwise_end && ((ngx_http_loadwise_ctx_t *)cleanup->data)->request == r)
            return cleanup->data;
    return NULL;
}

static ngx_int_t get_peer(ngx_peer_connection_t *pc, void *data)
{
    ngx_http_loadwise_ctx_t *ctx = data;
    return ngx_loadwise_get(pc, &ctx->attempts);
}

static void free_peer(ngx_peer_connection_t *pc, void *data, ngx_uint_t state)
{
    ngx_http_loadwise_ctx_t *ctx = data;
    ngx_loadwise_attempts_t *attempts = &ctx->attempts;
    lw_outcome outcome = LW_OUTCOME_INIT;
    if (attempts->ticket == 0 || attempts->ahead)
        return;
    if (pc->tries > 0)
        pc->tries--;
    /* Once a request: a node that breaks one idle connection after the other has something. */
    if (attempts->forgiven == 0 && pc->cached && ngx_http_loadwise_is_stale(ctx->request, state)) {
        ngx_loadwise_forgive(attempts);
        return;
    }
    ngx_http_loadwise_outcome(ctx->request, state, attempts->upstream->header_latency, &outcome);
    ngx_loadwise_finish(attempts, &outcome);
    /* Here and not at the next attempt: if there is to be none, nginx answers with what has gone wrong. */
    if (pc->tries > 0 && ngx_http_loadwise_goes_on(ctx->request, state, &outcome) && ngx_loadwise_again(attempts, pc->log) != NGX_OK)
        pc->tries = 0;
}

#if (NGX_HTTP_SSL)

static ngx_int_t set_session(ngx_peer_connection_t *pc, void *data)
{
    ngx_http_loadwise_ctx_t *ctx = data;
    ngx_loadwise_peer_t *peer = ctx->attempts.peer;
    return peer && peer->ssl_session ? ngx_ssl_set_session(pc->connection, peer->ssl_session) : NGX_OK;
}

static void save_session(ngx_peer_connection_t *pc, void *data)
{
    ngx_http_loadwise_ctx_t *ctx = data;
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
