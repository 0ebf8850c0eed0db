/* Looking inside a pool, and what it advises: figures, metrics, checks that are due, retries, plans. */
#include "check.h"

#include <stdlib.h>

static char text[1 << 18];

static void figures_are_told_as_json(void)
{
    lw_pool pool = pool_of("stats: {latency: nodes}\nquotas: [{dimension: tokens, limit: 100}]\nnodes: [a, b]");
    uint64_t t = lw_now_ns();
    size_t len = 0, told = 0;
    for (int i = 0; i < 4; i++) {
        lw_pick pick = pick_at(pool, t);
        finish_at(&pick, i ? LW_OUTCOME_SUCCESS : LW_OUTCOME_FAILURE, t);
    }
    lw_pick open = pick_at(pool, t);
    OK(lw_pool_stats(pool, t, text, sizeof text, &len));
    CHECK(len == strlen(text) && text[0] == '{');
    HAS(text, "\"name\": \"default\"");
    HAS(text, "\"strategy\": \"p2c\"");
    HAS(text, "\"selections\": 5");
    HAS(text, "\"successes\": 3");
    HAS(text, "\"failures\": 1");
    HAS(text, "\"in_flight\": 1");
    HAS(text, "\"p99_ms\": ");
    HAS(text, "\"dimension\": \"tokens\"");
    HAS(text, "\"id\": \"b\"");
    OK(lw_pool_stats(pool, t, NULL, 0, &told));
    CHECK(told == len);
    strcpy(text, "keep");
    STATUS(LW_ERR_BUFFER_TOO_SMALL, lw_pool_stats(pool, t, text, len, &told));
    CHECK(told == len && !strcmp(text, "keep"));
    OK(lw_pool_stats(pool, 0, text, told + 1, NULL));
    finish_at(&open, LW_OUTCOME_SUCCESS, t);
    OK(lw_pool_free(pool));
}

static void metrics_are_told_in_both_formats(void)
{
    lw_pool pool = pool_of("nodes: [{id: 'odd \"id\"'}]");
    lw_pick pick = pick_at(pool, 0);
    size_t len = 0;
    OK(lw_pool_metrics(pool, LW_METRICS_PROMETHEUS, text, sizeof text, &len));
    CHECK(len == strlen(text));
    HAS(text, "# TYPE loadwise_");
    HAS(text, "odd \\\"id\\\"");
    CHECK(!strstr(text, "# EOF"));
    OK(lw_pool_metrics(pool, LW_METRICS_OPENMETRICS, text, sizeof text, &len));
    CHECK(len > 6 && !strcmp(text + len - 6, "# EOF\n"));
    STATUS(LW_ERR_INVALID_ARGUMENT, lw_pool_metrics(pool, 0, text, sizeof text, NULL));
    STATUS(LW_ERR_INVALID_ARGUMENT, lw_pool_metrics(pool, 3, text, sizeof text, NULL));
    STATUS(LW_ERR_BUFFER_TOO_SMALL, lw_pool_metrics(pool, LW_METRICS_PROMETHEUS, text, 10, &len));
    CHECK(len > 10);
    finish_at(&pick, LW_OUTCOME_CANCELLED, 0);
    OK(lw_pool_free(pool));
}

static void a_configuration_is_checked_without_a_pool(void)
{
    static const char config[] = "strategy: maglev\nnodes: [a, {id: b, weight: 3}]\nchecks: true";
    static const char wrong[] = "nodes: [a]\nhealth: {window_ms: 1}";
    static char whole[1 << 14], again[1 << 14];
    lw_pool pool = 0;
    size_t len = 0, told = 0;
    OK(lw_config_check(config, sizeof config - 1, whole, sizeof whole, &len));
    CHECK(len == strlen(whole));
    HAS(whole, "\"name\": \"maglev\"");
    HAS(whole, "\"weight\": 3");
    HAS(whole, "\"success_threshold\": 2");
    CHECK(!strstr(whole, "\"version\""));

    /* It is a configuration again, the same one. */
    OK(lw_config_check(whole, len, again, sizeof again, NULL));
    CHECK(!strcmp(whole, again));
    OK(lw_pool_new(whole, len, &pool));
    OK(lw_pool_len(pool, &told));
    CHECK(told == 2);
    OK(lw_pool_free(pool));

    OK(lw_config_check(config, sizeof config - 1, NULL, 0, &told));
    CHECK(told == len);
    STATUS(LW_ERR_BUFFER_TOO_SMALL, lw_config_check(config, sizeof config - 1, again, len, NULL));
    STATUS(LW_ERR_CONFIG, lw_config_check(wrong, sizeof wrong - 1, again, sizeof again, NULL));
    SAYS("line 2: health.window_ms");
    CHECK(!strcmp(whole, again));
    STATUS(LW_ERR_NULL_ARGUMENT, lw_config_check(NULL, 1, again, sizeof again, NULL));
}

