"""The ASGI gateway for WebSocket: one task a connection, fed by the engine with the client's messages."""

from __future__ import annotations

import contextvars
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import cython
else:
    from indrik import uncompiled as cython

from indrik.engine.exchange import Exchange
from indrik.engine.inlet import Inlet
from indrik.errors import ConnectionEnded
from indrik.gateway.cycle import HIGH_WATER, Cycle
from indrik.gateway.done import DONE
from indrik.gateway.response import Response
from indrik.protocol.octet_fields import decode_fields, status_line
from indrik.protocol.refusals import RequestRefused
from indrik.protocol.response import UNKNOWN_LENGTH, InvalidResponse
from indrik.protocol.websocket import ANY_SIZE, Decoder, Encoder
from indrik.protocol.websocket_extensions import DeflateSettings, negotiate_deflate
from indrik.protocol.websocket_frames import BINARY, CLOSE, FAILED, NORMAL, PING, PONG, TEXT
from indrik.protocol.websocket_handshake import Handshake, parse_handshake, render_accept

_CONNECTING = 0
_DENYING = 1  # an HTTP response is being sent instead
_OPEN = 2
_CLOSING = 3  # a close frame was sent, the client's has not come
_CLOSED = 4

#: Close codes of RFC 6455 section 7.4.1 and the registry that it founded.
_ABNORMAL = 1006
_INTERNAL_ERROR = 1011
_SERVICE_RESTART = 1012

#: Bytes of messages that wait for the application before the client is not read further.
_MOST_HELD = 65536

#: What a message costs besides its bytes.
_OVERHEAD = 200


#: The encoder of connections that are not open, or do not compress: it holds no state.
_PLAIN = Encoder()

#: What an open WebSocket keeps of its request's fields if nobody asks for them.
_NO_FIELDS: list = []


@dataclass(frozen=True)
class WebSocketSettings:
    """max_size: bytes of one message, 0 for any. ping_interval, ping_timeout: seconds between pings, and for
    the pong; 0 for none. close_timeout: seconds for the client's close frame. deflate: what is agreed to of
    permessage-deflate, None for nothing.
    """

    max_size: int = 16 * 1024 * 1024
    ping_interval: float = 20.0
    ping_timeout: float = 20.0
    close_timeout: float = 10.0
    deflate: DeflateSettings | None = None


class WebSocketInlet(Inlet):
    """Takes the client's frames apart for its cycle."""

    def __init__(self, cycle: WebSocketCycle, decoder: Decoder) -> None:
        Inlet.__init__(self)
        self._cycle: WebSocketCycle | None = cycle
        self._decoder = decoder

    def feed(self, data: bytes) -> bytes:
        cycle: WebSocketCycle | None = self._cycle
        if cycle is not None:
            cycle._take(self._decoder.feed(data))
        return b""

    def end(self, refusal: RequestRefused | None) -> None:
        cycle = self._cycle
        # They refer to one another, and would wait for the garbage collector.
        self._cycle = None
        if cycle is not None:
            cycle._lost()


