/* The C ABI of loadwise. Written by `make header` from ffi/src: not to be edited.
   How to use it: docs/c.md. SPDX-License-Identifier: MIT OR Apache-2.0 */

#ifndef LOADWISE_H
#define LOADWISE_H

#include <stddef.h>
#include <stdint.h>

/* The version of this header; lw_version() is that of the loaded library. */
#define LW_VERSION "0.2.0"
#define LW_VERSION_MAJOR 0
#define LW_VERSION_MINOR 2
#define LW_VERSION_PATCH 0

/* Statuses. From LW_NO_NODE_EMPTY to LW_NO_NODE_RATE_LIMITED: a decision found no node. */
/** success */
#define LW_OK 0
/** a configuration or an argument that cannot be */
#define LW_ERR_CONFIG 100
/** a bound of the pool is reached */
#define LW_ERR_LIMIT 101
/** no node of that id */
#define LW_ERR_UNKNOWN_NODE 200
/** a node of that id exists */
#define LW_ERR_DUPLICATE_NODE 201
/** another control call holds the pool */
#define LW_ERR_BUSY 202
/** a pool, or another object, that was freed */
#define LW_ERR_CLOSED 203
/** a state store failed */
#define LW_ERR_STORE 204
/** a shared state that cannot be used: missing, damaged, of another version, or without room */
#define LW_ERR_SHARED 205
/** more processes than a shared state has rows for */
#define LW_ERR_TOO_MANY_PROCESSES 206
/** a change of what was opened to look at only */
#define LW_ERR_READ_ONLY 207
/** a ticket that was finished, expired, or is of a freed pool or another process */
#define LW_ERR_STALE_TICKET 300
/** not a ticket */
#define LW_ERR_INVALID_TICKET 301
/** a callback failed */
#define LW_ERR_CALLBACK 400
/** no node: the pool has none */
#define LW_NO_NODE_EMPTY 501
/** no node: every one is excluded */
#define LW_NO_NODE_ALL_EXCLUDED 502
/** no node: none has the required labels or passes the predicate */
#define LW_NO_NODE_NO_MATCH 503
/** no node: none in an allowed health state */
#define LW_NO_NODE_UNHEALTHY 504
/** no node: all are draining or have weight 0 */
#define LW_NO_NODE_DRAINING 505
/** no node: all are at their limit */
#define LW_NO_NODE_SATURATED 506
/** no node: all have used up their quota */
#define LW_NO_NODE_RATE_LIMITED 507
/** not a handle, or one of another type */
#define LW_ERR_INVALID_HANDLE 600
/** a pointer that must not be NULL is */
#define LW_ERR_NULL_ARGUMENT 601
/** a struct_size that this version cannot serve */
#define LW_ERR_STRUCT_SIZE 602
/** a text that is not UTF-8 */
#define LW_ERR_INVALID_UTF8 603
/** a buffer with less room than the answer needs */
#define LW_ERR_BUFFER_TOO_SMALL 604
/** an argument outside of its range */
#define LW_ERR_INVALID_ARGUMENT 605
/** a defect of the library, contained: please report it */
#define LW_ERR_PANIC 606

/** What structs begin with: struct_size is set and nothing else, but for the weight of a node, which is 1. */
#define LW_STR_NONE { 0, 0 }
#define LW_PICK_INIT { sizeof(lw_pick), 0, 0, 0, 0, 0, 0 }
#define LW_OUTCOME_INIT { sizeof(lw_outcome), 0, 0, 0, 0, 0, 0, 0, 0 }
#define LW_REQUEST_INIT { sizeof(lw_request), 0, LW_STR_NONE, 0, 0, 0, 0, 0, 0, 0, 0, 0, LW_STR_NONE, LW_STR_NONE, 0, 0 }
#define LW_NODE_SPEC_INIT { sizeof(lw_node_spec), 1, LW_STR_NONE, LW_STR_NONE, LW_STR_NONE, 0, 0, 0, 0, 0, LW_STR_NONE, 0, 0 }
#define LW_NODE_STATUS_INIT \
    { sizeof(lw_node_status), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0.0, 0.0, 0.0, 0, 0, 0, 0, 0.0, 0.0, 0 }
#define LW_NO_NODE_INIT { sizeof(lw_no_node), 0, 0, 0, 0 }
#define LW_LOAD_INIT { sizeof(lw_load), 0, 0.0, 0.0, 0.0, 0.0, 0.0, 0 }
#define LW_MAINTAINED_INIT { sizeof(lw_maintained), 0, 0, 0 }
#define LW_CHECK_INIT { sizeof(lw_check), 0, 0, 0, 0 }
#define LW_RELOADED_INIT { sizeof(lw_reloaded), 0, 0, 0, 0 }
#define LW_STORE_INIT { sizeof(lw_store), 0, 0, 0, 0, 0, 0 }
#define LW_RETRY_INIT { sizeof(lw_retry), 0, 0 }
#define LW_ATTEMPT_INIT { sizeof(lw_attempt), 0, 0, 0, 0 }
#define LW_PROCESS_STATUS_INIT { sizeof(lw_process_status), 0, 0, 0, 0, 0, 0, 0, { 0 } }
#define LW_SELECTION_INIT { sizeof(lw_selection), 0, LW_STR_NONE, 0, 0 }
#define LW_HEALTH_CONFIG_INIT { sizeof(lw_health_config), 0, 0, 0, 0 }
#define LW_HEALTH_RECORD_INIT { sizeof(lw_health_record), 0, 0, 0, 0, 0 }

/** The request may be carried out twice. */
#define LW_RETRY_IDEMPOTENT 1

/** Something of the request went out to the node. */
#define LW_RETRY_SENT 2

/** The attempt did not fail. */
#define LW_GIVE_UP_NOT_FAILED 1

/** The request may have been carried out, and must not be twice. */
#define LW_GIVE_UP_UNSAFE 2

/** There were `retry.max_attempts`. */
#define LW_GIVE_UP_ATTEMPTS 3

/** The pool's retries have used up their budget. */
#define LW_GIVE_UP_BUDGET 4

/** No other node takes it. */
#define LW_GIVE_UP_NO_NODE 5

/** Nothing speaks against the node; so is every node of which nothing is known. */
#define LW_HEALTH_HEALTHY 1

/** Half way to unhealthy. Takes requests as before. */
#define LW_HEALTH_DEGRADED 2

/** Failed too often in a row. Takes no requests. */
#define LW_HEALTH_UNHEALTHY 4

/** Was unhealthy and has answered since, but not yet often enough in a row. */
#define LW_HEALTH_RECOVERING 8

/** Takes no new picks. */
#define LW_NODE_DRAINING 1

/** `latency_ns` is known. */
#define LW_NODE_HAS_LATENCY 2

/** `load` is known. */
#define LW_NODE_HAS_LOAD 4

/** `remaining_ratio` is known. */
#define LW_NODE_HAS_REMAINING 8

/** An ordinary pick may choose it. */
#define LW_NODE_AVAILABLE 16

/** Draining is done: nothing is in flight, or its time is over. */
#define LW_NODE_DRAINED 32

/** Ejected as an outlier. */
#define LW_NODE_EJECTED 64

/** `success_rate` is known. */
#define LW_NODE_HAS_SUCCESS_RATE 128

/** Requests pass, and failures are counted; so does a node without a breaker. */
#define LW_BREAKER_CLOSED 0

/** The node failed too often, and takes no requests until its time is over. */
#define LW_BREAKER_OPEN 1

/** The time is over: one probe at a time passes. */
#define LW_BREAKER_HALF_OPEN 2

/** A node's health changed: `from` and `to` are `LW_HEALTH_*`. */
#define LW_EVENT_HEALTH 1

/** A node's breaker opened (`to` 1) or closed (`to` 0). */
#define LW_EVENT_BREAKER 2

/** A node was ejected as an outlier (`to` 1), or taken back (`to` 0). */
#define LW_EVENT_EJECTION 3

/** Too few nodes are available, and all take traffic (`to` 1); or no longer so (`to` 0). */
#define LW_EVENT_PANIC 4

/** Another tier takes the most traffic: `to` instead of `from`. */
#define LW_EVENT_TIER 5

/** Nodes joined or left: `added` and `removed`. */
#define LW_EVENT_TOPOLOGY 6

/** A node was picked, by `strategy`. */
#define LW_EVENT_SELECTION 7

/** Observe every selection, too: each pick pays for the call. */
#define LW_OBSERVE_SELECTIONS 1

/** The node answered. */
#define LW_OUTCOME_SUCCESS 1

/** The node failed: see `lw_outcome.failure`. */
#define LW_OUTCOME_FAILURE 2

/** The node asked for less traffic. Says nothing about its health. */
#define LW_OUTCOME_RATE_LIMITED 3

/** Nobody can say, and nobody is to blame: the client left, or the pick was not used. */
#define LW_OUTCOME_CANCELLED 4

/** None of the others. */
#define LW_FAILURE_OTHER 0

/** No connection could be made. */
#define LW_FAILURE_CONNECT 1

/** No answer in time. */
#define LW_FAILURE_TIMEOUT 2

/** The connection broke. */
#define LW_FAILURE_RESET 3

/** An answer that says the server failed. */
#define LW_FAILURE_SERVER_ERROR 4

/** What an own strategy returns to choose nobody: the fallback decides. */
#define LW_CHOOSE_NOBODY -1

/** What an own strategy returns when it failed: the fallback decides, and the pick tells of it. */
#define LW_CHOOSE_FAILED -2

/** A predicate or an own strategy failed on the way; its candidates were left out. */
#define LW_PICK_CALLBACK_FAILED 1

/** `requests_per_s` of a load is given. */
#define LW_LOAD_HAS_REQUESTS 256

/** `utilization` of a load is given. */
#define LW_LOAD_HAS_UTILIZATION 512

/** `errors_per_s` of a load is given. */
#define LW_LOAD_HAS_ERRORS 1024

/** It is the one that asks. */
#define LW_PROCESS_OWN 1

/**
 * It lives, as far as the one that asks can tell. Of one that does not, all is given back with the next maintenance by any
 * that does.
 */
#define LW_PROCESS_ALIVE 2

/** Its id is of the namespace of process ids of the one that asks. */
#define LW_PROCESS_IN_NAMESPACE 4