static void a_pool_has_a_name_and_a_version(void)
{
    lw_pool pool = pool_of("{}");
    uint64_t version = 0;
    OK(lw_pool_name(pool, text, sizeof text, NULL));
    CHECK(!strcmp(text, "default"));
    OK(lw_pool_config_version(pool, &version));
    CHECK(version == 1);
    STATUS(LW_ERR_NULL_ARGUMENT, lw_pool_config_version(pool, NULL));
    OK(lw_pool_free(pool));
}

static void configurations_are_replaced_and_read_back(void)
{
    lw_pool pool = pool_of("strategy: p2c\nnodes: [a, b]");
    lw_outcome success = outcome_of(LW_OUTCOME_SUCCESS);
    lw_pick pick = pick_at(pool, 0);
    uint64_t version = 0;
    const char next[] = "strategy: maglev\nbreaker: true\nnodes: [{id: a, weight: 3}, c]";
    report_at(pool, "a", LW_OUTCOME_FAILURE, 0);
    OK(lw_pool_reload(pool, next, strlen(next)));
    OK(lw_pool_config_version(pool, &version));
    CHECK(version == 2 && status_of(pool, "a").weight == 3 && status_of(pool, "a").consecutive_failures == 1);
    OK(lw_pick_finish(&pick, &success));
    OK(lw_pool_config(pool, text, sizeof text, NULL));
    HAS(text, "\"name\": \"maglev\"");
    HAS(text, "\"consecutive_failures\": 5");
    HAS(text, "\"drain_timeout_ms\": 5000");
    HAS(text, "\"id\": \"c\"");
    HAS(text, "\"version\": 2");
    const struct { const char *config, *says; } wrong[] = {
        {"nodes: [a, a]", "nodes"}, {"strategy: best", "best"}, {"seed: 5", "seed"},
        {"limits: {max_nodes: 5}", "limits.max_nodes"}, {"breaker: {open_ms: 0}", "open_ms"}, {"[", "line 1"}};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        STATUS(LW_ERR_CONFIG, lw_pool_reload(pool, wrong[i].config, strlen(wrong[i].config)));
        SAYS(wrong[i].says);
    }
    STATUS(LW_ERR_NULL_ARGUMENT, lw_pool_reload(pool, NULL, 2));
    OK(lw_pool_config_version(pool, &version));
    CHECK(version == 2);
    /* What it tells of itself, it takes. */
    lw_pool other = pool_of("{}");
    OK(lw_pool_reload(other, text, strlen(text)));
    CHECK(status_of(other, "a").weight == 3);
    OK(lw_pool_free(other));
    OK(lw_pool_new(text, strlen(text), &other));
    CHECK(status_of(other, "a").weight == 3);
    OK(lw_pool_config_version(other, &version));
    CHECK(version == 1);
    OK(lw_pool_free(other));
    OK(lw_pool_reload(pool, text, strlen(text)));
    OK(lw_pool_free(pool));
}

static void nodes_are_found_by_their_labels(void)
{
    lw_pool pool = pool_of("nodes:\n  - {id: a, labels: {region: eu, version: v1}}\n"
                           "  - {id: b, labels: {region: us, version: v1}}\n  - {id: c, labels: {region: eu, version: v1}}");
    lw_label labels[3] = {{str("region"), str("eu")}, {str("version"), str("v1")}, {str("zone"), str("1")}};
    lw_node_status nodes[3] = {LW_NODE_STATUS_INIT};
    size_t len = 9;
    OK(lw_pool_find(pool, labels, 2, nodes, 3, &len));
    CHECK(len == 2);
    OK(lw_node_id(pool, nodes[1].node, nodes[1].generation, text, sizeof text, NULL));
    CHECK(!strcmp(text, "c"));
    OK(lw_pool_find(pool, labels + 1, 1, nodes, 3, &len));
    CHECK(len == 3);
    OK(lw_pool_find(pool, labels, 3, nodes, 3, &len));
    CHECK(len == 0);
    OK(lw_pool_find(pool, NULL, 0, NULL, 0, &len));
    CHECK(len == 3);
    STATUS(LW_ERR_BUFFER_TOO_SMALL, lw_pool_find(pool, labels, 2, nodes, 1, &len));
    CHECK(len == 2);
    STATUS(LW_ERR_NULL_ARGUMENT, lw_pool_find(pool, NULL, 1, nodes, 3, &len));
    labels[0].value = str("\xff");
    STATUS(LW_ERR_INVALID_UTF8, lw_pool_find(pool, labels, 1, nodes, 3, &len));
    OK(lw_pool_free(pool));
}

