"""The WSGI gateway: calls the application and turns what it returns into exactly one response (PEP 3333)."""

from __future__ import annotations

import contextvars
import datetime
import os
from typing import Any

import cython

if cython.compiled:
    from cython.cimports.cpython.contextvars import (
        PyContext_Copy,
        PyContext_Enter,
        PyContext_Exit,
    )

from indrik.engine.exchange import Exchange, Handler
from indrik.errors import RequestTimeout
from indrik.gateway.client import client_of
from indrik.gateway.deadline import Deadline
from indrik.gateway.environ import EnvironBuilder
from indrik.gateway.file_wrapper import FileWrapper
from indrik.protocol.chunked import LAST_CHUNK, frame_chunk
from indrik.protocol.refusals import RequestOverdue, RequestRefused
from indrik.protocol.response import InvalidResponse, ResponseHead, render

#: A body up to this size is copied behind its head; a larger one goes to the kernel as a second piece.
_COPIED = 4096

#: A body whose length is not known before its end.
_UNKNOWN = -1


class _ClientGone(Exception):
    """The client left in the middle of a response; ends the iteration, never reaches the application."""


@cython.freelist(32)
@cython.cclass
class Response:
    """start_response of one request, and the state of its response.

    Loggers and hooks see it as Gunicorn's response object: status, status_code, headers, sent; and queued.
    """

    status: str
    headers: list[tuple[str, str]] | None
    sent: int
    _gateway: WSGIGateway
    _exchange: Exchange
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

    def __call__(self, status: Any, headers: Any, exc_info: Any = None) -> Any:
        """PEP 3333's start_response. Raises `InvalidResponse` when the rules are broken."""
        if exc_info is not None:
            try:
                if self._head is not None:
                    raise exc_info[1].with_traceback(exc_info[2])
            finally:
                exc_info = None
        elif self.headers is not None:
            raise InvalidResponse("PEP 3333: start_response was called a second time without exc_info")
        if type(status) is not str:
            if not isinstance(status, str):
                raise InvalidResponse(f"PEP 3333: the status must be a str, not {type(status).__name__}")
            status = str.__str__(status)
        if type(headers) is not list:
            raise InvalidResponse(
                f"PEP 3333: the response headers must be a list, not {type(headers).__name__}"
            )
        self.status = status
        self.headers = headers
        return self.write

    def write(self, data: Any) -> None:
        """PEP 3333's write(): sends `data` now."""
        data = self._check(data)
        if data:
            self._write(data, _UNKNOWN)
        elif self._head is None:
            self._exchange.send(self._start(_UNKNOWN, b"").data)

    def _check(self, data: Any) -> bytes:
        """`data`, which must be a piece of the body that may be sent now."""
        if not isinstance(data, bytes):
            raise InvalidResponse(f"PEP 3333: the body must be bytes, not {type(data).__name__}")
        if self.headers is None:
            raise InvalidResponse("PEP 3333: start_response must be called before the first byte of the body")
        if self._exchange.is_finished:
            if self._exchange.is_overdue:
                # Not the application's fault that it goes on: it has not been interrupted yet.
                raise _ClientGone
            raise InvalidResponse("PEP 3333: write() was called after the end of the response")
        return data if type(data) is bytes else bytes(data)

    def _start(self, length: cython.longlong, body: bytes) -> ResponseHead:
        """Renders the head; `length` is the body's length where it is known, `body` its first piece if it may
        be copied behind the head.
        """
        exchange = self._exchange
        assert self.headers is not None  # _check has made sure
        request = exchange.request
        head: ResponseHead = render(
            self.status,
            self.headers,
            request.method == "HEAD",
            request.minor_version,
            exchange.keep_alive(),
            length,
            exchange.response_tail(),
            body,
        )
        if head.dropped is not None:
            self._gateway.note_dropped(head.dropped)
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
                    self._gateway.note_too_long(exchange.request, head.content_length)
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

    def send_result(self, result: Any) -> None:
        """Sends everything that the application returned."""
        item: Any
        if type(result) is list or type(result) is tuple:
            if len(result) == 1:
                item = self._check(result[0])
                if item:
                    self._write(item, len(item))
            else:
                self._send_sequence(result)
        elif type(result) is FileWrapper and self._gateway.uses_sendfile and self._send_file(result):
            pass
        else:
            self._send_iterable(result)
        self._end()

    def _send_sequence(self, items: Any) -> None:
        length: cython.longlong = 0
        for item in items:
            length += len(self._check(item))
        for item in items:
            if item:
                self._write(self._check(item), length)

    def _send_iterable(self, result: Any) -> None:
        exchange = self._exchange
        if not hasattr(result, "__iter__") and not hasattr(result, "__getitem__"):
            raise InvalidResponse(
                f"PEP 3333: the application must return an iterable of bytes, not {type(result).__name__}"
            )
        for item in result:
            data = self._check(item)
            if data:
                head = self._write(data, _UNKNOWN)
                if not head.has_body:
                    return
            if exchange.departure > 1 or exchange.channel.is_closed:  # LEFT, or the connection broke
                raise _ClientGone
            if exchange.is_congested():
                exchange.wait_drained()

    def _send_file(self, wrapper: FileWrapper) -> cython.bint:
        """Hands the file over to the engine; False when it has to be read instead."""
        found = wrapper.as_file()
        if found is None or self._head is not None:
            return False
        if self.headers is None:
            raise InvalidResponse("PEP 3333: start_response must be called before the first byte of the body")
        fd, position, count = found
        head = self._start(count, b"")
        exchange = self._exchange
        exchange.send(head.data)
        if head.has_body:
            if head.content_length >= 0:
                count = min(count, head.content_length)
            # The application closes its file as soon as it returns; the engine may need it for much longer.
            exchange.send_file(os.dup(fd), position, count)
            self.sent = count
        return True

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
                self._gateway.note_too_short(exchange.request, head.content_length, self.sent)
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
        self.status = "500 Internal Server Error"
        self.headers = [("Content-Type", "text/plain; charset=utf-8")]
        head = self._write(body, len(body))
        exchange.finish(head.keep_alive)


