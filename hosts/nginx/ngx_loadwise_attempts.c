/* The attempts of one request: each is a pick that is finished once, whatever nginx calls how often. */
#include "ngx_loadwise.h"

void ngx_loadwise_begin(ngx_loadwise_attempts_t *attempts, ngx_loadwise_upstream_t *upstream, ngx_pool_t *memory)
{
    ngx_memzero(attempts, sizeof *attempts);
    attempts->upstream = upstream;
    attempts->memory = memory;
}

static ngx_int_t no_node(ngx_loadwise_attempts_t *attempts, ngx_log_t *log, ngx_uint_t level)
{
    if (attempts->status >= LW_NO_NODE_EMPTY && attempts->status <= LW_NO_NODE_RATE_LIMITED) {
        lw_no_node why = LW_NO_NODE_INIT;
        uint64_t now_ns = lw_now_ns();
        uint64_t wait_ms = 0;
        if (lw_last_no_node(&why) == LW_OK && why.retry_at_ns > now_ns)
            wait_ms = (why.retry_at_ns - now_ns) / 1000000;
        ngx_log_error(level, log, 0, "loadwise: %s in \"%V\", try again in %uL ms", lw_status_text(attempts->status),
                      &attempts->upstream->name, wait_ms);
    } else {
        char message[NGX_LOADWISE_ERROR_MAX];
        ngx_loadwise_last_error(message);
        ngx_log_error(NGX_LOG_ERR, log, 0, "loadwise: \"%V\": %s", &attempts->upstream->name, message);
    }
    return NGX_BUSY;
}

/* What the next pick is to look at; NULL if nothing but health, as most do. */
static const lw_request *request_of(const ngx_loadwise_attempts_t *attempts, lw_request *request)
{
    static const lw_request empty = LW_REQUEST_INIT;
    if (attempts->tried_len == 0 && attempts->key.data == NULL && attempts->session.data == NULL)
        return NULL;
    *request = empty;
    if (attempts->key.data != NULL)
        request->key = ngx_loadwise_str(&attempts->key);
    if (attempts->session.data != NULL)
        request->session = ngx_loadwise_str(&attempts->session);
    request->exclude_nodes = attempts->tried ? attempts->tried : &attempts->first_tried;
    request->exclude_nodes_len = attempts->tried_len;
    return request;
}

static void remember_tried(ngx_loadwise_attempts_t *attempts)
{
    if (attempts->tried_len == 0)
        attempts->first_tried = attempts->node;
    if (attempts->tried_len == 1 && attempts->tried == NULL) {
        attempts->tried = ngx_palloc(attempts->memory, NGX_LOADWISE_ATTEMPTS_MAX * sizeof *attempts->tried);
        if (attempts->tried != NULL)
            attempts->tried[0] = attempts->first_tried;
    }
    if (attempts->tried_len == (attempts->tried ? NGX_LOADWISE_ATTEMPTS_MAX : 1))
        return;
    if (attempts->tried != NULL)
        attempts->tried[attempts->tried_len] = attempts->node;
    attempts->tried_len++;
}

/* Takes a pick as that of the next attempt. */
static void take(ngx_loadwise_attempts_t *attempts, const lw_pick *pick)
{
    attempts->ticket = pick->ticket;
    attempts->node.node = pick->node;
    attempts->node.generation = pick->generation;
}

/* Keeps a peer that goes with its node until the request ends. */
static ngx_int_t hold(ngx_loadwise_attempts_t *attempts, ngx_loadwise_peer_t *peer)
{
    ngx_loadwise_hold_t *added;
    if (peer->memory == NULL)
        return NGX_OK;
    added = ngx_alloc(sizeof *added, ngx_cycle->log);
    if (added == NULL)
        return NGX_ERROR;
    added->peer = peer;
    added->next = attempts->holds;
    attempts->holds = added;
    peer->users++;
    return NGX_OK;
}

