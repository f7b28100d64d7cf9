"""Receiving: one buffer for all connections, and what is taken out of it.

Nothing here waits. The GIL is kept: no call here can block.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import cython
else:
    from indrik import uncompiled as cython

if cython.compiled:
    from cython.cimports.cpython.bytes import PyBytes_FromStringAndSize
    from cython.cimports.indrik.engine.csocket import EAGAIN, EINTR, MSG_DONTWAIT, errno, memmem, recv
    from cython.cimports.libc.string import memcmp

#: Bytes asked for at once: a pipe-full of a fast sender, and small enough to stay in the second-level cache.
RECEIVE_SIZE = 65536
_SIZE = RECEIVE_SIZE

#: A body of fewer bytes behind its head is cheaper to copy twice than to look for.
_LEAST = 1024

_END = b"\r\n\r\n"

#: What `Receiver.fill` answers when nothing is there.
NOTHING = -1
_NOTHING = NOTHING


@cython.final
@cython.cclass
class Receiver:
    """Receives for the connections of one engine. For whoever holds the engine's ownership.

    received: how many bytes the last call brought; `NOTHING` if none was there. behind: what stood behind the
    head that `receive_head` has just returned; None if that was all. Whoever reads it takes it away.
    """

    def __init__(self) -> None:
        self._buffer = bytearray(RECEIVE_SIZE)
        self._view = memoryview(self._buffer)
        self._buffers = [self._buffer]
        self.received = _NOTHING
        self.behind: bytes | None = None

    def receive(self, fd: cython.int, most: cython.Py_ssize_t) -> bytes | None:
        """What has arrived on `fd`, at most `most` bytes and never more than `RECEIVE_SIZE`; empty at the end
        of the stream; None if nothing is there.

        Raises `OSError` when the connection broke.
        """
        count: cython.Py_ssize_t = self._fill(fd, most)
        return None if count == _NOTHING else self.taken(0, count)

    def receive_head(self, fd: cython.int) -> bytes | None:
        """`receive` where a request begins: a body that has come with its head is in `behind`, so that it is
        copied once, to where it stays.
        """
        # Never one client's body behind another one's head, whatever has failed in between.
        if self.behind is not None:
            self.behind = None
        count: cython.Py_ssize_t = self._fill(fd, _SIZE)
        if count == _NOTHING:
            return None
        if count > _LEAST:
            end: cython.Py_ssize_t = self._head_end(count)
            if 0 < end <= count - _LEAST:
                head: bytes = self.taken(0, end)
                self.behind = self.taken(end, count)
                return head
        return self.taken(0, count)

    def fill(self, fd: cython.int) -> cython.Py_ssize_t:
        """How many bytes have arrived on `fd` and stand in the buffer now, for `filled`; `NOTHING` if none
        is there, 0 at the end of the stream. Raises `OSError` when the connection broke.
        """
        return self._fill(fd, _SIZE)

    def _fill(self, fd: cython.int, most: cython.Py_ssize_t) -> cython.Py_ssize_t:
        """`fill`, with at most `most` bytes."""
        if most > _SIZE:
            most = _SIZE
        if cython.compiled:
            into: cython.p_char = self._buffer
            while True:
                count: cython.Py_ssize_t = recv(fd, into, most, MSG_DONTWAIT)
                if count >= 0:
                    self.received = count
                    return count
                code: cython.int = errno
                if code == EAGAIN:
                    self.received = _NOTHING
                    return _NOTHING
                if code != EINTR:
                    raise OSError(code, os.strerror(code))
        try:
            # Not os.read(), which would take RECEIVE_SIZE bytes from the allocator for every request.
            self.received = os.readv(fd, self._buffers if most == _SIZE else [self._view[:most]])
        except BlockingIOError:
            self.received = _NOTHING
        return self.received

    def filled(self, count: cython.Py_ssize_t) -> memoryview:
        """The first `count` bytes of the buffer, where they are. Not to be kept: the next `fill` overwrites
        them.
        """
        return self._view[:count]

    def _head_end(self, count: cython.Py_ssize_t) -> cython.Py_ssize_t:
        """Where the head ends with which the buffer begins; -1 if it is not whole, or nothing stands behind
        it.
        """
        if cython.compiled:
            octets: cython.p_char = self._buffer
            if count < 4 or count > _SIZE:
                raise IndexError("so much was not received")
            # As every request without a body ends.
            if memcmp(octets + count - 4, cython.cast(cython.p_char, _END), 4) == 0:
                return -1
            # The empty line that may stand before a request is the parser's business.
            if octets[0] == 13:
                return -1
            found: cython.p_char = cython.cast(
                cython.p_char, memmem(octets, count, cython.cast(cython.p_char, _END), 4)
            )
            return found - octets + 4 if found != cython.NULL else -1
        if self._buffer.endswith(_END, 0, count) or self._buffer[0] == 13:
            return -1
        found_at = self._buffer.find(_END, 0, count)
        return found_at + 4 if found_at >= 0 else -1

    def taken(self, start: cython.Py_ssize_t, end: cython.Py_ssize_t) -> bytes:
        """A copy of the buffer from `start` to `end`."""
        if cython.compiled:
            if start < 0 or end < start or end > _SIZE:
                raise IndexError("nothing is received there")
            octets: cython.p_char = self._buffer
            return PyBytes_FromStringAndSize(octets + start, end - start)
        return bytes(self._view[start:end])
