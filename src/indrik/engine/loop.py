"""The loop: waits for sockets, accepts, gives each event to its connection, and lets deadlines pass.

A kind with one thread calls `turn` again and again, or lets a host loop watch `fileno()` and call `turn(0)`
when it is readable. A kind with several takes the turn apart: `poll` in the one thread that waits, then
`next_exchange` by whoever holds the engine's ownership until it finds nothing more; another thread may go on
where one has left off.
"""

from __future__ import annotations

import errno
import os
import select
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import cython
else:
    from indrik import uncompiled as cython

from indrik.engine.connection import Connection
from indrik.engine.context import Context, RefusalRecord
from indrik.engine.exchange import Exchange, Handler
from indrik.engine.intake import Intake
from indrik.engine.keepers import DebuggerRule, SuccessorsRule
from indrik.engine.settings import EngineSettings
from indrik.engine.siblings import Passed, Sibling, Siblings
from indrik.engine.timers import TimerQueue
from indrik.engine.transport import close_descriptor, monotonic
from indrik.engine.waiting import Waiting
from indrik.net.listeners import Listener
from indrik.net.mailbox import Mailbox
from indrik.scoreboard.slot import Slot

if TYPE_CHECKING:
    from indrik.engine.waiting_room import WaitingRoom

#: Connections accepted in one turn of the loop: enough to empty a backlog quickly, few enough that siblings
#: get theirs.
_ACCEPTS = 16

#: Seconds for which nobody is accepted when the process or the machine is out of descriptors or memory. A
#: connection that closes ends the pause, but the shortage may not be of this worker's making.
_EXHAUSTED_PAUSE = 1.0
_EXHAUSTED = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})

#: Seconds after which a worker with nothing to do looks for clients of whom the kernel has told another only.
_LOOK_INTERVAL = 0.5

_WRITABLE = int(select.EPOLLOUT)
_READABLE = int(select.EPOLLIN)
_ENDED = int(select.EPOLLRDHUP)
_BROKEN = int(select.EPOLLHUP | select.EPOLLERR)

#: Rounds over connections with more to do, and seconds for them, before the kernel is asked for events again.
_ROUNDS = 16
_LONG_TURN = 0.005

# Where `next_exchange` goes on.
_POLL_NEXT = 0
_POLLED = 1
_EVENTS = 2
_AGAIN = 3
_ACCEPTING = 4


def _nobody(peer: tuple[str, int] | None) -> bool:
    return False