static void decisions_have_reasons(void)
{
    lw_pool pool = pool_of("strategy: round_robin\nseed: 1\nnodes: [a, b, {id: c, weight: 0}]");
    lw_outcome cancelled = outcome_of(LW_OUTCOME_CANCELLED);
    lw_pick pick = LW_PICK_INIT;
    lw_request request = LW_REQUEST_INIT;
    lw_str both[2] = {str("a"), str("b")};
    char chosen[64], again[4096];
    size_t len = 0;
    OK(lw_last_explanation(text, sizeof text, &len));
    CHECK(len == 0);
    /* A dry run, however often: what it tells is what the next pick does. */
    OK(lw_pool_explain(pool, NULL, text, sizeof text, &len));
    CHECK(len == strlen(text));
    OK(lw_pool_explain(pool, NULL, NULL, 0, &len));
    OK(lw_pool_explain(pool, NULL, text, sizeof text, NULL));
    OK(lw_pool_pick_explained(pool, NULL, &pick));
    snprintf(chosen, sizeof chosen, "\"id\": \"%s\"", id_of(&pick));
    HAS(text, chosen);
    HAS(text, "\"strategy\": \"round_robin\"");
    CHECK(status_of(pool, id_of(&pick)).in_flight == 1);
    OK(lw_last_explanation(text, sizeof text, &len));
    CHECK(len == strlen(text));
    HAS(text, chosen);
    HAS(text, "\"way\": \"rule\"");
    OK(lw_pick_finish(&pick, &cancelled));
    STATUS(LW_ERR_STALE_TICKET, lw_pick_finish(&pick, &cancelled));

    /* Where there is no node, the reasons are what one wants to know. */
    request.exclude = both;
    request.exclude_len = 2;
    OK(lw_pool_explain(pool, &request, text, sizeof text, NULL));
    HAS(text, "\"reason\": \"all_excluded\"");
    pick.ticket = 42;
    STATUS(LW_NO_NODE_ALL_EXCLUDED, lw_pool_pick_explained(pool, &request, &pick));
    CHECK(pick.ticket == 42);
    OK(lw_last_explanation(text, sizeof text, NULL));
    HAS(text, "\"failed_at\": \"zero_weight\"");
    STATUS(LW_ERR_BUFFER_TOO_SMALL, lw_last_explanation(again, 4, &len));
    CHECK(len == strlen(text));
    STATUS(LW_ERR_BUFFER_TOO_SMALL, lw_pool_explain(pool, NULL, again, 4, &len));
    request.health_mask = 16;
    STATUS(LW_ERR_INVALID_ARGUMENT, lw_pool_explain(pool, &request, text, sizeof text, NULL));
    STATUS(LW_ERR_NULL_ARGUMENT, lw_pool_pick_explained(pool, NULL, NULL));
    OK(lw_pool_free(pool));
    STATUS(LW_ERR_CLOSED, lw_pool_explain(pool, NULL, text, sizeof text, NULL));
    STATUS(LW_ERR_CLOSED, lw_pool_pick_explained(pool, NULL, &pick));
}

