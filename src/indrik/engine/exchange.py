"""One request and the way its response goes back: what a gateway sees of the engine."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import cython
else:
    from indrik import uncompiled as cython

from indrik.engine.body import NO_BODY
from indrik.engine.inlet import Inlet
from indrik.engine.output import FileSegment
from indrik.engine.ownership import Ownership
from indrik.engine.timers import NEVER, Timer
from indrik.engine.transport import close_descriptor
from indrik.protocol.refusals import RequestOverdue, RequestRefused
from indrik.protocol.request import Request

if TYPE_CHECKING:
    from indrik.net.listeners import Listener
    from indrik.protocol.proxy_header import ProxyHeader


class Channel(Timer):
    """Where a response goes: what an exchange needs of the connection (or stream) that it came by.

    A timer, because the server waits for one thing of each client at a time.

    peer: the client's (address, port), None on a unix socket; peer_port: the port as text. proxy_header: what
    a proxy has said of the client by the PROXY protocol, None for nothing. listener: the `Listener` that the
    client connected to. is_closed: whether the client is gone; what is sent then is dropped. ownership: held
    by whoever calls a method that sends or ends something.
    """

    def __init__(
        self, peer: tuple[str, int] | None, listener: Listener, ownership: Ownership
    ) -> None:
        Timer.__init__(self)
        self.ownership = ownership
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
        """Waits, in the worker kind's way, until everything queued was sent or the client was dropped.
        Without the ownership.
        """
        raise NotImplementedError

    def wait_departed(self, timeout: float | None) -> bool:
        """Waits, in the worker kind's way, at most `timeout` seconds (None: as long as it takes) until the
        client has closed at least its sending side; whether it has. Without the ownership.
        """
        raise NotImplementedError

    def finish(self, keep_alive: cython.bint) -> None:
        """The response is complete."""
        raise NotImplementedError

    def refuse(self, refusal: RequestRefused) -> None:
        """Answers with what `refusal` says, and closes."""
        raise NotImplementedError

    def take(self) -> tuple[int, bytes]:
        """Gives the descriptor and the unread input away, and forgets them. Raises `OSError`."""
        raise NotImplementedError

    def open_socket(self, fd: int) -> Any:
        """A socket for a descriptor that was taken, which waits in the worker kind's way. Owns it."""
        raise NotImplementedError

    def close(self) -> None:
        """Ends the channel at once."""
        raise NotImplementedError

    def pending_output(self) -> cython.longlong:
        """Bytes that wait for the client."""
        raise NotImplementedError

    def note_refusal(self, kind: str, detail: str) -> None:
        """Counts and logs that the client is sent away."""
        raise NotImplementedError

    def upgrade(self, inlet: Inlet) -> None:
        """Gives all further input to `inlet`."""
        raise NotImplementedError

    def resume_input(self) -> None:
        """The inlet that takes the input has room again."""
        raise NotImplementedError


#: What is known of a client: nothing that ends its request,
PRESENT = 0
#: it had sent its last byte before the response began (it may have closed its sending side only: served),
HALF_CLOSED = 1
#: it has left while the response was under way, or the connection is broken.
LEFT = 2