/* Finds the peer of the pick. NGX_DECLINED if there is none that nginx could connect to, and the pick is over. */
static ngx_int_t find_peer(ngx_loadwise_attempts_t *attempts, uint64_t user_data)
{
    ngx_loadwise_peer_t *peer = ngx_loadwise_peer_of(attempts->upstream, attempts->node, user_data);
    if (peer == NULL || hold(attempts, peer) != NGX_OK) {
        remember_tried(attempts);
        ngx_loadwise_give_up(attempts);
        return NGX_DECLINED;
    }
    attempts->peer = peer;
    return NGX_OK;
}

/* Picks a node that this request has not tried. */
static ngx_int_t pick_first(ngx_loadwise_attempts_t *attempts, ngx_log_t *log)
{
    ngx_uint_t left = NGX_LOADWISE_ATTEMPTS_MAX;
    lw_request request;
    lw_pick pick = LW_PICK_INIT;
    do {
        attempts->status = lw_pool_pick(attempts->upstream->pool, request_of(attempts, &request), &pick);
        if (attempts->status != LW_OK)
            return no_node(attempts, log, NGX_LOG_WARN);
        take(attempts, &pick);
        if (find_peer(attempts, pick.user_data) == NGX_OK)
            return NGX_OK;
    } while (--left > 0);
    attempts->status = LW_NO_NODE_ALL_EXCLUDED;
    return NGX_BUSY;
}

/* Takes the budget and a node for another attempt, once nginx is known to make it. NGX_DECLINED if it must not. nginx has
 * decided already whether it is safe. */
ngx_int_t ngx_loadwise_again(ngx_loadwise_attempts_t *attempts, ngx_log_t *log)
{
    const uint32_t made = (uint32_t)(attempts->count - attempts->forgiven);
    lw_request request;
    lw_retry answer = LW_RETRY_INIT;
    lw_pick pick = LW_PICK_INIT;
    lw_outcome outcome = LW_OUTCOME_INIT;
    /* 403 and 404 are no failures of the node, but nginx was told to ask the next one. */
    outcome.kind = LW_OUTCOME_FAILURE;
    if (attempts->outcome == LW_OUTCOME_FAILURE || attempts->outcome == LW_OUTCOME_RATE_LIMITED) {
        outcome.kind = attempts->outcome;
        outcome.failure = attempts->failure;
        outcome.retry_after_ns = attempts->retry_after_ns;
    }
    attempts->status = lw_pool_pick_again(attempts->upstream->pool, request_of(attempts, &request), &outcome,
                                          made ? made : 1, LW_RETRY_IDEMPOTENT, &answer, &pick);
    if (attempts->status != LW_OK) {
        (void)no_node(attempts, log, NGX_LOG_INFO);
        return NGX_DECLINED;
    }
    if (answer.give_up != 0) {
        ngx_log_error(NGX_LOG_INFO, log, 0, "loadwise: \"%V\" allows no other attempt: %s", &attempts->upstream->name,
                      lw_give_up_name(answer.give_up));
        return NGX_DECLINED;
    }
    take(attempts, &pick);
    if (find_peer(attempts, pick.user_data) != NGX_OK && pick_first(attempts, log) != NGX_OK)
        return NGX_DECLINED;
    attempts->ahead = 1;
    return NGX_OK;
}

/* Where it could not be opened as the process began, a request tries again. */
static ngx_int_t open_engine(ngx_loadwise_attempts_t *attempts)
{
    attempts->status = LW_ERR_SHARED;
    return ngx_loadwise_open(ngx_loadwise_conf((ngx_cycle_t *)ngx_cycle), attempts->upstream->engine);
}

