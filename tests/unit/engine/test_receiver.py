"""Receiving: what comes out of the buffer that all connections share, and that it stays what it was."""

from __future__ import annotations

import os
import socket
from functools import partial

import pytest

from indrik.engine.receiver import NOTHING, RECEIVE_SIZE, Receiver

Pair = tuple[socket.socket, socket.socket]

HEAD = b"POST / HTTP/1.1\r\nHost: h\r\n\r\n"
LONG = b"0123456789" * 300


@pytest.fixture
def receiver() -> Receiver:
    return Receiver()


def test_receive(receiver: Receiver, pair: Pair) -> None:
    fd = pair[0].fileno()
    assert receiver.receive(fd, RECEIVE_SIZE) is None
    assert receiver.received == NOTHING
    pair[1].send(b"hello")
    assert receiver.receive(fd, RECEIVE_SIZE) == b"hello"
    assert receiver.received == 5
    assert receiver.receive(fd, RECEIVE_SIZE) is None
    pair[1].setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4 * RECEIVE_SIZE)
    sent = pair[1].send(b"x" * (RECEIVE_SIZE + 10))
    first = receiver.receive(fd, RECEIVE_SIZE)
    assert first is not None
    assert len(first) == receiver.received == min(sent, RECEIVE_SIZE)
    while receiver.receive(fd, RECEIVE_SIZE) is not None:
        pass
    pair[1].close()
    assert receiver.receive(fd, RECEIVE_SIZE) == b""
    assert receiver.receive_head(fd) == b""


def test_no_more_than_asked_for_is_received(receiver: Receiver, pair: Pair) -> None:
    pair[1].send(b"one two")
    assert receiver.receive(pair[0].fileno(), 4) == b"one "
    assert receiver.received == 4
    assert receiver.receive(pair[0].fileno(), 4) == b"two"
    pair[1].send(b"three")
    # The buffer has no more room, whatever is asked for.
    assert receiver.receive(pair[0].fileno(), 2 * RECEIVE_SIZE) == b"three"


def test_what_was_received_stays_as_it_is(receiver: Receiver, pair: Pair) -> None:
    pair[1].send(b"first")
    first = receiver.receive(pair[0].fileno(), RECEIVE_SIZE)
    pair[1].send(b"OTHER")
    assert receiver.receive(pair[0].fileno(), RECEIVE_SIZE) == b"OTHER"
    assert first == b"first"


@pytest.mark.parametrize(
    ("sent", "head", "behind"),
    [
        (HEAD, HEAD, None),
        (HEAD + b"short", HEAD + b"short", None),
        (HEAD + LONG, HEAD, LONG),
        # A body may look like the end of a head, and then nothing is won.
        (HEAD + LONG + b"\r\n\r\n", HEAD + LONG + b"\r\n\r\n", None),
        (HEAD + LONG + HEAD + LONG, HEAD, LONG + HEAD + LONG),
        # A head that has not ended, and none at all.
        (HEAD[:-2] + LONG, HEAD[:-2] + LONG, None),
        (LONG, LONG, None),
        # The empty line before a request is the parser's.
        (b"\r\n" + HEAD + LONG, b"\r\n" + HEAD + LONG, None),
        (b"\r\n\r\n" + LONG, b"\r\n\r\n" + LONG, None),
    ],
)
def test_receive_head(
    receiver: Receiver, pair: Pair, sent: bytes, head: bytes, behind: bytes | None
) -> None:
    pair[1].send(sent)
    assert receiver.receive_head(pair[0].fileno()) == head
    assert receiver.behind == behind
    assert receiver.received == len(sent)


def test_no_body_is_left_for_the_next_head(receiver: Receiver, pair: Pair) -> None:
    pair[1].send(HEAD + LONG)
    receiver.receive_head(pair[0].fileno())
    assert receiver.behind == LONG
    assert receiver.receive_head(pair[0].fileno()) is None
    assert receiver.behind is None


def test_an_old_end_of_a_head_is_not_found(receiver: Receiver, pair: Pair) -> None:
    pair[1].send(b"x" * 2000 + b"\r\n\r\n" + LONG)
    receiver.receive(pair[0].fileno(), RECEIVE_SIZE)
    pair[1].send(b"y" * 1500)
    assert receiver.receive_head(pair[0].fileno()) == b"y" * 1500
    assert receiver.behind is None


def test_fill(receiver: Receiver, pair: Pair) -> None:
    assert receiver.fill(pair[0].fileno()) == NOTHING
    pair[1].send(b"hello")
    assert receiver.fill(pair[0].fileno()) == 5
    assert bytes(receiver.filled(5)) == b"hello"
    assert receiver.taken(1, 4) == b"ell"


def test_a_closed_descriptor_is_an_error(receiver: Receiver) -> None:
    fd = os.open("/dev/null", os.O_RDONLY)
    os.close(fd)
    for call in (partial(receiver.receive, most=10), receiver.receive_head, receiver.fill):
        with pytest.raises(OSError, match="Bad file descriptor"):
            call(fd)
