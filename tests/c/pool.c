/* A pool from its configuration to its end, every function of it. */
#include "check.h"

#include <math.h>
#include <stdlib.h>

static const char TWO[] = "strategy: round_robin\n"
                          "seed: 1\n"
                          "nodes:\n"
                          "  - {id: a, address: '10.0.0.1:80', name: first, weight: 1, labels: {region: eu}, user_data: 7}\n"
                          "  - {id: b, address: '10.0.0.2:80', labels: {region: us}}\n";

static void a_pick_is_in_flight_until_it_is_finished(void)
{
    lw_pool pool = pool_of(TWO);
    lw_outcome success = outcome_of(LW_OUTCOME_SUCCESS);
    lw_pick pick = LW_PICK_INIT;
    OK(lw_pool_pick(pool, NULL, &pick));
    CHECK(pick.pool == pool && pick.ticket != 0 && pick.ticket < (UINT64_C(1) << 53) && pick.flags == 0);
    CHECK(status_of(pool, id_of(&pick)).in_flight == 1);
    OK(lw_pick_finish(&pick, &success));
    CHECK(status_of(pool, id_of(&pick)).in_flight == 0);
    OK(lw_pool_free(pool));
}

static void a_pick_names_its_node(void)
{
    lw_pool pool = pool_of("nodes: [{id: a, address: 'h:1', name: first, user_data: 7, labels: {k: v}}]");
    lw_pick pick = LW_PICK_INIT;
    char text[256];
    size_t len = 0;
    uint64_t data = 0;
    uint32_t has = 9;
    OK(lw_pool_pick(pool, NULL, &pick));
    CHECK(pick.user_data == 7);
    OK(lw_node_id(pool, pick.node, pick.generation, text, sizeof text, &len));
    CHECK(!strcmp(text, "a") && len == 1);
    OK(lw_node_address(pool, pick.node, pick.generation, text, sizeof text, &len));
    CHECK(!strcmp(text, "h:1") && len == 3);
    OK(lw_node_name(pool, pick.node, pick.generation, text, sizeof text, NULL));
    CHECK(!strcmp(text, "first"));
    OK(lw_node_label(pool, pick.node, pick.generation, str("k"), &has, text, sizeof text, NULL));
    CHECK(!strcmp(text, "v") && has == 1);
    OK(lw_node_label(pool, pick.node, pick.generation, str("none"), &has, text, sizeof text, NULL));
    CHECK(!strcmp(text, "") && has == 0);
    OK(lw_node_set_user_data(pool, pick.node, pick.generation, 8));
    OK(lw_node_user_data(pool, pick.node, pick.generation, &data));
    CHECK(data == 8);
    lw_node_ref place = {9, 9};
    OK(lw_pool_ticket_node(pool, pick.ticket, &place));
    CHECK(place.node == pick.node && place.generation == pick.generation);
    lw_outcome cancelled = outcome_of(LW_OUTCOME_CANCELLED);
    OK(lw_pool_release(pool, pick.ticket, &cancelled));
    STATUS(LW_ERR_STALE_TICKET, lw_pool_ticket_node(pool, pick.ticket, &place));
    OK(lw_pool_free(pool));
}

static void a_short_buffer_is_told_how_much_is_needed(void)
{
    lw_pool pool = pool_of("nodes: [{id: abc}]");
    lw_pick pick = LW_PICK_INIT;
    char text[8] = "keep";
    size_t len = 0;
    OK(lw_pool_choose(pool, NULL, &pick));
    STATUS(LW_ERR_BUFFER_TOO_SMALL, lw_node_id(pool, pick.node, pick.generation, text, 3, &len));
    CHECK(len == 3 && !strcmp(text, "keep"));
    STATUS(LW_ERR_BUFFER_TOO_SMALL, lw_node_id(pool, pick.node, pick.generation, text, 0, &len));
    OK(lw_node_id(pool, pick.node, pick.generation, text, 4, NULL));
    CHECK(!strcmp(text, "abc"));
    len = 0;
    OK(lw_node_id(pool, pick.node, pick.generation, NULL, 0, &len));
    CHECK(len == 3);
    STATUS(LW_ERR_NULL_ARGUMENT, lw_node_id(pool, pick.node, pick.generation, NULL, 4, &len));
    OK(lw_pool_free(pool));
}

