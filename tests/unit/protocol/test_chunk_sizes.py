"""Size lines of one and two octets, every one there is: short ones are read by a short cut."""

from __future__ import annotations

import itertools
from collections.abc import Iterable

import pytest

from indrik.protocol.chunked import ChunkedDecoder
from indrik.protocol.refusals import InvalidChunk
from tests.variants import each

HEX = b"0123456789abcdefABCDEF"
DATA = bytes(index & 127 | 64 for index in range(256))


def check(line: bytes, taken_for: Iterable[int]) -> None:
    """`taken_for`: sizes that a wrong line must not be taken for."""
    if not all(octet in HEX for octet in line):
        for size in taken_for:
            with pytest.raises(InvalidChunk):
                ChunkedDecoder(100, 100).feed(line + b"\r\n" + DATA[:size] + b"\r\n0\r\n\r\n")
        return
    decoder = ChunkedDecoder(100, 100)
    size = int(line, 16)
    pieces, rest = decoder.feed(line + b"\r\n" + DATA[:size] + (b"\r\n0\r\n\r\n" if size else b"\r\n"))
    assert (b"".join(pieces), rest, decoder.is_done) == (DATA[:size], b"", True)


def test_one_octet() -> None:
    each((bytes((octet,)) for octet in range(256)), lambda line: check(line, range(256)))


def test_two_octets() -> None:
    lines = (bytes(pair) for pair in itertools.product(range(256), repeat=2))
    each((line for line in lines if line != b"\r\n"), lambda line: check(line, (16,)))
