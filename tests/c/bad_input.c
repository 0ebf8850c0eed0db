/* Whatever C can get wrong is a status: nothing is written, nothing is lost, nobody's process dies. */
#include "check.h"

#include <math.h>
#include <stdlib.h>

static const lw_outcome SUCCESS = {.struct_size = sizeof(lw_outcome), .kind = LW_OUTCOME_SUCCESS};

static void never(void *user_data)
{
    (void)user_data;
    CHECK(!"called");
}

static void never_told(const lw_event *event, void *user_data)
{
    (void)event;
    never(user_data);
}

/* Every function of a handle, with this handle. */
static void every_function_refuses(lw_pool handle, lw_status wanted, lw_status wanted_of_tickets)
{
    lw_pick pick = LW_PICK_INIT, again = LW_PICK_INIT;
    lw_process_status process = LW_PROCESS_STATUS_INIT;
    lw_node_spec spec = LW_NODE_SPEC_INIT;
    lw_node_ref place;
    lw_load load = LW_LOAD_INIT;
    lw_node_status status = LW_NODE_STATUS_INIT;
    lw_check check = LW_CHECK_INIT;
    lw_retry retry = LW_RETRY_INIT;
    lw_attempt attempt = LW_ATTEMPT_INIT;
    lw_store store = LW_STORE_INIT;
    char text[8];
    size_t len;
    uint64_t data;
    uint32_t word;
    spec.id = str("a");
    STATUS(wanted, lw_pool_pick(handle, NULL, &pick));
    STATUS(wanted, lw_pool_choose(handle, NULL, &pick));
    CHECK(pick.ticket == 0 && pick.pool == 0);
    pick.pool = handle;
    pick.ticket = UINT64_C(1) << 21;
    STATUS(wanted_of_tickets, lw_pick_finish(&pick, &SUCCESS));
    STATUS(wanted_of_tickets, lw_pool_release(handle, pick.ticket, &SUCCESS));
    STATUS(wanted_of_tickets, lw_pool_ticket_node(handle, pick.ticket, &place));
    STATUS(wanted, lw_pool_free(handle));
    STATUS(wanted, lw_pool_len(handle, &len));
    STATUS(wanted, lw_pool_set_strategy(handle, str("p2c")));
    STATUS(wanted, lw_pool_strategy(handle, text, sizeof text, NULL));
    STATUS(wanted, lw_pool_set_nodes(handle, &spec, 1));
    STATUS(wanted, lw_pool_register(handle, &spec, NULL));
    STATUS(wanted, lw_pool_register_batch(handle, &spec, 1, NULL));
    STATUS(wanted, lw_pool_deregister(handle, str("a")));
    STATUS(wanted, lw_pool_drain(handle, str("a"), 1));
    STATUS(wanted, lw_pool_set_weight(handle, str("a"), 1));
    STATUS(wanted, lw_pool_report(handle, str("a"), &SUCCESS, NULL));
    STATUS(wanted, lw_pool_report_load(handle, str("a"), &load));
    STATUS(wanted, lw_pool_maintain(handle, 0, NULL));
    STATUS(wanted, lw_pool_nodes(handle, &status, 1, &len));
    STATUS(wanted, lw_pool_node(handle, str("a"), &place));
    STATUS(wanted, lw_pool_nodes_at(handle, 1, &status, 1, &len));
    STATUS(wanted, lw_pool_find(handle, NULL, 0, &status, 1, &len));
    STATUS(wanted, lw_pool_drain_at(handle, str("a"), 1, 0));
    STATUS(wanted, lw_pool_reload(handle, "{}", 2));
    STATUS(wanted, lw_pool_config(handle, text, sizeof text, NULL));
    STATUS(wanted, lw_pool_config_version(handle, &data));
    STATUS(wanted, lw_pool_name(handle, text, sizeof text, NULL));
    STATUS(wanted, lw_pool_stats(handle, 0, text, sizeof text, NULL));
    STATUS(wanted, lw_pool_metrics(handle, LW_METRICS_PROMETHEUS, text, sizeof text, NULL));
    STATUS(wanted, lw_pool_pick_within(handle, NULL, 1, &pick));
    STATUS(wanted, lw_pool_explain(handle, NULL, text, sizeof text, NULL));
    STATUS(wanted, lw_pool_pick_explained(handle, NULL, &pick));
    STATUS(wanted, lw_pool_wait(handle, never, NULL, never, &data));
    STATUS(wanted, lw_pool_stop_waiting(handle, 1, NULL));
    STATUS(wanted, lw_pool_waiting(handle, &len));
    STATUS(wanted, lw_pool_observe(handle, 0, never_told, NULL, never, &data));
    STATUS(wanted, lw_pool_stop_observing(handle, 1, NULL));
    STATUS(wanted, lw_pool_affinity(handle, str("s"), 0, &place, &word));
    STATUS(wanted, lw_pool_set_affinity(handle, str("s"), str("a"), 0));
    STATUS(wanted, lw_pool_clear_affinity(handle, str("s"), NULL));
    STATUS(wanted, lw_pool_rebalance(handle, 0, NULL));
    STATUS(wanted, lw_pool_failover(handle, str("a")));
    STATUS(wanted, lw_pool_reset_failover(handle, NULL));
    STATUS(wanted, lw_pool_checks_due(handle, 0, &check, 1, &len));
    STATUS(wanted, lw_pool_next_check(handle, &data));
    STATUS(wanted, lw_pool_report_check(handle, str("a"), 1, 0, 0, NULL));
    STATUS(wanted, lw_pool_retry(handle, &SUCCESS, 1, 0, &retry));
    STATUS(wanted, lw_pool_pick_again(handle, NULL, &SUCCESS, 1, 0, &retry, &again));
    STATUS(wanted, lw_pool_update(handle, &spec));
    STATUS(wanted, lw_pool_set_health(handle, str("a"), LW_HEALTH_HEALTHY, 0, NULL));
    STATUS(wanted, lw_pool_node_status(handle, str("a"), 0, &status));
    STATUS(wanted, lw_pool_reload_if_new(handle, "{}", 2, NULL));
    STATUS(wanted, lw_pool_setting(handle, str("seed"), text, sizeof text, NULL));
    STATUS(wanted, lw_pool_differences(handle, text, sizeof text, NULL));
    STATUS(wanted, lw_pool_shared_path(handle, text, sizeof text, NULL));
    STATUS(wanted, lw_pool_processes(handle, &process, 1, &len));
    STATUS(wanted, lw_pool_open_picks(handle, 1, 0, text, sizeof text, NULL));
    STATUS(wanted, lw_pool_plan(handle, NULL, &attempt, 1, &len, NULL));
    STATUS(wanted, lw_pool_learned(handle, text, sizeof text, NULL));
    STATUS(wanted, lw_pool_learn_from(handle, "{}", 2, NULL));
    STATUS(wanted, lw_pool_save(handle, str("/nowhere/at/all"), NULL));
    STATUS(wanted, lw_pool_restore(handle, str("/nowhere/at/all"), NULL));
    STATUS(wanted, lw_pool_save_to(handle, &store, NULL));
    STATUS(wanted, lw_pool_restore_from(handle, &store, NULL));
    STATUS(wanted, lw_node_zone(handle, 0, 1, text, sizeof text, NULL));
    STATUS(wanted, lw_node_id(handle, 0, 1, text, sizeof text, NULL));
    STATUS(wanted, lw_node_address(handle, 0, 1, text, sizeof text, NULL));
    STATUS(wanted, lw_node_name(handle, 0, 1, text, sizeof text, NULL));
    STATUS(wanted, lw_node_label(handle, 0, 1, str("a"), &word, text, sizeof text, NULL));
    STATUS(wanted, lw_node_user_data(handle, 0, 1, &data));
    STATUS(wanted, lw_node_set_user_data(handle, 0, 1, 1));
}