static void choosing_counts_nothing(void)
{
    lw_pool pool = pool_of("nodes: [{id: a, user_data: 5}]");
    lw_outcome success = outcome_of(LW_OUTCOME_SUCCESS);
    lw_pick pick = LW_PICK_INIT;
    OK(lw_pool_choose(pool, NULL, &pick));
    CHECK(pick.ticket == 0 && pick.user_data == 5 && status_of(pool, "a").in_flight == 0);
    STATUS(LW_ERR_INVALID_TICKET, lw_pick_finish(&pick, &success));
    OK(lw_pool_free(pool));
}

static void round_robin_takes_turns(void)
{
    lw_pool pool = pool_of("strategy: round_robin\nseed: 1\nnodes: [a, b, c]");
    int counts[3] = {0, 0, 0};
    for (int i = 0; i < 30; i++) {
        lw_pick pick = LW_PICK_INIT;
        OK(lw_pool_choose(pool, NULL, &pick));
        counts[id_of(&pick)[0] - 'a']++;
    }
    CHECK(counts[0] == 10 && counts[1] == 10 && counts[2] == 10);
    OK(lw_pool_free(pool));
}

static void requests_narrow_the_choice(void)
{
    lw_pool pool = pool_of(TWO);
    lw_pick first = LW_PICK_INIT, pick = LW_PICK_INIT;
    lw_str a = str("a"), both[2] = {str("a"), str("b")};
    lw_label us = {str("region"), str("us")}, nowhere = {str("region"), str("nowhere")};
    for (int i = 0; i < 20; i++) {
        lw_request without_a = LW_REQUEST_INIT;
        without_a.exclude = &a;
        without_a.exclude_len = 1;
        OK(lw_pool_choose(pool, &without_a, &pick));
        CHECK(!strcmp(id_of(&pick), "b"));

        lw_request in_us = LW_REQUEST_INIT;
        in_us.require = &us;
        in_us.require_len = 1;
        OK(lw_pool_choose(pool, &in_us, &pick));
        CHECK(!strcmp(id_of(&pick), "b"));

        OK(lw_pool_choose(pool, NULL, &first));
        lw_node_ref tried = {first.node, first.generation};
        lw_request again = LW_REQUEST_INIT;
        again.exclude_nodes = &tried;
        again.exclude_nodes_len = 1;
        OK(lw_pool_choose(pool, &again, &pick));
        CHECK(pick.node != first.node);
    }
    lw_request request = LW_REQUEST_INIT;
    request.exclude = both;
    request.exclude_len = 2;
    STATUS(LW_NO_NODE_ALL_EXCLUDED, lw_pool_pick(pool, &request, &pick));
    lw_no_node why = LW_NO_NODE_INIT;
    OK(lw_last_no_node(&why));
    CHECK(why.status == LW_NO_NODE_ALL_EXCLUDED && why.flags == 0);
    SAYS("excluded");
    lw_request elsewhere = LW_REQUEST_INIT;
    elsewhere.require = &nowhere;
    elsewhere.require_len = 1;
    STATUS(LW_NO_NODE_NO_MATCH, lw_pool_pick(pool, &elsewhere, &pick));
    OK(lw_pool_free(pool));
}

static void long_lists_of_exclusions_are_taken(void)
{
    enum { COUNT = 100 };
    char config[2048] = "strategy: random\nnodes: [", ids[COUNT][8];
    lw_str excluded[COUNT];
    lw_node_ref places[COUNT];
    for (int i = 0; i < COUNT; i++) {
        snprintf(ids[i], sizeof ids[i], "n%d", i);
        snprintf(config + strlen(config), sizeof config - strlen(config), "%s%s", i ? ", " : "", ids[i]);
        excluded[i] = str(ids[i]);
    }
    strcat(config, "]");
    lw_pool pool = pool_of(config);
    lw_pick pick = LW_PICK_INIT;
    for (int i = 0; i < COUNT; i++)
        OK(lw_pool_node(pool, excluded[i], &places[i]));
    lw_request request = LW_REQUEST_INIT;
    request.exclude = excluded;
    request.exclude_len = COUNT - 1;
    OK(lw_pool_choose(pool, &request, &pick));
    CHECK(!strcmp(id_of(&pick), "n99"));
    lw_request by_place = LW_REQUEST_INIT;
    by_place.exclude_nodes = places + 1;
    by_place.exclude_nodes_len = COUNT - 1;
    OK(lw_pool_choose(pool, &by_place, &pick));
    CHECK(!strcmp(id_of(&pick), "n0"));
    OK(lw_pool_free(pool));
}

