"""One response on its way out: its head, its framing, and what was wrong with it. Shared by the
interfaces.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import cython
else:
    from indrik import uncompiled as cython

from indrik.engine.exchange import Exchange
from indrik.protocol.chunked import LAST_CHUNK, frame_chunk
from indrik.protocol.response import InvalidResponse, ResponseHead, complete, prepare

#: A body up to this size is copied behind its head; a larger one goes to the kernel as a second piece.
_COPIED = 4096


@cython.freelist(32)
@cython.cclass
class Response:
    """The state of one response.

    Loggers and hooks see it as Gunicorn's response object: status, status_code, headers, sent.
    """

    status: str
    headers: list[tuple[str, str]] | None
    sent: int
    _notes: ResponseNotes
    _exchange: Exchange
    _prepared: ResponseHead | None  # from `headers` as they are
    _head: ResponseHead | None  # once it was sent
    _overran: bool  # more than Content-Length was given, and the log has said so

    @property
    def status_code(self) -> int:
        """The status as a number, 0 before start_response."""
        return int(self.status[:3]) if self.status else 0

    @property
    def response_length(self) -> int | None:
        """The Content-Length that was sent, None for none."""
        if self._head is None or self._head.content_length < 0:
            return None
        length: int = self._head.content_length
        return length

    @property
    def queued(self) -> float:
        """Seconds that the whole request waited for the application."""
        return self._exchange.waited()

    @property
    def headers_sent(self) -> bool:
        """Whether the head has been sent, so that the status cannot be changed any more."""
        return self._head is not None

    def _start(self, length: cython.longlong, body: bytes) -> ResponseHead:
        """Renders the head; `length` is the body's length where it is known, `body` its first piece if it may
        be copied behind the head.
        """
        exchange = self._exchange
        head: ResponseHead | None
        assert self.headers is not None  # _check has made sure
        request = exchange.request
        head = self._prepared
        if head is None:
            head = prepare(self.status, self.headers)
        self._prepared = None
        complete(
            head,
            # The length first: it is at hand, comparing is a call.
            len(request.method) == 4 and request.method == "HEAD",
            request.minor_version,
            exchange.keep_alive(),
            length,
            exchange.response_tail(),
            body,
        )
        if head.dropped is not None:
            self._notes.note_dropped(head.dropped)
        if head.content_length < 0 and head.has_body and not head.is_chunked:
            exchange.frame_by_close()
        self._head = head
        exchange.begins = True
        return head

    def _write(self, data: bytes, length: cython.longlong) -> ResponseHead:
        """Sends one non-empty piece, with the head before it if that is still due; the head."""
        head = self._head
        exchange = self._exchange
        first: cython.bint = head is None
        if head is None:
            head = self._start(length, data if len(data) <= _COPIED else b"")
            if head.holds_body:
                self.sent = len(data)
                exchange.send(head.data)
                return head
        if not head.has_body:
            if first:
                exchange.send(head.data)
            return head
        if head.content_length >= 0:
            room: cython.longlong = head.content_length - self.sent
            if len(data) > room:
                if not self._overran:
                    self._overran = True
                    self._notes.note_too_long(exchange.request, head.content_length)
                data = data[:room]
                # What follows could be taken for the next response, so there is none on this connection.
                exchange.forbid_keep_alive()
        self.sent += len(data)
        if head.is_chunked:
            data = frame_chunk(data)
        if not first:
            exchange.send(data)
        else:
            exchange.send_two(head.data, data)
        return head

    def _end(self) -> None:
        """The application has given everything."""
        exchange = self._exchange
        head = self._head
        if head is None:
            if self.headers is None:
                raise InvalidResponse("PEP 3333: the application returned without calling start_response")
            head = self._start(0, b"")
            exchange.send(head.data)
        if head.has_body:
            if head.is_chunked:
                exchange.send(LAST_CHUNK)
            elif head.content_length > self.sent:
                self._notes.note_too_short(exchange.request, head.content_length, self.sent)
                exchange.abort()
                return
        exchange.finish(head.keep_alive)

    def fail(self) -> None:
        """The application raised: a 500 if nothing was sent yet, else a connection cut short."""
        exchange = self._exchange
        if self._head is not None:
            exchange.abort()
            return
        body = b"500 Internal Server Error: The application failed; the reason is in the server's log.\n"
        self._prepared = None
        self.status = "500 Internal Server Error"
        self.headers = [("Content-Type", "text/plain; charset=utf-8")]
        head = self._write(body, len(body))
        exchange.finish(head.keep_alive)


class ResponseNotes:
    """What the log is told of responses that were not sent as the application gave them."""

    def __init__(self, log: Any) -> None:
        self._log = log
        self._dropped: set[str] = set()

    def note_dropped(self, names: list[str]) -> None:
        """Warns, once a name, of a hop-by-hop field that was not sent (PEP 3333: they are the server's)."""
        for name in names:
            if name.lower() not in self._dropped:
                self._dropped.add(name.lower())
                self._log.warning(
                    "the application set the hop-by-hop header %r, which PEP 3333 leaves to the server; "
                    "it is not sent",
                    name,
                )

    def note_too_long(self, request: Any, length: int) -> None:
        """Names an application that sends more than it announced."""
        self._log.error(
            "the application sent more than its Content-Length of %d bytes while answering %r; "
            "the rest is dropped",
            length,
            request.line,
        )

    def note_too_short(self, request: Any, length: int, sent: int) -> None:
        """Names an application that sends less than it announced."""
        self._log.error(
            "the application sent %d bytes of its Content-Length of %d while answering %r; "
            "the connection is closed",
            sent,
            length,
            request.line,
        )
