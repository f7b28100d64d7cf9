/* Load at a pace of its own: requests are due at moments that do not depend on the answers, as those of many
   clients who know nothing of each other (exponential gaps, always the same ones). A request that finds no free
   connection when it is due waits, and its wait counts: what is measured is the time from when it was due to its
   whole answer.

   paceload HOST PORT CONNECTIONS RATE MILLISECONDS REQUEST ANSWER

   REQUEST is a file with a whole request, ANSWER the body that every answer must have, RATE requests a second. All
   connections stand before the first request is due. One that the server closes is opened again, and what was asked on
   it and has no octet of an answer is asked once more: a server may close between two requests (RFC 9112 section 9.3.1),
   and its client pays for it in time. It spins: a timer of the kernel would be late by as much as the answers take. On
   standard error it says one line of JSON, latencies in microseconds; `socket_errors` counts broken answers and what had
   none two seconds after the last was due. */

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define EVENTS 256
#define ROOM 16384 /* a request, or an answer */
#define PATIENCE 2000000000ULL /* nanoseconds for what is in progress at the end */
#define SPARE 2 /* of the requests that are to be expected, so many times as much room */

struct connection {
    int fd;
    uint64_t due;
    size_t held;
    char input[ROOM];
};

static char request[ROOM];
static size_t request_size, expected_size;
static const char *expected;
static struct connection **idle, *all;
static uint64_t *waiting, *latencies;
static size_t idle_first, idle_count, ring, waiting_first, waiting_end, room, answered;
static uint64_t wrong, lost, received, in_progress, state = 88172645463325252ULL;
static struct sockaddr_in address = {.sin_family = AF_INET};
static int epoll;

static uint64_t now(void) /* nanoseconds */
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000ULL + (uint64_t)t.tv_nsec;
}

static void fail(const char *what, const char *why)
{
    fprintf(stderr, "paceload: %s: %s\n", what, why);
    exit(1);
}

static double gap(double mean) /* nanoseconds to the next request; xorshift64 */
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return -log(((double)(state >> 11) + 1.0) / 9007199254740993.0) * mean;
}

/* The connection that has been idle the longest is used first, so that all of them are. */
static void rest(struct connection *one)
{
    idle[(idle_first + idle_count++) % ring] = one;
}

static struct connection *wake(void)
{
    struct connection *one = idle[idle_first];
    idle_first = (idle_first + 1) % ring;
    idle_count--;
    return one;
}

static void connect_one(struct connection *one)
{
    int yes = 1;
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = one};
    one->fd = socket(AF_INET, SOCK_STREAM, 0);
    if (one->fd < 0 || connect(one->fd, (const struct sockaddr *)&address, sizeof address))
        fail("connect", strerror(errno));
    if (fcntl(one->fd, F_SETFL, O_NONBLOCK) || setsockopt(one->fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes)
        || epoll_ctl(epoll, EPOLL_CTL_ADD, one->fd, &event))
        fail("connection", strerror(errno));
}

/* An answer that has begun is lost; anything else is asked again on a connection of its own. */
static void open_again(struct connection *one)
{
    close(one->fd);
    connect_one(one);
    if (one->due && one->held) {
        lost++;
        in_progress--;
        one->due = 0;
        rest(one);
    } else if (one->due && send(one->fd, request, request_size, MSG_NOSIGNAL) != (ssize_t)request_size)
        fail("send", strerror(errno));
}

static void ask(struct connection *one, uint64_t due)
{
    one->due = due;
    one->held = 0;
    in_progress++;
    /* Smaller than any socket's buffer, which is empty. One that the server has closed says so when it is read. */
    if (send(one->fd, request, request_size, MSG_NOSIGNAL) < 0 && errno != EPIPE && errno != ECONNRESET)
        fail("send", strerror(errno));
}

