/* Many threads on one pool: what they may do to each other, and what they may not. */
#include "check.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

enum { THREADS = 4 };

static const lw_outcome SUCCESS = {.struct_size = sizeof(lw_outcome), .kind = LW_OUTCOME_SUCCESS};

struct shared {
    lw_pool pool;
    atomic_int started, finished, refused, unexpected;
};

static void spawn(void *(*body)(void *), struct shared *shared, void (*meanwhile)(struct shared *))
{
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        CHECK(pthread_create(&threads[i], NULL, body, shared) == 0);
    if (meanwhile)
        meanwhile(shared);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
}

static void *pick_until_it_is_freed(void *data)
{
    struct shared *s = data;
    for (;;) {
        lw_pick pick = LW_PICK_INIT;
        lw_status status = lw_pool_pick(s->pool, NULL, &pick);
        if (status == LW_OK) {
            atomic_fetch_add(&s->started, 1);
            char id[256];
            status = lw_node_id(s->pool, pick.node, pick.generation, id, sizeof id, NULL);
            if (status != LW_OK && status != LW_ERR_CLOSED)
                atomic_fetch_add(&s->unexpected, 1);
            status = lw_pick_finish(&pick, &SUCCESS);
            if (status != LW_OK && status != LW_ERR_STALE_TICKET)
                atomic_fetch_add(&s->unexpected, 1);
        } else if (status == LW_ERR_CLOSED) {
            atomic_fetch_add(&s->refused, 1);
            return NULL;
        } else {
            atomic_fetch_add(&s->unexpected, 1);
            return NULL;
        }
    }
}

static void free_once_all_pick(struct shared *s)
{
    while (atomic_load(&s->started) < 1000)
        sched_yield();
    OK(lw_pool_free(s->pool));
}

static void a_pool_is_freed_under_the_hands_of_its_users(void)
{
    for (int round = 0; round < 20; round++) {
        struct shared s = {pool_of("nodes: [a, b, c]"), 0, 0, 0, 0};
        spawn(pick_until_it_is_freed, &s, free_once_all_pick);
        CHECK(s.refused == THREADS && s.unexpected == 0);
    }
}

static void *free_it(void *data)
{
    struct shared *s = data;
    lw_status status = lw_pool_free(s->pool);
    atomic_fetch_add(status == LW_OK ? &s->finished : status == LW_ERR_CLOSED ? &s->refused : &s->unexpected, 1);
    return NULL;
}

static void one_of_many_frees(void)
{
    for (int round = 0; round < 50; round++) {
        struct shared s = {pool_of("nodes: [a]"), 0, 0, 0, 0};
        spawn(free_it, &s, NULL);
        CHECK(s.finished == 1 && s.refused == THREADS - 1 && s.unexpected == 0);
    }
}

static lw_pick contended;

static void *finish_the_same(void *data)
{
    struct shared *s = data;
    atomic_fetch_add(&s->started, 1);
    while (atomic_load(&s->started) < THREADS)
        sched_yield();
    lw_status status = lw_pick_finish(&contended, &SUCCESS);
    atomic_fetch_add(status == LW_OK ? &s->finished : status == LW_ERR_STALE_TICKET ? &s->refused : &s->unexpected, 1);
    return NULL;
}

static void a_ticket_is_finished_by_one_of_many_threads(void)
{
    for (int round = 0; round < 50; round++) {
        struct shared s = {pool_of("nodes: [a]"), 0, 0, 0, 0};
        lw_pick pick = LW_PICK_INIT;
        lw_node_status node = LW_NODE_STATUS_INIT;
        size_t len;
        OK(lw_pool_pick(s.pool, NULL, &pick));
        contended = pick;
        spawn(finish_the_same, &s, NULL);
        CHECK(s.finished == 1 && s.refused == THREADS - 1 && s.unexpected == 0);
        OK(lw_pool_nodes(s.pool, &node, 1, &len));
        CHECK(node.in_flight == 0);
        OK(lw_pool_free(s.pool));
    }
}