@cython.freelist(32)
@cython.cclass
class Exchange:
    """A complete request and its unfinished response.

    From the moment it is handed to the handler until `finish`, `refuse` or `abort`, the exchange owns its
    channel: the loop does not touch it but to notice that the client left. Used by one thread at a time,
    which takes the engine's ownership for each step by itself.

    arrived_at: when the request was whole; started_at: when the handler began with it, 0 before; both in
    monotonic seconds. begins: what is sent next is, or follows, the head of the final response; the gateway
    sets it. has_begun: some of that was sent, so no other response can be given any more. is_finished: the
    response has ended; what is sent from then on is dropped, for the channel may be in the next exchange.
    was_refused: the server has answered in the handler's place, and the access log has the line. is_overdue:
    it was ended for taking too long. deadline: when the request must be answered, 0 for never. held: what
    its body holds of the engine's `BodyMemory`, in bytes. departure: PRESENT, HALF_CLOSED or LEFT.
    on_departure: what is to be called when that changes, None for nothing; the handler calls it. is_taken:
    the application has taken the socket over. owner: what the handler keeps with it. shields: steps of the
    server's own code that are in progress in the thread which answers; only while there are none, in the
    application, may that be interrupted. is_told: it was, and the exception may not have been raised yet
    (`interruption`). Made by `open_exchange`.
    """

    channel: Channel
    request: Request
    arrived_at: float
    started_at: float
    deadline: float
    _body: Any
    held: int
    is_finished: bool
    begins: bool
    has_begun: bool
    has_continued: bool
    was_refused: bool
    is_overdue: bool
    departure: int
    awaits_drain: bool
    owner: object
    on_departure: Any
    shields: int
    is_told: bool
    is_taken: bool
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
        """Whether the client is gone; what is sent from now on is dropped, or will be."""
        return self.departure == LEFT or self.channel.is_closed

    def is_congested_beyond(self, most: cython.longlong) -> cython.bint:
        """Whether more than `most` bytes wait for the client. Then `Handler.output_drained` is called when
        none does any more.
        """
        if self.is_finished or self.channel.is_closed or self.channel.pending_output() <= most:
            return False
        self.awaits_drain = True
        return True

    def keep_alive(self) -> cython.bint:
        """Whether the connection may be used again after this response."""
        return self.request.keep_alive and self._may_keep_alive and self.channel.may_keep_alive()

    def forbid_keep_alive(self) -> None:
        """Closes the connection after this response, whatever its head said."""
        self._may_keep_alive = False

    def is_congested(self) -> cython.bint:
        """Whether the client reads so slowly that the sender should wait with more (`wait_drained`)."""
        ownership = self.channel.ownership
        ownership.acquire()
        try:
            return self.channel.is_congested()
        finally:
            ownership.release()

    def upgrade(self, inlet: Inlet) -> None:
        """Goes on in another protocol: everything that the client sends from now on goes to `inlet`."""
        self.forbid_keep_alive()
        self.channel.upgrade(inlet)

    def note_refusal(self, kind: str, detail: str) -> None:
        """Counts and logs that the client was sent away in the middle of the exchange."""
        self.channel.note_refusal(kind, detail)

    def resume_input(self) -> None:
        """The inlet has room again."""
        if not self.is_finished:
            self.channel.resume_input()

    def open_body(self) -> Any:
        """The complete request body as a binary file at its start. Where bodies are streamed: its bytes if it
        came with the head, else a `BodyInlet`.
        """
        return NO_BODY if self._body is None else self._body

    def close_body(self) -> None:
        """Gives the body's storage back."""
        if self._body is not None:
            self._body.close()

    def waited(self) -> float:
        """Seconds that the whole request waited for the handler."""
        return self.started_at - self.arrived_at

    def response_tail(self) -> str:
        """The end of a response head that is sent now: the Date and Server fields and the empty line."""
        return self.channel.response_tail()

    def send(self, data: bytes) -> None:
        """Hands `data` over; what the kernel does not take now is queued and sent by the loop."""
        ownership = self.channel.ownership
        ownership.acquire()
        try:
            # Looked at in here: another thread may end it for taking too long.
            if self.is_finished:
                return
            if self.begins:
                self.has_begun = True
            self.channel.send(data)
        finally:
            ownership.release()

    def send_two(self, head: bytes, data: bytes) -> None:
        """`send` for two pieces that should leave together."""
        ownership = self.channel.ownership
        ownership.acquire()
        try:
            if self.is_finished:
                return
            if self.begins:
                self.has_begun = True
            self.channel.send_two(head, data)
        finally:
            ownership.release()

    def send_file(self, fd: int, offset: int, count: int) -> None:
        """Hands over `count` bytes of the open file `fd` from `offset` on; takes the descriptor over."""
        if self.is_finished:
            close_descriptor(fd)
            return
        ownership = self.channel.ownership
        ownership.acquire()
        try:
            if self.is_finished:
                close_descriptor(fd)
                return
            self.channel.send_file(FileSegment(fd, offset, count))
        finally:
            ownership.release()

    def send_pieces(self, pieces: list[bytes | FileSegment]) -> None:
        """Hands bytes and pieces of files over, and takes the segments over: all in one step, because they
        may share a descriptor. Whatever it raises, the channel is closed.
        """
        ownership = self.channel.ownership
        ownership.acquire()
        try:
            if self.is_finished:
                _close_segments(pieces)
                return
            try:
                _send_pieces(self.channel, pieces)
            except BaseException:
                _give_up(self.channel, pieces)
                raise
        finally:
            ownership.release()

    def frame_by_close(self) -> None:
        """Says, before the first byte of a response, that nothing but the end of the connection tells the
        client where it ends. From then on every end but `finish` is made to look like none (RFC 9112 section
        8: a response framed by close is complete when the connection is closed in order).
        """
        if self.is_finished:
            return
        ownership = self.channel.ownership
        ownership.acquire()
        try:
            # Once more: it may have been refused for taking too long meanwhile, which has an end in order.
            if not self.is_finished:
                self.channel.frame_by_close()
        finally:
            ownership.release()

    def wait_drained(self) -> None:
        """Waits until the client took what is queued, `write_timeout` for each step; then the client is
        dropped.
        """
        self.channel.wait_drained()

    def finish(self, keep_alive: cython.bint) -> None:
        """Ends the response. The connection goes on with its next request, or closes after the last byte."""
        ownership = self.channel.ownership
        ownership.acquire()
        try:
            if self.is_finished:
                return
            self.is_finished = True
            self.channel.finish(keep_alive and self._may_keep_alive)
        finally:
            ownership.release()

    def refuse(self, refusal: RequestRefused) -> None:
        """Answers with what `refusal` says and closes; only before anything else was sent."""
        ownership = self.channel.ownership
        ownership.acquire()
        try:
            self.turn_away(refusal)
        finally:
            ownership.release()

    def answer(
        self, head: bytes, pieces: list[bytes | FileSegment], keep_alive: cython.bint
    ) -> None:
        """Sends a whole response and ends it, for the loop, which holds the ownership, of a request that no
        handler has. Takes the segments over. keep_alive: as the head says it.
        """
        channel = self.channel
        # From here on: nobody is to be told that the client has left.
        self.is_finished = True
        self.has_begun = True
        try:
            if len(pieces) == 1 and type(pieces[0]) is bytes:
                channel.send_two(head, pieces[0])
            else:
                channel.send(head)
                _send_pieces(channel, pieces)
            channel.finish(keep_alive)
        except BaseException:
            # Nobody else would end it.
            _give_up(channel, pieces)
            raise

    def turn_away(self, refusal: RequestRefused) -> None:
        """`refuse` for the loop, which holds the ownership, of a request that no handler has."""
        if not self.is_finished:
            self.is_finished = self.was_refused = True
            self.channel.refuse(refusal)

    def fail_overdue(self) -> None:
        """Ends the response of a request that takes too long: with 504 if nothing was sent, else by closing
        the connection.
        """
        ownership = self.channel.ownership
        ownership.acquire()
        try:
            self.end_overdue()
        finally:
            ownership.release()

    def end_overdue(self) -> None:
        """`fail_overdue` for the loop, which holds the ownership."""
        if self.is_finished:
            return
        self.is_finished = self.is_overdue = True
        if self.has_begun:
            self.channel.close()
        else:
            self.was_refused = True
            detail = f"the application did not answer {self.request.line!r} in time"
            self.channel.refuse(RequestOverdue(detail))

    def take(self) -> tuple[int, bytes]:
        """Takes the connection out of the server's hands: its descriptor, which is the caller's to close, and
        what was read of it behind the request. From then on the request has no deadline.

        Raises `OSError` (ENOTCONN) when the response has ended or the client has left.
        """
        ownership = self.channel.ownership
        ownership.acquire()
        try:
            if self.is_finished:
                raise OSError(errno.ENOTCONN, "the response has ended: the connection is not this request's")
            taken = self.channel.take()
            # In here: whoever looks for overdue requests holds the ownership.
            self.is_finished = True
            self.is_taken = True
            self.deadline = NEVER
        finally:
            ownership.release()
        return taken

    def abort(self) -> None:
        """Closes the connection at once, so that the client cannot take the response for complete."""
        ownership = self.channel.ownership
        ownership.acquire()
        try:
            if self.is_finished:
                return
            self.is_finished = True
            self.channel.close()
        finally:
            ownership.release()


