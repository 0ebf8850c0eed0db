/* The configuration of a pool, out of what nginx's directives and the file of loadwise_config say. The engine reads the
 * file and writes it back with every default, as JSON; what directives say takes its place in that. */
#include "ngx_loadwise.h"

/* What nginx takes if a `server` does not say, so that it cannot be told from not being said. */
enum {
    NGINX_MAX_FAILS = 1,
    NGINX_FAIL_TIMEOUT_S = 10,
};

static ngx_int_t wrong(ngx_conf_t *cf, ngx_loadwise_upstream_t *upstream, const char *what)
{
    ngx_log_error(NGX_LOG_EMERG, cf->log, 0, "loadwise: upstream \"%V\": %s in %s:%ui", &upstream->name, what,
                  upstream->conf_file, upstream->conf_line);
    return NGX_ERROR;
}

static ngx_int_t refused(ngx_conf_t *cf, ngx_loadwise_upstream_t *upstream)
{
    char message[NGX_LOADWISE_ERROR_MAX];
    ngx_loadwise_last_error(message);
    return wrong(cf, upstream, message);
}

/* A setting that servers have each, and a pool has once. */
static ngx_int_t agree(ngx_int_t *setting, ngx_int_t value)
{
    if (*setting != NGX_CONF_UNSET && *setting != value)
        return 0;
    *setting = value;
    return 1;
}

/* Takes a server in. One that is there already is the same node: their weights and limits add up, as they do in nginx. */
ngx_int_t ngx_loadwise_add_peer(ngx_conf_t *cf, ngx_loadwise_upstream_t *upstream, ngx_loadwise_peer_t *peer,
                                ngx_uint_t max_fails, time_t fail_timeout)
{
    ngx_loadwise_peer_t *peers = upstream->peers.elts, *added;
    if (max_fails != NGINX_MAX_FAILS && !agree(&upstream->max_fails, (ngx_int_t)max_fails))
        return wrong(cf, upstream, "the servers have different \"max_fails\"");
    if (fail_timeout != NGINX_FAIL_TIMEOUT_S && !agree(&upstream->fail_timeout_ms, (ngx_int_t)fail_timeout * 1000))
        return wrong(cf, upstream, "the servers have different \"fail_timeout\"");
    for (ngx_uint_t i = 0; i < upstream->peers.nelts; i++) {
        if (peers[i].name.len != peer->name.len || ngx_memcmp(peers[i].name.data, peer->name.data, peer->name.len) != 0)
            continue;
        if (peers[i].backup != peer->backup)
            return wrong(cf, upstream, "a server is primary and backup at one time");
        ngx_log_error(NGX_LOG_WARN, cf->log, 0, "loadwise: upstream \"%V\" has \"%V\" more than once: the weights add up",
                      &upstream->name, &peer->name);
        peers[i].weight += peer->weight;
        peers[i].max_conns = peers[i].max_conns && peer->max_conns ? peers[i].max_conns + peer->max_conns : 0;
        peers[i].down = peers[i].down && peer->down;
        return NGX_OK;
    }
    added = ngx_array_push(&upstream->peers);
    if (added == NULL)
        return NGX_ERROR;
    *added = *peer;
    added->id = peer->name;
    return NGX_OK;
}

static ngx_int_t is_text(const char *text, size_t len, const ngx_str_t *other)
{
    return len == other->len && ngx_memcmp(text, other->data, len) == 0;
}

/* Which peer a node of the file is: by its id, or its address. */
static ngx_loadwise_peer_t *peer_of(ngx_loadwise_upstream_t *upstream, const char *id, size_t id_len, const char *address,
                                    size_t address_len)
{
    ngx_loadwise_peer_t *peers = upstream->peers.elts;
    for (ngx_uint_t i = 0; i < upstream->peers.nelts; i++)
        if (is_text(id, id_len, &peers[i].name) || is_text(address, address_len, &peers[i].name) ||
            (peers[i].addresses == 1 && is_text(address, address_len, &peers[i].server)))
            return &peers[i];
    return NULL;
}

