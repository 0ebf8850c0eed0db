/* How an attempt ended, from what nginx knows when it gives the peer back: the status of the answer, the state of the
 * connection, and whether it is the client that left. */
#include "ngx_http_loadwise.h"

enum {
    HEADER_NS_MIN = 1000000 / 2, /* nginx's clock has milliseconds; 0 would have the engine measure */
    GRPC_RESOURCE_EXHAUSTED = 8,
    GRPC_UNAVAILABLE = 14,
};

/* The text of a header; NULL if there is none. */
static const ngx_str_t *find_header(const ngx_list_t *headers, const ngx_str_t *name)
{
    for (const ngx_list_part_t *part = &headers->part; part != NULL; part = part->next) {
        const ngx_table_elt_t *elements = part->elts;
        for (ngx_uint_t i = 0; i < part->nelts; i++)
            if (elements[i].hash != 0 && elements[i].key.len == name->len &&
                ngx_strncasecmp(elements[i].key.data, name->data, name->len) == 0)
                return &elements[i].value;
    }
    return NULL;
}

/* Seconds or a date (RFC 9110, 10.2.3). 0 if it says nothing. */
static uint64_t retry_after_ns(const ngx_http_upstream_t *u)
{
    static const ngx_str_t name = ngx_string("retry-after");
    const ngx_str_t *value = find_header(&u->headers_in.headers, &name);
    time_t seconds;
    if (value == NULL)
        return 0;
    seconds = ngx_atotm(value->data, value->len);
    if (seconds == (time_t)NGX_ERROR) {
        seconds = ngx_parse_http_time(value->data, value->len);
        if (seconds == (time_t)NGX_ERROR)
            return 0;
        seconds -= ngx_time();
    }
    if (seconds <= 0)
        return 1; /* now, which is not "it did not say" */
    /* The engine obeys for no more than minutes. */
    return (uint64_t)ngx_min(seconds, 86400) * 1000000000;
}

/* A call of gRPC tells how it ended after a status of 200. Most codes are the caller's business; two are the server's. */
static void look_at_grpc_status(const ngx_http_upstream_t *u, lw_outcome *outcome)
{
    static const ngx_str_t name = ngx_string("grpc-status");
    static const char prefix[] = "application/grpc";
    const ngx_table_elt_t *type = u->headers_in.content_type;
    const ngx_str_t *value;
    if (type == NULL || type->value.len < sizeof prefix - 1 || ngx_strncmp(type->value.data, prefix, sizeof prefix - 1) != 0)
        return;
    value = find_header(&u->headers_in.headers, &name);
    if (value == NULL)
        value = find_header(&u->headers_in.trailers, &name);
    if (value == NULL)
        return;
    switch (ngx_atoi(value->data, value->len)) {
    case GRPC_RESOURCE_EXHAUSTED:
        outcome->kind = LW_OUTCOME_RATE_LIMITED;
        break;
    case GRPC_UNAVAILABLE:
        outcome->kind = LW_OUTCOME_FAILURE;
        outcome->failure = LW_FAILURE_SERVER_ERROR;
        break;
    }
}

static void failed(lw_outcome *outcome, uint32_t failure)
{
    outcome->kind = LW_OUTCOME_FAILURE;
    outcome->failure = failure;
}

static ngx_int_t timed_out(ngx_connection_t *c)
{
    return c->read->timedout || c->write->timedout;
}

/* Without a status: the connection could not be made, or broke, or what came was no answer. */
static void broken(ngx_http_upstream_t *u, lw_outcome *outcome)
{
    ngx_connection_t *c = u->peer.connection;
    /* nginx sets the time when it begins to send; on a connection that was kept, too. */
    if (c == NULL || u->state == NULL || u->state->connect_time == (ngx_msec_t)-1)
        failed(outcome, LW_FAILURE_CONNECT);
    else if (timed_out(c))
        failed(outcome, LW_FAILURE_TIMEOUT);
    else if (c->read->eof || c->read->error || c->write->error)
        failed(outcome, LW_FAILURE_RESET);
    else
        failed(outcome, LW_FAILURE_OTHER);
}

/* Whether the answer stopped before its end; `outcome` says how. */
static ngx_int_t is_cut_off(ngx_http_upstream_t *u, lw_outcome *outcome)
{
    ngx_connection_t *c = u->peer.connection;
    const ngx_event_pipe_t *pipe = u->pipe;
    ngx_int_t cut;
    if (u->buffering && pipe)
        cut = pipe->upstream_error || (pipe->upstream_eof && !pipe->upstream_done && pipe->length > 0);
    else
        cut = u->length > 0;
    if (cut)
        failed(outcome, c && timed_out(c) ? LW_FAILURE_TIMEOUT : LW_FAILURE_RESET);
    return cut;
}