static void checks_that_are_due_are_made_by_one(void)
{
    lw_pool pool = pool_of("checks: {interval_ms: 1000, jitter: 0, grace_ms: 0, timeout_ms: 500, failure_threshold: 2,"
                           " success_threshold: 1}\nnodes: [a, b]");
    uint64_t t = lw_now_ns(), next = 0;
    lw_check checks[2] = {LW_CHECK_INIT, LW_CHECK_INIT};
    size_t len = 9;
    uint32_t changed = 9;
    /* Too little room, and nobody makes a check: they stay due. */
    OK(lw_pool_checks_due(pool, t, NULL, 0, &len));
    CHECK(len == 2);
    STATUS(LW_ERR_BUFFER_TOO_SMALL, lw_pool_checks_due(pool, t, checks, 1, &len));
    CHECK(len == 2);
    OK(lw_pool_checks_due(pool, t, checks, 2, &len));
    CHECK(len == 2 && checks[0].struct_size == sizeof checks[0] && checks[0].deadline_ns == t + 500 * MS);
    OK(lw_node_id(pool, checks[1].node, checks[1].generation, text, sizeof text, NULL));
    CHECK(!strcmp(text, "b"));
    OK(lw_pool_checks_due(pool, t, checks, 2, &len));
    CHECK(len == 0);
    OK(lw_pool_checks_due(pool, t, NULL, 0, &len));
    CHECK(len == 0);
    for (uint64_t i = 0; i < 2; i++) {
        OK(lw_pool_report_check(pool, str("a"), 1, 5 * MS, t + i * SECOND, &changed));
        CHECK(changed == 0);
        OK(lw_pool_report_check(pool, str("b"), 0, 0, t + i * SECOND, &changed));
        CHECK(changed == (i == 1));
    }
    CHECK(status_of(pool, "b").health == LW_HEALTH_UNHEALTHY && status_of(pool, "a").health == LW_HEALTH_HEALTHY);
    OK(lw_pool_next_check(pool, &next));
    CHECK(next == t + 2 * SECOND);
    OK(lw_pool_checks_due(pool, t + 2 * SECOND, checks, 2, &len));
    CHECK(len == 2);
    OK(lw_pool_report_check(pool, str("b"), 1, 0, t + 2 * SECOND, &changed));
    CHECK(changed == 1 && status_of(pool, "b").health == LW_HEALTH_HEALTHY);
    STATUS(LW_ERR_UNKNOWN_NODE, lw_pool_report_check(pool, str("z"), 1, 0, t, NULL));
    STATUS(LW_ERR_NULL_ARGUMENT, lw_pool_checks_due(pool, t, NULL, 1, &len));
    STATUS(LW_ERR_NULL_ARGUMENT, lw_pool_checks_due(pool, t, checks, 2, NULL));
    STATUS(LW_ERR_NULL_ARGUMENT, lw_pool_next_check(pool, NULL));
    checks[0].struct_size = 8;
    STATUS(LW_ERR_STRUCT_SIZE, lw_pool_checks_due(pool, t, checks, 2, &len));
    OK(lw_pool_free(pool));

    pool = pool_of("nodes: [a]");
    checks[0].struct_size = sizeof checks[0];
    OK(lw_pool_checks_due(pool, t, checks, 2, &len));
    CHECK(len == 0);
    OK(lw_pool_next_check(pool, &next));
    CHECK(next == UINT64_MAX);
    OK(lw_pool_free(pool));
}

static lw_retry retry_after(lw_pool pool, uint32_t kind, uint32_t failure, uint32_t attempt, uint32_t flags)
{
    lw_retry retry = LW_RETRY_INIT;
    lw_outcome outcome = outcome_of(kind);
    outcome.failure = failure;
    OK(lw_pool_retry(pool, &outcome, attempt, flags, &retry));
    return retry;
}

