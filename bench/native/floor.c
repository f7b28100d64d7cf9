/* The floor under every table: an epoll loop that parses nothing.

   floor HOST PORT BODY ANSWER

   BODY is the number of bytes that follow each request's head, ANSWER a file with the whole answer, head and
   body. All that is done for a request is what no server can leave out: wait, read, find the end of the head,
   write. It is no server: a head must arrive in one piece, which it does over loopback, or the connection is
   closed. */

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define EVENTS 256
#define FILES 65536

/* Bytes of the request's body, and of the answer, that have not passed yet. */
struct connection {
    size_t to_read;
    size_t to_write;
};

static struct connection connections[FILES];
static char input[1 << 18];
static char *answer;
static size_t answer_size, body_size;
static int epoll;

static void fail(const char *what)
{
    perror(what);
    exit(1);
}

static void load_answer(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (!file || fseek(file, 0, SEEK_END))
        fail(path);
    answer_size = (size_t)ftell(file);
    rewind(file);
    answer = malloc(answer_size ? answer_size : 1);
    if (!answer || fread(answer, 1, answer_size, file) != answer_size)
        fail(path);
    fclose(file);
}

static int listening(const char *host, const char *port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((unsigned short)atoi(port))};
    int yes = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (fd < 0 || inet_pton(AF_INET, host, &address.sin_addr) != 1)
        fail(host);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (bind(fd, (struct sockaddr *)&address, sizeof address) || listen(fd, 1024))
        fail("listen");
    return fd;
}

static void watch(int fd, int operation, unsigned events)
{
    struct epoll_event event = {.events = events, .data.fd = fd};
    if (epoll_ctl(epoll, operation, fd, &event))
        fail("epoll_ctl");
}

static void welcome(int listener)
{
    int yes = 1, fd;
    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
        if (fd >= FILES) {
            close(fd);
            continue;
        }
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
        connections[fd] = (struct connection){0, 0};
        watch(fd, EPOLL_CTL_ADD, EPOLLIN);
    }
}

/* Write what is left of the answer; 0 when the connection is of no more use. */
static int send_answer(int fd)
{
    struct connection *one = &connections[fd];
    ssize_t n = send(fd, answer + (answer_size - one->to_write), one->to_write, MSG_NOSIGNAL);
    if (n < 0 && errno != EAGAIN)
        return 0;
    if (n > 0)
        one->to_write -= (size_t)n;
    return 1;
}

/* Read once; 1 when a request is whole, 0 when it is not, -1 when the connection is of no more use. */
static int take_request(int fd)
{
    struct connection *one = &connections[fd];
    ssize_t n = recv(fd, input, sizeof input, 0);
    if (n <= 0)
        return n < 0 && errno == EAGAIN ? 0 : -1;
    size_t size = (size_t)n;
    if (!one->to_read) {
        char *end = memmem(input, size, "\r\n\r\n", 4);
        if (!end)
            return -1;
        size_t head = (size_t)(end - input) + 4;
        one->to_read = body_size;
        size -= head;
    }
    one->to_read -= size < one->to_read ? size : one->to_read;
    return one->to_read == 0;
}

static void serve(int fd, unsigned events)
{
    struct connection *one = &connections[fd];
    int was_writing = one->to_write > 0, useful = 1;
    if (!was_writing && events & (EPOLLIN | EPOLLHUP | EPOLLERR)) {
        int whole = take_request(fd);
        useful = whole >= 0;
        one->to_write = whole > 0 ? answer_size : 0;
    }
    if (useful && one->to_write)
        useful = send_answer(fd);
    if (!useful)
        close(fd);
    else if (was_writing != (one->to_write > 0))
        watch(fd, EPOLL_CTL_MOD, one->to_write ? EPOLLOUT : EPOLLIN);
}

int main(int argc, char **argv)
{
    struct epoll_event events[EVENTS];
    if (argc != 5) {
        fprintf(stderr, "usage: floor HOST PORT BODY ANSWER\n");
        return 2;
    }
    body_size = strtoul(argv[3], NULL, 10);
    load_answer(argv[4]);
    epoll = epoll_create1(0);
    int listener = listening(argv[1], argv[2]);
    watch(listener, EPOLL_CTL_ADD, EPOLLIN);
    for (;;) {
        int ready = epoll_wait(epoll, events, EVENTS, -1);
        for (int i = 0; i < ready; i++) {
            if (events[i].data.fd == listener)
                welcome(listener);
            else
                serve(events[i].data.fd, events[i].events);
        }
        if (ready < 0 && errno != EINTR)
            fail("epoll_wait");
    }
}
