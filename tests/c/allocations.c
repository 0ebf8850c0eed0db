/* Picking and finishing allocate nothing: every malloc of the process goes through here and is counted. */
#include "check.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *memory, size_t size);
extern void *__libc_memalign(size_t alignment, size_t size);

static atomic_long allocations;

void *malloc(size_t size)
{
    atomic_fetch_add(&allocations, 1);
    return __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
    atomic_fetch_add(&allocations, 1);
    return __libc_calloc(count, size);
}

void *realloc(void *memory, size_t size)
{
    atomic_fetch_add(&allocations, 1);
    return __libc_realloc(memory, size);
}

void *aligned_alloc(size_t alignment, size_t size)
{
    atomic_fetch_add(&allocations, 1);
    return __libc_memalign(alignment, size);
}

int posix_memalign(void **memory, size_t alignment, size_t size)
{
    atomic_fetch_add(&allocations, 1);
    *memory = __libc_memalign(alignment, size);
    return *memory ? 0 : 12;
}

static const lw_outcome SUCCESS = {.struct_size = sizeof(lw_outcome), .kind = LW_OUTCOME_SUCCESS, .latency_ns = 1000};
static const lw_outcome FAILURE = {
    .struct_size = sizeof(lw_outcome), .kind = LW_OUTCOME_FAILURE, .failure = LW_FAILURE_RESET, .latency_ns = 1000};

static int32_t take(const lw_candidate *candidate, void *data)
{
    lw_node_status status = LW_NODE_STATUS_INIT;
    char id[256];
    (void)data;
    return lw_candidate_status(candidate, &status) == LW_OK && lw_candidate_id(candidate, id, sizeof id, NULL) == LW_OK;
}

static void pick_in_every_way(lw_pool pool)
{
    lw_pick pick = LW_PICK_INIT;
    lw_str excluded[2] = {str("a"), str("b")};
    lw_label label = {str("region"), str("eu")};
    lw_request plain = LW_REQUEST_INIT, listed = LW_REQUEST_INIT, nobody = LW_REQUEST_INIT;
    plain.key = str("user-17");
    listed.exclude = excluded;
    listed.exclude_len = 2;
    listed.require = &label;
    listed.require_len = 1;
    listed.predicate = take;
    nobody.exclude = excluded;
    nobody.exclude_len = 2;
    nobody.require = &label;
    nobody.require_len = 1;
    nobody.health_mask = LW_HEALTH_UNHEALTHY;
    for (int i = 0; i < 300; i++) {
        char address[256];
        OK(lw_pool_pick(pool, i % 2 ? &plain : NULL, &pick));
        OK(lw_node_address(pool, pick.node, pick.generation, address, sizeof address, NULL));
        OK(lw_pick_first_token(&pick, 0, NULL));
        OK(lw_pick_finish(&pick, i % 50 ? &SUCCESS : &FAILURE));
        STATUS(LW_ERR_STALE_TICKET, lw_pick_finish(&pick, &SUCCESS));
        OK(lw_pool_pick(pool, &listed, &pick));
        OK(lw_pool_release(pool, pick.ticket, &SUCCESS));
        STATUS(LW_NO_NODE_UNHEALTHY, lw_pool_pick(pool, &nobody, &pick));
        OK(lw_pool_choose(pool, &plain, &pick));
    }
}

static const char FOUR[] = "nodes: [a, b, {id: c, labels: {region: eu}}, {id: d, labels: {region: eu}}]";

/* Frees the pool. */
static void allocates_nothing(lw_pool pool, const char *strategy)
{
    OK(lw_pool_set_strategy(pool, str(strategy)));
    /* The first picks of a thread make its memory of the pool. */
    pick_in_every_way(pool);
    const long before = atomic_load(&allocations);
    pick_in_every_way(pool);
    if (atomic_load(&allocations) != before)
        printf("# %s: %ld allocations\n", strategy, atomic_load(&allocations) - before);
    CHECK(before > 0 && atomic_load(&allocations) == before);
    OK(lw_pool_free(pool));
}

