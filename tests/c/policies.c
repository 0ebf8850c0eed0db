/* What keeps traffic safe, as a host in C sees it: each policy of a configuration, and what it makes of bad input. */
#include "check.h"

#include <math.h>
#include <stdlib.h>

static uint64_t T; /* when the test began */

static void failing_nodes_are_probed_by_one(void)
{
    lw_pool pool = pool_of("seed: 1\nhealth: {failure_threshold: 1, probe_interval_ms: 10000}\nnodes: [a, b]");
    report_at(pool, "a", LW_OUTCOME_FAILURE, T);
    lw_node_status a = status_of(pool, "a");
    CHECK(a.health == LW_HEALTH_UNHEALTHY && (a.flags & LW_NODE_AVAILABLE) == 0 && a.hold_until_ns > T);
    report_at(pool, "b", LW_OUTCOME_SUCCESS, T);
    lw_node_status b = status_of(pool, "b");
    CHECK(b.flags & LW_NODE_AVAILABLE && b.hold_until_ns == 0);
    CHECK(b.flags & LW_NODE_HAS_SUCCESS_RATE && b.success_rate == 1.0);
    CHECK(all_go_to(pool, "b", T + SECOND));

    /* When its time is over, one pick tries it; the others stay away while that one is under way. */
    uint64_t later = T + 60 * SECOND;
    lw_pick probe = pick_at(pool, later);
    CHECK(!strcmp(id_of(&probe), "a"));
    CHECK(all_go_to(pool, "b", later));
    finish_at(&probe, LW_OUTCOME_SUCCESS, later);
    CHECK(status_of(pool, "a").health == LW_HEALTH_RECOVERING);
    OK(lw_pool_free(pool));
}

static void a_breaker_opens_and_closes(void)
{
    lw_pool pool = pool_of("health: {failure_threshold: 200, min_success_rate: 0}\n"
                           "breaker: {consecutive_failures: 3, open_ms: 5000, half_open_successes: 1}\nnodes: [a, b]");
    CHECK(status_of(pool, "a").breaker == LW_BREAKER_CLOSED);
    for (int i = 0; i < 3; i++)
        report_at(pool, "a", LW_OUTCOME_FAILURE, T);
    lw_node_status a = status_of(pool, "a");
    CHECK(a.breaker == LW_BREAKER_OPEN && (a.flags & LW_NODE_AVAILABLE) == 0 && a.hold_until_ns > T);
    CHECK(all_go_to(pool, "b", T + SECOND));
    lw_pick probe = pick_at(pool, T + 30 * SECOND);
    CHECK(!strcmp(id_of(&probe), "a"));
    finish_at(&probe, LW_OUTCOME_SUCCESS, T + 30 * SECOND);
    a = status_of(pool, "a");
    CHECK(a.breaker == LW_BREAKER_CLOSED && a.flags & LW_NODE_AVAILABLE);
    OK(lw_pool_free(pool));
}

static void outliers_are_ejected_and_taken_back(void)
{
    lw_pool pool = pool_of("health: {failure_threshold: 200, min_success_rate: 0}\n"
                           "outlier: {failure_rate: 0.5, failure_min_requests: 10, ejection_ms: 20000, max_ejected: 0.5}\n"
                           "nodes: [a, b, c]");
    OK(lw_pool_maintain(pool, T, NULL));
    for (int i = 0; i < 20; i++) {
        report_at(pool, "a", LW_OUTCOME_FAILURE, T + SECOND);
        report_at(pool, "b", LW_OUTCOME_SUCCESS, T + SECOND);
        report_at(pool, "c", LW_OUTCOME_SUCCESS, T + SECOND);
    }
    OK(lw_pool_maintain(pool, T + 15 * SECOND, NULL));
    CHECK(status_of(pool, "a").flags & LW_NODE_EJECTED && (status_of(pool, "b").flags & LW_NODE_EJECTED) == 0);
    lw_str others[2] = {str("b"), str("c")};
    lw_request request = request_at(T + 16 * SECOND);
    lw_pick pick = LW_PICK_INIT;
    request.exclude = others;
    request.exclude_len = 2;
    STATUS(LW_NO_NODE_UNHEALTHY, lw_pool_pick(pool, &request, &pick));
    OK(lw_pool_maintain(pool, T + 100 * SECOND, NULL));
    CHECK((status_of(pool, "a").flags & LW_NODE_EJECTED) == 0);
    OK(lw_pool_free(pool));
}