/* Gives peers the ids of the nodes that the file describes. */
static ngx_int_t adopt_nodes(ngx_conf_t *cf, ngx_loadwise_upstream_t *upstream, lw_pool pool)
{
    char id[NGX_LOADWISE_ID_MAX + 1], address[NGX_LOADWISE_ID_MAX + 1], message[2 * NGX_LOADWISE_ID_MAX];
    lw_node_status *nodes;
    size_t len = 0, id_len, address_len;
    if (lw_pool_nodes(pool, NULL, 0, &len) != LW_OK)
        return refused(cf, upstream);
    if (len == 0)
        return NGX_OK;
    nodes = ngx_pcalloc(cf->temp_pool, len * sizeof *nodes);
    if (nodes == NULL)
        return NGX_ERROR;
    nodes[0].struct_size = sizeof *nodes;
    if (lw_pool_nodes(pool, nodes, len, &len) != LW_OK)
        return refused(cf, upstream);
    for (size_t i = 0; i < len; i++) {
        ngx_loadwise_peer_t *peer;
        const char *what = NULL;
        if (lw_node_id(pool, nodes[i].node, nodes[i].generation, id, sizeof id, &id_len) != LW_OK ||
            lw_node_address(pool, nodes[i].node, nodes[i].generation, address, sizeof address, &address_len) != LW_OK)
            return refused(cf, upstream);
        peer = peer_of(upstream, id, id_len, address, address_len);
        if (peer == NULL)
            what = "is no server of this upstream";
        else if (peer->weight != 1 || peer->max_conns != 0 || peer->backup || peer->down)
            what = "has \"weight\", \"max_conns\", \"backup\" or \"down\" at its server, too";
        else if (peer->id.data != peer->name.data)
            what = "is another node there, too";
        if (what != NULL) {
            (void)ngx_snprintf((u_char *)message, sizeof message, "node \"%s\" of %V %s%Z", id, &upstream->file, what);
            return wrong(cf, upstream, message);
        }
        peer->id.len = id_len;
        peer->id.data = ngx_pnalloc(cf->pool, id_len + 1);
        if (peer->id.data == NULL)
            return NGX_ERROR;
        ngx_memcpy(peer->id.data, id, id_len);
    }
    return NGX_OK;
}

/* What people are shown of a server that is `down`. So it is part of the configuration, and whoever says it anew says
 * another one; that the node drains is not. */
static ngx_int_t name_as_down(ngx_conf_t *cf, ngx_str_t *name)
{
    const ngx_str_t server = *name;
    name->data = ngx_pnalloc(cf->temp_pool, server.len + sizeof NGX_LOADWISE_DOWN);
    if (name->data == NULL)
        return NGX_ERROR;
    name->len = (size_t)(ngx_sprintf(name->data, "%V" NGX_LOADWISE_DOWN, &server) - name->data);
    return NGX_OK;
}

/* Adds the servers that the file does not describe. */
static ngx_int_t add_nodes(ngx_conf_t *cf, ngx_loadwise_upstream_t *upstream, lw_pool pool)
{
    ngx_loadwise_peer_t *peers = upstream->peers.elts;
    const lw_node_spec none = LW_NODE_SPEC_INIT;
    lw_node_spec *specs = ngx_palloc(cf->temp_pool, upstream->peers.nelts * sizeof *specs);
    size_t len = 0;
    ngx_str_t name;
    if (specs == NULL)
        return NGX_ERROR;
    for (ngx_uint_t i = 0; i < upstream->peers.nelts; i++) {
        lw_node_spec *spec = &specs[len];
        if (peers[i].id.data != peers[i].name.data)
            continue;
        if (peers[i].weight > NGX_MAX_UINT32_VALUE || peers[i].max_conns > NGX_MAX_UINT32_VALUE)
            return wrong(cf, upstream, "a \"weight\" or \"max_conns\" is above 4294967295");
        *spec = none;
        spec->id = ngx_loadwise_str(&peers[i].id);
        spec->weight = (uint32_t)peers[i].weight;
        spec->max_in_flight = (uint32_t)peers[i].max_conns;
        spec->tier = peers[i].backup;
        /* nginx's hashes place a server by what is written of it, and so does `compat: nginx`, by the address. */
        if (peers[i].addresses == 1)
            spec->address = ngx_loadwise_str(&peers[i].server);
        name = peers[i].server;
        if (peers[i].down && name_as_down(cf, &name) != NGX_OK)
            return NGX_ERROR;
        spec->name = ngx_loadwise_str(&name);
        len++;
    }
    return lw_pool_register_batch(pool, specs, len, NULL) == LW_OK ? NGX_OK : refused(cf, upstream);
}