static void picking_allocates_nothing(void)
{
    const char *strategies[] = {"p2c", "round_robin", "weighted_round_robin", "random", "weighted_random", "least_load",
                                "least_request", "peak_ewma", "ring_hash", "maglev", "rendezvous", "most_available",
                                "[{name: maglev, bounded_load: 1.25}, round_robin]", "adaptive", "fastest",
                                "reported_load"};
    for (size_t i = 0; i < sizeof strategies / sizeof *strategies; i++)
        allocates_nothing(pool_of(FOUR), strategies[i]);
}

/* Everything that a configuration can ask of a pick. */
static const char EVERYTHING[] =
    "max_in_flight: 1000\nbreaker: true\noutlier: true\npanic: {mode: spread}\nzones: {zone: near}\nslow_start: true\n"
    "affinity: true\nadaptive_limit: true\nstats: {latency: nodes}\nsplits: [{labels: {region: eu}, share: 0.3}]\n"
    "quotas: [{dimension: requests, limit: 1000000}, {dimension: tokens, limit: 100000000, default_cost: 10}]\n"
    "nodes: [{id: a, zone: near}, {id: b, zone: far, max_in_flight: 500}, {id: c, labels: {region: eu}},"
    " {id: d, tier: 1, labels: {region: eu}}]";

static void pick_with_everything(lw_pool pool)
{
    lw_amount cost[2] = {{str("tokens"), 100}, {str("unknown"), 1}}, used[2] = {{str("tokens"), 50}, {str("requests"), 1}};
    lw_request request = LW_REQUEST_INIT;
    lw_outcome outcome = SUCCESS, limited = outcome_of(LW_OUTCOME_RATE_LIMITED);
    lw_pick pick = LW_PICK_INIT;
    char session[16];
    request.cost = cost;
    request.cost_len = 2;
    request.session.data = session;
    outcome.usage = used;
    outcome.usage_len = 2;
    for (int i = 0; i < 600; i++) {
        request.session.len = (size_t)snprintf(session, sizeof session, "user-%d", i % 40);
        request.zone = str(i % 3 ? "far" : "nowhere");
        OK(lw_pool_pick(pool, &request, &pick));
        OK(lw_pick_finish(&pick, i % 100 == 99 ? &FAILURE : &outcome));
        OK(lw_pool_pick(pool, NULL, &pick));
        OK(lw_pool_first_token(pool, pick.ticket, 0, NULL));
        OK(lw_pool_release(pool, pick.ticket, &SUCCESS));
        OK(lw_pool_pick_within(pool, &request, 0, &pick));
        OK(lw_pick_finish(&pick, i == 300 ? &limited : &SUCCESS));
    }
}

/* Frees the pool. */
static void allocates_nothing_with_everything(lw_pool pool)
{
    pick_with_everything(pool);
    const long before = atomic_load(&allocations);
    pick_with_everything(pool);
    if (atomic_load(&allocations) != before)
        printf("# %ld allocations\n", atomic_load(&allocations) - before);
    CHECK(before > 0 && atomic_load(&allocations) == before);
    OK(lw_pool_free(pool));
}

static void nor_with_every_policy(void)
{
    allocates_nothing_with_everything(pool_of(EVERYTHING));
}

static void nor_on_a_shared_pool(void)
{
    char path[64], config[2048];
    snprintf(path, sizeof path, "%s/loadwise-c-%d", access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp", (int)getpid());
    snprintf(config, sizeof config, "shared: '%s'\n%s", path, EVERYTHING);
    allocates_nothing_with_everything(pool_of(config));
    CHECK(unlink(path) == 0);
    const char *strategies[] = {"p2c", "round_robin", "weighted_round_robin", "least_request", "peak_ewma", "maglev"};
    for (size_t i = 0; i < sizeof strategies / sizeof *strategies; i++) {
        snprintf(config, sizeof config, "shared: '%s'\n%s", path, FOUR);
        allocates_nothing(pool_of(config), strategies[i]);
        CHECK(unlink(path) == 0);
    }
}

int main(void)
{
    RUN(picking_allocates_nothing);
    RUN(nor_with_every_policy);
    RUN(nor_on_a_shared_pool);
    return tests_failed != 0;
}