class WSGIGateway(Handler):
    """Serves exchanges with one WSGI application.

    log: the worker's logger. before: called with the request before the application, None for nothing;
    after: called with request, environ and response behind it. uses_sendfile: whether file wrappers go by
    sendfile(2). request_timeout: seconds that a request has, 0 for any time; the worker kind enforces it.

    Each request has a `contextvars.Context` of its own, a copy of the one in which the gateway was made: for
    the call, each step of the iteration, `close()` and the hooks. So nothing of it is visible in the next
    request, also when a stream was abandoned.
    """

    def __init__(
        self,
        application: Any,
        environs: EnvironBuilder,
        log: Any,
        slot: Any,
        uses_sendfile: bool = True,
        before: Any = None,
        after: Any = None,
        request_timeout: float = 0.0,
    ) -> None:
        self._application = application
        self._environs = environs
        self._log = log
        self._logs_access = bool(log.access_enabled)
        self._slot = slot
        self.uses_sendfile = uses_sendfile
        self._before = before
        self._after = after
        self._has_deadline = request_timeout > 0
        self._dropped: set[str] = set()
        self._context = contextvars.copy_context()

    def handle(self, exchange: Exchange) -> None:
        """Answers `exchange`. Never raises an `Exception`; `SystemExit` and its like pass through."""
        if cython.compiled:
            context: object = PyContext_Copy(self._context)
            PyContext_Enter(context)
            try:
                self._handle(exchange)
            finally:
                PyContext_Exit(context)
        else:
            self._context.copy().run(self._handle, exchange)

    def _handle(self, exchange: Exchange) -> None:
        response: Response = Response.__new__(Response)
        response.status = ""
        response.headers = None
        response.sent = 0
        response._gateway = self
        response._exchange = exchange
        response._head = None
        response._overran = False
        environ: dict | None = None
        client = client_of(exchange)
        result: Any
        try:
            if self._before is not None:
                self._before(exchange.request)
            environ = self._environs.build(exchange)
            environ["wsgi.early_hints"] = client
            environ["indrik.disconnected"] = client
            if self._has_deadline:
                environ["indrik.deadline"] = Deadline(exchange)
            result = self._application(environ, response)
            try:
                if exchange.is_finished:
                    # Ended meanwhile for taking too long.
                    raise _ClientGone
                response.send_result(result)
            finally:
                if type(result) is not list and type(result) is not tuple:
                    self._close(exchange, result)
        except RequestRefused as refusal:
            exchange.refuse(refusal)
            return
        except _ClientGone:
            self._log.debug("the client of %r left before the end of its response", exchange.request.line)
        except Exception as error:
            self._failed(exchange, response, error)
        except RequestTimeout:
            # Whoever raised it in here has logged it.
            self._slot.count_error()
            exchange.fail_overdue()
        if exchange.channel.is_closed:
            client.run_callbacks()
        if exchange.request.content_length:
            exchange.close_body()
        if exchange.was_refused:
            # For the hook: whatever the application has set came too late.
            response.status = RequestOverdue.status
        elif self._logs_access:
            self._log.access(
                response, exchange.request, environ or {}, datetime.timedelta(seconds=exchange.elapsed())
            )
        if self._after is not None:
            self._after(exchange.request, environ, response)

    def _close(self, exchange: Exchange, result: Any) -> None:
        """PEP 3333: close() is called once, whatever came before. The response is out; it fails alone."""
        close = getattr(result, "close", None)
        if close is None:
            return
        try:
            close()
        except InvalidResponse as error:
            self._slot.count_error()
            self._log.error(
                "the application broke a rule in close(), behind %r: %s", exchange.request.line, error
            )
        except Exception:
            self._slot.count_error()
            self._log.exception("the application failed in close(), behind %r", exchange.request.line)

    def _failed(self, exchange: Exchange, response: Response, error: Exception) -> None:
        self._slot.count_error()
        if isinstance(error, InvalidResponse):
            self._log.error(
                "the application broke a rule while answering %r: %s", exchange.request.line, error
            )
            self._log.debug("where it did", exc_info=True)
        else:
            self._log.exception("the application failed while answering %r", exchange.request.line)
        try:
            response.fail()
        except Exception:
            self._log.exception("cannot answer %r", exchange.request.line)
            exchange.abort()

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
