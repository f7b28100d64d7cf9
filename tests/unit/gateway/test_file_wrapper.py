"""Which files go by sendfile, and that all others are read."""

from __future__ import annotations

import gzip
import io
import os
import tempfile
from pathlib import Path
from typing import Any

import pytest

from indrik.gateway.file_wrapper import FileWrapper


@pytest.fixture
def path(tmp_path: Path) -> Path:
    found = tmp_path / "file"
    found.write_bytes(b"0123456789")
    return found


def test_plain_files_are_sent_from_their_position(path: Path) -> None:
    with open(path, "rb") as buffered, open(path, "rb", buffering=0) as raw, open(path, "r+b") as both:
        for file in (buffered, raw, both):
            file.read(3)
            assert FileWrapper(file).as_file() == (file.fileno(), 3, 7)
            file.seek(50)
            assert FileWrapper(file).as_file() == (file.fileno(), 50, 0)
    with tempfile.NamedTemporaryFile() as named:
        named.write(b"abc")
        named.seek(1)
        assert FileWrapper(named).as_file() == (named.fileno(), 1, 2)


def test_others_are_read(path: Path) -> None:
    class Upper(io.FileIO):
        def read(self, size: int | None = -1, /) -> bytes:
            return (super().read(-1 if size is None else size) or b"").upper()

    compressed = path.with_suffix(".gz")
    compressed.write_bytes(gzip.compress(b"plain"))
    reading, writing = os.pipe()
    os.close(writing)
    others: list[Any] = [
        io.BytesIO(b"x"),
        gzip.open(compressed),  # noqa: SIM115
        io.BufferedReader(gzip.open(compressed)),  # noqa: SIM115
        open(path, encoding="ascii"),  # noqa: SIM115
        Upper(path),
        os.fdopen(reading, "rb"),
        open("/proc/self/comm", "rb"),  # noqa: SIM115
    ]
    for other in others:
        with other:
            assert FileWrapper(other).as_file() is None
    closed = open(path, "rb")  # noqa: SIM115
    closed.close()
    assert FileWrapper(closed).as_file() is None
    assert FileWrapper(object()).as_file() is None


def test_blocks_are_of_the_size_asked_for() -> None:
    assert list(FileWrapper(io.BytesIO(b"0123456789"), 4)) == [b"0123", b"4567", b"89"]


def test_close_closes_what_can_be_closed() -> None:
    file = io.BytesIO()
    FileWrapper(file).close()
    assert file.closed
    FileWrapper(object()).close()