static void what_is_safe_is_tried_again(void)
{
    lw_pool pool = pool_of("retry: {max_attempts: 3, base_delay_ms: 25, max_delay_ms: 250}\nnodes: [a, b, c]");
    lw_retry retry = retry_after(pool, LW_OUTCOME_FAILURE, LW_FAILURE_CONNECT, 1, LW_RETRY_SENT);
    CHECK(retry.give_up == 0 && retry.after_ns <= 25 * MS && retry.struct_size == sizeof retry);
    CHECK(retry_after(pool, LW_OUTCOME_FAILURE, LW_FAILURE_CONNECT, 2, 0).after_ns <= 50 * MS);
    CHECK(retry_after(pool, LW_OUTCOME_FAILURE, LW_FAILURE_CONNECT, 3, 0).give_up == LW_GIVE_UP_ATTEMPTS);
    CHECK(retry_after(pool, LW_OUTCOME_FAILURE, LW_FAILURE_RESET, 1, LW_RETRY_SENT).give_up == LW_GIVE_UP_UNSAFE);
    CHECK(retry_after(pool, LW_OUTCOME_FAILURE, LW_FAILURE_RESET, 1, 0).give_up == 0);
    CHECK(retry_after(pool, LW_OUTCOME_FAILURE, LW_FAILURE_SERVER_ERROR, 1, 0).give_up == LW_GIVE_UP_UNSAFE);
    CHECK(retry_after(pool, LW_OUTCOME_FAILURE, LW_FAILURE_SERVER_ERROR, 1, LW_RETRY_IDEMPOTENT).give_up == 0);
    CHECK(retry_after(pool, LW_OUTCOME_SUCCESS, 0, 1, 0).give_up == LW_GIVE_UP_NOT_FAILED);
    CHECK(retry_after(pool, LW_OUTCOME_CANCELLED, 0, 1, 0).give_up == LW_GIVE_UP_NOT_FAILED);
    lw_outcome failure = outcome_of(LW_OUTCOME_FAILURE);
    STATUS(LW_ERR_INVALID_ARGUMENT, lw_pool_retry(pool, &failure, 0, 0, &retry));
    STATUS(LW_ERR_INVALID_ARGUMENT, lw_pool_retry(pool, &failure, 1, 4, &retry));
    STATUS(LW_ERR_NULL_ARGUMENT, lw_pool_retry(pool, &failure, 1, 0, NULL));
    STATUS(LW_ERR_NULL_ARGUMENT, lw_pool_retry(pool, NULL, 1, 0, &retry));
    OK(lw_pool_free(pool));
}

static void retries_have_a_budget(void)
{
    lw_pool pool = pool_of("retry: {budget_share: 0, budget_min_per_s: 1, budget_window_ms: 10000}\nnodes: [a, b]");
    lw_outcome failure = outcome_of(LW_OUTCOME_FAILURE);
    lw_retry retry = LW_RETRY_INIT;
    int granted = 0;
    failure.failure = LW_FAILURE_CONNECT;
    failure.now_ns = lw_now_ns();
    for (int i = 0; i < 100; i++) {
        OK(lw_pool_retry(pool, &failure, 1, 0, &retry));
        granted += retry.give_up == 0;
        CHECK(retry.give_up == 0 || retry.give_up == LW_GIVE_UP_BUDGET);
    }
    CHECK(granted > 0 && granted <= 10);
    OK(lw_pool_free(pool));
}

static void a_retry_is_asked_for_and_picked_at_once(void)
{
    lw_pool pool = pool_of("retry: {budget_share: 0, budget_min_per_s: 1, budget_window_ms: 10000}\nnodes: [a, b]");
    lw_outcome failure = outcome_of(LW_OUTCOME_FAILURE), success = outcome_of(LW_OUTCOME_SUCCESS);
    lw_str tried[2] = {str("a"), str("b")};
    lw_request request = LW_REQUEST_INIT;
    lw_retry retry = LW_RETRY_INIT;
    lw_pick pick = LW_PICK_INIT;
    int granted = 0;
    failure.failure = LW_FAILURE_CONNECT;
    failure.now_ns = lw_now_ns();
    request.exclude = tried;
    request.exclude_len = 2;
    /* Where nobody is left, the budget stays as it is. */
    retry.after_ns = 77;
    for (int i = 0; i < 100; i++)
        STATUS(LW_NO_NODE_ALL_EXCLUDED, lw_pool_pick_again(pool, &request, &failure, 1, 0, &retry, &pick));
    CHECK(retry.after_ns == 77 && pick.ticket == 0);
    lw_no_node why = LW_NO_NODE_INIT;
    OK(lw_last_no_node(&why));
    CHECK(why.status == LW_NO_NODE_ALL_EXCLUDED);
    request.exclude_len = 1;
    for (int i = 0; i < 100; i++) {
        pick = (lw_pick)LW_PICK_INIT;
        OK(lw_pool_pick_again(pool, &request, &failure, 1, 0, &retry, &pick));
        CHECK(retry.struct_size == sizeof retry);
        if (retry.give_up == 0) {
            CHECK(!strcmp(id_of(&pick), "b") && pick.pool == pool && retry.after_ns <= 25 * MS);
            OK(lw_pick_finish(&pick, &success));
            granted++;
        } else {
            CHECK(retry.give_up == LW_GIVE_UP_BUDGET && pick.ticket == 0);
        }
    }
    CHECK(granted == 10);
    failure.failure = LW_FAILURE_SERVER_ERROR;
    OK(lw_pool_pick_again(pool, NULL, &failure, 1, LW_RETRY_SENT, &retry, &pick));
    CHECK(retry.give_up == LW_GIVE_UP_UNSAFE && pick.ticket == 0 && status_of(pool, "b").in_flight == 0);
    STATUS(LW_ERR_INVALID_ARGUMENT, lw_pool_pick_again(pool, NULL, &failure, 0, 0, &retry, &pick));
    STATUS(LW_ERR_INVALID_ARGUMENT, lw_pool_pick_again(pool, NULL, &failure, 1, 4, &retry, &pick));
    STATUS(LW_ERR_NULL_ARGUMENT, lw_pool_pick_again(pool, NULL, &failure, 1, 0, NULL, &pick));
    STATUS(LW_ERR_NULL_ARGUMENT, lw_pool_pick_again(pool, NULL, &failure, 1, 0, &retry, NULL));
    STATUS(LW_ERR_NULL_ARGUMENT, lw_pool_pick_again(pool, NULL, NULL, 1, 0, &retry, &pick));
    pick.struct_size = 4;
    STATUS(LW_ERR_STRUCT_SIZE, lw_pool_pick_again(pool, NULL, &failure, 1, 0, &retry, &pick));
    OK(lw_pool_free(pool));
}