/** Prometheus text format 0.0.4: `text/plain; version=0.0.4`. */
#define LW_METRICS_PROMETHEUS 1

/** OpenMetrics 1.0: `application/openmetrics-text; version=1.0.0; charset=utf-8`. */
#define LW_METRICS_OPENMETRICS 2

/** Raised when programs built for the version before would break. Compare with `lw_abi_version()` after loading. */
#define LW_ABI_VERSION 1

/**
 * A node that may be chosen, in the hands of a callback. To be asked by `lw_candidate_*` during the callback, in its
 * thread; at any other time it is refused.
 */
typedef struct lw_candidate lw_candidate;

/**
 * Where a callback of a store puts what it found, by `lw_entries_add`. To be used during the callback, in its thread; at
 * any other time it is refused.
 */
typedef struct lw_entries lw_entries;

/** The result of a call: `LW_OK`, or what went wrong. The numbers are stable; retired ones are never reused. */
typedef uint32_t lw_status;

/** A pool. 0 is none. */
typedef uint64_t lw_pool;

/** A text or bytes of the caller's: `len` bytes, not ending in NUL. Only looked at during the call. */
typedef struct lw_str {
    /** May be NULL if `len` is 0. */
    const char *data;
    /** Bytes. */
    size_t len;
} lw_str;

/** A node's place in a pool, and the generation that tells it from the nodes that had the place before. */
typedef struct lw_node_ref {
    /** As `lw_pick.node`. */
    uint32_t node;
    /** As `lw_pick.generation`. */
    uint32_t generation;
} lw_node_ref;

/** So much of a dimension that the pool's `quotas` name, such as `tokens`. Fixed for good: arrays of it are read in place. */
typedef struct lw_amount {
    /** UTF-8. */
    struct lw_str dimension;
    /** In the dimension's unit. */
    uint64_t amount;
} lw_amount;

/** How an attempt ended. */
typedef struct lw_outcome {
    /** `sizeof(lw_outcome)`. */
    uint32_t struct_size;
    /** One of `LW_OUTCOME_*`; 0 is none, so that a forgotten one is not taken for a success. */
    uint32_t kind;
    /** One of `LW_FAILURE_*`, for `LW_OUTCOME_FAILURE`; else 0. */
    uint32_t failure;
    /** 0. */
    uint32_t reserved;
    /** How long the attempt took; 0: measured from pick to finish where a strategy needs it. */
    uint64_t latency_ns;
    /** After how long the node asked to be tried again, for `LW_OUTCOME_RATE_LIMITED`; 0: it did not say. */
    uint64_t retry_after_ns;
    /** The time of the finish, on the clock of `lw_now_ns`; 0: the clock is read where it is needed. */
    uint64_t now_ns;
    /**
     * What was used of the quotas, in place of what the request was expected to cost. Dimensions that are not named keep
     * that; a cancelled pick gives all back.
     */
    const struct lw_amount *usage;
    /** How many. */
    size_t usage_len;
} lw_outcome;

/** Whether to try again. */
typedef struct lw_retry {
    /** `sizeof(lw_retry)`, set by the caller. */
    uint32_t struct_size;
    /** 0: try again, at another node; else why not, one of `LW_GIVE_UP_*`. */
    uint32_t give_up;
    /** After how long to try again. */
    uint64_t after_ns;
} lw_retry;

/** A label and its text. */
typedef struct lw_label {
    /** UTF-8. */
    struct lw_str key;
    /** UTF-8. */
    struct lw_str value;
} lw_label;

/**
 * Has the last word on a candidate: more than 0 takes it, 0 refuses it, less than 0 says that the callback failed, which
 * refuses it and is told by the pick. `candidate` is valid during the call alone. Must return: no `longjmp`, no C++
 * exception may leave it.
 */
typedef int32_t (*lw_predicate)(const struct lw_candidate *candidate, void *data);

/** What a request asks for. All zero but `struct_size` asks for nothing; so does NULL in its place. */
typedef struct lw_request {
    /** `sizeof(lw_request)`. */
    uint32_t struct_size;
    /** Allowed health states, a sum of `LW_HEALTH_*`; 0: all but unhealthy. */
    uint32_t health_mask;
    /** What hash strategies hash: any bytes. `data` NULL is no key, and a random node; `len` 0 is the empty key. */
    struct lw_str key;
    /** Ids that must not be chosen; unknown ones are ignored. */
    const struct lw_str *exclude;
    /** How many. */
    size_t exclude_len;
    /** Nodes that must not be chosen, as earlier picks named them; those that are gone are ignored. */
    const struct lw_node_ref *exclude_nodes;
    /** How many. */
    size_t exclude_nodes_len;
    /** Labels that a node must have, all of them. */
    const struct lw_label *require;
    /** How many. */
    size_t require_len;
    /** Has the last word on a candidate; NULL: none. */
    lw_predicate predicate;
    /** Given to `predicate`. */
    void *predicate_data;
    /** The time, on the clock of `lw_now_ns`; 0: the clock is read where a rule needs it. */
    uint64_t now_ns;
    /** The caller's zone, for pools that prefer near nodes; empty: the pool's own. */
    struct lw_str zone;
    /**
     * Whose session it is, any bytes: a client's address, a user's id, a cookie. A pool with `affinity` keeps it on its
     * node. `data` NULL is none.
     */
    struct lw_str session;
    /**
     * What the request is expected to use of the quotas. Unknown dimensions are unlimited; those that are not named cost
     * their `default_cost`.
     */
    const struct lw_amount *cost;
    /** How many. */
    size_t cost_len;
} lw_request;

/** A decision. Plain numbers, free to be copied; finishing one copy finishes all. */
typedef struct lw_pick {
    /** `sizeof(lw_pick)`, set by the caller before the pick. */
    uint32_t struct_size;
    /** Sum of `LW_PICK_CALLBACK_FAILED` or 0. */
    uint32_t flags;
    /** The pool that was picked from. */
    lw_pool pool;
    /** To be finished, or its node stays busy. Below 2^53. 0: nothing to be finished, from `lw_pool_choose`. */
    uint64_t ticket;
    /** The node's place in its pool. */
    uint32_t node;
    /** Which of the nodes that had this place. */
    uint32_t generation;
    /** The host's own number of the node. */
    uint64_t user_data;
} lw_pick;

/** One attempt of a plan. The node's texts are copied out by `lw_node_*`. */
typedef struct lw_attempt {
    /** `sizeof(lw_attempt)`, set by the caller; in an array, of the first. */
    uint32_t struct_size;
    /** As `lw_pick.node`. */
    uint32_t node;
    /** As `lw_pick.generation`. */
    uint32_t generation;
    /** 0. */
    uint32_t reserved;
    /** How long to wait after the end of the one before. */
    uint64_t delay_ns;
} lw_attempt;

/** A node at one moment. Its texts are copied out by `lw_node_*`. */
typedef struct lw_node_status {
    /** `sizeof(lw_node_status)`, set by the caller; in an array, of the first. */
    uint32_t struct_size;
    /** Sum of `LW_NODE_*`. */
    uint32_t flags;
    /** As `lw_pick.node`. */
    uint32_t node;
    /** As `lw_pick.generation`. */
    uint32_t generation;
    /** 0 takes no new picks. */
    uint32_t weight;
    /** One of `LW_HEALTH_*`. */
    uint32_t health;
    /** Failures since the last success. */
    uint32_t consecutive_failures;
    /** 0. */
    uint32_t reserved;
    /** Unfinished picks. */
    uint64_t in_flight;
    /** The host's own number. */
    uint64_t user_data;
    /** The latency average at its last sample, kept while a strategy uses latency. */
    double latency_ns;
    /** What was reported. */
    double load;
    /** What was reported, 0.0 to 1.0. */
    double remaining_ratio;
    /** 0: primary; else a backup. */
    uint32_t tier;
    /** One of `LW_BREAKER_*`. */
    uint32_t breaker;
    /** The node's own limit of unfinished picks; 0: unlimited. */
    uint32_t max_in_flight;
    /** 0. */
    uint32_t reserved_2;
    /** The share of its weight that slow start allows, 0.0 to 1.0; 1.0 when warm. */
    double warming;
    /** Over the health window, 0.0 to 1.0; known if there were requests in it. */
    double success_rate;
    /** Until when it takes nothing but probes, on the clock of `lw_now_ns`; 0 while it is not down. */
    uint64_t hold_until_ns;
} lw_node_status;

/** A check that the caller is to make. The node's texts are copied out by `lw_node_*`. */
typedef struct lw_check {
    /** `sizeof(lw_check)`, set by the caller; in an array, of the first. */
    uint32_t struct_size;
    /** As `lw_pick.node`. */
    uint32_t node;
    /** As `lw_pick.generation`. */
    uint32_t generation;
    /** 0. */
    uint32_t reserved;
    /** Until when to report, on the clock of `lw_now_ns`; then somebody else is asked to make it. */
    uint64_t deadline_ns;
} lw_check;

/** All pools of one configuration. 0 is none. */
typedef uint64_t lw_engine;

/** What `lw_engine_reload` did, in numbers of pools. */
typedef struct lw_reloaded {
    /** `sizeof(lw_reloaded)`, set by the caller. */
    uint32_t struct_size;
    /** New ones. */
    uint32_t added;
    /** Those that are no more. */
    uint32_t removed;
    /** Those that stayed and were configured otherwise before. */
    uint32_t changed;
    /** Of the engine's configuration, from 1. */
    uint64_t version;
} lw_reloaded;

/** What `lw_pool_maintain` did. */
typedef struct lw_maintained {
    /** `sizeof(lw_maintained)`, set by the caller. */
    uint32_t struct_size;
    /** 1 if nodes were left out or taken in for their health. */
    uint32_t rebuilt;
    /** When the next call is worth making, on the clock of `lw_now_ns`. */
    uint64_t next_due_ns;
    /** Picks that had outlived `lease_timeout_ms` and were given up. */
    uint64_t leases_expired;
} lw_maintained;

/** Why no node was found, beside the status. */
typedef struct lw_no_node {
    /** `sizeof(lw_no_node)`, set by the caller. */
    uint32_t struct_size;
    /** One of `LW_NO_NODE_*`. */
    lw_status status;
    /** The earliest time at which trying again makes sense, on the clock of `lw_now_ns`; 0 if it is not known. */
    uint64_t retry_at_ns;
    /** Sum of `LW_PICK_CALLBACK_FAILED` or 0. */
    uint32_t flags;
    /** 0. */
    uint32_t reserved;
} lw_no_node;

