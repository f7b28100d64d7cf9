"""An ASGI application for the tests, which copy it beside the server: what it does is said by the path and
the body.
"""

from __future__ import annotations

import ast
import asyncio
import copy
import gc
import json
import os
import sys
import time
from typing import Any

import anyio

#: Opened by /open/NAME.
GATES: dict[str, asyncio.Event] = {}
REQUESTS: list[int] = []


def note(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


async def answer(send: Any, value: Any, status: int = 200) -> None:
    body = json.dumps(value, default=lambda octets: f"b:{octets.decode('latin-1')}").encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def gate(name: str) -> asyncio.Event:
    return GATES.setdefault(name, asyncio.Event())


async def whole_body(receive: Any) -> bytes:
    body = b""
    more = True
    while more:
        message = await receive()
        assert message["type"] == "http.request", message
        body += message["body"]
        more = message["more_body"]
    return body


async def show_scope(scope: Any, receive: Any, send: Any) -> None:
    shown = copy.deepcopy(scope)
    shown["types"] = {name: type(value).__name__ for name, value in scope.items()}
    scope["asgi"]["touched"] = scope["extensions"]["touched"] = "by the request before"
    if "state" in scope:
        scope["state"]["touched"] = "by the request before"
        scope["state"]["shared"].append(1)
    await answer(send, shown)


async def show_messages(scope: Any, receive: Any, send: Any) -> None:
    """What receive gives up to the end of the body."""
    found: list[Any] = []
    while not found or found[-1].get("more_body"):
        found.append(await receive())
        note(f"received {found[-1]['type']} {len(found[-1].get('body', b''))}")
    await answer(send, found)


async def send_messages(scope: Any, receive: Any, send: Any) -> None:
    """Sends the messages that the body lists; a number is a pause, a string something else to do."""
    for message in ast.literal_eval((await whole_body(receive)).decode()):
        if message == "raise":
            raise ValueError("raised by the application")
        if message == "cancel":
            raise asyncio.CancelledError("by the application itself")
        if message == "receive":
            note(f"received {await receive()!r}")
        elif message == "return":
            return
        else:
            try:
                if "open" in message:
                    with open(message.pop("open"), "rb") as file:  # noqa: ASYNC230
                        await send({**message, "file": file})
                else:
                    await send(message)
            except Exception as error:
                note(f"send raised {type(error).__name__}: {error} ({isinstance(error, OSError)})")
                raise


async def wait_at_gate(scope: Any, receive: Any, send: Any) -> None:
    name = scope["path"].rpartition("/")[2]
    note(f"waits at {name}")
    await gate(name).wait()
    await answer(send, f"through {name}")


async def open_gate(scope: Any, receive: Any, send: Any) -> None:
    gate(scope["path"].rpartition("/")[2]).set()
    await answer(send, "open")


async def wait_for_disconnect(scope: Any, receive: Any, send: Any) -> None:
    """/disconnect/begun sends a piece of its response before."""
    await whole_body(receive)
    if scope["path"].endswith("begun"):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"begun", "more_body": True})
    note("waits for the end")
    message = await receive()
    note(f"got {message['type']} at {time.monotonic():.6f}")
    try:
        if not scope["path"].endswith("begun"):
            await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"x"})
    except Exception as error:
        note(f"sending raised {type(error).__name__}, an OSError: {isinstance(error, OSError)}")
    note(f"again {(await receive())['type']}")


async def linger(scope: Any, receive: Any, send: Any) -> None:
    """Does not listen, and notes its cancellation."""
    if scope["path"].endswith("begun"):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"begun", "more_body": True})
    note("lingers")
    try:
        await innermost_wait()
    except asyncio.CancelledError as error:
        note(f"cancelled at {time.monotonic():.6f}: {error}")
        raise


async def innermost_wait() -> None:
    await asyncio.sleep(60)


async def afterwards(scope: Any, receive: Any, send: Any) -> None:
    """Works on behind its response, as background tasks of frameworks do."""
    await answer(send, "answered")
    note("works on")
    await asyncio.sleep(float(scope["query_string"] or 1))
    note("has worked on")


