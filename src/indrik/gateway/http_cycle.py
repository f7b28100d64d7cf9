"""One HTTP request of an ASGI application: the task that runs it, whose receive and send complete at once
when they can.
"""

from __future__ import annotations

import asyncio
import contextvars
import os
import stat
from collections.abc import Awaitable, Callable
from types import CoroutineType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import cython
else:
    from indrik import uncompiled as cython

from indrik.engine.exchange import Exchange, Handler
from indrik.engine.inlet import BodyInlet
from indrik.errors import ConnectionEnded
from indrik.gateway.cycle import HIGH_WATER, Cycle
from indrik.gateway.deadline import Deadline
from indrik.gateway.done import DONE
from indrik.gateway.response import Response
from indrik.gateway.scope import ScopeBuilder
from indrik.protocol.chunked import LAST_CHUNK
from indrik.protocol.octet_fields import decode_fields, status_line
from indrik.protocol.refusals import RequestRefused
from indrik.protocol.response import (
    CONTINUE,
    UNKNOWN_LENGTH,
    InvalidResponse,
    render_early_hints,
    render_trailers,
)


class CycleOwner(Handler):
    """What cycles need of the gateway that begins them.

    before: called with the request before the application, None for nothing. request_timeout: seconds that a
    request has, 0 for any time.
    """

    def __init__(
        self,
        application: Callable[..., Any],
        scopes: ScopeBuilder,
        before: Any,
        request_timeout: float,
    ) -> None:
        self.application = application
        self.scopes = scopes
        self.before = before
        self.request_timeout = request_timeout

    def cycle_ended(self, cycle: HTTPCycle, error: Any) -> None:
        """The application has returned from `cycle`, or raised `error`."""
        raise NotImplementedError


class HTTPCycle(Cycle):
    """One request and its response: the task that runs the application, and its receive and send."""

    _gateway: CycleOwner
    _scope: dict[str, Any] | None
    _response: Response
    _body: bytes | None  # whole, and not received yet
    _inlet: BodyInlet | None  # or on its way
    _trailers: list[tuple[str, str]]
    _has_trailers: bool
    _is_complete: bool
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
                    inlet.on_input = _tell_of(self)
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
        if self._exchange.is_congested_beyond(HIGH_WATER):
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
        await Cycle._wait_drained(self)
        if self._exchange.channel.is_closed:
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
        fd = file if isinstance(file, int) else file.fileno()
        offset = message.get("offset")
        if offset is None:
            offset = os.lseek(fd, 0, os.SEEK_CUR)
        count = message.get("count")
        if count is None:
            count = max(0, os.fstat(fd).st_size - offset)
        more = bool(message.get("more_body", False))
        self._send_file(os.dup(fd), offset, count, more)
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


async def _awaiting(awaitable: Awaitable[None]) -> None:
    await awaitable


def _wants_trailers(exchange: Exchange) -> bool:
    """RFC 9110 section 6.5.1: trailers are for clients that ask for them."""
    return any(
        name[0] == "TE" and "trailers" in value.lower()
        for name, value in zip(exchange.request.names, exchange.request.values, strict=True)
    )


def open_cycle(
    gateway: CycleOwner, loop: Any, context: contextvars.Context, exchange: Exchange, response: Response
) -> HTTPCycle:
    """The cycle of `exchange`, not begun yet."""
    cycle: HTTPCycle = HTTPCycle.__new__(HTTPCycle)
    cycle._prepare(loop, context)
    cycle._gateway = gateway
    cycle._exchange = exchange
    cycle._response = response
    cycle._scope = None
    cycle._receivers = None
    cycle._drainers = None
    cycle._trailers = []
    cycle._has_trailers = False
    cycle._is_complete = False
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
            cycle._inlet.on_input = _tell_of(cycle)
    exchange.owner = cycle
    return cycle


def _tell_of(cycle: Any) -> Any:
    """`cycle.tell` as Python sees it. Where Cython knows the class it would make an object of the C function,
    called with an argument too few.
    """
    return cycle.tell