static void handles_that_never_were(void)
{
    lw_pool pool = pool_of("nodes: [a]");
    const lw_pool wrong[] = {0, 1, 0x10000, UINT64_MAX, pool ^ 1, pool ^ (UINT64_C(1) << 40), pool + (UINT64_C(1) << 32),
                             pool ^ 0x10000, pool | 0xFFFF, pool | (UINT64_C(1) << 31)};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        every_function_refuses(wrong[i], LW_ERR_INVALID_HANDLE, LW_ERR_INVALID_HANDLE);
    OK(lw_pool_free(pool));
}

static void handles_of_another_type(void)
{
    lw_pool pool = pool_of("nodes: [a]");
    lw_health health;
    lw_selector selector;
    uint32_t word;
    size_t index;
    lw_item item = {str("a"), 1, 0, 0.0, 1.0};
    OK(lw_health_new(NULL, &health));
    OK(lw_selector_new(str("random"), &selector));
    every_function_refuses(health, LW_ERR_INVALID_HANDLE, LW_ERR_INVALID_HANDLE);
    every_function_refuses(selector, LW_ERR_INVALID_HANDLE, LW_ERR_INVALID_HANDLE);
    STATUS(LW_ERR_INVALID_HANDLE, lw_health_status(pool, str("a"), &word));
    STATUS(LW_ERR_INVALID_HANDLE, lw_health_free(pool));
    STATUS(LW_ERR_INVALID_HANDLE, lw_select(pool, &item, 1, NULL, &index));
    STATUS(LW_ERR_INVALID_HANDLE, lw_selector_free(health));
    OK(lw_pool_free(pool));
    OK(lw_health_free(health));
    OK(lw_selector_free(selector));
}

