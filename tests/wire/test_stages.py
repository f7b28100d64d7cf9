"""Conversations in several steps: what the server says before a request is whole."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from indrik.engine import timers
from tests.wire.case import get, post
from tests.wire.served import Served

_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"

Serve = Callable[..., Served]


@pytest.fixture
def serve() -> Iterator[Serve]:
    started: list[Served] = []
    with tempfile.TemporaryDirectory(prefix="wire-") as folder:

        def start(**settings: Any) -> Served:
            started.append(Served(Path(tempfile.mkdtemp(dir=folder)), settings))
            return started[-1]

        yield start
        for served in started:
            served.close()


class TestContinue:
    @pytest.mark.parametrize(
        ("framing", "body"),
        [("Content-Length: 2", b"hi"), ("Transfer-Encoding: chunked", b"2\r\nhi\r\n0\r\n\r\n")],
    )
    def test_is_sent_to_who_waits_for_it(self, serve: Serve, framing: str, body: bytes) -> None:
        served = serve()
        with served.connect() as client:
            client.send(post(framing, "Expect: 100-continue"))
            assert client.received == _CONTINUE
            assert served.calls == []
            client.send(body[:1])
            assert client.received == _CONTINUE
            client.send(body[1:])
            assert client.received.startswith(_CONTINUE + b"HTTP/1.1 200 OK\r\n")
            assert served.calls[0]["body"] == b"hi"

    def test_is_not_sent_to_who_has_begun(self, serve: Serve) -> None:
        with serve().connect() as client:
            client.send(post("Content-Length: 2", "Expect: 100-continue", body=b"h"))
            assert client.received == b""
            client.send(b"i")
            assert client.received.startswith(b"HTTP/1.1 200 OK\r\n")

    @pytest.mark.parametrize("fields", [(), ("Content-Length: 0",)])
    def test_is_not_sent_without_a_body(self, serve: Serve, fields: tuple[str, ...]) -> None:
        with serve().connect() as client:
            client.send(post(*fields, "Expect: 100-continue"))
            assert client.received.startswith(b"HTTP/1.1 200 OK\r\n")

    def test_is_not_sent_on_1_0(self, serve: Serve) -> None:
        with serve().connect() as client:
            client.send(post("Content-Length: 2", "Expect: 100-continue", version="1.0"))
            assert client.received == b""

    def test_is_not_sent_for_a_body_that_is_refused(self, serve: Serve) -> None:
        with serve(body=10).connect() as client:
            client.send(post("Content-Length: 11", "Expect: 100-continue"))
            assert client.received.startswith(b"HTTP/1.1 413 ")

    def test_waits_its_turn_in_a_pipeline(self, serve: Serve) -> None:
        with serve().connect() as client:
            client.send(get() + post("Content-Length: 2", "Expect: 100-continue"))
            assert client.received.startswith(b"HTTP/1.1 200 OK\r\n")
            assert client.received.endswith(_CONTINUE)


class TestRefusals:
    def test_come_before_the_body(self, serve: Serve) -> None:
        with serve(body=10).connect() as client:
            client.send(post("Content-Length: 1000000"))
            assert client.received.startswith(b"HTTP/1.1 413 ")
            assert client.is_ended

    def test_reach_a_client_that_goes_on_sending(self, serve: Serve) -> None:
        """The rest is read and thrown away, because closing upon unread bytes would take the answer back."""
        served = serve(body=10)
        with served.connect() as client:
            client.send(post("Content-Length: 500000") + b"x" * 500_000)
            assert client.received.startswith(b"HTTP/1.1 413 ")
            assert served.engine.open_connections == 1
        served.settle()
        assert served.engine.open_connections == 0

    def test_reach_a_client_that_reads_only_at_its_end(self, serve: Serve) -> None:
        served = serve(body=10)
        with served.connect() as client:
            client.send(post("Content-Length: 20000000"))
            left = b"x" * 20_000_000
            while left:
                left = left[client._sock.send(left) :]
                served.settle()
            assert client.receive().startswith(b"HTTP/1.1 413 ")

    @pytest.mark.parametrize(("limit", "piece", "pause"), [(0.9, 50_000, 0.0), (60.0, 10, 0.05)])
    def test_do_not_read_on_for_ever(
        self, serve: Serve, monkeypatch: pytest.MonkeyPatch, limit: float, piece: int, pause: float
    ) -> None:
        """Not from one who sends fast and not from one who trickles."""
        monkeypatch.setattr(timers, "LINGER_DELAY", 0.3)
        monkeypatch.setattr(timers, "LINGER_LIMIT", limit)
        served = serve(body=10)
        with served.connect() as client:
            # Before: the engine turns in here, and its delay begins with the refusal.
            started = due = time.monotonic()
            client.send(b"NONSENSE\r\n\r\n")
            while served.engine.open_connections:
                if time.monotonic() >= due:
                    due += pause
                    client._sock.send(b"x" * piece)
                served.engine.turn(0.01)
                assert time.monotonic() - started < 15
            assert time.monotonic() - started >= min(limit, 0.3)


def test_a_full_disk_costs_one_request(serve: Serve) -> None:
    served = serve(body_buffer=4)
    folder = Path(served.address).parent
    with served.connect() as other, served.connect() as client:
        (folder / "socket").unlink()
        folder.rmdir()
        client.send(post("Content-Length: 10", body=b"0123456789"))
        assert client.received.startswith(b"HTTP/1.1 5")
        assert client.is_ended
        other.send(get())
        assert other.received.startswith(b"HTTP/1.1 200 ")


def test_a_client_that_leaves_in_the_middle_leaves_nothing(serve: Serve) -> None:
    served = serve(body_buffer=4)
    for data in (
        b"",
        b"GET",
        get()[:-2],
        post("Content-Length: 10", body=b"012345"),
        post("Transfer-Encoding: chunked", body=b"9\r\n0"),
    ):
        with served.connect() as client:
            client.send(data)
            assert served.engine.open_connections == 1
        served.settle()
        assert served.engine.open_connections == 0
    assert served.calls == []


def test_a_slow_reader_keeps_nobody_waiting(serve: Serve) -> None:
    served = serve(output_buffer=1000)
    served.application = lambda environ, start_response: (
        start_response("200 OK", []),
        [b"x" * (5_000_000 if environ["PATH_INFO"] == "/large" else 1)],
    )[1]
    with served.connect() as slow, served.connect() as quick:
        slow._sock.send(get(target="/large") + get())
        served.settle()
        quick.send(get())
        assert quick.received.endswith(b"x")
        while not slow.received.endswith(b"\r\n\r\nx"):
            before = len(slow.received)
            slow.receive()
            assert len(slow.received) > before
        assert slow.received.count(b"HTTP/1.1 200 ") == 2
        assert slow.received.count(b"x") == 5_000_001
