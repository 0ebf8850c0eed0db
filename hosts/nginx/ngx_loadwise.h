/* What the parts of the module share: upstreams as they were configured, and the attempts of one request.
 *
 * The names of files say who may call whom: ngx_loadwise_* knows neither http nor stream and is linked once, into the http
 * module; ngx_http_loadwise_* and ngx_stream_loadwise_* are the two fronts. Only ngx_loadwise_* calls the engine. */
#ifndef NGX_LOADWISE_H
#define NGX_LOADWISE_H

#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_event_connect.h>

#include <loadwise.h>

enum {
    NGX_LOADWISE_ATTEMPTS_MAX = 16, /* as retry.max_attempts */
    NGX_LOADWISE_NAME_MAX = 63,     /* of a pool */
    NGX_LOADWISE_ID_MAX = 255,
    NGX_LOADWISE_FILE_MAX = 1 << 20,
    NGX_LOADWISE_ERROR_MAX = 1024,
};

#define NGX_LOADWISE_DOWN " down" /* after the name of a server that is */
#define NGX_LOADWISE_FIRST "needs \"loadwise\" before it"

typedef struct ngx_loadwise_upstream_s ngx_loadwise_upstream_t;
typedef struct ngx_loadwise_engine_s ngx_loadwise_engine_t;

/* A server at one address: what nginx knows of a node. */
typedef struct {
    struct sockaddr *sockaddr;
    socklen_t socklen;
    ngx_str_t name;   /* the address as nginx writes it */
    ngx_str_t id;     /* of the node: the name, or what loadwise_config calls it */
    ngx_str_t server; /* as the directive has it */
    ngx_uint_t addresses; /* of that server */
    ngx_uint_t weight;
    ngx_uint_t max_conns;
    unsigned backup : 1;
    unsigned down : 1;
    unsigned was_down : 1; /* as the pool was found */
    void *ssl_session; /* to resume, in this process */
    ngx_pool_t *memory; /* of one that is no server of this configuration; NULL: it is */
    lw_node_ref node;   /* generation 0: not in the pool, as far as this process knows */
    ngx_uint_t users;   /* with `memory` */
} ngx_loadwise_peer_t;

typedef enum {
    NGX_LOADWISE_CHECK_NONE,
    NGX_LOADWISE_CHECK_TCP,
    NGX_LOADWISE_CHECK_HTTP,
} ngx_loadwise_check_kind_e;

typedef struct {
    ngx_loadwise_check_kind_e kind;
    ngx_str_t uri;
    ngx_str_t host; /* empty: the server's name */
    ngx_int_t interval_ms, timeout_ms, fails, passes; /* NGX_CONF_UNSET: as configured, or the default */
} ngx_loadwise_check_conf_t;

/* As in the configuration; data NULL: not given. */
typedef struct {
    ngx_str_t path, mode, on_bad_segment, max_processes;
} ngx_loadwise_shared_args_t;

struct ngx_loadwise_upstream_s {
    ngx_str_t name;      /* of the pool */
    u_char *conf_file;   /* where `loadwise` stands */
    ngx_uint_t conf_line;
    ngx_str_t strategy;  /* empty: as configured, or the default */
    ngx_str_t file;      /* of loadwise_config; empty: none */
    ngx_str_t text;      /* what is in it */
    ngx_loadwise_check_conf_t check;
    ngx_int_t max_fails; /* NGX_CONF_UNSET: as configured, or the default */
    ngx_int_t fail_timeout_ms;
    ngx_str_t shared;    /* where the state is, JSON; empty: in each process */
    ngx_array_t peers;   /* ngx_loadwise_peer_t */
    ngx_str_t config;    /* of the pool, JSON */
    ngx_uint_t tries_max; /* retry.max_attempts */
    ngx_uint_t tries;    /* for a request, as many as there are nodes */
    ngx_loadwise_engine_t *engine;
    lw_pool pool;        /* of this process; 0: not open */
    ngx_array_t found;   /* ngx_loadwise_peer_t *: nodes that others have put there; NULL: free */
    unsigned set : 1;    /* whether there is a `loadwise` */
    unsigned header_latency : 1;
};

