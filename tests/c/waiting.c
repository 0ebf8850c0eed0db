/* Waiting for room: threads that sleep until there is some, and event loops that are woken. */
#include "check.h"

#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

enum { THREADS = 4, ROUNDS = 200 };

static void a_pick_waits_as_long_as_it_is_told(void)
{
    lw_pool pool = pool_of("max_in_flight: 1\nacquire_timeout_ms: 30\nnodes: [a]");
    lw_pick pick = LW_PICK_INIT, none = LW_PICK_INIT;
    lw_outcome success = outcome_of(LW_OUTCOME_SUCCESS);
    OK(lw_pool_pick_within(pool, NULL, SECOND, &pick));
    uint64_t began = lw_now_ns();
    STATUS(LW_NO_NODE_SATURATED, lw_pool_pick_within(pool, NULL, 20 * MS, &none));
    CHECK(lw_now_ns() - began >= 20 * MS && none.ticket == 0);
    /* Told nothing, it waits as the configuration says. */
    began = lw_now_ns();
    STATUS(LW_NO_NODE_SATURATED, lw_pool_pick_within(pool, NULL, 0, &none));
    CHECK(lw_now_ns() - began >= 30 * MS);
    /* What no waiting mends is told at once, however long the time. */
    OK(lw_pick_finish(&pick, &success));
    OK(lw_pool_drain(pool, str("a"), 1));
    STATUS(LW_NO_NODE_DRAINING, lw_pool_pick_within(pool, NULL, UINT64_MAX, &none));
    OK(lw_pool_free(pool));
}

static void nobody_waits_where_the_queue_is_full(void)
{
    lw_pool pool = pool_of("max_in_flight: 1\nacquire_queue: 0\nnodes: [a]");
    lw_pick pick = LW_PICK_INIT, none = LW_PICK_INIT;
    OK(lw_pool_pick(pool, NULL, &pick));
    STATUS(LW_NO_NODE_SATURATED, lw_pool_pick_within(pool, NULL, UINT64_MAX, &none));
    OK(lw_pool_free(pool));
}

struct crowd {
    lw_pool pool;
    atomic_int inside, most, failed;
};

static void *come_and_go(void *data)
{
    struct crowd *crowd = data;
    for (int i = 0; i < ROUNDS; i++) {
        lw_pick pick = LW_PICK_INIT;
        lw_outcome success = outcome_of(LW_OUTCOME_SUCCESS);
        if (lw_pool_pick_within(crowd->pool, NULL, 60 * SECOND, &pick) != LW_OK) {
            atomic_fetch_add(&crowd->failed, 1);
            continue;
        }
        int inside = atomic_fetch_add(&crowd->inside, 1) + 1;
        int most = atomic_load(&crowd->most);
        while (inside > most && !atomic_compare_exchange_weak(&crowd->most, &most, inside))
            ;
        atomic_fetch_sub(&crowd->inside, 1);
        if (lw_pick_finish(&pick, &success) != LW_OK)
            atomic_fetch_add(&crowd->failed, 1);
    }
    return NULL;
}

