from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from indrik.engine.exchange import Channel, Exchange, open_exchange
from indrik.engine.output import FileSegment
from indrik.engine.ownership import Ownership
from indrik.protocol.head import HeadParser
from indrik.protocol.limits import Limits
from indrik.protocol.request import Request


class Recording(Channel):
    """A channel that notes what it is given."""

    def __init__(self) -> None:
        super().__init__(None, None, Ownership())  # type: ignore[arg-type]
        self.segments: list[FileSegment] = []
        self.fails_at = ""
        self.was_closed = False

    def _step(self, name: str) -> None:
        if name == self.fails_at:
            raise KeyboardInterrupt(name)

    def send(self, data: bytes) -> None:
        self._step("send")

    def send_file(self, segment: FileSegment) -> None:
        self.segments.append(segment)
        self._step(f"file {len(self.segments)}")

    def finish(self, keep_alive: bool) -> None:
        self._step("finish")

    def close(self) -> None:
        self.was_closed = True
        for segment in self.segments:
            segment.close()


FAILING = ("send", "file 1", "file 2")


def ranges(path: Path) -> list[bytes | FileSegment]:
    """Two pieces of a file, out of one descriptor."""
    path.write_bytes(b"0123456789")
    fd = os.open(path, os.O_RDONLY)
    return [FileSegment(fd, 0, 2, owns=False), b"between", FileSegment(fd, 5, 2)]


def open_descriptors(pieces: list[bytes | FileSegment]) -> list[int]:
    return [piece.fd for piece in pieces if isinstance(piece, FileSegment) and piece.fd >= 0]


@pytest.fixture
def channel() -> Recording:
    return Recording()


@pytest.fixture
def exchange(channel: Recording) -> Exchange:
    head = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
    request: Any = HeadParser(Limits()).parse(Request(), head, len(head), False)
    return open_exchange(channel, request, None, 0.0)


def test_a_file_is_handed_over(channel: Recording, exchange: Exchange, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"0123456789")
    fd = os.open(tmp_path / "file", os.O_RDONLY)
    exchange.send_file(fd, 2, 3)
    [segment] = channel.segments
    assert (segment.fd, segment.offset, segment.count) == (fd, 2, 3)
    segment.close()


def test_a_file_for_a_response_that_has_ended_is_closed(
    channel: Recording, exchange: Exchange, tmp_path: Path
) -> None:
    """The channel may be in its next exchange already, whose client must not get it."""
    (tmp_path / "file").write_bytes(b"0123456789")
    fd = os.open(tmp_path / "file", os.O_RDONLY)
    exchange.abort()
    exchange.send_file(fd, 0, 10)
    assert channel.segments == []
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(fd)


@contextlib.contextmanager
def interrupted(channel: Recording, step: str, pieces: list[bytes | FileSegment]) -> Iterator[None]:
    """What the block does is interrupted at `step`, as by a signal's handler: the file is closed, and the
    channel with it.
    """
    fd = open_descriptors(pieces)[0]
    channel.fails_at = step
    with pytest.raises(KeyboardInterrupt):
        yield
    assert open_descriptors(pieces) == []
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(fd)
    assert channel.was_closed


@pytest.mark.parametrize("step", [*FAILING, "finish"])
def test_an_answer_that_fails_leaves_no_file_open(
    channel: Recording, exchange: Exchange, tmp_path: Path, step: str
) -> None:
    """A signal's handler may raise anywhere in it."""
    pieces = ranges(tmp_path / "file")
    with interrupted(channel, step, pieces):
        exchange.answer(b"HTTP/1.1 206 Partial Content\r\n\r\n", pieces, True)


@pytest.mark.parametrize("step", FAILING)
def test_pieces_that_cannot_be_handed_over_are_closed_with_the_channel(
    channel: Recording, exchange: Exchange, tmp_path: Path, step: str
) -> None:
    """What was queued shares its descriptor with what was not: neither may outlive the other."""
    pieces = ranges(tmp_path / "file")
    with interrupted(channel, step, pieces):
        exchange.send_pieces(pieces)