/** When a node counts as unhealthy, and when as healthy again. 0 is the default. */
typedef struct lw_health_config {
    /** `sizeof(lw_health_config)`. */
    uint32_t struct_size;
    /** Failures in a row that make a node unhealthy; half of them, rounded up, make it degraded. Default 3. */
    uint32_t failure_threshold;
    /** Successes in a row that make an unhealthy node healthy. Default 2. */
    uint32_t recovery_successes;
    /** 0. */
    uint32_t reserved;
    /** How long after its last failure an unhealthy node is left alone. Default 10 000. */
    uint64_t probe_interval_ms;
} lw_health_config;

/** The health of any number of nodes by their ids. 0 is none. */
typedef uint64_t lw_health;

/** What is remembered of a node's health. */
typedef struct lw_health_record {
    /** `sizeof(lw_health_record)`, set by the caller. */
    uint32_t struct_size;
    /** One of `LW_HEALTH_*`. */
    uint32_t health;
    /** Failures since the last success. */
    uint32_t consecutive_failures;
    /** Successes since the last failure. */
    uint32_t consecutive_successes;
    /** How long ago the last failure was; `UINT64_MAX`: never. */
    uint64_t since_failure_ns;
    /** How long ago the last success was; `UINT64_MAX`: never. */
    uint64_t since_success_ns;
} lw_health_record;

/** A node as its user describes it. Begin with `LW_NODE_SPEC_INIT`, which has weight 1. */
typedef struct lw_node_spec {
    /** `sizeof(lw_node_spec)`; in an array, the same in each. */
    uint32_t struct_size;
    /** Twice the weight takes twice the traffic; 0 takes no new picks. */
    uint32_t weight;
    /** Unique in the pool, 1 to 255 bytes of UTF-8. What is known of a node belongs to its id. */
    struct lw_str id;
    /** What the host connects to, at most 255 bytes. Empty: the id. */
    struct lw_str address;
    /** For people, at most 255 bytes. May be empty. */
    struct lw_str name;
    /** For requests that require them. */
    const struct lw_label *labels;
    /** How many. */
    size_t labels_len;
    /** The host's own number, returned with each pick. */
    uint64_t user_data;
    /** 0: primary; 1 to 7: backups. */
    uint32_t tier;
    /** Picks in flight at one time; 0: unlimited. */
    uint32_t max_in_flight;
    /** Where it is, at most 63 bytes. Empty: unknown. */
    struct lw_str zone;
    /** Its own limits of the pool's quotas. */
    const struct lw_amount *quotas;
    /** How many. */
    size_t quotas_len;
} lw_node_spec;

/** Something that happened in a pool. Valid during the call alone, with all that it points to. */
typedef struct lw_event {
    /** How large the library's struct is. A field is there if it ends within. */
    uint32_t struct_size;
    /** One of `LW_EVENT_*`. */
    uint32_t kind;
    /** The handle that is observed. */
    lw_pool pool;
    /** The node that it happened to, as `lw_pick.node`. */
    uint32_t node;
    /** As `lw_pick.generation`; 0: it concerns the pool. */
    uint32_t generation;
    /** What was before. */
    uint32_t from;
    /** What is now. */
    uint32_t to;
    /** When, on the clock of `lw_now_ns`. */
    uint64_t at_ns;
    /** The name of the strategy that picked; else empty. */
    struct lw_str strategy;
    /** Ids of nodes that joined. */
    const struct lw_str *added;
    /** How many. */
    size_t added_len;
    /** Ids of nodes that left. */
    const struct lw_str *removed;
    /** How many. */
    size_t removed_len;
} lw_event;

/**
 * Told of what happens, in whichever thread makes it happen, in several at once. May call any function. Must return: no
 * `longjmp`, no C++ exception may leave it.
 */
typedef void (*lw_observer_fn)(const struct lw_event *event, void *user_data);

/** Told that a `user_data` is not used any more. Runs in whichever thread used it last. */
typedef void (*lw_drop_fn)(void *user_data);

/**
 * Chooses one of `len` candidates: its index, or `LW_CHOOSE_NOBODY`, or `LW_CHOOSE_FAILED`; any other number counts as
 * failed. Only those that may be chosen are given. `key` is the request's, `data` NULL without one. All are valid during
 * the call alone. May run in several threads at once. Must return: no `longjmp`, no C++ exception may leave it.
 */
typedef int64_t (*lw_strategy_fn)(const struct lw_candidate *const *candidates,
                                  size_t len,
                                  struct lw_str key,
                                  void *user_data);

/** What a node says of itself, or what a host measured of it. */
typedef struct lw_load {
    /** `sizeof(lw_load)`. */
    uint32_t struct_size;
    /** Which are given: sum of `LW_NODE_HAS_LOAD`, `LW_NODE_HAS_REMAINING` and `LW_LOAD_HAS_*`. What is not stays as it was. */
    uint32_t flags;
    /** Lower is better; any unit, the same for all nodes. NaN and infinities are worst. */
    double load;
    /** The share of its quota that is left, 0.0 to 1.0. */
    double remaining_ratio;
    /** Requests a second that the node serves; with `utilization`, for `reported_load`. */
    double requests_per_s;
    /** The share of the node's capacity that is in use; above 1.0 it is overloaded. */
    double utilization;
    /** Errors a second that the node answers with. */
    double errors_per_s;
    /** The time of the report, on the clock of `lw_now_ns`; 0: the clock is read where it is needed. */
    uint64_t now_ns;
} lw_load;

/** A strategy over the caller's own arrays, with what it keeps from one selection to the next. 0 is none. */
typedef uint64_t lw_selector;

/** One candidate of the caller's. Fixed for good: arrays of it are read in place. */
typedef struct lw_item {
    /** For `ring_hash` and `weighted_round_robin`: any bytes; equal ids are the same candidate, wherever it stands. */
    struct lw_str id;
    /** For `weighted_random` and `weighted_round_robin`; 0 is never chosen. */
    uint32_t weight;
    /** 0. */
    uint32_t reserved;
    /** For `least_load` and `p2c`: lower is better; NaN and infinities are worst. */
    double load;
    /** For `most_available`: 1.0 is all of it left, 0.0 none. */
    double remaining_ratio;
} lw_item;

/** What one selection asks for. */
typedef struct lw_selection {
    /** `sizeof(lw_selection)`. */
    uint32_t struct_size;
    /** 0. */
    uint32_t reserved;
    /** For `ring_hash`: any bytes; `data` NULL is no key, and a random candidate. */
    struct lw_str key;
    /** Indices that must not be chosen. */
    const size_t *exclude;
    /** How many. */
    size_t exclude_len;
} lw_selection;

/** A process that is attached to a shared state. */
typedef struct lw_process_status {
    /** `sizeof(lw_process_status)`, set by the caller; in an array, of the first. */
    uint32_t struct_size;
    /** Sum of `LW_PROCESS_*`. */
    uint32_t flags;
    /** Its place among those attached, from 0. */
    uint32_t row;
    /** In its own namespace of process ids. */
    uint32_t pid;
    /** When it attached, on the clock of `lw_now_ns`. */
    uint64_t since_ns;
    /** When it last maintained something, on the clock of `lw_now_ns`. */
    uint64_t heartbeat_ns;
    /** Unfinished picks of its own: of the pool, or of all pools of the engine. */
    uint64_t in_flight;
    /** How often a pick of its own had to look at a plan again, because another one was published meanwhile. */
    uint64_t repeats;
    /** The name of its command, cut off after 16 bytes, ending in NUL. */
    char command[24];
} lw_process_status;

/** Finds what is kept for an id, and adds it if something is. 0 if all went well, any other number if not. */
typedef int32_t (*lw_store_get_fn)(void *user_data, struct lw_str id, struct lw_entries *found);

/** Keeps a state, a JSON text, for an id, in place of whatever was there. 0 if all went well, any other number if not. */
typedef int32_t (*lw_store_put_fn)(void *user_data, struct lw_str id, struct lw_str state);

/** Keeps nothing for an id any more; fine if nothing was. 0 if all went well, any other number if not. */
typedef int32_t (*lw_store_remove_fn)(void *user_data, struct lw_str id);

/** Adds all that is kept, in any order. 0 if all went well, any other number if not. */
typedef int32_t (*lw_store_list_fn)(void *user_data, struct lw_entries *all);

/**
 * Where states are kept by ids: a map of the host's. Its functions are called in the thread, and during the call, that is
 * given the store. One that is NULL fails where it is needed: this version calls `put` and `list`. They must return: no
 * `longjmp`, no C++ exception may leave them.
 */
typedef struct lw_store {
    /** `sizeof(lw_store)`. */
    uint32_t struct_size;
    /** 0. */
    uint32_t reserved;
    /** Given to each function. */
    void *user_data;
    /** Finds one. */
    lw_store_get_fn get;
    /** Keeps one. */
    lw_store_put_fn put;
    /** Forgets one. */
    lw_store_remove_fn remove;
    /** Finds all. */
    lw_store_list_fn list;
} lw_store;

/**
 * Told once that there may be room. Runs in whichever thread ended a pick, on its way: it should do no more than wake
 * somebody. Must return: no `longjmp`, no C++ exception may leave it.
 */
typedef void (*lw_wake_fn)(void *user_data);

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/**
 * The node that a session is remembered with, whether or not it may take the session now: 1 into `*known` and the node
 * into `*node`, or 0 into `*known` with `*node` as it was. `now_ns` 0 reads the clock.
 *
 * Requires:
 * `session` is readable, `node` and `known` are writable.
 */
lw_status lw_pool_affinity(lw_pool pool,
                           struct lw_str session,
                           uint64_t now_ns,
                           struct lw_node_ref *node,
                           uint32_t *known);

/**
 * Remembers a session, any bytes, with a node. `now_ns` 0 reads the clock.
 *
 * Errors: `LW_ERR_UNKNOWN_NODE`; `LW_ERR_CONFIG` if the pool has no `affinity`.
 *
 * Requires:
 * `session` and `id` are readable.
 */