static void a_key_stays_with_its_node(void)
{
    lw_pool pool = pool_of("strategy: maglev\nnodes: [a, b, c, d, e]");
    int moved = 0, seen = 0;
    for (int key = 0; key < 100; key++) {
        char text[16], first[256];
        snprintf(text, sizeof text, "user-%d", key);
        lw_request request = LW_REQUEST_INIT;
        request.key = str(text);
        lw_pick pick = LW_PICK_INIT;
        OK(lw_pool_choose(pool, &request, &pick));
        strcpy(first, id_of(&pick));
        seen |= 1 << (first[0] - 'a');
        for (int i = 0; i < 5; i++) {
            OK(lw_pool_choose(pool, &request, &pick));
            moved += strcmp(first, id_of(&pick)) != 0;
        }
    }
    CHECK(moved == 0 && seen == 31);
    OK(lw_pool_free(pool));
}

static void failures_make_a_node_unhealthy(void)
{
    lw_pool pool = pool_of("nodes: [a, b]");
    lw_outcome failure = outcome_of(LW_OUTCOME_FAILURE);
    failure.failure = LW_FAILURE_TIMEOUT;
    uint32_t changed = 9;
    OK(lw_pool_report(pool, str("a"), &failure, &changed));
    CHECK(changed == 0);
    OK(lw_pool_report(pool, str("a"), &failure, &changed));
    CHECK(changed == 1 && status_of(pool, "a").health == LW_HEALTH_DEGRADED);
    OK(lw_pool_report(pool, str("a"), &failure, NULL));
    CHECK(status_of(pool, "a").health == LW_HEALTH_UNHEALTHY && status_of(pool, "a").consecutive_failures == 3);
    lw_pick pick = LW_PICK_INIT;
    for (int i = 0; i < 50; i++) {
        OK(lw_pool_choose(pool, NULL, &pick));
        CHECK(!strcmp(id_of(&pick), "b"));
    }
    lw_request request = LW_REQUEST_INIT;
    request.health_mask = LW_HEALTH_UNHEALTHY;
    OK(lw_pool_choose(pool, &request, &pick));
    CHECK(!strcmp(id_of(&pick), "a"));
    lw_outcome success = outcome_of(LW_OUTCOME_SUCCESS);
    OK(lw_pool_report(pool, str("a"), &success, &changed));
    CHECK(changed == 1 && status_of(pool, "a").health == LW_HEALTH_RECOVERING);
    STATUS(LW_ERR_UNKNOWN_NODE, lw_pool_report(pool, str("z"), &success, NULL));
    OK(lw_pool_free(pool));
}

static void the_first_token_of_an_answer_is_its_latency(void)
{
    lw_pool pool = pool_of("strategy: peak_ewma\nnodes: [a]");
    lw_request request = LW_REQUEST_INIT;
    lw_outcome success = outcome_of(LW_OUTCOME_SUCCESS);
    lw_pick pick = LW_PICK_INIT;
    const uint64_t ms = 1000000;
    uint32_t first = 9;
    request.now_ns = 5000 * ms;
    success.latency_ns = 9000 * ms;
    OK(lw_pool_pick(pool, &request, &pick));
    OK(lw_pick_first_token(&pick, 5040 * ms, &first));
    CHECK(first == 1 && fabs((double)status_of(pool, "a").latency_ns - 40e6) < 1e3);
    OK(lw_pick_first_token(&pick, 5900 * ms, &first));
    CHECK(first == 0);
    OK(lw_pick_finish(&pick, &success));
    CHECK(fabs((double)status_of(pool, "a").latency_ns - 40e6) < 1e3 && status_of(pool, "a").in_flight == 0);
    first = 9;
    STATUS(LW_ERR_STALE_TICKET, lw_pick_first_token(&pick, 0, &first));
    STATUS(LW_ERR_STALE_TICKET, lw_pool_first_token(pool, pick.ticket, 0, &first));
    STATUS(LW_ERR_INVALID_TICKET, lw_pool_first_token(pool, 0, 0, &first));
    STATUS(LW_ERR_NULL_ARGUMENT, lw_pick_first_token(NULL, 0, &first));
    CHECK(first == 9);
    OK(lw_pool_pick(pool, &request, &pick));
    OK(lw_pool_first_token(pool, pick.ticket, 5080 * ms, NULL));
    CHECK(fabs((double)status_of(pool, "a").latency_ns - 80e6) < 1e3);
    OK(lw_pool_free(pool));
    STATUS(LW_ERR_STALE_TICKET, lw_pick_first_token(&pick, 0, &first));
    pick.struct_size = 4;
    STATUS(LW_ERR_STRUCT_SIZE, lw_pick_first_token(&pick, 0, &first));
}

