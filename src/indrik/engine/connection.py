"""One client: its socket, what it sent, what it is sent, and what it is being waited for.

The state machine of HTTP/1.1 on the server's side. It never waits; it is told by the loop that the socket
became readable or writable, or that a deadline passed.
"""

from __future__ import annotations

import enum
import errno
import os
import socket
from io import BytesIO
from typing import TYPE_CHECKING

import cython

from indrik.engine.body import RequestBody
from indrik.engine.context import Context
from indrik.engine.exchange import HALF_CLOSED, LEFT, Channel, Exchange, open_exchange
from indrik.engine.output import FileSegment, OutputQueue
from indrik.engine.siblings import Passed
from indrik.engine.sticky import Sticky
from indrik.engine.timers import TimerQueue, disarm
from indrik.engine.transport import RECEIVE_SIZE, receive, transmit, transmit_two
from indrik.protocol.chunked import ChunkedDecoder
from indrik.protocol.framing import CHUNKED
from indrik.protocol.octets import head_end
from indrik.protocol.proxy_header import ProxyHeader, parse_proxy_header
from indrik.protocol.refusals import RequestRefused, RequestTimedOut, TruncatedBody
from indrik.protocol.request import Request
from indrik.protocol.response import CONTINUE, render_refusal

if TYPE_CHECKING:
    from indrik.net.listeners import Listener


class State(enum.IntEnum):
    """What happens on a connection now. Exactly one owner at a time: the exchange in EXCHANGE, else the
    loop.
    """

    HEAD = 0  # idle, or a request head is arriving
    BODY = 1  # the body of `request` is arriving
    EXCHANGE = 2  # a handler answers
    SENDING = 3  # the response is complete, its rest waits for the client to read
    LINGERING = 4  # nothing more is sent; input is thrown away so that the client can read the last answer
    CLOSED = 5
    PROXY_HEADER = 6  # just accepted; a PROXY header may or must come before the first request


# The values of `State` as plain integers, which are C integers when compiled.
_HEAD = 0
_BODY = 1
_EXCHANGE = 2
_SENDING = 3
_LINGERING = 4
_CLOSED = 5
_PROXY_HEADER = 6

#: Reads in a row before other connections get their turn.
_READS_A_TURN = 8

#: A refused client may still be sending; closing with its bytes unread makes the kernel reset the connection
#: and the client never sees the answer (RFC 9112 section 9.6). This much is read and thrown away for it.
_LINGER_BYTES = 1 << 20

#: What a broken connection raises; anything else is an error of ours or of the file system.
_DISCONNECTS = frozenset(
    {errno.ECONNRESET, errno.EPIPE, errno.ENOTCONN, errno.ETIMEDOUT, errno.ECONNABORTED, errno.EHOSTUNREACH}
)


