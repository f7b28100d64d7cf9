/* Load for a server that echoes WebSocket messages (RFC 6455): what wrk is for HTTP.

   wsload HOST PORT CONNECTIONS SECONDS BYTES

   Each connection upgrades, then sends a text message of BYTES bytes, waits for its echo, and so on. When all
   have upgraded the clock starts. One line of JSON at the end, with the fields of the wrk script: `requests`
   counts the echoes, `bad_status` the refused handshakes and wrong echoes, `socket_errors` the connections that
   were lost. */

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
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
#define LARGEST 65535
#define ROOM (1 << 17)
#define HANDSHAKE_SECONDS 10
#define SLOWEST 1000000 /* microseconds; a slower echo counts as that slow */

enum state { UPGRADING, OPEN, GONE };

struct connection {
    int fd;
    enum state state;
    uint64_t sent_at;
    size_t held; /* bytes in `input` */
    char *input;
};

static unsigned histogram[SLOWEST + 1];
static uint64_t echoes, bytes, wrong, lost;
static char frame[LARGEST + 8], *message;
static size_t frame_size, message_size;
static char request[512];
static int epoll, opened, gone, running;

static uint64_t now(void) /* microseconds */
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static void fail(const char *what)
{
    perror(what);
    exit(1);
}

/* The one frame that is sent: FIN, text, masked with a fixed key (section 5.2). */
static void make_frame(void)
{
    static const unsigned char key[4] = {0x37, 0xfa, 0x21, 0x3d};
    size_t at = 0;
    frame[at++] = (char)0x81;
    if (message_size < 126) {
        frame[at++] = (char)(0x80 | message_size);
    } else {
        frame[at++] = (char)(0x80 | 126);
        frame[at++] = (char)(message_size >> 8);
        frame[at++] = (char)message_size;
    }
    memcpy(frame + at, key, 4);
    at += 4;
    message = malloc(message_size + 1);
    if (!message)
        fail("malloc");
    for (size_t i = 0; i < message_size; i++) {
        message[i] = (char)('a' + i % 26);
        frame[at + i] = (char)(message[i] ^ key[i % 4]);
    }
    frame_size = at + message_size;
}

static void drop(struct connection *one)
{
    if (one->state == GONE)
        return;
    close(one->fd);
    one->state = GONE;
    gone++;
}

static void lose(struct connection *one)
{
    lost++;
    drop(one);
}

static void say(struct connection *one, const char *data, size_t size)
{
    /* A message and a handshake are smaller than any socket buffer, which is empty here. */
    if (send(one->fd, data, size, MSG_NOSIGNAL) != (ssize_t)size)
        lose(one);
}

static void send_message(struct connection *one)
{
    one->sent_at = now();
    say(one, frame, frame_size);
}

static void eat(struct connection *one, size_t size)
{
    one->held -= size;
    memmove(one->input, one->input + size, one->held);
}

static void upgrade(struct connection *one)
{
    char *end = memmem(one->input, one->held, "\r\n\r\n", 4);
    if (!end)
        return;
    if (one->held < 12 || memcmp(one->input, "HTTP/1.1 101", 12)) {
        wrong++;
        drop(one);
        return;
    }
    one->state = OPEN;
    opened++;
    eat(one, (size_t)(end - one->input) + 4);
}

static void count(struct connection *one, const char *payload, size_t size)
{
    uint64_t took = now() - one->sent_at;
    if (size != message_size || memcmp(payload, message, size))
        wrong++;
    echoes++;
    histogram[took > SLOWEST ? SLOWEST : took]++;
    if (running)
        send_message(one);
}

/* Frames of a server are not masked. Those that are no text (a ping) are passed over: no run lasts for as long
   as servers wait for a pong. */
static void read_frames(struct connection *one)
{
    while (one->state == OPEN && one->held >= 2) {
        const unsigned char *in = (const unsigned char *)one->input;
        size_t head = 2, size = in[1] & 0x7f;
        if (size == 127 || in[1] & 0x80) {
            lose(one);
            return;
        }
        if (size == 126) {
            if (one->held < 4)
                return;
            head = 4;
            size = (size_t)in[2] << 8 | in[3];
        }
        if (one->held < head + size)
            return;
        bytes += head + size;
        if ((in[0] & 0x0f) == 8) {
            lose(one);
            return;
        }
        if (in[0] == 0x81)
            count(one, one->input + head, size);
        if (one->state == OPEN)
            eat(one, head + size);
    }
}

