"""Several threads on one engine: one leads, the others answer requests or rest.

The leader waits for events, and calls the handler itself for each whole request: nothing is handed to another
thread as long as the application is quick. When the leader has been inside the application for a while, or
when the application is known to take long, the lead goes to a thread that rests. One thread more than may be
inside the application exists, so there is always one to take the lead: with all others inside, it goes on
reading, and whole requests wait in a queue that the threads serve as they come back.
"""

from __future__ import annotations

import contextlib
import os
import threading

# gevent replaces those of `threading`.
from _thread import allocate_lock
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import cython
else:
    from indrik import uncompiled as cython

from indrik.engine.exchange import Exchange, Handler
from indrik.engine.interruption import interrupt_application
from indrik.engine.loop import Engine
from indrik.engine.queued import RequestQueue
from indrik.engine.transport import monotonic, pause
from indrik.errors import RequestTimeout

#: Seconds inside the application after which a call counts as long; also the period in which the watcher
#: looks at the leader, so the lead changes after one to two of them. A change costs some 20 µs.
_LONG = 0.0005

#: Periods without any request after which the watcher rests until the next one.
_QUIET_PERIODS = 4

#: Share of long calls from which on the lead is given away before each call, and how many calls the share
#: remembers.
_MOSTLY_LONG = 0.5
_MEMORY = 16.0

#: `Crew.serve_until` without a limit.
_NO_LIMIT = 1 << 62


#: Seconds that a thread has to leave the application after it was told to, before it counts as stuck.
_GRACE = 5.0

#: Seconds after which a thread that could not be interrupted where it was is looked at again.
_SOON = 0.01

#: `Member.stage` of a call in time, of one that was told to end, and of one that has not ended all the same.
_IN_TIME = 0
_TOLD = 1
_STUCK = 2


class Member:
    """One thread of a crew. `gate` keeps it resting until it is opened; for whoever holds the ownership.

    ident: the thread's identifier. exchange: what it is inside the application with, None for nothing. stage:
    of that call. is_interrupted: whether the exception has been raised in it, or is about to be.
    """

    def __init__(self, number: int) -> None:
        self.number = number
        self.exchange: Exchange | None = None
        self.stage = _IN_TIME
        self.is_interrupted = False
        self.ident = 0
        self.gate = allocate_lock()
        self.gate.acquire()