lw_status lw_pool_set_affinity(lw_pool pool, struct lw_str session, struct lw_str id, uint64_t now_ns);

/**
 * Forgets a session: 1 into `*known` if it was remembered, else 0; `known` may be NULL.
 *
 * Requires:
 * `session` is readable; `known` is NULL or writable.
 */
lw_status lw_pool_clear_affinity(lw_pool pool, struct lw_str session, uint32_t *known);

/**
 * Moves the sessions that nodes which joined since the last time are due, all at once; how many into `*moved`, which may
 * be NULL. Needed with `affinity.rebalance: manual` alone. `now_ns` 0 reads the clock.
 *
 * Requires:
 * `moved` is NULL or writable.
 */
lw_status lw_pool_rebalance(lw_pool pool,
                            uint64_t now_ns,
                            uint64_t *moved);

/**
 * Whether to try again after attempt number `attempt` (1: the first) has ended with `outcome`, and after how long. `flags`
 * is a sum of `LW_RETRY_IDEMPOTENT` and `LW_RETRY_SENT`. A retry that is granted is counted against the pool's budget, so
 * ask once, and only if it will be made; `lw_pool_pick_again` asks and picks. The next pick should exclude the nodes that were tried.
 *
 * Errors: `LW_ERR_INVALID_ARGUMENT` for other flags, or attempt 0.
 *
 * Requires:
 * `outcome` and all it points to is readable; `retry` points to a struct of its `struct_size`.
 */
lw_status lw_pool_retry(lw_pool pool,
                        const struct lw_outcome *outcome,
                        uint32_t attempt,
                        uint32_t flags,
                        struct lw_retry *retry);

/**
 * `lw_pool_retry` and the pick of the next attempt in one, for hosts that go on at once: where no node takes it, nothing is
 * counted against the budget. `request` should exclude the nodes that were tried. Into `*retry` as `lw_pool_retry`, and if
 * `give_up` is 0 in it, into `*pick` as `lw_pool_pick`: the node is in flight from then on, also while the host waits for
 * `after_ns`. With another `give_up`, `*pick` is as it was.
 *
 * Returns `LW_OK` in both cases, or one of `LW_NO_NODE_*` as `lw_pool_pick`, with both as they were. Errors: as
 * `lw_pool_retry`.
 *
 * Requires:
 * As `lw_pool_retry` and `lw_pool_pick`.
 */
lw_status lw_pool_pick_again(lw_pool pool,
                             const struct lw_request *request,
                             const struct lw_outcome *outcome,
                             uint32_t attempt,
                             uint32_t flags,
                             struct lw_retry *retry,
                             struct lw_pick *pick);

/**
 * The attempts to make for a request in turn until one succeeds: distinct nodes, best first, at most `retry.max_attempts`,
 * which is never more than 16. Into `attempts[0]` to `attempts[*len - 1]`, as `lw_pool_nodes` does. Into `*hedge_after_ns`,
 * which may be NULL, after how long a second attempt may be sent beside an unanswered first one; 0: not known, since
 * `stats.latency` is off or has none. Counts nothing: each attempt still has to be picked, or reported.
 *
 * Returns as `lw_pool_pick` if not even the first attempt has a node.
 *
 * Requires:
 * `request` and all it points to is readable; `attempts` has room for `capacity` structs of its `struct_size`; `len` is
 * writable, `hedge_after_ns` NULL or writable.
 */
lw_status lw_pool_plan(lw_pool pool,
                       const struct lw_request *request,
                       struct lw_attempt *attempts,
                       size_t capacity,
                       size_t *len,
                       uint64_t *hedge_after_ns);

/**
 * Copies the candidate's id out, as `lw_node_id`.
 *
 * Requires:
 * `buffer` has `capacity` bytes; `len` may be NULL.
 */
lw_status lw_candidate_id(const struct lw_candidate *candidate, char *buffer, size_t capacity, size_t *len);

/**
 * Copies the candidate's address out, as `lw_node_address`.
 *
 * Requires:
 * `buffer` has `capacity` bytes; `len` may be NULL.
 */
lw_status lw_candidate_address(const struct lw_candidate *candidate, char *buffer, size_t capacity, size_t *len);

/**
 * Whether the candidate has a label of this text: 1 or 0 into `*has`.
 *
 * Requires:
 * The texts are readable, `has` is writable.
 */
lw_status lw_candidate_has_label(const struct lw_candidate *candidate,
                                 struct lw_str key,
                                 struct lw_str value,
                                 uint32_t *has);

/**
 * The candidate at this moment; without latency, failures in a row, and all that follows `remaining_ratio`. For own
 * strategies, load and remaining ratio are always known: what was reported, else what is in flight and 1.0.
 *
 * Requires:
 * `status` points to a struct of its `struct_size`.
 */
lw_status lw_candidate_status(const struct lw_candidate *candidate, struct lw_node_status *status);

/**
 * The checks that are due, for this caller to make and to tell by `lw_pool_report_check`: nobody else, in any process, is
 * told of them until their deadlines. Into `checks[0]` to `checks[*len - 1]`, as `lw_pool_nodes` does. None unless the
 * configuration has `checks`. To be called from a timer, about once a second. `now_ns` 0 reads the clock.
 *
 * While a check is due, `capacity` must be that of all nodes: less is `LW_ERR_BUFFER_TOO_SMALL` with that number in `*len`,
 * and nobody makes a check then. With `checks` NULL and `capacity` 0, tells that number alone; 0 while none is due.
 *
 * Requires:
 * `checks` has room for `capacity` structs of its `struct_size`; `len` is writable.
 */
lw_status lw_pool_checks_due(lw_pool pool,
                             uint64_t now_ns,
                             struct lw_check *checks,
                             size_t capacity,
                             size_t *len);

/**
 * When a check is due next, into `*next_ns`, on the clock of `lw_now_ns`; `UINT64_MAX`: never, without checks or nodes.
 *
 * Requires:
 * `next_ns` is writable.
 */
lw_status lw_pool_next_check(lw_pool pool, uint64_t *next_ns);

/**
 * Tells the result of a check: `ok` not 0 if the node answered as it should, in `latency_ns` (0: not measured). After
 * `checks.failure_threshold` failures in a row the node is unhealthy, after `checks.success_threshold` successes healthy;
 * failures within the grace of a new node do not count. `now_ns` 0 reads the clock. 1 into `*changed` if the node's health
 * changed, else 0; `changed` may be NULL.
 *
 * Errors: `LW_ERR_UNKNOWN_NODE`.
 *
 * Requires:
 * `id` is readable; `changed` is NULL or writable.
 */
lw_status lw_pool_report_check(lw_pool pool,
                               struct lw_str id,
                               uint32_t ok,
                               uint64_t latency_ns,
                               uint64_t now_ns,
                               uint32_t *changed);

/**
 * Reads a pool's configuration, YAML or JSON text of `config_len` bytes, and makes nothing of it: copies it out as JSON with
 * every default, which is a configuration again. For hosts that check a configuration before it is used, and for those
 * that change some keys of it. As `lw_pool_stats`.
 *
 * Errors: `LW_ERR_CONFIG` and `LW_ERR_LIMIT`; `lw_last_error` names the key and the line.
 *
 * Requires:
 * `config` has `config_len` bytes, `buffer` has `capacity` bytes; `len` may be NULL.
 */
lw_status lw_config_check(const char *config,
                          size_t config_len,
                          char *buffer,
                          size_t capacity,
                          size_t *len);

/**
 * Replaces the pool's configuration while picks are running, by YAML or JSON text of `len` bytes. What is known of nodes
 * whose ids stay is kept. `seed`, `limits`, and `points` of `ring_hash` are fixed when a pool is made. An own strategy that
 * is in charge stays in charge.
 *
 * Errors: `LW_ERR_CONFIG` and `LW_ERR_LIMIT`; `lw_last_error` names the key and the line. Nothing is changed then.
 *
 * Requires:
 * `config` has `len` bytes.
 */
lw_status lw_pool_reload(lw_pool pool,
                         const char *config,
                         size_t len);

/**
 * `lw_pool_reload`, unless the configuration is the one that was last put in force, by whichever process; 1 into `*was_new`
 * if it was not, else 0; `was_new` may be NULL. What was changed by hand since stays then.
 *
 * Errors: as `lw_pool_reload`.
 *
 * Requires:
 * `config` has `len` bytes; `was_new` is NULL or writable.
 */
lw_status lw_pool_reload_if_new(lw_pool pool,
                                const char *config,
                                size_t len,
                                uint32_t *was_new);

/**
 * Copies the configuration in force out as JSON: every key, defaults included, the nodes as they are now, and `version`, how
 * often it was replaced. It is a configuration again, of which `version` is ignored. As `lw_pool_stats`.
 *
 * Requires:
 * `buffer` has `capacity` bytes; `len` may be NULL.
 */
lw_status lw_pool_config(lw_pool pool,
                         char *buffer,
                         size_t capacity,
                         size_t *len);

/**
 * Copies one setting in force out as text, by its key in `lw_pool_config`, as `retry.max_attempts` or `strategy[0].name`:
 * numbers in decimal, words and texts as they are, `true` and `false`, and what is made of several as JSON on one line. As
 * `lw_node_id`.
 *
 * Errors: `LW_ERR_CONFIG` if there is no such setting, or it is of something that is not configured.
 *
 * Requires:
 * `key` is readable; `buffer` has `capacity` bytes; `len` may be NULL.
 */
lw_status lw_pool_setting(lw_pool pool,
                          struct lw_str key,
                          char *buffer,
                          size_t capacity,
                          size_t *len);

/**
 * Describes the node of an id. Does what is due first, as `lw_pool_maintain`. `now_ns` 0 reads the clock.
 *
 * Errors: `LW_ERR_UNKNOWN_NODE`.
 *
 * Requires:
 * `id` is readable; `status` points to a struct of its `struct_size`.
 */
lw_status lw_pool_node_status(lw_pool pool, struct lw_str id, uint64_t now_ns, struct lw_node_status *status);

/**
 * Describes all nodes in declared order, into `nodes[0]` to `nodes[*len - 1]`; `nodes[0].struct_size` is to be set, and the
 * others follow at that distance. How many there are into `*len`, which is also set with `LW_ERR_BUFFER_TOO_SMALL`. With
 * `nodes` NULL and `capacity` 0, tells how many there are. Does what is due first, as `lw_pool_maintain`.
 *
 * Requires:
 * `nodes` has room for `capacity` structs of its `struct_size`; `len` is writable.
 */
