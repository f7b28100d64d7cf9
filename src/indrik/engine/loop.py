"""The loop: waits for sockets, accepts, gives each event to its connection, and lets deadlines pass.

Run it by calling `turn` again and again, or let a host loop watch `fileno()` and call `turn(0)` when it is
readable.
"""

from __future__ import annotations

import errno
import os
import select
from collections.abc import Callable, Sequence

import cython

from indrik.engine.connection import Connection
from indrik.engine.context import Context, RefusalSink
from indrik.engine.exchange import Handler
from indrik.engine.settings import EngineSettings
from indrik.engine.transport import monotonic
from indrik.net.listeners import Listener
from indrik.scoreboard import Slot

#: Connections accepted in one turn of the loop: enough to empty a backlog quickly, few enough that siblings
#: get theirs.
_ACCEPTS = 16

#: Seconds for which nobody is accepted when the process or the machine is out of descriptors or memory. A
#: connection that closes ends the pause, but the shortage may not be of this worker's making.
_EXHAUSTED_PAUSE = 1.0
_EXHAUSTED = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})

_WRITABLE = int(select.EPOLLOUT)
_READABLE = int(select.EPOLLIN)
_ENDED = int(select.EPOLLRDHUP | select.EPOLLHUP | select.EPOLLERR)


def _nobody(peer: tuple[str, int] | None) -> bool:
    return False


