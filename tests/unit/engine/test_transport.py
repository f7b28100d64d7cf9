"""The system calls: what they answer when there is nothing, no room, an end, or a broken connection."""

from __future__ import annotations

import os
import socket
import time

import pytest

from indrik.engine.transport import WOULD_BLOCK, monotonic, transmit, transmit_two

Pair = tuple[socket.socket, socket.socket]


def test_transmit(pair: Pair) -> None:
    fd = pair[0].fileno()
    assert transmit(fd, b"hello", 0) == 5
    assert transmit(fd, b"hello", 3) == 2
    assert transmit(fd, b"hello", 5) == 0
    assert pair[1].recv(100) == b"hellolo"
    data = b"x" * 100_000
    while transmit(fd, data, 0) != WOULD_BLOCK:
        pass
    pair[1].close()
    with pytest.raises(BrokenPipeError):
        transmit(fd, b"x", 0)


def test_transmit_two(pair: Pair) -> None:
    fd = pair[0].fileno()
    assert transmit_two(fd, b"head", b"body") == 8
    assert transmit_two(fd, b"", b"more") == 4
    assert pair[1].recv(100) == b"headbodymore"
    data = b"x" * 100_000
    while transmit_two(fd, data, data) != WOULD_BLOCK:
        pass
    pair[1].close()
    with pytest.raises(BrokenPipeError):
        transmit_two(fd, b"x", b"y")


def test_a_closed_descriptor_is_an_error() -> None:
    fd = os.open("/dev/null", os.O_RDONLY)
    os.close(fd)
    with pytest.raises(OSError, match="Bad file descriptor"):
        transmit(fd, b"x", 0)
    with pytest.raises(OSError, match="Bad file descriptor"):
        transmit_two(fd, b"x", b"y")


def test_monotonic_is_the_clock_of_the_processes() -> None:
    before = time.monotonic()
    assert before <= monotonic() <= time.monotonic()
