"""A head in pieces is what it is as a whole, and costs no more than its octets."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indrik.protocol.head import HeadParser
from indrik.protocol.limits import Limits
from indrik.protocol.octets import head_end
from indrik.protocol.partial_head import PartialHead
from indrik.protocol.refusals import FieldsTooLarge, InvalidRequestLine, RequestRefused, TargetTooLong

PARSER = HeadParser(Limits(line=40, head=70))
#: Mostly ends of lines, whole and torn.
PARTS = st.sampled_from([b"\r", b"\n", b"\r\n", b"a", b"GET / HTTP/1.1", b"\0", b"\t"])
OCTETS = st.lists(PARTS).map(b"".join)


def outcome(pieces: list[bytes]) -> tuple[int, str]:
    """What became of the pieces: how many octets had arrived when it was decided, and how."""
    partial = PartialHead(PARSER)
    fed = b""
    for piece in pieces:
        fed += piece
        try:
            whole = partial.feed(piece)
        except RequestRefused as refusal:
            return len(fed), f"{type(refusal).__name__}: {refusal.detail}"
        if whole is not None:
            assert whole == fed
            return len(fed), "whole"
    return len(fed), "partial"


@given(OCTETS.filter(bool), st.lists(st.integers(1, 9)))
def test_pieces_and_prefixes_agree(data: bytes, sizes: list[int]) -> None:
    pieces = []
    rest = data
    for size in [*sizes, len(data)]:
        if rest:
            pieces.append(rest[:size])
            rest = rest[size:]
    length, how = outcome(pieces)
    # The same octets at once, and those before the last piece.
    assert outcome([data[:length]])[1] == how
    ends = [0]
    for piece in pieces:
        ends.append(ends[-1] + len(piece))
    before = max((end for end in ends if end < length), default=0)
    if how != "partial" and before:
        assert outcome([data[:before]])[1] == "partial"
    assert (how == "whole") == (head_end(data[:length], 0) >= 0)


@pytest.mark.parametrize(
    ("data", "refusal", "detail"),
    [
        (b"G" * 41, TargetTooLong, "request line"),
        (b"G" * 41 + b"\r\n", TargetTooLong, "request line"),
        (b"G" * 40 + b"\r\n" + b"a" * 29, FieldsTooLarge, "request head"),
        (b"GET\nX", InvalidRequestLine, r"b'\\n'"),
        (b"GET\rX", InvalidRequestLine, r"b'\\r'"),
        (b"GET\r\n\nX", InvalidRequestLine, r"b'\\n'"),
        (b"GET\r\r\nX", InvalidRequestLine, r"b'\\r'"),
        (b"GET\x00", InvalidRequestLine, r"b'\\x00'"),
    ],
)
def test_what_is_refused(data: bytes, refusal: type[RequestRefused], detail: str) -> None:
    for pieces in ([data], [data[index : index + 1] for index in range(len(data))]):
        with pytest.raises(refusal, match=detail):
            feed_all(pieces)


def feed_all(pieces: list[bytes]) -> None:
    partial = PartialHead(PARSER)
    for piece in pieces:
        assert partial.feed(piece) is None


def _cost(size: int) -> float:
    """Seconds of this process for a head of `size` octets that comes octet by octet, the least of three."""
    parser = HeadParser(Limits(line=100, field_size=1 << 20, head=1 << 20))
    head = b"GET / HTTP/1.1\r\n" + b"X: aaaaaaaa\r\n" * (size // 13)
    octets = [head[index : index + 1] for index in range(len(head))]
    found = []
    for _ in range(3):
        partial = PartialHead(parser)
        started = time.process_time()
        for octet in octets:
            partial.feed(octet)
        found.append(time.process_time() - started)
    return min(found)


def test_the_cost_grows_with_the_octets_only() -> None:
    # Ten times as many octets; the square of that would be a hundred times as much.
    assert _cost(200_000) < 30 * _cost(20_000)
