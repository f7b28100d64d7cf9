"""Many who stay: WebSockets that are silent, and streams of events once a second."""

from __future__ import annotations

import asyncio
import gc
import os
import time
from typing import Any

_started = time.monotonic()


def resident() -> int:
    gc.collect()
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


async def events(send: Any) -> None:
    """Each event is the time for which it was meant, in seconds of the monotonic clock."""
    headers = [(b"content-type", b"text/event-stream")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    due = time.monotonic()
    while True:
        await send({"type": "http.response.body", "body": b"data: %.6f\n\n" % due, "more_body": True})
        due += 1.0
        await asyncio.sleep(due - time.monotonic())


async def application(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.accept"})
        while (await receive())["type"] != "websocket.disconnect":
            pass
    elif scope["path"] == "/events":
        await events(send)
    elif scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"%d" % resident()})
    else:
        raise NotImplementedError
