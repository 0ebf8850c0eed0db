/* Predicates and own strategies: what they see, and how they fail. */
#include "check.h"

#include <stdlib.h>

static const lw_outcome SUCCESS = {.struct_size = sizeof(lw_outcome), .kind = LW_OUTCOME_SUCCESS};

static const char THREE[] = "strategy: p2c\n"
                            "nodes:\n"
                            "  - {id: a, address: 'a:1', labels: {region: eu}, user_data: 1, weight: 4}\n"
                            "  - {id: b, address: 'b:1', labels: {region: us}, user_data: 2}\n"
                            "  - {id: c, address: 'c:1', labels: {region: eu}, user_data: 3}\n";

static lw_request by(lw_predicate predicate, void *data)
{
    lw_request request = LW_REQUEST_INIT;
    request.predicate = predicate;
    request.predicate_data = data;
    return request;
}

struct sight {
    const lw_candidate *last;
    int seen;
};

static int32_t look_and_take_b(const lw_candidate *candidate, void *data)
{
    struct sight *sight = data;
    lw_node_status status = LW_NODE_STATUS_INIT;
    char id[256], address[256];
    size_t len = 0;
    uint32_t in_eu = 9;
    OK(lw_candidate_id(candidate, id, sizeof id, &len));
    OK(lw_candidate_address(candidate, address, sizeof address, NULL));
    OK(lw_candidate_status(candidate, &status));
    OK(lw_candidate_has_label(candidate, str("region"), str("eu"), &in_eu));
    CHECK(len == 1 && address[0] == id[0] && status.user_data == (uint64_t)(id[0] - 'a' + 1));
    CHECK(in_eu == (id[0] != 'b') && status.weight == (id[0] == 'a' ? 4 : 1));
    CHECK(status.health == LW_HEALTH_HEALTHY && status.in_flight == 0 && status.generation != 0);
    STATUS(LW_ERR_BUFFER_TOO_SMALL, lw_candidate_id(candidate, id, 1, NULL));
    STATUS(LW_ERR_NULL_ARGUMENT, lw_candidate_has_label(candidate, str("region"), str("eu"), NULL));
    sight->last = candidate;
    sight->seen++;
    return id[0] == 'b';
}

static void a_predicate_has_the_last_word(void)
{
    lw_pool pool = pool_of(THREE);
    struct sight sight = {NULL, 0};
    lw_request request = by(look_and_take_b, &sight);
    for (int i = 0; i < 20; i++) {
        lw_pick pick = LW_PICK_INIT;
        OK(lw_pool_pick(pool, &request, &pick));
        CHECK(pick.user_data == 2 && pick.flags == 0);
        OK(lw_pick_finish(&pick, &SUCCESS));
    }
    CHECK(sight.seen >= 20);
    OK(lw_pool_free(pool));
}

static void a_candidate_is_refused_after_its_callback(void)
{
    lw_pool pool = pool_of(THREE);
    struct sight sight = {NULL, 0};
    lw_request request = by(look_and_take_b, &sight);
    lw_pick pick = LW_PICK_INIT;
    char id[256];
    lw_node_status status = LW_NODE_STATUS_INIT;
    OK(lw_pool_choose(pool, &request, &pick));
    STATUS(LW_ERR_INVALID_HANDLE, lw_candidate_id(sight.last, id, sizeof id, NULL));
    STATUS(LW_ERR_INVALID_HANDLE, lw_candidate_status(sight.last, &status));
    STATUS(LW_ERR_INVALID_HANDLE, lw_candidate_id((const lw_candidate *)&status, id, sizeof id, NULL));
    OK(lw_pool_free(pool));
}

static int32_t refuse(const lw_candidate *candidate, void *data)
{
    (void)candidate;
    (void)data;
    return 0;
}

static int32_t fail(const lw_candidate *candidate, void *data)
{
    (void)candidate;
    (void)data;
    return -1;
}

static int32_t fail_at_a(const lw_candidate *candidate, void *data)
{
    char id[256] = "";
    (void)data;
    lw_candidate_id(candidate, id, sizeof id, NULL);
    return id[0] == 'a' ? -1 : 1;
}

static void a_predicate_that_fails_is_told(void)
{
    lw_pool pool = pool_of(THREE);
    lw_pick pick = LW_PICK_INIT;
    lw_no_node why = LW_NO_NODE_INIT;
    lw_request request = by(refuse, NULL);
    STATUS(LW_NO_NODE_NO_MATCH, lw_pool_pick(pool, &request, &pick));
    OK(lw_last_no_node(&why));
    CHECK(why.status == LW_NO_NODE_NO_MATCH && why.flags == 0);
    request = by(fail, NULL);
    STATUS(LW_NO_NODE_NO_MATCH, lw_pool_pick(pool, &request, &pick));
    OK(lw_last_no_node(&why));
    CHECK(why.flags == LW_PICK_CALLBACK_FAILED);
    request = by(fail_at_a, NULL);
    int told = 0;
    for (int i = 0; i < 200; i++) {
        OK(lw_pool_choose(pool, &request, &pick));
        CHECK(pick.user_data != 1);
        told += pick.flags == LW_PICK_CALLBACK_FAILED;
    }
    /* a has 2/3 of the weight: never drawing it in 200 picks has a probability below 3^-200. */
    CHECK(told > 0);
    OK(lw_pool_free(pool));
}

