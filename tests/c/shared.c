/* One state for all processes that open the same file: what one does, the others see. */
#include "peer.h"

#include <errno.h>

static char text[1 << 18];

static lw_engine attach_to(const char *path)
{
    lw_engine engine = 0;
    OK(lw_engine_attach(str(path), &engine));
    return engine;
}

static void processes_see_the_same(void)
{
    const char *path = state_path();
    const char *config = shared(path, "strategy: least_request, nodes: [a, b, c]");
    struct peer one = open_peer(config), other = open_peer(config);
    lw_engine engine = attach_to(path);
    lw_pool pool = pool_in(engine, "default");
    /* Three nodes and three picks: each goes where nobody is, whoever makes it. */
    char nodes[3] = {ask(&one, "pick 1")[0], ask(&other, "pick 1")[0], ask(&one, "pick 1")[0]};
    CHECK(nodes[0] != nodes[1] && nodes[1] != nodes[2] && nodes[0] != nodes[2]);
    for (const char *id = "a\0b\0c\0"; *id; id += 2)
        CHECK(status_of(pool, id).in_flight == 1);
    for (int i = 0; i < 3; i++)
        ANSWERS("LW_OK", &one, "fail b");
    CHECK(status_of(pool, "b").health == LW_HEALTH_UNHEALTHY);
    CHECK(!strchr(ask(&other, "pick 20"), 'b'));
    ANSWERS("LW_OK", &one, "weigh a 0");
    ANSWERS("c c c c", &other, "pick 4");
    OK(lw_pool_set_health(pool, str("b"), LW_HEALTH_HEALTHY, 0, NULL));
    OK(lw_pool_set_weight(pool, str("c"), 0));
    ANSWERS("b b b b", &other, "pick 4");
    ANSWERS("2", &one, "finish 99");
    ANSWERS("29", &other, "finish 99");
    CHECK(in_flight(pool) == 0);
    CHECK(ended(&one) && ended(&other));
    OK(lw_pool_free(pool));
    OK(lw_engine_free(engine));
    CHECK(unlink(path) == 0);
}

static void a_ticket_is_of_its_process(void)
{
    const char *path = state_path();
    const char *config = shared(path, "nodes: [a]");
    struct peer one = open_peer(config), other = open_peer(config);
    ANSWERS("a", &one, "pick 1");
    char ticket[32];
    snprintf(ticket, sizeof ticket, "%s", ask(&one, "ticket"));
    ANSWERS("LW_ERR_STALE_TICKET", &other, "release %s", ticket);
    ANSWERS("1", &other, "in_flight");
    ANSWERS("LW_OK", &one, "release %s", ticket);
    ANSWERS("LW_ERR_STALE_TICKET", &one, "release %s", ticket);
    ANSWERS("0", &other, "in_flight");
    CHECK(ended(&one) && ended(&other));
    CHECK(unlink(path) == 0);
}

static void attaching_changes_nothing_and_tells_what_differs(void)
{
    const char *path = state_path();
    struct peer one = open_peer(shared(path, "strategy: p2c, nodes: [a, {id: b, weight: 2}]"));
    lw_engine engine = engine_of(shared(path, "strategy: maglev, nodes: [a, b], health: {failure_threshold: 9}"));
    lw_pool pool = pool_in(engine, "default"), again = pool_of(shared(path, "nodes: [a, {id: b, weight: 2}]"));
    size_t len = 0;
    OK(lw_engine_differences(engine, NULL, 0, &len));
    OK(lw_engine_differences(engine, text, sizeof text, NULL));
    CHECK(len == strlen(text));
    HAS(text, "\"pool\": \"default\"");
    HAS(text, "\"key\": \"nodes.b.weight\",\n    \"configured\": 1,\n    \"in_force\": 2");
    HAS(text, "\"key\": \"health.failure_threshold\",\n    \"configured\": 9,\n    \"in_force\": 3");
    HAS(text, "\"name\": \"maglev\"");
    OK(lw_pool_differences(pool, text, sizeof text, NULL));
    HAS(text, "\"key\": \"strategy\"");
    OK(lw_pool_differences(again, text, sizeof text, NULL));
    CHECK(!strcmp(text, "[]"));
    OK(lw_pool_strategy(pool, text, sizeof text, NULL));
    CHECK(!strcmp(text, "p2c") && status_of(pool, "b").weight == 2);
    OK(lw_engine_shared_path(engine, text, sizeof text, NULL));
    CHECK(!strcmp(text, path));
    OK(lw_pool_shared_path(again, text, sizeof text, &len));
    CHECK(!strcmp(text, path) && len == strlen(path));
    OK(lw_engine_private_because(engine, text, sizeof text, &len));
    CHECK(len == 0);

    /* A reload is for all. */
    ANSWERS("LW_OK", &one, "reload {nodes: [a, b, c], strategy: maglev}");
    OK(lw_pool_strategy(pool, text, sizeof text, NULL));
    CHECK(!strcmp(text, "maglev"));
    OK(lw_pool_len(again, &len));
    CHECK(len == 3);
    CHECK(ended(&one));
    OK(lw_pool_free(pool));
    OK(lw_pool_free(again));
    OK(lw_engine_free(engine));
    CHECK(unlink(path) == 0);
}

