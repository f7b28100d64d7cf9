"""`g` and `request` under every kind: `g` is empty when a request begins, also on a connection, thread or
greenlet that has served others, and `request` is always one's own.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.integration.served import Server
from tests.integration.wire import connect
from tests.integration.wsgi_ways import WAYS, serve_way
from tests.workers.kinds import name_of


@pytest.fixture(scope="module", params=WAYS, ids=name_of)
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serve_way(request.param, "flask_locals:application", tmp_path_factory.mktemp("g")) as running:
        yield running


def leaks(server: Server) -> list[str]:
    with connect(server.url) as wire:
        wire.send(b"GET /report HTTP/1.1\r\nHost: x\r\n\r\n")
        return json.loads(wire.answer().body)["leaks"]  # type: ignore[no-any-return]


def test_on_one_connection(server: Server) -> None:
    with connect(server.url) as wire:
        for number in range(50):
            wire.send(f"GET /plain?n={number} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            assert wire.answer().body == str(number).encode()
    assert leaks(server) == []


def test_pipelined(server: Server) -> None:
    with connect(server.url) as wire:
        wire.send(b"".join(b"GET /plain?n=%d HTTP/1.1\r\nHost: x\r\n\r\n" % number for number in range(50)))
        assert [wire.answer().body for _ in range(50)] == [str(number).encode() for number in range(50)]
    assert leaks(server) == []


def test_at_once(server: Server) -> None:
    """Arguments, body and header fields of requests that are mixed up in time."""

    def ask(number: int) -> None:
        filler = "x" * random.Random(number).randrange(20_000)
        body = json.dumps({"number": number, "filler": filler}).encode()
        head = f"POST /body?n={number} HTTP/1.1\r\nHost: x\r\nX-User: {number}\r\n"
        head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        with connect(server.url) as wire:
            for _ in range(3):
                half = len(body) // 2
                wire.send(head.encode() + body[:half])
                wire.send(body[half:])
                answer = json.loads(wire.answer().body)
                assert answer == {"n": str(number), "json": json.loads(body), "user": str(number)}

    with ThreadPoolExecutor(20) as pool:
        list(pool.map(ask, range(60)))
    assert leaks(server) == []


def test_in_a_stream(server: Server) -> None:
    """`stream_with_context`: the view's request, at each piece."""
    with connect(server.url) as wire:
        for number in range(5):
            wire.send(f"GET /stream?pieces=5&n={number} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            assert len(wire.answer().body) == 5 * 1024
    assert leaks(server) == []


def test_in_threads_with_the_context(server: Server) -> None:
    """`copy_current_request_context`: the request, in threads and greenlets of the application's own."""

    def ask(number: int) -> None:
        with connect(server.url) as wire:
            wire.send(f"GET /copy?n={number} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            found = json.loads(wire.answer().body)["found"]
            assert found == [[str(number), "flask_locals", False]] * 3

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(ask, range(24)))
    assert leaks(server) == []
