/* Load of one request for the curves of `growth`: what wrk cannot do. It connects a few at a time, so that ten
   thousand connections stand before anything is measured; it sends bodies of any size; it ends when every request
   is answered, so that none is paid for and not counted; and it stands still while its caller reads the clocks.

   httpload HOST PORT CONNECTIONS HEAD BODY WARMUP MILLISECONDS LEAST ANSWER

   HEAD is a file with a request's head, BODY the bytes of its body, ANSWER the body that every answer must have.
   Each connection asks once, then all of them for WARMUP milliseconds, then it says `ready` on standard output. For
   each line on standard input it asks on all connections for MILLISECONDS, and until LEAST requests are asked, waits
   for all answers, and says one line of JSON: `requests` counts the answers, `wrong` those that are no 200 with
   ANSWER. At the end of its input it ends. A connection that is lost, ten seconds without any answer, and half a
   minute for connecting all of them end it with 1. */

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
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
#define ROOM 8192 /* an answer is a head and a few bytes */
#define HEAD_ROOM (1 << 20)
#define PATIENCE 10000 /* milliseconds without any event */
#define BATCH 32 /* connections opened at once: fewer than the shortest listen queue holds */
#define SETTLE 30 /* seconds for all connections */

struct connection {
    int fd;
    int watches_output;
    size_t written, held;
    char input[ROOM];
};

static char *request;
static size_t request_size;
static const char *expected;
static size_t expected_size;
static uint64_t asked, answered, wrong, received;
static int epoll, opening = 1;

static uint64_t now(void) /* microseconds */
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static void fail(const char *what, const char *why)
{
    fprintf(stderr, "httpload: %s: %s (after %llu answers)\n", what, why, (unsigned long long)answered);
    exit(1);
}

static void watch(struct connection *one, int output)
{
    struct epoll_event event = {.events = EPOLLIN | (output ? EPOLLOUT : 0), .data.ptr = one};
    if (one->watches_output == output)
        return;
    if (epoll_ctl(epoll, one->watches_output < 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, one->fd, &event))
        fail("epoll_ctl", strerror(errno));
    one->watches_output = output;
}

static void push(struct connection *one)
{
    while (one->written < request_size) {
        ssize_t n = send(one->fd, request + one->written, request_size - one->written, MSG_NOSIGNAL);
        if (n < 0 && errno == EAGAIN)
            break;
        if (n < 0 && errno != EINTR)
            fail("send", strerror(errno));
        one->written += n > 0 ? (size_t)n : 0;
    }
    watch(one, one->written < request_size);
}

static void ask(struct connection *one)
{
    asked++;
    one->written = one->held = 0;
    push(one);
}

/* The size of the whole answer, 0 while its head is not whole. */
static size_t answer_size(struct connection *one, size_t *head)
{
    static const char name[] = "\r\ncontent-length:";
    one->input[one->held] = 0;
    char *end = memmem(one->input, one->held, "\r\n\r\n", 4);
    if (!end)
        return 0;
    *head = (size_t)(end - one->input) + 4;
    char *field = strcasestr(one->input, name);
    if (!field || field > end)
        fail("an answer without Content-Length", one->input);
    return *head + strtoul(field + sizeof name - 1, NULL, 10);
}

