/* What is told as text: lengths, words for numbers, single settings. */
#include "check.h"

#include <stdlib.h>

static char text[1 << 18];

/* That a call which tells a text needs no buffer, tells the length without one, and refuses one that is too small. */
#define TELLS(...)                                                      \
    do {                                                                \
        char tiny[2] = "x";                                             \
        size_t without = 99, with = 98;                                 \
        char *buffer = NULL;                                            \
        size_t capacity = 0, *len = NULL;                               \
        OK(__VA_ARGS__);                                                \
        len = &without;                                                 \
        OK(__VA_ARGS__);                                                \
        buffer = text, capacity = sizeof text, len = &with;             \
        OK(__VA_ARGS__);                                                \
        CHECK(without == with && with == strlen(text));                 \
        buffer = NULL, len = NULL;                                      \
        STATUS(LW_ERR_NULL_ARGUMENT, __VA_ARGS__);                      \
        buffer = tiny, capacity = 0;                                    \
        STATUS(LW_ERR_BUFFER_TOO_SMALL, __VA_ARGS__);                   \
        CHECK(!strcmp(tiny, "x"));                                      \
    } while (0)

static int32_t ask_the_candidate(const lw_candidate *candidate, void *unused)
{
    (void)unused;
    TELLS(lw_candidate_id(candidate, buffer, capacity, len));
    TELLS(lw_candidate_address(candidate, buffer, capacity, len));
    return 1;
}

static void every_text_tells_its_length(void)
{
    /* Without latencies and times, which grow between two calls. */
    const char config[] = "{pools: {shop: {nodes: [{id: a, name: Ada, zone: z, labels: {k: v}}]}}}";
    const uint64_t now = lw_now_ns();
    lw_engine engine = 0;
    lw_pool pool = 0;
    lw_request request = LW_REQUEST_INIT;
    lw_pick pick = LW_PICK_INIT;
    OK(lw_engine_from_config(config, sizeof config - 1, &engine));
    OK(lw_engine_pool(engine, str("shop"), &pool));
    request.predicate = ask_the_candidate;
    request.now_ns = now;
    OK(lw_pool_choose(pool, &request, &pick));
    request.predicate = NULL;
    TELLS(lw_pool_name(pool, buffer, capacity, len));
    TELLS(lw_pool_strategy(pool, buffer, capacity, len));
    TELLS(lw_pool_config(pool, buffer, capacity, len));
    TELLS(lw_pool_setting(pool, str("health"), buffer, capacity, len));
    TELLS(lw_config_check("{}", 2, buffer, capacity, len));
    TELLS(lw_pool_stats(pool, now, buffer, capacity, len));
    TELLS(lw_pool_metrics(pool, LW_METRICS_PROMETHEUS, buffer, capacity, len));
    TELLS(lw_pool_learned(pool, buffer, capacity, len));
    TELLS(lw_pool_explain(pool, &request, buffer, capacity, len));
    TELLS(lw_last_explanation(buffer, capacity, len));
    TELLS(lw_pool_differences(pool, buffer, capacity, len));
    TELLS(lw_pool_shared_path(pool, buffer, capacity, len));
    TELLS(lw_pool_open_picks(pool, 9, now, buffer, capacity, len));
    TELLS(lw_node_id(pool, pick.node, pick.generation, buffer, capacity, len));
    TELLS(lw_node_address(pool, pick.node, pick.generation, buffer, capacity, len));
    TELLS(lw_node_name(pool, pick.node, pick.generation, buffer, capacity, len));
    TELLS(lw_node_zone(pool, pick.node, pick.generation, buffer, capacity, len));
    TELLS(lw_node_label(pool, pick.node, pick.generation, str("k"), NULL, buffer, capacity, len));
    TELLS(lw_engine_name(engine, 0, buffer, capacity, len));
    TELLS(lw_engine_config(engine, buffer, capacity, len));
    TELLS(lw_engine_stats(engine, now, buffer, capacity, len));
    TELLS(lw_engine_metrics(engine, LW_METRICS_OPENMETRICS, buffer, capacity, len));
    TELLS(lw_engine_differences(engine, buffer, capacity, len));
    TELLS(lw_engine_shared_path(engine, buffer, capacity, len));
    TELLS(lw_engine_private_because(engine, buffer, capacity, len));
    STATUS(LW_ERR_UNKNOWN_NODE, lw_node_id(pool, 9, 9, NULL, 0, NULL));
    CHECK(lw_last_error(NULL, 0, NULL) == LW_OK);
    OK(lw_pool_free(pool));
    OK(lw_engine_free(engine));
    /* To check a configuration needs nothing but it. */
    STATUS(LW_ERR_CONFIG, lw_config_check("{strategy: best}", 16, NULL, 0, NULL));
    SAYS("best");
}

#define NAMED(word, told) CHECK(!strcmp((told), (word)))