class WebSocketCycle(Cycle):
    """One WebSocket: the task that runs the application, and its receive and send."""

    _gateway: Any
    _settings: WebSocketSettings
    _handshake: Handshake | None
    _response: Response | None  # None once it is open, if nobody will ask for it
    _state: int
    _inlet: WebSocketInlet | None
    _encoder: Encoder
    _messages: deque[dict[str, Any]] | None
    _held: int
    _gave_connect: bool
    _close_code: int
    _close_reason: str
    _closer: Any
    _was_left: bool  # by the application, which has closed it
    pinged_at: float
    ponged_at: float

    def _open(self) -> bool:
        exchange = self._exchange
        gateway = self._gateway
        try:
            if gateway.before is not None:
                gateway.before(exchange.request)
            self._handshake = parse_handshake(exchange.request)
            scope = gateway.scopes.build_websocket(exchange, list(self._handshake.subprotocols))
            coroutine = gateway.application(scope, self.receive, self.send)
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
        """The application has returned or failed: closes what it has left open."""
        is_gone = self._state in (_CLOSING, _CLOSED)
        unfinished = ""
        if self._state == _OPEN:
            self._close(NORMAL if error is None else _INTERNAL_ERROR, "")
        elif self._state == _CONNECTING:
            unfinished = "without accepting or refusing"
            self._state = _CLOSED
            self._deny(500)
        elif self._state == _DENYING and not self._exchange.is_finished:
            unfinished = "without completing its response to"
            self._state = _CLOSED
            self._exchange.owner = None
            assert self._response is not None  # it is not open
            self._response.fail()
        self._gateway.websocket_ended(self, error, is_gone, unfinished)
        self._receivers = self._drainers = None
        self._messages = None

    @property
    def is_open(self) -> bool:
        """Whether messages can be sent."""
        return self._state == _OPEN

    # --- what the engine says ---

    def _take(self, events: list) -> None:
        """Deals with what has come from the client."""
        event: tuple
        kind: cython.int
        for event in events:
            kind = event[0]
            if kind == TEXT:
                self._keep({"type": "websocket.receive", "text": event[1]}, len(event[1]))
            elif kind == BINARY:
                self._keep({"type": "websocket.receive", "bytes": event[1]}, len(event[1]))
            elif kind == PING:
                # A client that does not read gets no more of them: to answer the last is enough (RFC 6455
                # section 5.5.3).
                if self._state == _OPEN and not self._exchange.is_congested_beyond(HIGH_WATER):
                    self._exchange.send(self._encoder.encode_pong(event[1]))
            elif kind == PONG:
                self.ponged_at = self._loop.time()
            elif kind == CLOSE:
                self._closed_by_client(event[1][0], event[1][1])
            elif kind == FAILED:
                refusal = event[1]
                self._gateway.note_refusal(self._exchange, refusal)
                self._close(refusal.code, refusal.reason)
                self._end_connection(refusal.code, refusal.reason)
        if self._receivers is not None:
            Cycle.tell(self)

    def _keep(self, message: dict[str, Any], size: cython.Py_ssize_t) -> None:
        if self._state != _OPEN:
            return
        if self._messages is None:
            # Not before the first: an empty one takes 600 bytes, and many clients never say anything.
            self._messages = deque()
        self._messages.append(message)
        self._held += size + _OVERHEAD
        if self._held >= _MOST_HELD and self._inlet is not None:
            self._inlet.is_full = True

    def _closed_by_client(self, code: int, reason: str) -> None:
        if self._state == _OPEN:
            self._exchange.send(self._encoder.encode_close(code, ""))
        else:
            # This answers the server's own.
            code, reason = self._close_code, self._close_reason
        self._end_connection(code, reason)

    def _lost(self) -> None:
        """The connection has ended without a close frame."""
        if self._state != _CLOSED:
            self._end_connection(
                self._close_code if self._state == _CLOSING else _ABNORMAL, self._close_reason
            )

    def _end_connection(self, code: int, reason: str) -> None:
        """Both close frames are there, or none will come: the server closes the connection (section
        7.1.1).
        """
        self._state = _CLOSED
        self._close_code = code
        self._close_reason = reason
        if self._closer is not None:
            self._closer.cancel()
            self._closer = None
        self._gateway.websocket_closed(self, self._was_left)
        self._inlet = None
        self._encoder = _PLAIN
        self._exchange.owner = None
        self._exchange.finish(False)
        Cycle.tell(self)
        self.drained()

    def tell(self) -> None:
        """The client has left, or something else has happened that `receive` may wait for."""
        if self._state != _CLOSED and (
            self._exchange.channel.is_closed
            # In the handshake nobody closes one side only.
            or (self._exchange.departure and self._state in (_CONNECTING, _DENYING))
        ):
            self._lost()
        Cycle.tell(self)

    # --- receive ---

    async def receive(self) -> dict[str, Any]:
        """ASGI's receive: `websocket.connect`, then the client's messages, then `websocket.disconnect`."""
        if not self._gave_connect:
            self._gave_connect = True
            return {"type": "websocket.connect"}
        while True:
            if self._messages:
                message = self._messages.popleft()
                data = message.get("text")
                self._held -= len(message["bytes"] if data is None else data) + _OVERHEAD
                inlet = self._inlet
                if inlet is not None and inlet.is_full and self._held <= 0:
                    inlet.is_full = False
                    self._exchange.resume_input()
                return message
            if self._state == _CLOSED or (self._state == _DENYING and self._exchange.is_finished):
                return {
                    "type": "websocket.disconnect", "code": self._close_code, "reason": self._close_reason
                }
            await self._wait_for_news()

    # --- send ---

    def send(self, message: Any) -> Any:
        """ASGI's send. Raises `InvalidResponse` when the rules are broken, `ConnectionEnded` when the
        connection has ended.
        """
        kind = message["type"]
        if kind == "websocket.send":
            if self._state != _OPEN:
                self._refuse_sending(kind)
            data = message.get("bytes")
            if data is not None:
                if type(data) is not bytes:
                    if not isinstance(data, (bytes, bytearray, memoryview)):
                        raise InvalidResponse(
                            f"ASGI: in websocket.send bytes are bytes, not {type(data).__name__}"
                        )
                    data = bytes(data)
                self._exchange.send(self._encoder.encode_binary(data))
            else:
                text = message.get("text")
                if text is None:
                    raise InvalidResponse("ASGI: websocket.send needs bytes or text")
                if not isinstance(text, str):
                    raise InvalidResponse(
                        f"ASGI: in websocket.send text is a str, not {type(text).__name__}"
                    )
                self._exchange.send(self._encoder.encode_text(text))
        elif kind == "websocket.accept":
            self._accept(message)
        elif kind == "websocket.close":
            self._send_close(message)
        elif kind == "websocket.http.response.start":
            if self._state != _CONNECTING:
                raise InvalidResponse(f"ASGI: {kind} must come before websocket.accept, and once")
            self._state = _DENYING
            assert self._response is not None  # it is not open
            self._response.status = status_line(message["status"])
            self._response.headers = decode_fields(message.get("headers", ()))
        elif kind == "websocket.http.response.body":
            self._send_denial(message)
        else:
            raise InvalidResponse(f"ASGI: {kind!r} is no message that this server understands here")
        if self._exchange.is_congested_beyond(HIGH_WATER):
            return self._wait_drained()
        return DONE

    def _refuse_sending(self, kind: str) -> None:
        if self._state in (_CONNECTING, _DENYING):
            raise InvalidResponse(f"ASGI: {kind} must come after websocket.accept")
        raise ConnectionEnded("the WebSocket is closed")

    def _accept(self, message: Any) -> None:
        if self._state != _CONNECTING:
            if self._state == _CLOSED:
                self._refuse_sending("websocket.accept")
            raise InvalidResponse("ASGI: websocket.accept was sent a second time, or behind a response")
        exchange = self._exchange
        handshake = self._handshake
        assert handshake is not None
        settings = self._settings
        agreed = negotiate_deflate(handshake.extensions, settings.deflate)
        head = render_accept(
            handshake,
            message.get("subprotocol"),
            agreed,
            decode_fields(message.get("headers", ())),
            exchange.response_tail(),
        )
        self._handshake = None
        if agreed is not None:
            self._encoder = Encoder(agreed)
        assert self._response is not None  # it is not open
        self._response.status = "101 Switching Protocols"
        if self._gateway.forgets_fields:
            # An open WebSocket is kept small; the application has the fields in its scope.
            exchange.request.names = exchange.request.values = _NO_FIELDS
            self._response = None
        self._inlet = WebSocketInlet(self, Decoder(settings.max_size or ANY_SIZE, agreed))
        self._state = _OPEN
        exchange.begins = True
        exchange.send(head)
        if self._state != _OPEN:
            # The client is gone, which this very step has found out: `_lost` has seen to all.
            return
        self._gateway.websocket_opened(self)
        exchange.upgrade(self._inlet)

    def _send_close(self, message: Any) -> None:
        self._was_left = True
        if self._state == _CONNECTING:
            self._state = _CLOSED
            self._close_code = _ABNORMAL
            self._deny(403)
            Cycle.tell(self)
        elif self._state == _OPEN:
            code = message.get("code", NORMAL)
            self._close(NORMAL if code is None else code, message.get("reason") or "")
        elif self._state == _DENYING:
            raise InvalidResponse("ASGI: websocket.close was sent behind a response")
        # A close behind a close is what everybody's clean-up does.

    def _close(self, code: int, reason: str) -> None:
        """Sends a close frame, and waits for the client's."""
        if self._state != _OPEN:
            return
        frame = self._encoder.encode_close(code, reason)
        self._state = _CLOSING
        self._close_code = code
        self._close_reason = reason
        self._exchange.send(frame)
        if self._inlet is not None and self._inlet.is_full:
            # Messages are not wanted any more, the close frame behind them is.
            self._inlet.is_full = False
            self._exchange.resume_input()
        if not self._exchange.channel.is_closed:
            self._closer = self._loop.call_later(self._settings.close_timeout, self._give_up)

    def _give_up(self) -> None:
        """The client has not answered in time."""
        self._closer = None
        if self._state != _CLOSED:
            self._exchange.abort()
            self._lost()

    def go_away(self) -> None:
        """Closes the connection because the worker leaves; the application hears of it as of any other
        close.
        """
        self._close(_SERVICE_RESTART, "")

    def ping(self) -> None:
        """Asks whether the client is still there."""
        if self._state == _OPEN:
            self.pinged_at = self._loop.time()
            self._exchange.send(self._encoder.encode_ping(b""))

    def is_silent(self) -> bool:
        """Whether the last ping was not answered."""
        return self.pinged_at > self.ponged_at

    def drop(self) -> None:
        """Ends the connection of a client that does not answer."""
        if self._state in (_OPEN, _CLOSING):
            self._close_code = _INTERNAL_ERROR
            self._close_reason = "keepalive ping timeout"
            self._state = _CLOSING
            self._give_up()

    # --- an HTTP response instead ---

    def _deny(self, status: int) -> None:
        if self._exchange.is_finished:
            return
        response = self._response
        assert response is not None  # it is not open
        body = b""
        response.status = status_line(status)
        response.headers = [("Content-Type", "text/plain; charset=utf-8")]
        body = f"{response.status}\n".encode("ascii")
        head = response._write(body, len(body))
        self._exchange.owner = None
        self._exchange.finish(head.keep_alive)

    def _send_denial(self, message: Any) -> None:
        if self._state != _DENYING:
            raise InvalidResponse(
                "ASGI: websocket.http.response.body must come behind websocket.http.response.start"
            )
        data = message.get("body", b"")
        if not isinstance(data, (bytes, bytearray, memoryview)):
            raise InvalidResponse(f"ASGI: a body is bytes, not {type(data).__name__}")
        data = bytes(data)
        more = bool(message.get("more_body", False))
        response = self._response
        assert response is not None  # it is not open
        if data:
            response._write(data, UNKNOWN_LENGTH if more else len(data))
        if not more:
            self._close_code = _ABNORMAL
            self._exchange.owner = None
            response._end()
            self._state = _CLOSED
            Cycle.tell(self)


def open_websocket(
    gateway: Any,
    settings: WebSocketSettings,
    loop: Any,
    context: contextvars.Context,
    exchange: Exchange,
    response: Response,
) -> WebSocketCycle:
    """The cycle of an exchange that asks for a WebSocket, not begun yet."""
    cycle: WebSocketCycle = WebSocketCycle.__new__(WebSocketCycle)
    cycle._prepare(loop, context)
    cycle._gateway = gateway
    cycle._settings = settings
    cycle._exchange = exchange
    cycle._handshake = None
    cycle._response = response
    cycle._state = _CONNECTING
    cycle._inlet = None
    cycle._encoder = _PLAIN
    cycle._messages = None
    cycle._held = 0
    cycle._receivers = None
    cycle._drainers = None
    cycle._gave_connect = False
    cycle._close_code = _ABNORMAL
    cycle._close_reason = ""
    cycle._closer = None
    cycle._was_left = False
    cycle.pinged_at = cycle.ponged_at = 0.0
    exchange.owner = cycle
    return cycle
