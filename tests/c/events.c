/* Observers: what they are told, when they are let go, and what they may do. */
#include "check.h"

#include <stdlib.h>

enum { SEEN_MAX = 256 };

struct log {
    lw_pool pool;
    int len, dropped;
    struct {
        lw_event event;
        char id[32], added[64], removed[64], strategy[32];
    } seen[SEEN_MAX];
};

static void append(char *out, size_t size, const lw_str *ids, size_t len)
{
    out[0] = 0;
    for (size_t i = 0; i < len; i++)
        snprintf(out + strlen(out), size - strlen(out), "%.*s ", (int)ids[i].len, ids[i].data);
}

static void note(const lw_event *event, void *user_data)
{
    struct log *log = user_data;
    CHECK(event->struct_size == sizeof *event && event->at_ns > 0 && event->pool == log->pool);
    if (log->len == SEEN_MAX)
        return;
    int at = log->len++;
    log->seen[at].event = *event;
    if (event->generation)
        OK(lw_node_id(event->pool, event->node, event->generation, log->seen[at].id, sizeof log->seen[at].id, NULL));
    append(log->seen[at].added, sizeof log->seen[at].added, event->added, event->added_len);
    append(log->seen[at].removed, sizeof log->seen[at].removed, event->removed, event->removed_len);
    snprintf(log->seen[at].strategy, sizeof log->seen[at].strategy, "%.*s", (int)event->strategy.len, event->strategy.data);
}

static void drop(void *user_data)
{
    ((struct log *)user_data)->dropped++;
}

/* The first event of this kind since `from`; its place. */
static int seen(const struct log *log, int from, uint32_t kind)
{
    for (int i = from; i < log->len; i++)
        if (log->seen[i].event.kind == kind)
            return i;
    CHECK(!"an event of this kind was seen");
    return 0;
}

static void every_kind_is_told(void)
{
    struct log *log = calloc(1, sizeof *log);
    lw_pool pool = log->pool =
        pool_of("health: {failure_threshold: 2, min_success_rate: 0}\nbreaker: {consecutive_failures: 4}\n"
                "outlier: {failure_rate: 0.5, failure_min_requests: 10, max_ejected: 0.5}\npanic: {mode: spread}\n"
                "nodes: [a, b, {id: c, tier: 1}]");
    uint64_t id = 0, t = lw_now_ns();
    uint32_t was = 9;
    OK(lw_pool_observe(pool, LW_OBSERVE_SELECTIONS, note, log, drop, &id));
    CHECK(id != 0);

    lw_pick pick = pick_at(pool, t);
    int at = seen(log, 0, LW_EVENT_SELECTION);
    CHECK(!strcmp(log->seen[at].id, id_of(&pick)) && !strcmp(log->seen[at].strategy, "p2c"));
    finish_at(&pick, LW_OUTCOME_SUCCESS, t);

    lw_node_spec specs[2] = {LW_NODE_SPEC_INIT, LW_NODE_SPEC_INIT};
    specs[0].id = str("d");
    specs[1].id = str("e");
    OK(lw_pool_register_batch(pool, specs, 2, NULL));
    at = seen(log, 0, LW_EVENT_TOPOLOGY);
    CHECK(!strcmp(log->seen[at].added, "d e ") && !strcmp(log->seen[at].removed, "") && log->seen[at].event.generation == 0);
    OK(lw_pool_deregister(pool, str("d")));
    at = seen(log, at + 1, LW_EVENT_TOPOLOGY);
    CHECK(!strcmp(log->seen[at].added, "") && !strcmp(log->seen[at].removed, "d "));

    report_at(pool, "a", LW_OUTCOME_FAILURE, t);
    at = seen(log, 0, LW_EVENT_HEALTH);
    CHECK(!strcmp(log->seen[at].id, "a") && log->seen[at].event.at_ns == t);
    CHECK(log->seen[at].event.from == LW_HEALTH_HEALTHY && log->seen[at].event.to == LW_HEALTH_DEGRADED);
    for (int i = 0; i < 3; i++)
        report_at(pool, "a", LW_OUTCOME_FAILURE, t);
    at = seen(log, 0, LW_EVENT_BREAKER);
    CHECK(!strcmp(log->seen[at].id, "a") && log->seen[at].event.from == 0 && log->seen[at].event.to == 1);

    OK(lw_pool_failover(pool, str("c")));
    at = seen(log, 0, LW_EVENT_TIER);
    CHECK(log->seen[at].event.from == 0 && log->seen[at].event.to == 1 && log->seen[at].event.generation == 0);

    /* Not one observed any more. */
    OK(lw_pool_stop_observing(pool, id, &was));
    CHECK(was == 1 && log->dropped == 1);
    OK(lw_pool_stop_observing(pool, id, &was));
    CHECK(was == 0 && log->dropped == 1);
    int before = log->len;
    report_at(pool, "b", LW_OUTCOME_FAILURE, t);
    CHECK(log->len == before);
    OK(lw_pool_free(pool));
    free(log);
}

