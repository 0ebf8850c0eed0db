/* Other processes on a shared state: this program again, told line by line what to do. And a file for such a state. */
#ifndef PEER_H
#define PEER_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "check.h"

#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { PEER_LINE = 4096, PEER_PICKS = 1024 };

/* A path of the test's own; the file is taken away by unlink(). */
static inline const char *state_path(void)
{
    static char path[64];
    static int number;
    snprintf(path, sizeof path, "%s/loadwise-c-%d-%d", access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp", (int)getpid(),
             ++number);
    return path;
}

/* A configuration whose state is at `path`, in a buffer that the next call but three reuses. */
static inline const char *shared(const char *path, const char *rest)
{
    static char configs[4][PEER_LINE];
    static int next;
    char *config = configs[next++ % 4];
    snprintf(config, PEER_LINE, "{shared: '%s', %s}", path, rest);
    return config;
}

static inline lw_engine engine_of(const char *config)
{
    lw_engine engine = 0;
    OK(lw_engine_from_config(config, strlen(config), &engine));
    return engine;
}

static inline lw_pool pool_in(lw_engine engine, const char *name)
{
    lw_pool pool = 0;
    OK(lw_engine_pool(engine, str(name), &pool));
    return pool;
}

/* Unfinished picks of all processes, over all nodes. */
static inline uint64_t in_flight(lw_pool pool)
{
    lw_node_status nodes[16] = {LW_NODE_STATUS_INIT};
    uint64_t sum = 0;
    size_t len = 0;
    OK(lw_pool_nodes(pool, nodes, 16, &len));
    for (size_t i = 0; i < len; i++)
        sum += nodes[i].in_flight;
    return sum;
}

static inline void nap(void)
{
    const struct timespec while_others_work = {0, 2000000};
    nanosleep(&while_others_work, NULL);
}

/* Whether maintenance here brings what is in flight to this: what the dead had is given back, however busy the machine is. */
static inline int settles_at(lw_pool pool, uint64_t wanted)
{
    const uint64_t until = lw_now_ns() + 60 * SECOND;
    while (lw_now_ns() < until) {
        OK(lw_pool_maintain(pool, 0, NULL));
        if (in_flight(pool) == wanted)
            return 1;
        nap();
    }
    printf("# %" PRIu64 " in flight, not %" PRIu64 "\n", in_flight(pool), wanted);
    return 0;
}

struct peer {
    pid_t pid;
    FILE *in, *out;
};

/* The answer to a line, in a buffer that the next call reuses. */
static inline const char *ask(struct peer *peer, const char *format, ...)
{
    static char answer[PEER_LINE];
    va_list arguments;
    va_start(arguments, format);
    vfprintf(peer->in, format, arguments);
    va_end(arguments);
    fputc('\n', peer->in);
    fflush(peer->in);
    if (!fgets(answer, sizeof answer, peer->out)) {
        CHECK(!"the other process answers");
        answer[0] = '\0';
    }
    answer[strcspn(answer, "\n")] = '\0';
    return answer;
}

#define ANSWERS(wanted, peer, ...)                                                                        \
    do {                                                                                                  \
        const char *answer_ = ask((peer), __VA_ARGS__);                                                   \
        if (strcmp(answer_, (wanted)) != 0) {                                                             \
            printf("# %s:%d: answered \"%s\", not \"%s\"\n", __FILE__, __LINE__, answer_, (wanted));      \
            failures++;                                                                                   \
        }                                                                                                 \
    } while (0)

/* Starts another process of this program. */
static inline struct peer start_peer(void)
{
    struct peer peer = {0, NULL, NULL};
    char program[PEER_LINE];
    int to[2], from[2];
    /* Not by the link itself, which under valgrind is valgrind's. */
    const ssize_t len = readlink("/proc/self/exe", program, sizeof program - 1);
    if (len < 0)
        exit(97);
    program[len] = '\0';
    /* Not for the processes that come after it: its input would not end before they do. */
    if (pipe2(to, O_CLOEXEC) != 0 || pipe2(from, O_CLOEXEC) != 0)
        exit(99);
    fflush(stdout);
    peer.pid = fork();
    if (peer.pid == 0) {
        if (dup2(to[0], 0) == 0 && dup2(from[1], 1) == 1)
            execl(program, program, "peer", (char *)NULL);
        _exit(98);
    }
    close(to[0]);
    close(from[1]);
    peer.in = fdopen(to[1], "w");
    peer.out = fdopen(from[0], "r");
    ANSWERS("ready", &peer, "hello");
    return peer;
}

static inline struct peer open_peer(const char *config)
{
    struct peer peer = start_peer();
    ANSWERS("LW_OK", &peer, "open %s", config);
    return peer;
}

