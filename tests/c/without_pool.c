/* Selection over own arrays, and health of nodes that no pool knows. */
#include "check.h"

#include <math.h>

static lw_item item(const char *id, uint32_t weight, double load, double remaining)
{
    lw_item item = {str(id), weight, 0, load, remaining};
    return item;
}

static lw_selector selector_of(const char *strategy)
{
    lw_selector selector = 0;
    OK(lw_selector_new(str(strategy), &selector));
    return selector;
}

static void each_strategy_chooses_by_its_rule(void)
{
    const lw_item items[] = {item("a", 1, 3.0, 0.2), item("b", 0, 1.0, 0.9), item("c", 5, 2.0, 0.5)};
    const struct { const char *strategy; const char *may; } rules[] = {
        {"round_robin", "abc"}, {"weighted_round_robin", "ac"}, {"random", "abc"}, {"weighted_random", "ac"},
        {"least_load", "b"},    {"p2c", "bc"},                  {"ring_hash", "abc"}, {"most_available", "b"},
    };
    for (size_t r = 0; r < sizeof rules / sizeof *rules; r++) {
        lw_selector selector = selector_of(rules[r].strategy);
        int seen = 0, wanted = 0;
        for (const char *may = rules[r].may; *may; may++)
            wanted |= 1 << (*may - 'a');
        for (int i = 0; i < 500; i++) {
            size_t index = 9;
            OK(lw_select(selector, items, 3, NULL, &index));
            CHECK(index < 3);
            seen |= 1 << (index & 3);
        }
        /* Each that may be chosen has a share above 1/7: missing one in 500 has a probability below 1e-30. */
        if (seen != wanted)
            printf("# %s: %x, not %x\n", rules[r].strategy, (unsigned)seen, (unsigned)wanted);
        CHECK(seen == wanted);
        OK(lw_selector_free(selector));
    }
}

static void the_smooth_order_is_kept_over_calls(void)
{
    const lw_item items[] = {item("a", 5, 0, 1), item("b", 1, 0, 1), item("c", 1, 0, 1)};
    lw_selector selector = selector_of("weighted_round_robin");
    char order[15] = "";
    for (int i = 0; i < 14; i++) {
        size_t index = 0;
        OK(lw_select(selector, items, 3, NULL, &index));
        order[i] = (char)('a' + index);
    }
    CHECK(!strcmp(order, "aabacaaaabacaa"));
    OK(lw_selector_free(selector));
}

static void a_key_stays_with_its_id(void)
{
    const lw_item ab[] = {item("a", 1, 0, 1), item("b", 1, 0, 1), item("c", 1, 0, 1)};
    const lw_item ba[] = {item("c", 1, 0, 1), item("b", 1, 0, 1), item("a", 1, 0, 1)};
    lw_selector selector = selector_of("ring_hash");
    const char *keys[] = {"", "1", "user-17", "12345678", "something longer"};
    for (int i = 0; i < 5; i++) {
        lw_selection selection = LW_SELECTION_INIT;
        size_t first = 9, second = 9;
        selection.key = str(keys[i]);
        OK(lw_select(selector, ab, 3, &selection, &first));
        OK(lw_select(selector, ba, 3, &selection, &second));
        CHECK(first == 2 - second);
    }
    OK(lw_selector_free(selector));
}