/* `peer.get` of both fronts. NGX_BUSY if there is no node, or the request must not be tried again. */
ngx_int_t ngx_loadwise_get(ngx_peer_connection_t *pc, ngx_loadwise_attempts_t *attempts)
{
    pc->cached = 0;
    pc->connection = NULL;
    if (attempts->upstream->pool == 0 && open_engine(attempts) != NGX_OK)
        return NGX_BUSY;
    if (!attempts->ahead) {
        ngx_loadwise_give_up(attempts);
        if (attempts->count == 0 || attempts->excused ? pick_first(attempts, pc->log) != NGX_OK
                                                      : ngx_loadwise_again(attempts, pc->log) != NGX_OK)
            return NGX_BUSY;
    }
    attempts->ahead = 0;
    attempts->excused = 0;
    attempts->count++;
    remember_tried(attempts);
    pc->sockaddr = attempts->peer->sockaddr;
    pc->socklen = attempts->peer->socklen;
    pc->name = &attempts->peer->name;
    return NGX_OK;
}

void ngx_loadwise_finish(ngx_loadwise_attempts_t *attempts, const lw_outcome *outcome)
{
    if (attempts->ticket == 0)
        return;
    attempts->outcome = outcome->kind;
    attempts->failure = outcome->failure;
    attempts->retry_after_ns = outcome->retry_after_ns;
    /* A stale ticket is one that lease_timeout_ms has ended. */
    (void)lw_pool_release(attempts->upstream->pool, attempts->ticket, outcome);
    attempts->ticket = 0;
}

/* Ends the attempt as if it had not been made: its node may be tried again, and nothing is counted against it. */
void ngx_loadwise_forgive(ngx_loadwise_attempts_t *attempts)
{
    ngx_loadwise_give_up(attempts);
    attempts->forgiven++;
    attempts->excused = 1;
    if (attempts->tried_len > 0)
        attempts->tried_len--;
}

/* Ends a pick of which nothing came. */
void ngx_loadwise_give_up(ngx_loadwise_attempts_t *attempts)
{
    lw_outcome outcome = LW_OUTCOME_INIT;
    if (attempts->ticket == 0)
        return;
    outcome.kind = LW_OUTCOME_CANCELLED;
    ngx_loadwise_finish(attempts, &outcome);
}

/* With the memory of the request. The last resort, too, where nginx ends one without a word. */
void ngx_loadwise_end(void *data)
{
    ngx_loadwise_attempts_t *attempts = data;
    ngx_loadwise_give_up(attempts);
    while (attempts->holds != NULL) {
        ngx_loadwise_hold_t *hold = attempts->holds;
        attempts->holds = hold->next;
        hold->peer->users--;
        ngx_free(hold);
    }
}

/* How the last attempt ended, or why there was none. */
void ngx_loadwise_state(const ngx_loadwise_attempts_t *attempts, ngx_str_t *state)
{
    static const ngx_str_t no_nodes[] = {ngx_string("empty"),      ngx_string("all_excluded"), ngx_string("no_match"),
                                         ngx_string("unhealthy"),  ngx_string("draining"),     ngx_string("saturated"),
                                         ngx_string("rate_limited")};
    static const ngx_str_t failures[] = {ngx_string("failed"), ngx_string("connect"), ngx_string("timeout"),
                                         ngx_string("reset"), ngx_string("server_error")};
    static const ngx_str_t success = ngx_string("success"), limited = ngx_string("limited"),
                           cancelled = ngx_string("cancelled"), picked = ngx_string("picked"), error = ngx_string("error");
    if (attempts->count == 0 && attempts->status >= LW_NO_NODE_EMPTY && attempts->status <= LW_NO_NODE_RATE_LIMITED)
        *state = no_nodes[attempts->status - LW_NO_NODE_EMPTY];
    else if (attempts->count == 0 && attempts->status != LW_OK)
        *state = error;
    else if (attempts->ticket != 0)
        *state = picked;
    else if (attempts->outcome == LW_OUTCOME_SUCCESS)
        *state = success;
    else if (attempts->outcome == LW_OUTCOME_RATE_LIMITED)
        *state = limited;
    else if (attempts->outcome == LW_OUTCOME_FAILURE && attempts->failure <= LW_FAILURE_SERVER_ERROR)
        *state = failures[attempts->failure];
    else
        *state = cancelled;
}

/* The clock of the engine, for the stream module, which has no engine linked in. */
uint64_t ngx_loadwise_now_ns(void)
{
    return lw_now_ns();
}