lw_status lw_pool_nodes(lw_pool pool,
                        struct lw_node_status *nodes,
                        size_t capacity,
                        size_t *len);

/**
 * `lw_pool_nodes` at a time of the caller's, on the clock of `lw_now_ns`.
 *
 * Requires:
 * As `lw_pool_nodes`.
 */
lw_status lw_pool_nodes_at(lw_pool pool, uint64_t now_ns, struct lw_node_status *nodes, size_t capacity, size_t *len);

/**
 * Describes the nodes that have all of these labels, as `lw_pool_nodes` does all nodes.
 *
 * Requires:
 * `labels` has `labels_len` labels, and their texts are readable; else as `lw_pool_nodes`.
 */
lw_status lw_pool_find(lw_pool pool,
                       const struct lw_label *labels,
                       size_t labels_len,
                       struct lw_node_status *nodes,
                       size_t capacity,
                       size_t *len);

/**
 * Makes an engine from a file of YAML or JSON, which `lw_engine_reload` reads again: a map `pools` of configurations by
 * name, or the configuration of one pool, which is then called `default`.
 *
 * With `shared` in it, processes share the state of its pools: one that is there is attached to and not changed, see
 * `lw_engine_differences`.
 *
 * Errors: `LW_ERR_CONFIG` and `LW_ERR_LIMIT`; `lw_last_error` names the file, the key and the line. With `shared` also
 * `LW_ERR_SHARED` and `LW_ERR_TOO_MANY_PROCESSES`.
 *
 * Requires:
 * `path` is readable, `engine` is writable.
 */
lw_status lw_engine_open(struct lw_str path, lw_engine *engine);

/**
 * Makes an engine from YAML or JSON text of `len` bytes, as `lw_engine_open`.
 *
 * Requires:
 * `config` has `len` bytes, `engine` is writable.
 */
lw_status lw_engine_from_config(const char *config, size_t len, lw_engine *engine);

/** Frees an engine; else as `lw_pool_free`. Handles of its pools go on working until they are freed themselves. */
lw_status lw_engine_free(lw_engine engine);

/**
 * A handle of the pool of a name, to be freed by `lw_pool_free`. It stays that pool's over reloads: ask once and keep it.
 * Several handles of one pool are one pool, and a ticket of one may be released by another; freeing one leaves the pool
 * to the engine, with its open picks, and with its observers until `lw_pool_stop_observing`.
 *
 * Errors: `LW_ERR_CONFIG` if there is no pool of that name.
 *
 * Requires:
 * `name` is readable, `pool` is writable.
 */
lw_status lw_engine_pool(lw_engine engine,
                         struct lw_str name,
                         lw_pool *pool);

/**
 * How many pools the engine has.
 *
 * Requires:
 * `len` is writable.
 */
lw_status lw_engine_len(lw_engine engine, size_t *len);

/**
 * Copies out the name of a pool, at most 63 bytes, by its place in the document, from 0. Else as `lw_node_id`.
 *
 * Errors: `LW_ERR_INVALID_ARGUMENT` if there are not so many.
 *
 * Requires:
 * `buffer` has `capacity` bytes; `len` may be NULL.
 */
lw_status lw_engine_name(lw_engine engine, size_t index, char *buffer, size_t capacity, size_t *len);

/**
 * Reads the file again that the engine was opened with, and puts it in force: as a whole, while picks are running. Pools
 * that are configured as before are left alone, those that stay keep what `lw_pool_reload` keeps, and those that are no
 * more leave the engine: handles of them go on working. `reloaded` may be NULL.
 *
 * Errors: `LW_ERR_CONFIG` and `LW_ERR_LIMIT`; `lw_last_error` names the file, the key and the line. Nothing is changed then.
 *
 * Requires:
 * `reloaded` is NULL or points to a struct of its `struct_size`.
 */
lw_status lw_engine_reload(lw_engine engine,
                           struct lw_reloaded *reloaded);

/**
 * `lw_engine_reload` from a text of `len` bytes.
 *
 * Requires:
 * `config` has `len` bytes; `reloaded` is NULL or points to a struct of its `struct_size`.
 */
lw_status lw_engine_reload_from(lw_engine engine, const char *config, size_t len, struct lw_reloaded *reloaded);

/**
 * `lw_engine_reload`, but for pools whose configuration is the one that was last put in force, by whichever process: what
 * was changed by hand since, as weights, stays. For programs of many workers that all read the same file: the first that
 * has a new one replaces the old one, and one that is started again changes nothing.
 *
 * Requires:
 * `reloaded` is NULL or points to a struct of its `struct_size`.
 */
lw_status lw_engine_reload_if_new(lw_engine engine,
                                  struct lw_reloaded *reloaded);

/**
 * `lw_engine_reload_if_new` from a text of `len` bytes.
 *
 * Requires:
 * `config` has `len` bytes; `reloaded` is NULL or points to a struct of its `struct_size`.
 */
lw_status lw_engine_reload_from_if_new(lw_engine engine, const char *config, size_t len, struct lw_reloaded *reloaded);

/**
 * Takes one pool out, as a reload does whose document does not have it: handles of it go on working. Into `*removed`, which
 * may be NULL, 1 if there was one of that name, else 0. For programs that know which pools are theirs and not which others
 * there are, where processes share a state.
 *
 * Errors: `LW_ERR_READ_ONLY` of an engine of `lw_engine_view`.
 *
 * Requires:
 * `name` is readable; `removed` is NULL or writable.
 */
lw_status lw_engine_remove(lw_engine engine,
                           struct lw_str name,
                           uint32_t *removed);

/**
 * How often a configuration was put in force, the first included.
 *
 * Requires:
 * `version` is writable.
 */
lw_status lw_engine_version(lw_engine engine, uint64_t *version);

/**
 * Copies the configuration in force out as JSON: `pools` by name, each as `lw_pool_config` has it, and `version`. As
 * `lw_pool_stats`.
 *
 * Requires:
 * `buffer` has `capacity` bytes; `len` may be NULL.
 */
lw_status lw_engine_config(lw_engine engine, char *buffer, size_t capacity, size_t *len);

/**
 * `lw_pool_maintain` of all pools: what was done in all, and when one of them is due again.
 *
 * Requires:
 * `maintained` is NULL or points to a struct of its `struct_size`.
 */
lw_status lw_engine_maintain(lw_engine engine, uint64_t now_ns, struct lw_maintained *maintained);

/**
 * Copies the figures of all pools out as JSON: a list of what `lw_pool_stats` tells of each. As `lw_pool_stats`.
 *
 * Requires:
 * `buffer` has `capacity` bytes; `len` may be NULL.
 */
lw_status lw_engine_stats(lw_engine engine, uint64_t now_ns, char *buffer, size_t capacity, size_t *len);

/**
 * Copies the metrics of all pools out, in `format`, one of `LW_METRICS_*`. As `lw_pool_stats`.
 *
 * Requires:
 * `buffer` has `capacity` bytes; `len` may be NULL.
 */
lw_status lw_engine_metrics(lw_engine engine, uint32_t format, char *buffer, size_t capacity, size_t *len);

/**
 * `lw_engine_metrics` of several engines in one text: `engines[0]` to `engines[engines_len - 1]`. None may have a pool of
 * the name of another's, or the text has series twice.
 *
 * Requires:
 * `engines` has `engines_len` handles; `buffer` has `capacity` bytes; `len` may be NULL.
 */
lw_status lw_engines_metrics(const lw_engine *engines,
                             size_t engines_len,
                             uint32_t format,
                             char *buffer,
                             size_t capacity,
                             size_t *len);

/**
 * Copies the message of this thread's last failed call into `buffer`, ending in NUL, and its length without the NUL into
 * `*len`. Calls that succeed leave it as it is. With `buffer` NULL and `capacity` 0, tells the length alone.
 *
 * Returns `LW_OK`, or `LW_ERR_BUFFER_TOO_SMALL` with `*len` set if `capacity` is not more than the length. Does not count
 * as a failed call itself.
 *
 * Requires:
 * `buffer` has `capacity` bytes; `len` may be NULL.
 */
lw_status lw_last_error(char *buffer,
                        size_t capacity,
                        size_t *len);

/**
 * Tells more of this thread's last failed call, if that was one that found no node; else `status` is `LW_OK` in it.
 *
 * Requires:
 * `no_node` points to a struct of its `struct_size`.
 */
lw_status lw_last_no_node(struct lw_no_node *no_node);

/**
 * Copies out as JSON why the next pick for this request would choose its node, or none: of each node whether it is in or
 * out, by which filter, and the terms of its score; the draws, the tie-break and the step of the chain. Advances nothing
 * and takes nothing; tells what a pick would take. As `lw_pool_stats`; finding no node is an answer, too.
 *
 * Requires:
 * `request` and all it points to is readable; `buffer` has `capacity` bytes; `len` may be NULL.
 */
lw_status lw_pool_explain(lw_pool pool,
                          const struct lw_request *request,
                          char *buffer,
                          size_t capacity,
                          size_t *len);

/**
 * `lw_pool_pick` that keeps its reasons for `lw_last_explanation`, also if it finds no node. Allocates.
 *
 * Requires:
 * As `lw_pool_pick`.
 */
lw_status lw_pool_pick_explained(lw_pool pool, const struct lw_request *request, struct lw_pick *pick);

/**
 * Copies out the reasons of this thread's last `lw_pool_pick_explained`, as `lw_pool_explain` tells them; empty before the
 * first.
 *
 * Requires:
 * `buffer` has `capacity` bytes; `len` may be NULL.
 */
lw_status lw_last_explanation(char *buffer,
                              size_t capacity,
                              size_t *len);

/**
 * Sends new picks to the tier of a node, as if the tiers above it were down, until `lw_pool_reset_failover`.
 *
 * Errors: `LW_ERR_UNKNOWN_NODE`.
 *
 * Requires:
 * `id` is readable.
 */
lw_status lw_pool_failover(lw_pool pool, struct lw_str id);

/**
 * Ends what `lw_pool_failover` began: 1 into `*was_forced` if it had, else 0; `was_forced` may be NULL.
 *
 * Requires:
 * `was_forced` is NULL or writable.
 */
