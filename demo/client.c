/* An HTTP client that chooses its server itself: threads with keep-alive connections, and loadwise decides which server
 * is asked. A request whose server breaks before the first byte of an answer goes to another server.
 *
 *     client POOL.json RATE SECONDS        the configuration of a pool of IPv4 addresses with ports
 *
 * Sends RATE requests a second, however long the answers take, and prints a line for each:
 *
 *     ok MS NODE ATTEMPTS     answered; MS counts from the moment the request was due
 *     left                    the caller gave up early, as one in a hundred does on purpose
 *     failed WHY
 *
 * and at the end, when all requests are done, what this process still has in flight of a shared state: in_flight N.
 * With a single server it is a load generator for a gateway, and ATTEMPTS are the gateway's; a line `broken` tells of a
 * connection that broke under a request, which then takes another one. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <loadwise.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
    SERVERS_MAX = 16,
    PROCESSES_MAX = 64,
    THREADS = 128,
    ATTEMPTS = 3,
    TIMEOUT_MS = 30000,
    PATIENCE_MS = 5,
    CHECK_TIMEOUT_MS = 2000,
    CHECK_INTERVAL_MS = 250,
    ANSWER_BYTES_MAX = 4096,
    CONFIG_BYTES_MAX = 1 << 16,
};

struct answer {
    int status;
    char node[32];
    size_t attempts; /* of a gateway; 0 if it was none */
};

static lw_pool pool;
static size_t servers;
static struct sockaddr_in addresses[SERVERS_MAX];
static char ids[SERVERS_MAX][256];

static double rate;
static uint64_t requests, start_ns;
static atomic_uint_fast64_t next_request;
static atomic_bool done;

static void sleep_until(uint64_t ns)
{
    struct timespec at = {.tv_sec = (time_t)(ns / 1000000000), .tv_nsec = (long)(ns % 1000000000)};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL) == EINTR)
        ;
}

/* ---- HTTP ------------------------------------------------------------------------------------------------------- */

static void close_connection(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

/* Whether the server closed the connection while nobody was using it. */
static int went_stale(int fd)
{
    char byte;
    return recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) >= 0 || errno != EAGAIN;
}

static int open_connection(size_t server)
{
    int on = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (const struct sockaddr *)&addresses[server], sizeof addresses[server]) != 0)
        close_connection(&fd);
    if (fd >= 0)
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return fd;
}

/* The text of a header of `head`, in lower or upper case; NULL if it is not there. */
static const char *header(const char *head, const char *name)
{
    const char *found = strcasestr(head, name);
    return found ? found + strlen(name) : NULL;
}

/* Reads one answer with a Content-Length. 0, or which LW_FAILURE_* it was. */
static int read_answer(int fd, struct answer *answer)
{
    char text[ANSWER_BYTES_MAX + 1];
    size_t have = 0, need = 0;
    do {
        ssize_t got = recv(fd, text + have, ANSWER_BYTES_MAX - have, 0);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return got < 0 && errno == EAGAIN ? LW_FAILURE_TIMEOUT : LW_FAILURE_RESET;
        have += (size_t)got;
        text[have] = 0;
        const char *end = strstr(text, "\r\n\r\n");
        if (end && need == 0) {
            const char *length = header(text, "\r\ncontent-length:"), *node = header(text, "\r\nx-node:");
            if (!length || !node || sscanf(text, "HTTP/1.1 %d", &answer->status) != 1 ||
                sscanf(node, "%31s", answer->node) != 1)
                return LW_FAILURE_SERVER_ERROR;
            const char *attempts = header(text, "\r\nx-attempts:");
            answer->attempts = attempts ? strtoul(attempts, NULL, 10) : 0;
            need = (size_t)(end + 4 - text) + strtoul(length, NULL, 10);
        }
        if (need > ANSWER_BYTES_MAX || (need == 0 && have == ANSWER_BYTES_MAX))
            return LW_FAILURE_SERVER_ERROR;
    } while (need == 0 || have < need);
    return 0;
}