/* Whether the answer is whole. */
static int pull(struct connection *one)
{
    ssize_t n = recv(one->fd, one->input + one->held, ROOM - 1 - one->held, 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return 0;
    if (n <= 0)
        goto broken;
    one->held += (size_t)n;
    one->input[one->held] = 0;
    char *end = memmem(one->input, one->held, "\r\n\r\n", 4);
    if (!end)
        return 0;
    char *field = strcasestr(one->input, "\r\ncontent-length:");
    if (!field || field > end)
        goto broken;
    size_t head = (size_t)(end - one->input) + 4, size = head + strtoul(field + 17, NULL, 10);
    if (size > ROOM - 1 || one->held > size)
        goto broken;
    if (one->held < size)
        return 0;
    received += size;
    if (one->held < 12 || memcmp(one->input + 8, " 200", 4) || size - head != expected_size
        || memcmp(one->input + head, expected, expected_size))
        wrong++;
    return 1;
broken:
    open_again(one);
    return 0;
}

static void take(struct connection *one)
{
    if (!pull(one))
        return;
    in_progress--;
    if (answered < room)
        latencies[answered++] = now() - one->due;
    one->due = 0;
    if (waiting_first < waiting_end)
        ask(one, waiting[waiting_first++]);
    else
        rest(one);
}

static int compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static unsigned long long percentile(double percent) /* microseconds */
{
    if (!answered)
        return 0;
    size_t rank = (size_t)ceil((double)answered * percent / 100.0);
    return latencies[(rank ? rank : 1) - 1] / 1000;
}

static void serve(void)
{
    struct epoll_event events[EVENTS];
    int ready = epoll_wait(epoll, events, EVENTS, 0);
    if (ready < 0 && errno != EINTR)
        fail("epoll_wait", strerror(errno));
    for (int i = 0; i < ready; i++)
        take(events[i].data.ptr);
}

int main(int argc, char **argv)
{
    if (argc != 8) {
        fprintf(stderr, "usage: paceload HOST PORT CONNECTIONS RATE MILLISECONDS REQUEST ANSWER\n");
        return 2;
    }
    int connections = atoi(argv[3]);
    double rate = atof(argv[4]), mean = 1e9 / rate;
    uint64_t length = strtoull(argv[5], NULL, 10) * 1000000ULL;
    address.sin_port = htons((unsigned short)atoi(argv[2]));
    if (connections < 1 || !(rate > 0) || !length || inet_pton(AF_INET, argv[1], &address.sin_addr) != 1) {
        fprintf(stderr, "paceload: an argument is out of range\n");
        return 2;
    }
    FILE *file = fopen(argv[6], "rb");
    if (!file || !(request_size = fread(request, 1, ROOM, file)) || request_size == ROOM)
        fail(argv[6], "no request, or a long one");
    expected = argv[7];
    expected_size = strlen(expected);
    room = (size_t)((double)length / mean) * SPARE + 1000;
    epoll = epoll_create1(0);
    ring = (size_t)connections;
    all = calloc((size_t)connections, sizeof *all);
    idle = calloc((size_t)connections, sizeof *idle);
    waiting = calloc(room, sizeof *waiting);
    latencies = calloc(room, sizeof *latencies);
    if (epoll < 0 || !all || !idle || !waiting || !latencies)
        fail("start", strerror(errno));
    for (int i = 0; i < connections; i++) {
        connect_one(&all[i]);
        rest(&all[i]);
    }

    uint64_t began_at = now(), at;
    double due = (double)began_at + gap(mean);
    while ((at = now()) < began_at + length) {
        while (due <= (double)at && waiting_end < room) {
            waiting[waiting_end++] = (uint64_t)due;
            due += gap(mean);
        }
        while (idle_count && waiting_first < waiting_end) {
            struct connection *one = wake();
            ask(one, waiting[waiting_first++]);
        }
        serve();
    }
    while ((in_progress || waiting_first < waiting_end) && now() < began_at + length + PATIENCE)
        serve();
    qsort(latencies, answered, sizeof *latencies, compare);
    fprintf(stderr,
        "{\"requests\": %zu, \"microseconds\": %llu, \"bytes\": %llu, \"bad_status\": %llu, \"socket_errors\": %llu,"
        " \"p50\": %llu, \"p99\": %llu, \"p999\": %llu}\n",
        answered, (unsigned long long)(length / 1000), (unsigned long long)received, (unsigned long long)wrong,
        (unsigned long long)(lost + in_progress + (waiting_end - waiting_first)), percentile(50), percentile(99),
        percentile(99.9));
    return 0;
}