static void latencies_and_loads_are_told_and_shown(void)
{
    lw_pool pool = pool_of("strategy: peak_ewma\nnodes: [a]");
    lw_node_status node = status_of(pool, "a");
    CHECK((node.flags & (LW_NODE_HAS_LATENCY | LW_NODE_HAS_LOAD | LW_NODE_HAS_REMAINING)) == 0);
    lw_pick pick = LW_PICK_INIT;
    lw_outcome success = outcome_of(LW_OUTCOME_SUCCESS);
    success.latency_ns = 50000000;
    OK(lw_pool_pick(pool, NULL, &pick));
    OK(lw_pick_finish(&pick, &success));
    lw_load load = LW_LOAD_INIT;
    load.flags = LW_NODE_HAS_LOAD;
    load.load = 2.5;
    OK(lw_pool_report_load(pool, str("a"), &load));
    load.flags = LW_NODE_HAS_REMAINING;
    load.load = 99;
    load.remaining_ratio = 0.25;
    OK(lw_pool_report_load(pool, str("a"), &load));
    node = status_of(pool, "a");
    CHECK(node.flags & LW_NODE_HAS_LATENCY && fabs(node.latency_ns - 5e7) < 5e5);
    CHECK(node.flags & LW_NODE_HAS_LOAD && node.load == 2.5);
    CHECK(node.flags & LW_NODE_HAS_REMAINING && fabs(node.remaining_ratio - 0.25) < 1e-6);
    load.remaining_ratio = 1.5;
    STATUS(LW_ERR_CONFIG, lw_pool_report_load(pool, str("a"), &load));
    load.flags = 1 << 20;
    STATUS(LW_ERR_INVALID_ARGUMENT, lw_pool_report_load(pool, str("a"), &load));
    OK(lw_pool_free(pool));
}