static void workers_with_one_configuration_reload_once(void)
{
    const char *path = state_path();
    const char *before = shared(path, "nodes: [a, b]"), *after = shared(path, "nodes: [a, b, c]");
    struct peer workers[3] = {open_peer(before), open_peer(before), open_peer(before)};
    lw_reloaded done = LW_RELOADED_INIT;
    uint32_t was_new = 9;
    ANSWERS("LW_OK 1", &workers[0], "if_new %s", after);
    ANSWERS("LW_OK 0", &workers[1], "if_new %s", after);
    ANSWERS("LW_OK", &workers[1], "weigh c 5");
    ANSWERS("LW_OK 0", &workers[2], "if_new %s", after);
    lw_engine engine = engine_of(after);
    lw_pool pool = pool_in(engine, "default");
    OK(lw_engine_reload_from_if_new(engine, after, strlen(after), &done));
    CHECK(done.changed == 0 && status_of(pool, "c").weight == 5);
    OK(lw_pool_reload_if_new(pool, after, strlen(after), &was_new));
    CHECK(was_new == 0 && status_of(pool, "c").weight == 5);
    OK(lw_pool_reload_if_new(pool, before, strlen(before), &was_new));
    CHECK(was_new == 1);
    STATUS(LW_ERR_UNKNOWN_NODE, lw_pool_set_weight(pool, str("c"), 1));
    STATUS(LW_ERR_CONFIG, lw_pool_reload_if_new(pool, "{nodes: [a, a]}", 15, &was_new));
    STATUS(LW_ERR_CONFIG, lw_engine_reload_if_new(engine, &done));
    SAYS("file");
    for (int i = 0; i < 3; i++)
        CHECK(ended(&workers[i]));
    OK(lw_pool_free(pool));
    OK(lw_engine_free(engine));
    CHECK(unlink(path) == 0);
}

static void files_are_put_in_force_by_the_first(void)
{
    const char *path = state_path();
    char file[] = "/tmp/loadwise-shared-XXXXXX";
    lw_reloaded done = LW_RELOADED_INIT;
    lw_engine first = 0, second = 0;
    int descriptor = mkstemp(file);
    CHECK(descriptor >= 0 && dprintf(descriptor, "%s", shared(path, "nodes: [a]")) > 0);
    OK(lw_engine_open(str(file), &first));
    OK(lw_engine_open(str(file), &second));
    OK(lw_engine_reload_if_new(first, &done));
    CHECK(done.changed == 0);
    CHECK(ftruncate(descriptor, 0) == 0 && lseek(descriptor, 0, SEEK_SET) == 0 &&
          dprintf(descriptor, "%s", shared(path, "nodes: [b]")) > 0 && close(descriptor) == 0);
    OK(lw_engine_reload_if_new(first, &done));
    CHECK(done.changed == 1);
    OK(lw_engine_reload_if_new(second, &done));
    CHECK(done.changed == 0);
    OK(lw_engine_free(first));
    OK(lw_engine_free(second));
    CHECK(unlink(file) == 0 && unlink(path) == 0);
}