static void *pick_and_finish(void *data)
{
    struct shared *s = data;
    for (int i = 0; i < 5000; i++) {
        lw_pick pick = LW_PICK_INIT;
        if (lw_pool_pick(s->pool, NULL, &pick) == LW_OK && lw_pick_finish(&pick, &SUCCESS) == LW_OK)
            atomic_fetch_add(&s->finished, 1);
        else
            atomic_fetch_add(&s->unexpected, 1);
    }
    return NULL;
}

static void change_everything(struct shared *s)
{
    const char *strategies[] = {"p2c", "round_robin", "maglev", "weighted_round_robin", "least_request"};
    for (int i = 0; i < 200; i++) {
        lw_node_spec spec = LW_NODE_SPEC_INIT;
        lw_node_status nodes[8] = {LW_NODE_STATUS_INIT};
        size_t len;
        spec.id = str("z");
        OK(lw_pool_register(s->pool, &spec, NULL));
        OK(lw_pool_set_strategy(s->pool, str(strategies[i % 5])));
        OK(lw_pool_set_weight(s->pool, str("a"), (uint32_t)(1 + i % 3)));
        OK(lw_pool_nodes(s->pool, nodes, 8, &len));
        OK(lw_pool_deregister(s->pool, str("z")));
        OK(lw_pool_maintain(s->pool, 0, NULL));
    }
}

static void nodes_change_while_others_pick(void)
{
    struct shared s = {pool_of("nodes: [a, b, c]"), 0, 0, 0, 0};
    spawn(pick_and_finish, &s, change_everything);
    CHECK(s.finished == THREADS * 5000 && s.unexpected == 0);
    lw_node_status nodes[3] = {LW_NODE_STATUS_INIT};
    size_t len;
    OK(lw_pool_nodes(s.pool, nodes, 3, &len));
    for (size_t i = 0; i < len; i++)
        CHECK(nodes[i].in_flight == 0);
    OK(lw_pool_free(s.pool));
}

static void *fail(void *data)
{
    struct shared *s = data;
    lw_pool none;
    char text[4096];
    size_t len = 0;
    /* Nothing has failed in this thread, whatever happened in others. */
    if (lw_last_error(text, sizeof text, &len) != LW_OK || strcmp(text, "success") != 0)
        atomic_fetch_add(&s->unexpected, 1);
    lw_pool_new("elsewhere: 1", 12, &none);
    if (lw_last_error(text, sizeof text, &len) != LW_OK || !strstr(text, "elsewhere"))
        atomic_fetch_add(&s->unexpected, 1);
    return NULL;
}

static void messages_are_of_their_thread(void)
{
    struct shared s = {0, 0, 0, 0, 0};
    lw_pool none;
    STATUS(LW_ERR_CONFIG, lw_pool_new("here: 1", 7, &none));
    spawn(fail, &s, NULL);
    CHECK(s.unexpected == 0);
    SAYS("here");
}

static void *use_many(void *data)
{
    struct shared *s = data;
    for (int i = 0; i < 200; i++) {
        const char *config = "{limits: {max_nodes: 2, max_picks: 64}, nodes: [a, b]}";
        lw_pool pool;
        lw_pick pick = LW_PICK_INIT;
        lw_status status = lw_pool_new(config, strlen(config), &pool);
        if (status == LW_OK)
            status = lw_pool_pick(pool, NULL, &pick);
        if (status == LW_OK)
            status = lw_pick_finish(&pick, &SUCCESS);
        if (status == LW_OK)
            status = lw_pool_free(pool);
        if (status != LW_OK || lw_pool_pick(pool, NULL, &pick) != LW_ERR_CLOSED)
            atomic_fetch_add(&s->unexpected, 1);
    }
    return NULL;
}

static void pools_come_and_go_in_many_threads(void)
{
    struct shared s = {0, 0, 0, 0, 0};
    spawn(use_many, &s, NULL);
    CHECK(s.unexpected == 0);
}

int main(void)
{
    RUN(a_pool_is_freed_under_the_hands_of_its_users);
    RUN(one_of_many_frees);
    RUN(a_ticket_is_finished_by_one_of_many_threads);
    RUN(nodes_change_while_others_pick);
    RUN(messages_are_of_their_thread);
    RUN(pools_come_and_go_in_many_threads);
    return tests_failed != 0;
}