static void in_panic_traffic_is_spread_if_told_so(void)
{
    const char *modes[] = {"fail", "spread"};
    for (int spread = 0; spread < 2; spread++) {
        char config[128];
        snprintf(config, sizeof config, "{health: {failure_threshold: 1}, panic: {mode: %s}, nodes: [a, b]}", modes[spread]);
        lw_pool pool = pool_of(config);
        lw_pick pick = LW_PICK_INIT;
        lw_request request = request_at(T);
        report_at(pool, "a", LW_OUTCOME_FAILURE, T);
        report_at(pool, "b", LW_OUTCOME_FAILURE, T);
        OK(lw_pool_maintain(pool, T, NULL));
        lw_status status = lw_pool_pick(pool, &request, &pick);
        CHECK(status == (spread ? LW_OK : LW_NO_NODE_UNHEALTHY));
        if (!spread) {
            lw_no_node why = LW_NO_NODE_INIT;
            OK(lw_last_no_node(&why));
            CHECK(why.retry_at_ns > T);
        }
        OK(lw_pool_free(pool));
    }
}

static void backups_take_over_and_give_back(void)
{
    lw_pool pool = pool_of("health: {failure_threshold: 1}\ntiers: {failback_ms: 30000}\nnodes: [a]");
    lw_node_spec spec = LW_NODE_SPEC_INIT;
    spec.id = str("b");
    spec.tier = 1;
    OK(lw_pool_register(pool, &spec, NULL));
    CHECK(status_of(pool, "a").tier == 0 && status_of(pool, "b").tier == 1);
    CHECK(all_go_to(pool, "a", T));

    /* By hand. */
    OK(lw_pool_failover(pool, str("b")));
    CHECK(all_go_to(pool, "b", T));
    uint32_t was = 9;
    OK(lw_pool_reset_failover(pool, &was));
    CHECK(was == 1);
    OK(lw_pool_reset_failover(pool, NULL));
    OK(lw_pool_reset_failover(pool, &was));
    CHECK(was == 0);
    STATUS(LW_ERR_UNKNOWN_NODE, lw_pool_failover(pool, str("z")));

    /* By itself. */
    lw_pool other = pool_of("health: {failure_threshold: 1}\nnodes: [a, {id: b, tier: 7}]");
    report_at(other, "a", LW_OUTCOME_FAILURE, T);
    CHECK(all_go_to(other, "b", T + SECOND));
    OK(lw_pool_free(other));
    OK(lw_pool_free(pool));
}

static void zones_keep_traffic_near(void)
{
    lw_pool pool = pool_of("strategy: random\nzones: {zone: here}\nnodes: [{id: a, zone: here}]");
    lw_node_spec spec = LW_NODE_SPEC_INIT;
    lw_node_ref b = {0, 0};
    lw_pick pick = LW_PICK_INIT;
    char zone[64] = "";
    spec.id = str("b");
    spec.zone = str("there");
    OK(lw_pool_register(pool, &spec, &b));
    OK(lw_node_zone(pool, b.node, b.generation, zone, sizeof zone, NULL));
    CHECK(!strcmp(zone, "there"));
    CHECK(all_go_to(pool, "a", T));
    lw_request request = request_at(T);
    request.zone = str("there");
    for (int i = 0; i < 50; i++) {
        OK(lw_pool_choose(pool, &request, &pick));
        CHECK(!strcmp(id_of(&pick), "b"));
    }
    /* A zone that nobody is in: any node. */
    request.zone = str("nowhere");
    OK(lw_pool_choose(pool, &request, &pick));
    OK(lw_pool_deregister(pool, str("b")));
    STATUS(LW_ERR_UNKNOWN_NODE, lw_node_zone(pool, b.node, b.generation, zone, sizeof zone, NULL));
    OK(lw_pool_free(pool));
}

