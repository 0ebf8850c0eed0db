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
#define LW_OUTCOME_INIT { sizeof(lw_outcome), 0, 0, 0, 0, 0, 0 }
#define LW_REQUEST_INIT { sizeof(lw_request), 0, LW_STR_NONE, 0, 0, 0, 0, 0, 0, 0, 0, 0 }
#define LW_NODE_SPEC_INIT { sizeof(lw_node_spec), 1, LW_STR_NONE, LW_STR_NONE, LW_STR_NONE, 0, 0, 0 }
#define LW_NODE_STATUS_INIT { sizeof(lw_node_status), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0.0, 0.0, 0.0 }
#define LW_NO_NODE_INIT { sizeof(lw_no_node), 0, 0, 0, 0 }
#define LW_LOAD_INIT { sizeof(lw_load), 0, 0.0, 0.0 }
#define LW_MAINTAINED_INIT { sizeof(lw_maintained), 0, 0, 0 }
#define LW_SELECTION_INIT { sizeof(lw_selection), 0, LW_STR_NONE, 0, 0 }
#define LW_HEALTH_CONFIG_INIT { sizeof(lw_health_config), 0, 0, 0, 0 }
#define LW_HEALTH_RECORD_INIT { sizeof(lw_health_record), 0, 0, 0, 0, 0 }

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

/** Raised when programs built for the version before would break. Compare with `lw_abi_version()` after loading. */
#define LW_ABI_VERSION 1

/**
 * A node that may be chosen, in the hands of a callback. To be asked by `lw_candidate_*` during the callback, in its
 * thread; at any other time it is refused.
 */
typedef struct lw_candidate lw_candidate;

/** The result of a call: `LW_OK`, or what went wrong. The numbers are stable; retired ones are never reused. */
typedef uint32_t lw_status;

/** A text or bytes of the caller's: `len` bytes, not ending in NUL. Only looked at during the call. */
typedef struct lw_str {
    /** May be NULL if `len` is 0. */
    const char *data;
    /** Bytes. */
    size_t len;
} lw_str;

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
} lw_node_status;

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

/** A pool. 0 is none. */
typedef uint64_t lw_pool;

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

/** A node's place in a pool, and the generation that tells it from the nodes that had the place before. */
typedef struct lw_node_ref {
    /** As `lw_pick.node`. */
    uint32_t node;
    /** As `lw_pick.generation`. */
    uint32_t generation;
} lw_node_ref;

/** A label and its text. */
typedef struct lw_label {
    /** UTF-8. */
    struct lw_str key;
    /** UTF-8. */
    struct lw_str value;
} lw_label;

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
} lw_node_spec;

/**
 * Chooses one of `len` candidates: its index, or `LW_CHOOSE_NOBODY`, or `LW_CHOOSE_FAILED`; any other number counts as
 * failed. Only those that may be chosen are given. `key` is the request's, `data` NULL without one. All are valid during
 * the call alone. May run in several threads at once. Must return: no `longjmp`, no C++ exception may leave it.
 */
typedef int64_t (*lw_strategy_fn)(const struct lw_candidate *const *candidates,
                                  size_t len,
                                  struct lw_str key,
                                  void *user_data);

/** Told that a `user_data` is not used any more. Runs in whichever thread used it last. */
typedef void (*lw_drop_fn)(void *user_data);

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
} lw_outcome;

/** What a node says of itself, or what a host measured of it. */
typedef struct lw_load {
    /** `sizeof(lw_load)`. */
    uint32_t struct_size;
    /** Which are given: sum of `LW_NODE_HAS_LOAD` and `LW_NODE_HAS_REMAINING`. What is not stays as it was. */
    uint32_t flags;
    /** Lower is better; any unit, the same for all nodes. NaN and infinities are worst. */
    double load;
    /** The share of its quota that is left, 0.0 to 1.0. */
    double remaining_ratio;
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

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

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
 * The candidate at this moment; without latency and failures in a row. For own strategies, load and remaining ratio are
 * always known: what was reported, else what is in flight and 1.0.
 *
 * Requires:
 * `status` points to a struct of its `struct_size`.
 */
lw_status lw_candidate_status(const struct lw_candidate *candidate, struct lw_node_status *status);

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
 * Does what is due: gives up expired picks, leaves out nodes that are down, takes in those that came back. To be called
 * about once a second, by one thread. `now_ns` 0 reads the clock; `maintained` may be NULL.
 *
 * Requires:
 * `maintained` is NULL or points to a struct of its `struct_size`.
 */
lw_status lw_pool_maintain(lw_pool pool, uint64_t now_ns, struct lw_maintained *maintained);

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
 * Takes a node out. Picks that are under way on it end as usual.
 *
 * Errors: `LW_ERR_UNKNOWN_NODE`.
 *
 * Requires:
 * `id` is readable.
 */
lw_status lw_pool_deregister(lw_pool pool, struct lw_str id);

/**
 * Begins (`on` not 0) or ends draining: a draining node takes no new picks, and those under way end as usual.
 *
 * Errors: `LW_ERR_UNKNOWN_NODE`.
 *
 * Requires:
 * `id` is readable.
 */
lw_status lw_pool_drain(lw_pool pool, struct lw_str id, uint32_t on);

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
 * Makes a pool from YAML or JSON text of `len` bytes: see docs/configuration.md. `{}` is a pool without nodes.
 *
 * Errors: `LW_ERR_CONFIG` and `LW_ERR_LIMIT`; `lw_last_error` names the key and the line.
 *
 * Requires:
 * `config` has `len` bytes, `pool` is writable.
 */
lw_status lw_pool_new(const char *config, size_t len, lw_pool *pool);

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
 * Tells a node's load, for `least_load`, `p2c` with `load: reported`, and `most_available`.
 *
 * Errors: `LW_ERR_UNKNOWN_NODE`; `LW_ERR_CONFIG` for a remaining ratio outside of 0.0 to 1.0.
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
 * The name of a status, as `"LW_ERR_CONFIG"`; `"LW_UNKNOWN"` for a number that is none. The text lives as long as the
 * program.
 */
const char *lw_status_name(lw_status status);

/** What a status means, in words. The text lives as long as the program. */
const char *lw_status_text(lw_status status);

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

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* LOADWISE_H */