static void freed_handles(void)
{
    lw_pool pool = pool_of("nodes: [a]"), next;
    lw_health health;
    lw_selector selector;
    uint32_t word;
    size_t index;
    lw_item item = {str("a"), 1, 0, 0.0, 1.0};
    OK(lw_pool_free(pool));
    every_function_refuses(pool, LW_ERR_CLOSED, LW_ERR_STALE_TICKET);
    next = pool_of("nodes: [b]");
    every_function_refuses(pool, LW_ERR_CLOSED, LW_ERR_STALE_TICKET);
    OK(lw_pool_free(next));
    OK(lw_health_new(NULL, &health));
    OK(lw_health_free(health));
    STATUS(LW_ERR_CLOSED, lw_health_free(health));
    STATUS(LW_ERR_CLOSED, lw_health_status(health, str("a"), &word));
    OK(lw_selector_new(str("random"), &selector));
    OK(lw_selector_free(selector));
    STATUS(LW_ERR_CLOSED, lw_selector_free(selector));
    STATUS(LW_ERR_CLOSED, lw_select(selector, &item, 1, NULL, &index));
}

static void null_pointers(void)
{
    lw_pool pool = pool_of("nodes: [a]");
    lw_pick pick = LW_PICK_INIT;
    lw_str none = {NULL, 3};
    lw_node_spec spec = LW_NODE_SPEC_INIT;
    lw_request request = LW_REQUEST_INIT;
    lw_selector selector;
    lw_health health;
    size_t index;
    uint32_t word;
    STATUS(LW_ERR_NULL_ARGUMENT, lw_pool_new(NULL, 2, &pool));
    STATUS(LW_ERR_NULL_ARGUMENT, lw_pool_new("{}", 2, NULL));
    STATUS(LW_ERR_NULL_ARGUMENT, lw_pool_pick(pool, NULL, NULL));
    STATUS(LW_ERR_NULL_ARGUMENT, lw_pool_choose(pool, NULL, NULL));
    STATUS(LW_ERR_NULL_ARGUMENT, lw_pick_finish(NULL, &SUCCESS));
    OK(lw_pool_pick(pool, NULL, &pick));
    STATUS(LW_ERR_NULL_ARGUMENT, lw_pick_finish(&pick, NULL));
    STATUS(LW_ERR_NULL_ARGUMENT, lw_pool_release(pool, pick.ticket, NULL));
    STATUS(LW_ERR_NULL_ARGUMENT, lw_pool_ticket_node(pool, pick.ticket, NULL));
    OK(lw_pick_finish(&pick, &SUCCESS));
    STATUS(LW_ERR_NULL_ARGUMENT, lw_pool_len(pool, NULL));
    STATUS(LW_ERR_NULL_ARGUMENT, lw_pool_set_strategy(pool, none));
    STATUS(LW_ERR_NULL_ARGUMENT, lw_pool_strategy(pool, NULL, 8, NULL));
    STATUS(LW_ERR_NULL_ARGUMENT, lw_pool_set_nodes(pool, NULL, 1));
    STATUS(LW_ERR_NULL_ARGUMENT, lw_pool_register(pool, NULL, NULL));
    STATUS(LW_ERR_NULL_ARGUMENT, lw_pool_deregister(pool, none));
    STATUS(LW_ERR_NULL_ARGUMENT, lw_pool_drain(pool, none, 1));
    STATUS(LW_ERR_NULL_ARGUMENT, lw_pool_set_weight(pool, none, 1));
    STATUS(LW_ERR_NULL_ARGUMENT, lw_pool_report(pool, none, &SUCCESS, NULL));
    STATUS(LW_ERR_NULL_ARGUMENT, lw_pool_report(pool, str("a"), NULL, NULL));
    STATUS(LW_ERR_NULL_ARGUMENT, lw_pool_report_load(pool, str("a"), NULL));
    STATUS(LW_ERR_NULL_ARGUMENT, lw_pool_nodes(pool, NULL, 1, &index));
    STATUS(LW_ERR_NULL_ARGUMENT, lw_pool_nodes(pool, NULL, 0, NULL));
    STATUS(LW_ERR_NULL_ARGUMENT, lw_pool_node(pool, str("a"), NULL));
    STATUS(LW_ERR_NULL_ARGUMENT, lw_node_user_data(pool, 0, 1, NULL));
    STATUS(LW_ERR_NULL_ARGUMENT, lw_pool_set_own_strategy(pool, NULL, NULL, NULL, str("")));
    STATUS(LW_ERR_NULL_ARGUMENT, lw_last_no_node(NULL));
    STATUS(LW_ERR_NULL_ARGUMENT, lw_last_error(NULL, 5, NULL));
    spec.id = str("b");
    spec.labels_len = 1;
    STATUS(LW_ERR_NULL_ARGUMENT, lw_pool_register(pool, &spec, NULL));
    request.exclude_len = 1;
    STATUS(LW_ERR_NULL_ARGUMENT, lw_pool_pick(pool, &request, &pick));
    request.exclude_len = 0;
    request.exclude_nodes_len = 1;
    STATUS(LW_ERR_NULL_ARGUMENT, lw_pool_pick(pool, &request, &pick));
    request.exclude_nodes_len = 0;
    request.require_len = 1;
    STATUS(LW_ERR_NULL_ARGUMENT, lw_pool_pick(pool, &request, &pick));
    request.require_len = 0;
    request.key = none;
    STATUS(LW_ERR_NULL_ARGUMENT, lw_pool_pick(pool, &request, &pick));
    STATUS(LW_ERR_NULL_ARGUMENT, lw_selector_new(str("random"), NULL));
    OK(lw_selector_new(str("ring_hash"), &selector));
    lw_item item = {none, 1, 0, 0.0, 1.0};
    STATUS(LW_ERR_NULL_ARGUMENT, lw_select(selector, NULL, 1, NULL, &index));
    STATUS(LW_ERR_NULL_ARGUMENT, lw_select(selector, &item, 1, NULL, NULL));
    STATUS(LW_ERR_NULL_ARGUMENT, lw_select(selector, &item, 1, NULL, &index));
    STATUS(LW_ERR_NULL_ARGUMENT, lw_health_new(NULL, NULL));
    OK(lw_health_new(NULL, &health));
    STATUS(LW_ERR_NULL_ARGUMENT, lw_health_status(health, str("a"), NULL));
    STATUS(LW_ERR_NULL_ARGUMENT, lw_health_status(health, none, &word));
    STATUS(LW_ERR_NULL_ARGUMENT, lw_health_should_probe(health, str("a"), NULL));
    STATUS(LW_ERR_NULL_ARGUMENT, lw_health_get(health, str("a"), NULL));
    STATUS(LW_ERR_NULL_ARGUMENT, lw_candidate_id(NULL, NULL, 0, &index));
    OK(lw_selector_free(selector));
    OK(lw_health_free(health));
    OK(lw_pool_free(pool));
}