/* The upstreams whose state is in one place. */
struct ngx_loadwise_engine_s {
    ngx_str_t shared;      /* as that of its upstreams */
    ngx_str_t path;        /* in it, with its quotes */
    ngx_array_t upstreams; /* ngx_loadwise_upstream_t * */
    ngx_array_t left;      /* ngx_str_t: upstreams that the configuration before this one had here, and this one has not */
    lw_engine engine;      /* of this process; 0: not open */
    unsigned is_shared : 1; /* and not on private memory, as `on_bad_segment` may have it */
    time_t failed_at;      /* when opening it failed */
    char error[NGX_LOADWISE_ERROR_MAX]; /* why */
};

/* All upstreams of a configuration. */
typedef struct {
    ngx_cycle_t *cycle;
    ngx_array_t upstreams; /* ngx_loadwise_upstream_t * */
    ngx_array_t engines;   /* ngx_loadwise_engine_t * */
    ngx_event_t timer;
    ngx_connection_t timer_connection; /* nginx logs the connection of an event */
    ngx_queue_t checks;                /* under way */
} ngx_loadwise_conf_t;

extern ngx_module_t ngx_loadwise_module;

typedef struct ngx_loadwise_hold_s ngx_loadwise_hold_t;

struct ngx_loadwise_hold_s {
    ngx_loadwise_peer_t *peer;
    ngx_loadwise_hold_t *next;
};

/* What has become of a request so far. At most one pick is open: that of the present attempt. Small, because it is made for
 * each request, in nginx's memory of it: most of them need one attempt, and the rest is made for those that need more. */
typedef struct {
    ngx_loadwise_upstream_t *upstream;
    ngx_pool_t *memory; /* goes with the request */
    ngx_str_t key;      /* data NULL: none */
    ngx_str_t session;  /* data NULL: none */
    uint64_t ticket;    /* of the pick that is open; 0: none is */
    lw_node_ref node;   /* of the last pick */
    lw_node_ref first_tried;
    lw_node_ref *tried;         /* from the second on, with the first, NGX_LOADWISE_ATTEMPTS_MAX at most; else NULL */
    ngx_loadwise_peer_t *peer;  /* of the last attempt; NULL: none */
    ngx_loadwise_hold_t *holds; /* of peers that would go otherwise: nginx logs their names at the end */
    uint64_t retry_after_ns; /* of the last attempt's outcome, as the next two */
    uint32_t outcome;        /* its kind; 0: none has ended */
    uint32_t failure;
    lw_status status;   /* of the last pick */
    uint16_t tried_len;
    uint16_t count;     /* attempts */
    uint16_t forgiven;  /* of them, those that say nothing: an idle connection had been closed */
    unsigned excused : 1; /* the last one was forgiven, and the next costs nothing */
    unsigned ahead : 1; /* the pick is that of the next attempt, which nginx has not asked for yet */
} ngx_loadwise_attempts_t;

/* ngx_loadwise_module.c */
ngx_loadwise_conf_t *ngx_loadwise_conf(ngx_cycle_t *cycle);
ngx_int_t ngx_loadwise_add_upstream(ngx_conf_t *cf, ngx_loadwise_upstream_t *upstream);
ngx_loadwise_upstream_t *ngx_loadwise_upstream_named(ngx_loadwise_conf_t *conf, ngx_str_t *name);

/* ngx_loadwise_engine.c */
ngx_int_t ngx_loadwise_open(ngx_loadwise_conf_t *conf, ngx_loadwise_engine_t *engine);
void ngx_loadwise_open_all(ngx_loadwise_conf_t *conf);
void ngx_loadwise_close(ngx_loadwise_conf_t *conf);
void ngx_loadwise_last_error(char message[NGX_LOADWISE_ERROR_MAX]);

/* ngx_loadwise_pool.c */
lw_status ngx_loadwise_open_pool(ngx_loadwise_engine_t *engine, ngx_loadwise_upstream_t *upstream, ngx_log_t *log);
void ngx_loadwise_close_pool(ngx_loadwise_upstream_t *upstream, ngx_log_t *log);

/* ngx_loadwise_shared.c */
char *ngx_loadwise_set_shared(ngx_conf_t *cf, ngx_loadwise_upstream_t *upstream, const ngx_loadwise_shared_args_t *args);
ngx_int_t ngx_loadwise_find_left(ngx_cycle_t *cycle);
ngx_int_t ngx_loadwise_join_engine(ngx_conf_t *cf, ngx_loadwise_upstream_t *upstream, const char **wrong);