class Engine:
    """One loop with its listeners and connections. One process; for whoever holds `ownership`, where a method
    does not say otherwise.

    handler: answers requests. slot: this worker's place on the scoreboard. trusts: whether a peer (None: unix
    socket) may say for whom it forwards. proxies: whether a peer may send a PROXY header, asked only when
    `proxy_protocol` is on. waiting: how the kind waits for a client in the middle of a request. siblings:
    with whom the worker shares the load, None for nobody. is_full: set by whoever drives the loop: all that
    can answer are inside the application. room: the `WaitingRoom` of requests that the handler could not
    begin with, None where it always can.
    """

    def __init__(
        self,
        settings: EngineSettings,
        handler: Handler,
        slot: Slot,
        trusts: Callable[[tuple[str, int] | None], bool],
        on_refusal: Callable[[RefusalRecord], None],
        proxies: Callable[[tuple[str, int] | None], bool] = _nobody,
        waiting: Waiting | None = None,
        siblings: Siblings | None = None,
    ) -> None:
        self.context = Context(settings, handler, slot, on_refusal, waiting or Waiting())
        self._siblings = siblings
        if siblings is not None and settings.sticky:
            # Late: most servers do without.
            from indrik.engine.sticky import Sticky

            self.context.sticky = Sticky(*settings.sticky, siblings)
        if siblings is not None and settings.has_debugger:
            self.context.sticky = DebuggerRule(siblings, self.context.sticky)
        self._mailbox_fd = -1
        self._trusts = trusts
        self._proxies = None if settings.proxy_protocol == "off" else proxies
        self._listeners: dict[int, Listener] = {}
        self._wakeups: dict[int, Callable[[], None]] = {}
        self._is_listening = False
        self.is_full = False
        self._is_interrupted = False
        self._accepts_at = 0.0
        self._most_connections = settings.worker_connections
        self.room: WaitingRoom | None = None
        self._stage = _POLL_NEXT
        # Of the turn in progress: events found and dealt with, connections to resume and done, listeners that
        # were knocked at, how many were accepted at the first of them.
        self._found = 0
        self._dealt = 0
        self._resuming: list[Intake] = []
        self._resumed = 0
        self._rounds = 0
        self._knocks: list[Listener | Mailbox] = []
        self._accepted = 0
        # Of two workers that wait, the kernel wakes the one that has been in the line for longer.
        self._steps_back = False
        self._stepped_at = 0.0

    # --- set-up ---

    def listen(self, listeners: Sequence[Listener]) -> None:
        """Accepts from `listeners` from now on. They stay the caller's to close."""
        self._listeners = {listener.fileno(): listener for listener in listeners}
        if self._siblings is not None:
            self._siblings.listeners = list(listeners)
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
        """Waits at most `timeout` seconds for events, deals with them and with every deadline that has
        passed, and calls the handler for each request that is whole. For kinds with one thread.
        """
        context = self.context
        exchange: Exchange | None
        self.poll(self.wait_time(timeout))
        while True:
            exchange = self.next_exchange()
            if exchange is None:
                return
            context.begin(exchange)
            context.handler.handle(exchange)

    def wait_time(self, most: cython.double) -> cython.double:
        """Seconds that `poll` may wait now, at most `most`."""
        context = self.context
        left: cython.double
        if context.again or context.is_spooling or self._stage != _POLL_NEXT:
            return 0.0
        left = self.next_deadline() - context.now
        if left < most:
            return left if left > 0.0 else 0.0
        return most

    def poll(self, timeout: cython.double) -> None:
        """Waits at most `timeout` seconds for events. Without the ownership; by one thread at a time."""
        if self._stage == _POLL_NEXT:
            self._found = self.context.poller.wait(timeout)
            self._stage = _POLLED

    def next_exchange(self) -> Exchange | None:
        """Goes on with the turn until a request is whole: that request, or None at the end of the turn.

        The caller begins it (`Context.begin`) when it gives it to the handler.
        """
        context = self.context
        exchange: Exchange | None
        if self._stage == _POLLED:
            context.now = context.polled_at = monotonic()
            context.slot.beat(context.now)
            context.slot.note_turning(True)
            if not self._found and context.now - self._stepped_at > _LOOK_INTERVAL:
                self._steps_back = self._siblings is not None
            self._dealt = 0
            self._stage = _EVENTS
        if self.room is not None:
            exchange = self.room.take(monotonic())
            if exchange is not None:
                return exchange
        if self._stage == _EVENTS:
            while self._dealt < self._found:
                self._on_event(self._dealt)
                self._dealt += 1
                if context.pending is not None:
                    exchange = context.pending
                    context.pending = None
                    if context.shortcut is None or not context.shortcut.answers(exchange):
                        return exchange
            self._rounds = 0
            self._stage = _AGAIN
        if self._stage == _AGAIN:
            while self._resumed < len(self._resuming) or self._may_resume():
                self._resuming[self._resumed].resume()
                self._resumed += 1
                if context.pending is not None:
                    exchange = context.pending
                    context.pending = None
                    if context.shortcut is None or not context.shortcut.answers(exchange):
                        return exchange
            if context.is_spooling:
                context.is_spooling = context.backlog.write_some()
            self._stage = _ACCEPTING
        if self._stage == _ACCEPTING:
            # New clients last: what this worker has accepted already comes before what a sibling could take.
            while self._knocks:
                if self._accepted < _ACCEPTS and self._accept(self._knocks[0], True):
                    self._accepted += 1
                else:
                    self._knocks.pop(0)
                    self._accepted = 0
                if context.pending is not None:
                    exchange = context.pending
                    context.pending = None
                    if context.shortcut is None or not context.shortcut.answers(exchange):
                        return exchange
            self._stage = _POLL_NEXT
            if context.has_room:
                context.has_room = False
                self._watch_listeners()
            if self._steps_back:
                self._step_back()
            self._expire()
            context.slot.note_turning(False)
        return None

    def _on_event(self, index: cython.Py_ssize_t) -> None:
        context = self.context
        fd: cython.int = context.poller.fd_at(index)
        flags: cython.uint = context.poller.flags_at(index)
        connections: dict[int, Connection] = context.connections
        connection: Connection | None = connections.get(fd)
        if connection is not None:
            if flags & _BROKEN:
                connection.on_broken()
                return
            if flags & _WRITABLE:
                connection.on_writable()
            if flags & _ENDED:
                connection.on_readable_to_end()
            elif flags & _READABLE:
                connection.on_readable()
        elif fd in self._listeners:
            self._knocks.append(self._listeners[fd])
        elif fd in self._wakeups:
            self._wakeups[fd]()
        elif fd == self._mailbox_fd:
            assert self._siblings is not None
            self._knocks.append(self._siblings.mailbox)

    def _may_resume(self) -> cython.bint:
        """Whether there is another round of connections with more to do, which it begins."""
        context = self.context
        self._resumed = 0
        if self._resuming:
            self._resuming.clear()
        if not context.again or self._rounds >= _ROUNDS:
            return False
        if context.now - context.polled_at > _LONG_TURN:
            return False
        self._rounds += 1
        self._resuming.extend(context.again)
        context.again.clear()
        return True

    def next_deadline(self) -> cython.double:
        """When `turn` must be called at the latest, in monotonic seconds; `timers.NEVER` when nothing
        waits.
        """
        earliest: cython.double = self.context.timers.next_deadline()
        if self._siblings is not None and self._siblings.recall_at:
            earliest = min(earliest, self._siblings.recall_at)
        if self.room is not None:
            earliest = min(earliest, self.room.look_at)
        return min(earliest, self._accepts_at) if self._accepts_at else earliest

    def _expire(self) -> None:
        context = self.context
        if self._accepts_at and self._accepts_at <= context.now:
            self._watch_listeners()
        if self._siblings is not None and 0.0 < self._siblings.recall_at <= context.now:
            self._recall(False)
        queue: TimerQueue
        for queue in context.timers.queues:
            queue.expire(context.now)

    # --- accepting ---

    def _accept(self, listener: Listener | Mailbox, serves: cython.bint) -> cython.bint:
        """Accepts one client, and serves what it has sent already if `serves`; False if there is none, or no
        room. From the mailbox, one that a sibling has accepted.
        """
        context = self.context
        if not isinstance(listener, Listener):
            return self._take()
        if listener.fileno() not in self._listeners:
            return False
        if len(context.connections) >= self._most_connections:
            # Nobody is sent away for a client that may not exist: after the first of a turn, the next one
            # knows.
            if self._accepted:
                return False
            if not self._shed_idle():
                self._pause_listening()
                return False
        try:
            # Without the socket that accept() makes: a patched process would make it one of gevent's.
            fd, address = listener.sock._accept()  # type: ignore[attr-defined]
        except BlockingIOError:
            return False
        except OSError as error:
            if error.errno not in _EXHAUSTED:
                # The client gave up between its SYN and this accept (accept(2)): the next one may be fine.
                return True
            self._note_exhausted(error, "accept")
            return False
        os.set_blocking(fd, False)
        peer = None if isinstance(address, (str, bytes)) else (address[0], address[1])
        context.slot.count_accepted()
        if serves and self._siblings is not None and context.connections:
            sibling = self._siblings.better_place(
                len(context.connections), context.closed, context.now, self.is_full
            )
            if sibling is not None and self._pass_on(sibling, fd, listener, peer):
                return True
            if self._siblings.is_crowded:
                self._steps_back = True
        connection = Connection(context, fd, peer, listener, self._trusts(peer))
        if self._proxies is not None:
            connection.expect_proxy_header(self._proxies(peer))
        context.connections[fd] = connection
        context.slot.note_open(len(context.connections))
        if serves:
            # Its request is often here already; then a client that closes at once never needs a registration.
            connection.on_readable()
            if connection.is_closed or connection.is_watched:
                return True
        connection.is_watched = True
        context.poller.watch_connection(fd, False)
        return True

    def _note_exhausted(self, error: OSError, deed: str) -> None:
        """No descriptors or memory are left: makes room, or accepts nobody for a while."""
        detail = f"cannot {deed}: {os.strerror(error.errno or 0)}"
        self.context.note_refusal(RefusalRecord("exhausted", None, detail))
        if not self._shed_idle():
            self._pause_listening()
            self._accepts_at = self.context.now + _EXHAUSTED_PAUSE

    def accept_backlog(self) -> bool:
        """Accepts what the kernel holds for the listeners now, for a worker that nobody comes after; whether
        somebody may be left there for want of room.
        """
        for listener in self._listeners.values():
            self._accepted = 0
            while self._accept(listener, False):
                self._accepted = 1
        self._accepted = 0
        return len(self.context.connections) >= self._most_connections

    def _watch_listeners(self) -> None:
        self._accepts_at = 0.0
        if not self._is_listening and self._listeners:
            self._is_listening = True
            for fd in self._listeners:
                self.context.poller.watch_listener(fd)
        if self._siblings is not None and self._mailbox_fd < 0:
            self._mailbox_fd = self._siblings.mailbox.fileno()
            self.context.poller.watch_readable(self._mailbox_fd)

    def _pause_listening(self) -> None:
        if self._is_listening:
            self._is_listening = False
            for fd in self._listeners:
                self.context.poller.forget(fd)
        if self._mailbox_fd >= 0:
            self.context.poller.forget(self._mailbox_fd)
            self._mailbox_fd = -1

    def _shed_idle(self) -> bool:
        """Closes the client that has been idle longest to make room; False if none is idle."""
        timers = self.context.timers
        for queue in (timers.keep_alive, timers.first_byte):
            connection = queue.oldest
            if isinstance(connection, Connection) and connection.is_idle:
                detail = "an idle connection was closed to make room"
                self.context.note_refusal(RefusalRecord("connections", connection.peer, detail))
                connection.close()
                return True
        return False

    # --- the siblings ---

    def _pass_on(
        self, sibling: Sibling, fd: int, listener: Listener, peer: tuple[str, int] | None
    ) -> cython.bint:
        """Gives the client that was just accepted to `sibling`; False if it does not take it."""
        siblings = self._siblings
        assert siblings is not None
        passed = Passed(
            siblings.listeners.index(listener),
            peer,
            "" if peer is None else str(peer[1]),
            self._trusts(peer),
            None,
            self._proxies is not None,
            0,
            False,
            b"",
        )
        if not siblings.pass_on(sibling, fd, passed, self.context.now):
            return False
        close_descriptor(fd)
        self._steps_back = True
        return True

    def _step_back(self) -> None:
        """Goes to the end of the line in which the kernel looks for a worker that waits.

        Because this one has more to do than others; or because it has nothing to do, and whoever the kernel
        has woken for a client may be stuck: a listener that is watched anew says at once who is there.
        """
        self._steps_back = False
        self._stepped_at = self.context.now
        if self._is_listening:
            poller = self.context.poller
            for fd in self._listeners:
                poller.forget(fd)
                poller.watch_listener(fd)

    def _take(self) -> cython.bint:
        """Takes one client that a sibling has passed on; False if there is none, or no room."""
        siblings = self._siblings
        assert siblings is not None
        if len(self.context.connections) >= self._most_connections and not self._shed_idle():
            self._pause_listening()
            return False
        try:
            found = siblings.take()
        except OSError as error:
            if error.errno not in _EXHAUSTED:
                raise
            self._note_exhausted(error, "take a connection that a sibling has passed on")
            return False
        if found is None:
            return False
        self._adopt(found[0], found[1]).resume()
        return True

    def _adopt(self, passed: Passed, fd: int) -> Connection:
        """The connection of a client that another worker has accepted; there is something to `resume`."""
        context = self.context
        siblings = self._siblings
        assert siblings is not None
        listener = siblings.listeners[passed.listener]
        connection = Connection(context, fd, passed.peer, listener, passed.is_trusted)
        if passed.awaits_proxy_header and self._proxies is not None:
            connection.expect_proxy_header(self._proxies(passed.peer))
        connection.continue_from(passed)
        context.connections[fd] = connection
        context.slot.note_open(len(context.connections))
        connection.is_watched = True
        context.poller.watch_connection(fd, False)
        return connection

    def _recall(self, is_last: bool) -> None:
        """Serves what siblings were passed and have not taken."""
        siblings = self._siblings
        assert siblings is not None
        try:
            for passed, fd in siblings.recall(self.context.now, is_last):
                self._adopt(passed, fd).resume_later()
        except OSError as error:
            if error.errno not in _EXHAUSTED:
                raise
            self._note_exhausted(error, "take a connection back that was passed on")
            siblings.recall_at = self.context.now + _EXHAUSTED_PAUSE

    # --- leaving ---

    def stop_listening(self) -> None:
        """Accepts nobody any more, and takes what is on its way between this worker and its siblings."""
        self._pause_listening()
        self._listeners = {}
        self._accepts_at = 0.0
        if self._siblings is not None:
            try:
                while (found := self._siblings.take()) is not None:
                    self._adopt(*found).resume_later()
            except OSError as error:
                if error.errno not in _EXHAUSTED:
                    raise
                # It stays there, and is taken as soon as a descriptor is free.
                self._note_exhausted(error, "take a connection that a sibling has passed on")
            self._recall(True)
            # What comes now is taken by whoever has sent it, unless this worker is quicker.
            self._watch_listeners()

    def drain(self) -> None:
        """Lets every connection end: after its current request, or after a short grace when it is idle."""
        self.context.is_draining = True
        self.context.keeps_alive = False
        for connection in list(self.context.connections.values()):
            connection.drain()

    def make_way(self) -> None:
        """Passes each request that begins from now on, on whatever connection, on to a successor if there is
        one, and in the end the idle connections too. With `drain`.
        """
        if self._siblings is not None:
            self.context.sticky = self.context.successors = SuccessorsRule(self._siblings)

    @property
    def served(self) -> int:
        """Requests served so far."""
        return self.context.served

    @property
    def open_connections(self) -> int:
        """How many clients are connected. Those that were passed on to a successor count until it has taken
        them: it may end before, and then they come back.
        """
        count = len(self.context.connections)
        if self.context.successors is not None:
            count += sum(one.under_way() for one in self.context.successors.siblings.others if one.is_watched)
        return count

    def close(self) -> None:
        """Closes every connection and the loop itself."""
        for connection in list(self.context.connections.values()):
            connection.close()
        self.context.poller.close()
