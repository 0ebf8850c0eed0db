/* A forked child's pools work; what its parent had in flight is the parent's. */
#include "check.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static const lw_outcome SUCCESS = {.struct_size = sizeof(lw_outcome), .kind = LW_OUTCOME_SUCCESS};

/* Runs `body` in a child, and takes its failures over. */
static void in_child(void (*body)(lw_pool, const lw_pick *), lw_pool pool, const lw_pick *pick)
{
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        failures = 0;
        body(pool, pick);
        fflush(stdout);
        _exit(failures != 0);
    }
    int status = -1;
    CHECK(child > 0 && waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static uint64_t in_flight(lw_pool pool)
{
    lw_node_status node = LW_NODE_STATUS_INIT;
    size_t len;
    OK(lw_pool_nodes(pool, &node, 1, &len));
    return node.in_flight;
}

static void inherit(lw_pool pool, const lw_pick *inherited)
{
    lw_pick pick = LW_PICK_INIT;
    lw_node_ref place;
    STATUS(LW_ERR_STALE_TICKET, lw_pick_finish(inherited, &SUCCESS));
    STATUS(LW_ERR_STALE_TICKET, lw_pool_ticket_node(pool, inherited->ticket, &place));
    CHECK(in_flight(pool) == 0);
    OK(lw_pool_pick(pool, NULL, &pick));
    CHECK(in_flight(pool) == 1);
    OK(lw_pick_finish(&pick, &SUCCESS));
    OK(lw_pool_set_strategy(pool, str("maglev")));
    lw_pool own = pool_of("nodes: [b]");
    OK(lw_pool_pick(own, NULL, &pick));
    OK(lw_pick_finish(&pick, &SUCCESS));
    OK(lw_pool_free(own));
    OK(lw_pool_free(pool));
    STATUS(LW_ERR_STALE_TICKET, lw_pick_finish(inherited, &SUCCESS));
}

static void a_childs_inherited_picks_are_void(void)
{
    lw_pool pool = pool_of("nodes: [a]");
    lw_pick pick = LW_PICK_INIT;
    OK(lw_pool_pick(pool, NULL, &pick));
    in_child(inherit, pool, &pick);
    in_child(inherit, pool, &pick);
    CHECK(in_flight(pool) == 1);
    OK(lw_pick_finish(&pick, &SUCCESS));
    OK(lw_pool_free(pool));
}

static void ring(void *bell)
{
    ++*(int *)bell;
}

static int parents_bell, own_bell;

static void wait_in_the_child(lw_pool pool, const lw_pick *inherited)
{
    lw_pick pick = LW_PICK_INIT;
    size_t waiting;
    uint64_t place;
    OK(lw_pool_waiting(pool, &waiting));
    CHECK(waiting == 0);
    OK(lw_pool_pick(pool, NULL, &pick));
    OK(lw_pool_wait(pool, ring, &own_bell, NULL, &place));
    STATUS(LW_ERR_STALE_TICKET, lw_pick_finish(inherited, &SUCCESS));
    CHECK(own_bell == 0);
    OK(lw_pick_finish(&pick, &SUCCESS));
    CHECK(own_bell == 1 && parents_bell == 0);
}

static void who_waits_waits_in_the_parent(void)
{
    lw_pool pool = pool_of("max_in_flight: 1\nacquire_queue: 1\nnodes: [a]");
    lw_pick pick = LW_PICK_INIT;
    uint64_t place;
    OK(lw_pool_pick(pool, NULL, &pick));
    OK(lw_pool_wait(pool, ring, &parents_bell, NULL, &place));
    in_child(wait_in_the_child, pool, &pick);
    OK(lw_pick_finish(&pick, &SUCCESS));
    CHECK(parents_bell == 1 && own_bell == 0);
    OK(lw_pool_free(pool));
}

static atomic_int stop;

static void *make_and_free(void *unused)
{
    const char *config = "{limits: {max_nodes: 1, max_picks: 64}, nodes: [a]}";
    while (!atomic_load(&stop)) {
        lw_pool pool;
        if (lw_pool_new(config, strlen(config), &pool) == LW_OK)
            lw_pool_free(pool);
    }
    return unused;
}

static void use(lw_pool pool, const lw_pick *unused)
{
    lw_pick pick = LW_PICK_INIT;
    (void)unused;
    OK(lw_pool_pick(pool, NULL, &pick));
    OK(lw_pick_finish(&pick, &SUCCESS));
    lw_pool own = pool_of("nodes: [b]");
    OK(lw_pool_free(own));
}

/* Another thread is in the handle table when the fork happens. */
static void no_lock_is_inherited(void)
{
    pthread_t thread;
    lw_pool pool = pool_of("nodes: [a]");
    CHECK(pthread_create(&thread, NULL, make_and_free, NULL) == 0);
    for (int i = 0; i < 50; i++)
        in_child(use, pool, NULL);
    atomic_store(&stop, 1);
    pthread_join(thread, NULL);
    OK(lw_pool_free(pool));
}

static void children_choose_each_in_their_own_way(void)
{
    lw_pool pool = pool_of("strategy: random\nnodes: [a, b, c, d, e, f, g, h]");
    char seen[2][65] = {"", ""};
    for (int child = 0; child < 2; child++) {
        int ends[2];
        CHECK(pipe(ends) == 0);
        fflush(stdout);
        pid_t pid = fork();
        if (pid == 0) {
            for (int i = 0; i < 64; i++) {
                lw_pick pick = LW_PICK_INIT;
                if (lw_pool_choose(pool, NULL, &pick) != LW_OK || write(ends[1], id_of(&pick), 1) != 1)
                    _exit(1);
            }
            _exit(0);
        }
        close(ends[1]);
        size_t len = 0;
        ssize_t got;
        while (len < 64 && (got = read(ends[0], seen[child] + len, 64 - len)) > 0)
            len += (size_t)got;
        close(ends[0]);
        int status = -1;
        CHECK(waitpid(pid, &status, 0) == pid && status == 0 && len == 64);
    }
    /* By chance alike: 8^-64. */
    CHECK(strcmp(seen[0], seen[1]) != 0);
    OK(lw_pool_free(pool));
}

int main(void)
{
    RUN(a_childs_inherited_picks_are_void);
    RUN(who_waits_waits_in_the_parent);
    RUN(no_lock_is_inherited);
    RUN(children_choose_each_in_their_own_way);
    return tests_failed != 0;
}