def open_exchange(
    channel: Channel, request: Request, body: Any, arrived_at: cython.double
) -> Exchange:
    """The exchange of `request`; `body` is its complete body as a binary file, None if it has none."""
    # Without __init__: this is done for every request, and a constructor call costs more than all the rest
    # of it.
    exchange: Exchange = Exchange.__new__(Exchange)
    exchange.channel = channel
    exchange.request = request
    exchange.arrived_at = arrived_at
    exchange.started_at = 0.0
    exchange.deadline = 0.0
    exchange._body = body
    exchange.held = 0
    exchange.is_finished = False
    exchange.begins = False
    exchange.has_begun = False
    exchange.has_continued = False
    exchange.was_refused = False
    exchange.is_overdue = False
    exchange.departure = 0  # PRESENT; here a C integer
    exchange.awaits_drain = False
    exchange.owner = None
    exchange.on_departure = None
    exchange.shields = 1
    exchange.is_told = False
    exchange.is_taken = False
    exchange._may_keep_alive = True
    return exchange


def _send_pieces(channel: Channel, pieces: list[bytes | FileSegment]) -> None:
    for piece in pieces:
        if isinstance(piece, FileSegment):
            channel.send_file(piece)
        else:
            channel.send(piece)


def _give_up(channel: Channel, pieces: list[bytes | FileSegment]) -> None:
    """Something was raised in the middle of `_send_pieces`, by a signal's handler perhaps."""
    # First, because of pieces that share a descriptor some may be queued: behind its end, another file has
    # its number.
    channel.close()
    _close_segments(pieces)