/* Structs of a version after this one: larger by 16 bytes. */
typedef struct { lw_request now; uint64_t later[2]; } later_request;
typedef struct { lw_pick now; uint64_t later[2]; } later_pick;
typedef struct { lw_outcome now; uint64_t later[2]; } later_outcome;
typedef struct { lw_node_status now; uint64_t later[2]; } later_node_status;
typedef struct { lw_node_spec now; uint64_t later[2]; } later_node_spec;

static void structs_of_another_size(void)
{
    lw_pool pool = pool_of("nodes: [a]");
    lw_pick pick = LW_PICK_INIT;
    const uint32_t wrong[] = {0, 1, 3, 4, 8, sizeof(lw_pick) - 1, 1025, UINT32_MAX};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        lw_request request = LW_REQUEST_INIT;
        lw_outcome outcome = SUCCESS;
        lw_pick bad = LW_PICK_INIT;
        lw_node_spec spec = LW_NODE_SPEC_INIT;
        lw_node_status status = LW_NODE_STATUS_INIT;
        size_t len;
        bad.struct_size = request.struct_size = outcome.struct_size = spec.struct_size = status.struct_size = wrong[i];
        spec.id = str("b");
        STATUS(LW_ERR_STRUCT_SIZE, lw_pool_pick(pool, NULL, &bad));
        CHECK(bad.ticket == 0);
        STATUS(LW_ERR_STRUCT_SIZE, lw_pool_pick(pool, &request, &pick));
        STATUS(LW_ERR_STRUCT_SIZE, lw_pick_finish(&bad, &SUCCESS));
        STATUS(LW_ERR_STRUCT_SIZE, lw_pool_register(pool, &spec, NULL));
        STATUS(LW_ERR_STRUCT_SIZE, lw_pool_nodes(pool, &status, 1, &len));
        OK(lw_pool_pick(pool, NULL, &pick));
        STATUS(LW_ERR_STRUCT_SIZE, lw_pick_finish(&pick, &outcome));
        OK(lw_pick_finish(&pick, &SUCCESS));
    }
    OK(lw_pool_free(pool));
}