/* GETs `path` over the connection `*fd`, made anew if need be, and closed if it is of no further use. */
static int get(int *fd, size_t server, const char *path, long timeout_ms, struct answer *answer)
{
    if (*fd >= 0 && went_stale(*fd))
        close_connection(fd);
    if (*fd < 0 && (*fd = open_connection(server)) < 0)
        return LW_FAILURE_CONNECT;

    struct timeval timeout = {.tv_sec = timeout_ms / 1000, .tv_usec = timeout_ms % 1000 * 1000};
    setsockopt(*fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
    char text[64];
    int len = snprintf(text, sizeof text, "GET %s HTTP/1.1\r\nhost: demo\r\n\r\n", path);
    int failure = send(*fd, text, (size_t)len, MSG_NOSIGNAL) == len ? read_answer(*fd, answer) : LW_FAILURE_RESET;
    if (failure)
        close_connection(fd);
    return failure;
}

/* ---- one request ------------------------------------------------------------------------------------------------ */

static void run_request(uint64_t number, int *connections)
{
    const uint64_t due_ns = start_ns + (uint64_t)((double)number / rate * 1e9);
    const int impatient = number % 100 == 99;
    size_t attempts = 0;
    lw_node_ref tried[ATTEMPTS];
    lw_request request = LW_REQUEST_INIT;
    request.exclude_nodes = tried;
    sleep_until(due_ns);

    for (;;) {
        lw_pick pick = LW_PICK_INIT;
        lw_status status = lw_pool_pick(pool, &request, &pick);
        if (status != LW_OK) {
            printf("failed %s\n", lw_status_text(status));
            return;
        }

        struct answer answer;
        size_t server = pick.user_data;
        int failure = get(&connections[server], server, "/", impatient ? PATIENCE_MS : TIMEOUT_MS, &answer);

        lw_outcome outcome = LW_OUTCOME_INIT;
        if (failure == LW_FAILURE_TIMEOUT && impatient) {
            outcome.kind = LW_OUTCOME_CANCELLED;
        } else if (failure || answer.status != 200) {
            outcome.kind = LW_OUTCOME_FAILURE;
            outcome.failure = failure ? (uint32_t)failure : LW_FAILURE_SERVER_ERROR;
        } else {
            outcome.kind = LW_OUTCOME_SUCCESS;
        }
        lw_pick_finish(&pick, &outcome);

        attempts++;
        if (outcome.kind == LW_OUTCOME_CANCELLED) {
            printf("left\n");
        } else if (outcome.kind == LW_OUTCOME_SUCCESS) {
            double ms = (double)(lw_now_ns() - due_ns) / 1e6;
            printf("ok %.3f %s %zu\n", ms, answer.node, answer.attempts ? answer.attempts : attempts);
        } else if ((failure == LW_FAILURE_CONNECT || failure == LW_FAILURE_RESET) && attempts < ATTEMPTS) {
            if (servers > 1)
                tried[request.exclude_nodes_len++] = (lw_node_ref){pick.node, pick.generation};
            else
                printf("broken\n");
            continue;
        } else {
            printf("failed at %s: failure %u, status %d\n", ids[server], outcome.failure, failure ? 0 : answer.status);
        }
        return;
    }
}

static void *run_requests(void *unused)
{
    int connections[SERVERS_MAX];
    for (size_t i = 0; i < servers; i++)
        connections[i] = -1;
    for (uint64_t number; (number = atomic_fetch_add(&next_request, 1)) < requests;)
        run_request(number, connections);
    for (size_t i = 0; i < servers; i++)
        close_connection(&connections[i]);
    return unused;
}

/* ---- health: the engine does no I/O, checking is up to the host -------------------------------------------------- */

/* Only nodes whose checks are due: with a shared state, one of all processes is asked to make each. */
static void *run_checks(void *unused)
{
    while (!atomic_load(&done)) {
        lw_check checks[SERVERS_MAX] = {LW_CHECK_INIT};
        size_t due = 0;
        lw_pool_maintain(pool, 0, NULL);
        if (lw_pool_checks_due(pool, 0, checks, SERVERS_MAX, &due) != LW_OK)
            due = 0;
        for (size_t i = 0; i < due; i++) {
            int fd = -1;
            struct answer answer;
            uint64_t server = 0;
            if (lw_node_user_data(pool, checks[i].node, checks[i].generation, &server) != LW_OK)
                continue;
            int ok = get(&fd, server, "/health", CHECK_TIMEOUT_MS, &answer) == 0 && answer.status == 200;
            close_connection(&fd);
            lw_pool_report_check(pool, (lw_str){ids[server], strlen(ids[server])}, (uint32_t)ok, 0, 0, NULL);
        }
        sleep_until(lw_now_ns() + CHECK_INTERVAL_MS * 1000000ull);
    }
    return unused;
}

/* ---- the pool, from begin to end --------------------------------------------------------------------------------- */

static void must(lw_status status)
{
    if (status == LW_OK)
        return;
    char message[512] = "";
    lw_last_error(message, sizeof message, NULL);
    fprintf(stderr, "%s: %s\n", lw_status_name(status), message);
    exit(1);
}

/* Makes the pool, and numbers its servers for picks to name. */
static void open_pool(const char *path)
{
    char config[CONFIG_BYTES_MAX];
    FILE *file = fopen(path, "r");
    if (!file) {
        perror(path);
        exit(1);
    }
    size_t len = fread(config, 1, sizeof config, file);
    fclose(file);
    must(lw_pool_new(config, len, &pool));

    lw_node_status nodes[SERVERS_MAX] = {LW_NODE_STATUS_INIT};
    must(lw_pool_nodes(pool, nodes, SERVERS_MAX, &servers));
    for (size_t i = 0; i < servers; i++) {
        char address[64], *colon;
        must(lw_node_id(pool, nodes[i].node, nodes[i].generation, ids[i], sizeof ids[i], NULL));
        must(lw_node_address(pool, nodes[i].node, nodes[i].generation, address, sizeof address, NULL));
        must(lw_node_set_user_data(pool, nodes[i].node, nodes[i].generation, i));
        if ((colon = strrchr(address, ':')) != NULL)
            *colon = 0;
        addresses[i].sin_family = AF_INET;
        addresses[i].sin_port = htons((uint16_t)(colon ? atoi(colon + 1) : 80));
        if (inet_pton(AF_INET, address, &addresses[i].sin_addr) != 1) {
            fprintf(stderr, "%s: not an IPv4 address: %s\n", path, address);
            exit(1);
        }
    }
}

/* Of this process. */
static uint64_t in_flight(void)
{
    lw_process_status processes[PROCESSES_MAX] = {LW_PROCESS_STATUS_INIT};
    uint64_t sum = 0;
    size_t len;
    must(lw_pool_processes(pool, processes, PROCESSES_MAX, &len));
    for (size_t i = 0; i < len; i++)
        if (processes[i].flags & LW_PROCESS_OWN)
            sum += processes[i].in_flight;
    return sum;
}

int main(int argc, char **argv)
{
    if (argc != 4) {
        fprintf(stderr, "usage: %s POOL.json RATE SECONDS\n", argv[0]);
        return 2;
    }
    open_pool(argv[1]);
    rate = atof(argv[2]);
    requests = (uint64_t)(rate * atof(argv[3]));
    setvbuf(stdout, NULL, _IOLBF, BUFSIZ);

    pthread_t checker, threads[THREADS];
    start_ns = lw_now_ns();
    if (pthread_create(&checker, NULL, run_checks, NULL) != 0)
        return 1;
    for (int i = 0; i < THREADS; i++)
        if (pthread_create(&threads[i], NULL, run_requests, NULL) != 0)
            return 1;
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    atomic_store(&done, 1);
    pthread_join(checker, NULL);

    printf("in_flight %llu\n", (unsigned long long)in_flight());
    must(lw_pool_free(pool));
    return 0;
}
