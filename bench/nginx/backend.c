/* Servers of the benchmark, as cheap as can be: one process, one thread, any number of addresses.
 *
 *     backend FIRST_ADDRESS COUNT PORT DELAY_US STATUS ...
 *
 * COUNT addresses from FIRST_ADDRESS on, each answering every GET with STATUS after DELAY_US ± 20 %; five arguments for
 * each group of alike servers. Says "ready" once all of them listen. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { CONNECTIONS_MAX = 1 << 16, EVENTS = 256 };

struct group {
    uint64_t delay_ns;
    char answer[128];
    size_t answer_len;
};

struct connection {
    const struct group *group;
    unsigned is_listener : 1;
    unsigned matched : 3;  /* of the end of a head */
    uint32_t number;       /* of the connection that has this descriptor */
};

/* An answer that is due. */
struct due {
    uint64_t at_ns;
    int fd;
    uint32_t number;
};

static struct connection connections[CONNECTIONS_MAX];
static struct due heap[CONNECTIONS_MAX];
static size_t heap_len;
static uint32_t numbers;
static uint64_t random_state = 88172645463325252u;

static void check(int ok, const char *what)
{
    if (!ok) {
        perror(what);
        exit(1);
    }
}

static uint64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static uint64_t next_random(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

static void push(struct due due)
{
    size_t i = heap_len++;
    check(heap_len < CONNECTIONS_MAX, "answers");
    for (; i > 0 && heap[(i - 1) / 2].at_ns > due.at_ns; i = (i - 1) / 2)
        heap[i] = heap[(i - 1) / 2];
    heap[i] = due;
}

static struct due pop(void)
{
    const struct due first = heap[0], last = heap[--heap_len];
    size_t i = 0;
    for (size_t child = 1; child < heap_len; child = 2 * i + 1) {
        if (child + 1 < heap_len && heap[child + 1].at_ns < heap[child].at_ns)
            child++;
        if (last.at_ns <= heap[child].at_ns)
            break;
        heap[i] = heap[child];
        i = child;
    }
    heap[i] = last;
    return first;
}

static void answer(int fd)
{
    const struct group *group = connections[fd].group;
    if (send(fd, group->answer, group->answer_len, MSG_NOSIGNAL) < 0)
        shutdown(fd, SHUT_RDWR);
}

static void be_asked(int fd)
{
    static const char end[] = "\r\n\r\n";
    struct connection *c = &connections[fd];
    char bytes[4096];
    const ssize_t len = recv(fd, bytes, sizeof bytes, 0);
    if (len <= 0) {
        c->group = NULL;
        close(fd);
        return;
    }
    for (ssize_t i = 0; i < len; i++) {
        c->matched = bytes[i] == end[c->matched] ? c->matched + 1 : bytes[i] == '\r';
        if (c->matched < 4)
            continue;
        c->matched = 0;
        if (c->group->delay_ns == 0)
            answer(fd);
        else
            push((struct due){now_ns() + c->group->delay_ns * (80 + next_random() % 41) / 100, fd, c->number});
    }
}

static void watch(int epoll, int fd, const struct group *group, unsigned is_listener)
{
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    check(fd >= 0 && fd < CONNECTIONS_MAX, "descriptors");
    connections[fd] = (struct connection){.group = group, .is_listener = is_listener, .number = ++numbers};
    check(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == 0, "epoll_ctl");
}

static void be_connected(int epoll, int listener)
{
    const int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
    if (fd >= 0)
        watch(epoll, fd, connections[listener].group, 0);
}

static void listen_at(int epoll, uint32_t address, uint16_t port, const struct group *group)
{
    const struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(address)};
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), on = 1;
    check(fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0, "socket");
    check(bind(fd, (const struct sockaddr *)&at, sizeof at) == 0, "bind");
    check(listen(fd, 512) == 0, "listen");
    watch(epoll, fd, group, 1);
}

static void serve(int epoll)
{
    struct epoll_event events[EVENTS];
    for (;;) {
        struct timespec wait = {0, 0};
        const uint64_t now = now_ns();
        int len;
        while (heap_len > 0 && heap[0].at_ns <= now) {
            const struct due due = pop();
            if (connections[due.fd].group && connections[due.fd].number == due.number)
                answer(due.fd);
        }
        if (heap_len > 0) {
            wait.tv_sec = (time_t)((heap[0].at_ns - now) / 1000000000u);
            wait.tv_nsec = (long)((heap[0].at_ns - now) % 1000000000u);
        }
        len = epoll_pwait2(epoll, events, EVENTS, heap_len > 0 ? &wait : NULL, NULL);
        check(len >= 0 || errno == EINTR, "epoll_pwait2");
        for (int i = 0; i < len; i++) {
            if (connections[events[i].data.fd].is_listener)
                be_connected(epoll, events[i].data.fd);
            else
                be_asked(events[i].data.fd);
        }
    }
}

int main(int argc, char **argv)
{
    const int epoll = epoll_create1(0);
    struct rlimit limit = {CONNECTIONS_MAX, CONNECTIONS_MAX};
    check(argc > 1 && (argc - 1) % 5 == 0, "usage: backend FIRST_ADDRESS COUNT PORT DELAY_US STATUS ...");
    (void)setrlimit(RLIMIT_NOFILE, &limit);
    for (char **arg = argv + 1; *arg; arg += 5) {
        struct group *group = calloc(1, sizeof *group);
        const uint32_t first = ntohl(inet_addr(arg[0]));
        check(group != NULL, "memory");
        group->delay_ns = strtoull(arg[3], NULL, 10) * 1000;
        group->answer_len = (size_t)snprintf(group->answer, sizeof group->answer,
                                             "HTTP/1.1 %s Said\r\nContent-Length: 3\r\n\r\nok\n", arg[4]);
        for (uint32_t i = 0; i < strtoul(arg[1], NULL, 10); i++)
            listen_at(epoll, first + i, (uint16_t)atoi(arg[2]), group);
    }
    puts("ready");
    fflush(stdout);
    serve(epoll);
}