static void structs_of_a_later_version(void)
{
    lw_pool pool = pool_of("nodes: [a, b]");
    later_request request = {LW_REQUEST_INIT, {0, 0}};
    later_pick pick = {LW_PICK_INIT, {0, 0}};
    later_outcome outcome = {SUCCESS, {0, 0}};
    later_node_status nodes[2] = {{LW_NODE_STATUS_INIT, {0, 0}}, {LW_NODE_STATUS_INIT, {0, 0}}};
    later_node_spec specs[2] = {{LW_NODE_SPEC_INIT, {0, 0}}, {LW_NODE_SPEC_INIT, {0, 0}}};
    lw_str a = str("a");
    size_t len = 0;
    request.now.struct_size = sizeof request;
    request.now.exclude = &a;
    request.now.exclude_len = 1;
    pick.now.struct_size = sizeof pick;
    outcome.now.struct_size = sizeof outcome;
    OK(lw_pool_pick(pool, &request.now, &pick.now));
    CHECK(pick.now.struct_size == sizeof pick && !strcmp(id_of(&pick.now), "b"));
    OK(lw_pick_finish(&pick.now, &outcome.now));
    nodes[0].now.struct_size = sizeof *nodes;
    OK(lw_pool_nodes(pool, &nodes[0].now, 2, &len));
    CHECK(len == 2 && nodes[1].now.struct_size == sizeof *nodes && nodes[1].now.weight == 1);
    for (int i = 0; i < 2; i++) {
        specs[i].now.struct_size = sizeof *specs;
        specs[i].now.id = str(i ? "y" : "x");
    }
    OK(lw_pool_register_batch(pool, &specs[0].now, 2, NULL));
    specs[1].now.struct_size = sizeof(lw_node_spec);
    STATUS(LW_ERR_STRUCT_SIZE, lw_pool_set_nodes(pool, &specs[0].now, 2));
    request.later[1] = 1;
    STATUS(LW_ERR_STRUCT_SIZE, lw_pool_pick(pool, &request.now, &pick.now));
    SAYS("beyond");
    pick.later[0] = 1;
    STATUS(LW_ERR_STRUCT_SIZE, lw_pool_pick(pool, NULL, &pick.now));
    OK(lw_pool_free(pool));
}

static void numbers_out_of_range(void)
{
    lw_pool pool = pool_of("nodes: [a]");
    lw_pick pick = LW_PICK_INIT;
    OK(lw_pool_pick(pool, NULL, &pick));
    const uint32_t kinds[] = {0, 5, UINT32_MAX};
    for (int i = 0; i < 3; i++) {
        lw_outcome outcome = outcome_of(kinds[i]);
        STATUS(LW_ERR_INVALID_ARGUMENT, lw_pick_finish(&pick, &outcome));
        STATUS(LW_ERR_INVALID_ARGUMENT, lw_pool_report(pool, str("a"), &outcome, NULL));
    }
    lw_outcome outcome = outcome_of(LW_OUTCOME_FAILURE);
    outcome.failure = 5;
    STATUS(LW_ERR_INVALID_ARGUMENT, lw_pick_finish(&pick, &outcome));
    outcome.kind = LW_OUTCOME_SUCCESS;
    outcome.failure = LW_FAILURE_RESET;
    STATUS(LW_ERR_INVALID_ARGUMENT, lw_pick_finish(&pick, &outcome));
    OK(lw_pick_finish(&pick, &SUCCESS));
    lw_request request = LW_REQUEST_INIT;
    request.health_mask = 16;
    STATUS(LW_ERR_INVALID_ARGUMENT, lw_pool_pick(pool, &request, &pick));
    request.health_mask = 0;
    request.key.data = "x";
    request.key.len = SIZE_MAX;
    STATUS(LW_ERR_INVALID_ARGUMENT, lw_pool_pick(pool, &request, &pick));
    lw_str a = str("a");
    request.key = str("x");
    request.exclude = &a;
    request.exclude_len = SIZE_MAX / 8;
    STATUS(LW_ERR_INVALID_ARGUMENT, lw_pool_pick(pool, &request, &pick));
    lw_node_spec spec = LW_NODE_SPEC_INIT;
    STATUS(LW_ERR_INVALID_ARGUMENT, lw_pool_set_nodes(pool, &spec, SIZE_MAX));
    const uint64_t tickets[] = {0, 1, UINT64_C(1) << 53, UINT64_MAX};
    for (int i = 0; i < 4; i++)
        STATUS(LW_ERR_INVALID_TICKET, lw_pool_release(pool, tickets[i], &SUCCESS));
    STATUS(LW_ERR_STALE_TICKET, lw_pool_release(pool, UINT64_C(77) << 21, &SUCCESS));
    OK(lw_pool_free(pool));
}