static void a_pool_is_taken_out_for_all(void)
{
    const char *path = state_path();
    char config[256];
    uint32_t removed = 9;
    size_t len = 0;
    lw_pick pick = LW_PICK_INIT;
    lw_engine first = 0, second = 0;
    lw_pool mail = 0;
    snprintf(config, sizeof config, "{shared: %s, pools: {api: {nodes: [a]}, mail: {nodes: [b]}}}", path);
    OK(lw_engine_from_config(config, strlen(config), &first));
    OK(lw_engine_from_config(config, strlen(config), &second));
    OK(lw_engine_pool(second, str("mail"), &mail));
    OK(lw_pool_pick(mail, NULL, &pick));
    STATUS(LW_ERR_INVALID_UTF8, lw_engine_remove(first, str("\xff"), &removed));
    STATUS(LW_ERR_INVALID_ARGUMENT, lw_engine_remove(first, str("mail"), (uint32_t *)(uintptr_t)7));
    OK(lw_engine_remove(first, str("nobody"), &removed));
    CHECK(removed == 0);
    OK(lw_engine_remove(first, str("mail"), &removed));
    CHECK(removed == 1);
    OK(lw_engine_len(second, &len));
    CHECK(len == 1);
    OK(lw_engine_remove(second, str("mail"), NULL));
    STATUS(LW_ERR_CONFIG, lw_engine_pool(second, str("mail"), &mail));
    /* Who holds it goes on with it. */
    finish_at(&pick, LW_OUTCOME_SUCCESS, 0);
    OK(lw_pool_free(mail));
    OK(lw_engine_free(first));
    OK(lw_engine_free(second));
    CHECK(unlink(path) == 0);
}

static void a_process_sees_the_others(void)
{
    const char *path = state_path();
    const char *config = shared(path, "strategy: round_robin, lease_timeout_ms: 60000, nodes: [a, b]");
    char own[64];
    lw_process_status processes[8] = {LW_PROCESS_STATUS_INIT};
    size_t len = 0;
    const uint64_t before = lw_now_ns();
    lw_engine engine = engine_of(config);
    lw_pool pool = pool_in(engine, "default");
    struct peer one = open_peer(config);
    ask(&one, "pick 3");
    lw_pick pick = pick_at(pool, 0);
    OK(lw_engine_processes(engine, NULL, 0, &len));
    CHECK(len == 2);
    STATUS(LW_ERR_BUFFER_TOO_SMALL, lw_engine_processes(engine, processes, 1, &len));
    CHECK(len == 2);
    OK(lw_engine_processes(engine, processes, 8, &len));
    for (size_t i = 0; i < len; i++) {
        const lw_process_status *process = &processes[i];
        const int is_own = process->pid == (uint32_t)getpid();
        CHECK(process->struct_size == sizeof *process && process->row == i);
        CHECK(is_own || process->pid == (uint32_t)one.pid);
        CHECK(process->flags == (LW_PROCESS_ALIVE | LW_PROCESS_IN_NAMESPACE | (is_own ? LW_PROCESS_OWN : 0)));
        CHECK(process->in_flight == (is_own ? 1 : 3));
        CHECK(process->since_ns >= before && process->since_ns <= lw_now_ns());
        if (!is_own)
            CHECK(!strncmp(process->command, program_invocation_short_name, 15));
    }
    /* Of which node how many are whose. */
    OK(lw_pool_stats(pool, 0, text, sizeof text, NULL));
    HAS(text, "\"in_flight\": 4");
    HAS(text, "\"processes\": 2");
    snprintf(own, sizeof own, "\"%d\": ", (int)one.pid);
    HAS(text, own);

    /* The oldest picks of all. */
    OK(lw_pool_open_picks(pool, 3, 0, text, sizeof text, &len));
    CHECK(len == strlen(text) && text[0] == '[');
    snprintf(own, sizeof own, "\"pid\": %d", (int)one.pid);
    HAS(text, own);
    HAS(text, "\"age_ms\": ");
    snprintf(own, sizeof own, "\"ticket\": %" PRIu64, pick.ticket);
    CHECK(!strstr(text, own));
    OK(lw_pool_open_picks(pool, 4, 0, text, sizeof text, NULL));
    HAS(text, own);
    finish_at(&pick, LW_OUTCOME_SUCCESS, 0);
    CHECK(ended(&one));
    OK(lw_pool_processes(pool, processes, 8, &len));
    CHECK(len == 1 && processes[0].flags & LW_PROCESS_OWN);
    processes[0].struct_size = 8;
    STATUS(LW_ERR_STRUCT_SIZE, lw_pool_processes(pool, processes, 8, &len));
    STATUS(LW_ERR_NULL_ARGUMENT, lw_engine_processes(engine, processes, 8, NULL));
    OK(lw_pool_free(pool));
    OK(lw_engine_free(engine));
    CHECK(unlink(path) == 0);
}

