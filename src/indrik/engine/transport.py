"""The system calls of the hot path on plain descriptors: C calls when compiled, `os` functions when not.

Nothing here waits: the descriptors are non-blocking, and what cannot be done now is said by a return value,
because raising an exception for it would cost more than the call. The GIL is kept: no call here can block.
"""

from __future__ import annotations

import os
import socket
import struct
import time

# The plain class below `socket.socket`, which gevent replaces.
from _socket import socket as _Socket
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import cython
else:
    from indrik import uncompiled as cython

from indrik.engine.originals import original

if cython.compiled:
    from cython.cimports.indrik.engine.csocket import (
        CLOCK_MONOTONIC,
        EAGAIN,
        EINTR,
        MSG_DONTWAIT,
        MSG_NOSIGNAL,
        SHUT_RDWR,
        clock_gettime,
        errno,
        iovec,
        nanosleep,
        send,
        shutdown,
        timespec,
        writev,
    )

# gevent's close() tells the hub first, and closes in its next round, which may be a second away.
close_descriptor: Callable[[int], None] = original(os, "close")

#: Whether the hot modules run as compiled code.
COMPILED: bool = cython.compiled

#: `transmit` and `transmit_two` answer this when the peer's window is full.
WOULD_BLOCK = -1

def transmit(fd: cython.int, data: bytes, start: cython.Py_ssize_t) -> cython.Py_ssize_t:
    """How many bytes of `data[start:]` the kernel took, or `WOULD_BLOCK`. Raises `OSError` when the
    connection broke.
    """
    if cython.compiled:
        if start < 0 or start > len(data):
            raise IndexError("transmit outside of the data")
        base: cython.p_char = data
        while True:
            count: cython.Py_ssize_t = send(fd, base + start, len(data) - start, MSG_DONTWAIT | MSG_NOSIGNAL)
            if count >= 0:
                return count
            code: cython.int = errno
            if code == EAGAIN:
                return WOULD_BLOCK
            if code != EINTR:
                raise OSError(code, os.strerror(code))
    try:
        return os.write(fd, memoryview(data)[start:] if start else data)
    except BlockingIOError:
        return WOULD_BLOCK


def transmit_two(fd: cython.int, first: bytes, second: bytes) -> cython.Py_ssize_t:
    """Like `transmit` for a head and a body in one call, so that they leave in one segment where they fit."""
    if cython.compiled:
        parts: iovec[2]
        parts[0].iov_base = cython.cast(cython.p_char, first)
        parts[0].iov_len = len(first)
        parts[1].iov_base = cython.cast(cython.p_char, second)
        parts[1].iov_len = len(second)
        while True:
            # SIGPIPE is ignored in every Python process, so writev needs no MSG_NOSIGNAL.
            count: cython.Py_ssize_t = writev(fd, parts, 2)
            if count >= 0:
                return count
            code: cython.int = errno
            if code == EAGAIN:
                return WOULD_BLOCK
            if code != EINTR:
                raise OSError(code, os.strerror(code))
    try:
        return os.writev(fd, (first, second))
    except BlockingIOError:
        return WOULD_BLOCK


def pause(seconds: cython.double) -> None:
    """Sleeps for `seconds`, less if a signal comes. Compiled, without the GIL."""
    if cython.compiled:
        span: timespec
        span.tv_sec = cython.cast(cython.long, seconds)
        span.tv_nsec = cython.cast(cython.long, (seconds - span.tv_sec) * 1e9)
        nanosleep(cython.address(span), cython.NULL)
    else:
        time.sleep(seconds)


def reset_when_closed(fd: int, is_on: bool) -> None:
    """Has the last close of a TCP connection reset it (socket(7), SO_LINGER of no seconds), or end it in
    order again. However that comes: also because the process is killed.

    A unix socket knows no reset. Raises `OSError` when the connection broke.
    """
    # The family means nothing to the option.
    sock = _Socket(socket.AF_INET, socket.SOCK_STREAM, 0, fd)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", is_on, 0))
    finally:
        sock.detach()


_has_forked: bool = False


def _set_forked(value: bool) -> None:
    global _has_forked
    _has_forked = value


# What the master forks begins anew; what the application forks has every connection of its parent.
os.register_at_fork(
    after_in_parent=partial(_set_forked, True), after_in_child=partial(_set_forked, False)
)


def close_connection(fd: int, in_order: bool) -> None:
    """Closes the descriptor of a connection. `in_order`: the client is to see the end of the stream, not a
    reset.

    A child that the application has forked has the descriptor too, and for as long as it lives a close alone
    ends nothing (shutdown(2) does). That call is made only in a process that has forked.
    """
    if _has_forked and in_order:
        if cython.compiled:
            # It fails where the client has ended the connection, and then nothing is left to do.
            shutdown(fd, SHUT_RDWR)
        else:
            sock = _Socket(socket.AF_INET, socket.SOCK_STREAM, 0, fd)
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            finally:
                sock.detach()
    close_descriptor(fd)


def monotonic() -> cython.double:
    """Seconds of CLOCK_MONOTONIC, the clock of every deadline and of the scoreboard."""
    if cython.compiled:
        now: timespec
        clock_gettime(CLOCK_MONOTONIC, cython.address(now))
        return now.tv_sec + now.tv_nsec * 1e-9
    return time.monotonic()
