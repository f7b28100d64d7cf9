"""The ASGI application of the checks: the same paths and notes as `indrik.testing.wsgi`."""

from __future__ import annotations

import asyncio
import contextvars
import hashlib
import json
import os
import time
from collections.abc import Awaitable, Callable
from typing import Any

from indrik.testing.notes import gate_of, note

#: Seconds after which a request gives up waiting: longer than any check.
_LONGEST = 60.0

_var: contextvars.ContextVar[str] = contextvars.ContextVar("indrik.testing")

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    """`/NAME/ARGUMENT` calls the view NAME; what is no view answers with the worker's process id."""
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            await send({"type": f"{message['type']}.complete"})
            if message["type"] == "lifespan.shutdown":
                return
    note("called", scope["method"], scope["path"])
    name, _, argument = scope["path"][1:].partition("/")
    await VIEWS.get(name, _pid)(Request(scope, receive, send), argument)


class Request:
    """One request, with what the views do again and again."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.scope = scope
        self.receive = receive
        self._send = send

    async def body(self) -> bytes:
        """The whole body. Raises ConnectionError if the client leaves first."""
        pieces = []
        while True:
            message = await self.receive()
            if message["type"] == "http.disconnect":
                raise ConnectionError("the client left")
            pieces.append(message.get("body", b""))
            if not message.get("more_body"):
                return b"".join(pieces)

    async def begin(self, *fields: tuple[bytes, bytes]) -> None:
        """Sends the head of a response of unknown length, with more fields."""
        headers = [(b"content-type", b"text/plain"), *fields]
        await self._send({"type": "http.response.start", "status": 200, "headers": headers})

    async def piece(self, data: bytes, more: bool = True) -> None:
        """Sends a piece of the response's body."""
        await self._send({"type": "http.response.body", "body": data, "more_body": more})

    async def text(self, text: str | bytes) -> None:
        """Sends a whole response."""
        data = text.encode() if isinstance(text, str) else text
        await self.begin((b"content-length", str(len(data)).encode()))
        await self.piece(data, False)

    async def departure(self) -> None:
        """Returns when the client has left."""
        while (await self.receive())["type"] != "http.disconnect":
            pass

    async def stream_until_departure(self) -> None:
        """Sends pieces until the client has left, whichever way the server says so."""
        gone = asyncio.ensure_future(self.departure())
        try:
            while not gone.done():
                await self.piece(b"x" * 1024)
                await asyncio.sleep(0.005)
        except OSError:
            pass
        finally:
            gone.cancel()


async def pass_gate(name: str) -> None:
    """Waits inside the application until a check opens the gate."""
    note("inside", name)
    give_up_at = time.monotonic() + _LONGEST
    gate = gate_of(name)
    while not gate.exists():
        if time.monotonic() > give_up_at:
            raise TimeoutError(f"nobody has opened the gate {name!r}")
        await asyncio.sleep(0.005)


async def _pid(request: Request, argument: str) -> None:
    await request.text(str(os.getpid()))


async def _environ(request: Request, argument: str) -> None:
    """What the request looks like from here, in the words of an environ."""
    scope = request.scope
    query = scope["query_string"].decode("latin-1")
    seen: dict[str, Any] = {
        "REQUEST_METHOD": scope["method"],
        "PATH_INFO": scope["path"],
        "RAW_URI": scope["raw_path"].decode("latin-1") + (f"?{query}" if query else ""),
        "QUERY_STRING": query,
        "SERVER_PROTOCOL": f"HTTP/{scope['http_version']}",
        "REMOTE_ADDR": scope["client"][0],
        "wsgi.url_scheme": scope["scheme"],
        "body": (await request.body()).decode("latin-1"),
    }
    for name, value in scope["headers"]:
        key = name.decode("latin-1").upper().replace("-", "_")
        key = key if key in ("CONTENT_LENGTH", "CONTENT_TYPE") else f"HTTP_{key}"
        text = value.decode("latin-1")
        seen[key] = f"{seen[key]},{text}" if key in seen else text
    await request.text(json.dumps(seen))


async def _digest(request: Request, argument: str) -> None:
    body = await request.body()
    await request.text(f"{len(body)} {hashlib.sha256(body).hexdigest()}")


async def _large(request: Request, argument: str) -> None:
    await request.text(b"x" * int(argument))


async def _gate(request: Request, argument: str) -> None:
    await pass_gate(argument)
    await request.text(f"{os.getpid()} {argument}")


async def _stream(request: Request, argument: str) -> None:
    try:
        await request.begin()
        await request.piece(b"first")
        await pass_gate(argument)
        await request.piece(b"second")
        await request.piece(b"", False)
    finally:
        note("closed", argument)


async def _endless(request: Request, argument: str) -> None:
    try:
        await request.begin()
        await request.stream_until_departure()
    finally:
        note("ended", argument)
        note("closed", argument)


async def _raise(request: Request, argument: str) -> None:
    if argument == "before":
        raise RuntimeError("raised before the response")
    try:
        await request.begin()
        await request.piece(b"begun")
        if argument == "middle":
            raise RuntimeError("raised in the middle of the response")
        await request.piece(b"", False)
    finally:
        note("closed", argument)
    if argument == "after":
        raise RuntimeError("raised after the response")


async def _exit(request: Request, argument: str) -> None:
    raise SystemExit(0)


async def _departure(request: Request, argument: str) -> None:
    note("inside", argument)
    await request.departure()
    note("left", argument, True, True)


async def _spin(request: Request, argument: str) -> None:
    end = time.monotonic() + float(argument)
    try:
        while time.monotonic() < end:  # noqa: ASYNC110  # small steps are what it is for
            await asyncio.sleep(0.005)
    finally:
        note("ended", "spin")
    await request.text(str(os.getpid()))


async def _context(request: Request, argument: str) -> None:
    found = _var.get("nothing")
    _var.set("left by the call")
    if argument != "stream":
        await request.text(found)
        return
    token = _var.set("left by the iteration")
    try:
        await request.begin((b"x-found", found.encode()))
        await request.stream_until_departure()
    finally:
        _var.reset(token)
        note("ended", "context")


VIEWS: dict[str, Callable[[Request, str], Awaitable[None]]] = {
    "environ": _environ,
    "digest": _digest,
    "large": _large,
    "gate": _gate,
    "stream": _stream,
    "endless": _endless,
    "raise": _raise,
    "exit": _exit,
    "departure": _departure,
    "spin": _spin,
    "context": _context,
}
