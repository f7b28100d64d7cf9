"""What is queued arrives, in order and whole, from memory, from the spool and from files."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from indrik.engine.output import FileSegment, OutputQueue

Pair = tuple[socket.socket, socket.socket]

STEPS = st.lists(
    st.one_of(
        st.binary(min_size=1, max_size=60),
        st.tuples(st.integers(0, 50), st.integers(0, 60)),
        st.sampled_from(["flush"]),
    ),
    max_size=20,
)


def drain(queue: OutputQueue, pair: Pair) -> bytes:
    """Sends and reads until the queue is empty."""
    received = b""
    while queue:
        queue.flush(pair[0].fileno())
        try:
            while data := pair[1].recv(1 << 20):
                received += data
        except BlockingIOError:
            continue
    return received


@given(steps=STEPS, memory=st.sampled_from([0, 50, 1000]))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_in_order(
    steps: list[bytes | tuple[int, int] | str], memory: int, pair: Pair, tmp_path: Path
) -> None:
    source = tmp_path / "source"
    content = bytes(range(110))
    source.write_bytes(content)
    queue = OutputQueue(memory, str(tmp_path))
    expected = received = b""
    for step in steps:
        if isinstance(step, bytes):
            queue.push(step)
            expected += step
            assert queue.in_memory <= memory
        elif isinstance(step, tuple):
            offset, count = step
            queue.push_file(FileSegment(os.open(source, os.O_RDONLY), offset, count))
            expected += content[offset : offset + count]
        else:
            received += drain(queue, pair)
            assert (queue.in_memory, queue.spooled) == (0, 0)
    assert received + drain(queue, pair) == expected
    assert os.listdir(tmp_path) == ["source"]


def test_a_full_kernel_is_no_error(pair: Pair, tmp_path: Path) -> None:
    queue = OutputQueue(1 << 20, str(tmp_path))
    data = os.urandom(3_000_000)
    for start in range(0, len(data), 100_000):
        queue.push(data[start : start + 100_000])
    assert queue.spooled > 1_000_000
    assert queue.flush(pair[0].fileno()) is False
    assert queue
    assert drain(queue, pair) == data
    assert queue.taken == len(data)


def test_spooled_bytes_are_counted_until_their_file_is_closed(pair: Pair, tmp_path: Path) -> None:
    queue = OutputQueue(0, str(tmp_path))
    queue.push(b"x" * 2_000_000)
    queue.flush(pair[0].fileno())
    pair[1].recv(1000)
    assert queue.spooled == 2_000_000
    queue.push(b"y" * 1000)
    assert queue.spooled == 2_001_000
    queue.clear()
    assert (bool(queue), queue.in_memory, queue.spooled) == (False, 0, 0)


def test_every_descriptor_is_closed(pair: Pair, tmp_path: Path) -> None:
    before = len(os.listdir("/proc/self/fd"))
    source = tmp_path / "source"
    source.write_bytes(b"hello")
    queue = OutputQueue(0, str(tmp_path))
    queue.push_file(FileSegment(os.open(source, os.O_RDONLY), 0, 0))
    queue.push_file(FileSegment(os.open(source, os.O_RDONLY), 0, 5))
    queue.push(b"spooled")
    assert drain(queue, pair) == b"hellospooled"
    queue.push_file(FileSegment(os.open(source, os.O_RDONLY), 0, 5))
    queue.push(b"spooled")
    queue.clear()
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_file_that_shrinks_is_an_error(pair: Pair, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(b"hello")
    queue = OutputQueue(0, str(tmp_path))
    queue.push_file(FileSegment(os.open(source, os.O_RDONLY), 0, 50))
    with pytest.raises(OSError, match="became shorter"):
        drain(queue, pair)
    queue.clear()


def test_a_broken_connection_is_an_error(pair: Pair, tmp_path: Path) -> None:
    queue = OutputQueue(100, str(tmp_path))
    queue.push(b"hello")
    pair[1].close()
    with pytest.raises(BrokenPipeError):
        queue.flush(pair[0].fileno())
