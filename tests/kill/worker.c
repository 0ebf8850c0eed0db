/* A worker that is always in the midst of picking or finishing: `worker PATH POOL` attaches to the state at PATH and goes
   round on the pool of that name, eight picks open at a time at most. It writes `ready` once it runs.

   pause   stops; one line {"held": open picks, "picks": all that found a node, "errors": picks and finishes that failed,
           "repeats": picks that needed more than one try}; then waits for
   go      goes on
   quit    finishes all, and ends; so does the end of its input */
#include <inttypes.h>
#include <loadwise.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { HELD = 8, LOOK_EVERY = 1024, PROCESSES = 255 };

static lw_pool pool;
/* A ring: the oldest is at `picks - held`. */
static lw_pick open_picks[HELD];
static uint64_t picks, held, finished, errors;

static void pick_one(void)
{
    lw_pick pick = LW_PICK_INIT;
    if (lw_pool_pick(pool, NULL, &pick) != LW_OK) {
        errors++;
        return;
    }
    open_picks[picks++ % HELD] = pick;
    held++;
}

static void finish_oldest(void)
{
    lw_outcome outcome = LW_OUTCOME_INIT;
    outcome.kind = ++finished % 13 == 0 ? LW_OUTCOME_CANCELLED
                   : finished % 7 == 0  ? LW_OUTCOME_FAILURE
                                        : LW_OUTCOME_SUCCESS;
    errors += lw_pick_finish(&open_picks[(picks - held) % HELD], &outcome) != LW_OK;
    held--;
}

static void work(void)
{
    for (int i = 0; i < LOOK_EVERY; i++)
        if (held == HELD)
            finish_oldest();
        else
            pick_one();
}

/* Of this process's picks. */
static uint64_t repeats(void)
{
    static lw_process_status processes[PROCESSES] = {LW_PROCESS_STATUS_INIT};
    size_t len = 0;
    if (lw_pool_processes(pool, processes, PROCESSES, &len) == LW_OK)
        for (size_t i = 0; i < len; i++)
            if (processes[i].flags & LW_PROCESS_OWN)
                return processes[i].repeats;
    errors++;
    return 0;
}

static void tell(void)
{
    const uint64_t repeated = repeats();
    printf("{\"held\": %" PRIu64 ", \"picks\": %" PRIu64 ", \"errors\": %" PRIu64 ", \"repeats\": %" PRIu64 "}\n", held, picks,
           errors, repeated);
    fflush(stdout);
}

/* The next line of the input, without its end; NULL at the end of the input. */
static const char *next_line(void)
{
    static char line[64];
    size_t len = 0;
    char c;
    ssize_t got;
    while ((got = read(STDIN_FILENO, &c, 1)) == 1 && c != '\n')
        if (len + 1 < sizeof line)
            line[len++] = c;
    line[len] = '\0';
    return got == 1 ? line : NULL;
}

static int has_input(void)
{
    struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
    return poll(&input, 1, 0) > 0;
}

/* Does what a line says, and after `pause` what comes then; whether to go on. */
static int follow(const char *line)
{
    while (line && strcmp(line, "pause") == 0) {
        tell();
        line = next_line();
    }
    return line && strcmp(line, "go") == 0;
}

static int failed(const char *what)
{
    char message[1024] = "";
    lw_last_error(message, sizeof message, NULL);
    fprintf(stderr, "%s: %s\n", what, message);
    return 1;
}

int main(int argc, char **argv)
{
    lw_engine engine;
    if (argc != 3) {
        fprintf(stderr, "worker PATH POOL\n");
        return 2;
    }
    if (lw_engine_attach((lw_str){argv[1], strlen(argv[1])}, &engine) != LW_OK)
        return failed(argv[1]);
    if (lw_engine_pool(engine, (lw_str){argv[2], strlen(argv[2])}, &pool) != LW_OK)
        return failed(argv[2]);
    work();
    puts("ready");
    fflush(stdout);
    while (!has_input() || follow(next_line()))
        work();
    while (held > 0)
        finish_oldest();
    return lw_pool_free(pool) != LW_OK || lw_engine_free(engine) != LW_OK;
}
