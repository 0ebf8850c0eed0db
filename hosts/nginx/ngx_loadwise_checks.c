/* Active checks: the engine says which are due and learns what came of them; connections are nginx's. */
#include "ngx_loadwise.h"

enum {
    REQUEST_MAX = 4096,
    STATUS_LINE_MIN = sizeof "HTTP/1.1 200" - 1,
};

typedef struct {
    ngx_queue_t queue;
    ngx_loadwise_upstream_t *upstream;
    ngx_loadwise_peer_t *peer;
    ngx_peer_connection_t connection;
    uint64_t began_ns;
    size_t request_len, sent, received;
    u_char request[REQUEST_MAX];
    u_char answer[STATUS_LINE_MIN];
} check_t;

static void end_check(check_t *check)
{
    if (check->connection.connection != NULL)
        ngx_close_connection(check->connection.connection);
    ngx_queue_remove(&check->queue);
    check->peer->users--;
    ngx_free(check);
}

static void report(check_t *check, ngx_uint_t ok)
{
    const uint64_t now_ns = lw_now_ns();
    /* The node may be gone meanwhile, which is not worth a word. */
    (void)lw_pool_report_check(check->upstream->pool, ngx_loadwise_str(&check->peer->id), ok != 0,
                               ngx_max(now_ns - check->began_ns, 1), now_ns, NULL);
    end_check(check);
}

/* Whether connecting has succeeded. */
static ngx_uint_t is_connected(ngx_connection_t *c)
{
    int error = 0;
    socklen_t len = sizeof error;
    return getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &len) == 0 && error == 0;
}

static void read_answer(ngx_event_t *event)
{
    ngx_connection_t *c = event->data;
    check_t *check = c->data;
    if (event->timedout) {
        report(check, 0);
        return;
    }
    if (check->upstream->check.kind == NGX_LOADWISE_CHECK_TCP) {
        /* Connected or refused: the other event says which. */
        if (!is_connected(c))
            report(check, 0);
        return;
    }
    while (check->received < STATUS_LINE_MIN) {
        const ssize_t n = c->recv(c, check->answer + check->received, STATUS_LINE_MIN - check->received);
        if (n == NGX_AGAIN) {
            if (ngx_handle_read_event(c->read, 0) != NGX_OK)
                report(check, 0);
            return;
        }
        if (n <= 0) {
            report(check, 0);
            return;
        }
        check->received += (size_t)n;
    }
    /* 2xx and 3xx. */
    report(check, ngx_strncmp(check->answer, "HTTP/1.", 7) == 0 && check->answer[8] == ' ' &&
                      (check->answer[9] == '2' || check->answer[9] == '3'));
}

static void send_request(ngx_event_t *event)
{
    ngx_connection_t *c = event->data;
    check_t *check = c->data;
    if (check->sent == 0 && !is_connected(c)) {
        report(check, 0);
        return;
    }
    if (check->upstream->check.kind == NGX_LOADWISE_CHECK_TCP) {
        report(check, 1);
        return;
    }
    while (check->sent < check->request_len) {
        const ssize_t n = c->send(c, check->request + check->sent, check->request_len - check->sent);
        if (n == NGX_AGAIN) {
            if (ngx_handle_write_event(c->write, 0) != NGX_OK)
                report(check, 0);
            return;
        }
        if (n <= 0) {
            report(check, 0);
            return;
        }
        check->sent += (size_t)n;
    }
    if (ngx_handle_write_event(c->write, 0) != NGX_OK)
        report(check, 0);
}

/* The address of a UNIX socket is no host. */
static ngx_str_t host_of(const check_t *check)
{
    static const ngx_str_t local = ngx_string("localhost");
    if (check->upstream->check.host.len > 0)
        return check->upstream->check.host;
    return check->peer->sockaddr->sa_family == AF_UNIX ? local : check->peer->server;
}