static void texts_that_are_not_utf8(void)
{
    lw_pool pool = pool_of("nodes: [a]");
    lw_str bad = str("\xff\xfe");
    lw_label label = {bad, str("v")};
    lw_pick pick = LW_PICK_INIT;
    lw_request request = LW_REQUEST_INIT;
    lw_node_spec spec = LW_NODE_SPEC_INIT;
    lw_node_ref place;
    lw_pool none = 0;
    request.exclude = &bad;
    request.exclude_len = 1;
    STATUS(LW_ERR_INVALID_UTF8, lw_pool_pick(pool, &request, &pick));
    request.exclude_len = 0;
    request.require = &label;
    request.require_len = 1;
    STATUS(LW_ERR_INVALID_UTF8, lw_pool_pick(pool, &request, &pick));
    request.require_len = 0;
    request.key = bad;
    OK(lw_pool_pick(pool, &request, &pick));
    OK(lw_pick_finish(&pick, &SUCCESS));
    spec.id = bad;
    STATUS(LW_ERR_INVALID_UTF8, lw_pool_register(pool, &spec, NULL));
    STATUS(LW_ERR_INVALID_UTF8, lw_pool_node(pool, bad, &place));
    STATUS(LW_ERR_INVALID_UTF8, lw_pool_set_strategy(pool, bad));
    STATUS(LW_ERR_CONFIG, lw_pool_new("nodes:\n- \xff", 10, &none));
    SAYS("line 2");
    CHECK(none == 0);
    OK(lw_pool_free(pool));
}

static void configurations_that_cannot_be(void)
{
    const struct { const char *config; lw_status status; const char *says; } wrong[] = {
        {"strategy: best", LW_ERR_CONFIG, "best"},
        {"strategie: p2c", LW_ERR_CONFIG, "strategie"},
        {"nodes:\n  - a\n  - a", LW_ERR_CONFIG, "line 3"},
        {"nodes: [{id: a, weight: -1}]", LW_ERR_CONFIG, "weight"},
        {"nodes: [{id: a, weight: 4294967295}, b]", LW_ERR_LIMIT, "weight"},
        {"nodes: [{id: ''}]", LW_ERR_CONFIG, "id"},
        {"limits: {max_nodes: 1}\nnodes: [a, b]", LW_ERR_LIMIT, "limits.max_nodes"},
        {"limits: {max_nodes: 65536}", LW_ERR_CONFIG, "max_nodes"},
        {"[", LW_ERR_CONFIG, "line 1"},
        {"", LW_ERR_CONFIG, ""},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        lw_pool pool = 42;
        STATUS(wrong[i].status, lw_pool_new(wrong[i].config, strlen(wrong[i].config), &pool));
        SAYS(wrong[i].says);
        CHECK(pool == 42);
    }
}

