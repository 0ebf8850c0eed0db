/* What the C tests share: a test is a function of checks, and prints one line. */
#ifndef CHECK_H
#define CHECK_H

#include <loadwise.h>
#include <stdio.h>
#include <string.h>

static int failures;
static int tests_failed;

#define CHECK(condition)                                                      \
    do {                                                                      \
        if (!(condition)) {                                                   \
            printf("# %s:%d: %s\n", __FILE__, __LINE__, #condition);          \
            failures++;                                                       \
        }                                                                     \
    } while (0)

/* That a call returns this status; what it says otherwise is shown. */
#define STATUS(wanted, call)                                                                           \
    do {                                                                                               \
        lw_status status_ = (call);                                                                    \
        if (status_ != (wanted)) {                                                                     \
            char message_[4096] = "";                                                                   \
            lw_last_error(message_, sizeof message_, NULL);                                            \
            printf("# %s:%d: %s: %s (%s), not %s\n", __FILE__, __LINE__, #call, lw_status_name(status_), message_, \
                   lw_status_name(wanted));                                                            \
            failures++;                                                                                \
        }                                                                                              \
    } while (0)

#define OK(call) STATUS(LW_OK, call)

/* That this thread's last message has these words. */
#define SAYS(words)                                                                        \
    do {                                                                                   \
        char message_[4096] = "";                                                          \
        CHECK(lw_last_error(message_, sizeof message_, NULL) == LW_OK);                    \
        if (!strstr(message_, (words))) {                                                  \
            printf("# %s:%d: \"%s\" lacks \"%s\"\n", __FILE__, __LINE__, message_, words); \
            failures++;                                                                    \
        }                                                                                  \
    } while (0)

#define RUN(test)                                                                   \
    do {                                                                            \
        failures = 0;                                                               \
        test();                                                                     \
        printf("%s %s%s\n", failures ? "FAIL" : "ok", TEST_PREFIX, #test);          \
        tests_failed += failures != 0;                                              \
        fflush(stdout);                                                             \
    } while (0)

#ifndef TEST_PREFIX
#define TEST_PREFIX "c/"
#endif

static inline lw_str str(const char *text)
{
    lw_str s;
    s.data = text;
    s.len = strlen(text);
    return s;
}

static inline lw_pool pool_of(const char *config)
{
    lw_pool pool = 0;
    OK(lw_pool_new(config, strlen(config), &pool));
    return pool;
}

static inline lw_outcome outcome_of(uint32_t kind)
{
    lw_outcome outcome = LW_OUTCOME_INIT;
    outcome.kind = kind;
    return outcome;
}

/* That a text has these words. */
#define HAS(text, words)                                                                  \
    do {                                                                                  \
        if (!strstr((text), (words))) {                                                   \
            printf("# %s:%d: \"%s\" lacks \"%s\"\n", __FILE__, __LINE__, (text), words); \
            failures++;                                                                   \
        }                                                                                 \
    } while (0)

#define SECOND UINT64_C(1000000000)
#define MS UINT64_C(1000000)

/* The id of a picked node, in a buffer that the next call reuses. */
static inline const char *id_of(const lw_pick *pick)
{
    static _Thread_local char id[256];
    OK(lw_node_id(pick->pool, pick->node, pick->generation, id, sizeof id, NULL));
    return id;
}

/* What is to be seen of a node. */
static inline lw_node_status status_of(lw_pool pool, const char *id)
{
    static const lw_node_status none = LW_NODE_STATUS_INIT;
    lw_node_ref place = {0, 0};
    lw_node_status nodes[16];
    size_t len = 0;
    nodes[0] = none;
    OK(lw_pool_node(pool, str(id), &place));
    OK(lw_pool_nodes(pool, nodes, 16, &len));
    for (size_t i = 0; i < len; i++)
        if (nodes[i].node == place.node && nodes[i].generation == place.generation)
            return nodes[i];
    CHECK(!"the node is among the nodes");
    return none;
}

static inline lw_request request_at(uint64_t now_ns)
{
    lw_request request = LW_REQUEST_INIT;
    request.now_ns = now_ns;
    return request;
}

/* A pick at this time, which must find a node. */
static inline lw_pick pick_at(lw_pool pool, uint64_t now_ns)
{
    lw_pick pick = LW_PICK_INIT;
    lw_request request = request_at(now_ns);
    OK(lw_pool_pick(pool, &request, &pick));
    return pick;
}

static inline void finish_at(const lw_pick *pick, uint32_t kind, uint64_t now_ns)
{
    lw_outcome outcome = outcome_of(kind);
    outcome.now_ns = now_ns;
    outcome.latency_ns = MS;
    OK(lw_pick_finish(pick, &outcome));
}

static inline void report_at(lw_pool pool, const char *id, uint32_t kind, uint64_t now_ns)
{
    lw_outcome outcome = outcome_of(kind);
    outcome.now_ns = now_ns;
    OK(lw_pool_report(pool, str(id), &outcome, NULL));
}

/* Whether all of some picks at this time, each ended well at once, went to this node. */
static inline int all_go_to(lw_pool pool, const char *id, uint64_t now_ns)
{
    int others = 0;
    for (int i = 0; i < 50; i++) {
        lw_pick pick = pick_at(pool, now_ns);
        others += strcmp(id_of(&pick), id) != 0;
        finish_at(&pick, LW_OUTCOME_SUCCESS, now_ns);
    }
    return others == 0;
}

#endif