static void newcomers_warm_up(void)
{
    lw_pool pool = pool_of("strategy: random\nseed: 1\nslow_start: {duration_ms: 3600000}\nnodes: [a]");
    lw_node_spec spec = LW_NODE_SPEC_INIT;
    spec.id = str("b");
    OK(lw_pool_register(pool, &spec, NULL));
    CHECK(status_of(pool, "a").warming == 1.0 && status_of(pool, "b").warming < 0.2);
    int b = 0;
    for (int i = 0; i < 1000; i++) {
        lw_pick pick = pick_at(pool, lw_now_ns());
        b += id_of(&pick)[0] == 'b';
        finish_at(&pick, LW_OUTCOME_SUCCESS, lw_now_ns());
    }
    /* About 9 % of the picks; warm, it would be half. */
    CHECK(b > 20 && b < 250);
    OK(lw_pool_free(pool));
}

static void splits_send_a_share(void)
{
    const struct { const char *share; int least, most; } splits[] = {{"0.0", 0, 0}, {"0.2", 120, 280}, {"1.0", 1000, 1000}};
    for (int i = 0; i < 3; i++) {
        char config[256];
        snprintf(config, sizeof config,
                 "{strategy: random, seed: 7, splits: [{labels: {version: v2}, share: %s}],"
                 " nodes: [{id: a}, {id: b, labels: {version: v2}}]}", splits[i].share);
        lw_pool pool = pool_of(config);
        int b = 0;
        for (int j = 0; j < 1000; j++) {
            lw_pick pick = pick_at(pool, T);
            b += id_of(&pick)[0] == 'b';
            finish_at(&pick, LW_OUTCOME_SUCCESS, T);
        }
        CHECK(b >= splits[i].least && b <= splits[i].most);
        OK(lw_pool_free(pool));
    }
}

static void sessions_stay(void)
{
    lw_pool pool = pool_of("strategy: random\naffinity: {ttl_ms: 60000}\nnodes: [a, b, c]");
    lw_request request = request_at(T);
    lw_pick pick = LW_PICK_INIT;
    lw_node_ref node = {9, 9};
    uint32_t known = 9;
    char first[256];
    OK(lw_pool_affinity(pool, str("user-17"), T, &node, &known));
    CHECK(known == 0 && node.node == 9);
    request.session = str("user-17");
    OK(lw_pool_pick(pool, &request, &pick));
    strcpy(first, id_of(&pick));
    finish_at(&pick, LW_OUTCOME_SUCCESS, T);
    for (int i = 0; i < 50; i++) {
        OK(lw_pool_pick(pool, &request, &pick));
        CHECK(!strcmp(id_of(&pick), first));
        finish_at(&pick, LW_OUTCOME_SUCCESS, T);
    }
    OK(lw_pool_affinity(pool, str("user-17"), T, &node, &known));
    CHECK(known == 1 && node.node == pick.node && node.generation == pick.generation);
    /* A draining node takes its sessions still, and nobody else. */
    OK(lw_pool_drain(pool, str(first), 1));
    OK(lw_pool_pick(pool, &request, &pick));
    CHECK(!strcmp(id_of(&pick), first));
    finish_at(&pick, LW_OUTCOME_SUCCESS, T);
    OK(lw_pool_drain(pool, str(first), 0));
    OK(lw_pool_clear_affinity(pool, str("user-17"), &known));
    CHECK(known == 1);
    OK(lw_pool_clear_affinity(pool, str("user-17"), &known));
    CHECK(known == 0);
    OK(lw_pool_clear_affinity(pool, str("user-17"), NULL));

    OK(lw_pool_set_affinity(pool, str("user-18"), str("c"), T));
    request.session = str("user-18");
    OK(lw_pool_pick(pool, &request, &pick));
    CHECK(!strcmp(id_of(&pick), "c"));
    finish_at(&pick, LW_OUTCOME_SUCCESS, T);
    OK(lw_pool_affinity(pool, str("user-18"), T + 61 * SECOND, &node, &known));
    CHECK(known == 0);
    STATUS(LW_ERR_UNKNOWN_NODE, lw_pool_set_affinity(pool, str("user-18"), str("z"), T));
    lw_pool without = pool_of("nodes: [a]");
    STATUS(LW_ERR_CONFIG, lw_pool_set_affinity(without, str("user-18"), str("a"), T));
    OK(lw_pool_affinity(without, str("user-18"), T, &node, &known));
    CHECK(known == 0);
    OK(lw_pool_free(without));
    OK(lw_pool_free(pool));
}

