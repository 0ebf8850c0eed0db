/* Programs that were built for the first header, whose structs end earlier: they are served as they were. */
#include "check.h"

#include <stddef.h>
#include <stdlib.h>

/* Where the structs of the first header ended. */
enum {
    REQUEST = offsetof(lw_request, zone),
    OUTCOME = offsetof(lw_outcome, usage),
    LOAD = offsetof(lw_load, requests_per_s),
    SPEC = offsetof(lw_node_spec, tier),
    STATUS_SIZE = offsetof(lw_node_status, tier),
};

/* A copy of the first `size` bytes of a struct, and not a byte more, so that valgrind sees who looks beyond. */
static void *cut(const void *whole, uint32_t size)
{
    char *copy = malloc(size);
    memcpy(copy, whole, size);
    memcpy(copy, &size, sizeof size);
    return copy;
}

static void the_sizes_of_the_first_header(void)
{
    /* On 64-bit machines, which are all there are. */
    CHECK(REQUEST == 96 && OUTCOME == 40 && LOAD == 24 && SPEC == 80 && STATUS_SIZE == 72);
}

static void nodes_requests_and_outcomes_of_then(void)
{
    lw_pool pool = pool_of("zones: {zone: here}\naffinity: true\nquotas: [{dimension: tokens, limit: 10}]\nnodes: []");
    lw_node_spec spec = LW_NODE_SPEC_INIT;
    lw_request request = LW_REQUEST_INIT;
    lw_outcome success = outcome_of(LW_OUTCOME_SUCCESS);
    lw_load load = LW_LOAD_INIT;
    lw_label label = {str("region"), str("eu")};
    lw_pick pick = LW_PICK_INIT;
    spec.id = str("a");
    spec.labels = &label;
    spec.labels_len = 1;
    spec.user_data = 7;
    request.require = &label;
    request.require_len = 1;
    request.now_ns = lw_now_ns();
    load.flags = LW_NODE_HAS_LOAD;
    load.load = 2.5;
    void *specs = cut(&spec, SPEC), *requests = cut(&request, REQUEST), *outcomes = cut(&success, OUTCOME),
         *loads = cut(&load, LOAD);
    OK(lw_pool_register(pool, specs, NULL));
    for (int i = 0; i < 3; i++) {
        OK(lw_pool_pick(pool, requests, &pick));
        CHECK(pick.user_data == 7);
        OK(i ? lw_pick_finish(&pick, outcomes) : lw_pool_release(pool, pick.ticket, outcomes));
    }
    OK(lw_pool_report(pool, str("a"), outcomes, NULL));
    OK(lw_pool_report_load(pool, str("a"), loads));
    lw_node_status a = status_of(pool, "a");
    CHECK(a.tier == 0 && a.max_in_flight == 0 && a.load == 2.5 && a.in_flight == 0);
    free(specs);
    free(requests);
    free(outcomes);
    free(loads);
    OK(lw_pool_free(pool));
}

static void arrays_of_then(void)
{
    lw_pool pool = pool_of("{}");
    lw_node_spec spec = LW_NODE_SPEC_INIT;
    char *specs = malloc(3 * SPEC), *nodes = calloc(3, STATUS_SIZE);
    const char *ids[] = {"a", "b", "c"};
    const uint32_t spec_size = SPEC, status_size = STATUS_SIZE;
    size_t len = 0;
    for (int i = 0; i < 3; i++) {
        spec.id = str(ids[i]);
        spec.weight = (uint32_t)i + 1;
        memcpy(specs + i * SPEC, &spec, SPEC);
        memcpy(specs + i * SPEC, &spec_size, sizeof spec_size);
    }
    OK(lw_pool_set_nodes(pool, (lw_node_spec *)(void *)specs, 3));
    memcpy(nodes, &status_size, sizeof status_size);
    OK(lw_pool_nodes(pool, (lw_node_status *)(void *)nodes, 3, &len));
    CHECK(len == 3);
    for (int i = 0; i < 3; i++) {
        lw_node_status node;
        memcpy(&node, nodes + i * STATUS_SIZE, STATUS_SIZE);
        CHECK(node.struct_size == STATUS_SIZE && node.weight == (uint32_t)i + 1 && node.health == LW_HEALTH_HEALTHY);
    }
    free(specs);
    free(nodes);
    OK(lw_pool_free(pool));
}

static int32_t take(const lw_candidate *candidate, void *data)
{
    char *small = data;
    const uint32_t size = STATUS_SIZE;
    memcpy(small, &size, sizeof size);
    return lw_candidate_status(candidate, (lw_node_status *)data) == LW_OK;
}

static void candidates_of_then(void)
{
    lw_pool pool = pool_of("nodes: [a]");
    lw_request request = LW_REQUEST_INIT;
    lw_pick pick = LW_PICK_INIT;
    request.predicate = take;
    request.predicate_data = calloc(1, STATUS_SIZE);
    OK(lw_pool_choose(pool, &request, &pick));
    free(request.predicate_data);
    OK(lw_pool_free(pool));
}

/* No header ever had these. */
static void sizes_between_are_refused(void)
{
    lw_pool pool = pool_of("nodes: [a]");
    lw_request request = LW_REQUEST_INIT;
    lw_outcome success = outcome_of(LW_OUTCOME_SUCCESS);
    lw_load load = LW_LOAD_INIT;
    lw_node_spec spec = LW_NODE_SPEC_INIT;
    lw_node_status node = LW_NODE_STATUS_INIT;
    lw_pick pick = LW_PICK_INIT;
    size_t len = 0;
    const int steps[] = {-8, 8};
    for (int i = 0; i < 2; i++) {
        request.struct_size = (uint32_t)(REQUEST + steps[i]);
        success.struct_size = (uint32_t)(OUTCOME + steps[i]);
        load.struct_size = (uint32_t)(LOAD + steps[i]);
        spec.struct_size = (uint32_t)(SPEC + steps[i]);
        node.struct_size = (uint32_t)(STATUS_SIZE + steps[i]);
        STATUS(LW_ERR_STRUCT_SIZE, lw_pool_pick(pool, &request, &pick));
        STATUS(LW_ERR_STRUCT_SIZE, lw_pool_release(pool, 0, &success));
        STATUS(LW_ERR_STRUCT_SIZE, lw_pool_report_load(pool, str("a"), &load));
        STATUS(LW_ERR_STRUCT_SIZE, lw_pool_register(pool, &spec, NULL));
        STATUS(LW_ERR_STRUCT_SIZE, lw_pool_nodes(pool, &node, 1, &len));
    }
    OK(lw_pool_free(pool));
}

int main(void)
{
    RUN(the_sizes_of_the_first_header);
    RUN(nodes_requests_and_outcomes_of_then);
    RUN(arrays_of_then);
    RUN(candidates_of_then);
    RUN(sizes_between_are_refused);
    return tests_failed != 0;
}
