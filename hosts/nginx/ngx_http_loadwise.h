/* What the parts of the http front share. */
#ifndef NGX_HTTP_LOADWISE_H
#define NGX_HTTP_LOADWISE_H

#include "ngx_loadwise.h"

#include <ngx_http.h>

typedef struct {
    ngx_loadwise_upstream_t upstream; /* first: the directives' handlers know nothing else */
    ngx_http_complex_value_t *key;
    ngx_http_complex_value_t *session;
} ngx_http_loadwise_srv_conf_t;

typedef struct {
    ngx_loadwise_format_e format; /* of a GET that does not say */
} ngx_http_loadwise_loc_conf_t;

/* A request at an upstream of ours. Lives in the request's memory, and is found there. */
typedef struct {
    ngx_loadwise_attempts_t attempts; /* first: the end of the memory ends what is open */
    ngx_http_request_t *request;
} ngx_http_loadwise_ctx_t;

extern ngx_module_t ngx_http_loadwise_module;

/* ngx_http_loadwise_peer.c */
ngx_int_t ngx_http_loadwise_init_upstream(ngx_conf_t *cf, ngx_http_upstream_srv_conf_t *us);
ngx_http_loadwise_ctx_t *ngx_http_loadwise_ctx(ngx_http_request_t *r);

/* ngx_http_loadwise_outcome.c */
void ngx_http_loadwise_outcome(ngx_http_request_t *r, ngx_uint_t state, ngx_uint_t header_latency, lw_outcome *outcome);
ngx_int_t ngx_http_loadwise_is_stale(ngx_http_request_t *r, ngx_uint_t state);
ngx_int_t ngx_http_loadwise_goes_on(ngx_http_request_t *r, ngx_uint_t state, const lw_outcome *outcome);

/* ngx_http_loadwise_variables.c */
ngx_int_t ngx_http_loadwise_add_variables(ngx_conf_t *cf);

/* ngx_http_loadwise_status.c */
ngx_int_t ngx_http_loadwise_status_handler(ngx_http_request_t *r);

#endif
