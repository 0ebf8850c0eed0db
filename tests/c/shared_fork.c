/* Workers that are forked, before a shared state is opened and after it: each is a process of its own. */
#include "peer.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/mman.h>

static const lw_outcome SUCCESS = {.struct_size = sizeof(lw_outcome), .kind = LW_OUTCOME_SUCCESS};

/* What parent and children tell each other. */
struct board {
    _Atomic uint32_t ready, go;
    _Atomic uint64_t number;
    char chosen[8][65];
};

static struct board *new_board(void)
{
    struct board *board = mmap(NULL, sizeof *board, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(board != MAP_FAILED);
    return board;
}

static void await(_Atomic uint32_t *word, uint32_t wanted)
{
    while (atomic_load(word) < wanted)
        nap();
}

/* A child that does `body`, and ends with its failures without giving anything back. */
#define CHILD(body)              \
    ({                           \
        fflush(stdout);          \
        pid_t child_ = fork();   \
        if (child_ == 0) {       \
            failures = 0;        \
            body;                \
            fflush(stdout);      \
            _exit(failures != 0); \
        }                        \
        child_;                  \
    })

static int ends_well(pid_t child)
{
    int status = -1;
    return waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static size_t processes_of(lw_pool pool)
{
    size_t len = 0;
    OK(lw_pool_processes(pool, NULL, 0, &len));
    return len;
}

static uint64_t own_in_flight(lw_pool pool)
{
    lw_process_status processes[16] = {LW_PROCESS_STATUS_INIT};
    size_t len = 0;
    OK(lw_pool_processes(pool, processes, 16, &len));
    for (size_t i = 0; i < len; i++)
        if (processes[i].flags & LW_PROCESS_OWN) {
            CHECK(processes[i].pid == (uint32_t)getpid());
            return processes[i].in_flight;
        }
    return 0;
}

static void workers_that_open_after_the_fork_share_one_state(void)
{
    const char *path = state_path(), *config = shared(path, "strategy: round_robin, nodes: [a, b, c]");
    struct board *board = new_board();
    pid_t workers[4];
    for (int i = 0; i < 4; i++)
        workers[i] = CHILD({
            lw_pool pool = pool_of(config);
            for (int n = 0; n < 3; n++)
                pick_at(pool, 0);
            atomic_fetch_add(&board->ready, 1);
            await(&board->go, 1);
            CHECK(own_in_flight(pool) == 3 && in_flight(pool) == 12);
            atomic_fetch_add(&board->ready, 1);
            await(&board->go, 2);
            OK(lw_pool_free(pool));
        });
    await(&board->ready, 4);
    lw_pool pool = pool_of(config);
    CHECK(processes_of(pool) == 5 && in_flight(pool) == 12 && own_in_flight(pool) == 0);
    atomic_store(&board->go, 1);
    await(&board->ready, 8);
    atomic_store(&board->go, 2);
    for (int i = 0; i < 4; i++)
        CHECK(ends_well(workers[i]));
    /* Those that free their pools leave nothing behind, also nothing to maintain. */
    CHECK(in_flight(pool) == 0 && processes_of(pool) == 1);
    OK(lw_pool_free(pool));
    CHECK(unlink(path) == 0);
}

static void inherited_picks_are_the_parents(void)
{
    const char *path = state_path();
    lw_engine engine = engine_of(shared(path, "nodes: [a, b]"));
    lw_pool pool = pool_in(engine, "default");
    lw_pick held[3];
    for (int i = 0; i < 3; i++)
        held[i] = pick_at(pool, 0);
    for (int round = 0; round < 2; round++) {
        pid_t child = CHILD({
            lw_node_ref place;
            for (int i = 0; i < 3; i++) {
                STATUS(LW_ERR_STALE_TICKET, lw_pick_finish(&held[i], &SUCCESS));
                STATUS(LW_ERR_STALE_TICKET, lw_pool_release(pool, held[i].ticket, &SUCCESS));
                STATUS(LW_ERR_STALE_TICKET, lw_pool_ticket_node(pool, held[i].ticket, &place));
            }
            lw_pick pick = pick_at(pool, 0);
            CHECK(in_flight(pool) == 4 && own_in_flight(pool) == 1 && processes_of(pool) == 2);
            OK(lw_pick_finish(&pick, &SUCCESS));
            OK(lw_engine_maintain(engine, 0, NULL));
            OK(lw_pool_set_weight(pool, str("a"), 5));
            if (round == 1) {
                /* One that frees what it has inherited frees its own alone. */
                OK(lw_pool_free(pool));
                OK(lw_engine_free(engine));
            }
        });
        CHECK(ends_well(child));
        CHECK(settles_at(pool, 3) && own_in_flight(pool) == 3);
        CHECK(status_of(pool, "a").weight == 5);
    }
    /* A child that never uses it is not one of the processes, whether or not it frees what it has. */
    CHECK(ends_well(CHILD({})));
    CHECK(ends_well(CHILD(OK(lw_pool_free(pool)))));
    CHECK(ends_well(CHILD({
        OK(lw_engine_free(engine));
        OK(lw_pool_free(pool));
    })));
    CHECK(own_in_flight(pool) == 3);
    for (int i = 0; i < 3; i++)
        OK(lw_pick_finish(&held[i], &SUCCESS));
    CHECK(in_flight(pool) == 0);
    OK(lw_pool_free(pool));
    OK(lw_engine_free(engine));
    CHECK(unlink(path) == 0);
}

static void children_of_children_are_processes_too(void)
{
    const char *path = state_path();
    struct board *board = new_board();
    lw_pool pool = pool_of(shared(path, "nodes: [a]"));
    lw_pick held = pick_at(pool, 0);
    pid_t child = CHILD({
        lw_pick mine = pick_at(pool, 0);
        pid_t grandchild = CHILD({
            STATUS(LW_ERR_STALE_TICKET, lw_pick_finish(&held, &SUCCESS));
            STATUS(LW_ERR_STALE_TICKET, lw_pick_finish(&mine, &SUCCESS));
            pick_at(pool, 0);
            CHECK(in_flight(pool) == 3 && own_in_flight(pool) == 1 && processes_of(pool) == 3);
            atomic_store(&board->ready, 1);
            await(&board->go, 1);
            /* Its parent is gone by now, and so is what that held. */
            CHECK(settles_at(pool, 2));
            CHECK(own_in_flight(pool) == 1);
        });
        atomic_store(&board->number, (uint64_t)grandchild);
        await(&board->ready, 1);
        CHECK(own_in_flight(pool) == 1);
        /* Ends without finishing anything. */
    });
    CHECK(ends_well(child));
    atomic_store(&board->go, 1);
    CHECK(settles_at(pool, 1));
    CHECK(processes_of(pool) == 1 && own_in_flight(pool) == 1);
    OK(lw_pick_finish(&held, &SUCCESS));
    OK(lw_pool_free(pool));
    CHECK(unlink(path) == 0);
}

static void children_that_are_killed_leave_nothing(void)
{
    const char *path = state_path();
    struct board *board = new_board();
    lw_pool pool = pool_of(shared(path, "max_in_flight: 1000, nodes: [a, b, {id: c, max_in_flight: 9}]"));
    lw_pick held = pick_at(pool, 0);
    pid_t workers[3];
    for (int i = 0; i < 3; i++)
        workers[i] = CHILD({
            for (int n = 0; n < 40; n++)
                pick_at(pool, 0);
            atomic_fetch_add(&board->ready, 1);
            for (;;) {
                lw_pick pick = pick_at(pool, 0);
                OK(lw_pick_finish(&pick, &SUCCESS));
            }
        });
    await(&board->ready, 3);
    CHECK(in_flight(pool) >= 121 && processes_of(pool) == 4);
    for (int i = 0; i < 3; i++)
        CHECK(kill(workers[i], SIGKILL) == 0);
    CHECK(settles_at(pool, 1));
    CHECK(own_in_flight(pool) == 1 && processes_of(pool) == 1);
    for (int i = 0; i < 3; i++)
        CHECK(!ends_well(workers[i]));
    OK(lw_pick_finish(&held, &SUCCESS));
    OK(lw_pool_free(pool));
    CHECK(unlink(path) == 0);
}

/* Eight workers that are forked off one that has chosen already. */
static void eight_workers_choose(lw_pool pool, struct board *board)
{
    pid_t workers[8];
    for (int i = 0; i < 8; i++)
        workers[i] = CHILD({
            for (int n = 0; n < 64; n++) {
                lw_pick pick = pick_at(pool, 0);
                board->chosen[i][n] = id_of(&pick)[0];
                OK(lw_pick_finish(&pick, &SUCCESS));
            }
        });
    for (int i = 0; i < 8; i++)
        CHECK(ends_well(workers[i]));
}

static void workers_choose_each_in_their_own_way(void)
{
    const char *rules[] = {"random", "p2c", "weighted_random", "least_request"};
    for (size_t r = 0; r < sizeof rules / sizeof *rules; r++) {
        const char *path = state_path();
        char rest[128];
        struct board *board = new_board();
        snprintf(rest, sizeof rest, "strategy: %s, nodes: [a, b, c, d, e, f, g, h]", rules[r]);
        lw_pool pool = pool_of(shared(path, rest));
        for (int i = 0; i < 10; i++) {
            lw_pick pick = pick_at(pool, 0);
            OK(lw_pick_finish(&pick, &SUCCESS));
        }
        eight_workers_choose(pool, board);
        for (int i = 0; i < 8; i++)
            for (int j = 0; j < i; j++)
                /* Two of 28 pairs alike by chance: 28 in 8^64. */
                if (strcmp(board->chosen[i], board->chosen[j]) == 0) {
                    printf("# %s: workers %d and %d both chose %s\n", rules[r], j, i, board->chosen[i]);
                    failures++;
                }
        OK(lw_pool_free(pool));
        CHECK(unlink(path) == 0);
    }
}

static void a_seeded_pool_numbers_the_choices_of_all(void)
{
    const char *path = state_path();
    struct board *board = new_board();
    char together[8 * 64 + 1], alone[8 * 64 + 1];
    lw_pool pool = pool_of(shared(path, "strategy: random, seed: 7, nodes: [a, b, c, d, e, f, g, h]"));
    lw_pool of_one = pool_of("{strategy: random, seed: 7, nodes: [a, b, c, d, e, f, g, h]}");
    pid_t workers[8];
    for (int i = 0; i < 8; i++) {
        /* One after the other. */
        workers[i] = CHILD({
            for (int n = 0; n < 64; n++) {
                lw_pick pick = pick_at(pool, 0);
                board->chosen[i][n] = id_of(&pick)[0];
            }
        });
        CHECK(ends_well(workers[i]));
        memcpy(together + i * 64, board->chosen[i], 64);
    }
    for (int n = 0; n < 8 * 64; n++) {
        lw_pick pick = pick_at(of_one, 0);
        alone[n] = id_of(&pick)[0];
        OK(lw_pick_finish(&pick, &SUCCESS));
    }
    CHECK(memcmp(together, alone, sizeof alone - 1) == 0);
    OK(lw_pool_free(pool));
    OK(lw_pool_free(of_one));
    CHECK(unlink(path) == 0);
}

static void more_children_than_there_is_room_for(void)
{
    const char *path = state_path();
    char config[256];
    struct board *board = new_board();
    snprintf(config, sizeof config, "{shared: {path: '%s', max_processes: 2}, nodes: [a]}", path);
    lw_pool pool = pool_of(config);
    lw_pick held = pick_at(pool, 0);
    pid_t first = CHILD({
        pick_at(pool, 0);
        atomic_store(&board->ready, 1);
        await(&board->go, 1);
    });
    await(&board->ready, 1);
    pid_t second = CHILD({
        lw_pick pick = LW_PICK_INIT;
        STATUS(LW_NO_NODE_SATURATED, lw_pool_pick(pool, NULL, &pick));
        STATUS(LW_ERR_TOO_MANY_PROCESSES, lw_pool_set_weight(pool, str("a"), 2));
        STATUS(LW_ERR_STALE_TICKET, lw_pick_finish(&held, &SUCCESS));
        atomic_store(&board->go, 1);
        /* Once another one has left, there is room. */
        const uint64_t until = lw_now_ns() + 60 * SECOND;
        while (lw_pool_pick(pool, NULL, &pick) != LW_OK && lw_now_ns() < until)
            nap();
        OK(lw_pick_finish(&pick, &SUCCESS));
        OK(lw_pool_set_weight(pool, str("a"), 2));
    });
    CHECK(ends_well(first));
    CHECK(ends_well(second));
    CHECK(settles_at(pool, 1));
    CHECK(status_of(pool, "a").weight == 2);
    OK(lw_pick_finish(&held, &SUCCESS));
    OK(lw_pool_free(pool));
    CHECK(unlink(path) == 0);
}

static atomic_int stop;
static lw_engine busy;

/* Is in whatever part of the library when the fork happens. */
static void *use_all_the_time(void *unused)
{
    while (!atomic_load(&stop)) {
        lw_pool pool = 0;
        size_t len = 0;
        lw_pick pick = LW_PICK_INIT;
        if (lw_engine_pool(busy, str("default"), &pool) != LW_OK)
            continue;
        if (lw_pool_pick(pool, NULL, &pick) == LW_OK)
            lw_pick_finish(&pick, &SUCCESS);
        lw_pool_set_weight(pool, str("a"), 3);
        lw_pool_stats(pool, 0, NULL, 0, &len);
        lw_engine_maintain(busy, 0, NULL);
        lw_pool_free(pool);
    }
    return unused;
}

static void fork_in_the_midst_of_it(const char *config)
{
    pthread_t thread;
    busy = engine_of(config);
    atomic_store(&stop, 0);
    CHECK(pthread_create(&thread, NULL, use_all_the_time, NULL) == 0);
    for (int i = 0; i < 100; i++) {
        const struct timespec a_moment = {0, i * 7919 % 500000};
        nanosleep(&a_moment, NULL);
        CHECK(ends_well(CHILD({
            alarm(60);
            lw_pool pool = pool_in(busy, "default");
            lw_pick pick = pick_at(pool, 0);
            OK(lw_pick_finish(&pick, &SUCCESS));
            CHECK(in_flight(pool) < 9);
            OK(lw_engine_maintain(busy, 0, NULL));
            OK(lw_pool_set_weight(pool, str("b"), 2));
        })));
    }
    atomic_store(&stop, 1);
    pthread_join(thread, NULL);
    lw_pool pool = pool_in(busy, "default");
    CHECK(settles_at(pool, 0));
    OK(lw_pool_free(pool));
    OK(lw_engine_free(busy));
}

static void no_lock_is_inherited(void)
{
    const char *path = state_path();
    fork_in_the_midst_of_it(shared(path, "nodes: [a, b]"));
    CHECK(unlink(path) == 0);
    fork_in_the_midst_of_it("{nodes: [a, b]}");
}

int main(void)
{
    alarm(300);
    RUN(workers_that_open_after_the_fork_share_one_state);
    RUN(inherited_picks_are_the_parents);
    RUN(children_of_children_are_processes_too);
    RUN(children_that_are_killed_leave_nothing);
    RUN(workers_choose_each_in_their_own_way);
    RUN(a_seeded_pool_numbers_the_choices_of_all);
    RUN(more_children_than_there_is_room_for);
    RUN(no_lock_is_inherited);
    return tests_failed != 0;
}
