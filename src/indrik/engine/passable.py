"""A connection between workers: passed on to the one that its request belongs to, and gone on with there."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import cython
else:
    from indrik import uncompiled as cython

from indrik.engine.context import Context, Rule
from indrik.engine.intake import Intake
from indrik.engine.siblings import Passed
from indrik.engine.states import State
from indrik.engine.timers import disarm
from indrik.engine.transport import close_descriptor
from indrik.protocol.request import Request

if TYPE_CHECKING:
    from indrik.engine.siblings import Sibling, Siblings
    from indrik.net.listeners import Listener

# `State`, as C integers when compiled.
_CLOSED = int(State.CLOSED)
_PROXY_HEADER = int(State.PROXY_HEADER)


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
            from indrik.protocol.proxy_header import ProxyHeader  # late: as in Connection

            self.proxy_header = ProxyHeader(*passed.proxy_header)
        self.served = passed.served
        self._stays = passed.stays
        self._input = passed.data
        self._has_more_input = True
        if passed.served and not passed.data and not self._context.is_draining:
            self._arm(self._context.timers.keep_alive)

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
            if context.successors is None:
                return False
        sibling = sticky.find(request, self.peer)
        if sibling is None:
            self._cookie = sticky.new_cookie(request)
            return False
        return self._leave_for(sibling, sticky.siblings, True)

    def _outlives(self) -> cython.bint:
        """Passes the connection, from which nothing has come, on to a worker that comes after this one; False
        if there is none.
        """
        successors = self._context.successors
        if successors is None:
            return False
        sibling = successors.best()
        return False if sibling is None else self._leave_for(sibling, successors.siblings, False)

    def _leave_for(self, sibling: Sibling, siblings: Siblings, is_request: cython.bint) -> cython.bint:
        """Passes the connection on to `sibling`; False if its mailbox is full. `is_request`: for the request
        that is there.
        """
        context = self._context
        header = self.proxy_header
        passed = Passed(
            siblings.listeners.index(self.listener),
            self.peer,
            self.peer_port,
            self._is_trusted,
            None if header is None else (header.protocol, header.source, header.destination, header.consumed),
            self.state == _PROXY_HEADER,
            self.served,
            bool(is_request),
            self._input,
        )
        if not siblings.pass_on(sibling, self.fd, passed, context.now):
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

    def _forget(self) -> None:
        """Gives the place among the connections back."""
        context = self._context
        context.connections.pop(self.fd, None)
        context.slot.note_open(len(context.connections))
        context.closed += 1
        context.has_room = True