static void sessions_move_to_newcomers_when_told(void)
{
    lw_pool pool = pool_of("affinity: {rebalance: manual}\nnodes: [a]");
    lw_node_spec spec = LW_NODE_SPEC_INIT;
    uint64_t moved = 9;
    char session[32];
    for (int i = 0; i < 1000; i++) {
        snprintf(session, sizeof session, "user-%d", i);
        OK(lw_pool_set_affinity(pool, str(session), str("a"), T));
    }
    OK(lw_pool_rebalance(pool, T, &moved));
    CHECK(moved == 0);
    spec.id = str("b");
    OK(lw_pool_register(pool, &spec, NULL));
    OK(lw_pool_rebalance(pool, T, &moved));
    /* Half of them, by a coin of their keys. */
    CHECK(moved > 400 && moved < 600);
    OK(lw_pool_rebalance(pool, 0, NULL));
    OK(lw_pool_free(pool));
}

static void limits_saturate(void)
{
    lw_pool pool = pool_of("max_in_flight: 3\nnodes: [{id: a, max_in_flight: 1}]");
    lw_pick picks[3], none = LW_PICK_INIT;
    lw_node_spec spec = LW_NODE_SPEC_INIT;
    lw_request request = request_at(T);
    picks[0] = pick_at(pool, T);
    STATUS(LW_NO_NODE_SATURATED, lw_pool_pick(pool, &request, &none));
    spec.id = str("b");
    spec.max_in_flight = 5;
    OK(lw_pool_register(pool, &spec, NULL));
    CHECK(status_of(pool, "a").max_in_flight == 1 && status_of(pool, "b").max_in_flight == 5);
    picks[1] = pick_at(pool, T);
    picks[2] = pick_at(pool, T);
    CHECK(!strcmp(id_of(&picks[2]), "b"));
    STATUS(LW_NO_NODE_SATURATED, lw_pool_pick(pool, &request, &none));
    for (int i = 0; i < 3; i++)
        finish_at(&picks[i], LW_OUTCOME_SUCCESS, T);
    OK(lw_pool_free(pool));

    pool = pool_of("adaptive_limit: {initial: 2, min: 2, max: 2}\nnodes: [a]");
    picks[0] = pick_at(pool, T);
    picks[1] = pick_at(pool, T);
    STATUS(LW_NO_NODE_SATURATED, lw_pool_pick(pool, &request, &none));
    OK(lw_pool_free(pool));
}

/* A pick that is expected to cost so many tokens. */
static lw_status pick_for(lw_pool pool, uint64_t tokens, const char *dimension, lw_pick *pick)
{
    static const lw_pick empty = LW_PICK_INIT;
    lw_amount cost = {str(dimension), tokens};
    lw_request request = request_at(T);
    request.cost = &cost;
    request.cost_len = 1;
    *pick = empty;
    return lw_pool_pick(pool, &request, pick);
}

