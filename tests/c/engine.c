/* Engines: pools by name, handles of them, and configurations that are replaced while all goes on. */
#include "check.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

static char text[1 << 18];

static const char TWO[] = "pools:\n"
                          "  shop: {strategy: round_robin, nodes: [a, b]}\n"
                          "  search: {strategy: maglev, nodes: [c]}\n";

static lw_engine engine_of(const char *config)
{
    lw_engine engine = 0;
    OK(lw_engine_from_config(config, strlen(config), &engine));
    return engine;
}

static lw_pool pool_in(lw_engine engine, const char *name)
{
    lw_pool pool = 0;
    OK(lw_engine_pool(engine, str(name), &pool));
    return pool;
}

static void pools_are_found_by_name(void)
{
    lw_engine engine = engine_of(TWO);
    size_t len = 0;
    uint64_t version = 0;
    lw_pool shop = pool_in(engine, "shop"), none = 42;
    OK(lw_engine_len(engine, &len));
    CHECK(len == 2);
    OK(lw_engine_name(engine, 1, text, sizeof text, &len));
    CHECK(!strcmp(text, "search") && len == 6);
    STATUS(LW_ERR_INVALID_ARGUMENT, lw_engine_name(engine, 2, text, sizeof text, NULL));
    OK(lw_engine_version(engine, &version));
    CHECK(version == 1);
    OK(lw_pool_name(shop, text, sizeof text, NULL));
    CHECK(!strcmp(text, "shop"));
    STATUS(LW_ERR_CONFIG, lw_engine_pool(engine, str("mail"), &none));
    SAYS("mail");
    CHECK(none == 42);
    OK(lw_pool_free(shop));
    OK(lw_engine_free(engine));

    engine = engine_of("nodes: [a]");
    OK(lw_pool_free(pool_in(engine, "default")));
    OK(lw_engine_free(engine));
}

static int64_t choose_by_key(const lw_candidate *const *candidates, size_t len, lw_str key, void *user_data)
{
    (void)candidates;
    (void)user_data;
    return key.data && key.len == 1 && (size_t)(key.data[0] - '0') < len ? key.data[0] - '0' : LW_CHOOSE_FAILED;
}

static void count(void *user_data)
{
    ++*(int *)user_data;
}

static void handles_of_one_pool_are_one_pool(void)
{
    lw_engine engine = engine_of(TWO);
    lw_pool first = pool_in(engine, "shop"), second = pool_in(engine, "shop");
    lw_outcome success = outcome_of(LW_OUTCOME_SUCCESS);
    lw_pick pick = LW_PICK_INIT;
    lw_request request = LW_REQUEST_INIT;
    int dropped = 0;
    CHECK(first != second);
    OK(lw_pool_pick(first, NULL, &pick));
    CHECK(status_of(second, id_of(&pick)).in_flight == 1);
    OK(lw_pool_free(first));
    STATUS(LW_ERR_STALE_TICKET, lw_pick_finish(&pick, &success));
    OK(lw_pool_release(second, pick.ticket, &success));

    /* An own strategy is the pool's, also for handles that come after it, and lives as long as the pool. */
    OK(lw_pool_set_own_strategy(second, choose_by_key, &dropped, count, str("")));
    OK(lw_pool_free(second));
    first = pool_in(engine, "shop");
    request.key = str("1");
    OK(lw_pool_choose(first, &request, &pick));
    CHECK(pick.flags == 0 && !strcmp(id_of(&pick), "b"));
    request.key = str("0");
    OK(lw_pool_choose(first, &request, &pick));
    CHECK(pick.flags == 0 && !strcmp(id_of(&pick), "a"));
    CHECK(dropped == 0);

    /* The handle outlives the engine. */
    OK(lw_engine_free(engine));
    CHECK(dropped == 0);
    OK(lw_pool_choose(first, &request, &pick));
    OK(lw_pool_free(first));
    CHECK(dropped == 1);
}

static void a_configuration_is_replaced_as_a_whole(void)
{
    lw_engine engine = engine_of(TWO);
    lw_pool shop = pool_in(engine, "shop"), search = pool_in(engine, "search"), other;
    lw_reloaded done = LW_RELOADED_INIT;
    lw_outcome success = outcome_of(LW_OUTCOME_SUCCESS);
    lw_pick pick = LW_PICK_INIT;
    const char next[] = "pools:\n  shop: {strategy: random, nodes: [b, d]}\n  mail: {nodes: [m]}\n";
    const char wrong[] = "pools:\n  shop: {strategy: p2c, nodes: [b]}\n  mail: {strategy: best}\n";
    uint64_t version = 0;
    OK(lw_pool_pick(shop, NULL, &pick));
    OK(lw_engine_reload_from(engine, next, strlen(next), &done));
    CHECK(done.added == 1 && done.removed == 1 && done.changed == 1 && done.version == 2);
    OK(lw_pool_strategy(shop, text, sizeof text, NULL));
    CHECK(!strcmp(text, "random"));
    OK(lw_pick_finish(&pick, &success));
    STATUS(LW_ERR_CONFIG, lw_engine_pool(engine, str("search"), &other));
    /* One who has it still can go on with it. */
    OK(lw_pool_choose(search, NULL, &pick));

    STATUS(LW_ERR_CONFIG, lw_engine_reload_from(engine, wrong, strlen(wrong), &done));
    SAYS("line 3");
    CHECK(done.version == 2);
    OK(lw_pool_strategy(shop, text, sizeof text, NULL));
    CHECK(!strcmp(text, "random"));
    OK(lw_engine_reload_from(engine, next, strlen(next), NULL));
    OK(lw_engine_version(engine, &version));
    CHECK(version == 3);
    STATUS(LW_ERR_CONFIG, lw_engine_reload(engine, NULL));
    SAYS("file");
    OK(lw_pool_free(shop));
    OK(lw_pool_free(search));
    OK(lw_engine_free(engine));
}