static void ejections_and_panic_are_told(void)
{
    struct log *log = calloc(1, sizeof *log);
    lw_pool pool = log->pool = pool_of("health: {failure_threshold: 200, min_success_rate: 0}\n"
                                       "outlier: {failure_rate: 0.5, failure_min_requests: 10, max_ejected: 0.5}\n"
                                       "nodes: [a, b]");
    uint64_t id = 0, t = lw_now_ns();
    OK(lw_pool_observe(pool, 0, note, log, drop, &id));
    OK(lw_pool_maintain(pool, t, NULL));
    for (int i = 0; i < 20; i++) {
        report_at(pool, "a", LW_OUTCOME_FAILURE, t + SECOND);
        report_at(pool, "b", LW_OUTCOME_SUCCESS, t + SECOND);
    }
    OK(lw_pool_maintain(pool, t + 15 * SECOND, NULL));
    int at = seen(log, 0, LW_EVENT_EJECTION);
    CHECK(!strcmp(log->seen[at].id, "a") && log->seen[at].event.to == 1);
    OK(lw_pool_maintain(pool, t + 400 * SECOND, NULL));
    at = seen(log, at + 1, LW_EVENT_EJECTION);
    CHECK(!strcmp(log->seen[at].id, "a") && log->seen[at].event.to == 0);
    OK(lw_pool_free(pool));
    CHECK(log->dropped == 1);

    log->len = 0;
    pool = log->pool = pool_of("health: {failure_threshold: 1}\npanic: {mode: spread}\nnodes: [a]");
    OK(lw_pool_observe(pool, 0, note, log, drop, &id));
    report_at(pool, "a", LW_OUTCOME_FAILURE, t);
    OK(lw_pool_maintain(pool, t, NULL));
    at = seen(log, 0, LW_EVENT_PANIC);
    CHECK(log->seen[at].event.to == 1 && log->seen[at].event.generation == 0);
    for (int i = 0; i < log->len; i++)
        CHECK(log->seen[i].event.kind != LW_EVENT_SELECTION);
    OK(lw_pool_free(pool));
    CHECK(log->dropped == 2);
    free(log);
}

/* Does what a host may do when a node goes down: looks at the nodes, takes the node out, picks, and stops observing. */
static uint64_t own_id;
static int calls;

static void take_out(const lw_event *event, void *user_data)
{
    size_t len = 0;
    lw_pick pick = LW_PICK_INIT;
    calls++;
    CHECK(user_data == &calls);
    OK(lw_pool_nodes(event->pool, NULL, 0, &len));
    if (event->kind == LW_EVENT_HEALTH && event->to == LW_HEALTH_UNHEALTHY) {
        CHECK(len == 2);
        OK(lw_pool_stop_observing(event->pool, own_id, NULL));
        OK(lw_pool_deregister(event->pool, str("a")));
        OK(lw_pool_choose(event->pool, NULL, &pick));
        CHECK(!strcmp(id_of(&pick), "b"));
    }
}

static void an_observer_may_call_the_library(void)
{
    lw_pool pool = pool_of("health: {failure_threshold: 1}\nnodes: [a, b]");
    size_t len = 0;
    OK(lw_pool_observe(pool, 0, take_out, &calls, NULL, &own_id));
    report_at(pool, "a", LW_OUTCOME_FAILURE, 0);
    OK(lw_pool_len(pool, &len));
    CHECK(calls >= 1 && len == 1);
    int before = calls;
    OK(lw_pool_deregister(pool, str("b")));
    CHECK(calls == before);
    OK(lw_pool_free(pool));
}

static void free_the_pool(const lw_event *event, void *user_data)
{
    lw_pool *pool = user_data;
    if (*pool) {
        *pool = 0;
        OK(lw_pool_free(event->pool));
    }
}

static void an_observer_may_free_its_pool(void)
{
    lw_pool pool = pool_of("nodes: [a]"), freed = pool;
    uint64_t id;
    OK(lw_pool_observe(pool, 0, free_the_pool, &freed, NULL, &id));
    OK(lw_pool_deregister(pool, str("a")));
    CHECK(freed == 0);
    STATUS(LW_ERR_CLOSED, lw_pool_deregister(pool, str("a")));
}

static void observing_wrongly(void)
{
    lw_pool pool = pool_of("nodes: [a]");
    struct log log = {.pool = pool};
    uint64_t id = 42;
    STATUS(LW_ERR_NULL_ARGUMENT, lw_pool_observe(pool, 0, NULL, &log, drop, &id));
    STATUS(LW_ERR_NULL_ARGUMENT, lw_pool_observe(pool, 0, note, &log, drop, NULL));
    STATUS(LW_ERR_INVALID_ARGUMENT, lw_pool_observe(pool, 2, note, &log, drop, &id));
    OK(lw_pool_free(pool));
    STATUS(LW_ERR_CLOSED, lw_pool_observe(pool, 0, note, &log, drop, &id));
    CHECK(log.dropped == 0 && log.len == 0 && id == 42);
}

int main(void)
{
    RUN(every_kind_is_told);
    RUN(ejections_and_panic_are_told);
    RUN(an_observer_may_call_the_library);
    RUN(an_observer_may_free_its_pool);
    RUN(observing_wrongly);
    return tests_failed != 0;
}