static void what_the_killed_held_is_given_back(void)
{
    const char *path = state_path();
    const char *config = shared(path, "nodes: [a, b, {id: c, max_in_flight: 3}]");
    lw_pool pool = pool_of(config);
    lw_pick pick = pick_at(pool, 0);
    struct peer killed[3] = {open_peer(config), open_peer(config), open_peer(config)};
    for (int i = 0; i < 3; i++)
        ask(&killed[i], "pick 50");
    ANSWERS("spinning", &killed[1], "spin");
    CHECK(status_of(pool, "c").in_flight == 3);
    /* Zombies are as dead as those that were waited for. */
    for (int i = 0; i < 3; i++)
        kill_peer(&killed[i]);
    CHECK(settles_at(pool, 1));
    CHECK(status_of(pool, id_of(&pick)).in_flight == 1);
    for (int i = 0; i < 3; i++)
        CHECK(!ended(&killed[i]));
    finish_at(&pick, LW_OUTCOME_SUCCESS, 0);
    CHECK(in_flight(pool) == 0);
    OK(lw_pool_free(pool));
    CHECK(unlink(path) == 0);
}

/* Stopped at whatever it does, a process holds nothing that others wait for. */
static void a_stopped_process_holds_up_nobody(void)
{
    const char *path = state_path();
    const char *config = shared(path, "strategy: p2c, max_in_flight: 10000, nodes: [a, b, c]");
    lw_pool pool = pool_of(config);
    struct peer hot = open_peer(config);
    ANSWERS("spinning", &hot, "spin");
    for (int i = 0; i < 30; i++) {
        const struct timespec while_it_is_at_it = {0, 100000 + i * 7919 % 900000};
        nanosleep(&while_it_is_at_it, NULL);
        CHECK(kill(hot.pid, SIGSTOP) == 0);
        for (int n = 0; n < 500; n++) {
            lw_pick pick = pick_at(pool, 0);
            finish_at(&pick, LW_OUTCOME_SUCCESS, 0);
        }
        OK(lw_pool_set_weight(pool, str("a"), (uint32_t)i % 3 + 1));
        OK(lw_pool_maintain(pool, 0, NULL));
        CHECK(kill(hot.pid, SIGCONT) == 0);
    }
    kill_peer(&hot);
    CHECK(settles_at(pool, 0));
    CHECK(!ended(&hot));
    OK(lw_pool_free(pool));
    CHECK(unlink(path) == 0);
}