class Engine:
    """One loop with its listeners and connections. Owned by one thread of one worker.

    handler: answers requests. slot: this worker's place on the scoreboard. trusts: whether a peer (None: unix
    socket) may say for whom it forwards. proxies: whether a peer may send a PROXY header, asked only when
    `proxy_protocol` is on.
    """

    def __init__(
        self,
        settings: EngineSettings,
        handler: Handler,
        slot: Slot,
        trusts: Callable[[tuple[str, int] | None], bool],
        on_refusal: RefusalSink,
        proxies: Callable[[tuple[str, int] | None], bool] = _nobody,
    ) -> None:
        self.context = Context(settings, handler, slot, on_refusal)
        self._trusts = trusts
        self._proxies = None if settings.proxy_protocol == "off" else proxies
        self._listeners: dict[int, Listener] = {}
        self._wakeups: dict[int, Callable[[], None]] = {}
        self._is_listening = False
        self._is_interrupted = False
        self._accepts_at = 0.0
        self._most_connections = settings.worker_connections

    # --- set-up ---

    def listen(self, listeners: Sequence[Listener]) -> None:
        """Accepts from `listeners` from now on. They stay the caller's to close."""
        self._listeners = {listener.fileno(): listener for listener in listeners}
        self._watch_listeners()

    def watch(self, fd: int, callback: Callable[[], None]) -> None:
        """Calls `callback` in the loop whenever `fd` is readable."""
        self._wakeups[fd] = callback
        self.context.poller.watch_readable(fd)

    def fileno(self) -> int:
        """A descriptor that is readable when `turn(0)` has something to do; deadlines excepted
        (`next_deadline`).
        """
        return self.context.poller.fileno()

    # --- the loop ---

    def run(self, seconds: cython.double, served: cython.longlong) -> None:
        """Turns for `seconds`, until `interrupt`, or until `served` requests have been served in all."""
        context = self.context
        end: cython.double = monotonic() + seconds
        self._is_interrupted = False
        while not self._is_interrupted and context.now < end and context.served < served:
            self.turn(end - context.now)

    def interrupt(self) -> None:
        """Makes `run` return after its current turn. For callbacks of `watch`."""
        self._is_interrupted = True

    def turn(self, timeout: cython.double) -> None:
        """Waits at most `timeout` seconds for events and deals with them and with every deadline that has
        passed.
        """
        context = self.context
        poller = context.poller
        connections: dict[int, Connection] = context.connections
        knocks: list[int] | None = None
        flags: cython.uint
        fd: cython.int
        index: cython.Py_ssize_t
        count: cython.Py_ssize_t
        left: cython.double
        connection: Connection | None

        if context.again or context.is_spooling:
            timeout = 0.0
        else:
            left = self.next_deadline() - context.now
            if left < timeout:
                timeout = left if left > 0.0 else 0.0
        count = poller.wait(timeout)
        context.now = monotonic()
        context.slot.beat(context.now)
        for index in range(count):
            fd = poller.fd_at(index)
            flags = poller.flags_at(index)
            connection = connections.get(fd)
            if connection is not None:
                if flags & _WRITABLE:
                    connection.on_writable()
                if flags & _ENDED:
                    connection.on_readable_to_end()
                elif flags & _READABLE:
                    connection.on_readable()
            elif fd in self._listeners:
                if knocks is None:
                    knocks = []
                knocks.append(fd)
            elif fd in self._wakeups:
                self._wakeups[fd]()
        if context.again:
            again = list(context.again)
            context.again.clear()
            for connection in again:
                connection.resume()
        if context.is_spooling:
            context.is_spooling = context.backlog.write_some()
        # New clients last: what this worker has accepted already comes before what a sibling could take.
        if knocks is not None:
            for fd in knocks:
                if fd in self._listeners:
                    self._accept_some(self._listeners[fd], _ACCEPTS)
        if context.has_room:
            context.has_room = False
            self._watch_listeners()
        self._expire()

    def next_deadline(self) -> float:
        """When `turn` must be called at the latest, in monotonic seconds; `timers.NEVER` when nothing
        waits.
        """
        earliest = self.context.timers.next_deadline()
        return min(earliest, self._accepts_at) if self._accepts_at else earliest

    def _expire(self) -> None:
        context = self.context
        if self._accepts_at and self._accepts_at <= context.now:
            self._watch_listeners()
        for queue in context.timers.queues:
            queue.expire(context.now)

    # --- accepting ---

    def _accept_some(self, listener: Listener, most: int) -> int:
        """Accepts and serves at most `most` clients one after the other; returns how many there were."""
        context = self.context
        for accepted in range(most):
            if len(context.connections) >= self._most_connections:
                if accepted:
                    # Nobody is sent away for a client that may not exist: the next turn knows of one.
                    return accepted
                if not self._shed_idle():
                    self._pause_listening()
                    return accepted
            try:
                sock, address = listener.sock.accept()
            except BlockingIOError:
                return accepted
            except OSError as error:
                if error.errno in _EXHAUSTED:
                    context.note_refusal("exhausted", None, f"cannot accept: {os.strerror(error.errno or 0)}")
                    if not self._shed_idle():
                        self._pause_listening()
                        self._accepts_at = context.now + _EXHAUSTED_PAUSE
                    return accepted
                # The client gave up between its SYN and this accept (accept(2)): the next one may be fine.
                continue
            sock.setblocking(False)
            peer = None if isinstance(address, (str, bytes)) else (address[0], address[1])
            fd = sock.detach()
            connection = Connection(context, fd, peer, listener, self._trusts(peer))
            if self._proxies is not None:
                connection.expect_proxy_header(self._proxies(peer))
            context.connections[fd] = connection
            context.slot.count_accepted()
            # Its request is often here already; then a client that closes at once never needs a registration.
            connection.on_readable()
            if not connection.is_closed and not connection.is_watched:
                connection.is_watched = True
                context.poller.watch_connection(fd, False)
        return most

    def accept_backlog(self) -> None:
        """Accepts whatever the kernel holds for the listeners now, for a worker that nobody comes after."""
        for listener in self._listeners.values():
            while self._accept_some(listener, _ACCEPTS):
                pass

    def _watch_listeners(self) -> None:
        if not self._is_listening and self._listeners:
            self._is_listening = True
            self._accepts_at = 0.0
            for fd in self._listeners:
                self.context.poller.watch_listener(fd)

    def _pause_listening(self) -> None:
        if self._is_listening:
            self._is_listening = False
            for fd in self._listeners:
                self.context.poller.forget(fd)

    def _shed_idle(self) -> bool:
        """Closes the client that has been idle longest to make room; False if none is idle."""
        timers = self.context.timers
        for queue in (timers.keep_alive, timers.first_byte):
            connection = queue.oldest
            if isinstance(connection, Connection) and connection.is_idle:
                self.context.note_refusal(
                    "connections", connection.peer, "an idle connection was closed to make room"
                )
                connection.close()
                return True
        return False

    # --- leaving ---

    def stop_listening(self) -> None:
        """Accepts nobody any more."""
        self._pause_listening()
        self._listeners = {}
        self._accepts_at = 0.0

    def drain(self) -> None:
        """Lets every connection end: after its current request, or after a short grace when it is idle."""
        self.context.is_draining = True
        self.context.keeps_alive = False
        for connection in list(self.context.connections.values()):
            connection.drain()

    @property
    def served(self) -> int:
        """Requests served so far."""
        return self.context.served

    @property
    def open_connections(self) -> int:
        """How many clients are connected."""
        return len(self.context.connections)

    def close(self) -> None:
        """Closes every connection and the loop itself."""
        for connection in list(self.context.connections.values()):
            connection.close()
        self.context.poller.close()