static void threads_take_turns(void)
{
    struct crowd crowd = {.pool = pool_of("max_in_flight: 2\nnodes: [a, b]")};
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        CHECK(pthread_create(&threads[i], NULL, come_and_go, &crowd) == 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    CHECK(crowd.failed == 0 && crowd.most >= 1 && crowd.most <= 2);
    size_t waiting = 9;
    OK(lw_pool_waiting(crowd.pool, &waiting));
    CHECK(waiting == 0);
    OK(lw_pool_free(crowd.pool));
}

/* A host with a loop: those who wait, woken through a pipe. */
struct waiter {
    lw_pool pool;
    int pipe[2], dropped;
};

static void wake(void *user_data)
{
    struct waiter *waiter = user_data;
    CHECK(write(waiter->pipe[1], "w", 1) == 1);
}

static void let_go(void *user_data)
{
    ((struct waiter *)user_data)->dropped++;
}

static void a_loop_is_woken_when_a_pick_ends(void)
{
    struct waiter waiter = {.pool = pool_of("max_in_flight: 1\nacquire_queue: 2\nnodes: [a]")};
    lw_outcome success = outcome_of(LW_OUTCOME_SUCCESS);
    lw_pick pick = LW_PICK_INIT, none = LW_PICK_INIT;
    uint64_t first = 0, second = 0, third = 42;
    uint32_t was = 9;
    size_t waiting = 9;
    char byte = 0;
    CHECK(pipe(waiter.pipe) == 0);
    OK(lw_pool_pick(waiter.pool, NULL, &pick));
    OK(lw_pool_wait(waiter.pool, wake, &waiter, let_go, &first));
    OK(lw_pool_wait(waiter.pool, wake, &waiter, let_go, &second));
    CHECK(first != 0 && second != 0 && first != second);
    STATUS(LW_NO_NODE_SATURATED, lw_pool_wait(waiter.pool, wake, &waiter, let_go, &third));
    CHECK(third == 42 && waiter.dropped == 0);
    OK(lw_pool_waiting(waiter.pool, &waiting));
    CHECK(waiting == 2);
    STATUS(LW_NO_NODE_SATURATED, lw_pool_pick(waiter.pool, NULL, &none));

    /* One pick that ends wakes one of them, in order. */
    OK(lw_pick_finish(&pick, &success));
    CHECK(read(waiter.pipe[0], &byte, 1) == 1 && byte == 'w');
    OK(lw_pool_stop_waiting(waiter.pool, first, &was));
    CHECK(was == 0 && waiter.dropped == 1);
    OK(lw_pool_pick(waiter.pool, NULL, &pick));
    OK(lw_pool_stop_waiting(waiter.pool, second, &was));
    CHECK(was == 1 && waiter.dropped == 2);
    OK(lw_pool_stop_waiting(waiter.pool, second, &was));
    CHECK(was == 0);
    OK(lw_pool_stop_waiting(waiter.pool, UINT64_MAX, NULL));
    OK(lw_pick_finish(&pick, &success));
    OK(lw_pool_waiting(waiter.pool, &waiting));
    CHECK(waiting == 0);

    /* Freed, it wakes nobody. */
    OK(lw_pool_wait(waiter.pool, wake, &waiter, let_go, &first));
    OK(lw_pool_free(waiter.pool));
    CHECK(waiter.dropped == 3);
    STATUS(LW_ERR_CLOSED, lw_pool_stop_waiting(waiter.pool, first, NULL));
    close(waiter.pipe[1]);
    CHECK(read(waiter.pipe[0], &byte, 1) == 0);
    close(waiter.pipe[0]);
}

/* A callback on the way of a finish, which calls the library itself and frees the pool under it. */
static lw_pool to_be_freed;
static int woken;

static void pick_and_free(void *user_data)
{
    lw_pick pick = LW_PICK_INIT;
    lw_outcome success = outcome_of(LW_OUTCOME_SUCCESS);
    (void)user_data;
    woken++;
    OK(lw_pool_pick(to_be_freed, NULL, &pick));
    OK(lw_pick_finish(&pick, &success));
    OK(lw_pool_free(to_be_freed));
    lw_pool other = pool_of("nodes: [other]");
    OK(lw_pool_free(other));
}

static void who_is_woken_may_call_the_library(void)
{
    lw_pick pick = LW_PICK_INIT;
    lw_outcome success = outcome_of(LW_OUTCOME_SUCCESS);
    uint64_t id = 0;
    to_be_freed = pool_of("max_in_flight: 1\nnodes: [a]");
    OK(lw_pool_pick(to_be_freed, NULL, &pick));
    OK(lw_pool_wait(to_be_freed, pick_and_free, NULL, NULL, &id));
    OK(lw_pick_finish(&pick, &success));
    CHECK(woken == 1);
    STATUS(LW_ERR_CLOSED, lw_pool_pick(to_be_freed, NULL, &pick));
}

/* What is let go of may call the library, too. */
static void wait_again(void *user_data)
{
    lw_pool *pool = user_data;
    uint64_t id = 0;
    lw_status status = lw_pool_wait(*pool, wake, NULL, NULL, &id);
    CHECK(status == LW_OK || status == LW_ERR_CLOSED);
    if (status == LW_OK)
        OK(lw_pool_stop_waiting(*pool, id, NULL));
}

static void who_leaves_may_call_the_library(void)
{
    lw_pool pool = pool_of("acquire_queue: 1\nnodes: [a]");
    uint64_t id = 0, other = 0;
    OK(lw_pool_wait(pool, wake, &pool, wait_again, &id));
    STATUS(LW_NO_NODE_SATURATED, lw_pool_wait(pool, wake, &pool, wait_again, &other));
    OK(lw_pool_stop_waiting(pool, id, NULL));
    OK(lw_pool_wait(pool, wake, &pool, wait_again, &id));
    OK(lw_pool_free(pool));
}

static void waiting_wrongly(void)
{
    lw_pool pool = pool_of("nodes: [a]");
    uint64_t id = 0;
    STATUS(LW_ERR_NULL_ARGUMENT, lw_pool_wait(pool, NULL, NULL, NULL, &id));
    STATUS(LW_ERR_NULL_ARGUMENT, lw_pool_wait(pool, wake, NULL, NULL, NULL));
    STATUS(LW_ERR_NULL_ARGUMENT, lw_pool_waiting(pool, NULL));
    STATUS(LW_ERR_NULL_ARGUMENT, lw_pool_pick_within(pool, NULL, 0, NULL));
    OK(lw_pool_free(pool));
    STATUS(LW_ERR_CLOSED, lw_pool_wait(pool, wake, NULL, NULL, &id));
}

int main(void)
{
    RUN(a_pick_waits_as_long_as_it_is_told);
    RUN(nobody_waits_where_the_queue_is_full);
    RUN(threads_take_turns);
    RUN(a_loop_is_woken_when_a_pick_ends);
    RUN(who_is_woken_may_call_the_library);
    RUN(who_leaves_may_call_the_library);
    RUN(waiting_wrongly);
    return tests_failed != 0;
}
