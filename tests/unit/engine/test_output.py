"""What is queued arrives, in order and whole, from memory, from the spool and from files."""

from __future__ import annotations

import os
import socket
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from indrik.engine.backlog import Backlog
from indrik.engine.output import FileSegment, OutputQueue

Pair = tuple[socket.socket, socket.socket]

STEPS = st.lists(
    st.one_of(
        st.binary(min_size=1, max_size=60),
        # Far more than a buffer of the kernel holds.
        st.builds(
            lambda octet, count: octet * count, st.binary(min_size=1, max_size=1), st.integers(4000, 9000)
        ),
        st.tuples(st.integers(0, 50), st.integers(0, 60)),
        st.sampled_from(["flush", "once", "write"]),
    ),
    max_size=20,
)


def drain(queue: OutputQueue, pair: Pair) -> bytes:
    """Sends and reads until the queue is empty and nothing is on its way."""
    received = b""
    while True:
        if queue:
            queue.flush(pair[0].fileno())
        try:
            while data := pair[1].recv(1 << 20):
                received += data
        except BlockingIOError:
            if not queue:
                break
    return received


@given(
    steps=STEPS,
    memory=st.sampled_from([0, 200, 10_000, 100_000]),
    most=st.sampled_from([0, 5000, 1 << 20]),
    start=st.integers(0, 70),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_in_order(
    steps: list[bytes | tuple[int, int] | str],
    memory: int,
    most: int,
    start: int,
    pair: Pair,
    tmp_path: Path,
) -> None:
    source = tmp_path / "source"
    content = bytes(range(110))
    source.write_bytes(content)
    backlog = Backlog(most)
    queue = OutputQueue(memory, str(tmp_path), backlog)
    expected = received = b""
    for step in steps:
        if isinstance(step, bytes):
            begin = min(start, len(step) - 1)
            queue.push(step, begin)
            expected += step[begin:]
            assert queue.in_memory <= memory
            assert backlog.held <= most
        elif isinstance(step, tuple):
            offset, count = step
            queue.push_file(FileSegment(os.open(source, os.O_RDONLY), offset, count))
            expected += content[offset : offset + count]
        elif step == "write":
            queue.write_some()
        elif step == "once":
            queue.flush(pair[0].fileno())
        else:
            received += drain(queue, pair)
            assert (queue.in_memory, queue.spooled, backlog.held) == (0, 0, 0)
    assert received + drain(queue, pair) == expected
    assert os.listdir(tmp_path) == ["source"]


def test_a_full_kernel_is_no_error(pair: Pair, tmp_path: Path) -> None:
    queue = OutputQueue(1 << 20, str(tmp_path), Backlog())
    data = os.urandom(3_000_000)
    for start in range(0, len(data), 100_000):
        queue.push(data[start : start + 100_000])
    assert queue.spooled > 1_000_000
    assert queue.flush(pair[0].fileno()) is False
    assert queue
    assert drain(queue, pair) == data
    assert queue.taken == len(data)


def test_spooled_bytes_are_counted_until_their_file_is_closed(pair: Pair, tmp_path: Path) -> None:
    queue = OutputQueue(0, str(tmp_path), Backlog())
    queue.push(b"x" * 2_000_000)
    while queue.is_behind():
        queue.write_some()
    queue.flush(pair[0].fileno())
    pair[1].recv(1000)
    assert queue.spooled == 2_000_000
    queue.push(b"y" * 1000)
    assert queue.spooled == 2_001_000
    queue.clear()
    assert (bool(queue), queue.in_memory, queue.spooled) == (False, 0, 0)


def _traced(make: Callable[[], object]) -> int:
    """Bytes that `make` leaves allocated."""
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    made = make()
    grown = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    del made
    return grown


@pytest.mark.parametrize("size", [1, 6, 100, 1000, 4095, 4096, 5000, 20_000])
def test_the_bound_is_one_of_memory(size: int, tmp_path: Path) -> None:
    """Six bytes in an object of their own would take ten times as much."""
    memory, most = 100_000, 150_000
    backlog = Backlog(most)

    def fill() -> OutputQueue:
        queue = OutputQueue(memory, str(tmp_path), backlog)
        count = 0
        while not queue.spooled or (backlog.held + size <= most and count < 1_000_000):
            queue.push(b"%d" % (count % 10) + bytes(size - 1))
            count += size
        return queue

    assert _traced(fill) < (memory + most) * 1.1 + 20_000


class TestBacklog:
    def test_a_large_piece_is_written_in_steps(self, pair: Pair, tmp_path: Path) -> None:
        backlog = Backlog()
        queue = OutputQueue(1000, str(tmp_path), backlog)
        files = len(os.listdir("/proc/self/fd"))
        data = os.urandom(3_500_000)
        queue.push(data)
        assert len(os.listdir("/proc/self/fd")) == files
        assert backlog.held == len(data)
        steps = 0
        while queue.is_behind():
            queue.write_some()
            steps += 1
        assert (steps, backlog.held) == (14, 0)
        assert len(os.listdir("/proc/self/fd")) == files + 1
        assert drain(queue, pair) == data

    def test_a_quick_reader_needs_no_file(self, pair: Pair, tmp_path: Path) -> None:
        backlog = Backlog()
        queue = OutputQueue(0, str(tmp_path / "missing"), backlog)
        data = os.urandom(3_000_000)
        queue.push(data)
        assert drain(queue, pair) == data
        assert backlog.held == 0

    def test_what_everybody_is_sent_is_held_once(self, tmp_path: Path) -> None:
        backlog = Backlog()
        data = bytes(1_000_000)
        queues = [OutputQueue(0, str(tmp_path), backlog) for _ in range(5)]
        for queue in queues:
            queue.push(data)
        assert backlog.held == 1_000_000
        for queue in queues[1:]:
            queue.clear()
        assert backlog.held == 1_000_000
        queues[0].clear()
        assert backlog.held == 0

    def test_beyond_its_bound_all_is_written_at_once(self, pair: Pair, tmp_path: Path) -> None:
        backlog = Backlog(1_500_000)
        first = OutputQueue(0, str(tmp_path), backlog)
        first.push(bytes(1_000_000))
        second = OutputQueue(0, str(tmp_path), backlog)
        second.push(b"a" * 1_000_000)
        assert first.is_behind()
        assert not second.is_behind()
        assert backlog.held == 1_000_000
        second.push(b"b" * 100)
        assert drain(second, pair) == b"a" * 1_000_000 + b"b" * 100

    def test_a_file_that_cannot_be_made(self, tmp_path: Path) -> None:
        queue = OutputQueue(0, str(tmp_path / "missing"), Backlog())
        queue.push(b"hello")
        with pytest.raises(FileNotFoundError):
            queue.write_some()
        queue.clear()

    def test_everybody_writes_in_turn(self) -> None:
        done = []

        class Writer:
            def __init__(self, name: str, steps: int) -> None:
                self.name = name
                self.steps = steps

            def spool(self) -> bool:
                done.append(self.name)
                self.steps -= 1
                return self.steps > 0

        backlog = Backlog()
        backlog.waiting.extend([Writer("a", 2), Writer("b", 1)])
        while backlog.write_some():
            pass
        assert done == ["a", "a", "b"]


def test_every_descriptor_is_closed(pair: Pair, tmp_path: Path) -> None:
    before = len(os.listdir("/proc/self/fd"))
    source = tmp_path / "source"
    source.write_bytes(b"hello")
    queue = OutputQueue(0, str(tmp_path), Backlog())
    queue.push_file(FileSegment(os.open(source, os.O_RDONLY), 0, 0))
    queue.push_file(FileSegment(os.open(source, os.O_RDONLY), 0, 5))
    queue.push(b"spooled")
    queue.write_some()
    assert drain(queue, pair) == b"hellospooled"
    queue.push_file(FileSegment(os.open(source, os.O_RDONLY), 0, 5))
    queue.push(b"spooled")
    queue.write_some()
    queue.clear()
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_file_that_shrinks_is_an_error(pair: Pair, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(b"hello")
    queue = OutputQueue(0, str(tmp_path), Backlog())
    queue.push_file(FileSegment(os.open(source, os.O_RDONLY), 0, 50))
    with pytest.raises(OSError, match="became shorter"):
        drain(queue, pair)
    queue.clear()


def test_a_broken_connection_is_an_error(pair: Pair, tmp_path: Path) -> None:
    queue = OutputQueue(100, str(tmp_path), Backlog())
    queue.push(b"hello")
    pair[1].close()
    with pytest.raises(BrokenPipeError):
        queue.flush(pair[0].fileno())
