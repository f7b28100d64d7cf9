"""One greenlet for each request in progress, in a hub that watches the engine's descriptor.

The hub calls `turn`, which switches right into a greenlet for each whole request. When the application waits,
control comes back and the turn goes on with the next event. Nothing here knows of gevent: a `Host` does.

A greenlet that has served its request is used again (a new one costs more than a small request does), but
only if nobody else knows it: no timer that was left running, no local of `gevent.local`, nothing that could
reach the next request through it. Otherwise it ends.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from sys import getrefcount
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import cython
else:
    from indrik import uncompiled as cython

from indrik.engine.exchange import LEFT, Exchange, Handler
from indrik.engine.interruption import is_in_log
from indrik.engine.queued import RequestQueue
from indrik.engine.timers import NEVER, Timer, TimerQueue, disarm
from indrik.engine.transport import monotonic
from indrik.errors import ClientDisconnected, RequestTimeout

if TYPE_CHECKING:
    from indrik.engine.loop import Engine

#: Greenlets kept for the next requests; each costs some 10 KiB.
_MOST_IDLE = 64

#: Seconds that a turn may take before other greenlets of the hub get their turn.
_LONG_TURN = 0.005

#: Seconds that a timer may be late before it is set anew.
_SLACK = 0.0005

#: Seconds after which a greenlet that could not be interrupted where it waited is looked at again.
_SOON = 0.01

#: `Greenlets.serve_until` without a limit.
_NO_LIMIT = 1 << 62


class Host(Protocol):
    """The hub as the engine needs it. For its thread, where a method does not say otherwise."""

    def new_greenlet(self, run: Callable[[], None]) -> Any:
        """A greenlet whose parent is the hub, not started."""

    def back(self) -> None:
        """Switches from a greenlet to the hub; returns when somebody switches to the greenlet again."""

    def call_soon(self, function: Callable[..., Any], *arguments: Any) -> None:
        """Has the hub call `function`. Any thread."""

    def start_timer(self, seconds: float, function: Callable[[], None]) -> None:
        """Has the hub call `function` once after `seconds`, instead of what was started before."""

    def spawn(self, function: Callable[[], None]) -> None:
        """Calls `function` in a greenlet of its own, soon."""


class Carrier(Timer):
    """A greenlet and the request that it has in progress, None when it waits for one."""

    def __init__(self, crowd: Greenlets) -> None:
        Timer.__init__(self)
        self.exchange: Exchange | None = None
        self._crowd = crowd
        self.greenlet = crowd.host.new_greenlet(self.run)

    def run(self) -> None:
        """The greenlet's life."""
        crowd = self._crowd
        while True:
            crowd.host.back()
            if self.exchange is None:
                # Somebody has switched to a greenlet that was his in a request before, or it is not kept.
                return
            crowd.carry(self)

    def on_timeout(self, queue: TimerQueue) -> None:
        self._crowd.note_deadline(self)


