"""The applications of `apps`, spoken in ASGI: as little Python as the case allows.

Every one answers the lifespan protocol, which servers speak first (ASGI lifespan specification 2.0).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from bench.apps import BIG, DOZE, GREETING, LARGE, NAP

Scope = dict[str, Any]
Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


async def lifespan(receive: Receive, send: Send) -> None:
    """Nothing to start and nothing to stop."""
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return


async def answer(send: Send, body: bytes) -> None:
    """A 200 with this body."""
    await send(
        {
            "type": "http.response.start",
            "status": 200,
            "headers": [(b"content-type", b"text/plain"), (b"content-length", b"%d" % len(body))],
        }
    )
    await send({"type": "http.response.body", "body": body})


async def hello(scope: Scope, receive: Receive, send: Send) -> None:
    """Thirteen bytes to anybody."""
    if scope["type"] == "lifespan":
        return await lifespan(receive, send)
    await answer(send, GREETING)


async def length(scope: Scope, receive: Receive, send: Send) -> None:
    """Read the whole body and answer with its length."""
    if scope["type"] == "lifespan":
        return await lifespan(receive, send)
    body = b""
    more = True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    await answer(send, b"%d" % len(body))


async def count(scope: Scope, receive: Receive, send: Send) -> None:
    """Read the body piece by piece and answer with its length."""
    if scope["type"] == "lifespan":
        return await lifespan(receive, send)
    seen = 0
    more = True
    while more:
        message = await receive()
        seen += len(message.get("body", b""))
        more = message.get("more_body", False)
    await answer(send, b"%d" % seen)


async def large(scope: Scope, receive: Receive, send: Send) -> None:
    """A hundred kilobytes in one message."""
    if scope["type"] == "lifespan":
        return await lifespan(receive, send)
    await answer(send, LARGE)


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """Every text message of a WebSocket, back to its sender."""
    if scope["type"] == "lifespan":
        return await lifespan(receive, send)
    await receive()
    await send({"type": "websocket.accept"})
    while (message := await receive())["type"] == "websocket.receive":
        await send({"type": "websocket.send", "text": message["text"]})


async def site(scope: Scope, receive: Receive, send: Send) -> None:
    """Ten megabytes at /big, thirteen bytes everywhere else."""
    if scope["type"] == "lifespan":
        return await lifespan(receive, send)
    await answer(send, BIG if scope["path"] == "/big" else GREETING)


async def nap(scope: Scope, receive: Receive, send: Send) -> None:
    """Thirteen bytes after a wait of NAP seconds, as a view waits for its database."""
    if scope["type"] == "lifespan":
        return await lifespan(receive, send)
    await asyncio.sleep(NAP)
    await answer(send, GREETING)


class Dormitory:
    """Long sleep at /doze; everywhere else the number of requests that sleep."""

    def __init__(self) -> None:
        self.asleep = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            return await lifespan(receive, send)
        if scope["path"] != "/doze":
            return await answer(send, b"%d" % self.asleep)
        self.asleep += 1
        try:
            await asyncio.sleep(DOZE)
        finally:
            self.asleep -= 1
        await answer(send, GREETING)


dormitory = Dormitory()