static ngx_int_t write_request(check_t *check)
{
    const ngx_str_t host = host_of(check);
    u_char *end = ngx_snprintf(check->request, REQUEST_MAX,
                               "GET %V HTTP/1.1" CRLF "Host: %V" CRLF "User-Agent: loadwise" CRLF "Connection: close" CRLF CRLF,
                               &check->upstream->check.uri, &host);
    check->request_len = (size_t)(end - check->request);
    return check->request_len < REQUEST_MAX ? NGX_OK : NGX_ERROR;
}

static void begin_check(ngx_loadwise_conf_t *conf, ngx_loadwise_upstream_t *upstream, ngx_loadwise_peer_t *peer,
                        uint64_t deadline_ns)
{
    ngx_connection_t *c;
    ngx_int_t result;
    check_t *check = ngx_calloc(sizeof *check, conf->cycle->log);
    /* One that is not reported is due again at its deadline. */
    if (check == NULL)
        return;
    ngx_queue_insert_tail(&conf->checks, &check->queue);
    check->upstream = upstream;
    check->peer = peer;
    peer->users++;
    check->began_ns = lw_now_ns();
    check->connection.sockaddr = peer->sockaddr;
    check->connection.socklen = peer->socklen;
    check->connection.name = &peer->name;
    check->connection.get = ngx_event_get_peer;
    check->connection.log = conf->cycle->log;
    check->connection.log_error = NGX_ERROR_INFO;
    if (upstream->check.kind == NGX_LOADWISE_CHECK_HTTP && write_request(check) != NGX_OK) {
        report(check, 0);
        return;
    }
    result = ngx_event_connect_peer(&check->connection);
    c = check->connection.connection;
    if ((result != NGX_OK && result != NGX_AGAIN) || c == NULL) {
        report(check, 0);
        return;
    }
    c->data = check;
    c->read->handler = read_answer;
    c->write->handler = send_request;
    /* A worker that is to end does not wait for it. */
    c->read->cancelable = 1;
    /* A little before somebody else is asked to make it. */
    ngx_add_timer(c->read, deadline_ns > check->began_ns ? (ngx_msec_t)((deadline_ns - check->began_ns) / 1000000 * 9 / 10) + 1 : 1);
    if (result == NGX_OK)
        send_request(c->write);
}

static void check_upstream(ngx_loadwise_conf_t *conf, ngx_loadwise_upstream_t *upstream)
{
    lw_check *due;
    size_t len = 0;
    if (lw_pool_checks_due(upstream->pool, 0, NULL, 0, &len) != LW_OK || len == 0)
        return;
    due = ngx_calloc(len * sizeof *due, conf->cycle->log);
    if (due == NULL)
        return;
    due[0].struct_size = sizeof *due;
    if (lw_pool_checks_due(upstream->pool, 0, due, len, &len) != LW_OK)
        len = 0;
    for (size_t i = 0; i < len; i++) {
        const lw_node_ref node = {due[i].node, due[i].generation};
        ngx_loadwise_peer_t *peer;
        uint64_t number = 0;
        if (lw_node_user_data(upstream->pool, node.node, node.generation, &number) == LW_OK &&
            (peer = ngx_loadwise_peer_of(upstream, node, number)) != NULL)
            begin_check(conf, upstream, peer, due[i].deadline_ns);
    }
    ngx_free(due);
}

void ngx_loadwise_check_due(ngx_loadwise_conf_t *conf)
{
    ngx_loadwise_upstream_t **upstreams = conf->upstreams.elts;
    for (ngx_uint_t i = 0; i < conf->upstreams.nelts; i++)
        if (upstreams[i]->check.kind != NGX_LOADWISE_CHECK_NONE && upstreams[i]->pool != 0)
            check_upstream(conf, upstreams[i]);
}

/* Those that are under way are not reported. */
void ngx_loadwise_stop_checks(ngx_loadwise_conf_t *conf)
{
    while (!ngx_queue_empty(&conf->checks))
        end_check(ngx_queue_data(ngx_queue_head(&conf->checks), check_t, queue));
}