static void quotas_are_reserved_and_settled(void)
{
    lw_pool pool = pool_of("quotas: [{dimension: tokens, limit: 100}]\nnodes: [a]");
    lw_pick pick, other;
    lw_no_node why = LW_NO_NODE_INIT;
    OK(pick_for(pool, 60, "tokens", &pick));
    STATUS(LW_NO_NODE_RATE_LIMITED, pick_for(pool, 60, "tokens", &other));
    OK(lw_last_no_node(&why));
    CHECK(why.status == LW_NO_NODE_RATE_LIMITED && why.retry_at_ns > T);

    /* It used less than was expected. */
    lw_amount used = {str("tokens"), 10};
    lw_outcome outcome = outcome_of(LW_OUTCOME_SUCCESS);
    outcome.usage = &used;
    outcome.usage_len = 1;
    outcome.now_ns = T;
    OK(lw_pick_finish(&pick, &outcome));
    OK(pick_for(pool, 90, "tokens", &pick));
    finish_at(&pick, LW_OUTCOME_CANCELLED, T);
    OK(pick_for(pool, 90, "tokens", &pick));
    finish_at(&pick, LW_OUTCOME_SUCCESS, T);
    STATUS(LW_NO_NODE_RATE_LIMITED, pick_for(pool, 1, "tokens", &other));
    /* More than there ever is, and what nobody counts. */
    STATUS(LW_NO_NODE_RATE_LIMITED, pick_for(pool, UINT64_MAX, "tokens", &other));
    lw_amount free_of_charge[2] = {{str("tokens"), 0}, {str("unknown"), UINT64_MAX}};
    lw_request request = request_at(T);
    request.cost = free_of_charge;
    request.cost_len = 2;
    OK(lw_pool_pick(pool, &request, &pick));
    finish_at(&pick, LW_OUTCOME_SUCCESS, T);
    OK(lw_pool_free(pool));
}

static void nodes_have_quotas_of_their_own(void)
{
    lw_pool pool = pool_of("quotas: [{dimension: tokens, limit: 100}]");
    lw_node_spec spec = LW_NODE_SPEC_INIT;
    lw_amount own[2] = {{str("tokens"), 1000}, {str("tokens"), 2000}}, unknown = {str("unknown"), 1};
    lw_pick pick;
    spec.id = str("a");
    spec.quotas = own;
    spec.quotas_len = 2;
    STATUS(LW_ERR_CONFIG, lw_pool_register(pool, &spec, NULL));
    SAYS("twice");
    spec.quotas = &unknown;
    spec.quotas_len = 1;
    STATUS(LW_ERR_CONFIG, lw_pool_register(pool, &spec, NULL));
    SAYS("unknown");
    spec.quotas = own;
    OK(lw_pool_register(pool, &spec, NULL));
    OK(pick_for(pool, 1000, "tokens", &pick));
    STATUS(LW_NO_NODE_RATE_LIMITED, pick_for(pool, 1, "tokens", &pick));
    OK(lw_pool_free(pool));
}

static void a_server_that_asks_for_less_gets_less(void)
{
    lw_pool pool = pool_of("nodes: [a]");
    lw_pick pick = pick_at(pool, T), none = LW_PICK_INIT;
    lw_outcome limited = outcome_of(LW_OUTCOME_RATE_LIMITED);
    lw_request request = request_at(T);
    lw_no_node why = LW_NO_NODE_INIT;
    limited.now_ns = T;
    limited.retry_after_ns = 365 * 86400 * SECOND;
    OK(lw_pick_finish(&pick, &limited));
    STATUS(LW_NO_NODE_RATE_LIMITED, lw_pool_pick(pool, &request, &none));
    OK(lw_last_no_node(&why));
    /* A year is cut to five minutes. */
    CHECK(why.retry_at_ns > T && why.retry_at_ns <= T + 301 * SECOND);
    request.now_ns = T + 301 * SECOND;
    OK(lw_pool_pick(pool, &request, &pick));
    CHECK(status_of(pool, "a").health == LW_HEALTH_HEALTHY);
    OK(lw_pool_free(pool));
}