static void there_is_room_for_so_many_processes(void)
{
    const char *path = state_path();
    char config[256];
    lw_engine none = 42;
    lw_pool no_pool = 42;
    snprintf(config, sizeof config, "{shared: {path: '%s', max_processes: 2}, nodes: [a]}", path);
    struct peer one = open_peer(config), other = open_peer(config), third = start_peer();
    HAS(ask(&third, "open %s", config), "LW_ERR_TOO_MANY_PROCESSES more processes");
    STATUS(LW_ERR_TOO_MANY_PROCESSES, lw_engine_from_config(config, strlen(config), &none));
    STATUS(LW_ERR_TOO_MANY_PROCESSES, lw_engine_attach(str(path), &none));
    STATUS(LW_ERR_TOO_MANY_PROCESSES, lw_pool_new(config, strlen(config), &no_pool));
    CHECK(none == 42 && no_pool == 42);
    /* To look needs no room. */
    OK(lw_engine_view(str(path), &none));
    OK(lw_engine_free(none));
    CHECK(ended(&one));
    ANSWERS("LW_OK", &third, "open %s", config);
    /* So does one that was killed make room. */
    kill_peer(&other);
    CHECK(!ended(&other));
    lw_pool pool = pool_of(config);
    CHECK(in_flight(pool) == 0);
    OK(lw_pool_free(pool));
    CHECK(ended(&third));
    CHECK(unlink(path) == 0);
}

static void who_looks_changes_nothing(void)
{
    const char *path = state_path();
    struct peer one = open_peer(shared(path, "nodes: [{id: a, weight: 7}, b]"));
    lw_engine engine = 0;
    lw_node_spec spec = LW_NODE_SPEC_INIT;
    lw_node_status status = LW_NODE_STATUS_INIT;
    lw_pick pick = LW_PICK_INIT;
    lw_outcome failure = outcome_of(LW_OUTCOME_FAILURE);
    lw_process_status processes[4] = {LW_PROCESS_STATUS_INIT};
    size_t len = 0;
    OK(lw_engine_view(str(path), &engine));
    lw_pool pool = pool_in(engine, "default");
    ask(&one, "pick 2");
    CHECK(in_flight(pool) == 2 && status_of(pool, "a").weight == 7);
    OK(lw_pool_explain(pool, NULL, text, sizeof text, NULL));
    HAS(text, "\"chosen\": {");
    OK(lw_pool_open_picks(pool, 10, 0, text, sizeof text, NULL));
    HAS(text, "\"node\": \"");
    OK(lw_engine_config(engine, text, sizeof text, NULL));
    HAS(text, "\"weight\": 7");
    OK(lw_engine_processes(engine, processes, 4, &len));
    CHECK(len == 1 && processes[0].in_flight == 2 && !(processes[0].flags & LW_PROCESS_OWN));

    spec.id = str("a");
    STATUS(LW_ERR_READ_ONLY, lw_pool_set_nodes(pool, &spec, 1));
    STATUS(LW_ERR_READ_ONLY, lw_pool_update(pool, &spec));
    STATUS(LW_ERR_READ_ONLY, lw_pool_deregister(pool, str("a")));
    STATUS(LW_ERR_READ_ONLY, lw_pool_set_weight(pool, str("a"), 1));
    STATUS(LW_ERR_READ_ONLY, lw_pool_drain(pool, str("a"), 1));
    STATUS(LW_ERR_READ_ONLY, lw_pool_set_health(pool, str("a"), LW_HEALTH_UNHEALTHY, 0, NULL));
    STATUS(LW_ERR_READ_ONLY, lw_pool_set_strategy(pool, str("random")));
    STATUS(LW_ERR_READ_ONLY, lw_pool_report(pool, str("a"), &failure, NULL));
    STATUS(LW_ERR_READ_ONLY, lw_pool_reload(pool, "{}", 2));
    STATUS(LW_ERR_READ_ONLY, lw_pool_reload_if_new(pool, "{}", 2, NULL));
    STATUS(LW_ERR_READ_ONLY, lw_engine_reload_from(engine, "{}", 2, NULL));
    STATUS(LW_ERR_READ_ONLY, lw_engine_remove(engine, str("default"), NULL));
    spec.id = str("c");
    STATUS(LW_ERR_READ_ONLY, lw_pool_register(pool, &spec, NULL));
    SAYS("look");
    CHECK(lw_pool_pick(pool, NULL, &pick) != LW_OK && pick.ticket == 0);
    OK(lw_engine_maintain(engine, 0, NULL));
    /* It goes on seeing what happens. */
    ANSWERS("LW_OK", &one, "weigh a 3");
    OK(lw_pool_node_status(pool, str("a"), 0, &status));
    CHECK(status.weight == 3 && status.health == LW_HEALTH_HEALTHY);
    ANSWERS("LW_OK", &one, "reload {nodes: [x]}");
    STATUS(LW_ERR_UNKNOWN_NODE, lw_pool_node_status(pool, str("a"), 0, &status));
    CHECK(ended(&one));
    OK(lw_engine_processes(engine, processes, 4, &len));
    CHECK(len == 0);
    OK(lw_pool_free(pool));
    OK(lw_engine_free(engine));
    CHECK(unlink(path) == 0);
}