def _close_segments(pieces: list[bytes | FileSegment]) -> None:
    for piece in pieces:
        if isinstance(piece, FileSegment):
            piece.close()


class Shortcut:
    """What answers some requests in the loop, before the handler is asked: without a thread, a greenlet or a
    task.
    """

    def answers(self, exchange: Exchange) -> cython.bint:
        """Answers `exchange` at once by `Exchange.answer`, or leaves it to the handler (False).

        Called by the loop for each whole request, with the ownership held: it may neither wait nor call the
        application. It never raises an `Exception`.
        """
        raise NotImplementedError


class Handler:
    """A worker kind's way to call the application."""

    def takes_streams(self) -> bool:
        """Whether it takes requests as soon as their heads are whole, and reads their bodies as they
        arrive.
        """
        return False

    def handle(self, exchange: Exchange) -> None:
        """Answers `exchange`, now or later, ending it with `finish`, `refuse` or `abort`.

        May raise only what ends the worker (`SystemExit` and other non-`Exception`s).
        """
        raise NotImplementedError

    def output_drained(self, exchange: Exchange) -> None:
        """Nothing waits any more for the client of an exchange that has asked (`is_congested_beyond`). As
        `client_left`.
        """

    def client_left(self, exchange: Exchange) -> None:
        """The client of an exchange that was handled and is not finished has left: `exchange.departure` says
        how.

        Called by the loop, with the ownership held: it may neither wait nor call the application.
        """
