/* Files that are no state, or one of another version: an error, another file, or a private state, as configured. */
#include "peer.h"

#include <sys/stat.h>

static char text[1 << 16];

/* `shared` with this choice of what to do with a bad file. */
static const char *with(const char *path, const char *choice)
{
    static char config[512];
    snprintf(config, sizeof config, "{shared: {path: '%s', on_bad_segment: %s}, nodes: [a, b]}", path, choice);
    return config;
}

static void foreign(const char *path)
{
    FILE *file = fopen(path, "w");
    CHECK(file && fputs("some other program's notes", file) >= 0 && fclose(file) == 0);
}

static void empty(const char *path)
{
    FILE *file = fopen(path, "w");
    CHECK(file && fclose(file) == 0);
}

static void good(const char *path)
{
    OK(lw_pool_free(pool_of(with(path, "fail"))));
}

static void cut_off(const char *path)
{
    good(path);
    CHECK(truncate(path, 1000) == 0);
}

static void cut_off_in_its_pools(const char *path)
{
    struct stat file;
    good(path);
    CHECK(stat(path, &file) == 0 && truncate(path, file.st_size / 2) == 0);
}

/* Behind the eight bytes that say what it is stands its version. */
static void overwrite(const char *path, long at, uint64_t word)
{
    FILE *file = fopen(path, "r+");
    CHECK(file && fseek(file, at, SEEK_SET) == 0 && fwrite(&word, sizeof word, 1, file) == 1 && fclose(file) == 0);
}

static void of_another_version(const char *path)
{
    good(path);
    overwrite(path, 8, 7777);
}

static void damaged(const char *path)
{
    good(path);
    overwrite(path, 24, 3);
}

static const struct {
    void (*make)(const char *path);
    const char *says;
} BAD[] = {
    {foreign, "no shared state"},
    {empty, "no shared state"},
    {cut_off, "cut off"},
    {of_another_version, "another version of loadwise (layout 7777)"},
    {damaged, "damaged"},
};
enum { BAD_LEN = sizeof BAD / sizeof *BAD };

static ino_t file_at(const char *path)
{
    struct stat file = {0};
    CHECK(stat(path, &file) == 0);
    return file.st_ino;
}

static void bad_files_are_errors(void)
{
    for (size_t i = 0; i < BAD_LEN; i++) {
        const char *path = state_path();
        lw_engine engine = 42;
        lw_pool pool = 42;
        BAD[i].make(path);
        const ino_t before = file_at(path);
        const char *config = with(path, "fail");
        STATUS(LW_ERR_SHARED, lw_engine_from_config(config, strlen(config), &engine));
        SAYS(BAD[i].says);
        SAYS(path);
        STATUS(LW_ERR_SHARED, lw_pool_new(config, strlen(config), &pool));
        STATUS(LW_ERR_SHARED, lw_engine_attach(str(path), &engine));
        SAYS(BAD[i].says);
        STATUS(LW_ERR_SHARED, lw_engine_view(str(path), &engine));
        CHECK(engine == 42 && pool == 42 && file_at(path) == before);
        CHECK(unlink(path) == 0);
    }
}

static void bad_files_are_made_anew(void)
{
    for (size_t i = 0; i < BAD_LEN; i++) {
        const char *path = state_path();
        BAD[i].make(path);
        lw_engine engine = engine_of(with(path, "recreate"));
        lw_pool pool = pool_in(engine, "default");
        struct peer other = open_peer(with(path, "fail"));
        CHECK(strlen(ask(&other, "pick 2")) == 3);
        CHECK(in_flight(pool) == 2);
        OK(lw_engine_private_because(engine, text, sizeof text, NULL));
        CHECK(!strcmp(text, ""));
        CHECK(ended(&other));
        OK(lw_pool_free(pool));
        OK(lw_engine_free(engine));
        CHECK(unlink(path) == 0);
    }
}

static void a_process_goes_on_alone(void)
{
    for (size_t i = 0; i < BAD_LEN; i++) {
        const char *path = state_path();
        lw_process_status process = LW_PROCESS_STATUS_INIT;
        size_t len = 9;
        BAD[i].make(path);
        const ino_t before = file_at(path);
        lw_engine engine = engine_of(with(path, "private"));
        lw_pool pool = pool_in(engine, "default");
        lw_pick pick = pick_at(pool, 0);
        CHECK(in_flight(pool) == 1);
        finish_at(&pick, LW_OUTCOME_SUCCESS, 0);
        OK(lw_engine_private_because(engine, NULL, 0, &len));
        OK(lw_engine_private_because(engine, text, sizeof text, NULL));
        CHECK(len == strlen(text));
        HAS(text, BAD[i].says);
        OK(lw_engine_shared_path(engine, text, sizeof text, &len));
        CHECK(len == 0);
        OK(lw_engine_processes(engine, &process, 1, &len));
        CHECK(len == 0 && file_at(path) == before);
        OK(lw_pool_free(pool));
        OK(lw_engine_free(engine));
        CHECK(unlink(path) == 0);
    }
}