lw_status lw_pool_reset_failover(lw_pool pool, uint32_t *was_forced);

/**
 * Notes that the first token (or byte) of an answer came: the time since the pick is recorded as its latency, at once, in
 * all that learns from latencies. The finish that follows records none, not one of its own either; otherwise it is a finish
 * like any. For streamed answers, whose whole duration depends on how long they are. Where no rule needs latencies, nothing
 * is recorded.
 *
 * 1 into `*first`, or 0 if it was noted before and nothing is changed; `first` may be NULL. `now_ns` 0 reads the clock where
 * it is needed. From any thread of the process that picked; no lock, no allocation.
 *
 * Errors: as `lw_pick_finish`.
 *
 * Requires:
 * `pick` points to a struct of its `struct_size`; `first` is NULL or writable.
 */
lw_status lw_pick_first_token(const struct lw_pick *pick,
                              uint64_t now_ns,
                              uint32_t *first);

/**
 * Notes the first token of a pick by its ticket alone, as `lw_pick_first_token`.
 *
 * Requires:
 * `first` is NULL or writable.
 */
lw_status lw_pool_first_token(lw_pool pool, uint64_t ticket, uint64_t now_ns, uint32_t *first);

/**
 * Makes a health tracker that knows no node yet. `config` may be NULL: all defaults.
 *
 * Requires:
 * `config` is NULL or points to a struct of its `struct_size`; `health` is writable.
 */
lw_status lw_health_new(const struct lw_health_config *config, lw_health *health);

/** Frees a health tracker; else as `lw_pool_free`. */
lw_status lw_health_free(lw_health health);

/**
 * Tells how an attempt at a node ended, one of `LW_OUTCOME_*`. Rate limits and cancelled attempts change nothing.
 *
 * Requires:
 * `id` is readable.
 */
lw_status lw_health_report(lw_health health, struct lw_str id, uint32_t kind);

/**
 * A node's health, one of `LW_HEALTH_*`, into `*status`; healthy if it is not known.
 *
 * Requires:
 * `id` is readable, `status` is writable.
 */
lw_status lw_health_status(lw_health health, struct lw_str id, uint32_t *status);

/**
 * 1 into `*probe` if it is time to try an unhealthy node again, else 0. Every caller gets the same answer.
 *
 * Requires:
 * `id` is readable, `probe` is writable.
 */
lw_status lw_health_should_probe(lw_health health, struct lw_str id, uint32_t *probe);

/**
 * What is remembered of a node; that of a node of which nothing is known, if it is not known.
 *
 * Requires:
 * `id` is readable; `record` points to a struct of its `struct_size`.
 */
lw_status lw_health_get(lw_health health, struct lw_str id, struct lw_health_record *record);

/**
 * Forgets a node that is gone for good. 1 into `*known` if it was known, else 0; `known` may be NULL.
 *
 * Requires:
 * `id` is readable.
 */
lw_status lw_health_forget(lw_health health, struct lw_str id, uint32_t *known);

/**
 * Copies what was learned of all nodes out as JSON, for `lw_pool_learn_from`: health, holds, averages, quotas, by ids and
 * with times that are relative. As `lw_pool_stats`.
 *
 * Requires:
 * `buffer` has `capacity` bytes; `len` may be NULL.
 */
lw_status lw_pool_learned(lw_pool pool,
                          char *buffer,
                          size_t capacity,
                          size_t *len);

/**
 * Takes up what another pool has learned of nodes, in place of what this one knows: JSON of `len` bytes. How many of them
 * are members here into `*count`, which may be NULL; the others are left out.
 *
 * Errors: `LW_ERR_CONFIG` for what is not a learned state; `lw_last_error` names the node. Nothing is changed then.
 *
 * Requires:
 * `learned` has `len` bytes; `count` is NULL or writable.
 */
lw_status lw_pool_learn_from(lw_pool pool,
                             const char *learned,
                             size_t len,
                             size_t *count);

/**
 * Keeps what was learned of all nodes in a file, beside what it has of other ids; it is replaced at once or not at all.
 * How many into `*count`, which may be NULL.
 *
 * Errors: `LW_ERR_STORE` if the file cannot be read or written, or is not what was saved before.
 *
 * Requires:
 * `path` is readable; `count` is NULL or writable.
 */
lw_status lw_pool_save(lw_pool pool, struct lw_str path, size_t *count);

/**
 * Takes up what a file has of this pool's nodes, as `lw_pool_learn_from`; 0 if there is no such file.
 *
 * Errors: `LW_ERR_STORE` if the file cannot be read, or is not what `lw_pool_save` writes; `LW_ERR_CONFIG` for a node whose
 * state cannot be. Nothing is changed then, and the pool goes on with what it knows.
 *
 * Requires:
 * `path` is readable; `count` is NULL or writable.
 */
lw_status lw_pool_restore(lw_pool pool,
                          struct lw_str path,
                          size_t *count);

/**
 * Does what is due: gives up expired picks, leaves out nodes that are down, takes in those that came back. To be called
 * about once a second, by one thread. `now_ns` 0 reads the clock; `maintained` may be NULL.
 *
 * Requires:
 * `maintained` is NULL or points to a struct of its `struct_size`.
 */
lw_status lw_pool_maintain(lw_pool pool, uint64_t now_ns, struct lw_maintained *maintained);

/**
 * The word for one of `LW_HEALTH_*`, as `"recovering"`; `"unknown"` for a number that is none, here and below. The text
 * lives as long as the program.
 */
const char *lw_health_name(uint32_t health);

/** The word for one of `LW_BREAKER_*`, as `"half_open"`. */
const char *lw_breaker_name(uint32_t breaker);

/** The word for one of `LW_OUTCOME_*`, as `"rate_limited"`. */
const char *lw_outcome_name(uint32_t kind);

/** The word for one of `LW_FAILURE_*`, as `"server_error"`. */
const char *lw_failure_name(uint32_t failure);

/** The word for one of `LW_NO_NODE_*`, as `"all_excluded"`. */
const char *lw_no_node_name(lw_status status);

/** The word for one of `LW_GIVE_UP_*`, as `"budget"`. */
const char *lw_give_up_name(uint32_t give_up);

/** The word for one of `LW_EVENT_*`, as `"topology"`. */
const char *lw_event_name(uint32_t kind);

/**
 * The place of the node of an id.
 *
 * Errors: `LW_ERR_UNKNOWN_NODE`.
 *
 * Requires:
 * `id` is readable, `node` is writable.
 */
lw_status lw_pool_node(lw_pool pool, struct lw_str id, struct lw_node_ref *node);

/**
 * The node that an open ticket is about, for hosts that keep nothing but tickets.
 *
 * Errors: `LW_ERR_STALE_TICKET` and `LW_ERR_INVALID_TICKET`, as `lw_pool_release`.
 *
 * Requires:
 * `node` is writable.
 */
lw_status lw_pool_ticket_node(lw_pool pool, uint64_t ticket, struct lw_node_ref *node);

/**
 * Copies the id of a node out, ending in NUL; its length without the NUL, at most 255, into `*len`, which is also set with
 * `LW_ERR_BUFFER_TOO_SMALL`. With `buffer` NULL and `capacity` 0, tells the length alone. Takes no lock.
 *
 * A node that was taken out keeps its texts while picks are under way on it.
 *
 * Errors: `LW_ERR_UNKNOWN_NODE` if there never was such a node, or its place is another's now.
 *
 * Requires:
 * `buffer` has `capacity` bytes; `len` may be NULL.
 */
lw_status lw_node_id(lw_pool pool,
                     uint32_t node,
                     uint32_t generation,
                     char *buffer,
                     size_t capacity,
                     size_t *len);

/**
 * Copies the address of a node out: what to connect to. As `lw_node_id`.
 *
 * Requires:
 * As `lw_node_id`.
 */
lw_status lw_node_address(lw_pool pool, uint32_t node, uint32_t generation, char *buffer, size_t capacity, size_t *len);

/**
 * Copies the name of a node out; empty if it has none. As `lw_node_id`.
 *
 * Requires:
 * As `lw_node_id`.
 */
lw_status lw_node_name(lw_pool pool, uint32_t node, uint32_t generation, char *buffer, size_t capacity, size_t *len);

/**
 * Copies the text of a node's label out; empty if it has no such label, with `*has` 0. `has` may be NULL. Looks through
 * all nodes: not for the path of a request. Else as `lw_node_id`.
 *
 * Requires:
 * As `lw_node_id`; `key` is readable.
 */
lw_status lw_node_label(lw_pool pool,
                        uint32_t node,
                        uint32_t generation,
                        struct lw_str key,
                        uint32_t *has,
                        char *buffer,
                        size_t capacity,
                        size_t *len);

/**
 * Copies the zone of a node out; empty if it has none. Looks through all nodes: not for the path of a request. Else as
 * `lw_node_id`, but a node that was taken out has none any more: `LW_ERR_UNKNOWN_NODE`.
 *
 * Requires:
 * As `lw_node_id`.
 */
lw_status lw_node_zone(lw_pool pool, uint32_t node, uint32_t generation, char *buffer, size_t capacity, size_t *len);

/**
 * The host's own number of a node; 0 if it was given none.
 *
 * Errors: `LW_ERR_UNKNOWN_NODE`, as `lw_node_id`.
 *
 * Requires:
 * `user_data` is writable.
 */
lw_status lw_node_user_data(lw_pool pool, uint32_t node, uint32_t generation, uint64_t *user_data);

/**
 * Gives a node the host's own number, returned with each pick. Kept in this process.
 *
 * Errors: `LW_ERR_UNKNOWN_NODE` if the node is gone.
 */
lw_status lw_node_set_user_data(lw_pool pool, uint32_t node, uint32_t generation, uint64_t user_data);

/**
 * Replaces all nodes. Those whose ids stay keep what is known of them: in flight, health, averages. All or none.
 *
 * Errors: `LW_ERR_CONFIG` for a duplicate or over-long id; `LW_ERR_LIMIT` for too many nodes or labels, or weights that
 * add up to more than 4294967295. `lw_last_error` names the node.
 *
 * Requires:
 * `nodes` points to `len` structs, and all they point to is readable.
 */
lw_status lw_pool_set_nodes(lw_pool pool, const struct lw_node_spec *nodes, size_t len);

