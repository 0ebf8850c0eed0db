/* Picking and finishing call the system for nothing: children that may call it for nothing go on with it. */
#include "peer.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

static const lw_outcome SUCCESS = {.struct_size = sizeof(lw_outcome), .kind = LW_OUTCOME_SUCCESS, .latency_ns = 1000};
static const lw_outcome MEASURED = {.struct_size = sizeof(lw_outcome), .kind = LW_OUTCOME_SUCCESS};

enum { PICKS = 10000, HELD = 8 };

/* Picks and finishes, holding up to eight. How often that failed. */
static int pick_and_finish(lw_pool pool, const lw_outcome *outcome)
{
    lw_pick held[HELD];
    int failed = 0;
    for (int i = 0; i < PICKS + HELD; i++) {
        lw_pick *pick = &held[i % HELD];
        if (i >= HELD)
            failed += lw_pick_finish(pick, outcome) != LW_OK;
        *pick = (lw_pick)LW_PICK_INIT;
        if (i < PICKS)
            failed += lw_pool_pick(pool, NULL, pick) != LW_OK;
        else
            break;
    }
    for (int i = 1; i < HELD; i++)
        failed += lw_pick_finish(&held[(PICKS + i) % HELD], outcome) != LW_OK;
    return failed;
}

static int nothing(lw_pool pool, const lw_outcome *outcome)
{
    (void)pool;
    (void)outcome;
    return 0;
}

static int ask_the_system(lw_pool pool, const lw_outcome *outcome)
{
    (void)pool;
    (void)outcome;
    return getppid() == 0;
}

static int look_at_the_clock(lw_pool pool, const lw_outcome *outcome)
{
    (void)pool;
    (void)outcome;
    return lw_now_ns() == 0;
}

/* From here on, every call of the system but `exit` kills this process. Not the strict mode, which takes the clock away. */
static int forbid_everything(void)
{
    struct sock_filter rules[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_exit, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_THREAD),
    };
    const struct sock_fprog program = {sizeof rules / sizeof *rules, rules};
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

/* Whether this goes well in a child that is killed by its first call of the system. */
static int does_alone(int (*what)(lw_pool, const lw_outcome *), lw_pool pool, const lw_outcome *outcome)
{
    int status = -1;
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        /* The first picks of a process take its place in the state, and make its thread's memory of the pool. */
        const int failed = what == nothing || what == ask_the_system ? 0 : what(pool, outcome);
        if (failed || !forbid_everything())
            _exit(2);
        syscall(SYS_exit, what(pool, outcome) != 0);
    }
    CHECK(waitpid(child, &status, 0) == child);
    CHECK(WIFSIGNALED(status) ? WTERMSIG(status) == SIGSYS : WEXITSTATUS(status) == 0);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* Where the clock is the system's to tell, what needs the time calls it for that. */
static int has_a_clock;

static void who_calls_the_system_is_found_out(void)
{
    CHECK(does_alone(nothing, 0, &SUCCESS));
    CHECK(!does_alone(ask_the_system, 0, &SUCCESS));
    has_a_clock = does_alone(look_at_the_clock, 0, &SUCCESS);
    if (!has_a_clock)
        puts("# the clock of this machine is a call of the system: what needs the time is left out");
}

static void on_a_pool(const char *config, int needs_clock)
{
    lw_pool pool = pool_of(config);
    if (!needs_clock)
        CHECK(does_alone(pick_and_finish, pool, &SUCCESS));
    if (has_a_clock) {
        CHECK(does_alone(pick_and_finish, pool, &SUCCESS));
        CHECK(does_alone(pick_and_finish, pool, &MEASURED));
    }
    OK(lw_pool_free(pool));
}

static void on_a_private_pool(void)
{
    on_a_pool("{strategy: p2c, nodes: [a, b, c]}", 0);
}

static void on_a_shared_pool(void)
{
    const char *rules[] = {"p2c", "round_robin", "weighted_round_robin", "random", "maglev", "ring_hash", "least_request",
                           "least_load", "peak_ewma", "fastest"};
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
        const char *path = state_path();
        char rest[128];
        snprintf(rest, sizeof rest, "strategy: %s, nodes: [a, b, c, d]", rules[i]);
        on_a_pool(shared(path, rest), i >= 8);
        CHECK(unlink(path) == 0);
    }
}

static void with_every_policy(void)
{
    const char *path = state_path();
    on_a_pool(shared(path, "max_in_flight: 1000, lease_timeout_ms: 60000, breaker: true, outlier: true, slow_start: true,"
                           " adaptive_limit: true, stats: {latency: nodes}, quotas: [{dimension: requests, limit: 10000000}],"
                           " nodes: [a, {id: b, max_in_flight: 500}, {id: c, tier: 1}]"), 1);
    CHECK(unlink(path) == 0);
}

/* Also while others pick, and while they change what there is. */
static void while_others_use_it(void)
{
    const char *path = state_path();
    const char *config = shared(path, "strategy: p2c, nodes: [a, b, c, d]");
    lw_pool pool = pool_of(config);
    struct peer hot = open_peer(config), changing = open_peer(config);
    ANSWERS("spinning", &hot, "spin");
    ANSWERS("reloading", &changing, "spin_reload {nodes: [a, b, c, d, e]}|{nodes: [b, a], strategy: round_robin}");
    for (int i = 0; i < 5; i++)
        CHECK(does_alone(pick_and_finish, pool, &SUCCESS));
    kill_peer(&hot);
    kill_peer(&changing);
    CHECK(settles_at(pool, 0));
    CHECK(!ended(&hot) && !ended(&changing));
    OK(lw_pool_free(pool));
    CHECK(unlink(path) == 0);
}

int main(int argc, char **argv)
{
    if (argc > 1 && !strcmp(argv[1], "peer"))
        return be_told();
    alarm(300);
    RUN(who_calls_the_system_is_found_out);
    RUN(on_a_private_pool);
    RUN(on_a_shared_pool);
    RUN(with_every_policy);
    RUN(while_others_use_it);
    return tests_failed != 0;
}
