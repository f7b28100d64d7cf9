"""Flask's context locals and context variables under every kind: nothing of a request is there in the next,
even where a body was abandoned, collected by another request, or a thread lives on with a copy of the
context.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.integration.served import Server
from tests.integration.wire import Answer, connect
from tests.integration.wsgi_ways import WAYS, serve_way
from tests.workers.kinds import name_of

NEXT = 20


@pytest.fixture(params=WAYS, ids=name_of)
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Server]:
    with serve_way(request.param, "flask_locals:application", tmp_path) as running:
        yield running


def get(server: Server, path: str) -> Answer:
    with connect(server.url) as wire:
        wire.send(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        return wire.answer()


def report(server: Server) -> dict[str, Any]:
    return json.loads(get(server, "/report").body)  # type: ignore[no-any-return]


def abandon(server: Server) -> None:
    """Leaves in the middle of a stream that holds the request's context."""
    with connect(server.url) as wire:
        wire.send(b"GET /stream?pieces=1000000 HTTP/1.1\r\nHost: x\r\n\r\n")
        assert wire.socket.recv(100).startswith(b"HTTP/1.1 200")


def expect_clean(server: Server) -> None:
    """The next requests, one after the other and beside each other, find nothing and are torn down."""
    before = report(server)["teardowns"].get("/plain", 0)
    for number in range(NEXT):
        assert get(server, f"/plain?n={number}").body == str(number).encode()
    with ThreadPoolExecutor(NEXT) as pool:
        answers = pool.map(lambda number: get(server, f"/plain?n={number}").body, range(NEXT))
        assert list(answers) == [str(number).encode() for number in range(NEXT)]
    found = report(server)
    assert found["leaks"] == []
    assert found["teardowns"]["/plain"] == before + 2 * NEXT


def test_after_a_stream_that_was_abandoned(server: Server) -> None:
    for _ in range(5):
        abandon(server)
        expect_clean(server)
    # Once when the view has returned, once when the body is closed: as Flask does it for all streams.
    server.wait_until(lambda: report(server)["teardowns"].get("/stream") == 10, "the streams' teardowns")


def test_beside_streams(server: Server) -> None:
    with ThreadPoolExecutor(8) as pool:
        streams = [pool.submit(get, server, f"/stream?pieces=20&n={number}") for number in range(20)]
        plain = [pool.submit(get, server, f"/plain?n={number}") for number in range(100)]
        assert all(len(stream.result().body) == 20 * 1024 for stream in streams)
        assert [one.result().body for one in plain] == [str(number).encode() for number in range(100)]
    assert report(server)["leaks"] == []


def test_where_another_request_collects_a_body(server: Server) -> None:
    for _ in range(3):
        assert get(server, "/stash").body == b"stashed"
    with ThreadPoolExecutor(4) as pool:
        answers = pool.map(lambda _: get(server, "/collect").body, range(4))
        assert list(answers) == [b"collected"] * 4
    expect_clean(server)


def test_where_threads_live_on_with_a_copy_of_the_context(server: Server) -> None:
    for _ in range(5):
        assert get(server, "/spawn").body == b"spawned"
    expect_clean(server)
