/* Replays tests/vectors: the same decisions as in every other language, to the last pick. */
#include "check.h"

#include <dirent.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>

enum { NODES_MAX = 256, HELD_MAX = 4096, AMOUNTS_MAX = 16 };

static const char *scenario_name;

#define AT(call, condition)                                                                       \
    do {                                                                                          \
        if (!(condition)) {                                                                       \
            if (failures++ < 5)                                                                   \
                printf("# %s, call %zu (%s:%d): %s\n", scenario_name, call, __FILE__, __LINE__, #condition); \
        }                                                                                         \
    } while (0)

static lw_str text_of(const json_t *value)
{
    lw_str s = {json_string_value(value), json_string_length(value)};
    return s;
}

static uint64_t number(const json_t *map, const char *key)
{
    return (uint64_t)json_integer_value(json_object_get(map, key));
}

/* A time: the vectors begin at 0, which in C is no time; no decision depends on the nanosecond between. */
static uint64_t time_of(const json_t *map)
{
    const json_t *now = json_object_get(map, "now_ns");
    uint64_t ns = (uint64_t)json_integer_value(now);
    return now && ns == 0 ? 1 : ns;
}

static size_t labels_of(const json_t *map, lw_label *labels)
{
    const char *key;
    json_t *value;
    size_t len = 0;
    json_object_foreach((json_t *)map, key, value) {
        labels[len].key = str(key);
        labels[len++].value = text_of(value);
    }
    return len;
}

static size_t amounts_of(const json_t *map, lw_amount *amounts)
{
    const char *dimension;
    json_t *amount;
    size_t len = 0;
    json_object_foreach((json_t *)map, dimension, amount) {
        amounts[len].dimension = str(dimension);
        amounts[len++].amount = (uint64_t)json_integer_value(amount);
    }
    return len;
}

static uint32_t word_in(const json_t *word, const char *const *words, const uint32_t *numbers, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (!strcmp(json_string_value(word), words[i]))
            return numbers[i];
    CHECK(!"a known word");
    return 0;
}

static uint32_t kind_of(const json_t *word)
{
    static const char *const words[] = {"success", "failure", "rate_limited", "cancelled"};
    static const uint32_t numbers[] = {LW_OUTCOME_SUCCESS, LW_OUTCOME_FAILURE, LW_OUTCOME_RATE_LIMITED,
                                       LW_OUTCOME_CANCELLED};
    return word_in(word, words, numbers, 4);
}

static uint32_t health_of(const json_t *word)
{
    static const char *const words[] = {"healthy", "degraded", "unhealthy", "recovering"};
    static const uint32_t numbers[] = {LW_HEALTH_HEALTHY, LW_HEALTH_DEGRADED, LW_HEALTH_UNHEALTHY, LW_HEALTH_RECOVERING};
    return word_in(word, words, numbers, 4);
}

/* The outcome's usage is `amounts`. */
static lw_outcome outcome_in(const json_t *call, lw_amount *amounts)
{
    static const char *const words[] = {"other", "connect", "timeout", "reset", "server_error"};
    static const uint32_t numbers[] = {LW_FAILURE_OTHER, LW_FAILURE_CONNECT, LW_FAILURE_TIMEOUT, LW_FAILURE_RESET,
                                       LW_FAILURE_SERVER_ERROR};
    const json_t *given = json_object_get(call, "outcome"), *failure = json_object_get(given, "failure");
    lw_outcome outcome = outcome_of(kind_of(json_object_get(given, "kind")));
    if (outcome.kind == LW_OUTCOME_FAILURE && failure)
        outcome.failure = word_in(failure, words, numbers, 5);
    outcome.latency_ns = number(given, "latency_ns");
    outcome.retry_after_ns = number(given, "retry_after_ns");
    outcome.now_ns = time_of(given);
    outcome.usage = amounts;
    outcome.usage_len = amounts_of(json_object_get(given, "usage"), amounts);
    return outcome;
}

/* The status as the word for its reason: LW_NO_NODE_ALL_EXCLUDED is all_excluded. */
static const char *reason_of(lw_status status)
{
    static char word[64];
    const char *name = lw_status_name(status);
    size_t i, skipped = strlen("LW_NO_NODE_");
    if (status < LW_NO_NODE_EMPTY || status > LW_NO_NODE_RATE_LIMITED)
        return name;
    for (i = 0; name[skipped + i]; i++)
        word[i] = (char)(name[skipped + i] == '_' ? '_' : name[skipped + i] + ('a' - 'A'));
    word[i] = 0;
    return word;
}

struct held {
    const char *name;
    lw_pick pick;
};

struct replay {
    lw_pool pool;
    struct held held[HELD_MAX];
    size_t held_len;
};

/* When trying again makes sense, as the last pick that found no node tells it. */
static void compare_retry_at(size_t at, const json_t *expect)
{
    lw_no_node why = LW_NO_NODE_INIT;
    OK(lw_last_no_node(&why));
    AT(at, why.retry_at_ns == number(expect, "retry_at_ns"));
}

/* A request, and what it points to. */
struct asked {
    lw_request request;
    lw_amount costs[AMOUNTS_MAX];
    lw_str excluded[NODES_MAX];
    lw_label labels[16];
    char bytes[4096];
};

static void request_in(const json_t *call, struct asked *asked)
{
    static const lw_request init = LW_REQUEST_INIT;
    const json_t *key = json_object_get(call, "key"), *hex = json_object_get(call, "key_hex");
    lw_request *request = &asked->request;
    *request = init;
    if (key)
        request->key = text_of(key);
    if (hex) {
        request->key.data = asked->bytes;
        request->key.len = json_string_length(hex) / 2;
        for (size_t i = 0; i < request->key.len; i++) {
            unsigned byte = 0;
            sscanf(json_string_value(hex) + 2 * i, "%2x", &byte);
            asked->bytes[i] = (char)byte;
        }
    }
    request->exclude = asked->excluded;
    for (size_t i = 0; i < json_array_size(json_object_get(call, "exclude")); i++)
        asked->excluded[request->exclude_len++] = text_of(json_array_get(json_object_get(call, "exclude"), i));
    request->require = asked->labels;
    request->require_len = labels_of(json_object_get(call, "require"), asked->labels);
    request->health_mask = (uint32_t)number(call, "health_mask");
    request->zone = text_of(json_object_get(call, "zone"));
    request->session = text_of(json_object_get(call, "session"));
    request->cost = asked->costs;
    request->cost_len = amounts_of(json_object_get(call, "cost"), asked->costs);
    request->now_ns = time_of(call);
}

/* What a pick has given: a node, or the reason why there is none. */
static void compare_pick(size_t at, const json_t *call, lw_status status, lw_pick *pick)
{
    const json_t *expect = json_object_get(call, "expect"), *as = json_object_get(call, "as");
    const char *node = json_string_value(json_object_get(expect, "node"));
    if (status == LW_OK) {
        AT(at, node && !strcmp(node, id_of(pick)));
        lw_outcome cancelled = outcome_of(LW_OUTCOME_CANCELLED);
        if (!as)
            OK(lw_pick_finish(pick, &cancelled));
    } else {
        const char *reason = json_string_value(json_object_get(expect, "no_node"));
        AT(at, reason && !strcmp(reason, reason_of(status)));
        if (json_is_true(json_object_get(call, "times")))
            compare_retry_at(at, expect);
    }
}

static void hold(struct replay *r, const json_t *call, lw_pick pick)
{
    const json_t *as = json_object_get(call, "as");
    if (as && r->held_len < HELD_MAX) {
        r->held[r->held_len].name = json_string_value(as);
        r->held[r->held_len++].pick = pick;
    }
}

static void pick_as(struct replay *r, size_t at, const json_t *call)
{
    struct asked asked;
    lw_pick pick = LW_PICK_INIT;
    request_in(call, &asked);
    compare_pick(at, call, lw_pool_pick(r->pool, &asked.request, &pick), &pick);
    hold(r, call, pick);
}

static void compare_retry(size_t at, const json_t *expect, const lw_retry *retry)
{
    const char *give_up = json_string_value(json_object_get(expect, "give_up"));
    AT(at, (give_up != NULL) == (retry->give_up != 0));
    if (give_up)
        AT(at, !strcmp(give_up, lw_give_up_name(retry->give_up)));
    else
        AT(at, retry->after_ns == number(expect, "after_ns"));
}

static uint32_t retry_flags_of(const json_t *call)
{
    return (json_is_true(json_object_get(call, "idempotent")) ? LW_RETRY_IDEMPOTENT : 0) |
           (json_is_false(json_object_get(call, "sent")) ? 0 : LW_RETRY_SENT);
}

static void finish(struct replay *r, size_t at, const json_t *call)
{
    lw_amount usage[AMOUNTS_MAX];
    lw_outcome outcome = outcome_in(call, usage);
    const char *name = json_string_value(json_object_get(call, "pick"));
    for (size_t i = r->held_len; i-- > 0;) {
        if (!strcmp(r->held[i].name, name)) {
            lw_status status = lw_pick_finish(&r->held[i].pick, &outcome);
            AT(at, json_is_true(json_object_get(call, "expect")) == (status == LW_OK));
            return;
        }
    }
    AT(at, !"the pick is known");
}

static void first_token(struct replay *r, size_t at, const json_t *call)
{
    const char *name = json_string_value(json_object_get(call, "pick"));
    for (size_t i = r->held_len; i-- > 0;) {
        if (!strcmp(r->held[i].name, name)) {
            uint32_t first = 0;
            lw_status status = lw_pick_first_token(&r->held[i].pick, time_of(call), &first);
            AT(at, json_is_true(json_object_get(call, "expect")) == (status == LW_OK && first));
            return;
        }
    }
    AT(at, !"the pick is known");
}

static size_t specs_in(const json_t *list, lw_node_spec *specs, lw_label (*labels)[16], lw_amount (*quotas)[AMOUNTS_MAX])
{
    static const lw_node_spec init = LW_NODE_SPEC_INIT;
    size_t len = json_array_size(list);
    for (size_t i = 0; i < len && i < NODES_MAX; i++) {
        const json_t *node = json_array_get(list, i), *weight = json_object_get(node, "weight");
        specs[i] = init;
        specs[i].id = text_of(json_object_get(node, "id"));
        specs[i].address = text_of(json_object_get(node, "address"));
        specs[i].name = text_of(json_object_get(node, "name"));
        specs[i].weight = weight ? (uint32_t)json_integer_value(weight) : 1;
        specs[i].labels = labels[i];
        specs[i].labels_len = labels_of(json_object_get(node, "labels"), labels[i]);
        specs[i].user_data = number(node, "user_data");
        specs[i].tier = (uint32_t)number(node, "tier");
        specs[i].max_in_flight = (uint32_t)number(node, "max_in_flight");
        specs[i].zone = text_of(json_object_get(node, "zone"));
        specs[i].quotas = quotas[i];
        specs[i].quotas_len = amounts_of(json_object_get(node, "quotas"), quotas[i]);
    }
    return len;
}

static void compare_nodes(struct replay *r, size_t at, const json_t *call)
{
    const json_t *expect = json_object_get(call, "expect");
    lw_node_status nodes[NODES_MAX] = {LW_NODE_STATUS_INIT};
    size_t len = 0;
    OK(lw_pool_nodes_at(r->pool, time_of(call), nodes, NODES_MAX, &len));
    AT(at, len == json_array_size(expect));
    for (size_t i = 0; i < len && i < json_array_size(expect); i++) {
        const json_t *node = json_array_get(expect, i);
        char id[256] = "";
        OK(lw_node_id(r->pool, nodes[i].node, nodes[i].generation, id, sizeof id, NULL));
        AT(at, !strcmp(id, json_string_value(json_object_get(node, "id"))));
        AT(at, nodes[i].weight == number(node, "weight"));
        AT(at, nodes[i].health == health_of(json_object_get(node, "health")));
        AT(at, json_is_true(json_object_get(node, "draining")) == ((nodes[i].flags & LW_NODE_DRAINING) != 0));
        AT(at, nodes[i].in_flight == number(node, "in_flight"));
    }
}

static lw_load load_in(const json_t *call)
{
    lw_load load = LW_LOAD_INIT;
    struct { const char *name; uint32_t flag; double *value; } given[] = {
        {"load", LW_NODE_HAS_LOAD, &load.load},
        {"remaining_ratio", LW_NODE_HAS_REMAINING, &load.remaining_ratio},
        {"requests_per_s", LW_LOAD_HAS_REQUESTS, &load.requests_per_s},
        {"utilization", LW_LOAD_HAS_UTILIZATION, &load.utilization},
        {"errors_per_s", LW_LOAD_HAS_ERRORS, &load.errors_per_s},
    };
    for (size_t i = 0; i < sizeof given / sizeof *given; i++) {
        const json_t *value = json_object_get(call, given[i].name);
        load.flags |= json_is_number(value) ? given[i].flag : 0;
        *given[i].value = json_number_value(value);
    }
    load.now_ns = time_of(call);
    return load;
}

/* Whether the named figures of `told` are those of `expect`. Whole numbers may be written either way. */
static int same_figures(const json_t *expect, const json_t *told)
{
    if (json_is_number(expect))
        return json_is_number(told) && fabs(json_number_value(expect) - json_number_value(told)) < 1e-12;
    if (json_is_array(expect)) {
        int same = json_array_size(expect) == json_array_size(told);
        for (size_t i = 0; same && i < json_array_size(expect); i++)
            same = same_figures(json_array_get(expect, i), json_array_get(told, i));
        return same;
    }
    if (json_is_object(expect)) {
        const char *name;
        json_t *figure;
        int same = json_is_object(told);
        json_object_foreach((json_t *)expect, name, figure)
            same = same && same_figures(figure, json_object_get(told, name));
        return same;
    }
    return json_equal((json_t *)expect, (json_t *)told);
}

static void compare_stats(struct replay *r, size_t at, const json_t *call)
{
    static char text[1 << 20];
    OK(lw_pool_stats(r->pool, time_of(call), text, sizeof text, NULL));
    json_t *stats = json_loads(text, 0, NULL);
    AT(at, stats && same_figures(json_object_get(call, "expect"), stats));
    json_decref(stats);
}

/* Whether it was one of them. */
static int call_of_attempts(struct replay *r, size_t at, const char *op, const json_t *call)
{
    const json_t *expect = json_object_get(call, "expect");
    lw_amount usage[AMOUNTS_MAX];
    lw_retry retry = LW_RETRY_INIT;
    uint32_t attempt = (uint32_t)number(call, "attempt"), flags = retry_flags_of(call);
    if (!strcmp(op, "retry")) {
        lw_outcome outcome = outcome_in(call, usage);
        OK(lw_pool_retry(r->pool, &outcome, attempt, flags, &retry));
        compare_retry(at, expect, &retry);
    } else if (!strcmp(op, "pick_again")) {
        lw_outcome outcome = outcome_in(call, usage);
        lw_pick pick = LW_PICK_INIT;
        struct asked asked;
        request_in(call, &asked);
        lw_status status = lw_pool_pick_again(r->pool, &asked.request, &outcome, attempt, flags, &retry, &pick);
        if (status == LW_OK)
            compare_retry(at, expect, &retry);
        if (status != LW_OK || retry.give_up == 0)
            compare_pick(at, call, status, &pick);
        hold(r, call, pick);
    } else if (!strcmp(op, "setting")) {
        char text[4096];
        OK(lw_pool_setting(r->pool, text_of(json_object_get(call, "key")), text, sizeof text, NULL));
        if (json_is_string(expect)) {
            AT(at, !strcmp(text, json_string_value(expect)));
            return 1;
        }
        json_t *told = json_loads(text, JSON_DECODE_ANY, NULL);
        AT(at, told && same_figures(expect, told));
        json_decref(told);
    } else {
        return 0;
    }
    return 1;
}

/* Whether it was one of them. */
static int call_of_sessions(struct replay *r, size_t at, const char *op, const json_t *call)
{
    const json_t *expect = json_object_get(call, "expect");
    lw_str session = text_of(json_object_get(call, "session"));
    uint32_t known = 9;
    if (!strcmp(op, "affinity")) {
        const char *wanted = json_string_value(json_object_get(expect, "node"));
        lw_node_ref node = {0, 0};
        char id[256] = "";
        OK(lw_pool_affinity(r->pool, session, time_of(call), &node, &known));
        if (known)
            OK(lw_node_id(r->pool, node.node, node.generation, id, sizeof id, NULL));
        AT(at, known == (wanted != NULL) && (!known || !strcmp(id, wanted)));
    } else if (!strcmp(op, "set_affinity")) {
        OK(lw_pool_set_affinity(r->pool, session, text_of(json_object_get(call, "node")), time_of(call)));
    } else if (!strcmp(op, "clear_affinity")) {
        OK(lw_pool_clear_affinity(r->pool, session, &known));
        AT(at, known == (uint32_t)json_is_true(expect));
    } else if (!strcmp(op, "rebalance")) {
        uint64_t moved = 0;
        OK(lw_pool_rebalance(r->pool, time_of(call), &moved));
        AT(at, moved == (uint64_t)json_integer_value(expect));
    } else {
        return 0;
    }
    return 1;
}

static void call_of_a_pool(struct replay *r, size_t at, const json_t *call)
{
    static lw_node_spec specs[NODES_MAX];
    static lw_label labels[NODES_MAX][16];
    static lw_amount quotas[NODES_MAX][AMOUNTS_MAX];
    lw_amount usage[AMOUNTS_MAX];
    const char *op = json_string_value(json_object_get(call, "op"));
    const json_t *node = json_object_get(call, "node");
    if (!strcmp(op, "pick")) {
        pick_as(r, at, call);
    } else if (!strcmp(op, "finish")) {
        finish(r, at, call);
    } else if (!strcmp(op, "first_token")) {
        first_token(r, at, call);
    } else if (!strcmp(op, "report")) {
        lw_outcome outcome = outcome_in(call, usage);
        uint32_t changed = 9;
        OK(lw_pool_report(r->pool, text_of(node), &outcome, &changed));
        AT(at, changed == (uint32_t)json_is_true(json_object_get(call, "expect")));
    } else if (!strcmp(op, "report_load")) {
        lw_load load = load_in(call);
        OK(lw_pool_report_load(r->pool, text_of(node), &load));
    } else if (!strcmp(op, "set_nodes")) {
        OK(lw_pool_set_nodes(r->pool, specs, specs_in(json_object_get(call, "nodes"), specs, labels, quotas)));
    } else if (!strcmp(op, "register_batch")) {
        size_t len = specs_in(json_object_get(call, "nodes"), specs, labels, quotas);
        OK(lw_pool_register_batch(r->pool, specs, len, NULL));
    } else if (!strcmp(op, "register")) {
        json_t *one = json_pack("[O]", node);
        specs_in(one, specs, labels, quotas);
        OK(lw_pool_register(r->pool, specs, NULL));
        json_decref(one);
    } else if (!strcmp(op, "deregister")) {
        OK(lw_pool_deregister(r->pool, text_of(node)));
    } else if (!strcmp(op, "set_weight")) {
        OK(lw_pool_set_weight(r->pool, text_of(node), (uint32_t)number(call, "weight")));
    } else if (!strcmp(op, "drain")) {
        const json_t *on = json_object_get(call, "on");
        OK(lw_pool_drain_at(r->pool, text_of(node), !on || json_is_true(on), time_of(call)));
    } else if (!strcmp(op, "set_strategy")) {
        char *strategy = json_dumps(json_object_get(call, "strategy"), JSON_ENCODE_ANY);
        OK(lw_pool_set_strategy(r->pool, str(strategy)));
        free(strategy);
    } else if (!strcmp(op, "maintain")) {
        lw_maintained done = LW_MAINTAINED_INIT;
        const json_t *expect = json_object_get(call, "expect");
        OK(lw_pool_maintain(r->pool, time_of(call), &done));
        AT(at, done.rebuilt == (uint32_t)json_is_true(json_object_get(expect, "rebuilt")));
        AT(at, done.leases_expired == number(expect, "leases_expired"));
    } else if (!strcmp(op, "nodes")) {
        compare_nodes(r, at, call);
    } else if (!strcmp(op, "stats")) {
        compare_stats(r, at, call);
    } else if (!strcmp(op, "failover")) {
        OK(lw_pool_failover(r->pool, text_of(node)));
    } else if (!strcmp(op, "reset_failover")) {
        uint32_t was = 9;
        OK(lw_pool_reset_failover(r->pool, &was));
        AT(at, was == (uint32_t)json_is_true(json_object_get(call, "expect")));
    } else if (!call_of_sessions(r, at, op, call) && !call_of_attempts(r, at, op, call)) {
        AT(at, !"the op is known");
    }
}

static void replay_pool(const json_t *scenario)
{
    static struct replay replay;
    char *config = json_dumps(json_object_get(scenario, "pool"), 0);
    const json_t *calls = json_object_get(scenario, "calls");
    memset(&replay, 0, sizeof replay);
    replay.pool = pool_of(config);
    free(config);
    for (size_t i = 0; i < json_array_size(calls); i++)
        call_of_a_pool(&replay, i, json_array_get(calls, i));
    OK(lw_pool_free(replay.pool));
}

static void replay_tracker(const json_t *scenario)
{
    const json_t *tracker = json_object_get(scenario, "tracker"), *events = json_object_get(scenario, "events");
    lw_health_config config = LW_HEALTH_CONFIG_INIT;
    lw_health health = 0;
    config.failure_threshold = (uint32_t)number(tracker, "failure_threshold");
    config.recovery_successes = (uint32_t)number(tracker, "recovery_successes");
    OK(lw_health_new(&config, &health));
    for (size_t i = 0; i < json_array_size(events); i++) {
        const json_t *event = json_array_get(events, i);
        uint32_t status = 0;
        OK(lw_health_report(health, text_of(json_object_get(event, "id")), kind_of(json_object_get(event, "event"))));
        OK(lw_health_status(health, text_of(json_object_get(event, "id")), &status));
        AT(i, status == health_of(json_object_get(event, "expect")));
    }
    OK(lw_health_free(health));
}

static size_t items_in(const json_t *list, lw_item *items)
{
    size_t len = json_array_size(list);
    for (size_t i = 0; i < len && i < NODES_MAX; i++) {
        const json_t *node = json_array_get(list, i);
        const json_t *weight = json_object_get(node, "weight"), *remaining = json_object_get(node, "remaining_ratio");
        memset(&items[i], 0, sizeof items[i]);
        items[i].id = text_of(json_object_get(node, "id"));
        items[i].weight = weight ? (uint32_t)json_integer_value(weight) : 1;
        items[i].load = json_number_value(json_object_get(node, "load"));
        items[i].remaining_ratio = remaining ? json_number_value(remaining) : 1.0;
    }
    return len;
}

static void replay_select(const json_t *scenario)
{
    const json_t *calls = json_object_get(scenario, "calls");
    lw_item items[NODES_MAX];
    size_t len = items_in(json_object_get(scenario, "nodes"), items);
    lw_selector selector = 0;
    OK(lw_selector_new(text_of(json_object_get(scenario, "select")), &selector));
    for (size_t i = 0; i < json_array_size(calls); i++) {
        const json_t *call = json_array_get(calls, i), *expect = json_object_get(call, "expect");
        const json_t *key = json_object_get(call, "key"), *exclude = json_object_get(call, "exclude");
        lw_selection selection = LW_SELECTION_INIT;
        size_t excluded[NODES_MAX], index = 0;
        char bytes[8];
        if (json_object_get(call, "nodes"))
            len = items_in(json_object_get(call, "nodes"), items);
        if (json_is_integer(key)) {
            for (int b = 0; b < 8; b++)
                bytes[b] = (char)((uint64_t)json_integer_value(key) >> 8 * b);
            selection.key.data = bytes;
            selection.key.len = 8;
        }
        selection.exclude = excluded;
        for (size_t e = 0; e < json_array_size(exclude); e++)
            excluded[selection.exclude_len++] = (size_t)json_integer_value(json_array_get(exclude, e));
        lw_status status = lw_select(selector, items, len, &selection, &index);
        AT(i, json_is_integer(expect) == (status == LW_OK));
        AT(i, status != LW_OK || index == (size_t)json_integer_value(expect));
    }
    OK(lw_selector_free(selector));
}

static void replay_file(const char *name)
{
    char path[512];
    json_error_t error;
    snprintf(path, sizeof path, "tests/vectors/%s", name);
    json_t *file = json_load_file(path, 0, &error);
    failures = 0;
    if (!file) {
        printf("# %s: %s\n", path, error.text);
        failures++;
    }
    const json_t *scenarios = json_object_get(file, "scenarios");
    CHECK(json_array_size(scenarios) > 0);
    for (size_t i = 0; i < json_array_size(scenarios); i++) {
        const json_t *scenario = json_array_get(scenarios, i);
        scenario_name = json_string_value(json_object_get(scenario, "name"));
        if (json_object_get(scenario, "pool"))
            replay_pool(scenario);
        else if (json_object_get(scenario, "tracker"))
            replay_tracker(scenario);
        else if (json_object_get(scenario, "select"))
            replay_select(scenario);
        else
            CHECK(!"a known kind of scenario");
    }
    json_decref(file);
    printf("%s c/vectors/%s\n", failures ? "FAIL" : "ok", name);
    tests_failed += failures != 0;
}

int main(void)
{
    DIR *directory = opendir("tests/vectors");
    struct dirent *entry;
    int files = 0;
    while (directory && (entry = readdir(directory)) != NULL) {
        size_t len = strlen(entry->d_name);
        if (len > 5 && !strcmp(entry->d_name + len - 5, ".json")) {
            replay_file(entry->d_name);
            files++;
        }
    }
    if (directory)
        closedir(directory);
    if (files == 0) {
        puts("FAIL c/vectors: none found in tests/vectors");
        return 1;
    }
    return tests_failed != 0;
}