static void write_file(const char *path, const char *content)
{
    FILE *file = fopen(path, "w");
    CHECK(file && fputs(content, file) >= 0 && fclose(file) == 0);
}

static void a_file_is_read_again(void)
{
    char path[] = "/tmp/loadwise-engine-XXXXXX";
    lw_engine engine = 0, none = 42;
    lw_reloaded done = LW_RELOADED_INIT;
    int descriptor = mkstemp(path);
    CHECK(descriptor >= 0 && close(descriptor) == 0);
    write_file(path, TWO);
    OK(lw_engine_open(str(path), &engine));
    write_file(path, "pools: {shop: {strategy: p3c}}");
    STATUS(LW_ERR_CONFIG, lw_engine_reload(engine, &done));
    SAYS(path);
    CHECK(done.version == 0);
    write_file(path, "pools: {shop: {nodes: [z]}}");
    OK(lw_engine_reload(engine, &done));
    CHECK(done.changed == 1 && done.removed == 1 && done.version == 2);
    CHECK(remove(path) == 0);
    STATUS(LW_ERR_CONFIG, lw_engine_reload(engine, NULL));
    STATUS(LW_ERR_CONFIG, lw_engine_open(str(path), &none));
    SAYS(path);
    CHECK(none == 42);
    OK(lw_engine_free(engine));
}

static void several_engines_have_one_text(void)
{
    static char text[1 << 16];
    static const char config[] = "pools: {mail: {nodes: [a]}}";
    lw_engine engines[2] = {engine_of(TWO), 0};
    OK(lw_engine_from_config(config, strlen(config), &engines[1]));
    OK(lw_engines_metrics(engines, 2, LW_METRICS_OPENMETRICS, text, sizeof text, NULL));
    HAS(text, "pool=\"shop\"");
    HAS(text, "pool=\"mail\"");
    CHECK(strstr(text, "# EOF\n") + 6 == text + strlen(text));
    OK(lw_engines_metrics(NULL, 0, LW_METRICS_PROMETHEUS, text, sizeof text, NULL));
    STATUS(LW_ERR_NULL_ARGUMENT, lw_engines_metrics(NULL, 1, LW_METRICS_PROMETHEUS, text, sizeof text, NULL));
    STATUS(LW_ERR_INVALID_ARGUMENT, lw_engines_metrics(engines, 2, 7, text, sizeof text, NULL));
    OK(lw_engine_free(engines[1]));
    STATUS(LW_ERR_CLOSED, lw_engines_metrics(engines, 2, LW_METRICS_PROMETHEUS, text, sizeof text, NULL));
    OK(lw_engine_free(engines[0]));
}

static void an_engine_tells_of_all_its_pools(void)
{
    lw_engine engine = engine_of(TWO);
    lw_maintained done = LW_MAINTAINED_INIT;
    size_t len = 0;
    OK(lw_engine_config(engine, text, sizeof text, &len));
    CHECK(len == strlen(text));
    HAS(text, "\"shop\": {");
    HAS(text, "\"acquire_timeout_ms\": 5000");
    HAS(text, "\"version\": 1");
    OK(lw_engine_stats(engine, 0, text, sizeof text, NULL));
    CHECK(text[0] == '[');
    HAS(text, "\"name\": \"shop\"");
    HAS(text, "\"name\": \"search\"");
    OK(lw_engine_metrics(engine, LW_METRICS_PROMETHEUS, text, sizeof text, NULL));
    HAS(text, "pool=\"search\"");
    OK(lw_engine_metrics(engine, LW_METRICS_OPENMETRICS, text, sizeof text, NULL));
    HAS(text, "# EOF\n");
    STATUS(LW_ERR_INVALID_ARGUMENT, lw_engine_metrics(engine, 7, text, sizeof text, NULL));
    OK(lw_engine_maintain(engine, 0, &done));
    CHECK(done.next_due_ns > lw_now_ns() - SECOND);
    OK(lw_engine_maintain(engine, lw_now_ns(), NULL));
    OK(lw_engine_free(engine));
}

struct traffic {
    lw_pool pool;
    atomic_int stop, picks, failed;
};