static void late_outcomes_change_no_health(void)
{
    lw_pool pool = pool_of("health: {failure_threshold: 1, recovery_successes: 1}\nnodes: [a, b]");
    lw_node_spec spec = LW_NODE_SPEC_INIT;
    lw_str b = str("b");
    lw_request request = request_at(T);
    lw_pick before = LW_PICK_INIT;
    request.exclude = &b;
    request.exclude_len = 1;
    OK(lw_pool_pick(pool, &request, &before));
    report_at(pool, "a", LW_OUTCOME_FAILURE, T);
    /* It began before the node went down: its success does not bring it back. */
    finish_at(&before, LW_OUTCOME_SUCCESS, T);
    CHECK(status_of(pool, "a").health == LW_HEALTH_UNHEALTHY);

    before = pick_at(pool, T);
    CHECK(!strcmp(id_of(&before), "b"));
    OK(lw_pool_deregister(pool, b));
    spec.id = b;
    OK(lw_pool_register(pool, &spec, NULL));
    finish_at(&before, LW_OUTCOME_FAILURE, T);
    CHECK(status_of(pool, "b").health == LW_HEALTH_HEALTHY);
    OK(lw_pool_free(pool));
}

static void servers_tell_their_load(void)
{
    lw_pool pool = pool_of("strategy: reported_load\nseed: 1\nnodes: [a, b]");
    lw_load load = LW_LOAD_INIT;
    load.flags = LW_LOAD_HAS_REQUESTS | LW_LOAD_HAS_UTILIZATION | LW_LOAD_HAS_ERRORS;
    load.requests_per_s = 100;
    for (int i = 0; i < 30; i++) {
        load.now_ns = T + (uint64_t)i * SECOND;
        load.utilization = 0.9;
        OK(lw_pool_report_load(pool, str("a"), &load));
        load.utilization = 0.1;
        OK(lw_pool_report_load(pool, str("b"), &load));
    }
    OK(lw_pool_maintain(pool, T + 30 * SECOND, NULL));
    int b = 0;
    for (int i = 0; i < 1000; i++) {
        lw_pick pick = pick_at(pool, T + 30 * SECOND);
        b += id_of(&pick)[0] == 'b';
        finish_at(&pick, LW_OUTCOME_SUCCESS, T + 30 * SECOND);
    }
    /* 100/0.1 to 100/0.9 are nine to one. */
    CHECK(b > 800);
    const double wrong[] = {NAN, INFINITY, -1.0};
    for (int i = 0; i < 3; i++) {
        load.requests_per_s = wrong[i];
        STATUS(LW_ERR_CONFIG, lw_pool_report_load(pool, str("a"), &load));
        SAYS("requests_per_s");
    }
    load.requests_per_s = 1;
    STATUS(LW_ERR_UNKNOWN_NODE, lw_pool_report_load(pool, str("z"), &load));
    OK(lw_pool_free(pool));
}

static void new_strategies_choose(void)
{
    const char *strategies[] = {"adaptive", "fastest", "{name: fastest, class_ms: 5}", "reported_load",
                                "{name: reported_load, blackout_ms: 0, expiry_ms: 1000}"};
    lw_pool pool = pool_of("nodes: [a, b, c]");
    for (size_t i = 0; i < sizeof strategies / sizeof *strategies; i++) {
        OK(lw_pool_set_strategy(pool, str(strategies[i])));
        for (int j = 0; j < 100; j++) {
            lw_pick pick = pick_at(pool, T);
            finish_at(&pick, j % 7 ? LW_OUTCOME_SUCCESS : LW_OUTCOME_CANCELLED, T);
        }
    }
    STATUS(LW_ERR_CONFIG, lw_pool_set_strategy(pool, str("{name: fastest, class_ms: 0}")));
    SAYS("class_ms");
    OK(lw_pool_free(pool));
}

