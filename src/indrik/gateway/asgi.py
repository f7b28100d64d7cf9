"""The ASGI gateway for HTTP: one task a request, whose receive and send complete at once when they can."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import datetime
import os
import stat
from collections.abc import Awaitable, Callable
from types import CoroutineType
from typing import Any

import cython

from indrik.engine.exchange import Exchange, Handler
from indrik.engine.inlet import BodyInlet
from indrik.errors import ConnectionEnded
from indrik.gateway.admission import Admission
from indrik.gateway.deadline import Deadline
from indrik.gateway.done import DONE
from indrik.gateway.environ import EnvironBuilder
from indrik.gateway.keepalive import PingSchedule
from indrik.gateway.response import Response, ResponseNotes
from indrik.gateway.scope import ScopeBuilder
from indrik.gateway.task import RequestTask
from indrik.gateway.waiter import Waiter, wait_behind, wake_all
from indrik.gateway.websocket import WebSocketCycle, WebSocketSettings, open_websocket
from indrik.protocol.chunked import LAST_CHUNK
from indrik.protocol.octet_fields import decode_fields, status_line
from indrik.protocol.refusals import RequestOverdue, RequestRefused
from indrik.protocol.response import (
    CONTINUE,
    UNKNOWN_LENGTH,
    InvalidResponse,
    render_early_hints,
    render_trailers,
)
from indrik.protocol.websocket_frames import InvalidMessage, WebSocketRefused
from indrik.protocol.websocket_handshake import wants_websocket

#: Bytes that wait for a slow reader before `send` waits for it.
_HIGH_WATER = 65536


class HTTPCycle(RequestTask):
    """One request and its response: the task that runs the application, and its receive and send."""

    _gateway: ASGIGateway
    _exchange: Exchange
    _scope: dict[str, Any] | None
    _response: Response
    _body: bytes | None  # whole, and not received yet
    _inlet: BodyInlet | None  # or on its way
    _receivers: Waiter | None  # the latest; the others behind it
    _drainers: Waiter | None
    _trailers: list[tuple[str, str]]
    _has_trailers: bool
    _is_complete: bool
    _is_overdue: bool
    _timer: Any  # of its deadline

    def _open(self) -> bool:
        gateway = self._gateway
        exchange = self._exchange
        try:
            if gateway.before is not None:
                gateway.before(exchange.request)
            self._scope = gateway.scopes.build(exchange)
            if gateway.request_timeout:
                self._scope["extensions"]["indrik.deadline"] = Deadline(exchange)
            coroutine = gateway.application(self._scope, self.receive, self.send)
            if type(coroutine) is not CoroutineType and not asyncio.iscoroutine(coroutine):
                coroutine = _awaiting(coroutine)
            self._coro = coroutine
        except RequestRefused as refusal:
            exchange.refuse(refusal)
            self._finish(None)
            return False
        except Exception as error:
            self._finish(error)
            return False
        return True

    def _ended(self, error: Any) -> None:
        """The application has returned or failed: makes sure that there is one whole response or none."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._gateway.cycle_ended(self, error)
        # What refers to one another, and would wait for the garbage collector.
        self._exchange.owner = None
        self._receivers = self._drainers = None
        self._body = None
        self._inlet = None

    @property
    def request_line(self) -> str:
        """The request line, for people."""
        return self._exchange.request.line

    # --- what the engine says ---

    def tell(self) -> None:
        """Something that `receive` may wait for has happened."""
        waiting = self._receivers
        if waiting is not None:
            self._receivers = None
            wake_all(waiting)

    def drained(self) -> None:
        """Nothing waits for the client any more."""
        waiting = self._drainers
        if waiting is not None:
            self._drainers = None
            wake_all(waiting)

    # --- receive ---

    async def receive(self) -> dict[str, Any]:
        """ASGI's receive: the next piece of the body, then `http.disconnect` when the client has left or the
        response is complete.
        """
        exchange = self._exchange
        if self._body is not None:
            body = self._body
            self._body = None
            return {"type": "http.request", "body": body, "more_body": False}
        while self._inlet is not None:
            inlet = self._inlet
            if inlet.has_input():
                body = inlet.take()
                if inlet.is_complete:
                    inlet.on_input = self.tell
                    self._inlet = None
                    return {"type": "http.request", "body": body, "more_body": False}
                exchange.resume_input()
                return {"type": "http.request", "body": body, "more_body": True}
            if inlet.is_broken or self._is_complete:
                return {"type": "http.disconnect"}
            if exchange.request.expects_continue and not exchange.has_continued:
                exchange.has_continued = True
                if not exchange.has_begun:
                    exchange.send(CONTINUE)
                    exchange.resume_input()
            await self._wait_for_news()
        while not self._is_complete and exchange.departure == 0 and not exchange.is_finished:
            await self._wait_for_news()
        return {"type": "http.disconnect"}

    def _wait_for_news(self) -> Any:
        self._receivers = wait_behind(self._receivers, self._loop)
        return self._receivers

    # --- send ---

    def send(self, message: Any) -> Any:
        """ASGI's send. Raises `InvalidResponse` when the rules are broken, `ConnectionEnded` when the
        client has left.
        """
        # Looked up without a call when it is what the specification asks for.
        fields: dict = message if type(message) is dict else dict(message)
        kind = fields["type"]
        response = self._response
        if self._is_complete:
            raise InvalidResponse(f"ASGI: {kind} was sent after the end of the response")
        if kind == "http.response.body":
            if response.headers is None:
                raise InvalidResponse("ASGI: http.response.body was sent before http.response.start")
            self._send_body(fields)
        elif kind == "http.response.start":
            if response.headers is not None:
                raise InvalidResponse("ASGI: http.response.start was sent a second time")
            self._start(fields)
            return DONE
        else:
            self._send_extension(kind, fields)
        if self._exchange.is_congested_beyond(_HIGH_WATER):
            return self._wait_drained()
        return DONE

    def _start(self, message: dict) -> None:
        # The head is sent with the first piece of the body: an application that fails in between is answered
        # for with 500.
        self._response.status = status_line(message["status"])
        self._response.headers = decode_fields(message.get("headers", ()))
        self._has_trailers = bool(message.get("trailers", False))

    def _send_body(self, message: dict) -> None:
        response = self._response
        exchange = self._exchange
        data = message.get("body", b"")
        more: cython.bint = message.get("more_body", False)
        if type(data) is not bytes:
            if not isinstance(data, (bytes, bytearray, memoryview)):
                raise InvalidResponse(f"ASGI: a body is bytes, not {type(data).__name__}")
            data = bytes(data)
        if exchange.is_finished or exchange.channel.is_closed:
            self._refuse_sending()
        if data:
            response._write(data, UNKNOWN_LENGTH if more or self._has_trailers else len(data))
        elif response._head is None and (more or self._has_trailers):
            exchange.send(response._start(UNKNOWN_LENGTH, b"").data)
        if not more and not self._has_trailers:
            self._complete()

    def _complete(self) -> None:
        self._is_complete = True
        self._response._end()
        self.tell()

    def _refuse_sending(self) -> None:
        raise ConnectionEnded("the client has left, or the request has taken too long")

    async def _wait_drained(self) -> None:
        exchange = self._exchange
        while exchange.is_congested_beyond(0):
            self._drainers = wait_behind(self._drainers, self._loop)
            await self._drainers
        if exchange.channel.is_closed:
            self._refuse_sending()

    def _send_extension(self, kind: str, message: Any) -> None:
        response = self._response
        exchange = self._exchange
        if kind == "http.response.early_hint":
            if exchange.has_begun or response.headers is not None:
                raise InvalidResponse("ASGI: http.response.early_hint must come before http.response.start")
            if exchange.request.minor_version >= 1:
                links = decode_fields([(b"link", link) for link in message["links"]])
                exchange.send(render_early_hints(links))
            return
        if response.headers is None:
            raise InvalidResponse(f"ASGI: {kind} was sent before http.response.start")
        if exchange.is_finished or exchange.channel.is_closed:
            self._refuse_sending()
        if kind == "http.response.pathsend":
            fd = os.open(message["path"], os.O_RDONLY | os.O_CLOEXEC)
            self._send_file(fd, 0, os.fstat(fd).st_size)
            self._complete()
        elif kind == "http.response.zerocopysend":
            self._zerocopysend(message)
        elif kind == "http.response.trailers":
            self._send_trailers(message)
        else:
            raise InvalidResponse(f"ASGI: {kind!r} is no message that this server understands here")

    def _zerocopysend(self, message: Any) -> None:
        file = message["file"]
        fd = os.dup(file if isinstance(file, int) else file.fileno())
        offset = message.get("offset")
        if offset is None:
            offset = os.lseek(fd, 0, os.SEEK_CUR)
        count = message.get("count")
        if count is None:
            count = max(0, os.fstat(fd).st_size - offset)
        more = bool(message.get("more_body", False))
        self._send_file(fd, offset, count, more)
        if not more and not self._has_trailers:
            self._complete()

    def _send_file(self, fd: int, offset: int, count: int, more: bool = False) -> None:
        """Sends a piece of the open file `fd`, and closes it."""
        response = self._response
        exchange = self._exchange
        try:
            if not stat.S_ISREG(os.fstat(fd).st_mode):
                raise InvalidResponse("ASGI: only regular files can be sent")
            head = response._head
            if head is None:
                head = response._start(UNKNOWN_LENGTH if more or self._has_trailers else count, b"")
                exchange.send(head.data)
            if not head.has_body or not count:
                return
            if head.is_chunked:
                exchange.send(b"%x\r\n" % count)
            elif head.content_length >= 0:
                count = min(count, head.content_length - response.sent)
            exchange.send_file(os.dup(fd), offset, count)
            response.sent += count
            if head.is_chunked:
                exchange.send(b"\r\n")
        finally:
            os.close(fd)

    def _send_trailers(self, message: Any) -> None:
        if not self._has_trailers:
            raise InvalidResponse("ASGI: http.response.trailers was not announced in http.response.start")
        response = self._response
        exchange = self._exchange
        fields = decode_fields(message.get("headers", ()))
        head = response._head
        if head is None:
            head = response._start(UNKNOWN_LENGTH, b"")
            exchange.send(head.data)
        self._trailers.extend(fields)
        if message.get("more_trailers", False):
            return
        self._is_complete = True
        if head.has_body and head.is_chunked and _wants_trailers(exchange):
            exchange.send(LAST_CHUNK[:3] + render_trailers(self._trailers))
            exchange.finish(head.keep_alive)
        else:
            response._end()
        self.tell()