void ngx_http_loadwise_outcome(ngx_http_request_t *r, ngx_uint_t state, ngx_uint_t header_latency, lw_outcome *outcome)
{
    ngx_http_upstream_t *u = r->upstream;
    const ngx_uint_t status = u->state ? u->state->status : 0;
    if (status == NGX_HTTP_TOO_MANY_REQUESTS || status == NGX_HTTP_SERVICE_UNAVAILABLE) {
        outcome->retry_after_ns = retry_after_ns(u);
        if (status == NGX_HTTP_TOO_MANY_REQUESTS || outcome->retry_after_ns > 0) {
            outcome->kind = LW_OUTCOME_RATE_LIMITED;
            return;
        }
    }
    if (status >= NGX_HTTP_INTERNAL_SERVER_ERROR) {
        failed(outcome, LW_FAILURE_SERVER_ERROR);
        return;
    }
    outcome->kind = LW_OUTCOME_SUCCESS;
    if (state & NGX_PEER_FAILED) {
        broken(u, outcome);
    } else if (u->upgrade) {
        /* What comes after an upgrade is a conversation, and may last for hours. */
        header_latency = 1;
        if (u->peer.connection && u->peer.connection->read->error)
            failed(outcome, LW_FAILURE_RESET);
    } else if (status == 0 || r->connection->error || r->connection->timedout) {
        /* nginx or the client gave up: the node has not answered, or was answering. */
        outcome->kind = LW_OUTCOME_CANCELLED;
    } else if (r->header_only || !is_cut_off(u, outcome)) {
        look_at_grpc_status(u, outcome);
    }
    if (outcome->kind == LW_OUTCOME_SUCCESS && header_latency && u->state->header_time != (ngx_msec_t)-1)
        outcome->latency_ns = ngx_max((uint64_t)u->state->header_time * 1000000, HEADER_NS_MIN);
}

/* Whether an attempt says no more than that the node had closed a connection that was kept. */
ngx_int_t ngx_http_loadwise_is_stale(ngx_http_request_t *r, ngx_uint_t state)
{
    const ngx_http_upstream_t *u = r->upstream;
    const ngx_connection_t *c = u->peer.connection;
    return (state & NGX_PEER_FAILED) && u->state && u->state->status == 0 && u->state->bytes_received == 0 && c &&
           !c->read->timedout && !c->write->timedout;
}

/* Whether nginx is about to make another attempt, by what proxy_next_upstream and its like promise. Where it does and this
 * says no, the next attempt asks for itself; the other way round, a retry is counted that is not made. */
ngx_int_t ngx_http_loadwise_goes_on(ngx_http_request_t *r, ngx_uint_t state, const lw_outcome *outcome)
{
    const ngx_http_upstream_t *u = r->upstream;
    const ngx_uint_t status = u->state ? u->state->status : 0;
    ngx_uint_t condition;
    if (!(state & (NGX_PEER_FAILED | NGX_PEER_NEXT)) || r->connection->error)
        return 0;
    /* An answer is given up only where another one is wanted. */
    if ((state & NGX_PEER_NEXT) || status >= NGX_HTTP_INTERNAL_SERVER_ERROR || status == NGX_HTTP_TOO_MANY_REQUESTS)
        return 1;
    if (outcome->failure == LW_FAILURE_OTHER)
        condition = NGX_HTTP_UPSTREAM_FT_INVALID_HEADER;
    else if (u->peer.connection && (u->peer.connection->read->timedout || u->peer.connection->write->timedout))
        condition = NGX_HTTP_UPSTREAM_FT_TIMEOUT;
    else
        condition = NGX_HTTP_UPSTREAM_FT_ERROR;
    if (u->request_sent && (r->method & (NGX_HTTP_POST | NGX_HTTP_LOCK | NGX_HTTP_PATCH)))
        condition |= NGX_HTTP_UPSTREAM_FT_NON_IDEMPOTENT;
    return (u->conf->next_upstream & condition) == condition && !(u->request_sent && r->request_body_no_buffering) &&
           !(u->conf->next_upstream_timeout && ngx_current_msec - u->peer.start_time >= u->conf->next_upstream_timeout);
}