static void ids_that_cannot_be(void)
{
    lw_pool pool = pool_of("nodes: [{id: a, weight: 7}]");
    char id[257];
    memset(id, 'x', sizeof id);
    lw_node_spec specs[2] = {LW_NODE_SPEC_INIT, LW_NODE_SPEC_INIT};
    lw_label twice[2] = {{str("k"), str("1")}, {str("k"), str("2")}};
    size_t len = 0;
    specs[0].id.data = id;
    specs[0].id.len = 255;
    OK(lw_pool_register(pool, &specs[0], NULL));
    OK(lw_pool_deregister(pool, specs[0].id));
    specs[0].id.len = 256;
    STATUS(LW_ERR_CONFIG, lw_pool_register(pool, &specs[0], NULL));
    specs[0].id = str("");
    STATUS(LW_ERR_CONFIG, lw_pool_register(pool, &specs[0], NULL));
    specs[0].id = specs[1].id = str("twice");
    STATUS(LW_ERR_CONFIG, lw_pool_set_nodes(pool, specs, 2));
    STATUS(LW_ERR_CONFIG, lw_pool_register_batch(pool, specs, 2, NULL));
    specs[1].id = str("other");
    specs[0].weight = specs[1].weight = UINT32_MAX;
    STATUS(LW_ERR_LIMIT, lw_pool_set_nodes(pool, specs, 2));
    specs[0].weight = specs[1].weight = 1;
    specs[0].labels = twice;
    specs[0].labels_len = 2;
    STATUS(LW_ERR_CONFIG, lw_pool_set_nodes(pool, specs, 2));
    SAYS("twice");
    OK(lw_pool_set_weight(pool, str("a"), UINT32_MAX));
    STATUS(LW_ERR_LIMIT, lw_pool_register(pool, &specs[1], NULL));
    OK(lw_pool_len(pool, &len));
    CHECK(len == 1);
    OK(lw_pool_free(pool));
}

static void all_weights_zero(void)
{
    lw_pool pool = pool_of("nodes: [{id: a, weight: 0}, {id: b, weight: 0}]");
    const char *strategies[] = {"p2c", "round_robin", "weighted_round_robin", "random", "weighted_random", "least_load",
                                "least_request", "peak_ewma", "ring_hash", "maglev", "rendezvous", "most_available"};
    for (size_t i = 0; i < sizeof strategies / sizeof *strategies; i++) {
        lw_request request = LW_REQUEST_INIT;
        lw_pick pick = LW_PICK_INIT;
        OK(lw_pool_set_strategy(pool, str(strategies[i])));
        STATUS(LW_NO_NODE_DRAINING, lw_pool_pick(pool, NULL, &pick));
        request.key = str("k");
        STATUS(LW_NO_NODE_DRAINING, lw_pool_pick(pool, &request, &pick));
    }
    OK(lw_pool_free(pool));
}

static void loads_that_are_no_numbers(void)
{
    lw_pool pool = pool_of("strategy: least_load\nnodes: [a, b]");
    lw_load load = LW_LOAD_INIT;
    lw_pick pick = LW_PICK_INIT;
    load.flags = LW_NODE_HAS_LOAD;
    load.load = NAN;
    OK(lw_pool_report_load(pool, str("a"), &load));
    load.load = 1e300;
    OK(lw_pool_report_load(pool, str("b"), &load));
    OK(lw_pool_choose(pool, NULL, &pick));
    CHECK(!strcmp(id_of(&pick), "b"));
    OK(lw_pool_drain(pool, str("b"), 1));
    OK(lw_pool_choose(pool, NULL, &pick));
    CHECK(!strcmp(id_of(&pick), "a"));
    OK(lw_pool_free(pool));
}

static void keys_of_any_length(void)
{
    lw_pool pool = pool_of("strategy: maglev\nnodes: [a, b, c]");
    const size_t lengths[] = {0, 1, 8, 1 << 20};
    char *bytes = calloc(1, 1 << 20);
    for (int i = 0; i < 4; i++) {
        lw_request request = LW_REQUEST_INIT;
        lw_pick first = LW_PICK_INIT, pick = LW_PICK_INIT;
        request.key.data = bytes;
        request.key.len = lengths[i];
        OK(lw_pool_choose(pool, &request, &first));
        for (int j = 0; j < 20; j++) {
            OK(lw_pool_choose(pool, &request, &pick));
            CHECK(pick.node == first.node);
        }
    }
    free(bytes);
    OK(lw_pool_free(pool));
}

static lw_status pool_of_n_nodes(size_t n, lw_pool *pool)
{
    char *config = malloc(n * 16 + 64);
    size_t len = (size_t)sprintf(config, "limits: {max_nodes: %zu}\nnodes: [", n > 65535 ? 65535 : n);
    for (size_t i = 0; i < n; i++)
        len += (size_t)sprintf(config + len, "%sn%zu", i ? ", " : "", i);
    len += (size_t)sprintf(config + len, "]");
    lw_status status = lw_pool_new(config, len, pool);
    free(config);
    return status;
}

static void ten_thousand_nodes(void)
{
    lw_pool pool = 0;
    lw_pick pick = LW_PICK_INIT;
    size_t len = 0;
    OK(pool_of_n_nodes(10000, &pool));
    OK(lw_pool_len(pool, &len));
    CHECK(len == 10000);
    lw_node_status *nodes = calloc(len, sizeof *nodes);
    nodes[0].struct_size = sizeof *nodes;
    OK(lw_pool_nodes(pool, nodes, len, &len));
    CHECK(nodes[9999].weight == 1);
    free(nodes);
    OK(lw_pool_pick(pool, NULL, &pick));
    OK(lw_pick_finish(&pick, &SUCCESS));
    OK(lw_pool_free(pool));
}