static void count(void *user_data)
{
    ++*(int *)user_data;
}

static int64_t choose_first(const lw_candidate *const *candidates, size_t len, lw_str key, void *user_data)
{
    (void)candidates;
    (void)key;
    (void)user_data;
    return len ? 0 : LW_CHOOSE_NOBODY;
}

static void pools_that_others_take_out_are_let_go(void)
{
    const char *path = state_path();
    struct peer one = open_peer(shared(path, "pools: {shop: {nodes: [a]}, mail: {nodes: [b]}}"));
    lw_engine engine = attach_to(path);
    lw_pool mail = pool_in(engine, "mail"), none = 42;
    int dropped = 0;
    size_t len = 0;
    OK(lw_pool_set_own_strategy(mail, choose_first, &dropped, count, str("")));
    ANSWERS("LW_OK", &one, "reload {pools: {shop: {nodes: [a]}, more: {nodes: [x]}}}");
    OK(lw_engine_len(engine, &len));
    CHECK(len == 2);
    STATUS(LW_ERR_CONFIG, lw_engine_pool(engine, str("mail"), &none));
    /* Whoever has it goes on with it. */
    lw_pick pick = pick_at(mail, 0);
    finish_at(&pick, LW_OUTCOME_SUCCESS, 0);
    OK(lw_pool_free(mail));
    CHECK(dropped == 0);
    OK(lw_engine_maintain(engine, 0, NULL));
    CHECK(dropped == 1);
    OK(lw_pool_free(pool_in(engine, "more")));
    CHECK(ended(&one));
    OK(lw_engine_free(engine));
    CHECK(unlink(path) == 0);
}

static void what_is_in_force_can_be_put_in_force(void)
{
    const char *path = state_path();
    lw_engine engine = engine_of(shared(path, "nodes: [a, {id: b, weight: 2}], strategy: maglev"));
    lw_pool pool = pool_in(engine, "default"), private_pool = 0;
    size_t len = 0;
    uint32_t was_new = 9;
    OK(lw_pool_config(pool, text, sizeof text, &len));
    HAS(text, "\"version\": 1");
    OK(lw_pool_reload_if_new(pool, text, len, &was_new));
    CHECK(was_new == 0);
    OK(lw_pool_reload(pool, text, len));
    OK(lw_pool_new(text, len, &private_pool));
    OK(lw_pool_shared_path(private_pool, text, sizeof text, &len));
    CHECK(len == 0);
    CHECK(status_of(private_pool, "b").weight == 2);
    OK(lw_pool_free(private_pool));
    /* That of an engine says where its state is. */
    OK(lw_engine_config(engine, text, sizeof text, &len));
    OK(lw_engine_reload_from(engine, text, len, NULL));
    lw_engine again = engine_of(text);
    OK(lw_engine_differences(again, text, sizeof text, NULL));
    CHECK(!strcmp(text, "[]"));
    OK(lw_engine_shared_path(again, text, sizeof text, NULL));
    CHECK(!strcmp(text, path));
    OK(lw_engine_free(again));
    OK(lw_engine_free(engine));
    OK(lw_pool_free(pool));
    CHECK(unlink(path) == 0);
}