/* Its head is as it should be: what is missing is found where it is needed, and nobody dies of it. */
static void a_file_that_lost_its_end_is_an_error(void)
{
    const char *path = state_path();
    lw_engine engine = 42;
    cut_off_in_its_pools(path);
    const char *config = with(path, "fail");
    STATUS(LW_ERR_SHARED, lw_engine_from_config(config, strlen(config), &engine));
    SAYS("cut off");
    STATUS(LW_ERR_SHARED, lw_engine_attach(str(path), &engine));
    CHECK(engine == 42);
    CHECK(unlink(path) == 0);
}

static void what_no_file_can_be(void)
{
    const char *wrong[] = {"/", "/dev/null", "/nowhere/at/all", "/proc/self/mem"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        lw_engine engine = 42;
        const char *config = with(wrong[i], "fail");
        STATUS(LW_ERR_SHARED, lw_engine_from_config(config, strlen(config), &engine));
        STATUS(LW_ERR_SHARED, lw_engine_attach(str(wrong[i]), &engine));
        STATUS(LW_ERR_SHARED, lw_engine_view(str(wrong[i]), &engine));
        CHECK(engine == 42);
    }
}

/* Whoever may not write it can look at it. Root may write all: a child becomes somebody else. */
static void a_file_that_cannot_be_written_can_be_looked_at(void)
{
    const char *path = state_path();
    const char *choices[] = {"fail", "recreate", "private"};
    int status = -1;
    good(path);
    CHECK(chmod(path, 0444) == 0);
    const ino_t before = file_at(path);
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        lw_engine engine = 42;
        failures = 0;
        CHECK(getuid() != 0 || setuid(65534) == 0);
        /* It is no bad file, so nobody replaces it or goes on alone. */
        for (size_t i = 0; i < 3; i++) {
            const char *config = with(path, choices[i]);
            STATUS(LW_ERR_SHARED, lw_engine_from_config(config, strlen(config), &engine));
            SAYS("Permission denied");
            SAYS(path);
        }
        STATUS(LW_ERR_SHARED, lw_engine_attach(str(path), &engine));
        CHECK(engine == 42);
        OK(lw_engine_view(str(path), &engine));
        lw_pool pool = pool_in(engine, "default");
        CHECK(in_flight(pool) == 0 && status_of(pool, "b").weight == 1);
        STATUS(LW_ERR_READ_ONLY, lw_pool_set_weight(pool, str("b"), 2));
        OK(lw_pool_free(pool));
        OK(lw_engine_free(engine));
        fflush(stdout);
        _exit(failures != 0);
    }
    CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0);
    CHECK(file_at(path) == before);
    CHECK(unlink(path) == 0);
}

static void other_bounds_are_told(void)
{
    const char *path = state_path();
    char config[256];
    lw_engine engine = 42;
    good(path);
    snprintf(config, sizeof config, "{shared: {path: '%s', max_processes: 9}, nodes: [a]}", path);
    STATUS(LW_ERR_CONFIG, lw_engine_from_config(config, strlen(config), &engine));
    SAYS("shared.max_processes");
    snprintf(config, sizeof config, "{shared: '%s', nodes: [a], limits: {max_nodes: 9}}", path);
    STATUS(LW_ERR_CONFIG, lw_engine_from_config(config, strlen(config), &engine));
    SAYS("limits.max_nodes");
    CHECK(engine == 42);
    CHECK(unlink(path) == 0);
}

int main(int argc, char **argv)
{
    if (argc > 1 && !strcmp(argv[1], "peer"))
        return be_told();
    alarm(300);
    RUN(bad_files_are_errors);
    RUN(bad_files_are_made_anew);
    RUN(a_process_goes_on_alone);
    RUN(a_file_that_lost_its_end_is_an_error);
    RUN(what_no_file_can_be);
    RUN(a_file_that_cannot_be_written_can_be_looked_at);
    RUN(other_bounds_are_told);
    return tests_failed != 0;
}
