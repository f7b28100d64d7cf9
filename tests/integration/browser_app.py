"""A page with a chat over WebSocket and a clock of server-sent events, for a browser."""

from __future__ import annotations

import asyncio
from typing import Any

PAGE = b"""<!doctype html><meta charset=utf-8><title>chat</title><ol id=said></ol><p id=clock></p><script>
const name = new URLSearchParams(location.search).get("name");
const socket = new WebSocket(`ws://${location.host}/chat`);
socket.onmessage = event => {
  const line = document.createElement("li");
  line.textContent = event.data;
  document.getElementById("said").append(line);
};
socket.onopen = () => { document.title = "open"; };
socket.onclose = event => { document.title = `closed ${event.code}`; };
window.say = text => socket.send(`${name}: ${text}`);
const source = new EventSource("/clock");
source.onmessage = event => { document.getElementById("clock").textContent = event.data; };
</script>"""

members: set[Any] = set()


async def chat(receive: Any, send: Any) -> None:
    await receive()
    await send({"type": "websocket.accept"})
    members.add(send)
    try:
        while (message := await receive())["type"] == "websocket.receive":
            for member in list(members):
                await member({"type": "websocket.send", "text": message["text"]})
    finally:
        members.discard(send)


async def clock(send: Any) -> None:
    headers = [(b"content-type", b"text/event-stream"), (b"cache-control", b"no-cache")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    for tick in range(1_000_000):
        await send({"type": "http.response.body", "body": b"data: %d\n\n" % tick, "more_body": True})
        await asyncio.sleep(0.1)


async def application(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "websocket":
        await chat(receive, send)
    elif scope["type"] == "lifespan":
        raise NotImplementedError
    elif scope["path"] == "/clock":
        await clock(send)
    else:
        status = 200 if scope["path"] == "/" else 404
        headers = [(b"content-type", b"text/html; charset=utf-8")]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": PAGE if status == 200 else b""})
