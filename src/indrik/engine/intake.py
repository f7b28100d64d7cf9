"""What comes in on one connection while its exchange is in progress: the rest of a body that is read as it
arrives, another protocol, or the end.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import cython
else:
    from indrik import uncompiled as cython

from indrik.engine.context import Context
from indrik.engine.exchange import HALF_CLOSED, LEFT, Exchange
from indrik.engine.inlet import BodyInlet, Inlet
from indrik.engine.sender import Sender
from indrik.engine.states import State
from indrik.engine.timers import disarm
from indrik.protocol.refusals import RequestRefused

if TYPE_CHECKING:
    from indrik.net.listeners import Listener

# `State`, as C integers when compiled.
_EXCHANGE = int(State.EXCHANGE)
_CLOSED = int(State.CLOSED)


class Intake(Sender):
    """A connection as its exchange in progress sees it. For whoever holds the engine's ownership."""

    def __init__(
        self, context: Context, fd: int, peer: tuple[str, int] | None, listener: Listener
    ) -> None:
        Sender.__init__(self, context, fd, peer, listener)
        self.state = 0
        self._input = b""
        self._is_reading = False
        self._has_more_input = False
        self._is_scheduled = False
        self._exchange: Exchange | None = None
        self._inlet: Inlet | None = None

    def resume(self) -> None:
        """Goes on with what is already here. Told by the loop."""
        raise NotImplementedError

    def _note_departure(self, is_broken: cython.bint) -> None:
        """Tells the handler of the request in progress that its client has left."""
        exchange = self._exchange
        if exchange is None or exchange.is_finished:
            return
        # In the middle of a response the end of the input is taken for a client that has left: nothing else
        # would tell of one to whom nothing is being sent.
        departure: cython.int = LEFT if is_broken or exchange.has_begun else HALF_CLOSED
        if departure > exchange.departure:
            exchange.departure = departure
            if exchange.started_at:
                self._context.handler.client_left(exchange)

    def upgrade(self, inlet: Inlet) -> None:
        """Gives all further input to `inlet`: the exchange goes on in another protocol."""
        disarm(self)
        self._inlet = inlet
        data = self._input
        self._input = b""
        if data:
            self._feed_inlet(inlet, data)
        self.resume_input()

    def resume_input(self) -> None:
        """The inlet has room again."""
        if self._has_more_input and not self._is_reading and self.state == _EXCHANGE:
            self._run_again()
        if self._inlet is not None and self.queue is None and isinstance(self._inlet, BodyInlet):
            self._arm(self._context.timers.body)

    def _feed_inlet(self, inlet: Inlet, data: bytes) -> None:
        try:
            rest = inlet.feed(data)
        except RequestRefused as refusal:
            self._break_input(refusal)
            return
        if self.state != _CLOSED:
            self._input = rest
        if self._inlet is not inlet or not isinstance(inlet, BodyInlet):
            return
        if inlet.is_complete:
            self._inlet = None
            if self.queue is self._context.timers.body:
                disarm(self)
        elif inlet.is_full:
            # Not the client is waited for now.
            if self.queue is self._context.timers.body:
                disarm(self)
        elif inlet.received - self._marked >= self._context.body_step and not self._output:
            self._marked = inlet.received
            self._arm(self._context.timers.body)

    def _break_input(self, refusal: RequestRefused) -> None:
        """The input of the exchange in progress is malformed or stalls: it ends, with an answer if none has
        begun.
        """
        inlet = self._inlet
        exchange = self._exchange
        self._inlet = None
        if exchange is None or exchange.has_begun or exchange.is_finished:
            self._note_refusal(refusal.kind, refusal.detail)
            self.close()
        else:
            exchange.turn_away(refusal)
        if inlet is not None:
            inlet.end(refusal)

    def _run_again(self) -> None:
        """There is more to do in the next turn of the loop."""
        if not self._is_scheduled:
            self._is_scheduled = True
            self._context.again.append(self)
            self._context.wake()