/* What a pool has in force, as JSON that makes another pool like it. */
static ngx_int_t config_of(ngx_conf_t *cf, ngx_loadwise_upstream_t *upstream, lw_pool pool, ngx_str_t *config)
{
    if (lw_pool_config(pool, NULL, 0, &config->len) != LW_OK)
        return refused(cf, upstream);
    config->data = ngx_pnalloc(cf->pool, config->len + 1);
    if (config->data == NULL)
        return NGX_ERROR;
    if (lw_pool_config(pool, (char *)config->data, config->len + 1, &config->len) != LW_OK)
        return refused(cf, upstream);
    return ngx_loadwise_json_remove(cf->pool, config, "version");
}

static ngx_int_t set_number(ngx_conf_t *cf, ngx_str_t *config, const char *key, const char *inner, ngx_int_t number)
{
    u_char text[NGX_INT_T_LEN];
    ngx_str_t value;
    if (number == NGX_CONF_UNSET)
        return NGX_OK;
    value.data = text;
    value.len = (size_t)(ngx_sprintf(text, "%i", number) - text);
    return ngx_loadwise_json_set(cf->pool, config, key, inner, &value);
}

static ngx_int_t set_health(ngx_conf_t *cf, ngx_loadwise_upstream_t *upstream, ngx_str_t *config)
{
    static const ngx_str_t off = ngx_string("false");
    ngx_int_t fail_timeout_ms = upstream->fail_timeout_ms;
    ngx_str_t health, cap;
    if (upstream->max_fails == 0)
        return ngx_loadwise_json_set(cf->pool, config, "health", "passive", &off);
    if (set_number(cf, config, "health", "failure_threshold", upstream->max_fails) != NGX_OK)
        return NGX_ERROR;
    if (fail_timeout_ms == NGX_CONF_UNSET)
        return NGX_OK;
    if (ngx_loadwise_json_find(config, "health", &health) != NGX_OK ||
        ngx_loadwise_json_find(&health, "max_probe_interval_ms", &cap) != NGX_OK)
        return NGX_ERROR;
    if (ngx_atoi(cap.data, cap.len) < fail_timeout_ms &&
        set_number(cf, config, "health", "max_probe_interval_ms", fail_timeout_ms) != NGX_OK)
        return NGX_ERROR;
    return set_number(cf, config, "health", "probe_interval_ms", fail_timeout_ms > 0 ? fail_timeout_ms : 1);
}

static ngx_int_t set_checks(ngx_conf_t *cf, ngx_loadwise_upstream_t *upstream, ngx_str_t *config)
{
    static const ngx_str_t some = ngx_string("{\"interval_ms\": 10000, \"timeout_ms\": 5000, \"failure_threshold\": 3, "
                                             "\"success_threshold\": 2}");
    const ngx_loadwise_check_conf_t *check = &upstream->check;
    ngx_str_t checks;
    if (ngx_loadwise_json_find(config, "checks", &checks) != NGX_OK)
        return NGX_ERROR;
    if (check->kind == NGX_LOADWISE_CHECK_NONE) {
        /* What is in the file and nowhere else says when to check, not what. */
        upstream->check.kind = checks.data[0] == '{' ? NGX_LOADWISE_CHECK_TCP : NGX_LOADWISE_CHECK_NONE;
        return NGX_OK;
    }
    if (checks.data[0] != '{' && ngx_loadwise_json_set(cf->pool, config, "checks", NULL, &some) != NGX_OK)
        return NGX_ERROR;
    return set_number(cf, config, "checks", "interval_ms", check->interval_ms) == NGX_OK &&
                   set_number(cf, config, "checks", "timeout_ms", check->timeout_ms) == NGX_OK &&
                   set_number(cf, config, "checks", "failure_threshold", check->fails) == NGX_OK &&
                   set_number(cf, config, "checks", "success_threshold", check->passes) == NGX_OK
               ? NGX_OK
               : NGX_ERROR;
}

