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
            char message_[512] = "";                                                                   \
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
        char message_[1024] = "";                                                          \
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

/* The id of a picked node, in a buffer that the next call reuses. */
static inline const char *id_of(const lw_pick *pick)
{
    static _Thread_local char id[256];
    OK(lw_node_id(pick->pool, pick->node, pick->generation, id, sizeof id, NULL));
    return id;
}

#endif