class Greenlets(Handler):
    """The requests in progress of one engine. For the hub's thread.

    most: how many may be in progress; more wait for `queue_timeout` seconds (0: any time). longest_wait:
    seconds between two turns at most, for the worker's heartbeat. on_news: called when the worker should
    look: the limit of `serve_until` is reached, the last connection of a worker that leaves has closed, or
    `failure` is set. on_departure: called with the channel of an exchange whose client has left.

    failure: what the application raised to end the worker.
    """

    def __init__(
        self,
        handler: Handler,
        host: Host,
        most: int,
        queue_timeout: float,
        longest_wait: float,
        on_news: Callable[[], None],
        on_departure: Callable[[Any], None],
    ) -> None:
        self.host = host
        self.failure: BaseException | None = None
        self.drains: list[tuple[Any, Callable[[], None]]] = []
        self._handler = handler
        self._most = most
        self._queue = RequestQueue(queue_timeout, "greenlet")
        self._longest_wait = longest_wait
        self._on_news = on_news
        self._on_departure = on_departure
        self._carriers: dict[Exchange, Carrier] = {}
        self._idle: list[Carrier] = []
        # References to a greenlet that only its carrier knows; -1 before they were counted.
        self._alone = -1
        self._is_turning = False
        self._timer_at = 0.0
        self._limit = _NO_LIMIT
        self._request_timeout = 0.0
        self._overdue = TimerQueue("request", 0.0)
        self._extended: list[Carrier] = []
        self._untold: list[tuple[Carrier, Exchange, type[BaseException]]] = []
        self._note_overdue: Callable[[Exchange, Any], None] | None = None

    def start(self, engine: Engine) -> None:
        """Serves `engine` from now on. The hub is to call `turn` whenever its descriptor is readable."""
        self._queue.slot = engine.context.slot
        self._engine = engine
        self._context = engine.context
        self._context.on_wake(self._wake)
        self._wake()

    def serve_until(self, served: int | None) -> None:
        """Calls `on_news` once when `served` requests have been served in all; None: never."""
        self._limit = _NO_LIMIT if served is None else served

    def limit_requests(self, seconds: float, note_overdue: Callable[[Exchange, Any], None]) -> None:
        """Ends a call of the application after `seconds`. Before `start`.

        `note_overdue` is called with the exchange and its greenlet before that is told; it may not wait.
        """
        self._request_timeout = seconds
        self._overdue = TimerQueue("request", seconds)
        self._note_overdue = note_overdue

    @property
    def waiting(self) -> int:
        """Whole requests that wait for a greenlet."""
        return self._queue.length

    @property
    def in_progress(self) -> int:
        """Requests that have a greenlet."""
        return len(self._carriers)

    @property
    def is_at_rest(self) -> bool:
        """Whether no request is in progress or waits."""
        return not self._carriers and not self._queue.length

    # --- the hub's calls ---

    def turn(self) -> None:
        """Deals with events and deadlines, and begins requests. Called by the hub, in no greenlet."""
        engine = self._engine
        context = self._context
        exchange: Exchange | None
        began: cython.double
        context.sleeps_until = 0.0
        if self._alone < 0:
            self._count_alone()
        self._is_turning = True
        try:
            engine.poll(0.0)
            began = monotonic()
            while True:
                engine.is_full = len(self._carriers) >= self._most
                exchange = engine.next_exchange()
                if exchange is None:
                    break
                if len(self._carriers) >= self._most or self._queue.length:
                    self._queue.put(exchange)
                else:
                    self._begin(exchange)
                    if monotonic() - began > _LONG_TURN:
                        break
            self._serve_queue()
        except BaseException as error:
            # A fault of the engine, or raised by a signal's handler: the worker's end, not the hub's affair.
            self.failure = error
        finally:
            self._is_turning = False
            self._rest()

    def _rest(self) -> None:
        """Sees to it that the hub calls again in time."""
        context = self._context
        due: cython.double
        now: cython.double
        self._tell_drained()
        self._look_for_news()
        if self._engine.wait_time(1.0) <= 0.0:
            self.host.call_soon(self.turn)
            return
        now = monotonic()
        due = min(now + self._longest_wait, self._engine.next_deadline(), self._queue.expire(now))
        if self._request_timeout:
            due = min(due, self._end_overdue(now))
        if self._timer_at <= now or due < self._timer_at - _SLACK:
            self._timer_at = due
            self.host.start_timer(max(due - now, 0.0), self._on_timer)
        context.sleeps_until = self._timer_at

    def _on_timer(self) -> None:
        self._timer_at = 0.0
        if self._untold:
            untold = self._untold
            self._untold = []
            for entry in untold:
                self._interrupt(*entry)
        self.turn()

    def _wake(self) -> None:
        self.host.call_soon(self.turn)

    def _tell_drained(self) -> None:
        """Lets those go on that wait until a client took its output (see `drains`)."""
        if self.drains:
            waiting = self.drains
            self.drains = [entry for entry in waiting if not entry[0].is_drained()]
            for connection, go_on in waiting:
                if connection.is_drained():
                    self.host.call_soon(go_on)

    def _look_for_news(self) -> None:
        context = self._context
        if (
            context.served >= self._limit
            or (context.is_draining and not context.connections)
            or self.failure is not None
        ):
            self._limit = _NO_LIMIT
            self._on_news()

    # --- requests ---

    def handle(self, exchange: Exchange) -> None:
        """For an engine that is turned by hand, in the hub: begins `exchange`, or lets it wait."""
        if len(self._carriers) >= self._most or self._queue.length:
            self._queue.put(exchange)
        else:
            self._begin(exchange)

    def _begin(self, exchange: Exchange) -> None:
        """Switches into a greenlet for `exchange`; returns when it waits or is done."""
        carrier: Carrier
        if exchange.channel.is_closed:
            # Its client broke the connection while it waited; nobody would get the answer.
            exchange.close_body()
            return
        self._context.begin(exchange)
        carrier = self._take_carrier()
        carrier.exchange = exchange
        self._carriers[exchange] = carrier
        if self._request_timeout:
            exchange.deadline = exchange.started_at + self._request_timeout
            self._overdue.arm(carrier, exchange.started_at)
        carrier.greenlet.switch()

    def _serve_queue(self) -> None:
        while self._queue.length and len(self._carriers) < self._most:
            self._begin(self._queue.take())

    def carry(self, carrier: Carrier) -> None:
        """Has the request of `carrier` answered. In its greenlet."""
        exchange: Exchange | None = carrier.exchange
        assert exchange is not None
        try:
            self._handler.handle(exchange)
        except (RequestTimeout, ClientDisconnected):
            # It came when the application was left already; the client has its answer, or does not want it.
            pass
        except BaseException as error:
            # Only what ends the worker comes here (Handler.handle), or a fault of this very code.
            self.failure = error
        if carrier.queue is not None:
            disarm(carrier)
        carrier.exchange = None
        del self._carriers[exchange]
        self._idle.append(carrier)
        if not self._is_turning:
            if self._queue.length:
                self.host.call_soon(self._serve_queue)
            self._look_for_news()

    # --- greenlets ---

    def _take_carrier(self) -> Carrier:
        """A carrier whose greenlet nobody else knows. In the hub."""
        carrier: Carrier
        while self._idle:
            carrier = self._idle.pop()
            if len(self._idle) < _MOST_IDLE and self._is_unknown(carrier):
                return carrier
            # It comes back at once: it ends, or has ended.
            carrier.greenlet.switch()
        carrier = Carrier(self)
        carrier.greenlet.switch()
        return carrier

    def _is_unknown(self, carrier: Carrier) -> cython.bint:
        """Whether only `carrier` knows its greenlet, which still runs, and nobody has left anything in it."""
        greenlet = carrier.greenlet
        return (
            bool(greenlet)
            and getrefcount(greenlet) == self._alone
            and weakref.getweakrefcount(greenlet) == 0
            and not greenlet.__dict__
        )

    def _count_alone(self) -> None:
        """Counts with a greenlet that nobody can know. In the hub."""
        carrier = self._take_carrier()
        greenlet = carrier.greenlet
        # As in _is_unknown, so that this very look is in the count.
        self._alone = getrefcount(greenlet)
        greenlet = None
        self._idle.append(carrier)

    # --- clients that leave ---

    def client_left(self, exchange: Exchange) -> None:
        carrier: Carrier | None = self._carriers.get(exchange)
        if carrier is not None and exchange.departure == LEFT and exchange.has_begun:
            self.host.call_soon(self._interrupt, carrier, exchange, ClientDisconnected)
        if exchange.on_departure is not None:
            self.host.spawn(exchange.on_departure)
        self._on_departure(exchange.channel)

    def _interrupt(self, carrier: Carrier, exchange: Exchange, exception: type[BaseException]) -> None:
        """Raises `exception` in a request that is still in progress. In the hub, so that its greenlet waits;
        a little later where it waits in code of the server's or of a log, perhaps with half a line sent.
        """
        if carrier.exchange is not exchange:
            return
        if exception is ClientDisconnected and exchange.is_finished:
            return
        if exchange.shields or is_in_log(carrier.greenlet.gr_frame):
            self._untold.append((carrier, exchange, exception))
            soon: cython.double = monotonic() + _SOON
            if self._timer_at <= 0.0 or soon < self._timer_at:
                self._timer_at = soon
                self.host.start_timer(_SOON, self._on_timer)
            return
        carrier.greenlet.throw(exception)

    # --- requests that take too long ---

    def note_deadline(self, carrier: Carrier) -> None:
        """The time is over that `carrier` had at first."""
        exchange: Exchange | None = carrier.exchange
        assert exchange is not None
        if exchange.deadline > monotonic():
            self._extended.append(carrier)
            return
        if self._note_overdue is not None:
            self._note_overdue(exchange, carrier.greenlet)
        exchange.end_overdue()
        self.host.call_soon(self._interrupt, carrier, exchange, RequestTimeout)

    def move_deadline(self, exchange: Exchange) -> None:
        """A request in progress has got another deadline than `limit_requests` has given it."""
        carrier: Carrier | None = self._carriers.get(exchange)
        if carrier is None or not self._request_timeout:
            return
        disarm(carrier)
        if carrier not in self._extended:
            self._extended.append(carrier)
        if not self._is_turning:
            self.host.call_soon(self.turn)

    def _end_overdue(self, now: cython.double) -> cython.double:
        """Ends requests whose deadline has passed; the next deadline."""
        nearest: cython.double = NEVER
        carrier: Carrier
        oldest: Timer | None
        self._overdue.expire(now)
        if self._extended:
            extended = self._extended
            self._extended = []
            for carrier in extended:
                if carrier.exchange is None or carrier.queue is not None:
                    # Done; and perhaps in its next request.
                    continue
                # Kept again where the deadline is still to come.
                self.note_deadline(carrier)
            for carrier in self._extended:
                if carrier.exchange is not None:
                    nearest = min(nearest, carrier.exchange.deadline)
        oldest = self._overdue.oldest
        if oldest is not None:
            nearest = min(nearest, oldest.deadline)
        return nearest

    def end_all(self, exception: type[BaseException]) -> None:
        """Raises `exception` in every request in progress."""
        for exchange, carrier in list(self._carriers.items()):
            self.host.call_soon(self._interrupt, carrier, exchange, exception)
