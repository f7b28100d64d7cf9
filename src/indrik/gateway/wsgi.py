"""The WSGI gateway: calls the application and turns what it returns into exactly one response (PEP 3333)."""

from __future__ import annotations

import contextvars
import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import cython
else:
    from indrik import uncompiled as cython

if cython.compiled:
    from cython.cimports.cpython.contextvars import (
        PyContext_Copy,
        PyContext_Enter,
        PyContext_Exit,
    )
    from cython.cimports.indrik.gateway.cmethod import PyMethod_New

from indrik.engine.exchange import Exchange, Handler
from indrik.engine.interruption import take_back
from indrik.engine.timers import NEVER
from indrik.errors import ClientDisconnected, RequestTimeout
from indrik.gateway.client import client_of
from indrik.gateway.client_socket import socket_of
from indrik.gateway.deadline import Deadline
from indrik.gateway.environ import EnvironBuilder
from indrik.gateway.file_wrapper import FileWrapper
from indrik.gateway.response import Response, ResponseNotes
from indrik.gateway.took import time_taken
from indrik.protocol.refusals import RequestOverdue, RequestRefused
from indrik.protocol.response import UNKNOWN_LENGTH, InvalidResponse, prepare

if TYPE_CHECKING:
    from indrik.gateway.x_sendfile import FileRoots

#: What an iterator has given that has nothing more.
_END = object()


class _ClientGone(Exception):
    """The client left in the middle of a response; ends the iteration, never reaches the application."""


def _unshielded(exchange: Exchange, function: Any, *arguments: Any) -> Any:
    """Calls what is the application's: there, and only there, the end of its time may interrupt it."""
    exchange.shields -= 1
    try:
        return function(*arguments)
    finally:
        exchange.shields += 1
        if exchange.is_told:
            take_back(exchange)


@cython.freelist(32)
@cython.cclass
class StartResponse(Response):
    """start_response of one request, and the state of its response."""

    _gateway: WSGIGateway

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
        # Here, so that what is wrong with them is raised where the application can deal with it.
        self._prepared = prepare(status, headers)
        self.status = status
        self.headers = headers
        if cython.compiled:
            # self.write, without looking for it.
            return PyMethod_New(_write, self)
        return self.write

    def write(self, data: Any) -> None:
        """PEP 3333's write(): sends `data` now."""
        exchange = self._exchange
        exchange.shields += 1
        try:
            self._write_now(data)
        finally:
            exchange.shields -= 1

    def _write_now(self, data: Any) -> None:
        data = self._check(data)
        if self._head is None and self._gateway.file_roots is not None and self._send_named():
            pass
        elif data:
            self._write(data, UNKNOWN_LENGTH)
        elif self._head is None:
            self._exchange.send(self._start(UNKNOWN_LENGTH, b"").data)

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

    def send_result(self, result: Any) -> None:
        """Sends everything that the application returned."""
        item: Any
        if self._gateway.file_roots is not None and self.headers is not None and self._send_named():
            pass
        elif type(result) is list or type(result) is tuple:
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
        items = _unshielded(exchange, iter, result)
        while True:
            # As _unshielded, without a call for each piece.
            exchange.shields -= 1
            try:
                item = next(items, _END)
            finally:
                exchange.shields += 1
                if exchange.is_told:
                    take_back(exchange)
            if item is _END:
                break
            data = self._check(item)
            if data:
                # Of an application that calls start_response when it is iterated, a generator say.
                if self._head is None and self._gateway.file_roots is not None and self._send_named():
                    return
                head = self._write(data, UNKNOWN_LENGTH)
                if not head.has_body:
                    return
            if exchange.departure > 1 or exchange.channel.is_closed:  # LEFT, or the connection broke
                raise _ClientGone
            if exchange.is_congested():
                _unshielded(exchange, exchange.wait_drained)
        if self._head is None and self.headers is not None and self._gateway.file_roots is not None:
            self._send_named()

    def _send_named(self) -> cython.bint:
        """Sends the file that the application's header fields name; False if they name none."""
        roots = self._gateway.file_roots
        if self._head is not None or roots is None or self.headers is None:
            return False
        named = roots.named_in(self.headers)
        if named is None:
            return False
        exchange = self._exchange
        answer = roots.answer(named, self.status, self.headers, exchange.request)
        try:
            self._prepared = None
            self.status = answer.status
            self.headers = answer.headers
            head = self._start(answer.length, b"")
            exchange.send(head.data)
            if head.has_body:
                exchange.send_pieces(answer.take_pieces())
                self.sent = answer.length
        finally:
            answer.close()
        return True

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


