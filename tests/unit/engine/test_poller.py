"""The poller tells once of each edge of a connection, and of a listener as long as somebody knocks.

Only the number of events is asked here: what they are is compiled code's own, and seen on the wire.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator

import pytest

from indrik.engine.poller import Poller

Pair = tuple[socket.socket, socket.socket]


@pytest.fixture
def poller() -> Iterator[Poller]:
    found = Poller()
    yield found
    found.close()


def test_input_is_told_once(poller: Poller, pair: Pair) -> None:
    fd = pair[0].fileno()
    poller.watch_connection(fd, False)
    assert poller.wait(0.0) == 0
    pair[1].send(b"a")
    assert poller.wait(0.0) == 1
    assert poller.wait(0.0) == 0
    pair[1].send(b"b")
    assert poller.wait(0.0) == 1


def test_the_end_is_told(poller: Poller, pair: Pair) -> None:
    poller.watch_connection(pair[0].fileno(), False)
    pair[1].shutdown(socket.SHUT_WR)
    assert poller.wait(0.0) == 1
    pair[1].close()
    assert poller.wait(0.0) == 1


def test_room_is_told_only_when_asked(poller: Poller, pair: Pair) -> None:
    fd = pair[0].fileno()
    poller.watch_connection(fd, False)
    assert poller.wait(0.0) == 0
    poller.watch_writable(fd)
    assert poller.wait(0.0) == 1
    assert poller.wait(0.0) == 0
    poller.forget(fd)
    pair[1].send(b"a")
    assert poller.wait(0.0) == 0


def test_a_listener_is_told_until_it_is_served(poller: Poller) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.create_connection(listener.getsockname()):
        poller.watch_listener(listener.fileno())
        assert poller.wait(5.0) == 1
        assert poller.wait(0.0) == 1
        listener.accept()[0].close()
        assert poller.wait(0.0) == 0


def test_more_than_one_call_can_hold(poller: Poller) -> None:
    pairs = [socket.socketpair() for _ in range(600)]
    try:
        for one, other in pairs:
            poller.watch_connection(one.fileno(), False)
            other.send(b"x")
        assert poller.wait(0.0) + poller.wait(0.0) == 600
    finally:
        for one, other in pairs:
            one.close()
            other.close()


def test_a_wait_is_never_too_short(poller: Poller) -> None:
    started = time.monotonic()
    assert poller.wait(0.0123) == 0
    assert time.monotonic() - started >= 0.0123
    assert poller.fileno() >= 0