static void policies_that_cannot_be(void)
{
    const struct { const char *config, *says; } wrong[] = {
        {"health: {failure_threshold: 0}", "failure_threshold"},
        {"health: {window_ms: 0}", "window_ms"},
        {"health: {min_success_rate: .nan}", "min_success_rate"},
        {"health: {min_success_rate: 1.5}", "min_success_rate"},
        {"breaker: {consecutive_failures: -1}", "consecutive_failures"},
        {"breaker: {failure_rate: 2}", "failure_rate"},
        {"breaker: open", "breaker"},
        {"outlier: {max_ejected: 1.1}", "max_ejected"},
        {"outlier: {sweep_interval_ms: 0}", "sweep_interval_ms"},
        {"panic: {mode: run}", "mode"},
        {"panic: {threshold: 1.5}", "threshold"},
        {"tiers: {overprovisioning: 0.5}", "overprovisioning"},
        {"nodes: [{id: a, tier: 8}]", "tier"},
        {"nodes: [{id: a, tier: -1}]", "tier"},
        {"zones: {min_nodes: 0}", "min_nodes"},
        {"slow_start: {aggression: 0}", "aggression"},
        {"slow_start: {min_weight: .nan}", "min_weight"},
        {"splits: [{labels: {v: 2}, share: 1.1}]", "share"},
        {"splits: [{labels: {v: 1}, share: 0.6}, {labels: {v: 2}, share: 0.6}]", "splits"},
        {"affinity: {entries: 1}", "entries"},
        {"affinity: {rebalance: later}", "rebalance"},
        {"adaptive_limit: {min: 5, max: 4}", "adaptive_limit"},
        {"quotas: [{dimension: a, limit: 1, window_ms: 0}]", "window_ms"},
        {"quotas: [{dimension: a, limit: 1}, {dimension: a, limit: 1}]", "quotas"},
        {"quotas: [{limit: 1}]", "dimension"},
        {"nodes: [{id: a, quotas: {unknown: 1}}]", "unknown"},
        {"retry: {max_attempts: 0}", "max_attempts"},
        {"retry: {budget_share: 1.01}", "budget_share"},
        {"checks: {jitter: 2}", "jitter"},
        {"checks: {timeout_ms: 0}", "timeout_ms"},
        {"stats: {latency: all}", "latency"},
        {"acquire_queue: 65537", "acquire_queue"},
        {"max_in_flight: many", "max_in_flight"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        lw_pool pool = 42;
        STATUS(LW_ERR_CONFIG, lw_pool_new(wrong[i].config, strlen(wrong[i].config), &pool));
        SAYS(wrong[i].says);
        CHECK(pool == 42);
    }
    lw_pool pool = pool_of("nodes: [a]");
    lw_node_spec spec = LW_NODE_SPEC_INIT;
    char zone[65];
    memset(zone, 'z', sizeof zone);
    spec.id = str("b");
    spec.tier = 8;
    STATUS(LW_ERR_CONFIG, lw_pool_register(pool, &spec, NULL));
    SAYS("tier");
    spec.tier = UINT32_MAX;
    STATUS(LW_ERR_CONFIG, lw_pool_register(pool, &spec, NULL));
    spec.tier = 7;
    spec.zone.data = zone;
    spec.zone.len = 64;
    STATUS(LW_ERR_CONFIG, lw_pool_register(pool, &spec, NULL));
    SAYS("zone");
    spec.zone.len = 63;
    OK(lw_pool_register(pool, &spec, NULL));
    OK(lw_pool_free(pool));
}

int main(void)
{
    T = lw_now_ns();
    RUN(failing_nodes_are_probed_by_one);
    RUN(a_breaker_opens_and_closes);
    RUN(outliers_are_ejected_and_taken_back);
    RUN(in_panic_traffic_is_spread_if_told_so);
    RUN(backups_take_over_and_give_back);
    RUN(zones_keep_traffic_near);
    RUN(newcomers_warm_up);
    RUN(splits_send_a_share);
    RUN(sessions_stay);
    RUN(sessions_move_to_newcomers_when_told);
    RUN(limits_saturate);
    RUN(quotas_are_reserved_and_settled);
    RUN(nodes_have_quotas_of_their_own);
    RUN(a_server_that_asks_for_less_gets_less);
    RUN(late_outcomes_change_no_health);
    RUN(servers_tell_their_load);
    RUN(new_strategies_choose);
    RUN(policies_that_cannot_be);
    return tests_failed != 0;
}
