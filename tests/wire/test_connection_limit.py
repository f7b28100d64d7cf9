"""A worker that has as many connections as it may: idle ones make room, but only for somebody."""

from __future__ import annotations

import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.wire.case import get
from tests.wire.served import Served


@pytest.fixture
def served() -> Iterator[Served]:
    # A short path: a unix socket's may have 107 bytes.
    with tempfile.TemporaryDirectory(prefix="wire-") as folder:
        found = Served(Path(folder), {"worker_connections": 2})
        yield found
        found.close()


def test_nobody_is_sent_away_before_another_comes(served: Served) -> None:
    with served.connect() as first, served.connect() as second:
        assert served.engine.open_connections == 2
        with served.connect() as third:
            first.receive()
            second.receive()
            assert (first.is_ended, second.is_ended) == (True, False)
            for client in (second, third):
                client.send(get())
                assert client.received.startswith(b"HTTP/1.1 200 ")
    assert [kind for kind, *_ in served.refusals] == ["connections"]


def test_leaving_worker_empties_the_backlog(served: Served) -> None:
    with served.connect(), served.connect():
        waiting = [socket.socket(served.family) for _ in range(5)]
        for sock in waiting:
            sock.connect(served.address)
            sock.sendall(get("Connection: close"))
        while served.engine.accept_backlog():
            served.engine.turn(1.0)
        for sock in waiting:
            with sock:
                sock.settimeout(20)
                assert sock.recv(1000).startswith(b"HTTP/1.1 200 ")
