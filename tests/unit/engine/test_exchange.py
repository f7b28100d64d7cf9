from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from indrik.engine.exchange import Channel, Exchange, open_exchange
from indrik.engine.output import FileSegment
from indrik.engine.ownership import Ownership
from indrik.protocol.head import HeadParser
from indrik.protocol.limits import Limits


class Recording(Channel):
    """A channel that notes what it is given."""

    def __init__(self) -> None:
        super().__init__(None, None, Ownership())  # type: ignore[arg-type]
        self.segments: list[FileSegment] = []

    def send_file(self, segment: FileSegment) -> None:
        self.segments.append(segment)

    def close(self) -> None:
        pass


@pytest.fixture
def channel() -> Recording:
    return Recording()


@pytest.fixture
def exchange(channel: Recording) -> Exchange:
    head = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
    request: Any = HeadParser(Limits()).parse(head, len(head), False)
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
