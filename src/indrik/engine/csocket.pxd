# C declarations only: the calls that the compiled engine makes without the interpreter in between.

cdef extern from "sys/socket.h" nogil:
    ssize_t recv(int fd, void *buffer, size_t length, int flags)
    ssize_t send(int fd, const void *buffer, size_t length, int flags)
    int shutdown(int fd, int how)
    int SHUT_RDWR
    int MSG_DONTWAIT
    int MSG_NOSIGNAL

cdef extern from "sys/uio.h" nogil:
    struct iovec:
        void *iov_base
        size_t iov_len
    ssize_t writev(int fd, const iovec *parts, int count)

cdef extern from "errno.h" nogil:
    int errno
    int EAGAIN
    int EINTR

cdef extern from "time.h" nogil:
    struct timespec:
        long tv_sec
        long tv_nsec
    int CLOCK_MONOTONIC
    int clock_gettime(int clock, timespec *value)
    int nanosleep(const timespec *span, timespec *left)

cdef extern from "sys/epoll.h" nogil:
    ctypedef union epoll_data_t:
        int fd
    struct epoll_event:
        unsigned int events
        epoll_data_t data
    int epoll_wait(int fd, epoll_event *events, int count, int timeout)

cdef extern from "string.h" nogil:
    void *memmem(const void *data, size_t length, const void *piece, size_t size)