static int32_t free_the_pool(const lw_candidate *candidate, void *data)
{
    lw_pool *pool = data;
    char id[256];
    lw_pick pick = LW_PICK_INIT;
    if (*pool) {
        lw_pool other;
        OK(lw_pool_free(*pool));
        /* A new pool in its place must not take the memory from under the pick. */
        other = pool_of("nodes: [other]");
        OK(lw_pool_pick(other, NULL, &pick));
        OK(lw_pick_finish(&pick, &SUCCESS));
        OK(lw_pool_free(other));
        *pool = 0;
    }
    OK(lw_candidate_id(candidate, id, sizeof id, NULL));
    return 1;
}

static void a_callback_may_free_its_pool(void)
{
    lw_pool pool = pool_of(THREE), freed = pool;
    lw_request request = by(free_the_pool, &freed);
    lw_pick pick = LW_PICK_INIT;
    OK(lw_pool_pick(pool, &request, &pick));
    STATUS(LW_ERR_STALE_TICKET, lw_pick_finish(&pick, &SUCCESS));
    STATUS(LW_ERR_CLOSED, lw_pool_pick(pool, NULL, &pick));
}

static int32_t pick_from_the_same(const lw_candidate *candidate, void *data)
{
    lw_pool *pool = data;
    lw_pick inner = LW_PICK_INIT;
    struct sight sight = {NULL, 0};
    lw_request request = by(look_and_take_b, &sight);
    char id[256];
    OK(lw_pool_choose(*pool, &request, &inner));
    CHECK(inner.user_data == 2);
    OK(lw_candidate_id(candidate, id, sizeof id, NULL));
    return 1;
}

static void callbacks_may_pick_themselves(void)
{
    lw_pool pool = pool_of(THREE);
    lw_request request = by(pick_from_the_same, &pool);
    lw_pick pick = LW_PICK_INIT;
    OK(lw_pool_choose(pool, &request, &pick));
    OK(lw_pool_free(pool));
}

struct own {
    int64_t answer;
    int calls, dropped;
    size_t candidates;
    char key[16];
};

static int64_t choose(const lw_candidate *const *candidates, size_t len, lw_str key, void *user_data)
{
    struct own *own = user_data;
    own->calls++;
    own->candidates = len;
    snprintf(own->key, sizeof own->key, "%.*s", (int)key.len, key.data ? key.data : "");
    for (size_t i = 0; i < len; i++) {
        lw_node_status status = LW_NODE_STATUS_INIT;
        char id[256], address[256];
        uint32_t in_eu;
        OK(lw_candidate_id(candidates[i], id, sizeof id, NULL));
        OK(lw_candidate_address(candidates[i], address, sizeof address, NULL));
        OK(lw_candidate_status(candidates[i], &status));
        OK(lw_candidate_has_label(candidates[i], str("region"), str("eu"), &in_eu));
        CHECK(address[0] == id[0] && status.user_data == (uint64_t)(id[0] - 'a' + 1) && in_eu == (id[0] != 'b'));
        CHECK(status.flags == (LW_NODE_HAS_LOAD | LW_NODE_HAS_REMAINING) && status.remaining_ratio == 1.0);
    }
    return own->answer;
}

static void drop(void *user_data)
{
    ((struct own *)user_data)->dropped++;
}

static void an_own_strategy_chooses(void)
{
    lw_pool pool = pool_of(THREE);
    struct own own = {2, 0, 0, 0, ""};
    lw_pick pick = LW_PICK_INIT;
    lw_request request = LW_REQUEST_INIT;
    char name[32];
    lw_str b = str("b");
    OK(lw_pool_set_own_strategy(pool, choose, &own, drop, str("round_robin")));
    OK(lw_pool_strategy(pool, name, sizeof name, NULL));
    CHECK(!strcmp(name, "custom"));
    OK(lw_pool_pick(pool, NULL, &pick));
    CHECK(pick.user_data == 3 && pick.flags == 0 && own.calls == 1 && own.candidates == 3 && own.key[0] == 0);
    OK(lw_pick_finish(&pick, &SUCCESS));

    /* Who may not be chosen is not shown: the index counts the others. */
    own.answer = 1;
    request.exclude = &b;
    request.exclude_len = 1;
    request.key = str("user-1");
    OK(lw_pool_choose(pool, &request, &pick));
    CHECK(pick.user_data == 3 && own.candidates == 2 && !strcmp(own.key, "user-1"));

    /* Nobody: the fallback decides, and nothing has failed. */
    own.answer = LW_CHOOSE_NOBODY;
    OK(lw_pool_pick(pool, NULL, &pick));
    CHECK(pick.flags == 0);
    OK(lw_pick_finish(&pick, &SUCCESS));

    /* A failure, or an index that is none: the fallback decides, and the pick tells. */
    const int64_t wrong[] = {LW_CHOOSE_FAILED, 3, INT64_MAX, INT64_MIN};
    for (int i = 0; i < 4; i++) {
        own.answer = wrong[i];
        OK(lw_pool_pick(pool, NULL, &pick));
        CHECK(pick.flags == LW_PICK_CALLBACK_FAILED);
        OK(lw_pick_finish(&pick, &SUCCESS));
    }
    CHECK(own.dropped == 0);
    OK(lw_pool_free(pool));
    CHECK(own.dropped == 1);
}