static void exclusions_and_nothing_left(void)
{
    lw_item items[] = {item("a", 1, 1, 1), item("b", 1, NAN, 1), item("c", 1, 9, 1)};
    const size_t some[] = {0, 2, 77}, all[] = {0, 1, 2};
    lw_selector selector = selector_of("least_load"), weighted = selector_of("weighted_random");
    lw_selection selection = LW_SELECTION_INIT;
    size_t index = 42;
    selection.exclude = some;
    selection.exclude_len = 3;
    OK(lw_select(selector, items, 3, &selection, &index));
    CHECK(index == 1);
    index = 42;
    selection.exclude = all;
    STATUS(LW_NO_NODE_ALL_EXCLUDED, lw_select(selector, items, 3, &selection, &index));
    STATUS(LW_NO_NODE_EMPTY, lw_select(selector, NULL, 0, NULL, &index));
    items[0].weight = items[1].weight = items[2].weight = 0;
    STATUS(LW_NO_NODE_DRAINING, lw_select(weighted, items, 3, NULL, &index));
    CHECK(index == 42);
    STATUS(LW_ERR_CONFIG, lw_selector_new(str("maglev"), &selector));
    SAYS("round_robin");
    OK(lw_selector_free(selector));
    OK(lw_selector_free(weighted));
}

static void health_follows_what_is_reported(void)
{
    lw_health health = 0;
    lw_health_config config = LW_HEALTH_CONFIG_INIT;
    lw_health_record record = LW_HEALTH_RECORD_INIT;
    uint32_t status = 0, probe = 9, known = 9;
    config.failure_threshold = 2;
    config.recovery_successes = 1;
    config.probe_interval_ms = 1000000;
    OK(lw_health_new(&config, &health));
    OK(lw_health_status(health, str("a"), &status));
    CHECK(status == LW_HEALTH_HEALTHY);
    OK(lw_health_get(health, str("a"), &record));
    CHECK(record.since_failure_ns == UINT64_MAX && record.since_success_ns == UINT64_MAX);
    OK(lw_health_report(health, str("a"), LW_OUTCOME_FAILURE));
    OK(lw_health_report(health, str("a"), LW_OUTCOME_RATE_LIMITED));
    OK(lw_health_report(health, str("a"), LW_OUTCOME_CANCELLED));
    OK(lw_health_status(health, str("a"), &status));
    CHECK(status == LW_HEALTH_DEGRADED);
    OK(lw_health_report(health, str("a"), LW_OUTCOME_FAILURE));
    OK(lw_health_get(health, str("a"), &record));
    CHECK(record.health == LW_HEALTH_UNHEALTHY && record.consecutive_failures == 2);
    CHECK(record.since_failure_ns < UINT64_MAX && record.since_success_ns == UINT64_MAX);
    OK(lw_health_should_probe(health, str("a"), &probe));
    CHECK(probe == 0);
    OK(lw_health_report(health, str("a"), LW_OUTCOME_SUCCESS));
    OK(lw_health_status(health, str("a"), &status));
    CHECK(status == LW_HEALTH_HEALTHY);
    STATUS(LW_ERR_INVALID_ARGUMENT, lw_health_report(health, str("a"), 0));
    OK(lw_health_forget(health, str("a"), &known));
    CHECK(known == 1);
    OK(lw_health_forget(health, str("a"), &known));
    CHECK(known == 0);
    OK(lw_health_free(health));
}

static void an_unhealthy_node_is_probed_after_its_rest(void)
{
    lw_health health = 0;
    lw_health_config config = LW_HEALTH_CONFIG_INIT;
    uint32_t probe = 0;
    config.failure_threshold = 1;
    config.probe_interval_ms = 1;
    OK(lw_health_new(&config, &health));
    OK(lw_health_should_probe(health, str("a"), &probe));
    CHECK(probe == 0);
    OK(lw_health_report(health, str("a"), LW_OUTCOME_FAILURE));
    uint64_t start = lw_now_ns();
    while (lw_now_ns() - start < 2000000)
        ;
    OK(lw_health_should_probe(health, str("a"), &probe));
    CHECK(probe == 1);
    OK(lw_health_free(health));
}

int main(void)
{
    RUN(each_strategy_chooses_by_its_rule);
    RUN(the_smooth_order_is_kept_over_calls);
    RUN(a_key_stays_with_its_id);
    RUN(exclusions_and_nothing_left);
    RUN(health_follows_what_is_reported);
    RUN(an_unhealthy_node_is_probed_after_its_rest);
    return tests_failed != 0;
}