class Crew:
    """The threads of one engine. Made and stopped by the main thread, which takes no part.

    threads: how many may be inside the application. queue_timeout: seconds that a whole request may wait for
    one of them, 0 for any time. longest_wait: seconds that a turn may wait, for the worker's heartbeat.
    on_news: called by any thread, with the ownership held, when the main thread should look: the limit of
    `serve_until` is reached, the last connection of a worker that leaves has closed, or `failure` or
    `shortage` is set.

    failure: what the application raised to end the worker. shortage: why no other thread can be had, for
    whoever takes it away; then the leader goes on leading, and nobody reads while it is inside the
    application.
    """

    def __init__(
        self,
        engine: Engine,
        handler: Handler,
        threads: int,
        queue_timeout: float,
        longest_wait: float,
        on_news: Callable[[], None],
    ) -> None:
        self.engine = engine
        self._context = engine.context
        self._ownership = engine.context.ownership
        self._handler = handler
        self._threads = threads
        self._longest_wait = longest_wait
        self._on_news = on_news
        self.failure: BaseException | None = None
        self.shortage: str | None = None
        self._is_short = False
        self.members: list[Member] = []
        self._resting: list[Member] = []
        self._queue = RequestQueue(queue_timeout, "thread", engine.context.slot)
        self._leader: Member | None = None
        self._inside = 0
        self._is_over = False
        self._limit = _NO_LIMIT
        self._request_timeout = 0.0
        self._on_overdue: Callable[[Member], None] | None = None
        self._on_stuck: Callable[[Member], None] | None = None
        # For the watcher: whether the leader is inside the application, and in the how manyth call.
        self._leader_inside = False
        self._calls = 0
        self._seen = 0
        self._long_share = 0.0
        self._watcher_rests = False
        self._watcher_gate = allocate_lock()
        self._watcher_gate.acquire()
        self._wake_fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)

    def start(self) -> None:
        """Starts the first thread and the watcher; others follow when they are needed. Main thread."""
        self.engine.watch(self._wake_fd, self._read_wake)
        self._context.on_wake(self._write_wake)
        threading.Thread(target=self._watch, name="indrik-watcher", daemon=True).start()
        self._ownership.acquire()
        try:
            self._hire()
        finally:
            self._ownership.release()

    def stop(self) -> None:
        """Lets every thread end when it comes back; waits for none. Main thread, without the ownership."""
        self._ownership.acquire()
        try:
            self._is_over = True
            for member in self._resting:
                member.gate.release()
            self._resting.clear()
            self._write_wake()
            self._wake_watcher()
        finally:
            self._ownership.release()

    def serve_until(self, served: int | None) -> None:
        """Calls `on_news` once when `served` requests have been served in all; None: never."""
        self._limit = _NO_LIMIT if served is None else served

    def limit_requests(
        self, seconds: float, on_overdue: Callable[[Member], None], on_stuck: Callable[[Member], None]
    ) -> None:
        """Ends a call of the application after `seconds`. Before `start`.

        `on_overdue` is called, with the ownership held, before the thread is told; `on_stuck` when it has not
        left the application some seconds later.
        """
        self._request_timeout = seconds
        self._on_overdue = on_overdue
        self._on_stuck = on_stuck

    @contextlib.contextmanager
    def owned(self) -> Iterator[None]:
        """The engine's ownership, for the main thread. What it does meanwhile may make work for the
        leader.
        """
        self._ownership.acquire()
        try:
            yield
        finally:
            self._context.wake()
            self._ownership.release()

    @property
    def waiting(self) -> int:
        """Whole requests that wait for a thread."""
        return self._queue.length

    @property
    def is_at_rest(self) -> bool:
        """Whether no request is inside the application or waits for it. With the ownership."""
        return not self._inside and not self._queue.length

    # --- the threads; everything below runs with the ownership held, but for what is marked ---

    def _hire(self) -> None:
        """A new thread, which leads as soon as it runs. Raises `RuntimeError` if there can be no more."""
        member = Member(len(self.members))
        threading.Thread(
            target=self._serve, args=(member,), name=f"indrik-{member.number}", daemon=True
        ).start()
        # Behind what may fail; the thread waits for the ownership until then.
        self.members.append(member)
        self._leader = member

    def _serve(self, member: Member) -> None:
        """A thread's life. Without the ownership."""
        member.ident = threading.get_ident()
        self._ownership.acquire()
        try:
            while not self._is_over:
                if self._leader is member:
                    self._lead(member)
                else:
                    self._rest(member)
        except BaseException as error:
            # Only what ends the worker comes here (Handler.handle), or a fault of this very code.
            self.failure = error
            if member.exchange is not None:
                self._inside -= 1
            self._on_news()
        finally:
            self._ownership.release()

    def _rest(self, member: Member) -> None:
        self._resting.append(member)
        self._ownership.release()
        member.gate.acquire()
        self._ownership.acquire()

    def _lead(self, member: Member) -> None:
        """Turns and answers until another thread leads and no request waits."""
        context = self._context
        engine = self.engine
        exchange: Exchange | None
        while self._leader is member and not self._is_over:
            engine.is_full = self._inside >= self._threads
            exchange = engine.next_exchange()
            if exchange is not None:
                if self._inside >= self._threads or self._queue.length:
                    self._queue.put(exchange)
                else:
                    self._call(member, exchange)
                self._serve_queue(member)
                continue
            if context.served >= self._limit or (context.is_draining and not context.connections):
                self._limit = _NO_LIMIT
                self._on_news()
            self._wait()

    def _wait(self) -> None:
        """Waits for events as the leader."""
        context = self._context
        longest: cython.double = self._longest_wait
        timeout: cython.double
        if self._queue.length:
            longest = min(longest, self._queue.expire(context.now) - context.now)
        timeout = self.engine.wait_time(longest)
        if self._request_timeout and self._inside:
            timeout = min(timeout, self._end_overdue())
        if timeout > 0.0:
            context.sleeps_until = context.now + timeout
        self._ownership.release()
        self.engine.poll(timeout)
        self._ownership.acquire()
        context.sleeps_until = 0.0

    def _call(self, member: Member, exchange: Exchange) -> None:
        """Has `exchange` answered by this thread; gives the ownership up meanwhile."""
        context = self._context
        took: cython.double
        if exchange.channel.is_closed:
            # Its client broke the connection while it waited; nobody would get the answer.
            exchange.close_body()
            return
        context.begin(exchange)
        began: cython.double = exchange.started_at
        self._inside += 1
        member.exchange = exchange
        if self._request_timeout:
            member.stage = _IN_TIME
            exchange.deadline = monotonic() + self._request_timeout
        if self._leader is member:
            if self._long_share >= _MOSTLY_LONG:
                self._promote()
            else:
                self._calls += 1
                self._leader_inside = True
                if self._watcher_rests:
                    self._wake_watcher()
        self._ownership.release()
        try:
            self._handler.handle(exchange)
        except RequestTimeout:
            # It came in a hook behind the application; the client has its answer.
            pass
        finally:
            self._ownership.acquire()
        # What was not raised was taken back when the application was left.
        member.stage = _IN_TIME
        member.is_interrupted = False
        if self._leader is member:
            self._leader_inside = False
        member.exchange = None
        self._inside -= 1
        took = monotonic() - began
        self._long_share += ((1.0 if took > _LONG else 0.0) - self._long_share) / _MEMORY

    def _serve_queue(self, member: Member) -> None:
        while self._queue.length and self._inside < self._threads and not self._is_over:
            # The wait that ends here is being measured, and the last event may be long ago.
            self._context.now = monotonic()
            self._call(member, self._queue.take())

    def _promote(self) -> None:
        """Gives the lead to a thread that rests."""
        self._leader_inside = False
        if self._resting:
            member: Member = self._resting.pop()
            self._leader = member
            member.gate.release()
        elif len(self.members) <= self._threads:
            try:
                self._hire()
                self._is_short = False
            except RuntimeError as error:
                if not self._is_short:
                    self._is_short = True
                    self.shortage = str(error)
                    self._on_news()

    def _end_overdue(self) -> cython.double:
        """Ends calls whose deadline has passed; seconds until the next deadline."""
        now: cython.double = self._context.now
        nearest: cython.double = self._longest_wait
        left: cython.double
        member: Member
        exchange: Exchange | None
        for member in self.members:
            exchange = member.exchange
            if exchange is None or member.stage == _STUCK:
                continue
            left = exchange.deadline - now
            if member.stage == _TOLD:
                left += _GRACE
            if left <= 0.0:
                if member.stage == _TOLD:
                    member.stage = _STUCK
                    if self._on_stuck is not None:
                        self._on_stuck(member)
                    continue
                member.stage = _TOLD
                left = _GRACE
                if self._on_overdue is not None:
                    self._on_overdue(member)
                exchange.end_overdue()
            nearest = min(nearest, left)
            if member.stage == _TOLD and not member.is_interrupted:
                member.is_interrupted = interrupt_application(exchange, member.ident, RequestTimeout)
                if not member.is_interrupted:
                    # It is in code of ours, which it leaves soon.
                    nearest = min(nearest, _SOON)
        return nearest

    # --- waking ---

    def _write_wake(self) -> None:
        os.eventfd_write(self._wake_fd, 1)

    def _read_wake(self) -> None:
        os.eventfd_read(self._wake_fd)

    def _wake_watcher(self) -> None:
        if self._watcher_rests:
            self._watcher_rests = False
            self._watcher_gate.release()

    def _watch(self) -> None:
        """The watcher's life: notices a leader that stays inside the application. Without the ownership."""
        while not self._is_over:
            self._watch_leader()
            self._ownership.acquire()
            rests: cython.bint = False
            # Once more, with nobody else at work.
            if self._leader_inside:
                if self._calls == self._seen:
                    self._promote()
            elif self._calls == self._seen and not self._is_over:
                self._watcher_rests = rests = True
            self._ownership.release()
            if rests:
                self._watcher_gate.acquire()

    def _watch_leader(self) -> None:
        """Returns when the leader has been inside one call for a period, or had no call for some periods.

        Looks without the GIL, so a leader who computes is not disturbed, and one who waits costs nobody a
        turn: what it reads are plain words, and whoever acts on them looks again with the ownership.
        """
        quiet: cython.int = 0
        with cython.nogil:
            while not self._is_over:
                pause(_LONG)
                if self._calls != self._seen:
                    self._seen = self._calls
                    quiet = 0
                elif self._leader_inside:
                    break
                else:
                    quiet += 1
                    if quiet >= _QUIET_PERIODS:
                        break