static void *pick_until_stopped(void *data)
{
    struct traffic *traffic = data;
    lw_outcome success = outcome_of(LW_OUTCOME_SUCCESS);
    while (!atomic_load(&traffic->stop)) {
        lw_pick pick = LW_PICK_INIT;
        if (lw_pool_pick(traffic->pool, NULL, &pick) != LW_OK || lw_pick_finish(&pick, &success) != LW_OK)
            atomic_fetch_add(&traffic->failed, 1);
        atomic_fetch_add(&traffic->picks, 1);
    }
    return NULL;
}

static void reloads_lose_no_pick(void)
{
    const char *configs[] = {"pools: {shop: {strategy: p2c, nodes: [a, b, c]}}",
                             "pools: {shop: {strategy: maglev, nodes: [b, d], breaker: true}, more: {nodes: [x]}}",
                             "pools: {shop: {strategy: [round_robin, random], nodes: [{id: b, weight: 3}], affinity: true}}"};
    lw_engine engine = engine_of(configs[0]);
    struct traffic traffic = {.pool = pool_in(engine, "shop")};
    pthread_t threads[2];
    for (int i = 0; i < 2; i++)
        CHECK(pthread_create(&threads[i], NULL, pick_until_stopped, &traffic) == 0);
    for (int i = 0; i < 60 || atomic_load(&traffic.picks) < 2000; i++)
        OK(lw_engine_reload_from(engine, configs[i % 3], strlen(configs[i % 3]), NULL));
    atomic_store(&traffic.stop, 1);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    CHECK(traffic.failed == 0);
    CHECK(status_of(traffic.pool, "b").in_flight == 0);
    OK(lw_pool_free(traffic.pool));
    OK(lw_engine_free(engine));
}

static void engines_used_wrongly(void)
{
    lw_engine engine = engine_of(TWO), none = 42;
    lw_pool shop = pool_in(engine, "shop"), pool = 42;
    lw_reloaded done = LW_RELOADED_INIT;
    lw_str bad = str("\xff");
    size_t len;
    uint64_t version;
    STATUS(LW_ERR_CONFIG, lw_engine_from_config("pools: {a b: {}}", 16, &none));
    STATUS(LW_ERR_CONFIG, lw_engine_from_config("pools: {}\nnodes: [a]", 20, &none));
    STATUS(LW_ERR_CONFIG, lw_engine_from_config("\xff", 1, &none));
    STATUS(LW_ERR_NULL_ARGUMENT, lw_engine_from_config(NULL, 1, &none));
    STATUS(LW_ERR_NULL_ARGUMENT, lw_engine_from_config("{}", 2, NULL));
    STATUS(LW_ERR_INVALID_UTF8, lw_engine_open(bad, &none));
    STATUS(LW_ERR_NULL_ARGUMENT, lw_engine_open(str("x"), NULL));
    CHECK(none == 42);
    STATUS(LW_ERR_NULL_ARGUMENT, lw_engine_pool(engine, str("shop"), NULL));
    STATUS(LW_ERR_INVALID_UTF8, lw_engine_pool(engine, bad, &pool));
    STATUS(LW_ERR_NULL_ARGUMENT, lw_engine_len(engine, NULL));
    STATUS(LW_ERR_NULL_ARGUMENT, lw_engine_version(engine, NULL));
    done.struct_size = 8;
    STATUS(LW_ERR_STRUCT_SIZE, lw_engine_reload_from(engine, TWO, strlen(TWO), &done));
    OK(lw_engine_version(engine, &version));
    CHECK(version == 1);
    const lw_engine wrong[] = {0, shop, engine ^ 1, UINT64_MAX, engine};
    OK(lw_engine_free(engine));
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        lw_status wanted = wrong[i] == engine ? LW_ERR_CLOSED : LW_ERR_INVALID_HANDLE;
        STATUS(wanted, lw_engine_pool(wrong[i], str("shop"), &pool));
        STATUS(wanted, lw_engine_len(wrong[i], &len));
        STATUS(wanted, lw_engine_name(wrong[i], 0, text, sizeof text, NULL));
        STATUS(wanted, lw_engine_reload(wrong[i], NULL));
        STATUS(wanted, lw_engine_reload_from(wrong[i], TWO, strlen(TWO), NULL));
        STATUS(wanted, lw_engine_version(wrong[i], &version));
        STATUS(wanted, lw_engine_config(wrong[i], text, sizeof text, NULL));
        STATUS(wanted, lw_engine_maintain(wrong[i], 0, NULL));
        STATUS(wanted, lw_engine_stats(wrong[i], 0, text, sizeof text, NULL));
        STATUS(wanted, lw_engine_metrics(wrong[i], LW_METRICS_PROMETHEUS, text, sizeof text, NULL));
        STATUS(wanted, lw_engine_free(wrong[i]));
    }
    CHECK(pool == 42);
    OK(lw_pool_free(shop));
}

int main(void)
{
    RUN(pools_are_found_by_name);
    RUN(handles_of_one_pool_are_one_pool);
    RUN(a_configuration_is_replaced_as_a_whole);
    RUN(a_file_is_read_again);
    RUN(an_engine_tells_of_all_its_pools);
    RUN(reloads_lose_no_pick);
    RUN(engines_used_wrongly);
    RUN(several_engines_have_one_text);
    return tests_failed != 0;
}