static void without_a_fallback_a_failure_finds_nobody(void)
{
    lw_pool pool = pool_of(THREE);
    struct own own = {LW_CHOOSE_FAILED, 0, 0, 0, ""};
    lw_pick pick = LW_PICK_INIT;
    lw_no_node why = LW_NO_NODE_INIT;
    OK(lw_pool_set_own_strategy(pool, choose, &own, drop, str("")));
    STATUS(LW_NO_NODE_NO_MATCH, lw_pool_pick(pool, NULL, &pick));
    OK(lw_last_no_node(&why));
    CHECK(why.flags == LW_PICK_CALLBACK_FAILED);
    OK(lw_pool_free(pool));
    CHECK(own.dropped == 1);
}

static void what_an_own_strategy_holds_is_dropped_once(void)
{
    lw_pool pool = pool_of(THREE);
    struct own first = {0, 0, 0, 0, ""}, second = {0, 0, 0, 0, ""}, refused = {0, 0, 0, 0, ""};
    lw_pick pick = LW_PICK_INIT;
    OK(lw_pool_set_own_strategy(pool, choose, &first, drop, str("p2c")));
    OK(lw_pool_set_own_strategy(pool, choose, &second, drop, str("p2c")));
    CHECK(first.dropped == 1 && second.dropped == 0);
    STATUS(LW_ERR_CONFIG, lw_pool_set_own_strategy(pool, choose, &refused, drop, str("best")));
    STATUS(LW_ERR_LIMIT, lw_pool_set_own_strategy(pool, choose, &refused, drop, str("{name: maglev, table_size: 131071}")));
    OK(lw_pool_choose(pool, NULL, &pick));
    CHECK(refused.dropped == 0 && refused.calls == 0);
    OK(lw_pool_free(pool));
    CHECK(first.dropped == 1 && second.dropped == 1 && refused.dropped == 0 && refused.calls == 0);
    STATUS(LW_ERR_CLOSED, lw_pool_set_own_strategy(pool, choose, &refused, drop, str("")));
    CHECK(refused.dropped == 0);
}

static void pick_and_free(void *user_data)
{
    struct own *own = user_data;
    lw_pool pool = (lw_pool)own->answer;
    lw_pick pick = LW_PICK_INIT;
    own->dropped++;
    /* Replaced: the pool is there, with its next strategy. Freed: it is not. */
    lw_status status = lw_pool_pick(pool, NULL, &pick);
    CHECK(status == LW_OK || status == LW_ERR_CLOSED);
    if (status == LW_OK)
        OK(lw_pick_finish(&pick, &SUCCESS));
    lw_pool_free(pool);
}

static void what_is_dropped_may_call_the_library(void)
{
    lw_pool pool = pool_of(THREE);
    struct own first = {(int64_t)pool, 0, 0, 0, ""}, second = {0, 0, 0, 0, ""};
    OK(lw_pool_set_own_strategy(pool, choose, &first, pick_and_free, str("p2c")));
    OK(lw_pool_set_own_strategy(pool, choose, &second, drop, str("p2c")));
    CHECK(first.dropped == 1);
    STATUS(LW_ERR_CLOSED, lw_pool_free(pool));
    CHECK(second.dropped == 1);

    pool = pool_of(THREE);
    struct own last = {(int64_t)pool, 0, 0, 0, ""};
    OK(lw_pool_set_own_strategy(pool, choose, &last, pick_and_free, str("p2c")));
    OK(lw_pool_free(pool));
    CHECK(last.dropped == 1);
}

int main(void)
{
    RUN(a_predicate_has_the_last_word);
    RUN(a_candidate_is_refused_after_its_callback);
    RUN(a_predicate_that_fails_is_told);
    RUN(a_callback_may_free_its_pool);
    RUN(callbacks_may_pick_themselves);
    RUN(an_own_strategy_chooses);
    RUN(without_a_fallback_a_failure_finds_nobody);
    RUN(what_an_own_strategy_holds_is_dropped_once);
    RUN(what_is_dropped_may_call_the_library);
    return tests_failed != 0;
}