/* As many attempts as there are servers, as nginx has it, and no more than the engine allows. */
static ngx_int_t set_tries(ngx_loadwise_upstream_t *upstream)
{
    ngx_str_t retry, attempts;
    ngx_int_t most;
    if (ngx_loadwise_json_find(&upstream->config, "retry", &retry) != NGX_OK ||
        ngx_loadwise_json_find(&retry, "max_attempts", &attempts) != NGX_OK)
        return NGX_ERROR;
    most = ngx_atoi(attempts.data, attempts.len);
    if (most == NGX_ERROR)
        return NGX_ERROR;
    upstream->tries_max = (ngx_uint_t)most;
    upstream->tries = ngx_min(upstream->peers.nelts, upstream->tries_max);
    return NGX_OK;
}

/* The file as the engine understands it, without what says where the state is: that is for workers to open. */
static ngx_int_t take_shared(ngx_conf_t *cf, ngx_loadwise_upstream_t *upstream)
{
    ngx_str_t text, shared, path;
    if (lw_config_check((const char *)upstream->text.data, upstream->text.len, NULL, 0, &text.len) != LW_OK)
        return refused(cf, upstream);
    text.data = ngx_pnalloc(cf->pool, text.len + 1);
    if (text.data == NULL)
        return NGX_ERROR;
    if (lw_config_check((const char *)upstream->text.data, upstream->text.len, (char *)text.data, text.len + 1, &text.len) != LW_OK)
        return refused(cf, upstream);
    if (ngx_loadwise_json_find(&text, "shared", &shared) != NGX_OK || shared.data[0] != '{')
        return NGX_OK;
    if (ngx_loadwise_json_find(&shared, "path", &path) != NGX_OK || path.len < 2 || path.data[1] != '/') {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0, "loadwise: the path of \"shared\" in %V must begin with \"/\" in %s:%ui",
                      &upstream->file, upstream->conf_file, upstream->conf_line);
        return NGX_ERROR;
    }
    if (upstream->shared.len == 0)
        upstream->shared = shared;
    if (ngx_loadwise_json_remove(cf->pool, &text, "shared") != NGX_OK)
        return NGX_ERROR;
    upstream->text = text;
    return NGX_OK;
}

static ngx_int_t compose(ngx_conf_t *cf, ngx_loadwise_upstream_t *upstream, lw_pool pool)
{
    const char *what = NULL;
    size_t len;
    if (adopt_nodes(cf, upstream, pool) != NGX_OK || add_nodes(cf, upstream, pool) != NGX_OK)
        return NGX_ERROR;
    if (upstream->strategy.len > 0 && lw_pool_set_strategy(pool, ngx_loadwise_str(&upstream->strategy)) != LW_OK)
        return refused(cf, upstream);
    if (config_of(cf, upstream, pool, &upstream->config) != NGX_OK || set_health(cf, upstream, &upstream->config) != NGX_OK ||
        set_checks(cf, upstream, &upstream->config) != NGX_OK || set_tries(upstream) != NGX_OK)
        return NGX_ERROR;
    if (lw_config_check((const char *)upstream->config.data, upstream->config.len, NULL, 0, &len) != LW_OK)
        return refused(cf, upstream);
    if (ngx_loadwise_join_engine(cf, upstream, &what) != NGX_OK)
        return what ? wrong(cf, upstream, what) : NGX_ERROR;
    return NGX_OK;
}

/* Once all servers are known. What is wrong is told here, in the master and by `nginx -t`; the pool that it takes to find
 * out is private and gone again before a worker is forked. */
ngx_int_t ngx_loadwise_compose(ngx_conf_t *cf, ngx_loadwise_upstream_t *upstream)
{
    static const ngx_str_t empty = ngx_string("{}");
    const ngx_str_t *text = upstream->file.len ? &upstream->text : &empty;
    lw_pool pool = 0;
    ngx_int_t result;
    if (upstream->file.len && take_shared(cf, upstream) != NGX_OK)
        return NGX_ERROR;
    if (lw_pool_new((const char *)text->data, text->len, &pool) != LW_OK)
        return refused(cf, upstream);
    result = compose(cf, upstream, pool);
    (void)lw_pool_free(pool);
    return result;
}
