"""The loop: waits for sockets, accepts, gives each event to its connection, and lets deadlines pass.

Run it by calling `turn` again and again, or let a host loop watch `fileno()` and call `turn(0)` when it is readable.
"""

from __future__ import annotations

import errno
import os
import select
from collections.abc import Callable, Sequence
from email.utils import formatdate
from time import time as wall_clock
from typing import Protocol

import cython

from indrik.engine.connection import Connection
from indrik.engine.exchange import Exchange, Handler
from indrik.engine.settings import EngineSettings
from indrik.engine.timers import TimerKind, TimerQueue
from indrik.engine.transport import monotonic
from indrik.net.listeners import Listener
from indrik.protocol.head import HeadParser
from indrik.scoreboard import Slot

#: Events taken from the kernel at once.
_EVENTS = 512

#: Connections accepted in one turn of the loop: enough to empty a backlog quickly, few enough that siblings get theirs.
_ACCEPTS = 16

#: Seconds for which a refused client's input is read and thrown away.
_LINGER_DELAY = 2.0

#: Seconds that an idle client of a leaving worker has for a request that is already under way.
_DRAIN_DELAY = 1.0

_READ = select.EPOLLIN | select.EPOLLRDHUP | select.EPOLLET
_READ_WRITE = _READ | select.EPOLLOUT
_END = select.EPOLLRDHUP | select.EPOLLHUP | select.EPOLLERR

#: Seconds for which nobody is accepted when the process or the machine is out of descriptors or memory. A connection
#: that closes ends the pause, but the shortage may not be of this worker's making.
_EXHAUSTED_PAUSE = 1.0
_EXHAUSTED = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})

_SERVER = "Server: indrik\r\n"


class RefusalSink(Protocol):
    """Where the engine says that it sent a client away; the log limits the rate."""

    def __call__(self, kind: str, peer: tuple[str, int] | None, detail: str, status: str) -> None:
        """`kind` groups refusals, `status` is what the client was answered ("" if nothing)."""


