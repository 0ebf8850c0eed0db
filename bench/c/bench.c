/* A pick and its finish from C: what the ABI adds to the Rust of the same run. Prints JSON: see src/hosts.rs. */
#define _POSIX_C_SOURCE 200809L

#include <loadwise.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { ROUNDS_MAX = 61 };

static int rounds = 41;
static long calls = 100000;
static lw_pool pool;
static lw_request request = LW_REQUEST_INIT;
static lw_outcome success = LW_OUTCOME_INIT;
static const char *separator = "";

static void must(lw_status status)
{
    if (status != LW_OK) {
        char message[512] = "";
        lw_last_error(message, sizeof message, NULL);
        fprintf(stderr, "%s: %s\n", lw_status_name(status), message);
        exit(1);
    }
}

static double now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void nothing(void)
{
    for (long i = 0; i < calls; i++)
        lw_abi_version();
}

static void choose(void)
{
    lw_pick pick = LW_PICK_INIT;
    for (long i = 0; i < calls; i++)
        must(lw_pool_choose(pool, &request, &pick));
}

static void pick_and_finish(void)
{
    lw_pick pick = LW_PICK_INIT;
    for (long i = 0; i < calls; i++) {
        must(lw_pool_pick(pool, &request, &pick));
        must(lw_pick_finish(&pick, &success));
    }
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void measure(const char *what, int n, void (*body)(void))
{
    double samples[ROUNDS_MAX];
    body();
    for (int i = 0; i < rounds; i++) {
        double start = now_ns();
        body();
        samples[i] = (now_ns() - start) / (double)calls;
    }
    qsort(samples, (size_t)rounds, sizeof *samples, compare);
    printf("%s{\"what\": \"%s\", \"n\": %d, \"ns\": %.2f}", separator, what, n, samples[rounds / 2]);
    separator = ",\n ";
}

static lw_pool pool_of(const char *strategy, int n)
{
    size_t room = (size_t)n * 32 + 256, len;
    char *config = malloc(room);
    lw_pool made = 0;
    len = (size_t)snprintf(config, room, "strategy: %s\nlimits: {max_nodes: %d}\nnodes: [", strategy, n > 2048 ? 16384 : 2048);
    for (int i = 0; i < n; i++)
        len += (size_t)snprintf(config + len, room - len, "%s'10.0.%d.%d:8080'", i ? ", " : "", i / 256, i % 256);
    len += (size_t)snprintf(config + len, room - len, "]");
    must(lw_pool_new(config, len, &made));
    free(config);
    return made;
}

int main(void)
{
    static const struct { const char *strategy; int keyed; } rules[] = {{"p2c", 0}, {"round_robin", 0}, {"maglev", 1}};
    static const int sizes[] = {3, 1000};
    static const char key[] = "user-1234567890123456789";
    if (getenv("QUICK"))
        rounds = 11, calls = 20000;
    success.kind = LW_OUTCOME_SUCCESS;
    printf("[");
    measure("empty call", 0, nothing);
    for (size_t r = 0; r < sizeof rules / sizeof *rules; r++) {
        for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
            char what[64];
            pool = pool_of(rules[r].strategy, sizes[s]);
            request.key.data = rules[r].keyed ? key : NULL;
            request.key.len = rules[r].keyed ? sizeof key - 1 : 0;
            snprintf(what, sizeof what, "choose: %s", rules[r].strategy);
            measure(what, sizes[s], choose);
            snprintf(what, sizeof what, "pick + finish: %s", rules[r].strategy);
            measure(what, sizes[s], pick_and_finish);
            must(lw_pool_free(pool));
        }
    }
    printf("]\n");
    return 0;
}
