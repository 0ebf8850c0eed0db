/* What the parts of the stream front share. The engine is in the http module, which must be loaded before. */
#ifndef NGX_STREAM_LOADWISE_H
#define NGX_STREAM_LOADWISE_H

#include "ngx_loadwise.h"

#include <ngx_stream.h>

typedef struct {
    ngx_loadwise_upstream_t upstream; /* first: the directives' handlers know nothing else */
    ngx_stream_complex_value_t *key;
    ngx_stream_complex_value_t *session;
} ngx_stream_loadwise_srv_conf_t;

/* A connection at an upstream of ours. Lives in the connection's memory, and is found there. */
typedef struct {
    ngx_loadwise_attempts_t attempts; /* first: the end of the memory ends what is open */
    ngx_stream_session_t *session;
    uint64_t began_ns;     /* the attempt */
    uint64_t connected_ns; /* 0: not yet */
} ngx_stream_loadwise_ctx_t;

extern ngx_module_t ngx_stream_loadwise_module;

/* ngx_stream_loadwise_peer.c */
ngx_int_t ngx_stream_loadwise_init_upstream(ngx_conf_t *cf, ngx_stream_upstream_srv_conf_t *us);
ngx_stream_loadwise_ctx_t *ngx_stream_loadwise_ctx(ngx_stream_session_t *s);

/* ngx_stream_loadwise_variables.c */
ngx_int_t ngx_stream_loadwise_add_variables(ngx_conf_t *cf);

#endif