static void numbers_have_words(void)
{
    NAMED("healthy", lw_health_name(LW_HEALTH_HEALTHY));
    NAMED("degraded", lw_health_name(LW_HEALTH_DEGRADED));
    NAMED("unhealthy", lw_health_name(LW_HEALTH_UNHEALTHY));
    NAMED("recovering", lw_health_name(LW_HEALTH_RECOVERING));
    NAMED("unknown", lw_health_name(0));
    NAMED("unknown", lw_health_name(LW_HEALTH_HEALTHY | LW_HEALTH_DEGRADED));
    NAMED("closed", lw_breaker_name(LW_BREAKER_CLOSED));
    NAMED("open", lw_breaker_name(LW_BREAKER_OPEN));
    NAMED("half_open", lw_breaker_name(LW_BREAKER_HALF_OPEN));
    NAMED("unknown", lw_breaker_name(3));
    NAMED("success", lw_outcome_name(LW_OUTCOME_SUCCESS));
    NAMED("failure", lw_outcome_name(LW_OUTCOME_FAILURE));
    NAMED("rate_limited", lw_outcome_name(LW_OUTCOME_RATE_LIMITED));
    NAMED("cancelled", lw_outcome_name(LW_OUTCOME_CANCELLED));
    NAMED("unknown", lw_outcome_name(0));
    NAMED("other", lw_failure_name(LW_FAILURE_OTHER));
    NAMED("connect", lw_failure_name(LW_FAILURE_CONNECT));
    NAMED("timeout", lw_failure_name(LW_FAILURE_TIMEOUT));
    NAMED("reset", lw_failure_name(LW_FAILURE_RESET));
    NAMED("server_error", lw_failure_name(LW_FAILURE_SERVER_ERROR));
    NAMED("unknown", lw_failure_name(UINT32_MAX));
    NAMED("empty", lw_no_node_name(LW_NO_NODE_EMPTY));
    NAMED("all_excluded", lw_no_node_name(LW_NO_NODE_ALL_EXCLUDED));
    NAMED("no_match", lw_no_node_name(LW_NO_NODE_NO_MATCH));
    NAMED("unhealthy", lw_no_node_name(LW_NO_NODE_UNHEALTHY));
    NAMED("draining", lw_no_node_name(LW_NO_NODE_DRAINING));
    NAMED("saturated", lw_no_node_name(LW_NO_NODE_SATURATED));
    NAMED("rate_limited", lw_no_node_name(LW_NO_NODE_RATE_LIMITED));
    NAMED("unknown", lw_no_node_name(LW_OK));
    NAMED("not_failed", lw_give_up_name(LW_GIVE_UP_NOT_FAILED));
    NAMED("unsafe", lw_give_up_name(LW_GIVE_UP_UNSAFE));
    NAMED("attempts", lw_give_up_name(LW_GIVE_UP_ATTEMPTS));
    NAMED("budget", lw_give_up_name(LW_GIVE_UP_BUDGET));
    NAMED("no_node", lw_give_up_name(LW_GIVE_UP_NO_NODE));
    NAMED("unknown", lw_give_up_name(0));
    NAMED("health", lw_event_name(LW_EVENT_HEALTH));
    NAMED("breaker", lw_event_name(LW_EVENT_BREAKER));
    NAMED("ejection", lw_event_name(LW_EVENT_EJECTION));
    NAMED("panic", lw_event_name(LW_EVENT_PANIC));
    NAMED("tier", lw_event_name(LW_EVENT_TIER));
    NAMED("topology", lw_event_name(LW_EVENT_TOPOLOGY));
    NAMED("selection", lw_event_name(LW_EVENT_SELECTION));
    NAMED("unknown", lw_event_name(8));
    NAMED("LW_ERR_SHARED", lw_status_name(205));
    NAMED("LW_ERR_TOO_MANY_PROCESSES", lw_status_name(206));
    NAMED("LW_ERR_READ_ONLY", lw_status_name(207));
}

static const char *setting(lw_pool pool, const char *key)
{
    size_t len = 0;
    OK(lw_pool_setting(pool, str(key), text, sizeof text, &len));
    CHECK(len == strlen(text));
    return text;
}

static void a_setting_is_told_alone(void)
{
    lw_pool pool = pool_of("strategy: {name: maglev, bounded_load: 1.25}\nretry: {max_attempts: 7, budget_share: 0.35}\n"
                           "panic: {mode: spread}\nnodes: [a, {id: b, name: 'the \"best\"', weight: 3}]");
    NAMED("7", setting(pool, "retry.max_attempts"));
    NAMED("0.35", setting(pool, "retry.budget_share"));
    NAMED("spread", setting(pool, "panic.mode"));
    NAMED("maglev", setting(pool, "strategy[0].name"));
    NAMED("false", setting(pool, "breaker"));
    NAMED("true", setting(pool, "health.passive"));
    NAMED("[]", setting(pool, "quotas"));
    NAMED("the \"best\"", setting(pool, "nodes[1].name"));
    CHECK(setting(pool, "retry")[0] == '{' && !strchr(text, '\n'));
    OK(lw_pool_reload(pool, "{breaker: {open_ms: 1234}, nodes: [a]}", 38));
    NAMED("1234", setting(pool, "breaker.open_ms"));
    NAMED("3", setting(pool, "retry.max_attempts"));
    const char *none[] = {"", "retry.attempts", "retry.max_attempts.x", "strategy[1]", "outlier.ejection_ms", "nodes[1].name"};
    for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
        STATUS(LW_ERR_CONFIG, lw_pool_setting(pool, str(none[i]), text, sizeof text, NULL));
        SAYS(none[i]);
    }
    STATUS(LW_ERR_INVALID_UTF8, lw_pool_setting(pool, str("\xff"), text, sizeof text, NULL));
    STATUS(LW_ERR_NULL_ARGUMENT, lw_pool_setting(pool, (lw_str){NULL, 1}, text, sizeof text, NULL));
    OK(lw_pool_free(pool));
}

int main(void)
{
    RUN(every_text_tells_its_length);
    RUN(numbers_have_words);
    RUN(a_setting_is_told_alone);
    return tests_failed != 0;
}