/* ngx_loadwise_found.c */
ngx_loadwise_peer_t *ngx_loadwise_peer_of(ngx_loadwise_upstream_t *upstream, lw_node_ref node, uint64_t user_data);
void ngx_loadwise_follow_nodes(ngx_loadwise_upstream_t *upstream);
void ngx_loadwise_forget_found(ngx_loadwise_upstream_t *upstream);

/* ngx_loadwise_directives.c: handlers and their arguments, for a `conf` that begins with an upstream */
char *ngx_loadwise_set(ngx_conf_t *cf, ngx_loadwise_upstream_t *upstream, ngx_str_t *prefix, ngx_str_t *host);
char *ngx_loadwise_set_config(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_loadwise_set_check(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
ngx_int_t ngx_loadwise_init_upstream(ngx_loadwise_upstream_t *upstream, ngx_pool_t *pool);

/* ngx_loadwise_compose.c */
ngx_int_t ngx_loadwise_add_peer(ngx_conf_t *cf, ngx_loadwise_upstream_t *upstream, ngx_loadwise_peer_t *peer,
                                ngx_uint_t max_fails, time_t fail_timeout);
ngx_int_t ngx_loadwise_compose(ngx_conf_t *cf, ngx_loadwise_upstream_t *upstream);

/* ngx_loadwise_json.c */
ngx_int_t ngx_loadwise_json_find(const ngx_str_t *object, const char *key, ngx_str_t *value);
ngx_int_t ngx_loadwise_json_set(ngx_pool_t *pool, ngx_str_t *object, const char *key, const char *inner, const ngx_str_t *value);
ngx_int_t ngx_loadwise_json_remove(ngx_pool_t *pool, ngx_str_t *object, const char *key);

/* ngx_loadwise_attempts.c */
void ngx_loadwise_begin(ngx_loadwise_attempts_t *attempts, ngx_loadwise_upstream_t *upstream, ngx_pool_t *memory);
ngx_int_t ngx_loadwise_get(ngx_peer_connection_t *pc, ngx_loadwise_attempts_t *attempts);
void ngx_loadwise_finish(ngx_loadwise_attempts_t *attempts, const lw_outcome *outcome);
void ngx_loadwise_forgive(ngx_loadwise_attempts_t *attempts);
void ngx_loadwise_give_up(ngx_loadwise_attempts_t *attempts);
void ngx_loadwise_end(void *attempts);
ngx_int_t ngx_loadwise_again(ngx_loadwise_attempts_t *attempts, ngx_log_t *log);
uint64_t ngx_loadwise_now_ns(void);
void ngx_loadwise_state(const ngx_loadwise_attempts_t *attempts, ngx_str_t *state);

/* ngx_loadwise_checks.c */
void ngx_loadwise_check_due(ngx_loadwise_conf_t *conf);
void ngx_loadwise_stop_checks(ngx_loadwise_conf_t *conf);

/* ngx_loadwise_status.c */
typedef enum {
    NGX_LOADWISE_JSON,
    NGX_LOADWISE_PROMETHEUS,
    NGX_LOADWISE_OPENMETRICS,
} ngx_loadwise_format_e;

ngx_int_t ngx_loadwise_status_text(ngx_loadwise_conf_t *conf, ngx_loadwise_format_e format, ngx_pool_t *pool, ngx_str_t *text);
ngx_int_t ngx_loadwise_pool_text(ngx_loadwise_upstream_t *upstream, ngx_pool_t *pool, ngx_str_t *text);

/* ngx_loadwise_change.c */
ngx_uint_t ngx_loadwise_change(ngx_loadwise_conf_t *conf, ngx_pool_t *pool, ngx_str_t *form, ngx_str_t *answer);

static ngx_inline ngx_int_t ngx_loadwise_is_same(const ngx_str_t *a, const ngx_str_t *b)
{
    return a->len == b->len && (a->len == 0 || ngx_memcmp(a->data, b->data, a->len) == 0);
}

static ngx_inline lw_str ngx_loadwise_str(const ngx_str_t *text)
{
    lw_str str = {(const char *)text->data, text->len};
    return str;
}

#endif
