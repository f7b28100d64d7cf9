"""Starlette, FastAPI, Quart, Litestar and Django behind the real command, on both event loops."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.sync.client import connect

from tests.integration.served import NO_TLS, Server, serve

FRAMEWORKS = ("starlette", "fastapi", "quart", "litestar", "django")


@pytest.fixture(
    scope="module",
    params=[(name, loop) for name in FRAMEWORKS for loop in ("asyncio", "uvloop")],
    ids=lambda param: "-".join(param),
)
def served(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, Server]]:
    name, loop = request.param
    arguments = ["--worker-class", "asgi", "--asgi-loop", loop, f"asgi_apps:make_{name}()"]
    with serve(arguments, Path(__file__).parent, tmp_path_factory.mktemp("logs")) as running:
        yield name, running
        assert running.stop() == 0
    for word in ("Traceback", "[ERROR]", "[WARNING]"):
        assert word not in running.error_log


@pytest.fixture
def client(served: tuple[str, Server]) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=served[1].url, timeout=30, trust_env=False, verify=NO_TLS) as found:
        yield found


def test_hello_and_echo(client: httpx.Client) -> None:
    for _ in range(3):
        assert client.get("/").text == "hello"
        value: dict[str, Any] = {"text": "é" * 100_000, "number": 1}
        answer = client.post("/echo", params={"a": "b c"}, json=value)
        assert answer.status_code == 200, answer.text
        assert answer.json() == {"json": value, "query": {"a": "b c"}}
    assert client.get("/missing").status_code == 404


def test_events_come_one_by_one(client: httpx.Client) -> None:
    with client.stream("GET", "/events") as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        pieces = [piece for piece in answer.iter_raw() if piece]
    assert len(pieces) >= 3
    lines = [line for line in b"".join(pieces).decode().splitlines() if line.startswith(("event", "data"))]
    assert lines == ["event: count", "data: 0", "event: count", "data: 1", "event: count", "data: 2"]


def test_an_event_stream_that_is_left(client: httpx.Client) -> None:
    with client.stream("GET", "/events") as answer:
        next(answer.iter_raw())
    assert client.get("/").text == "hello"


def test_websocket(served: tuple[str, Server]) -> None:
    name, server = served
    if name == "django":
        pytest.skip("Django speaks no WebSocket")
    with connect(server.url.replace("http", "ws") + "/socket", proxy=None) as socket:
        for text in ("shout", "é" * 100_000):
            socket.send(text)
            assert socket.recv() == text.upper()


def test_a_background_task_runs(served: tuple[str, Server], client: httpx.Client) -> None:
    name, server = served
    if name != "starlette":
        pytest.skip("the other applications have none")
    client.get("/")
    server.wait_until(lambda: client.get("/background").json() or None, "the background task")