def _is_of_departure(error: BaseException | None) -> bool:
    """Whether `error` is, or was made of, what `send` raises when the client has left: frameworks have names
    of their own for it.
    """
    while error is not None:
        if isinstance(error, ConnectionEnded):
            return True
        group = getattr(error, "exceptions", None)
        if isinstance(group, tuple) and group:
            return all(map(_is_of_departure, group))
        error = error.__cause__ or error.__context__
    return False


async def _awaiting(awaitable: Awaitable[None]) -> None:
    await awaitable


def _wants_trailers(exchange: Exchange) -> bool:
    """RFC 9110 section 6.5.1: trailers are for clients that ask for them."""
    return any(
        name[0] == "TE" and "trailers" in value.lower()
        for name, value in zip(exchange.request.names, exchange.request.values, strict=True)
    )


class ASGIGateway(Handler):
    """Serves exchanges with one ASGI application on the running event loop.

    before: called with the request before the application, None for nothing; after: called with request,
    environ and response behind it. request_timeout: seconds that a request has, 0 for any time.
    disconnect_grace: seconds between telling the application that its client has left and cancelling its
    task; 0 for never. most_cycles, queue_timeout: requests in progress at most, 0 for any number, and seconds
    that another may wait. cycles: requests in progress.
    """

    def __init__(
        self,
        application: Callable[..., Any],
        scopes: ScopeBuilder,
        environs: EnvironBuilder,
        log: Any,
        slot: Any,
        loop: asyncio.AbstractEventLoop,
        before: Any = None,
        after: Any = None,
        request_timeout: float = 0.0,
        disconnect_grace: float = 0.0,
        on_overdue: Callable[[Any], None] | None = None,
        websocket: WebSocketSettings | None = None,
        most_cycles: int = 0,
        queue_timeout: float = 0.0,
    ) -> None:
        self.application = application
        self.scopes = scopes
        self.before = before
        self.request_timeout = request_timeout
        self.cycles: set[RequestTask] = set()
        self._websocket = websocket or WebSocketSettings()
        self._pings = PingSchedule(self._websocket, loop)
        self._environs = environs
        self._log = log
        self._logs_access = bool(log.access_enabled)
        self._slot = slot
        self._loop = loop
        self._after = after
        self._disconnect_grace = disconnect_grace
        self._on_overdue = on_overdue
        self._notes = ResponseNotes(log)
        self._context = contextvars.copy_context()
        self._admission: Admission | None = None
        if most_cycles:
            self._admission = Admission(most_cycles, queue_timeout, loop, self.cycles, self._begin_late)
        #: Whether nobody will ask for the fields of a request behind the application's scope.
        self.forgets_fields = before is None and after is None and not self._logs_access

    def takes_streams(self) -> bool:
        return True

    def handle(self, exchange: Exchange) -> None:
        """Begins to answer `exchange`, now or when fewer are in progress. Raises only `SystemExit` and its
        like.
        """
        if self._admission is not None and not self._admission.admits():
            self._admission.hold(exchange)
        else:
            self._begin(exchange)

    def _begin_late(self, exchange: Exchange) -> None:
        exchange.started_at = self._loop.time()
        self._begin(exchange)

    def close_admission(self) -> None:
        """Begins with no more requests: those that wait are given up."""
        if self._admission is not None:
            self._admission.close()

    def _begin(self, exchange: Exchange) -> None:
        response: Response = Response.__new__(Response)
        response.status = ""
        response.headers = None
        response.sent = 0
        response._notes = self._notes
        response._exchange = exchange
        response._prepared = None
        response._head = None
        response._overran = False
        if exchange.request.has_upgrade and wants_websocket(exchange.request):
            websocket = open_websocket(
                self, self._websocket, self._loop, self._context, exchange, response
            )
            self.cycles.add(websocket)
            websocket.start()
            return
        cycle: HTTPCycle = HTTPCycle.__new__(HTTPCycle)
        cycle._prepare(self._loop, self._context)
        cycle._gateway = self
        cycle._exchange = exchange
        cycle._response = response
        cycle._scope = None
        cycle._receivers = None
        cycle._drainers = None
        cycle._trailers = []
        cycle._has_trailers = False
        cycle._is_complete = False
        cycle._is_overdue = False
        cycle._timer = None
        cycle._body = b""
        cycle._inlet = None
        if exchange.request.content_length:
            body = exchange.open_body()
            if type(body) is bytes:
                cycle._body = body
            else:
                cycle._body = None
                cycle._inlet = body
                cycle._inlet.on_input = cycle.tell
        exchange.owner = cycle
        self.cycles.add(cycle)
        if self.request_timeout:
            exchange.deadline = exchange.started_at + self.request_timeout
            cycle._timer = self._loop.call_at(exchange.deadline, self._check_deadline, cycle)
        cycle._begin()

    def client_left(self, exchange: Exchange) -> None:
        cycle: Any = exchange.owner
        if cycle is not None:
            cycle.tell()
            cycle.drained()
            if self._disconnect_grace:
                # A client that has closed its sending side only cannot be told from one that has left.
                self._loop.call_later(self._disconnect_grace, self._cancel_abandoned, cycle)

    def output_drained(self, exchange: Exchange) -> None:
        owner: Any = exchange.owner
        if owner is not None:
            owner.drained()

    def _cancel_abandoned(self, cycle: RequestTask) -> None:
        if not cycle.done():
            cycle.cancel("the client has left")

    def _check_deadline(self, cycle: HTTPCycle) -> None:
        """The time of a request is over, unless its deadline was moved."""
        if cycle.done():
            return
        exchange = cycle._exchange
        if exchange.deadline > self._loop.time():
            cycle._timer = self._loop.call_at(exchange.deadline, self._check_deadline, cycle)
            return
        cycle._is_overdue = True
        if self._on_overdue is not None:
            self._on_overdue(cycle)
        exchange.fail_overdue()
        cycle.cancel("request_timeout is over")

    def websocket_opened(self, cycle: WebSocketCycle) -> None:
        """A client and the application have agreed on a WebSocket."""
        self._pings.add(cycle)

    def websocket_closed(self, cycle: WebSocketCycle, was_left: bool) -> None:
        """The connection of a WebSocket has ended; `was_left` by the application, which may have other things
        to do.
        """
        if self._disconnect_grace and not was_left and not cycle.done():
            self._loop.call_later(self._disconnect_grace, self._cancel_abandoned, cycle)

    def close_websockets(self, seconds: float) -> None:
        """Closes all WebSockets with code 1012, spread over `seconds`: their clients all come back at once
        otherwise.
        """
        cycles = [cycle for cycle in self.cycles if isinstance(cycle, WebSocketCycle) and cycle.is_open]
        for number, cycle in enumerate(cycles):
            self._loop.call_later(seconds * number / len(cycles), cycle.go_away)

    def websocket_ended(self, cycle: WebSocketCycle, error: Any, is_gone: bool, unfinished: str) -> None:
        """The application's task of a WebSocket has ended. `unfinished` says what it has left undone."""
        self.cycles.discard(cycle)
        if self._admission is not None:
            self._admission.note_ended()
        if error is not None:
            self._note_failure(cycle.request_line, error, is_gone, cycle.cancelling() > 0)
        elif unfinished:
            self._note_unfinished(unfinished, cycle.request_line)
        if cycle._response is not None:
            self._write_logs(cycle._exchange, cycle._response)

    def note_refusal(self, exchange: Exchange, refusal: WebSocketRefused) -> None:
        """A client has broken a rule of the WebSocket protocol."""
        exchange.note_refusal(refusal.kind, refusal.detail)

    def cycle_ended(self, cycle: HTTPCycle, error: Any) -> None:
        """Makes sure that there is one whole response or none, and writes the logs."""
        exchange = cycle._exchange
        response = cycle._response
        self.cycles.discard(cycle)
        if self._admission is not None:
            self._admission.note_ended()
        if error is not None:
            gone = exchange.is_disconnected or exchange.is_finished
            self._note_failure(exchange.request.line, error, gone, cycle.cancelling() > 0)
            self._fail(cycle)
        elif not cycle._is_complete and not exchange.is_finished:
            if exchange.is_disconnected or exchange.departure:
                # Nobody is there who could tell the difference.
                exchange.abort()
            else:
                what = "completing" if response.headers is not None else "starting"
                self._note_unfinished(f"without {what} its response to", exchange.request.line)
                self._fail(cycle)
        self._write_logs(exchange, response)

    def _write_logs(self, exchange: Exchange, response: Response) -> None:
        if exchange.was_refused:
            # For the hook: whatever the application has set came too late.
            response.status = RequestOverdue.status
        if not self._logs_access and self._after is None:
            return
        environ: dict = {}
        with contextlib.suppress(RequestRefused):
            environ = self._environs.build(exchange)
        if self._logs_access and not exchange.was_refused:
            self._log.access(
                response, exchange.request, environ, datetime.timedelta(seconds=exchange.elapsed())
            )
        if self._after is not None:
            self._after(exchange.request, environ, response)

    def _note_unfinished(self, what: str, line: str) -> None:
        self._slot.count_error()
        self._log.error("ASGI: the application returned %s %r", what, line)

    def _note_failure(self, line: str, error: Any, is_gone: bool, was_cancelled: bool) -> None:
        """Says in the log how the application has failed."""
        if is_gone and _is_of_departure(error):
            self._log.debug("the client of %r left before the end of its response", line)
        elif isinstance(error, asyncio.CancelledError) and was_cancelled:
            self._log.debug("the task of %r was cancelled", line)
        elif isinstance(error, (InvalidResponse, InvalidMessage)):
            self._slot.count_error()
            self._log.error("the application broke a rule while answering %r: %s", line, error)
            self._log.debug("where it did", exc_info=error)
        elif not isinstance(error, (KeyboardInterrupt, SystemExit)):
            # Those end the worker, which says so. A group of others may be no Exception.
            self._slot.count_error()
            self._log.error("the application failed while answering %r", line, exc_info=error)

    def _fail(self, cycle: HTTPCycle) -> None:
        """Ends an unfinished response: 500 if nothing was sent, else the connection is cut."""
        if cycle._exchange.is_finished:
            return
        try:
            cycle._response.fail()
        except Exception:
            self._log.exception("cannot answer %r", cycle._exchange.request.line)
            cycle._exchange.abort()
