"""One client: its socket, what it sent, what it is sent, and what it is being waited for.

The state machine of HTTP/1.1 on the server's side. It never waits; it is told by the loop that the socket
became readable or writable, or that a deadline passed.
"""

from __future__ import annotations

import errno
from io import BytesIO
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import cython
else:
    from indrik import uncompiled as cython

from indrik.engine.body import RequestBody
from indrik.engine.context import Context, RefusalRecord
from indrik.engine.exchange import open_exchange
from indrik.engine.inlet import BodyInlet, Inlet
from indrik.engine.proxied import Proxied
from indrik.engine.receiver import NOTHING, RECEIVE_SIZE, Receiver
from indrik.engine.states import State
from indrik.engine.timers import TimerQueue, disarm
from indrik.engine.transport import close_connection, monotonic
from indrik.protocol.chunked import ChunkedDecoder
from indrik.protocol.framing import CHUNKED
from indrik.protocol.octets import head_end, section
from indrik.protocol.partial_head import PartialHead
from indrik.protocol.refusals import RequestRefused, RequestTimedOut, TruncatedBody
from indrik.protocol.request import Request
from indrik.protocol.response import CONTINUE, render_refusal

if TYPE_CHECKING:
    from indrik.net.listeners import Listener


# `State`, as C integers when compiled.
_HEAD, _BODY, _EXCHANGE, _SENDING, _LINGERING, _CLOSED, _PROXY_HEADER = range(7)

#: Reads in a row before other connections get their turn; only the first when the turn has taken so many
#: seconds already. Of a chunked body so many bytes a read: tiny chunks are many times the work of as much in
#: one piece.
_READS_A_TURN = 8
_SECONDS_A_TURN = 0.01
_CHUNKED_SIZE = 16384

#: A refused client may still be sending; closing with its bytes unread makes the kernel reset the connection
#: and the client never sees the answer (RFC 9112 section 9.6). What it sends is read and thrown away as long
#: as so much comes within LINGER_DELAY, but not longer than LINGER_LIMIT: many clients read only when they
#: have sent everything, while one that trickles has nothing to win.
_LINGER_STEP = 65536