static void receive(struct connection *one)
{
    ssize_t n = recv(one->fd, one->input + one->held, ROOM - one->held, 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        lose(one);
        return;
    }
    one->held += (size_t)n;
    if (one->state == UPGRADING)
        upgrade(one);
    if (one->state == OPEN)
        read_frames(one);
}

static void spin(uint64_t until, int handshakes, int connections)
{
    struct epoll_event events[EVENTS];
    while (gone < connections && (!handshakes || opened + gone < connections)) {
        uint64_t at = now();
        if (at >= until)
            return;
        int ready = epoll_wait(epoll, events, EVENTS, (int)((until - at) / 1000) + 1);
        if (ready < 0 && errno != EINTR)
            fail("epoll_wait");
        for (int i = 0; i < ready; i++) {
            struct connection *one = events[i].data.ptr;
            if (one->state != GONE)
                receive(one);
        }
    }
}

static void open_one(struct connection *one, const struct sockaddr_in *address)
{
    int yes = 1;
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = one};
    one->input = malloc(ROOM);
    one->fd = socket(AF_INET, SOCK_STREAM, 0);
    if (!one->input || one->fd < 0)
        fail("connection");
    if (connect(one->fd, (const struct sockaddr *)address, sizeof *address)) {
        lose(one);
        return;
    }
    setsockopt(one->fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, one->fd, &event))
        fail("epoll_ctl");
    say(one, request, strlen(request));
}

static unsigned percentile(double share)
{
    uint64_t seen = 0, wanted = (uint64_t)((double)echoes * share);
    for (unsigned i = 0; i <= SLOWEST; i++) {
        seen += histogram[i];
        if (seen > wanted)
            return i;
    }
    return 0;
}

int main(int argc, char **argv)
{
    if (argc != 6) {
        fprintf(stderr, "usage: wsload HOST PORT CONNECTIONS SECONDS BYTES\n");
        return 2;
    }
    int connections = atoi(argv[3]);
    double seconds = atof(argv[4]);
    message_size = strtoul(argv[5], NULL, 10);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((unsigned short)atoi(argv[2]))};
    if (connections < 1 || seconds <= 0 || message_size > LARGEST - 8
        || inet_pton(AF_INET, argv[1], &address.sin_addr) != 1) {
        fprintf(stderr, "wsload: an argument is out of range\n");
        return 2;
    }
    make_frame();
    snprintf(request, sizeof request,
        "GET / HTTP/1.1\r\nHost: %s:%s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n", argv[1], argv[2]);
    epoll = epoll_create1(0);
    struct connection *all = calloc((size_t)connections, sizeof *all);
    if (!all)
        fail("calloc");
    for (int i = 0; i < connections; i++)
        open_one(&all[i], &address);
    spin(now() + HANDSHAKE_SECONDS * 1000000ULL, 1, connections);
    for (int i = 0; i < connections; i++)
        if (all[i].state == UPGRADING)
            lose(&all[i]);
    running = 1;
    uint64_t began_at = now();
    for (int i = 0; i < connections; i++)
        if (all[i].state == OPEN)
            send_message(&all[i]);
    spin(began_at + (uint64_t)(seconds * 1e6), 0, connections);
    running = 0;
    fprintf(stderr,
        "{\"requests\": %llu, \"microseconds\": %llu, \"bytes\": %llu, \"bad_status\": %llu,"
        " \"socket_errors\": %llu, \"p50\": %u, \"p99\": %u, \"p999\": %u}\n",
        (unsigned long long)echoes, (unsigned long long)(now() - began_at), (unsigned long long)bytes,
        (unsigned long long)wrong, (unsigned long long)lost,
        percentile(0.5), percentile(0.99), percentile(0.999));
    return 0;
}