class Engine:
    """One loop with its listeners and connections. Owned by one thread of one worker.

    handler: answers requests. slot: this worker's place on the scoreboard. trusts: whether a peer (None: unix
    socket) may say for whom it forwards.
    """

    def __init__(
        self,
        settings: EngineSettings,
        handler: Handler,
        slot: Slot,
        trusts: Callable[[tuple[str, int] | None], bool],
        on_refusal: RefusalSink,
    ) -> None:
        self.settings = settings
        self.parser = HeadParser(settings.limits)
        self.now = monotonic()
        self.is_draining = False
        self.keeps_alive = settings.keepalive > 0
        self.timers = [
            TimerQueue(TimerKind.FIRST_BYTE, settings.first_byte_timeout),
            TimerQueue(TimerKind.HEAD, settings.header_timeout),
            TimerQueue(TimerKind.BODY, settings.body_timeout),
            TimerQueue(TimerKind.KEEP_ALIVE, settings.keepalive),
            TimerQueue(TimerKind.WRITE, settings.write_timeout),
            TimerQueue(TimerKind.LINGER, _LINGER_DELAY),
            TimerQueue(TimerKind.DRAIN, _DRAIN_DELAY),
        ]
        self._handler = handler
        self._slot = slot
        self._trusts = trusts
        self._on_refusal = on_refusal
        self._poller = select.epoll()
        self._connections: dict[int, Connection] = {}
        self._listeners: dict[int, Listener] = {}
        self._is_listening = False
        self._accepts_at = 0.0
        self._wakeups: dict[int, Callable[[], None]] = {}
        self._again: list[Connection] = []
        self._tail = ""
        self._tail_second = 0

    # --- set-up ---

    def listen(self, listeners: Sequence[Listener]) -> None:
        """Accepts from `listeners` from now on. They stay the caller's to close."""
        self._listeners = {listener.fileno(): listener for listener in listeners}
        self._watch_listeners()

    def watch(self, fd: int, callback: Callable[[], None]) -> None:
        """Calls `callback` in the loop whenever `fd` is readable."""
        self._wakeups[fd] = callback
        self._poller.register(fd, select.EPOLLIN)

    def fileno(self) -> int:
        """A descriptor that is readable when `turn(0)` has something to do; deadlines excepted (`next_timeout`)."""
        return self._poller.fileno()

    # --- the loop ---

    def turn(self, timeout: float) -> None:
        """Waits at most `timeout` seconds for events and deals with them and with every deadline that has passed."""
        if self._again:
            timeout = 0.0
        else:
            deadline = self.next_deadline()
            if deadline is not None:
                timeout = min(timeout, max(0.0, deadline - self.now))
        events = self._poller.poll(timeout, _EVENTS)
        self.now = now = monotonic()
        self._slot.beat(now)
        connections = self._connections
        knocks: list[Listener] | None = None
        for fd, flags in events:
            connection = connections.get(fd)
            if connection is not None:
                if flags & select.EPOLLOUT:
                    connection.on_writable()
                if flags & _END:
                    connection.on_readable_to_end()
                elif flags & select.EPOLLIN:
                    connection.on_readable()
            elif fd in self._listeners:
                if knocks is None:
                    knocks = []
                knocks.append(self._listeners[fd])
            elif fd in self._wakeups:
                self._wakeups[fd]()
        if self._again:
            again, self._again = self._again, []
            for connection in again:
                connection.resume()
        # New clients last: what this worker has accepted already comes before what a sibling could take.
        if knocks is not None:
            for listener in knocks:
                self._accept_some(listener, _ACCEPTS)
        self._expire()

    def next_deadline(self) -> float | None:
        """When `turn` must be called at the latest, in monotonic seconds; None when no deadline is set."""
        found: float | None = self._accepts_at or None
        for timers in self.timers:
            deadline = timers.next_deadline()
            if deadline is not None and (found is None or deadline < found):
                found = deadline
        return found

    def _expire(self) -> None:
        now = self.now
        if self._accepts_at and self._accepts_at <= now:
            self._watch_listeners()
        for timers in self.timers:
            deadline = timers.next_deadline()
            if deadline is not None and deadline <= now:
                for connection in timers.expired(now):
                    connection.on_timeout()

    # --- accepting ---

    def _accept_some(self, listener: Listener, count: int) -> int:
        """Accepts and serves at most `count` clients one after the other; returns how many there were."""
        for accepted in range(count):
            if len(self._connections) >= self.settings.worker_connections and not self._shed_idle():
                self._pause_listening()
                return accepted
            try:
                sock, address = listener.sock.accept()
            except BlockingIOError:
                return accepted
            except OSError as error:
                if error.errno in _EXHAUSTED:
                    self.note_refusal("exhausted", None, f"cannot accept: {os.strerror(error.errno or 0)}")
                    if not self._shed_idle():
                        self._pause_listening()
                        self._accepts_at = self.now + _EXHAUSTED_PAUSE
                    return accepted
                # The client gave up between its SYN and this accept (accept(2)): the next one may be fine.
                continue
            sock.setblocking(False)
            peer = None if isinstance(address, (str, bytes)) else (address[0], address[1])
            fd = sock.detach()
            connection = Connection(self, fd, peer, listener, self._trusts(peer))
            self._connections[fd] = connection
            self._slot.count_accepted()
            # Its request is often here already; then a client that closes at once never needs a registration.
            connection.on_readable()
            if not connection.is_closed and not connection.is_watched:
                connection.is_watched = True
                self._poller.register(fd, _READ)
        return count

    def accept_backlog(self) -> None:
        """Accepts whatever the kernel holds for the listeners now, for a worker that nobody comes after."""
        for listener in self._listeners.values():
            while self._accept_some(listener, _ACCEPTS) == _ACCEPTS:
                pass

    def _watch_listeners(self) -> None:
        if not self._is_listening and self._listeners:
            self._is_listening = True
            self._accepts_at = 0.0
            for fd in self._listeners:
                # Of several workers that wait, one is woken (epoll_ctl(2)).
                self._poller.register(fd, select.EPOLLIN | select.EPOLLEXCLUSIVE)

    def _pause_listening(self) -> None:
        if self._is_listening:
            self._is_listening = False
            for fd in self._listeners:
                self._poller.unregister(fd)

    def _shed_idle(self) -> bool:
        """Closes the client that has been idle longest to make room; False if none is idle."""
        for kind in (TimerKind.KEEP_ALIVE, TimerKind.FIRST_BYTE):
            connection = self.timers[kind].oldest()
            if connection is not None and connection.is_idle:
                self.note_refusal("connections", connection.peer, "an idle connection was closed to make room")
                connection.close()
                return True
        return False

    # --- leaving ---

    def stop_listening(self) -> None:
        """Accepts nobody any more."""
        self._pause_listening()
        self._listeners = {}

    def drain(self) -> None:
        """Lets every connection end: after its current request, or after a short grace when it is idle."""
        self.is_draining = True
        self.keeps_alive = False
        for connection in list(self._connections.values()):
            connection.drain()

    @property
    def open_connections(self) -> int:
        """How many clients are connected."""
        return len(self._connections)

    def close(self) -> None:
        """Closes every connection and the loop itself."""
        for connection in list(self._connections.values()):
            connection.close()
        self._poller.close()

    # --- called by connections ---

    def handle(self, exchange: Exchange) -> None:
        """Gives a whole request to the handler."""
        self._slot.begin(exchange.request.line.encode("latin-1"), self.now)
        self._handler.handle(exchange)

    def ended(self) -> None:
        """A response is complete or its connection lost."""
        # The application may have taken long; what is armed now counts from now.
        self.now = now = monotonic()
        self._slot.end(now)

    def beat(self) -> None:
        """Says that this worker is alive, from inside a wait."""
        self.now = now = monotonic()
        self._slot.beat(now)

    def run_again(self, connection: Connection) -> None:
        """`connection` has more to do in the next turn."""
        self._again.append(connection)

    def watch_writable(self, connection: Connection) -> None:
        """`connection` has output that the kernel does not take yet."""
        if connection.is_watched:
            self._poller.modify(connection.fd, _READ_WRITE)
        else:
            # It is being served inside `_accept_some`, which registers it only if nobody has.
            connection.is_watched = True
            self._poller.register(connection.fd, _READ_WRITE)

    def forget(self, connection: Connection) -> None:
        """`connection` is about to close its descriptor, which also ends its registration (epoll(7))."""
        self._connections.pop(connection.fd, None)
        if not self._is_listening:
            self._watch_listeners()

    def note_refusal(self, kind: str, peer: tuple[str, int] | None, detail: str, status: str = "") -> None:
        """Counts and logs that a client was sent away."""
        self._slot.count_refused()
        self._on_refusal(kind, peer, detail, status)

    def response_tail(self) -> str:
        """The Date and Server fields, each with its CRLF; made anew each second."""
        second = int(wall_clock())
        if second != self._tail_second:
            self._tail_second = second
            self._tail = f"Date: {formatdate(second, usegmt=True)}\r\n{_SERVER}"
        return self._tail