static void nodes_come_and_go(void)
{
    lw_pool pool = pool_of("{}");
    lw_pick pick = LW_PICK_INIT;
    size_t len = 9;
    STATUS(LW_NO_NODE_EMPTY, lw_pool_pick(pool, NULL, &pick));
    lw_label labels[2] = {{str("region"), str("eu")}, {str("zone"), str("1")}};
    lw_node_spec specs[2] = {LW_NODE_SPEC_INIT, LW_NODE_SPEC_INIT};
    specs[0].id = str("a");
    specs[0].labels = labels;
    specs[0].labels_len = 2;
    specs[0].user_data = 11;
    specs[1].id = str("b");
    specs[1].address = str("b.example:80");
    specs[1].weight = 3;
    lw_node_ref places[2];
    OK(lw_pool_register_batch(pool, specs, 2, places));
    OK(lw_pool_len(pool, &len));
    CHECK(len == 2);
    char text[256];
    OK(lw_node_address(pool, places[0].node, places[0].generation, text, sizeof text, NULL));
    CHECK(!strcmp(text, "a"));
    OK(lw_node_address(pool, places[1].node, places[1].generation, text, sizeof text, NULL));
    CHECK(!strcmp(text, "b.example:80"));
    CHECK(status_of(pool, "b").weight == 3 && status_of(pool, "a").user_data == 11);

    STATUS(LW_ERR_DUPLICATE_NODE, lw_pool_register(pool, &specs[0], NULL));
    OK(lw_pool_set_weight(pool, str("b"), 0));
    OK(lw_pool_drain(pool, str("a"), 1));
    CHECK(status_of(pool, "a").flags & LW_NODE_DRAINING);
    STATUS(LW_NO_NODE_DRAINING, lw_pool_pick(pool, NULL, &pick));
    OK(lw_pool_drain(pool, str("a"), 0));
    OK(lw_pool_pick(pool, NULL, &pick));
    CHECK(!strcmp(id_of(&pick), "a"));

    OK(lw_pool_deregister(pool, str("a")));
    STATUS(LW_ERR_UNKNOWN_NODE, lw_pool_deregister(pool, str("a")));
    OK(lw_node_address(pool, pick.node, pick.generation, text, sizeof text, NULL));
    CHECK(!strcmp(text, "a"));
    lw_outcome success = outcome_of(LW_OUTCOME_SUCCESS);
    OK(lw_pick_finish(&pick, &success));

    /* Once its place is another's, a node is unknown. */
    lw_node_spec other = LW_NODE_SPEC_INIT;
    other.id = str("c");
    OK(lw_pool_register(pool, &other, &places[0]));
    CHECK(places[0].node == pick.node && places[0].generation != pick.generation);
    STATUS(LW_ERR_UNKNOWN_NODE, lw_node_id(pool, pick.node, pick.generation, text, sizeof text, NULL));
    STATUS(LW_ERR_UNKNOWN_NODE, lw_node_address(pool, pick.node, pick.generation, text, sizeof text, NULL));
    STATUS(LW_ERR_UNKNOWN_NODE, lw_node_name(pool, pick.node, pick.generation, text, sizeof text, NULL));
    STATUS(LW_ERR_UNKNOWN_NODE, lw_node_set_user_data(pool, pick.node, pick.generation, 1));
    uint64_t data;
    STATUS(LW_ERR_UNKNOWN_NODE, lw_node_user_data(pool, pick.node, pick.generation, &data));

    OK(lw_pool_set_nodes(pool, specs, 1));
    OK(lw_pool_len(pool, &len));
    CHECK(len == 1);
    OK(lw_pool_set_nodes(pool, NULL, 0));
    OK(lw_pool_len(pool, &len));
    CHECK(len == 0);
    OK(lw_pool_free(pool));
}

static void a_member_is_described_anew(void)
{
    lw_pool pool = pool_of("nodes: [{id: a, user_data: 5, labels: {region: us}}, b]");
    lw_label label = {str("region"), str("eu")};
    lw_node_spec spec = LW_NODE_SPEC_INIT;
    lw_node_status status = LW_NODE_STATUS_INIT;
    lw_outcome failure = outcome_of(LW_OUTCOME_FAILURE);
    lw_pick pick = LW_PICK_INIT;
    lw_request request = LW_REQUEST_INIT;
    lw_str b = str("b");
    request.exclude = &b;
    request.exclude_len = 1;
    OK(lw_pool_pick(pool, &request, &pick));
    OK(lw_pool_report(pool, str("a"), &failure, NULL));
    OK(lw_pool_drain(pool, str("a"), 1));
    spec.id = str("a");
    spec.address = str("a.example:80");
    spec.weight = 9;
    spec.tier = 1;
    spec.max_in_flight = 4;
    spec.labels = &label;
    spec.labels_len = 1;
    OK(lw_pool_update(pool, &spec));
    OK(lw_pool_node_status(pool, str("a"), 0, &status));
    CHECK(status.struct_size == sizeof status && status.node == pick.node && status.generation == pick.generation);
    CHECK(status.weight == 9 && status.tier == 1 && status.max_in_flight == 4 && status.user_data == 5);
    /* What is known of it stays. */
    CHECK(status.in_flight == 1 && status.consecutive_failures == 1 && (status.flags & LW_NODE_DRAINING));
    char address[256];
    OK(lw_node_address(pool, pick.node, pick.generation, address, sizeof address, NULL));
    CHECK(!strcmp(address, "a.example:80"));
    OK(lw_node_label(pool, pick.node, pick.generation, str("region"), NULL, address, sizeof address, NULL));
    CHECK(!strcmp(address, "eu"));
    OK(lw_pick_finish(&pick, &failure));

    spec.user_data = 6;
    spec.tier = 8;
    STATUS(LW_ERR_CONFIG, lw_pool_update(pool, &spec));
    SAYS("tier");
    CHECK(status_of(pool, "a").user_data == 5);
    spec.tier = 0;
    OK(lw_pool_update(pool, &spec));
    CHECK(status_of(pool, "a").user_data == 6);
    spec.id = str("z");
    STATUS(LW_ERR_UNKNOWN_NODE, lw_pool_update(pool, &spec));
    spec.struct_size = 4;
    STATUS(LW_ERR_STRUCT_SIZE, lw_pool_update(pool, &spec));
    STATUS(LW_ERR_NULL_ARGUMENT, lw_pool_update(pool, NULL));
    STATUS(LW_ERR_UNKNOWN_NODE, lw_pool_node_status(pool, str("z"), 0, &status));
    STATUS(LW_ERR_NULL_ARGUMENT, lw_pool_node_status(pool, str("a"), 0, NULL));
    status.struct_size = 4;
    STATUS(LW_ERR_STRUCT_SIZE, lw_pool_node_status(pool, str("a"), 0, &status));
    OK(lw_pool_free(pool));
}