class Connection(Proxied):
    """One accepted socket. For whoever holds the engine's ownership. served: requests so far."""

    def __init__(
        self, context: Context, fd: int, peer: tuple[str, int] | None, listener: Listener, is_trusted: bool
    ) -> None:
        Proxied.__init__(self, context, fd, peer, listener, is_trusted)
        self._partial: PartialHead | None = None
        self._closes_after_output = False
        self._was_refused = False
        self._skipped_line = False
        self._lingered = 0
        self._request: Request | None = None
        self._body: RequestBody | None = None
        timers = context.timers
        (timers.drain if context.is_draining else timers.first_byte).arm(self, context.now)

    def __repr__(self) -> str:
        return f"<Connection fd={self.fd} peer={self.peer} {State(self.state).name}>"

    def fileno(self) -> int:
        return -1 if self.state == _CLOSED else self.fd

    def may_keep_alive(self) -> cython.bint:
        # A body that is not here may never come, or be as long as it likes: it is not waited for.
        return self._context.keeps_alive and (self._inlet is None or self._inlet.is_complete)

    @property
    def is_idle(self) -> bool:
        """Whether nothing of a request has arrived and nothing is left to send."""
        return (
            (self.state == _HEAD or self.state == _PROXY_HEADER) and not self._input and self._partial is None
        )

    # --- told by the loop ---

    def on_readable(self) -> None:
        """Input, the end of the stream or an error is there. At most one request is whole afterwards, and is
        `Context.pending` then.
        """
        # A refusal that ends while this runs must not start a second reader further down the stack.
        self._is_reading = True
        try:
            self._read()
        finally:
            self._is_reading = False

    def _read(self) -> None:
        receiver: Receiver = self._context.receiver
        data: bytes | None
        behind: bytes | None
        reads: cython.int = 0
        most: cython.Py_ssize_t
        while True:
            if (self.state == _EXCHANGE or self.state == _SENDING) and (
                self._inlet is None or self._inlet.is_full
            ):
                # Back-pressure: the edge is remembered and the socket read when the response is out, or when
                # the inlet has room.
                self._has_more_input = True
                return
            if self.state == _CLOSED:
                return
            if self._is_scheduled:
                # Requests that are here already come first; what is still in the socket stays there.
                self._has_more_input = True
                return
            if reads and (
                reads == _READS_A_TURN or monotonic() - self._context.polled_at >= _SECONDS_A_TURN
            ):
                self._run_again()
                return
            reads += 1
            behind = None
            most = RECEIVE_SIZE
            try:
                if self.state == _HEAD and self._partial is None and not self._input:
                    data = receiver.receive_head(self.fd)
                    if receiver.behind is not None:
                        behind = receiver.behind
                        receiver.behind = None
                elif self.state == _BODY and self._body is not None and self._body.left >= 0:
                    self._read_body(self._body, receiver)
                    if not self._has_more_input:
                        return
                    continue
                else:
                    if self.state == _BODY:
                        most = _CHUNKED_SIZE
                    data = receiver.receive(self.fd, most)
            except OSError:
                self.close()
                return
            if data is None:
                self._has_more_input = False
                return
            if not data:
                self._on_end_of_stream()
                return
            # A short read of a stream means that the socket is empty (epoll(7)); the next edge tells of more.
            self._has_more_input = receiver.received == most
            self._feed(data, behind)
            if not self._has_more_input:
                return

    def _read_body(self, body: RequestBody, receiver: Receiver) -> None:
        """Receives what comes next of a body of announced length, without a copy on its way to where it is
        kept. Raises `OSError` when the connection broke.
        """
        count: cython.Py_ssize_t = receiver.fill(self.fd)
        self._has_more_input = count == RECEIVE_SIZE
        if count == NOTHING:
            return
        if count == 0:
            self._on_end_of_stream()
        elif count > body.left:
            self._feed(receiver.taken(0, count), None)
        else:
            try:
                body.take(receiver.filled(count))
                self._on_body(body)
            except RequestRefused as refusal:
                self.refuse(refusal)

    def on_readable_to_end(self) -> None:
        """Like `on_readable`, when the loop knows that the end of the stream is behind the data."""
        self.on_readable()
        if self.state == _EXCHANGE:
            if self._inlet is not None and not self._inlet.is_full:
                # The short read above hid the end.
                self.on_readable()
                return
            # The end is read when the response is out: a client that has closed its sending side only is
            # served.
            self._has_more_input = True
            self._note_departure(False)
        elif self.state != _CLOSED:
            # The short read above hid the end.
            self.on_readable()

    def on_broken(self) -> None:
        """The connection was reset, or is closed in both directions: nothing that is sent arrives."""
        if self.state == _EXCHANGE or self.state == _SENDING:
            self.close()
        else:
            # A request may be in front of the end, of a client that does not want the answer.
            self.on_readable_to_end()

    def resume(self) -> None:
        """Goes on with what is already here: requests behind the one just answered, input and output left
        for later.
        """
        self._is_scheduled = False
        if self.state == _CLOSED:
            return
        if self._output:
            self._flush()
        if self.state == _HEAD and self._input:
            self._is_reading = True
            try:
                self._feed(b"", None)
            finally:
                self._is_reading = False
        if self._has_more_input:
            self.on_readable()

    def on_timeout(self, queue: TimerQueue) -> None:
        timers = self._context.timers
        if queue is timers.write:
            self._note_refusal("write-timeout", "the client stopped reading its response")
            self._reset()
        elif self._inlet is not None:
            if queue is timers.body and not self._inlet.is_full:
                self._break_input(RequestTimedOut("the request body stalled"))
        elif self.state == _EXCHANGE:
            # That wait ended when the request was whole; it was left armed because most requests are
            # answered first.
            return
        elif queue is timers.head:
            self.refuse(RequestTimedOut("the request head did not arrive in time"))
        elif queue is timers.body:
            self.refuse(RequestTimedOut("the request body stalled"))
        elif queue is not timers.drain or not self.is_idle or not self._outlives():
            self.close()

    def drain(self) -> None:
        """The worker is leaving: no request after the current one; idle clients get a short grace.

        A request may be under way towards an idle connection right now, so it is not closed at once.
        """
        if self.state == _HEAD or self.state == _PROXY_HEADER:
            self._arm(self._context.timers.drain)

    # --- input ---

    def _feed(self, data: bytes, behind: bytes | None) -> None:
        """Takes `data`; and `behind`, if it is there: `data` is a head then, and `behind` what follows."""
        if self.state == _LINGERING:
            self._linger(len(data))
            return
        try:
            if self._inlet is not None:
                self._feed_inlet(self._inlet, data)
                # The handler may have answered as soon as it had the end of the body.
                if self.state != _HEAD or not self._input:
                    return
            elif self.state == _BODY:
                self._feed_body(data)
                if self.state == _BODY:
                    return
            elif self._partial is not None:
                whole = self._partial.feed(data)
                if whole is None:
                    return
                self._partial = None
                self._input = whole
            else:
                self._input = self._input + data if self._input else data
                if self.state == _PROXY_HEADER:
                    self._read_proxy_header()
            self._advance(behind)
        except RequestRefused as refusal:
            self.refuse(refusal)

    def _advance(self, behind: bytes | None) -> None:
        """Parses what is there, and hands over the first request if it is whole. `behind`: what follows the
        head that is there; None if all is in one piece.
        """
        data: bytes
        end: cython.Py_ssize_t
        body_end: cython.Py_ssize_t
        rest: bytes
        size: cython.Py_ssize_t
        length: cython.longlong
        request: Request
        while self.state == _HEAD:
            data = self._input
            if not data:
                break
            end = head_end(data, 0) if behind is None else len(data)
            if data[0] == 13 and not self._skipped_line and data.startswith(b"\r\n"):
                # RFC 9112 section 2.2: one empty line before a request line is tolerated.
                self._skipped_line = True
                self._input = data[2:]
                continue
            if end < 0:
                # A CR alone may be half of that empty line.
                if len(data) > 1 or data[0] != 13 or self._skipped_line:
                    partial = PartialHead(self._context.parser)
                    partial.feed(data)
                    self._partial = partial
                    self._input = b""
                # While the worker leaves, the grace for a request under way is not prolonged by its pieces.
                if self.queue is not self._context.timers.head and not self._context.is_draining:
                    self._arm(self._context.timers.head)
                break
            # Kept, because a head that is refused has a line in the access log too.
            self._request = request = Request.__new__(Request)
            self._context.parser.parse(request, data, end, self._is_trusted)
            if self._context.sticky is not None:
                if behind is not None:
                    # All of it leaves with the connection.
                    self._input = data = data + behind
                    behind = None
                if self._moves(self._context.sticky, request):
                    return
            self._skipped_line = False
            rest = data
            if behind is not None:
                rest = behind
                behind = None
                end = 0
            size = len(rest)
            length = request.content_length
            if length == 0:
                self._input = section(rest, end, size) if size > end else b""
                self._hand_over(request, None)
            elif 0 < length <= self._context.body_memory.each and size - end >= length:
                # The body came with its head, as small ones do.
                body_end = end + length
                self._input = section(rest, body_end, size) if size > body_end else b""
                rest = section(rest, end, body_end)
                self._hand_over(request, rest if self._context.streams else BytesIO(rest))
            else:
                self._input = section(rest, end, size)
                self._expect_body(request)

    def _hand_over(self, request: Request, body: object) -> None:
        self.state = _EXCHANGE
        self.served += 1
        self._request = None
        self._exchange = open_exchange(self, request, body, self._context.polled_at)
        self._context.pending = self._exchange

    def _expect_body(self, request: Request) -> None:
        settings = self._context.settings
        decoder = None
        length = None
        if request.content_length == CHUNKED:
            decoder = ChunkedDecoder(settings.limits.field_size or settings.limits.head, settings.limits.head)
        else:
            length = request.content_length
        if self._context.streams:
            self._open_inlet(request, BodyInlet(length, decoder, settings.limits.body))
            return
        self._request = request
        self._body = RequestBody(
            length, decoder, self._context.body_memory, settings.limits.body, settings.temporary_directory
        )
        self.state = _BODY
        self._marked = 0.0
        self._arm(self._context.timers.body)
        data = self._input
        self._input = b""
        if data:
            self._feed_body(data)
        elif request.expects_continue:
            self.send(CONTINUE)

    def _feed_body(self, data: bytes) -> None:
        body = self._body
        assert body is not None
        self._input = body.feed(data)
        self._on_body(body)

    def _on_body(self, body: RequestBody) -> None:
        """More of `body` is here, perhaps all of it."""
        request = self._request
        assert request is not None
        if body.is_complete():
            opened = body.open()
            self._body = None
            self._hand_over(request, opened)
            exchange = self._exchange
            assert exchange is not None
            # Until it ends.
            exchange.held = body.held
        elif body.received - self._marked >= self._context.body_step:
            self._marked = body.received
            self._arm(self._context.timers.body)

    def _open_inlet(self, request: Request, inlet: Inlet) -> None:
        """Hands `request` over before its body is here; `inlet` takes that as it arrives."""
        self._inlet = inlet
        self._marked = 0.0
        data = self._input
        self._input = b""
        if data or not request.expects_continue:
            self._arm(self._context.timers.body)
        else:
            # The client waits for the handler to ask.
            disarm(self)
        self._hand_over(request, inlet)
        if data:
            self._feed_inlet(inlet, data)
            if self._exchange is None:
                # It was malformed from the start, and is answered.
                self._context.pending = None

    def _on_end_of_stream(self) -> None:
        if self.state == _BODY:
            # The client may have closed its sending side only, and still read the answer.
            self.refuse(TruncatedBody("the client closed before the end of the body"))
        elif self._inlet is not None:
            inlet = self._inlet
            self._inlet = None
            inlet.end(None)
            self._note_departure(False)
        else:
            self.close()

    def refuse(self, refusal: RequestRefused) -> None:
        """Answers with what `refusal` says, in place of the application, and closes."""
        request = None
        took: cython.double = 0.0
        exchange = self._exchange
        if exchange is not None:
            request = exchange.request
            took = monotonic() - exchange.arrived_at
        elif self._request is not None:
            request = self._request.as_far_as_read()
        self._context.note_refusal(
            RefusalRecord(refusal.kind, self.peer, refusal.detail, refusal.status, request, took)
        )
        if self._body is not None:
            self._body.discard()
            self._body = None
        self._request = None
        self._partial = None
        self._input = b""
        self._end_exchange()
        self._was_refused = True
        self.state = _EXCHANGE
        self.send(
            render_refusal(refusal.status, refusal.reason, refusal.fields + self._context.response_tail())
        )
        self.finish(False)

    # --- output, called by the exchange ---

    def finish(self, keep_alive: bool) -> None:
        """Ends the response of the current exchange."""
        if self.state != _EXCHANGE:
            return
        self._end_exchange()
        self._closes_after_output = not keep_alive
        inlet = self._inlet
        if inlet is not None:
            self._inlet = None
            if not inlet.is_complete:
                # The rest of the body would have to be read and thrown away, however long it is.
                self._closes_after_output = True
                self._has_more_input = True
        if self._output:
            self.state = _SENDING
        else:
            self._end_of_output()

    def _output_sent(self) -> None:
        """The kernel has taken everything that was queued."""
        if self.state == _SENDING:
            self._end_of_output()
        else:
            disarm(self)
            if self._inlet is not None and not self._inlet.is_full:
                self.resume_input()
            if self._exchange is not None and self._exchange.awaits_drain:
                self._exchange.awaits_drain = False
                self._context.handler.output_drained(self._exchange)

    def _end_exchange(self) -> None:
        """The request in progress, if there is one, is answered or lost."""
        exchange = self._exchange
        if exchange is not None:
            self._exchange = None
            self._context.ended(exchange)

    def _end_of_output(self) -> None:
        """The last byte of a response was taken by the kernel."""
        if self._closes_after_output:
            self._close_gently()
            return
        self.state = _HEAD
        timers = self._context.timers
        self._arm(timers.drain if self._context.is_draining else timers.keep_alive)
        if not self._is_reading and (self._input or self._has_more_input):
            self._run_again()

    # --- the end ---

    def _close_gently(self) -> None:
        """Closes so that the client can read what was sent (RFC 9112 section 9.6)."""
        if self._is_framed_by_close and not self._end_in_order():
            return
        if not (self._was_refused or self._input or self._has_more_input):
            # Whole requests only: nothing unread is there to make the kernel reset the connection.
            self.close()
            return
        if not self._shut_sending():
            return
        self._input = b""
        self._has_more_input = True
        self.state = _LINGERING
        timers = self._context.timers
        self._marked = self._context.now + timers.linger_limit
        self._arm(timers.linger)
        if not self._is_reading:
            self._run_again()

    def _linger(self, count: int) -> None:
        """So many bytes more were thrown away."""
        context = self._context
        self._lingered += count
        if self._lingered >= _LINGER_STEP and context.now < self._marked and not context.is_draining:
            self._lingered = 0
            self._arm(context.timers.linger)

    def take(self) -> tuple[int, bytes]:
        if self.state != _EXCHANGE or self._output:
            raise OSError(errno.ENOTCONN, "the connection is not the application's to take now")
        self.state = _CLOSED
        self.is_closed = True
        self._end_exchange()
        disarm(self)
        data = self._input
        self._input = b""
        if self.is_watched:
            self._context.poller.forget(self.fd)
        self._forget()
        return self.fd, data

    def close(self) -> None:
        """Gives the descriptor and all buffers back."""
        if self.state == _CLOSED:
            return
        self.state = _CLOSED
        self.is_closed = True
        self._note_departure(True)
        self._end_exchange()
        disarm(self)
        if self._output is not None:
            self._output.clear()
            self._output = None
        if self._body is not None:
            self._body.discard()
            self._body = None
        if self._inlet is not None:
            inlet = self._inlet
            self._inlet = None
            inlet.end(None)
        self._request = None
        self._partial = None
        self._input = b""
        self._forget()
        close_connection(self.fd, not self._is_framed_by_close)