/* Waits for its end. Whether it went well. */
static inline int ended(struct peer *peer)
{
    int status = -1;
    fclose(peer->in);
    fclose(peer->out);
    return waitpid(peer->pid, &status, 0) == peer->pid && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* Has it killed in whatever it does. It stays a zombie until `ended`. */
static inline void kill_peer(struct peer *peer)
{
    CHECK(kill(peer->pid, SIGKILL) == 0);
}

/* What a told process has. */
struct told {
    lw_engine engine;
    lw_pool pool;
    lw_pick held[PEER_PICKS];
    size_t held_len;
};

static inline void answer_status(lw_status status)
{
    char message[1024] = "";
    lw_last_error(message, sizeof message, NULL);
    message[strcspn(message, "\n")] = '\0';
    printf(status == LW_OK ? "%s\n" : "%s %s\n", lw_status_name(status), message);
}

/* Takes an engine over, and the first of its pools. */
static inline lw_status take_over(struct told *told, lw_status status)
{
    char name[64];
    if (status == LW_OK)
        status = lw_engine_name(told->engine, 0, name, sizeof name, NULL);
    if (status == LW_OK)
        status = lw_engine_pool(told->engine, str(name), &told->pool);
    return status;
}

static inline void pick_and_hold(struct told *told, size_t count)
{
    for (size_t i = 0; i < count && told->held_len < PEER_PICKS; i++) {
        lw_pick pick = LW_PICK_INIT;
        lw_status status = lw_pool_pick(told->pool, NULL, &pick);
        printf(i == 0 ? "%s" : " %s", status == LW_OK ? id_of(&pick) : lw_no_node_name(status));
        if (status == LW_OK)
            told->held[told->held_len++] = pick;
    }
    puts("");
}

static inline size_t finish_held(struct told *told, size_t count)
{
    lw_outcome success = outcome_of(LW_OUTCOME_SUCCESS);
    size_t ended = 0;
    for (size_t i = 0; i < count && told->held_len > 0; i++)
        ended += lw_pick_finish(&told->held[--told->held_len], &success) == LW_OK;
    return ended;
}

static inline void follow(struct told *told, const char *word, char *rest)
{
    lw_outcome failure = outcome_of(LW_OUTCOME_FAILURE), success = outcome_of(LW_OUTCOME_SUCCESS);
    lw_reloaded done = LW_RELOADED_INIT;
    if (!strcmp(word, "hello"))
        puts("ready");
    else if (!strcmp(word, "open"))
        answer_status(take_over(told, lw_engine_from_config(rest, strlen(rest), &told->engine)));
    else if (!strcmp(word, "attach"))
        answer_status(take_over(told, lw_engine_attach(str(rest), &told->engine)));
    else if (!strcmp(word, "pick"))
        pick_and_hold(told, strtoul(rest, NULL, 10));
    else if (!strcmp(word, "finish"))
        printf("%zu\n", finish_held(told, strtoul(rest, NULL, 10)));
    else if (!strcmp(word, "ticket"))
        printf("%" PRIu64 "\n", told->held[told->held_len - 1].ticket);
    else if (!strcmp(word, "release"))
        puts(lw_status_name(lw_pool_release(told->pool, strtoull(rest, NULL, 10), &success)));
    else if (!strcmp(word, "fail"))
        answer_status(lw_pool_report(told->pool, str(rest), &failure, NULL));
    else if (!strcmp(word, "weigh"))
        answer_status(lw_pool_set_weight(told->pool, (lw_str){rest, strcspn(rest, " ")},
                                         (uint32_t)strtoul(rest + strcspn(rest, " "), NULL, 10)));
    else if (!strcmp(word, "reload"))
        answer_status(lw_engine_reload_from(told->engine, rest, strlen(rest), NULL));
    else if (!strcmp(word, "if_new")) {
        lw_status status = lw_engine_reload_from_if_new(told->engine, rest, strlen(rest), &done);
        printf("%s %u\n", lw_status_name(status), done.changed);
    } else if (!strcmp(word, "in_flight"))
        printf("%" PRIu64 "\n", in_flight(told->pool));
    else if (!strcmp(word, "spin")) {
        puts("spinning");
        for (lw_pick pick = LW_PICK_INIT;;)
            if (lw_pool_pick(told->pool, NULL, &pick) == LW_OK)
                lw_pick_finish(&pick, &success);
    } else if (!strcmp(word, "spin_reload")) {
        char *second = strchr(rest, '|');
        *second++ = '\0';
        puts("reloading");
        for (;;) {
            lw_engine_reload_from(told->engine, rest, strlen(rest), NULL);
            lw_engine_reload_from(told->engine, second, strlen(second), NULL);
        }
    } else
        printf("what is %s?\n", word);
}

/* In a process that was started for it: does as it is told, and ends with its input, leaving its picks to the library. */
static inline int be_told(void)
{
    static struct told told;
    char line[PEER_LINE];
    setvbuf(stdout, NULL, _IOLBF, 0);
    while (fgets(line, sizeof line, stdin)) {
        line[strcspn(line, "\n")] = '\0';
        char *rest = line + strcspn(line, " ");
        if (*rest)
            *rest++ = '\0';
        follow(&told, line, rest);
    }
    if (told.engine)
        OK(lw_engine_free(told.engine));
    if (told.pool)
        OK(lw_pool_free(told.pool));
    return failures != 0;
}

#endif