static void too_many_nodes(void)
{
    lw_pool pool = 0;
    STATUS(LW_ERR_LIMIT, pool_of_n_nodes(65536, &pool));
    SAYS("65535");
    CHECK(pool == 0);
    pool = pool_of("limits: {max_nodes: 2}\nnodes: [a, b]");
    lw_node_spec spec = LW_NODE_SPEC_INIT;
    spec.id = str("c");
    STATUS(LW_ERR_LIMIT, lw_pool_register(pool, &spec, NULL));
    SAYS("limits.max_nodes");
    OK(lw_pool_free(pool));
}

static void a_ticket_finishes_once(void)
{
    lw_pool pool = pool_of("nodes: [a]");
    lw_pick pick = LW_PICK_INIT, copy;
    lw_node_status node = LW_NODE_STATUS_INIT;
    size_t len;
    OK(lw_pool_pick(pool, NULL, &pick));
    copy = pick;
    OK(lw_pick_finish(&pick, &SUCCESS));
    STATUS(LW_ERR_STALE_TICKET, lw_pick_finish(&pick, &SUCCESS));
    STATUS(LW_ERR_STALE_TICKET, lw_pick_finish(&copy, &SUCCESS));
    STATUS(LW_ERR_STALE_TICKET, lw_pool_release(pool, pick.ticket, &SUCCESS));
    OK(lw_pool_nodes(pool, &node, 1, &len));
    CHECK(node.in_flight == 0);
    OK(lw_pool_pick(pool, NULL, &pick));
    OK(lw_pool_free(pool));
    STATUS(LW_ERR_STALE_TICKET, lw_pick_finish(&pick, &SUCCESS));
    SAYS("freed");
}

static void messages_stay_until_the_next_failure(void)
{
    lw_pool pool = 0;
    char text[512];
    size_t len = 0;
    STATUS(LW_ERR_CONFIG, lw_pool_new("x: 1", 4, &pool));
    OK(lw_pool_new("{}", 2, &pool));
    SAYS("\"x\"");
    OK(lw_last_error(NULL, 0, &len));
    CHECK(len > 10);
    CHECK(lw_last_error(text, 4, &len) == LW_ERR_BUFFER_TOO_SMALL);
    SAYS("\"x\"");
    lw_no_node why = LW_NO_NODE_INIT;
    OK(lw_last_no_node(&why));
    CHECK(why.status == LW_OK);
    OK(lw_pool_free(pool));
}

static void more_pools_than_there_may_be(void)
{
    enum { ROOM = 9000 };
    lw_pool *pools = calloc(ROOM, sizeof *pools);
    const char *config = "limits: {max_nodes: 1, max_picks: 64, max_table_size: 2}\nnodes: [a]";
    size_t made = 0;
    lw_status status = LW_OK;
    while (made < ROOM && (status = lw_pool_new(config, strlen(config), &pools[made])) == LW_OK)
        made++;
    CHECK(status == LW_ERR_LIMIT && made >= 1000);
    lw_pick pick = LW_PICK_INIT;
    for (size_t i = 0; i < made; i++) {
        OK(lw_pool_pick(pools[i], NULL, &pick));
        OK(lw_pick_finish(&pick, &SUCCESS));
    }
    for (size_t i = 0; i < made; i++)
        OK(lw_pool_free(pools[i]));
    OK(lw_pool_new(config, strlen(config), &pools[0]));
    OK(lw_pool_free(pools[0]));
    free(pools);
}

int main(void)
{
    RUN(handles_that_never_were);
    RUN(handles_of_another_type);
    RUN(freed_handles);
    RUN(null_pointers);
    RUN(structs_of_another_size);
    RUN(structs_of_a_later_version);
    RUN(numbers_out_of_range);
    RUN(texts_that_are_not_utf8);
    RUN(configurations_that_cannot_be);
    RUN(ids_that_cannot_be);
    RUN(all_weights_zero);
    RUN(loads_that_are_no_numbers);
    RUN(keys_of_any_length);
    RUN(ten_thousand_nodes);
    RUN(too_many_nodes);
    RUN(a_ticket_finishes_once);
    RUN(messages_stay_until_the_next_failure);
    RUN(more_pools_than_there_may_be);
    return tests_failed != 0;
}
