/* Nodes that are no servers of this configuration: another program has put them into the pool, or a newer configuration,
 * while this worker ends what it has begun. They are what their addresses say, if that is an address and not a name: a
 * worker does not wait for a resolver. */
#include "ngx_loadwise.h"

/* The number of a node that has no address to connect to. */
static const uint64_t NOWHERE = UINT64_MAX;

/* Whether a peer is what a node of this address is. One that the configuration describes has it as it is written, or as
 * nginx writes it. */
static ngx_uint_t is_at(const ngx_loadwise_peer_t *peer, const ngx_str_t *address)
{
    if (peer->memory != NULL)
        return ngx_loadwise_is_same(&peer->server, address);
    return ngx_loadwise_is_same(&peer->name, address) || ngx_loadwise_is_same(&peer->id, address) ||
           (peer->addresses == 1 && ngx_loadwise_is_same(&peer->server, address));
}

/* The server that a node is, as one that was taken out and put back again. 0: none; else from 1. */
static uint64_t server_of(ngx_loadwise_upstream_t *upstream, lw_node_ref node, const ngx_str_t *id, const ngx_str_t *address)
{
    ngx_loadwise_peer_t *peers = upstream->peers.elts;
    for (ngx_uint_t i = 0; i < upstream->peers.nelts; i++)
        if (ngx_loadwise_is_same(&peers[i].id, id) && is_at(&peers[i], address)) {
            peers[i].node = node;
            return i + 1;
        }
    return 0;
}

/* Fills in where a text says to connect to. */
static ngx_int_t parse(ngx_loadwise_peer_t *peer, const ngx_str_t *text)
{
    ngx_url_t url;
    ngx_memzero(&url, sizeof url);
    url.no_resolve = 1;
    url.url.len = text->len;
    url.url.data = ngx_pnalloc(peer->memory, text->len + 1);
    if (url.url.data == NULL)
        return NGX_ERROR;
    ngx_cpystrn(url.url.data, text->data, text->len + 1);
    if (ngx_parse_url(peer->memory, &url) != NGX_OK || url.naddrs != 1 || (url.family != AF_UNIX && url.port == 0))
        return NGX_DECLINED;
    peer->sockaddr = url.addrs[0].sockaddr;
    peer->socklen = url.addrs[0].socklen;
    peer->name = url.url;
    return NGX_OK;
}

/* NULL if neither the address nor the id is an address. */
static ngx_loadwise_peer_t *make(lw_node_ref node, const ngx_str_t *id, const ngx_str_t *address)
{
    ngx_loadwise_peer_t *peer;
    ngx_pool_t *memory = ngx_create_pool(1024, ngx_cycle->log);
    if (memory == NULL)
        return NULL;
    peer = ngx_pcalloc(memory, sizeof *peer);
    if (peer != NULL) {
        peer->memory = memory;
        peer->node = node;
        peer->id.len = id->len;
        peer->id.data = ngx_pstrdup(memory, (ngx_str_t *)id);
        peer->server.len = address->len;
        peer->server.data = ngx_pstrdup(memory, (ngx_str_t *)address);
        if (peer->id.data != NULL && peer->server.data != NULL && (parse(peer, address) == NGX_OK || parse(peer, id) == NGX_OK))
            return peer;
    }
    ngx_destroy_pool(memory);
    return NULL;
}

/* Keeps a peer, and gives it its number: those after the servers'. */
static uint64_t keep(ngx_loadwise_upstream_t *upstream, ngx_loadwise_peer_t *peer)
{
    ngx_loadwise_peer_t **found = upstream->found.elts;
    ngx_uint_t i;
    for (i = 0; i < upstream->found.nelts && found[i] != NULL; i++)
        ;
    if (i == upstream->found.nelts) {
        if (ngx_array_push(&upstream->found) == NULL) {
            ngx_destroy_pool(peer->memory);
            return 0;
        }
        found = upstream->found.elts;
    }
    found[i] = peer;
    return upstream->peers.nelts + i + 1;
}

