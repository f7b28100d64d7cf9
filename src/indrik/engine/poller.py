"""Waits for sockets: epoll(7), edge-triggered for connections.

Edge-triggered, a socket is registered once and never modified while requests come and go. The only module
that knows the kernel's interface: another system needs another class with these methods (kqueue has EV_CLEAR
for edges).
"""

from __future__ import annotations

import os
import select
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import cython
else:
    from indrik import uncompiled as cython

if cython.compiled:
    from cython.cimports.cpython.exc import PyErr_CheckSignals
    from cython.cimports.indrik.engine.csocket import EINTR, epoll_wait, errno

from indrik.engine.originals import original

try:
    _new_epoll = original(select, "epoll")
except AttributeError:
    raise ImportError("indrik's engine needs epoll, which this system does not have") from None

#: Events taken from the kernel at once; also the size of the array in the declaration of the class.
_MOST = 512

_CONNECTION = select.EPOLLIN | select.EPOLLRDHUP | select.EPOLLET
#: Of several workers that wait for a listener, one is woken (epoll_ctl(2)).
_LISTENER = select.EPOLLIN | select.EPOLLEXCLUSIVE


class Poller:
    """One epoll instance. Owned by one thread of one process."""

    def __init__(self) -> None:
        self._epoll = _new_epoll()
        self._fd: int = self._epoll.fileno()
        self._found: list[tuple[int, int]] = []

    def fileno(self) -> int:
        """The epoll descriptor; it is readable when `wait(0)` would find something."""
        return self._fd

    def close(self) -> None:
        """Closes the epoll descriptor."""
        self._epoll.close()

    def watch_connection(self, fd: int, writable: bool) -> None:
        """Tells of input on `fd` from now on, and of room for output if `writable`."""
        self._epoll.register(fd, _CONNECTION | select.EPOLLOUT if writable else _CONNECTION)

    def watch_writable(self, fd: int) -> None:
        """Tells of room for output on a watched connection too. An edge a full buffer: it need not be taken
        back.
        """
        self._epoll.modify(fd, _CONNECTION | select.EPOLLOUT)

    def watch_listener(self, fd: int) -> None:
        """Tells of connections to accept as long as there are any."""
        self._epoll.register(fd, _LISTENER)

    def watch_readable(self, fd: int) -> None:
        """Tells of input on `fd` as long as there is any."""
        self._epoll.register(fd, select.EPOLLIN)

    def forget(self, fd: int) -> None:
        """Tells nothing more of `fd`."""
        self._epoll.unregister(fd)

    def wait(self, timeout: cython.double) -> cython.Py_ssize_t:
        """Waits at most `timeout` seconds; how many events were found. Signals' handlers run in here."""
        if cython.compiled:
            # Rounded up: a wait that ends just before its deadline would be made twice.
            milliseconds: cython.int = cython.cast(cython.int, timeout * 1000.0 + 0.999)
            count: cython.int
            with cython.nogil:
                count = epoll_wait(self._fd, self._events, 512, milliseconds)
            if count < 0:
                code: cython.int = errno
                if code != EINTR:
                    raise OSError(code, os.strerror(code))
                PyErr_CheckSignals()
                return 0
            return count
        self._found = self._epoll.poll(timeout, _MOST)
        return len(self._found)

    def fd_at(self, index: cython.Py_ssize_t) -> cython.int:
        """The descriptor of event `index` of the last `wait`."""
        if cython.compiled:
            if index < 0 or index >= 512:
                raise IndexError("no such event")
            return self._events[index].data.fd
        return self._found[index][0]

    def flags_at(self, index: cython.Py_ssize_t) -> cython.uint:
        """What happened to it: an or of the flags of epoll_ctl(2)."""
        if cython.compiled:
            if index < 0 or index >= 512:
                raise IndexError("no such event")
            return self._events[index].events
        return self._found[index][1]
