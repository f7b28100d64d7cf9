"""One request and the way its response goes back: what a gateway sees of the engine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, BinaryIO

import cython

from indrik.engine.body import NO_BODY
from indrik.engine.output import FileSegment
from indrik.engine.timers import Timer
from indrik.engine.transport import monotonic
from indrik.protocol.proxy_header import ProxyHeader
from indrik.protocol.refusals import RequestRefused
from indrik.protocol.request import Request

if TYPE_CHECKING:
    from indrik.net.listeners import Listener


class Channel(Timer):
    """Where a response goes: what an exchange needs of the connection (or stream) that it came by.

    A timer, because the server waits for one thing of each client at a time.

    peer: the client's (address, port), None on a unix socket; peer_port: the port as text. proxy_header: what
    a proxy has said of the client by the PROXY protocol, None for nothing. listener: the `Listener` that the
    client connected to. is_closed: whether the client is gone; what is sent then is dropped.
    """

    def __init__(self, peer: tuple[str, int] | None, listener: Listener) -> None:
        Timer.__init__(self)
        self.is_closed = False
        self.peer = peer
        self.peer_port = "" if peer is None else str(peer[1])
        self.proxy_header: ProxyHeader | None = None
        self.listener = listener

    def fileno(self) -> int:
        """The descriptor, for waiting on only; -1 once closed."""
        raise NotImplementedError

    def may_keep_alive(self) -> cython.bint:
        """Whether the worker lets this client stay after the response."""
        raise NotImplementedError

    def is_congested(self) -> cython.bint:
        """Whether so much waits for this client that a sender should wait."""
        raise NotImplementedError

    def response_tail(self) -> str:
        """The end of a response head that is sent now: the Date and Server fields and the empty line."""
        raise NotImplementedError

    def send(self, data: bytes) -> None:
        """Sends or queues `data`."""
        raise NotImplementedError

    def send_two(self, head: bytes, data: bytes) -> None:
        """`send` for two pieces that should leave together."""
        raise NotImplementedError

    def send_file(self, segment: FileSegment) -> None:
        """Sends or queues a piece of a file; owns `segment` from now on."""
        raise NotImplementedError

    def frame_by_close(self) -> None:
        """The response that begins now ends where the channel does."""
        raise NotImplementedError

    def wait_drained(self) -> None:
        """Blocks until everything queued was sent."""
        raise NotImplementedError

    def finish(self, keep_alive: cython.bint) -> None:
        """The response is complete."""
        raise NotImplementedError

    def refuse(self, refusal: RequestRefused) -> None:
        """Answers with what `refusal` says, and closes."""
        raise NotImplementedError

    def close(self) -> None:
        """Ends the channel at once."""
        raise NotImplementedError


@cython.freelist(32)
@cython.cclass
class Exchange:
    """A complete request and its unfinished response.

    From the moment it is handed to the handler until `finish`, `refuse` or `abort`, the exchange owns its
    channel: the loop does not touch it but to notice that the client left. Engine thread only.

    started_at: when the request was handed over, in monotonic seconds. has_begun: the head of the final
    response was sent; the gateway sets it. is_finished: the response has ended;
    what is sent from then on is dropped, for the channel may be in the next exchange. Made by
    `open_exchange`.
    """

    channel: Channel
    request: Request
    started_at: float
    _body: BinaryIO | None
    is_finished: bool
    has_begun: bool
    _may_keep_alive: bool

    @property
    def peer(self) -> tuple[str, int] | None:
        """The client's address and port; None for a unix socket."""
        return self.channel.peer

    @property
    def listener(self) -> Listener:
        """The listener that the connection came in by."""
        return self.channel.listener

    @property
    def is_disconnected(self) -> bool:
        """Whether the client is gone; everything sent from now on is dropped."""
        return self.channel.is_closed

    def keep_alive(self) -> cython.bint:
        """Whether the connection may be used again after this response."""
        return self.request.keep_alive and self._may_keep_alive and self.channel.may_keep_alive()

    def forbid_keep_alive(self) -> None:
        """Closes the connection after this response, whatever its head said."""
        self._may_keep_alive = False

    def is_congested(self) -> cython.bint:
        """Whether the client reads so slowly that the sender should wait with more (`wait_drained`)."""
        return self.channel.is_congested()

    def open_body(self) -> Any:
        """The complete request body as a binary file at its start."""
        return NO_BODY if self._body is None else self._body

    def close_body(self) -> None:
        """Gives the body's storage back."""
        if self._body is not None:
            self._body.close()

    def elapsed(self) -> float:
        """Seconds since the request was handed over."""
        return monotonic() - self.started_at

    def response_tail(self) -> str:
        """The end of a response head that is sent now: the Date and Server fields and the empty line."""
        return self.channel.response_tail()

    def send(self, data: bytes) -> None:
        """Hands `data` over; what the kernel does not take now is queued and sent by the loop."""
        if not self.is_finished:
            self.channel.send(data)

    def send_two(self, head: bytes, data: bytes) -> None:
        """`send` for two pieces that should leave together."""
        if not self.is_finished:
            self.channel.send_two(head, data)

    def send_file(self, fd: int, offset: int, count: int) -> None:
        """Hands over `count` bytes of the open file `fd` from `offset` on; takes the descriptor over."""
        self.channel.send_file(FileSegment(fd, offset, count))

    def frame_by_close(self) -> None:
        """Says, before the first byte of a response, that nothing but the end of the connection tells the
        client where it ends. From then on every end but `finish` is made to look like none (RFC 9112 section
        8: a response framed by close is complete when the connection is closed in order).
        """
        if not self.is_finished:
            self.channel.frame_by_close()

    def wait_drained(self) -> None:
        """Waits until the client took what is queued, `write_timeout` for each step; then the client is
        dropped.
        """
        self.channel.wait_drained()

    def finish(self, keep_alive: cython.bint) -> None:
        """Ends the response. The connection goes on with its next request, or closes after the last byte."""
        if not self.is_finished:
            self.is_finished = True
            self.channel.finish(keep_alive and self._may_keep_alive)

    def refuse(self, refusal: RequestRefused) -> None:
        """Answers with what `refusal` says and closes; only before anything else was sent."""
        if not self.is_finished:
            self.is_finished = True
            self.channel.refuse(refusal)

    def abort(self) -> None:
        """Closes the connection at once, so that the client cannot take the response for complete."""
        if not self.is_finished:
            self.is_finished = True
            self.channel.close()


def open_exchange(
    channel: Channel, request: Request, body: Any, started_at: cython.double
) -> Exchange:
    """The exchange of `request`; `body` is its complete body as a binary file, None if it has none."""
    # Without __init__: this is done for every request, and a constructor call costs more than all the rest
    # of it.
    exchange: Exchange = Exchange.__new__(Exchange)
    exchange.channel = channel
    exchange.request = request
    exchange.started_at = started_at
    exchange._body = body
    exchange.is_finished = False
    exchange.has_begun = False
    exchange._may_keep_alive = True
    return exchange


class Handler:
    """A worker kind's way to call the application."""

    def handle(self, exchange: Exchange) -> None:
        """Answers `exchange`, now or later, ending it with `finish`, `refuse` or `abort`.

        May raise only what ends the worker (`SystemExit` and other non-`Exception`s).
        """
        raise NotImplementedError
