"""An ASGI application of WebSockets for the tests; the path says what it does."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from typing import Any


def note(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


async def echo(scope: Any, receive: Any, send: Any) -> None:
    offered = scope["subprotocols"]
    headers = [(b"x-offered", ",".join(offered).encode())]
    chosen = offered[-1] if offered else None
    await send({"type": "websocket.accept", "subprotocol": chosen, "headers": headers})
    while True:
        message = await receive()
        if message["type"] == "websocket.disconnect":
            note(f"disconnected {scope['path']} {message['code']} {message['reason']!r}")
            return
        await send({**message, "type": "websocket.send"})


async def show(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "websocket.accept"})
    types = {name: type(value).__name__ for name, value in scope.items()}
    shown = json.dumps({**scope, "types": types}, default=lambda octets: octets.decode("latin-1"))
    await send({"type": "websocket.send", "text": shown})


async def mute(scope: Any, receive: Any, send: Any) -> None:
    """Accepts, and never reads."""
    await send({"type": "websocket.accept"})
    note("accepted")
    try:
        await asyncio.sleep(60)
    except asyncio.CancelledError as error:
        note(f"cancelled: {error}")
        raise


async def flood(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "websocket.accept"})
    piece = b"x" * 65536
    for number in range(16384):
        await send({"type": "websocket.send", "bytes": piece})
        if number % 64 == 0:
            note(f"sent {number}")


async def refuse(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "websocket.close", "code": 4000})
    note(f"then {(await receive())['type']}")


async def deny(scope: Any, receive: Any, send: Any) -> None:
    headers = [(b"content-type", b"text/plain"), (b"x-why", b"a reason")]
    await send({"type": "websocket.http.response.start", "status": 401, "headers": headers})
    await send({"type": "websocket.http.response.body", "body": b"who ", "more_body": True})
    await send({"type": "websocket.http.response.body", "body": b"are you?"})
    note(f"then {(await receive())['type']}")


async def deny_half(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "websocket.http.response.start", "status": 401, "headers": []})
    await send({"type": "websocket.http.response.body", "body": b"who ", "more_body": True})


async def raise_before(scope: Any, receive: Any, send: Any) -> None:
    raise ValueError("raised before accepting")


async def raise_after(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "websocket.accept"})
    raise ValueError("raised after accepting")


async def return_before(scope: Any, receive: Any, send: Any) -> None:
    return


async def return_after(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "websocket.accept"})
    await send({"type": "websocket.send", "text": "bye"})


async def close(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "websocket.accept"})
    await send({"type": "websocket.close", "code": 4321, "reason": "because"})
    note(f"closed {await receive()!r}")
    try:
        await send({"type": "websocket.send", "text": "late"})
    except Exception as error:
        note(f"sending raised {type(error).__name__}, an OSError: {isinstance(error, OSError)}")
    await send({"type": "websocket.close"})


async def wait_before_accepting(scope: Any, receive: Any, send: Any) -> None:
    note("waits before accepting")
    note(f"got {await receive()!r}")


async def accept_late(scope: Any, receive: Any, send: Any) -> None:
    """Accepts when the client is gone, before the loop has had a turn to see that."""
    note("keeps the loop")
    while not os.path.exists(scope["query_string"]):  # noqa: ASYNC240
        pass
    await send({"type": "websocket.accept"})
    note(f"late: {await receive()!r}")


async def linger_after(scope: Any, receive: Any, send: Any) -> None:
    """Hears of the end, and stays."""
    await send({"type": "websocket.accept"})
    while (await receive())["type"] != "websocket.disconnect":
        pass
    note("knows, and stays")
    try:
        await asyncio.sleep(60)
    except asyncio.CancelledError as error:
        note(f"cancelled: {error}")
        raise


WRONG: dict[str, list[dict[str, Any]]] = {
    "twice": [{"type": "websocket.accept"}, {"type": "websocket.accept"}],
    "early": [{"type": "websocket.send", "text": "x"}],
    "empty": [{"type": "websocket.accept"}, {"type": "websocket.send"}],
    "text-octets": [{"type": "websocket.accept"}, {"type": "websocket.send", "text": b"x"}],
    "bytes-number": [{"type": "websocket.accept"}, {"type": "websocket.send", "bytes": 5}],
    "bytes-text": [{"type": "websocket.accept"}, {"type": "websocket.send", "bytes": "x"}],
    "surrogate": [{"type": "websocket.accept"}, {"type": "websocket.send", "text": "\ud800"}],
    "code": [{"type": "websocket.accept"}, {"type": "websocket.close", "code": 1006}],
    "reason": [{"type": "websocket.accept"}, {"type": "websocket.close", "reason": "x" * 124}],
    "subprotocol": [{"type": "websocket.accept", "subprotocol": "never-offered"}],
    "own-header": [{"type": "websocket.accept", "headers": [(b"Sec-WebSocket-Accept", b"x")]}],
    "split-header": [{"type": "websocket.accept", "headers": [(b"a", b"b\r\nc: d")]}],
    "http": [{"type": "http.response.start", "status": 200}],
    "denial-late": [{"type": "websocket.accept"}, {"type": "websocket.http.response.start", "status": 400}],
    "denial-body": [{"type": "websocket.http.response.body"}],
    "denial-body-number": [
        {"type": "websocket.http.response.start", "status": 400, "headers": []},
        {"type": "websocket.http.response.body", "body": 5},
    ],
}


async def break_a_rule(scope: Any, receive: Any, send: Any) -> None:
    for message in WRONG[scope["path"].rpartition("/")[2]]:
        await send(message)


PATHS = {
    "/echo": echo, "/scope": show, "/mute": mute, "/flood": flood, "/refuse": refuse, "/deny": deny,
    "/deny-half": deny_half, "/raise-before": raise_before, "/raise-after": raise_after,
    "/return-before": return_before, "/return-after": return_after, "/close": close,
    "/wait": wait_before_accepting, "/linger": linger_after, "/late": accept_late,
}  # fmt: skip


async def application(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "lifespan":
        raise NotImplementedError
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"plain"})
        return
    assert await receive() == {"type": "websocket.connect"}
    await PATHS.get(scope["path"], break_a_rule)(scope, receive, send)
