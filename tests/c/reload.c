/* A host that loads the library, unloads it and loads it again, with threads that have used it: as nginx does its modules. */
#include "check.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdlib.h>

static const char *path;

static void use_and_close(void)
{
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    CHECK(library != NULL);
    if (!library)
        return;
    const char config[] = "{limits: {max_nodes: 1, max_picks: 64}, nodes: [a]}";
    lw_status (*pool_new)(const char *, size_t, lw_pool *);
    lw_status (*pool_pick)(lw_pool, const lw_request *, lw_pick *);
    lw_status (*pick_finish)(const lw_pick *, const lw_outcome *);
    lw_status (*pool_free)(lw_pool);
    *(void **)&pool_new = dlsym(library, "lw_pool_new");
    *(void **)&pool_pick = dlsym(library, "lw_pool_pick");
    *(void **)&pick_finish = dlsym(library, "lw_pick_finish");
    *(void **)&pool_free = dlsym(library, "lw_pool_free");
    lw_pool pool = 0;
    lw_pick pick = LW_PICK_INIT;
    lw_outcome success = outcome_of(LW_OUTCOME_SUCCESS);
    CHECK(pool_new(config, sizeof config - 1, &pool) == LW_OK);
    CHECK(pool_pick(pool, NULL, &pick) == LW_OK);
    CHECK(pick_finish(&pick, &success) == LW_OK);
    CHECK(pool_free(pool) == LW_OK);
    CHECK(dlclose(library) == 0);
}

static void *in_a_thread(void *unused)
{
    use_and_close();
    return unused;
}

/* The thread's own destructors of the library run after its dlclose. */
static void a_thread_may_end_after_the_library_was_closed(void)
{
    for (int i = 0; i < 20; i++) {
        pthread_t thread;
        CHECK(pthread_create(&thread, NULL, in_a_thread, NULL) == 0);
        pthread_join(thread, NULL);
    }
    use_and_close();
}

int main(void)
{
    path = getenv("LOADWISE_LIBRARY");
    if (!path) {
        puts("FAIL c/a_thread_may_end_after_the_library_was_closed: LOADWISE_LIBRARY is not set");
        return 1;
    }
    RUN(a_thread_may_end_after_the_library_was_closed);
    return tests_failed != 0;
}
