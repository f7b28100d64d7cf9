"""The decoder is a function of the bytes, not of how they arrive."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indrik.protocol.chunked import LAST_CHUNK, ChunkedDecoder, frame_chunk
from indrik.protocol.refusals import FieldsTooLarge, InvalidChunk, RequestRefused

PIECES = st.lists(st.binary(min_size=1, max_size=40), max_size=8)
NOISE = st.lists(
    st.sampled_from(
        [
            b"0",
            b"1",
            b"a",
            b"2\r\nhi\r\n",
            b"\r\n",
            b"\r",
            b"\n",
            b";",
            b"x=",
            b'"',
            b" ",
            b"X: 1\r\n",
            b"0\r\n\r\n",
            b"\0",
            b"ff",
        ]
    ),
    max_size=14,
).map(b"".join)


def decode(
    data: bytes, cuts: list[int]
) -> tuple[bytes, bytes, list[tuple[str, str]], bool, type[RequestRefused] | None]:
    """Body, rest, trailers, whether it is done, and the refusal, of `data` cut at `cuts`."""
    decoder = ChunkedDecoder(200, 200)
    body = rest = b""
    ends = [0, *sorted(cut for cut in cuts if cut < len(data)), len(data)]
    try:
        for start, end in pairwise(ends):
            if decoder.is_done:
                rest += data[start:end]
            else:
                pieces, rest = decoder.feed(data[start:end])
                body += b"".join(pieces)
    except RequestRefused as refusal:
        return body, b"", [], False, type(refusal)
    return body, rest, decoder.trailers, decoder.is_done, None


@given(PIECES, st.binary(max_size=10), st.lists(st.integers(0, 400), max_size=12))
def test_what_was_framed_comes_back(pieces: list[bytes], behind: bytes, cuts: list[int]) -> None:
    data = b"".join(map(frame_chunk, pieces)) + LAST_CHUNK + behind
    assert decode(data, cuts) == (b"".join(pieces), behind, [], True, None)


@given(NOISE, st.lists(st.integers(0, 100), max_size=10))
def test_any_split_of_anything_gives_the_same(data: bytes, cuts: list[int]) -> None:
    whole = decode(data, [])
    split = decode(data, cuts)
    # A refusal comes as early as it can, so less of the body may have been given before it.
    assert split[1:] == whole[1:] if whole[4] is None else split[4] == whole[4]
    if whole[4] is None:
        assert split[0] == whole[0]


def test_trailers_are_kept_apart() -> None:
    decoder = ChunkedDecoder(100, 100)
    pieces, rest = decoder.feed(b"2\r\nhi\r\n0\r\nX-Sum: 1 \r\nx-sum: 2\r\n\r\nnext")
    assert (pieces, rest) == ([b"hi"], b"next")
    assert decoder.trailers == [("X-SUM", "1"), ("X-SUM", "2")]


def test_left_is_what_the_chunk_still_needs() -> None:
    decoder = ChunkedDecoder(100, 100)
    decoder.feed(b"a\r\n012")
    assert decoder.left == 7


def feed(decoder: ChunkedDecoder, data: bytes, size: int) -> None:
    for start in range(0, len(data), size):
        decoder.feed(data[start : start + size])


@pytest.mark.parametrize("size", [1, 2, 100])
def test_lines_are_bounded_in_pieces_of_any_size(size: int) -> None:
    with pytest.raises(InvalidChunk):
        feed(ChunkedDecoder(100, 100), b"1" * 200, size)
    with pytest.raises(FieldsTooLarge):
        feed(ChunkedDecoder(100, 100), b"0\r\n" + b"X" * 300, size)