class Connection(Channel):
    """One accepted socket. Owns the descriptor. For whoever holds the engine's ownership.

    is_watched: whether the poller knows the descriptor; the loop's to change. served: requests so far.
    """

    def __init__(
        self, context: Context, fd: int, peer: tuple[str, int] | None, listener: Listener, is_trusted: bool
    ) -> None:
        Channel.__init__(self, peer, listener, context.ownership)
        self.fd = fd
        self.state = _HEAD
        self.served = 0
        self.is_watched = False
        self._context = context
        self._input = b""
        self._scanned = 0
        self._is_trusted = is_trusted
        self._is_reading = False
        self._has_more_input = False
        self._is_scheduled = False
        self._closes_after_output = False
        self._was_refused = False
        self._skipped_line = False
        self._may_announce = False
        self._stays = False
        self._cookie = ""
        self._lingered = 0
        # Bytes of the body received, or of the output taken, when the present deadline was set.
        self._marked = 0.0
        self._request: Request | None = None
        self._exchange: Exchange | None = None
        self._body: RequestBody | None = None
        self._output: OutputQueue | None = None
        timers = context.timers
        (timers.drain if context.is_draining else timers.first_byte).arm(self, context.now)

    def __repr__(self) -> str:
        return f"<Connection fd={self.fd} peer={self.peer} {State(self.state).name}>"

    def fileno(self) -> int:
        return -1 if self.state == _CLOSED else self.fd

    def may_keep_alive(self) -> cython.bint:
        return self._context.keeps_alive

    @property
    def is_idle(self) -> bool:
        """Whether nothing of a request has arrived and nothing is left to send."""
        return (self.state == _HEAD or self.state == _PROXY_HEADER) and not self._input

    def expect_proxy_header(self, is_allowed: cython.bint) -> None:
        """Has the PROXY protocol's header read before the first request. Only right after accepting.

        `is_allowed` says whether the peer may send one.
        """
        self.state = _PROXY_HEADER
        self._may_announce = is_allowed

    def continue_from(self, passed: Passed) -> None:
        """Goes on where another worker has left off. Only right after it was made; `resume` follows."""
        self.peer_port = passed.peer_port
        if passed.proxy_header is not None:
            self.proxy_header = ProxyHeader(*passed.proxy_header)
        self.served = passed.served
        self._stays = passed.stays
        self._input = passed.data
        self._has_more_input = True

    def is_congested(self) -> cython.bint:
        return self._output is not None and self._output.spooled > self._context.settings.output_spool

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
        reads: cython.int = 0
        while True:
            if self.state == _EXCHANGE or self.state == _SENDING:
                # Back-pressure: the edge is remembered and the socket read when the response is out.
                self._has_more_input = True
                return
            if self.state == _CLOSED:
                return
            if self._is_scheduled:
                # Requests that are here already come first; what is still in the socket stays there.
                self._has_more_input = True
                return
            if reads == _READS_A_TURN:
                self._run_again()
                return
            reads += 1
            try:
                data = receive(self.fd)
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
            self._has_more_input = len(data) == RECEIVE_SIZE
            self._feed(data)
            if not self._has_more_input:
                return

    def on_readable_to_end(self) -> None:
        """Like `on_readable`, when the loop knows that the end of the stream is behind the data."""
        self.on_readable()
        if self.state == _EXCHANGE:
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
                self._feed(b"")
            finally:
                self._is_reading = False
        if self._has_more_input:
            self.on_readable()

    def resume_later(self) -> None:
        """`resume` in the next turn of the loop."""
        self._run_again()

    def on_writable(self) -> None:
        """The kernel takes output again."""
        if self._output and self.state != _CLOSED:
            self._flush()

    def on_timeout(self, queue: TimerQueue) -> None:
        timers = self._context.timers
        if queue is timers.write:
            self._note_refusal("write-timeout", "the client stopped reading its response")
            self.close()
        elif self.state == _EXCHANGE:
            # That wait ended when the request was whole; it was left armed because most requests are
            # answered first.
            return
        elif queue is timers.head:
            self.refuse(RequestTimedOut("the request head did not arrive in time"))
        elif queue is timers.body:
            self.refuse(RequestTimedOut("the request body stalled"))
        else:
            self.close()

    def drain(self) -> None:
        """The worker is leaving: no request after the current one; idle clients get a short grace.

        A request may be under way towards an idle connection right now, so it is not closed at once.
        """
        if self.state == _HEAD or self.state == _PROXY_HEADER:
            self._arm(self._context.timers.drain)

    # --- input ---

    def _feed(self, data: bytes) -> None:
        if self.state == _LINGERING:
            self._lingered += len(data)
            if self._lingered > _LINGER_BYTES:
                self.close()
            return
        try:
            if self.state == _BODY:
                self._feed_body(data)
                if self.state == _BODY:
                    return
            else:
                self._input = self._input + data if self._input else data
                if self.state == _PROXY_HEADER:
                    self._read_proxy_header()
            self._advance()
        except RequestRefused as refusal:
            self.refuse(refusal)

    def _read_proxy_header(self) -> None:
        """Takes the header from the input as soon as it is whole; then requests may follow."""
        timers = self._context.timers
        header = parse_proxy_header(
            self._input, self._context.settings.proxy_protocol, self._may_announce
        )
        if header is None:
            if self.queue is not timers.head:
                self._arm(timers.head)
            return
        self.state = _HEAD
        if not header.consumed:
            return
        self._input = self._input[header.consumed :]
        self.proxy_header = header
        if header.names_client:
            # `_is_trusted` stays the real peer's: whoever connected has written the fields of the request.
            self.peer = header.source
            self.peer_port = "" if header.source is None else str(header.source[1])
        if not self._input:
            self._arm(timers.drain if self._context.is_draining else timers.first_byte)

    def _advance(self) -> None:
        """Parses what is there, and hands over the first request if it is whole."""
        data: bytes
        end: cython.Py_ssize_t
        body_end: cython.Py_ssize_t
        length: cython.longlong
        while self.state == _HEAD:
            data = self._input
            if not data:
                break
            end = head_end(data, self._scanned)
            if data[0] == 13 and not self._skipped_line and data.startswith(b"\r\n"):
                # RFC 9112 section 2.2: one empty line before a request line is tolerated.
                self._skipped_line = True
                self._input = data[2:]
                self._scanned = 0
                continue
            if end < 0:
                self._context.parser.check_incomplete(data)
                self._scanned = max(0, len(data) - 3)
                # While the worker leaves, the grace for a request under way is not prolonged by its pieces.
                if self.queue is not self._context.timers.head and not self._context.is_draining:
                    self._arm(self._context.timers.head)
                break
            request: Request = self._context.parser.parse(data, end, self._is_trusted)
            if self._context.sticky is not None and self._moves(self._context.sticky, request):
                return
            self._scanned = 0
            self._skipped_line = False
            length = request.content_length
            if length == 0:
                self._input = data[end:] if len(data) > end else b""
                self._hand_over(request, None)
            elif 0 < length <= self._context.body_buffer and len(data) - end >= length:
                # The body came with its head, as small ones do.
                body_end = end + length
                self._input = data[body_end:] if len(data) > body_end else b""
                self._hand_over(request, BytesIO(data[end:body_end]))
            else:
                self._input = data[end:]
                self._expect_body(request)

    def _moves(self, sticky: Sticky, request: Request) -> cython.bint:
        """Passes the connection on to the worker that `request` belongs to; False if it is served here.

        One that was passed on for this request stays, so none goes round in a circle.
        """
        context = self._context
        self._cookie = ""
        if self._stays:
            self._stays = False
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
        self._release()
        return True

    def _as_passed(self, sticky: Sticky) -> Passed:
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
        self._request = request
        self._body = RequestBody(
            length, decoder, settings.body_buffer, settings.limits.body, settings.temporary_directory
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
        request = self._request
        assert body is not None
        assert request is not None
        self._input = body.feed(data)
        if body.is_complete:
            self._body = None
            self._hand_over(request, body.open())
        elif body.received - self._marked >= self._context.body_step:
            self._marked = body.received
            self._arm(self._context.timers.body)

    def _on_end_of_stream(self) -> None:
        if self.state == _BODY:
            # The client may have closed its sending side only, and still read the answer.
            self.refuse(TruncatedBody("the client closed before the end of the body"))
        else:
            self.close()

    def refuse(self, refusal: RequestRefused) -> None:
        """Answers a request that never reaches the application, and closes."""
        self._note_refusal(refusal.kind, refusal.detail, refusal.status)
        if self._body is not None:
            self._body.discard()
            self._body = None
        self._request = None
        self._input = b""
        self._end_exchange()
        self._was_refused = True
        self.state = _EXCHANGE
        tail = self._context.response_tail()
        self.send(render_refusal(refusal.status, refusal.reason, tail, refusal.retry_after))
        self.finish(False)

    # --- output, called by the exchange ---

    def send(self, data: bytes) -> None:
        """Sends or queues `data`; drops it when the connection is gone."""
        count: cython.Py_ssize_t
        if self.state == _CLOSED or not data:
            return
        if self._output:
            self._queue(data)
            return
        try:
            count = transmit(self.fd, data, 0)
        except OSError:
            self.close()
            return
        if count != len(data):
            self._queue(data[count:] if count > 0 else data)

    def send_two(self, head: bytes, data: bytes) -> None:
        """`send` for two pieces in one call to the kernel."""
        count: cython.Py_ssize_t
        if self.state == _CLOSED:
            return
        if self._output:
            self._queue(head)
            self._queue(data)
            return
        try:
            count = transmit_two(self.fd, head, data)
        except OSError:
            self.close()
            return
        if count == len(head) + len(data):
            return
        count = max(count, 0)
        if count < len(head):
            self._queue(head[count:])
            self._queue(data)
        else:
            self._queue(data[count - len(head) :])

    def send_file(self, segment: FileSegment) -> None:
        """Sends or queues a piece of a file; owns `segment` from now on."""
        if self.state == _CLOSED:
            segment.close()
            return
        output = self._output
        if output is None:
            self._output = output = self._new_output()
        was_empty = not output
        output.push_file(segment)
        if was_empty and output:
            self._watch_writable()
            self._flush()

    def _new_output(self) -> OutputQueue:
        settings = self._context.settings
        return OutputQueue(settings.output_buffer, settings.temporary_directory)

    def _queue(self, data: bytes) -> None:
        output = self._output
        if output is None:
            self._output = output = self._new_output()
        was_empty = not output
        try:
            output.push(data)
        except OSError as error:
            self._note_refusal("spool", f"cannot write the temporary file of a response: {error}")
            self.close()
            return
        if was_empty:
            self._watch_writable()
            self._marked = 0.0
            self._arm(self._context.timers.write)

    def _flush(self) -> None:
        output = self._output
        assert output is not None
        try:
            may_take_more: cython.bint = output.flush(self.fd)
        except OSError as error:
            if error.errno not in _DISCONNECTS:
                self._note_refusal("send", f"cannot send a response: {error}")
            self.close()
            return
        if output:
            if self.queue is not self._context.timers.write:
                self._arm(self._context.timers.write)
            elif output.taken - self._marked >= self._context.write_step:
                self._marked = output.taken
                self._arm(self._context.timers.write)
            if may_take_more:
                self._run_again()
            return
        self._output = None
        if self.state == _SENDING:
            self._end_of_output()
        else:
            disarm(self)

    def wait_drained(self) -> None:
        """Waits as the worker kind does until the queue is empty or the client was dropped."""
        self._context.waiting.wait_drained(self)

    def is_drained(self) -> cython.bint:
        """Whether nothing waits for this client any more, or it is gone."""
        return not self._output or self.state == _CLOSED

    def wait_departed(self, timeout: float | None) -> bool:
        """Waits as the worker kind does, `timeout` seconds or for ever, until the client closes; whether it
        did.
        """
        return bool(self._context.waiting.wait_departed(self, timeout))

    def serve_output(self) -> None:
        """What the loop would do now for output that waits: for who waits for it while no loop turns."""
        self._context.beat()
        if self._output and self.state != _CLOSED:
            self._flush()
        write = self._context.timers.write
        if self.queue is write and write.delay and self.deadline <= self._context.now:
            disarm(self)
            self.on_timeout(write)

    def finish(self, keep_alive: bool) -> None:
        """Ends the response of the current exchange."""
        if self.state != _EXCHANGE:
            return
        self._end_exchange()
        self._closes_after_output = not keep_alive
        if self._output:
            self.state = _SENDING
        else:
            self._end_of_output()

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

    def response_tail(self) -> str:
        """The end of a response head that is sent now: the Date and Server fields and the empty line."""
        tail = self._context.response_tail()
        return self._cookie + tail if self._cookie else tail

    # --- the end ---

    def _close_gently(self) -> None:
        """Closes so that the client can read what was sent (RFC 9112 section 9.6)."""
        if not (self._was_refused or self._input or self._has_more_input):
            # Whole requests only: nothing unread is there to make the kernel reset the connection.
            self.close()
            return
        try:
            with socket.socket(fileno=os.dup(self.fd)) as twin:
                twin.shutdown(socket.SHUT_WR)
        except OSError:
            self.close()
            return
        self._input = b""
        self._has_more_input = True
        self.state = _LINGERING
        self._arm(self._context.timers.linger)
        if not self._is_reading:
            self._run_again()

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
        self._request = None
        self._input = b""
        self._release()

    def _release(self) -> None:
        """Gives the descriptor and the place among the connections back."""
        context = self._context
        context.connections.pop(self.fd, None)
        context.slot.note_open(len(context.connections))
        context.closed += 1
        context.has_room = True
        os.close(self.fd)

    # --- what it says to the loop ---

    def _arm(self, queue: TimerQueue) -> None:
        queue.arm(self, self._context.now)
        if self.deadline < self._context.sleeps_until and queue.delay:
            self._context.wake()

    def _run_again(self) -> None:
        """There is more to do in the next turn of the loop."""
        if not self._is_scheduled:
            self._is_scheduled = True
            self._context.again.append(self)
            self._context.wake()

    def _watch_writable(self) -> None:
        """There is output that the kernel does not take yet."""
        if self.is_watched:
            self._context.poller.watch_writable(self.fd)
        else:
            # It is being served while it is accepted; then the loop registers it only if nobody has.
            self.is_watched = True
            self._context.poller.watch_connection(self.fd, True)

    def _note_refusal(self, kind: str, detail: str, status: str = "") -> None:
        self._context.note_refusal(kind, self.peer, detail, status)
