/* What a pool has learned, kept beyond its life: as JSON, in a file, in a store of the host's own. */
#include "check.h"

#include <stdlib.h>
#include <unistd.h>

static char text[1 << 16];

/* A pool whose node a is down. */
static lw_pool taught(void)
{
    lw_pool pool = pool_of("nodes: [a, b]");
    for (int i = 0; i < 3; i++)
        report_at(pool, "a", LW_OUTCOME_FAILURE, 0);
    return pool;
}

static void what_was_learned_is_taken_up(void)
{
    lw_pool pool = taught(), next = pool_of("nodes: [a, c]");
    size_t count = 9;
    OK(lw_pool_learned(pool, text, sizeof text, NULL));
    HAS(text, "\"health\": \"unhealthy\"");
    OK(lw_pool_learn_from(next, text, strlen(text), &count));
    CHECK(count == 1 && status_of(next, "a").health == LW_HEALTH_UNHEALTHY && status_of(next, "a").hold_until_ns > 0);
    const char *wrong[] = {"[]", "{", "{\"format\": 1, \"nodes\": {\"a\": {\"health\": \"fine\"}}}",
                           "{\"format\": 99, \"nodes\": {}}", "\xff"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        STATUS(LW_ERR_CONFIG, lw_pool_learn_from(next, wrong[i], strlen(wrong[i]), &count));
    CHECK(count == 1);
    STATUS(LW_ERR_NULL_ARGUMENT, lw_pool_learn_from(next, NULL, 2, &count));
    OK(lw_pool_learn_from(next, text, strlen(text), NULL));
    OK(lw_pool_free(pool));
    OK(lw_pool_free(next));
}

static void a_file_keeps_it(void)
{
    char directory[] = "/tmp/loadwise-learned-XXXXXX", path[64];
    lw_pool pool = taught(), next = pool_of("nodes: [a, c]");
    size_t count = 9;
    CHECK(mkdtemp(directory) != NULL);
    snprintf(path, sizeof path, "%s/learned.json", directory);
    OK(lw_pool_restore(next, str(path), &count));
    CHECK(count == 0);
    OK(lw_pool_save(pool, str(path), &count));
    CHECK(count == 2);
    OK(lw_pool_restore(next, str(path), &count));
    CHECK(count == 1 && status_of(next, "a").health == LW_HEALTH_UNHEALTHY);
    OK(lw_pool_save(pool, str(path), NULL));
    OK(lw_pool_restore(next, str(path), NULL));

    /* A file that was damaged is an error, and is left to be looked at. */
    FILE *file = fopen(path, "w");
    CHECK(file && fputs("{\"a\": ", file) >= 0 && fclose(file) == 0);
    STATUS(LW_ERR_STORE, lw_pool_restore(next, str(path), &count));
    SAYS(path);
    STATUS(LW_ERR_STORE, lw_pool_save(pool, str(path), &count));
    CHECK(access(path, F_OK) == 0 && unlink(path) == 0 && rmdir(directory) == 0);
    STATUS(LW_ERR_STORE, lw_pool_save(pool, str(path), &count));
    STATUS(LW_ERR_INVALID_UTF8, lw_pool_save(pool, str("\xff"), &count));
    OK(lw_pool_free(pool));
    OK(lw_pool_free(next));
}

/* A store of at most a few entries. */
enum { ENTRIES = 8 };

struct map {
    int len, fail;
    lw_entries *seen;
    struct { char id[16], state[1024]; } kept[ENTRIES];
};

static int32_t map_put(void *user_data, lw_str id, lw_str state)
{
    struct map *map = user_data;
    int at = 0;
    while (at < map->len && strncmp(map->kept[at].id, id.data, id.len) != 0)
        at++;
    if (map->fail || at == ENTRIES || state.len >= sizeof map->kept[at].state)
        return -1;
    snprintf(map->kept[at].id, sizeof map->kept[at].id, "%.*s", (int)id.len, id.data);
    snprintf(map->kept[at].state, sizeof map->kept[at].state, "%.*s", (int)state.len, state.data);
    map->len = at == map->len ? map->len + 1 : map->len;
    return 0;
}

static int32_t map_list(void *user_data, lw_entries *all)
{
    struct map *map = user_data;
    map->seen = all;
    for (int i = 0; i < map->len; i++)
        OK(lw_entries_add(all, str(map->kept[i].id), str(map->kept[i].state)));
    return map->fail;
}

static void a_store_of_the_hosts_own_keeps_it(void)
{
    struct map *map = calloc(1, sizeof *map);
    lw_store store = LW_STORE_INIT;
    lw_pool pool = taught(), next = pool_of("nodes: [a, c]");
    size_t count = 9;
    store.user_data = map;
    store.put = map_put;
    store.list = map_list;
    OK(lw_pool_save_to(pool, &store, &count));
    CHECK(count == 2 && map->len == 2);
    OK(lw_pool_save_to(pool, &store, NULL));
    CHECK(map->len == 2);
    OK(lw_pool_restore_from(next, &store, &count));
    CHECK(count == 1 && status_of(next, "a").health == LW_HEALTH_UNHEALTHY);
    OK(lw_pool_restore_from(next, &store, NULL));

    /* Only its own callback may add, while it runs. */
    STATUS(LW_ERR_INVALID_HANDLE, lw_entries_add(map->seen, str("a"), str("{}")));
    STATUS(LW_ERR_INVALID_HANDLE, lw_entries_add((lw_entries *)(void *)map, str("a"), str("{}")));
    STATUS(LW_ERR_NULL_ARGUMENT, lw_entries_add(NULL, str("a"), str("{}")));

    map->fail = 7;
    STATUS(LW_ERR_STORE, lw_pool_save_to(pool, &store, &count));
    SAYS("put returned -1");
    STATUS(LW_ERR_STORE, lw_pool_restore_from(next, &store, &count));
    SAYS("list returned 7");
    map->fail = 0;
    strcpy(map->kept[0].state, "{\"health\": 7}");
    STATUS(LW_ERR_CONFIG, lw_pool_restore_from(next, &store, &count));
    SAYS("nodes.a");
    store.put = NULL;
    store.list = NULL;
    STATUS(LW_ERR_STORE, lw_pool_save_to(pool, &store, &count));
    STATUS(LW_ERR_STORE, lw_pool_restore_from(next, &store, &count));
    SAYS("no list");
    STATUS(LW_ERR_NULL_ARGUMENT, lw_pool_save_to(pool, NULL, &count));
    store.struct_size = 8;
    STATUS(LW_ERR_STRUCT_SIZE, lw_pool_restore_from(next, &store, &count));
    CHECK(count == 1);
    OK(lw_pool_free(pool));
    OK(lw_pool_free(next));
    free(map);
}

int main(void)
{
    RUN(what_was_learned_is_taken_up);
    RUN(a_file_keeps_it);
    RUN(a_store_of_the_hosts_own_keeps_it);
    return tests_failed != 0;
}