/**
 * Adds a node. Its place into `*added`, which may be NULL.
 *
 * Errors: `LW_ERR_DUPLICATE_NODE`; else as `lw_pool_set_nodes`.
 *
 * Requires:
 * `node` and all it points to is readable.
 */
lw_status lw_pool_register(lw_pool pool, const struct lw_node_spec *node, struct lw_node_ref *added);

/**
 * Adds nodes, all or none. Their places into `added[0]` to `added[len - 1]`; `added` may be NULL.
 *
 * Errors: as `lw_pool_register`.
 *
 * Requires:
 * `nodes` points to `len` structs, and all they point to is readable; `added` has room for `len`.
 */
lw_status lw_pool_register_batch(lw_pool pool, const struct lw_node_spec *nodes, size_t len, struct lw_node_ref *added);

/**
 * Describes a member anew, by its id: weight, tier, zone, limit, labels, address, quotas, and `user_data` unless it is 0. What
 * is known of it stays, also its draining.
 *
 * Errors: `LW_ERR_UNKNOWN_NODE`; else as `lw_pool_set_nodes`. Nothing is changed then.
 *
 * Requires:
 * `node` and all it points to is readable.
 */
lw_status lw_pool_update(lw_pool pool,
                         const struct lw_node_spec *node);

/**
 * Takes a node out. Picks that are under way on it end as usual.
 *
 * Errors: `LW_ERR_UNKNOWN_NODE`.
 *
 * Requires:
 * `id` is readable.
 */
lw_status lw_pool_deregister(lw_pool pool, struct lw_str id);

/**
 * Begins (`on` not 0) or ends draining: a draining node takes no new picks but its sessions', those for
 * `drain_timeout_ms`, and picks under way end as usual.
 *
 * Errors: `LW_ERR_UNKNOWN_NODE`.
 *
 * Requires:
 * `id` is readable.
 */
lw_status lw_pool_drain(lw_pool pool, struct lw_str id, uint32_t on);

/**
 * `lw_pool_drain` at a time of the caller's, on the clock of `lw_now_ns`.
 *
 * Errors: `LW_ERR_UNKNOWN_NODE`.
 *
 * Requires:
 * `id` is readable.
 */
lw_status lw_pool_drain_at(lw_pool pool, struct lw_str id, uint32_t on, uint64_t now_ns);

/**
 * Changes a node's weight; 0 takes no new picks.
 *
 * Errors: `LW_ERR_UNKNOWN_NODE`; `LW_ERR_LIMIT` if all weights add up to more than 4294967295.
 *
 * Requires:
 * `id` is readable.
 */
lw_status lw_pool_set_weight(lw_pool pool, struct lw_str id, uint32_t weight);

/**
 * Sets a node's health by hand, one of `LW_HEALTH_*`: its failures in a row begin anew, and `LW_HEALTH_HEALTHY` also closes its
 * breaker, takes it back from an ejection, and ends the rest that it had asked for. What it learns from then on changes its
 * health as ever. 1 into `*changed` if it was another before, else 0; `changed` may be NULL. `now_ns` 0 reads the clock.
 *
 * Errors: `LW_ERR_UNKNOWN_NODE`; `LW_ERR_INVALID_ARGUMENT` for another number.
 *
 * Requires:
 * `id` is readable; `changed` is NULL or writable.
 */
lw_status lw_pool_set_health(lw_pool pool,
                             struct lw_str id,
                             uint32_t health,
                             uint64_t now_ns,
                             uint32_t *changed);

/**
 * Calls `observe` with what happens in the pool from now on; with every selection only if `flags` has
 * `LW_OBSERVE_SELECTIONS`. `drop` (or NULL) is called once `user_data` is not used any more, which may be after
 * `lw_pool_stop_observing` or `lw_pool_free` has returned. If this call fails, it is not.
 *
 * Requires:
 * `observe` and `drop` may be called with `user_data` from any thread, until `drop` was; `id` is writable.
 */
lw_status lw_pool_observe(lw_pool pool,
                          uint32_t flags,
                          lw_observer_fn observe,
                          void *user_data,
                          lw_drop_fn drop,
                          uint64_t *id);

/**
 * Calls an observer no more; calls that are under way end. 1 into `*was_observing` if there was such an observer, else 0;
 * `was_observing` may be NULL.
 *
 * Requires:
 * `was_observing` is NULL or writable.
 */
lw_status lw_pool_stop_observing(lw_pool pool,
                                 uint64_t id,
                                 uint32_t *was_observing);

/**
 * Puts a callback in charge of the pool's decisions; where it chooses nobody or fails, `fallback` decides: a strategy as
 * `lw_pool_set_strategy` takes it, or empty for none. `drop` (or NULL) is called once `user_data` is not used any more,
 * which may be after another `lw_pool_set_own_strategy` or `lw_pool_free` has returned. If this call fails, it is not.
 *
 * Errors: `LW_ERR_CONFIG` for a fallback that cannot be.
 *
 * Requires:
 * `choose` and `drop` may be called with `user_data` from any thread, until `drop` was.
 */
lw_status lw_pool_set_own_strategy(lw_pool pool,
                                   lw_strategy_fn choose,
                                   void *user_data,
                                   lw_drop_fn drop,
                                   struct lw_str fallback);

/**
 * Chooses a node and counts it in flight until the pick is finished. No lock, no allocation. `request` may be NULL: it asks
 * for nothing.
 *
 * Returns `LW_OK`, or one of `LW_NO_NODE_*` (see `lw_last_no_node`), with `*pick` as it was.
 *
 * Requires:
 * `request` and all it points to is readable; `pick` points to a struct of its `struct_size`.
 */
lw_status lw_pool_pick(lw_pool pool,
                       const struct lw_request *request,
                       struct lw_pick *pick);

/**
 * Chooses a node as the next pick would, and counts nothing: for hosts that keep their own account of what is in flight.
 * The pick has ticket 0 and need not be finished. Else as `lw_pool_pick`.
 *
 * Requires:
 * As `lw_pool_pick`.
 */
lw_status lw_pool_choose(lw_pool pool,
                         const struct lw_request *request,
                         struct lw_pick *pick);

/**
 * Ends a pick: in flight falls, and the outcome is learned from. Once only, from any thread of the process that picked.
 *
 * Errors: `LW_ERR_STALE_TICKET` if it was finished before, timed out, was taken before a fork, or its pool was freed;
 * `LW_ERR_INVALID_TICKET` if it never was a ticket of this pool. Nothing is changed then.
 *
 * Requires:
 * `pick` and `outcome` point to structs of their `struct_size`.
 */
lw_status lw_pick_finish(const struct lw_pick *pick, const struct lw_outcome *outcome);

/**
 * Ends a pick by its ticket alone, as `lw_pick_finish`.
 *
 * Requires:
 * `outcome` points to a struct of its `struct_size`.
 */
lw_status lw_pool_release(lw_pool pool, uint64_t ticket, const struct lw_outcome *outcome);

/**
 * Makes a pool from YAML or JSON text of `len` bytes: see docs/configuration.md. `{}` is a pool without nodes. With `shared`
 * in it, processes share its state, as `lw_engine_open`.
 *
 * Errors: `LW_ERR_CONFIG` and `LW_ERR_LIMIT`; `lw_last_error` names the key and the line. With `shared` also `LW_ERR_SHARED`
 * and `LW_ERR_TOO_MANY_PROCESSES`.
 *
 * Requires:
 * `config` has `len` bytes, `pool` is writable.
 */
lw_status lw_pool_new(const char *config,
                      size_t len,
                      lw_pool *pool);

/**
 * Frees a pool. Its open tickets are void: releasing one is `LW_ERR_STALE_TICKET`. Other threads may be using the pool:
 * their calls end as usual, and every later one is `LW_ERR_CLOSED`. A thread that has used the pool lets go of its memory
 * with its next call of any function on a handle, or when it ends.
 */
lw_status lw_pool_free(lw_pool pool);

/**
 * How many nodes the pool has.
 *
 * Requires:
 * `len` is writable.
 */
lw_status lw_pool_len(lw_pool pool, size_t *len);

/**
 * Copies out what tells the pool from the others of its engine, and in metrics: `default` for a pool of its own. As
 * `lw_node_id`.
 *
 * Requires:
 * `buffer` has `capacity` bytes; `len` may be NULL.
 */
lw_status lw_pool_name(lw_pool pool, char *buffer, size_t capacity, size_t *len);

/**
 * How often the pool's configuration was replaced, from 1.
 *
 * Requires:
 * `version` is writable.
 */
lw_status lw_pool_config_version(lw_pool pool, uint64_t *version);

/**
 * Tells of an attempt at a node that was no pick: an active check, or traffic that took another way. 1 into `*changed` if
 * the node's health changed, else 0; `changed` may be NULL.
 *
 * Errors: `LW_ERR_UNKNOWN_NODE`.
 *
 * Requires:
 * `id` is readable; `outcome` points to a struct of its `struct_size`.
 */
lw_status lw_pool_report(lw_pool pool,
                         struct lw_str id,
                         const struct lw_outcome *outcome,
                         uint32_t *changed);

/**
 * Tells a node's load, for `least_load`, `p2c` with `load: reported`, `most_available`, and `reported_load`.
 *
 * Errors: `LW_ERR_UNKNOWN_NODE`; `LW_ERR_CONFIG` for a remaining ratio outside of 0.0 to 1.0, or a rate that is
 * below 0 or no number.
 *
 * Requires:
 * `id` is readable; `load` points to a struct of its `struct_size`.
 */
lw_status lw_pool_report_load(lw_pool pool, struct lw_str id, const struct lw_load *load);

/**
 * Makes a selector: `round_robin`, `weighted_round_robin`, `random`, `weighted_random`, `least_load`, `p2c`, `ring_hash` or
 * `most_available`. May be used by several threads at once.
 *
 * Errors: `LW_ERR_CONFIG` for any other name.
 *
 * Requires:
 * `strategy` is readable, `selector` is writable.
 */
lw_status lw_selector_new(struct lw_str strategy,
                          lw_selector *selector);

/** Frees a selector; else as `lw_pool_free`. */
lw_status lw_selector_free(lw_selector selector);