static void a_private_state_has_nobody_else(void)
{
    lw_engine engine = engine_of("{nodes: [a]}");
    lw_pool pool = pool_in(engine, "default");
    lw_process_status process = LW_PROCESS_STATUS_INIT;
    size_t len = 9;
    OK(lw_engine_processes(engine, &process, 1, &len));
    CHECK(len == 0);
    OK(lw_engine_shared_path(engine, text, sizeof text, &len));
    CHECK(len == 0 && text[0] == '\0');
    OK(lw_engine_differences(engine, text, sizeof text, NULL));
    CHECK(!strcmp(text, "[]"));
    lw_pick pick = pick_at(pool, 0);
    OK(lw_pool_open_picks(pool, 10, 0, text, sizeof text, NULL));
    HAS(text, "\"started_ns\": null");
    OK(lw_pool_open_picks(pool, 0, 0, text, sizeof text, NULL));
    CHECK(!strcmp(text, "[]"));
    finish_at(&pick, LW_OUTCOME_SUCCESS, 0);
    OK(lw_pool_free(pool));
    OK(lw_engine_free(engine));
}

static void shared_states_used_wrongly(void)
{
    const char *path = state_path();
    lw_engine none = 42;
    lw_str bad = str("\xff");
    lw_pool pool = pool_of("nodes: [a]");
    STATUS(LW_ERR_SHARED, lw_engine_attach(str(path), &none));
    SAYS(path);
    STATUS(LW_ERR_SHARED, lw_engine_view(str(path), &none));
    CHECK(access(path, F_OK) != 0);
    STATUS(LW_ERR_SHARED, lw_engine_attach(str("/nowhere/at/all"), &none));
    STATUS(LW_ERR_CONFIG, lw_engine_attach(str(""), &none));
    STATUS(LW_ERR_INVALID_UTF8, lw_engine_attach(bad, &none));
    STATUS(LW_ERR_INVALID_UTF8, lw_engine_view(bad, &none));
    STATUS(LW_ERR_NULL_ARGUMENT, lw_engine_attach(str(path), NULL));
    STATUS(LW_ERR_NULL_ARGUMENT, lw_engine_view(str(path), NULL));
    STATUS(LW_ERR_SHARED, lw_engine_from_config("{shared: /nowhere/at/all}", 25, &none));
    SAYS("/nowhere/at/all");
    CHECK(none == 42);
    const lw_engine wrong[] = {0, pool, UINT64_MAX};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        size_t len;
        lw_process_status process = LW_PROCESS_STATUS_INIT;
        STATUS(LW_ERR_INVALID_HANDLE, lw_engine_differences(wrong[i], text, sizeof text, NULL));
        STATUS(LW_ERR_INVALID_HANDLE, lw_engine_shared_path(wrong[i], text, sizeof text, NULL));
        STATUS(LW_ERR_INVALID_HANDLE, lw_engine_private_because(wrong[i], text, sizeof text, NULL));
        STATUS(LW_ERR_INVALID_HANDLE, lw_engine_processes(wrong[i], &process, 1, &len));
        STATUS(LW_ERR_INVALID_HANDLE, lw_engine_reload_if_new(wrong[i], NULL));
        STATUS(LW_ERR_INVALID_HANDLE, lw_engine_reload_from_if_new(wrong[i], "{}", 2, NULL));
        STATUS(LW_ERR_INVALID_HANDLE, lw_engine_remove(wrong[i], str("default"), NULL));
    }
    OK(lw_pool_free(pool));
}

int main(int argc, char **argv)
{
    if (argc > 1 && !strcmp(argv[1], "peer"))
        return be_told();
    alarm(300);
    RUN(processes_see_the_same);
    RUN(a_ticket_is_of_its_process);
    RUN(attaching_changes_nothing_and_tells_what_differs);
    RUN(workers_with_one_configuration_reload_once);
    RUN(files_are_put_in_force_by_the_first);
    RUN(a_pool_is_taken_out_for_all);
    RUN(a_process_sees_the_others);
    RUN(what_the_killed_held_is_given_back);
    RUN(a_stopped_process_holds_up_nobody);
    RUN(there_is_room_for_so_many_processes);
    RUN(who_looks_changes_nothing);
    RUN(pools_that_others_take_out_are_let_go);
    RUN(what_is_in_force_can_be_put_in_force);
    RUN(a_private_state_has_nobody_else);
    RUN(shared_states_used_wrongly);
    return tests_failed != 0;
}