static void health_is_set_by_hand(void)
{
    lw_pool pool = pool_of("breaker: {consecutive_failures: 2}\nnodes: [a, b]");
    uint32_t changed = 9;
    OK(lw_pool_set_health(pool, str("a"), LW_HEALTH_UNHEALTHY, 0, &changed));
    CHECK(changed == 1 && status_of(pool, "a").health == LW_HEALTH_UNHEALTHY && all_go_to(pool, "b", lw_now_ns()));
    OK(lw_pool_set_health(pool, str("a"), LW_HEALTH_UNHEALTHY, 0, &changed));
    CHECK(changed == 0);
    OK(lw_pool_set_health(pool, str("a"), LW_HEALTH_HEALTHY, 0, &changed));
    CHECK(changed == 1 && (status_of(pool, "a").flags & LW_NODE_AVAILABLE));
    /* That closes a breaker, too. */
    for (int i = 0; i < 2; i++)
        report_at(pool, "b", LW_OUTCOME_FAILURE, 0);
    CHECK(status_of(pool, "b").breaker == LW_BREAKER_OPEN);
    OK(lw_pool_set_health(pool, str("b"), LW_HEALTH_HEALTHY, 0, NULL));
    CHECK(status_of(pool, "b").breaker == LW_BREAKER_CLOSED && status_of(pool, "b").consecutive_failures == 0);
    OK(lw_pool_set_health(pool, str("b"), LW_HEALTH_DEGRADED, 0, NULL));
    CHECK(status_of(pool, "b").health == LW_HEALTH_DEGRADED);
    const uint32_t wrong[] = {0, 3, 16, UINT32_MAX};
    for (int i = 0; i < 4; i++)
        STATUS(LW_ERR_INVALID_ARGUMENT, lw_pool_set_health(pool, str("a"), wrong[i], 0, NULL));
    STATUS(LW_ERR_UNKNOWN_NODE, lw_pool_set_health(pool, str("z"), LW_HEALTH_HEALTHY, 0, NULL));
    OK(lw_pool_free(pool));
}

static void all_nodes_are_listed_in_order(void)
{
    lw_pool pool = pool_of("nodes: [a, b, c]");
    lw_node_status nodes[3] = {LW_NODE_STATUS_INIT};
    size_t len = 0;
    OK(lw_pool_nodes(pool, NULL, 0, &len));
    CHECK(len == 3);
    len = 0;
    STATUS(LW_ERR_BUFFER_TOO_SMALL, lw_pool_nodes(pool, nodes, 2, &len));
    CHECK(len == 3);
    OK(lw_pool_nodes(pool, nodes, 3, &len));
    for (int i = 0; i < 3; i++) {
        char id[256];
        OK(lw_node_id(pool, nodes[i].node, nodes[i].generation, id, sizeof id, NULL));
        CHECK(id[0] == 'a' + i && nodes[i].struct_size == sizeof nodes[i] && nodes[i].weight == 1);
    }
    OK(lw_pool_free(pool));
}

