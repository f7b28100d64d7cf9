"""An ASGI application whose lifespan goes as the environment says."""

from __future__ import annotations

import asyncio
import os
import sys
from typing import Any

HOW = os.environ.get("LIFESPAN", "")
VERSION = os.environ.get("VERSION", "1")


def note(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


async def lifespan(scope: Any, receive: Any, send: Any) -> None:
    if HOW == "unsupported":
        raise AssertionError("no lifespan here")
    message = await receive()
    note(f"lifespan got {message} {sorted(scope)}")
    if HOW == "fails":
        await send({"type": "lifespan.startup.failed", "message": "the database is away"})
        return
    if HOW == "fails-silently":
        await send({"type": "lifespan.startup.failed"})
        return
    if HOW == "raises":
        raise RuntimeError("raised while starting up")
    if HOW == "returns":
        return
    if HOW == "wrong":
        await send({"type": "lifespan.shutdown.complete"})
    if HOW == "hangs":
        await asyncio.sleep(60)
    if HOW == "raises-when-left":
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            raise RuntimeError("raised when left alone") from None
    scope["state"]["opened"] = "at start-up"
    await send({"type": "lifespan.startup.complete"})
    if HOW == "dies":
        raise RuntimeError("raised while running")
    message = await receive()
    note(f"lifespan got {message}")
    if HOW == "shutdown-hangs":
        await asyncio.sleep(60)
    if HOW == "shutdown-raises":
        raise RuntimeError("raised while shutting down")
    if HOW == "shutdown-fails":
        await send({"type": "lifespan.shutdown.failed", "message": "something is left"})
        return
    await asyncio.sleep(0.2)
    note("lifespan is done")
    await send({"type": "lifespan.shutdown.complete"})


async def application(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "lifespan":
        await lifespan(scope, receive, send)
        return
    body = f"{os.getpid()} {VERSION} {scope.get('state')}".encode()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": body})