/* Whether an answer became whole. */
static int pull(struct connection *one)
{
    size_t head = 0;
    ssize_t n = recv(one->fd, one->input + one->held, ROOM - 1 - one->held, 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return 0;
    if (n <= 0)
        fail("recv", n ? strerror(errno) : "the server closed the connection");
    one->held += (size_t)n;
    size_t size = answer_size(one, &head);
    if (size > ROOM - 1)
        fail("a long answer", one->input);
    if (!size || one->held < size)
        return 0;
    if (one->held > size)
        fail("more than an answer", one->input);
    if (one->written < request_size)
        fail("an answer before the request was sent", one->input);
    answered++;
    received += size;
    if (one->held < 12 || memcmp(one->input + 8, " 200", 4) || size - head != expected_size
        || memcmp(one->input + head, expected, expected_size)) {
        if (opening)
            fail("a wrong answer", one->input);
        wrong++;
    }
    return 1;
}

/* Serve events until all is answered; ask again until the time is up and `least` requests are asked. */
static void spin(uint64_t until, uint64_t least)
{
    struct epoll_event events[EVENTS];
    while (answered < asked) {
        int ready = epoll_wait(epoll, events, EVENTS, PATIENCE);
        if (ready < 0 && errno != EINTR)
            fail("epoll_wait", strerror(errno));
        if (ready == 0)
            fail("no answer", "the server is silent");
        uint64_t at = now();
        for (int i = 0; i < ready; i++) {
            struct connection *one = events[i].data.ptr;
            if (events[i].events & EPOLLOUT)
                push(one);
            if (events[i].events & ~(uint32_t)EPOLLOUT && pull(one) && (at < until || asked < least))
                ask(one);
        }
    }
}

static uint64_t window(struct connection *all, int connections, uint64_t milliseconds, uint64_t least)
{
    uint64_t began_at = now();
    asked = answered = wrong = received = 0;
    for (int i = 0; i < connections; i++)
        ask(&all[i]);
    spin(began_at + milliseconds * 1000, least);
    return now() - began_at;
}

static void open_one(struct connection *one, const struct sockaddr_in *address)
{
    int yes = 1;
    one->watches_output = -1;
    one->fd = socket(AF_INET, SOCK_STREAM, 0);
    if (one->fd < 0)
        fail("socket", strerror(errno));
    if (connect(one->fd, (const struct sockaddr *)address, sizeof *address))
        fail("connect", strerror(errno));
    if (fcntl(one->fd, F_SETFL, O_NONBLOCK) || setsockopt(one->fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes))
        fail("connection", strerror(errno));
    ask(one);
}

static void make_request(const char *path, size_t body)
{
    FILE *file = fopen(path, "rb");
    request = malloc(HEAD_ROOM + body);
    if (!file || !request)
        fail(path, strerror(errno));
    request_size = fread(request, 1, HEAD_ROOM, file);
    fclose(file);
    memset(request + request_size, 'x', body);
    request_size += body;
}

int main(int argc, char **argv)
{
    char line[16];
    struct sockaddr_in address = {.sin_family = AF_INET};
    if (argc != 10) {
        fprintf(stderr, "usage: httpload HOST PORT CONNECTIONS HEAD BODY WARMUP MILLISECONDS LEAST ANSWER\n");
        return 2;
    }
    int connections = atoi(argv[3]);
    uint64_t milliseconds = strtoull(argv[7], NULL, 10), least = strtoull(argv[8], NULL, 10);
    address.sin_port = htons((unsigned short)atoi(argv[2]));
    if (connections < 1 || inet_pton(AF_INET, argv[1], &address.sin_addr) != 1) {
        fprintf(stderr, "httpload: an argument is out of range\n");
        return 2;
    }
    make_request(argv[4], strtoul(argv[5], NULL, 10));
    expected = argv[9];
    expected_size = strlen(expected);
    epoll = epoll_create1(0);
    struct connection *all = calloc((size_t)connections, sizeof *all);
    if (epoll < 0 || !all)
        fail("start", strerror(errno));
    uint64_t deadline = now() + SETTLE * 1000000ULL;
    for (int i = 0; i < connections; i++) {
        open_one(&all[i], &address);
        if ((i + 1) % BATCH == 0 || i + 1 == connections)
            spin(0, 0);
        if (now() > deadline)
            fail("connecting", "too slow");
    }
    opening = 0;
    window(all, connections, strtoull(argv[6], NULL, 10), 0);
    puts("ready");
    fflush(stdout);
    while (fgets(line, sizeof line, stdin)) {
        uint64_t took = window(all, connections, milliseconds, least);
        printf("{\"requests\": %llu, \"microseconds\": %llu, \"bytes\": %llu, \"wrong\": %llu}\n",
            (unsigned long long)answered, (unsigned long long)took, (unsigned long long)received,
            (unsigned long long)wrong);
        fflush(stdout);
    }
    return 0;
}