/**
 * Chooses one of the caller's items: its index into `*index`. `selection` may be NULL. The array is read in place: `random`
 * and `p2c` look at two items at most, however many there are.
 *
 * Returns `LW_OK`, `LW_NO_NODE_EMPTY`, `LW_NO_NODE_ALL_EXCLUDED`, or `LW_NO_NODE_DRAINING` if all the others have weight 0.
 *
 * Requires:
 * `items` has `len` items; all that they and `selection` point to is readable; `index` is writable.
 */
lw_status lw_select(lw_selector selector,
                    const struct lw_item *items,
                    size_t len,
                    const struct lw_selection *selection,
                    size_t *index);

/**
 * Makes an engine of the pools of a shared state that is there at `path`, without a configuration of one's own.
 *
 * Errors: `LW_ERR_SHARED` if there is none, or none that can be used; `LW_ERR_TOO_MANY_PROCESSES`.
 *
 * Requires:
 * `path` is readable, `engine` is writable.
 */
lw_status lw_engine_attach(struct lw_str path, lw_engine *engine);

/**
 * `lw_engine_attach`, to look at only, without being one of the processes: nodes, figures, processes, open picks,
 * configurations and explanations tell what is. What would change something is `LW_ERR_READ_ONLY`, and picks find no node.
 *
 * Errors: `LW_ERR_SHARED` if there is none, or none that can be used.
 *
 * Requires:
 * `path` is readable, `engine` is writable.
 */
lw_status lw_engine_view(struct lw_str path,
                         lw_engine *engine);

/**
 * Copies out the path of the file that the state of the engine's pools is in; empty if it is this process's alone. As
 * `lw_pool_stats`.
 *
 * Requires:
 * `buffer` has `capacity` bytes; `len` may be NULL.
 */
lw_status lw_engine_shared_path(lw_engine engine, char *buffer, size_t capacity, size_t *len);

/**
 * `lw_engine_shared_path` of a pool.
 *
 * Requires:
 * `buffer` has `capacity` bytes; `len` may be NULL.
 */
lw_status lw_pool_shared_path(lw_pool pool, char *buffer, size_t capacity, size_t *len);

/**
 * Copies out why this process goes on alone although its configuration says `shared`, with `on_bad_segment: private`; empty
 * if it does not. As `lw_pool_stats`.
 *
 * Requires:
 * `buffer` has `capacity` bytes; `len` may be NULL.
 */
lw_status lw_engine_private_because(lw_engine engine,
                                    char *buffer,
                                    size_t capacity,
                                    size_t *len);

/**
 * Copies out in what this process is configured otherwise than pools that were there when it attached to them: attaching
 * changes nothing, and a reload does. A list in JSON, empty if there is nothing, of objects with `pool`, `key` (as
 * `health.failure_threshold`; nodes go by their ids), `configured` and `in_force`, null on the side that has nothing. As
 * `lw_pool_stats`.
 *
 * Requires:
 * `buffer` has `capacity` bytes; `len` may be NULL.
 */
lw_status lw_engine_differences(lw_engine engine,
                                char *buffer,
                                size_t capacity,
                                size_t *len);

/**
 * `lw_engine_differences` of a pool.
 *
 * Requires:
 * `buffer` has `capacity` bytes; `len` may be NULL.
 */
lw_status lw_pool_differences(lw_pool pool, char *buffer, size_t capacity, size_t *len);

/**
 * Describes the processes that share the state, with their unfinished picks of all pools, into `processes[0]` to
 * `processes[*len - 1]`, as `lw_pool_nodes` does nodes; none if it is this process's alone.
 *
 * Requires:
 * `processes` has room for `capacity` structs of its `struct_size`; `len` is writable.
 */
lw_status lw_engine_processes(lw_engine engine, struct lw_process_status *processes, size_t capacity, size_t *len);

/**
 * `lw_engine_processes` of a pool, with their unfinished picks of this pool. How many of them are on which node is told by
 * `in_flight_by_process` of `lw_pool_stats`.
 *
 * Requires:
 * As `lw_engine_processes`.
 */
lw_status lw_pool_processes(lw_pool pool,
                            struct lw_process_status *processes,
                            size_t capacity,
                            size_t *len);

/**
 * Copies out the unfinished picks of all processes, at most `limit`, as a list in JSON: objects with `ticket`, which is good
 * for the process alone that has it, `node` (its id), `pid`, `started_ns` and `age_ms`, the oldest first; the last two are
 * null where nothing in the configuration needs the time of picks. `now_ns` 0 reads the clock. As `lw_pool_stats`.
 *
 * Requires:
 * `buffer` has `capacity` bytes; `len` may be NULL.
 */
lw_status lw_pool_open_picks(lw_pool pool,
                             size_t limit,
                             uint64_t now_ns,
                             char *buffer,
                             size_t capacity,
                             size_t *len);

/**
 * Copies a pool's counts, gauges and latencies out as JSON, with its nodes' in `nodes`: an object whose keys are those of
 * docs/c.md. `now_ns` 0 reads the clock. Does what is due first, as `lw_pool_maintain`. Else as `lw_node_id`; the next
 * call may need more room.
 *
 * Requires:
 * `buffer` has `capacity` bytes; `len` may be NULL.
 */
lw_status lw_pool_stats(lw_pool pool,
                        uint64_t now_ns,
                        char *buffer,
                        size_t capacity,
                        size_t *len);

/**
 * Copies a pool's metrics out, in `format`, one of `LW_METRICS_*`. Else as `lw_pool_stats`.
 *
 * Requires:
 * `buffer` has `capacity` bytes; `len` may be NULL.
 */
lw_status lw_pool_metrics(lw_pool pool, uint32_t format, char *buffer, size_t capacity, size_t *len);

/**
 * The name of a status, as `"LW_ERR_CONFIG"`; `"LW_UNKNOWN"` for a number that is none. The text lives as long as the
 * program.
 */
const char *lw_status_name(lw_status status);

/** What a status means, in words. The text lives as long as the program. */
const char *lw_status_text(lw_status status);

/**
 * Adds what is kept for an id to what a callback of a store has found.
 *
 * Errors: `LW_ERR_INVALID_HANDLE` if no such callback is under way in this thread.
 *
 * Requires:
 * `id` and `state` are readable.
 */
lw_status lw_entries_add(struct lw_entries *entries, struct lw_str id, struct lw_str state);

/**
 * `lw_pool_save` into a store of the host's own, one `put` for each node.
 *
 * Errors: `LW_ERR_STORE` if a callback fails: what was put until then stays put.
 *
 * Requires:
 * `store` points to a struct of its `struct_size`, whose functions may be called; `count` is NULL or writable.
 */
lw_status lw_pool_save_to(lw_pool pool, const struct lw_store *store, size_t *count);

/**
 * `lw_pool_restore` from a store of the host's own, by one `list`.
 *
 * Errors: `LW_ERR_STORE` if the callback fails; `LW_ERR_CONFIG` for a node whose state cannot be. Nothing is changed then.
 *
 * Requires:
 * As `lw_pool_save_to`.
 */
lw_status lw_pool_restore_from(lw_pool pool,
                               const struct lw_store *store,
                               size_t *count);

/**
 * Changes the strategy while picks are running: a name (`p2c`), or YAML or JSON as in a configuration
 * (`{name: maglev, bounded_load: 1.25}`, `[maglev, round_robin]`). What is known of the nodes stays.
 *
 * Errors: `LW_ERR_CONFIG` and `LW_ERR_LIMIT`; the strategy is as it was then.
 *
 * Requires:
 * `strategy` is readable.
 */
lw_status lw_pool_set_strategy(lw_pool pool, struct lw_str strategy);

/**
 * Copies the name of the strategy in charge out, the first of a chain, as `lw_node_id` does.
 *
 * Requires:
 * `buffer` has `capacity` bytes; `len` may be NULL.
 */
lw_status lw_pool_strategy(lw_pool pool, char *buffer, size_t capacity, size_t *len);

/** The ABI that the loaded library has: `LW_ABI_VERSION` of its header. */
uint32_t lw_abi_version(void);

/** The version of the loaded library, as `"0.2.0"`. The text lives as long as the program. */
const char *lw_version(void);

/** The clock of all `now_ns`: nanoseconds of the machine's monotonic clock. Never 0. */
uint64_t lw_now_ns(void);

/**
 * `lw_pool_pick` that waits for room while the pool is saturated or rate limited, at most `timeout_ns`; 0: the
 * configuration's `acquire_timeout_ms`. The thread sleeps meanwhile.
 *
 * Returns as `lw_pool_pick`; at once for other reasons, and if `acquire_queue` others wait already.
 *
 * Requires:
 * As `lw_pool_pick`.
 */
lw_status lw_pool_pick_within(lw_pool pool,
                              const struct lw_request *request,
                              uint64_t timeout_ns,
                              struct lw_pick *pick);

/**
 * Joins the queue of those who wait for room: `wake` is called once with `user_data`, as soon as a pick ends, which may be
 * before this call returns. Pick *after* joining; if there is room, leave with `lw_pool_stop_waiting`, else pick when
 * woken, and now and then (each 50 ms, say), since time and other processes make room, too, and wake nobody. Being woken
 * is no promise: whoever comes first takes the room. A pool that is freed wakes nobody. `drop` (or NULL) is called once
 * `user_data` is not used any more: woken, left, or freed. If this call fails, it is not.
 *
 * Errors: `LW_NO_NODE_SATURATED` if `acquire_queue` others wait already.
 *
 * Requires:
 * `wake` and `drop` may be called with `user_data` from any thread, until `drop` was; `id` is writable.
 */
lw_status lw_pool_wait(lw_pool pool,
                       lw_wake_fn wake,
                       void *user_data,
                       lw_drop_fn drop,
                       uint64_t *id);

/**
 * Leaves the queue: 1 into `*was_waiting` if it was still in it, and so is never woken; else 0: it was woken, or is being
 * woken in this moment. `was_waiting` may be NULL.
 *
 * Requires:
 * `was_waiting` is NULL or writable.
 */
lw_status lw_pool_stop_waiting(lw_pool pool,
                               uint64_t id,
                               uint32_t *was_waiting);

/**
 * How many wait for room, in this process.
 *
 * Requires:
 * `waiting` is writable.
 */
lw_status lw_pool_waiting(lw_pool pool, size_t *waiting);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* LOADWISE_H */