_write = StartResponse.write


class WSGIGateway(Handler):
    """Serves exchanges with one WSGI application.

    log: the worker's logger. before: called with the request before the application, None for nothing;
    after: called with request, environ and response behind it. uses_sendfile: whether file wrappers go by
    sendfile(2). has_deadline: whether requests have deadlines, some at least; the worker kind enforces them.
    file_roots: where files are that the application names in header fields, None for nowhere. framework: what
    the configuration of the application's framework asks of each environ, None for nothing.
    failures: what, beside every `Exception`, is a failure of the application and not the end of the worker.

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
        has_deadline: bool = False,
        file_roots: FileRoots | None = None,
        framework: Any = None,
        failures: tuple[type[BaseException], ...] = (),
    ) -> None:
        self._application = application
        self._environs = environs
        self._log = log
        self._logs_access = bool(log.access_enabled)
        self._slot = slot
        self.uses_sendfile = uses_sendfile
        self._before = before
        self._after = after
        self._has_deadline = has_deadline
        self.file_roots = file_roots
        self._framework = framework
        self._notes = ResponseNotes(log)
        self._failures: tuple[type[BaseException], ...] = (Exception, *failures)
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

    def client_left(self, exchange: Exchange) -> None:
        """Nothing: whoever answers notices it at his next step, or asks."""

    def _handle(self, exchange: Exchange) -> None:
        response: StartResponse = StartResponse.__new__(StartResponse)
        response.status = ""
        response.headers = None
        response.sent = 0
        response._gateway = self
        response._notes = self._notes
        response._exchange = exchange
        response._prepared = None
        response._head = None
        response._overran = False
        environ: dict | None = None
        client = client_of(exchange)
        client_socket = socket_of(exchange)
        result: Any
        try:
            if self._before is not None:
                _unshielded(exchange, self._before, exchange.request)
            environ = self._environs.build(exchange)
            if self._framework is not None:
                self._framework.prepare(exchange.request, environ)
            environ["wsgi.early_hints"] = client
            environ["indrik.disconnected"] = client
            environ["gunicorn.socket"] = client_socket
            if self._has_deadline and exchange.deadline < NEVER:
                environ["indrik.deadline"] = Deadline(exchange)
            exchange.shields -= 1
            try:
                result = self._application(environ, response)
            finally:
                exchange.shields += 1
                if exchange.is_told:
                    take_back(exchange)
            try:
                if exchange.is_finished:
                    # Ended meanwhile for taking too long, or the connection is the application's now.
                    raise _ClientGone
                response.send_result(result)
            finally:
                if type(result) is not list and type(result) is not tuple:
                    self._close(exchange, result)
        except RequestRefused as refusal:
            exchange.refuse(refusal)
            return
        except (_ClientGone, ClientDisconnected):
            self._log.debug("the client of %r left before the end of its response", exchange.request.line)
            exchange.abort()
        except self._failures as error:
            if exchange.is_taken and isinstance(error, StopIteration):
                self._log.debug("the application has taken over the connection of %r", exchange.request.line)
            else:
                self._failed(exchange, response, error)
        except RequestTimeout:
            # Whoever raised it in here has logged it.
            self._slot.count_error()
            exchange.fail_overdue()
        if exchange.is_taken:
            client_socket.close_taken()
        elif exchange.channel.is_closed:
            _unshielded(exchange, client.run_callbacks)
        if exchange.request.content_length:
            exchange.close_body()
        if exchange.was_refused:
            # For the hook: whatever the application has set came too late.
            response.status = RequestOverdue.status
        elif self._logs_access and not exchange.is_taken:
            self._log.access(response, exchange.request, environ or {}, time_taken(exchange))
        if self._after is not None:
            _unshielded(exchange, self._after, exchange.request, environ, response)

    def _close(self, exchange: Exchange, result: Any) -> None:
        """PEP 3333: close() is called once, whatever came before. The response is out; it fails alone."""
        close = getattr(result, "close", None)
        if close is None:
            return
        try:
            _unshielded(exchange, close)
        except InvalidResponse as error:
            self._slot.count_error()
            self._log.error(
                "the application broke a rule in close(), behind %r: %s", exchange.request.line, error
            )
        except Exception:
            self._slot.count_error()
            self._log.exception("the application failed in close(), behind %r", exchange.request.line)

    def _failed(self, exchange: Exchange, response: Response, error: BaseException) -> None:
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