static void strategies_change_while_running(void)
{
    lw_pool pool = pool_of(TWO);
    char name[32];
    const char *texts[] = {"p2c", "{name: maglev, bounded_load: 1.25}", "[ring_hash, random]",
                           "name: least_request\nexact: true", "ip_hash", "weighted_round_robin"};
    const char *names[] = {"p2c", "maglev", "ring_hash", "least_request", "maglev", "weighted_round_robin"};
    for (int i = 0; i < 6; i++) {
        lw_pick pick = LW_PICK_INIT;
        OK(lw_pool_set_strategy(pool, str(texts[i])));
        OK(lw_pool_strategy(pool, name, sizeof name, NULL));
        CHECK(!strcmp(name, names[i]));
        OK(lw_pool_choose(pool, NULL, &pick));
    }
    STATUS(LW_ERR_CONFIG, lw_pool_set_strategy(pool, str("best")));
    SAYS("best");
    STATUS(LW_ERR_CONFIG, lw_pool_set_strategy(pool, str("custom")));
    STATUS(LW_ERR_CONFIG, lw_pool_set_strategy(pool, str("p2c\nnodes: [x]")));
    STATUS(LW_ERR_LIMIT, lw_pool_set_strategy(pool, str("{name: maglev, table_size: 131071}")));
    OK(lw_pool_strategy(pool, name, sizeof name, NULL));
    CHECK(!strcmp(name, "weighted_round_robin"));
    OK(lw_pool_free(pool));
}

static void forgotten_picks_are_given_up(void)
{
    lw_pool pool = pool_of("lease_timeout_ms: 1000\nnodes: [a]");
    lw_pick pick = LW_PICK_INIT;
    lw_request request = LW_REQUEST_INIT;
    lw_outcome success = outcome_of(LW_OUTCOME_SUCCESS);
    lw_maintained done = LW_MAINTAINED_INIT;
    request.now_ns = lw_now_ns();
    OK(lw_pool_pick(pool, &request, &pick));
    OK(lw_pool_maintain(pool, request.now_ns + 999000000, &done));
    CHECK(done.leases_expired == 0 && done.next_due_ns > request.now_ns);
    OK(lw_pool_maintain(pool, request.now_ns + 1000000000, &done));
    CHECK(done.leases_expired == 1 && status_of(pool, "a").in_flight == 0);
    STATUS(LW_ERR_STALE_TICKET, lw_pick_finish(&pick, &success));
    OK(lw_pool_maintain(pool, 0, NULL));
    OK(lw_pool_free(pool));
}

static void the_library_says_what_it_is(void)
{
    char version[32];
    snprintf(version, sizeof version, "%d.%d.%d", LW_VERSION_MAJOR, LW_VERSION_MINOR, LW_VERSION_PATCH);
    CHECK(lw_abi_version() == LW_ABI_VERSION);
    CHECK(!strcmp(lw_version(), LW_VERSION) && !strcmp(version, LW_VERSION));
    CHECK(!strcmp(lw_status_name(LW_ERR_STALE_TICKET), "LW_ERR_STALE_TICKET"));
    CHECK(!strcmp(lw_status_text(LW_OK), "success"));
    CHECK(!strcmp(lw_status_name(99999), "LW_UNKNOWN"));
    uint64_t earlier = lw_now_ns();
    CHECK(earlier > 0 && lw_now_ns() >= earlier);
}

int main(void)
{
    RUN(a_pick_is_in_flight_until_it_is_finished);
    RUN(a_pick_names_its_node);
    RUN(a_short_buffer_is_told_how_much_is_needed);
    RUN(choosing_counts_nothing);
    RUN(round_robin_takes_turns);
    RUN(requests_narrow_the_choice);
    RUN(long_lists_of_exclusions_are_taken);
    RUN(a_key_stays_with_its_node);
    RUN(failures_make_a_node_unhealthy);
    RUN(the_first_token_of_an_answer_is_its_latency);
    RUN(latencies_and_loads_are_told_and_shown);
    RUN(nodes_come_and_go);
    RUN(a_member_is_described_anew);
    RUN(health_is_set_by_hand);
    RUN(all_nodes_are_listed_in_order);
    RUN(strategies_change_while_running);
    RUN(forgotten_picks_are_given_up);
    RUN(the_library_says_what_it_is);
    return tests_failed != 0;
}