async def flood(scope: Any, receive: Any, send: Any) -> None:
    """A response without an end, for those who do not read it."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    piece = b"x" * 65536
    for number in range(16384):
        await send({"type": "http.response.body", "body": piece, "more_body": True})
        if number % 64 == 0:
            note(f"sent {number}")
    await send({"type": "http.response.body"})


async def sleep(scope: Any, receive: Any, send: Any) -> None:
    await asyncio.sleep(float(scope["path"].rpartition("/")[2]))
    await answer(send, "slept")


async def leave(scope: Any, receive: Any, send: Any) -> None:
    raise SystemExit(3)


async def ready(scope: Any, receive: Any, send: Any) -> None:
    """As the applications of other kinds answer in the tests: pid, version, number of the worker."""
    await asyncio.sleep(0)
    body = f"{os.getpid()} {os.environ.get('VERSION', '1')} {os.environ.get('INDRIK_WORKER_ID')}".encode()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": body})


async def count_body(scope: Any, receive: Any, send: Any) -> None:
    size = 0
    more = True
    while more:
        message = await receive()
        size += len(message["body"])
        more = message["more_body"]
    await answer(send, size)


async def concurrently(scope: Any, receive: Any, send: Any) -> None:
    """receive and send in tasks of their own, as frameworks run them beside something else."""
    message = await asyncio.create_task(receive())
    await asyncio.create_task(send({"type": "http.response.start", "status": 200, "headers": []}))
    body = {"type": "http.response.body", "more_body": True}
    await asyncio.wait_for(send({**body, "body": message["type"].encode()}), 5)
    await asyncio.gather(send({**body, "body": b" 1"}), send({**body, "body": b" 2"}))
    async with anyio.create_task_group() as group:
        group.start_soon(send, {**body, "body": b" 3"})
    with anyio.fail_after(5):
        await asyncio.shield(send({"type": "http.response.body", "body": b" end"}))


async def poll_disconnect(scope: Any, receive: Any, send: Any) -> None:
    """Asks again and again whether the client has left, with a time limit, as frameworks do; then tells how
    many waits the server has kept.
    """
    await receive()
    for _ in range(1000):
        with anyio.move_on_after(0) as limit:
            await receive()
        assert limit.cancelled_caught
    gc.collect()
    await answer(send, sum(type(thing).__name__ == "Waiter" for thing in gc.get_objects()))


async def receive_late(scope: Any, receive: Any, send: Any) -> None:
    await asyncio.sleep(1.5)
    await answer(send, await whole_body(receive))


async def count_tasks(scope: Any, receive: Any, send: Any) -> None:
    """What requests have left behind: tasks, and objects of the server."""
    gc.collect()
    kept = [type(thing).__name__ for thing in gc.get_objects()]
    await answer(
        send,
        {
            "tasks": len(asyncio.all_tasks()),
            "cycles": sum(name in ("HTTPCycle", "WebSocketCycle", "Waiter", "Exchange") for name in kept),
            "coroutines": sum(name == "coroutine" for name in kept),
        },
    )


PATHS = {
    "scope": show_scope, "show": show_messages, "send": send_messages, "gate": wait_at_gate,
    "open": open_gate, "disconnect": wait_for_disconnect, "linger": linger, "afterwards": afterwards,
    "flood": flood, "slow": receive_late, "count": count_body, "sleep": sleep, "tasks": count_tasks,
    "exit": leave, "concurrently": concurrently, "poll": poll_disconnect,
    "/": ready,
}  # fmt: skip


async def application(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "lifespan":
        await receive()
        scope["state"]["shared"] = []
        await send({"type": "lifespan.startup.complete"})
        await receive()
        note("shuts down")
        await send({"type": "lifespan.shutdown.complete"})
        return
    assert scope["type"] == "http", scope
    path = scope["path"].removeprefix(scope["root_path"])
    name = path if path == "/" else path[1:].partition("/")[0]
    handler = show_scope if scope["query_string"] == b"show" else PATHS.get(name, show_scope)
    await handler(scope, receive, send)
