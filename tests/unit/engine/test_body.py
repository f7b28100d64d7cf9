"""A body comes out as it went in, from memory or from a file, however it arrived."""

from __future__ import annotations

import io
import os
import resource
import tracemalloc
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from indrik.engine.body import NO_BODY, BodyMemory, RequestBody
from indrik.protocol.chunked import LAST_CHUNK, ChunkedDecoder, frame_chunk
from indrik.protocol.refusals import BodyNotStored, ContentTooLarge


def chunked(memory: int, limit: int, folder: Path) -> RequestBody:
    return RequestBody(None, ChunkedDecoder(1000, 1000), BodyMemory(memory), limit, str(folder))


@given(
    data=st.binary(min_size=1, max_size=200),
    behind=st.binary(max_size=20),
    cuts=st.lists(st.integers(0, 220), max_size=6),
    memory=st.sampled_from([0, 10, 100, 1000]),
    is_chunked=st.booleans(),
    by_view=st.booleans(),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_way_it_comes(
    data: bytes,
    behind: bytes,
    cuts: list[int],
    memory: int,
    is_chunked: bool,
    by_view: bool,
    tmp_path: Path,
) -> None:
    if is_chunked:
        body = chunked(memory, 0, tmp_path)
        sent = frame_chunk(data) + LAST_CHUNK + behind
    else:
        body = RequestBody(len(data), None, BodyMemory(memory), 0, str(tmp_path))
        sent = data + behind
    rest = b""
    for start, end in pairwise([0, *sorted(cut for cut in cuts if cut < len(sent)), len(sent)]):
        if body.is_complete():
            rest += sent[start:end]
        elif end - start <= body.left and by_view:
            body.take(memoryview(sent)[start:end])
        else:
            rest = body.feed(sent[start:end])
    assert body.is_complete()
    assert rest == behind
    assert body.received == len(data)
    with body.open() as file:
        assert isinstance(file, io.BytesIO) == (len(data) <= memory)
        assert file.read() == data
    assert os.listdir(tmp_path) == []


def test_what_is_taken_is_not_what_is_received_next(tmp_path: Path) -> None:
    for pieces in ((b"first",), (b"fi", b"rst")):
        body = RequestBody(5, None, BodyMemory(100), 0, str(tmp_path))
        for piece in pieces:
            buffer = bytearray(piece)
            body.take(memoryview(buffer))
            buffer[:] = b"OTHER"[: len(piece)]
        assert body.open().read() == b"first"
    body = RequestBody(5, None, BodyMemory(100), 0, str(tmp_path))
    with pytest.raises(ValueError, match="6 bytes for the last 5"):
        body.take(memoryview(b"longer"))


def test_all_bodies_together_have_a_bound(tmp_path: Path) -> None:
    memory = BodyMemory(100_000)
    piece = b"x" * 50_000

    def half() -> RequestBody:
        body = RequestBody(100_000, None, memory, 0, str(tmp_path))
        body.feed(piece)
        return body

    descriptors = len(os.listdir("/proc/self/fd"))
    held = [half() for _ in range(100)]
    assert memory.held == 100 * 50_000
    assert len(os.listdir("/proc/self/fd")) == descriptors
    # 5 MB of 6.4 are taken. The rest of 28 bodies has room, all others go to files.
    for body in held:
        body.feed(piece)
    assert memory.held <= memory.whole
    files = len(os.listdir("/proc/self/fd")) - descriptors
    assert 0 < files < 100
    for body in held:
        assert body.received == 100_000
        with body.open() as file:
            assert isinstance(file, io.BytesIO) == bool(body.held)
            assert file.read() == piece * 2
        body.discard()
    assert memory.held == 0
    assert half().held == 50_000


def test_a_small_body_is_in_memory_whatever_the_others_hold(tmp_path: Path) -> None:
    memory = BodyMemory(1_000_000)
    memory.held = memory.whole
    body = RequestBody(10_000, None, memory, 0, str(tmp_path))
    body.feed(b"x" * 10_000)
    assert isinstance(body.open(), io.BytesIO)


def test_a_limit_holds_before_the_octets_are_there(tmp_path: Path) -> None:
    chunked(100, 10, tmp_path).feed(b"a\r\n01234")
    with pytest.raises(ContentTooLarge):
        chunked(100, 10, tmp_path).feed(b"b\r\n01234")
    body = chunked(100, 10, tmp_path)
    body.feed(b"9\r\n012345678\r\n")
    with pytest.raises(ContentTooLarge):
        body.feed(b"2\r\n")


def test_small_chunks_cost_no_more_than_large_ones(tmp_path: Path) -> None:
    body = chunked(1 << 20, 0, tmp_path)
    data = b"2\r\nhi\r\n" * 5000
    tracemalloc.start()
    try:
        for _ in range(20):
            body.feed(data)
        assert body.received == 200_000
        assert tracemalloc.get_traced_memory()[0] < 400_000
    finally:
        tracemalloc.stop()


def test_a_folder_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    body = RequestBody(10, None, BodyMemory(2), 0, str(tmp_path / "missing"))
    with pytest.raises(BodyNotStored, match="missing"):
        body.feed(b"hello")


def test_a_full_disk_is_told_at_the_latest_when_the_body_is_opened(tmp_path: Path) -> None:
    """What is short waits in the file's buffer, and is written only then."""
    before = len(os.listdir("/proc/self/fd"))
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    body = RequestBody(3000, None, BodyMemory(100), 0, str(tmp_path))
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    try:
        body.feed(b"x" * 3000)
        assert body.is_complete()
        with pytest.raises(BodyNotStored, match="File too large"):
            body.open()
        body.discard()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert len(os.listdir("/proc/self/fd")) == before


def test_discard_closes_the_file(tmp_path: Path) -> None:
    before = len(os.listdir("/proc/self/fd"))
    body = RequestBody(10, None, BodyMemory(2), 0, str(tmp_path))
    body.feed(b"hello")
    assert len(os.listdir("/proc/self/fd")) == before + 1
    body.discard()
    assert len(os.listdir("/proc/self/fd")) == before


def test_the_body_of_all_who_have_none_stays_empty() -> None:
    for attempt in (lambda: NO_BODY.write(b"x"), lambda: NO_BODY.writelines([b"x"])):
        with pytest.raises(io.UnsupportedOperation):
            attempt()
    NO_BODY.close()
    NO_BODY.seek(5)
    assert NO_BODY.read() == b""
    assert NO_BODY.readline() == b""
    assert list(NO_BODY) == []