/* Finds out what a node is that was not seen before. Returns its number. */
static uint64_t look(ngx_loadwise_upstream_t *upstream, lw_node_ref node)
{
    char texts[2][NGX_LOADWISE_ID_MAX + 1];
    ngx_str_t id, address;
    ngx_loadwise_peer_t *peer;
    uint64_t number;
    if (lw_node_id(upstream->pool, node.node, node.generation, texts[0], sizeof texts[0], &id.len) != LW_OK ||
        lw_node_address(upstream->pool, node.node, node.generation, texts[1], sizeof texts[1], &address.len) != LW_OK)
        return 0;
    id.data = (u_char *)texts[0];
    address.data = (u_char *)texts[1];
    number = server_of(upstream, node, &id, &address);
    if (number == 0) {
        peer = make(node, &id, &address);
        number = peer ? keep(upstream, peer) : NOWHERE;
        if (peer == NULL)
            ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                          "loadwise: node \"%V\" of \"%V\" gets nothing from nginx: \"%V\" is no address with a port", &id,
                          &upstream->name, &address);
    }
    if (number != 0)
        (void)lw_node_set_user_data(upstream->pool, node.node, node.generation, number);
    return number;
}

/* Where to connect to for a node; NULL if it cannot be told. */
ngx_loadwise_peer_t *ngx_loadwise_peer_of(ngx_loadwise_upstream_t *upstream, lw_node_ref node, uint64_t user_data)
{
    if (user_data == 0)
        user_data = look(upstream, node);
    if (user_data == 0 || user_data > upstream->peers.nelts + upstream->found.nelts)
        return NULL;
    if (user_data > upstream->peers.nelts)
        return ((ngx_loadwise_peer_t **)upstream->found.elts)[user_data - upstream->peers.nelts - 1];
    return &((ngx_loadwise_peer_t *)upstream->peers.elts)[user_data - 1];
}

/* Has a node looked at anew that has got another address. */
static void look_again(ngx_loadwise_upstream_t *upstream, const ngx_loadwise_peer_t *peer)
{
    char text[NGX_LOADWISE_ID_MAX + 1];
    ngx_str_t address = {0, (u_char *)text};
    if (peer->node.generation != 0 &&
        lw_node_address(upstream->pool, peer->node.node, peer->node.generation, text, sizeof text, &address.len) == LW_OK &&
        !is_at(peer, &address))
        (void)lw_node_set_user_data(upstream->pool, peer->node.node, peer->node.generation, 0);
}

static void forget(ngx_loadwise_peer_t **peer)
{
#if (NGX_SSL)
    if ((*peer)->ssl_session)
        ngx_ssl_free_session((*peer)->ssl_session);
#endif
    ngx_destroy_pool((*peer)->memory);
    *peer = NULL;
}

/* Follows what others do to nodes: once a second. */
void ngx_loadwise_follow_nodes(ngx_loadwise_upstream_t *upstream)
{
    ngx_loadwise_peer_t *peers = upstream->peers.elts, **found = upstream->found.elts;
    uint64_t number;
    for (ngx_uint_t i = 0; i < upstream->peers.nelts; i++)
        look_again(upstream, &peers[i]);
    for (ngx_uint_t i = 0; i < upstream->found.nelts; i++) {
        if (found[i] == NULL)
            continue;
        look_again(upstream, found[i]);
        /* The node is gone, or is another peer now, and no request needs this one any more. */
        if (found[i]->users == 0 &&
            (lw_node_user_data(upstream->pool, found[i]->node.node, found[i]->node.generation, &number) != LW_OK ||
             number != upstream->peers.nelts + i + 1))
            forget(&found[i]);
    }
}

void ngx_loadwise_forget_found(ngx_loadwise_upstream_t *upstream)
{
    ngx_loadwise_peer_t **found = upstream->found.elts;
    for (ngx_uint_t i = 0; i < upstream->found.nelts; i++)
        if (found[i] != NULL)
            forget(&found[i]);
    upstream->found.nelts = 0;
}
