"""Applications behind the servers of the guides, for WSGI and for ASGI; the path says what they do."""

from __future__ import annotations

import asyncio
import json
from typing import Any

#: A large response: so many pieces of 10 000 octets, each with its number.
PIECES = 2000


def piece(number: int) -> bytes:
    return b"%09d\n" % number * 1000

released = asyncio.Event()


def application(environ: Any, start_response: Any) -> Any:
    path = environ["PATH_INFO"]
    headers = [("Content-Type", "text/plain")]
    if path == "/big":
        start_response("200 OK", [*headers, ("Content-Length", str(PIECES * 10_000))])
        return map(piece, range(PIECES))
    if path.startswith("/give/"):
        start_response("200 OK", [("X-Accel-Redirect", f"/protected/{path[6:]}")])
        return []
    if path == "/length":
        body = str(len(environ["wsgi.input"].read())).encode()
    else:
        body = json.dumps({key: value for key, value in environ.items() if isinstance(value, str)}).encode()
    start_response("200 OK", [*headers, ("Content-Length", str(len(body)))])
    return [body]


async def asgi(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.send", "text": json.dumps([scope["scheme"], scope["client"]])})
        while (message := await receive())["type"] == "websocket.receive":
            await send({**message, "type": "websocket.send"})
        return
    if scope["type"] != "http":
        return
    headers = [(b"content-type", b"text/event-stream"), (b"x-accel-buffering", b"no")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    if scope["path"] == "/events":
        # Ends when another request has come, which is sent when the first event has arrived.
        await send({"type": "http.response.body", "body": b"data: 1\n\n", "more_body": True})
        await released.wait()
    else:
        released.set()
    await send({"type": "http.response.body", "body": b"data: 2\n\n"})
