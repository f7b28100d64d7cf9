"""One request and the way its response goes back: what a gateway sees of the engine."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING, BinaryIO, Protocol

import cython

from indrik.engine.output import FileSegment
from indrik.engine.transport import monotonic
from indrik.protocol.refusals import RequestRefused
from indrik.protocol.request import Request

if TYPE_CHECKING:
    from indrik.engine.connection import Connection
    from indrik.net.listeners import Listener


@cython.freelist(32)
@cython.cclass
class Exchange:
    """A complete request and its unfinished response.

    From the moment it is handed to the handler until `finish` or `abort`, the exchange owns its connection: the loop
    does not touch it but to notice that the client left. Every method may be called from the engine's thread only.
    """

    request = cython.declare(object, visibility="readonly")
    body = cython.declare(object, visibility="readonly")
    connection = cython.declare(object, visibility="readonly")
    started_at = cython.declare(cython.double, visibility="readonly")
    _may_keep_alive: cython.bint

    def __init__(self, connection: Connection, request: Request, body: BinaryIO | None, started_at: float) -> None:
        self.connection = connection
        self.request = request
        self.body = body
        self.started_at = started_at
        self._may_keep_alive = True

    @property
    def peer(self) -> tuple[str, int] | None:
        """The client's address and port; None for a unix socket."""
        peer: tuple[str, int] | None = self.connection.peer
        return peer

    @property
    def listener(self) -> Listener:
        """The listener that the connection came in by."""
        listener: Listener = self.connection.listener
        return listener

    @property
    def keep_alive(self) -> bool:
        """Whether the connection may be used again after this response."""
        alive: bool = self.request.keep_alive and self.connection.may_keep_alive
        return alive

    def forbid_keep_alive(self) -> None:
        """Closes the connection after this response whatever its head said."""
        self._may_keep_alive = False

    def open_body(self) -> BinaryIO:
        """The complete request body as a binary file at its start."""
        if self.body is None:
            self.body = BytesIO()
        body: BinaryIO = self.body
        return body

    def close_body(self) -> None:
        """Gives the body's storage back."""
        if self.body is not None:
            self.body.close()

    def elapsed(self) -> float:
        """Seconds since the request was handed over."""
        return monotonic() - self.started_at

    def response_tail(self) -> str:
        """The Date and Server fields, each with its CRLF."""
        tail: str = self.connection.response_tail()
        return tail

    @property
    def is_disconnected(self) -> bool:
        """Whether the connection is gone; everything sent from now on is dropped."""
        gone: bool = self.connection.is_closed
        return gone

    @property
    def is_congested(self) -> bool:
        """Whether the client reads so slowly that the sender should wait with more (`wait_drained`)."""
        congested: bool = self.connection.is_congested
        return congested

    def send(self, data: bytes) -> None:
        """Hands `data` over; what the kernel does not take now is queued and sent by the loop."""
        self.connection.send(data)

    def send_two(self, head: bytes, data: bytes) -> None:
        """`send` for two pieces that should leave together."""
        self.connection.send_two(head, data)

    def send_file(self, fd: int, offset: int, count: int) -> None:
        """Hands over `count` bytes of the open file `fd` from `offset` on; takes the descriptor over."""
        self.connection.send_file(FileSegment(fd, offset, count))

    def wait_drained(self) -> None:
        """Waits until the client has taken what is queued, `write_timeout` for each step; then the client is dropped."""
        self.connection.wait_drained()

    def finish(self, keep_alive: bool) -> None:
        """Ends the response. The connection goes on with its next request, or closes after the last byte."""
        self.connection.finish(keep_alive and self._may_keep_alive)

    def refuse(self, refusal: RequestRefused) -> None:
        """Answers with what `refusal` says and closes; only before anything else was sent."""
        self.connection.refuse(refusal)

    def abort(self) -> None:
        """Closes the connection at once, so that the client cannot take the response for complete."""
        self.connection.close()


class Handler(Protocol):
    """A worker kind's way to call the application."""

    def handle(self, exchange: Exchange) -> None:
        """Answers `exchange`, now or later, with `finish` or `abort` in the end.

        May raise only what ends the worker (`SystemExit` and other non-`Exception`s).
        """
