"""What the connections of one loop share: the settings, the clock, the deadlines, the poller, and whom they
tell what.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    import cython
else:
    from indrik import uncompiled as cython

from indrik.engine.backlog import Backlog
from indrik.engine.body import BodyMemory
from indrik.engine.exchange import Exchange, Handler, Shortcut
from indrik.engine.ownership import Ownership
from indrik.engine.poller import Poller
from indrik.engine.receiver import Receiver
from indrik.engine.settings import EngineSettings
from indrik.engine.timers import NEVER, Timers
from indrik.engine.transport import monotonic
from indrik.engine.waiting import Waiting
from indrik.protocol.head import HeadParser
from indrik.protocol.request import Request
from indrik.protocol.response import fields_tail, format_date
from indrik.refusals import number_of
from indrik.scoreboard.slot import Slot

if TYPE_CHECKING:
    from indrik.engine.connection import Connection
    from indrik.engine.intake import Intake
    from indrik.engine.keepers import SuccessorsRule
    from indrik.engine.siblings import Sibling, Siblings

#: The version is nobody's business (RFC 9110 section 10.2.4).
_SERVER = "indrik"


class RefusalRecord(NamedTuple):
    """That the engine has sent a client away, for the log.

    kind: a row of `indrik.refusals`. detail: one line, which may hold octets of the request. status: what the
    client was answered, "" if nothing. request: the head as far as it was read; None if not even its line
    was. took: seconds since the request was whole, 0 if it never was.
    """

    kind: str
    peer: tuple[str, int] | None
    detail: str
    status: str = ""
    request: Request | None = None
    took: float = 0.0


class Rule(Protocol):
    """Which requests belong to which workers."""

    siblings: Siblings

    def find(self, request: Request, peer: tuple[str, int] | None) -> Sibling | None:
        """The worker that `request` belongs to; None: this one."""

    def new_cookie(self, request: Request) -> str:
        """The line break and the field that the response to `request`, which stays here, must have; empty for
        none.
        """


class Context:
    """Shared by one `Engine` and its connections; engine thread only.

    ownership: held by whoever changes anything here. now: monotonic seconds, as of the last event. polled_at:
    when the events were found that are being dealt with. is_draining: the worker is leaving. keeps_alive:
    whether a client may stay after a response. has_room: set by a connection that closes; the loop accepts
    again. again: connections with more to do in the next turn. pending: the request that an event has just
    made whole; the loop takes it away before it goes on. backlog: what waits in memory for temporary
    files. is_spooling: whether anything does, for the loop to write. streams: whether requests are handed
    over before their bodies are whole. body_memory: what bodies hold in memory. body_step, write_step:
    bytes after which a slow sender or reader gets a new deadline. connections: by descriptor. served:
    requests handed over and ended. closed: connections that have ended. sticky: which requests belong to
    other workers; None for none. successors: who comes after this worker, which has old code; None for
    nobody. shortcut: what answers some requests in the loop itself, None for nothing. sleeps_until: while
    whoever drives the loop waits, when it will turn next by itself; 0 while it is turning.
    """

    def __init__(
        self,
        settings: EngineSettings,
        handler: Handler,
        slot: Slot,
        on_refusal: Callable[[RefusalRecord], None],
        waiting: Waiting,
    ) -> None:
        self.settings = settings
        self.waiting = waiting
        self.ownership = Ownership()
        self.parser = HeadParser(settings.limits)
        self.timers = Timers(
            settings.first_byte_timeout,
            settings.header_timeout,
            settings.body_timeout,
            settings.keepalive,
            settings.write_timeout,
        )
        self.poller = Poller()
        self.receiver = Receiver()
        self.backlog = Backlog()
        self.is_spooling = False
        self.slot = slot
        self.connections: dict[int, Connection] = {}
        self.again: list[Intake] = []
        self.streams = handler.takes_streams()
        self.body_memory = BodyMemory(settings.body_buffer)
        self.body_step = settings.body_timeout * settings.body_min_rate
        self.write_step = settings.write_timeout * settings.write_min_rate
        self.now = monotonic()
        self.polled_at = self.now
        self.sleeps_until = 0.0
        self.pending: Exchange | None = None
        self.is_draining = False
        self.keeps_alive = settings.keepalive > 0
        self.has_room = False
        self.served = 0
        self.closed = 0
        self.sticky: Rule | None = None
        self.successors: SuccessorsRule | None = None
        self.shortcut: Shortcut | None = None
        self.handler = handler
        self._wake: Callable[[], None] | None = None
        self._on_refusal = on_refusal
        self._tail = ""
        self._tail_ends_at = 0.0

    def begin(self, exchange: Exchange) -> None:
        """The handler is given `exchange`."""
        now: cython.double = self.now
        exchange.started_at = now
        self.slot.begin(exchange.request.method, exchange.request.uri, now)
        self.slot.waited(now - exchange.arrived_at)

    def defer(self, exchange: Exchange) -> None:
        """The handler cannot go on with `exchange`, which was begun and is not answered: it will be begun
        again.
        """
        self.slot.defer(exchange.waited())
        exchange.started_at = 0.0
        exchange.deadline = NEVER

    def ended(self, exchange: Exchange) -> None:
        """A response is complete, or its connection lost."""
        # The application may have taken long; what is armed next counts from now.
        self.served += 1
        self.now = monotonic()
        if exchange.held:
            self.body_memory.held -= exchange.held
            exchange.held = 0
        if exchange.started_at:
            self.slot.end(self.now, exchange.started_at)

    def on_wake(self, wake: Callable[[], None]) -> None:
        """Calls `wake` when there is something to do before `sleeps_until`. It may not wait."""
        self._wake = wake

    def wake(self) -> None:
        """Makes the loop turn now. For work that is made by somebody else while it waits."""
        if self.sleeps_until:
            self.sleeps_until = 0.0
            if self._wake is not None:
                self._wake()

    def beat(self) -> None:
        """Says that this worker is alive, from inside a wait."""
        self.now = monotonic()
        self.slot.beat(self.now)

    def note_refusal(self, record: RefusalRecord) -> None:
        """Counts and logs that a client was sent away."""
        self.slot.count_refused(number_of(record.kind))
        self._on_refusal(record)

    def response_tail(self) -> str:
        """The end of every response head: Date and Server; made anew each second."""
        now = monotonic()
        if now >= self._tail_ends_at:
            wall = time.time()
            server = _SERVER if self.settings.server_header else ""
            self._tail = fields_tail(format_date(time.gmtime(wall)), server)
            # Last: another thread may look meanwhile, and the end of a request's time may interrupt this one.
            self._tail_ends_at = now + 1.0 - wall % 1.0
        return self._tail