static void attempts_are_planned(void)
{
    lw_pool pool = pool_of("retry: {max_attempts: 3}\nnodes: [a, b, c, d]");
    lw_attempt attempts[16] = {LW_ATTEMPT_INIT};
    lw_request request = LW_REQUEST_INIT;
    lw_str a = str("a");
    size_t len = 9;
    uint64_t hedge = 9;
    request.exclude = &a;
    request.exclude_len = 1;
    OK(lw_pool_plan(pool, &request, attempts, 16, &len, &hedge));
    CHECK(len == 3 && hedge == 0 && attempts[0].delay_ns == 0);
    for (size_t i = 0; i < len; i++) {
        char id[256];
        OK(lw_node_id(pool, attempts[i].node, attempts[i].generation, id, sizeof id, NULL));
        CHECK(strcmp(id, "a") != 0 && attempts[i].struct_size == sizeof attempts[i]);
        for (size_t j = 0; j < i; j++)
            CHECK(attempts[j].node != attempts[i].node);
    }
    CHECK(status_of(pool, "b").in_flight == 0);
    STATUS(LW_ERR_BUFFER_TOO_SMALL, lw_pool_plan(pool, NULL, attempts, 2, &len, NULL));
    CHECK(len == 3);
    OK(lw_pool_plan(pool, NULL, NULL, 0, &len, NULL));
    STATUS(LW_ERR_NULL_ARGUMENT, lw_pool_plan(pool, NULL, attempts, 16, NULL, NULL));
    OK(lw_pool_set_nodes(pool, NULL, 0));
    STATUS(LW_NO_NODE_EMPTY, lw_pool_plan(pool, NULL, attempts, 16, &len, NULL));
    OK(lw_pool_free(pool));

    /* With latencies known, it tells when a second attempt is worth it. */
    pool = pool_of("stats: {latency: pool}\nnodes: [a, b]");
    for (int i = 0; i < 100; i++) {
        lw_pick pick = pick_at(pool, lw_now_ns());
        finish_at(&pick, LW_OUTCOME_SUCCESS, lw_now_ns());
    }
    OK(lw_pool_plan(pool, NULL, attempts, 16, &len, &hedge));
    CHECK(len == 2 && hedge > MS / 2 && hedge < 2 * MS);
    OK(lw_pool_free(pool));
}

int main(void)
{
    RUN(figures_are_told_as_json);
    RUN(metrics_are_told_in_both_formats);
    RUN(a_configuration_is_checked_without_a_pool);
    RUN(a_pool_has_a_name_and_a_version);
    RUN(configurations_are_replaced_and_read_back);
    RUN(nodes_are_found_by_their_labels);
    RUN(decisions_have_reasons);
    RUN(checks_that_are_due_are_made_by_one);
    RUN(what_is_safe_is_tried_again);
    RUN(retries_have_a_budget);
    RUN(a_retry_is_asked_for_and_picked_at_once);
    RUN(attempts_are_planned);
    return tests_failed != 0;
}
