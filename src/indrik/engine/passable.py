"""A connection between workers: passed on to the one that its request belongs to, and gone on with there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cython

from indrik.engine.context import Context, Rule
from indrik.engine.intake import Intake
from indrik.engine.siblings import Passed
from indrik.engine.states import State
from indrik.engine.timers import disarm
from indrik.engine.transport import close_descriptor
from indrik.protocol.proxy_header import ProxyHeader
from indrik.protocol.request import Request

if TYPE_CHECKING:
    from indrik.net.listeners import Listener

# `State`, as a C integer when compiled.
_CLOSED = int(State.CLOSED)


class Passable(Intake):
    """A connection that may leave for another worker. For whoever holds the engine's ownership.

    served: requests so far.
    """

    def __init__(
        self, context: Context, fd: int, peer: tuple[str, int] | None, listener: Listener, is_trusted: bool
    ) -> None:
        Intake.__init__(self, context, fd, peer, listener)
        self._is_trusted = is_trusted
        self.served = 0
        self._stays = False
        self._cookie = ""

    def continue_from(self, passed: Passed) -> None:
        """Goes on where another worker has left off. Only right after it was made; `resume` follows."""
        self.peer_port = passed.peer_port
        if passed.proxy_header is not None:
            self.proxy_header = ProxyHeader(*passed.proxy_header)
        self.served = passed.served
        self._stays = passed.stays
        self._input = passed.data
        self._has_more_input = True

    def resume_later(self) -> None:
        """`resume` in the next turn of the loop."""
        self._run_again()

    def response_tail(self) -> str:
        """The end of a response head that is sent now: the Date and Server fields and the empty line."""
        tail = self._context.response_tail()
        return self._cookie + tail if self._cookie else tail

    def _moves(self, sticky: Rule, request: Request) -> cython.bint:
        """Passes the connection on to the worker that `request` belongs to; False if it is served here.

        One that was passed on for this request stays, so none goes round in a circle.
        """
        context = self._context
        self._cookie = ""
        if self._stays:
            self._stays = False
            if not sticky.passes_again:
                return False
        sibling = sticky.find(request, self.peer)
        if sibling is None:
            self._cookie = sticky.new_cookie(request)
            return False
        if not sticky.siblings.pass_on(sibling, self.fd, self._as_passed(sticky), context.now):
            return False
        self.state = _CLOSED
        self.is_closed = True
        disarm(self)
        if self.is_watched:
            # The other worker's descriptor keeps the registration alive.
            context.poller.forget(self.fd)
        self._input = b""
        self._forget()
        # Not shut down: the connection lives on.
        close_descriptor(self.fd)
        return True

    def _as_passed(self, sticky: Rule) -> Passed:
        header = self.proxy_header
        return Passed(
            sticky.siblings.listeners.index(self.listener),
            self.peer,
            self.peer_port,
            self._is_trusted,
            None if header is None else (header.protocol, header.source, header.destination, header.consumed),
            False,
            self.served,
            True,
            self._input,
        )

    def _forget(self) -> None:
        """Gives the place among the connections back."""
        context = self._context
        context.connections.pop(self.fd, None)
        context.slot.note_open(len(context.connections))
        context.closed += 1
        context.has_room = True
