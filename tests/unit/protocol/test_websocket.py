"""What the encoder writes comes back from the decoder, however it is cut; memory and time have bounds."""

from __future__ import annotations

import random
import time
import tracemalloc
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indrik.protocol.websocket import ANY_SIZE, Decoder, Encoder
from indrik.protocol.websocket_deflate import Deflater, Inflater
from indrik.protocol.websocket_extensions import (
    Deflate,
    DeflateSettings,
    negotiate_deflate,
    parse_extensions,
)
from indrik.protocol.websocket_frames import (
    BINARY,
    CLOSE,
    FAILED,
    PING,
    PONG,
    TEXT,
    InvalidMessage,
    InvalidPayload,
    frame,
    rotate,
    unmask,
)
from tests.wire.frames import binary, close, deflated, fragments, masked, ping, text

OFFERS = (
    "permessage-deflate",
    "permessage-deflate; client_max_window_bits",
    "permessage-deflate; server_no_context_takeover; client_no_context_takeover",
    "permessage-deflate; server_max_window_bits=9; client_max_window_bits=9",
)


def agree(offer: str | None, **settings: Any) -> Deflate | None:
    if offer is None:
        return None
    agreed = negotiate_deflate(parse_extensions(offer), DeflateSettings(**settings))
    assert agreed is not None
    return agreed


def seen_from_the_client(agreed: Deflate) -> Deflate:
    """The same agreement with the sides changed, to read what the encoder writes."""
    return Deflate(
        "",
        agreed.client_bits,
        agreed.server_bits,
        agreed.client_takeover,
        agreed.server_takeover,
        agreed.level,
        agreed.memory,
        agreed.threshold,
    )


def with_mask(data: bytes, key: bytes) -> bytes:
    """One frame of the server as a client would have sent it."""
    head = 2 + {126: 2, 127: 8}.get(data[1], 0)
    return data[:1] + bytes((data[1] | 0x80,)) + data[2:head] + key + masked(data[head:], key)


def feed(decoder: Decoder, data: bytes, cuts: list[int]) -> list[tuple[int, Any]]:
    ends = [0, *sorted(cut for cut in cuts if cut < len(data)), len(data)]
    return [event for start, end in pairwise(ends) for event in decoder.feed(data[start:end])]


MESSAGES = st.one_of(
    st.tuples(st.just(TEXT), st.text(max_size=300)),
    st.tuples(st.just(BINARY), st.binary(max_size=300)),
    st.tuples(st.just(PING), st.binary(max_size=125)),
    st.tuples(st.just(PONG), st.binary(max_size=125)),
    st.tuples(st.just(TEXT), st.sampled_from(["ab" * 40000, "\u20ac" * 400, "x" * 125, "x" * 126])),
)


@given(
    st.lists(MESSAGES, max_size=6),
    st.sampled_from([None, *OFFERS]),
    st.sampled_from([1, 10, 256]),
    st.binary(min_size=4, max_size=4),
    st.lists(st.integers(0, 900), max_size=12),
)
def test_what_was_encoded_comes_back(
    messages: list[tuple[int, Any]], offer: str | None, threshold: int, key: bytes, cuts: list[int]
) -> None:
    agreed = agree(offer, threshold=threshold)
    encoder = Encoder(agreed)
    encoders: dict[int, Callable[[Any], bytes]] = {
        TEXT: encoder.encode_text,
        BINARY: encoder.encode_binary,
        PING: encoder.encode_ping,
        PONG: encoder.encode_pong,
    }
    frames = [encoders[kind](value) for kind, value in messages]
    data = b"".join(with_mask(one, key) for one in frames) + close(1000, b"bye")
    decoder = Decoder(1 << 20, seen_from_the_client(agreed) if agreed else None)
    assert feed(decoder, data, cuts) == [*messages, (CLOSE, (1000, "bye"))]


_WORDS = st.sampled_from(
    [
        text("a", fin=False),
        text("\u20ac"),
        text(b"\xe2", fin=False),
        fragments(BINARY, b"ab", b"", b"cd", between=ping(b"p"))[:-3],
        binary(b"x" * 130),
        text(deflated(b"Hello")[0], rsv=4),
        text(deflated(b"\0" * 4000)[0][:9], rsv=4, fin=False),
        ping(b"x"),
        close(1000),
        b"\0\x80abcd",
        b"\x80\x81abcd\x82",
        b"\x80\x84abcd" + masked(b"\xac\x28ab", b"abcd"),
        b"\x81\xfe\x00\x7e",
        b"\xff",
        b"\0",
    ]
)


@given(
    st.lists(_WORDS, max_size=8).map(b"".join), st.lists(st.integers(0, 200), max_size=10), st.booleans()
)
def test_any_split_of_anything_gives_the_same(data: bytes, cuts: list[int], is_compressed: bool) -> None:
    agreed = agree(OFFERS[1]) if is_compressed else None
    outcomes = []
    for places in ([], cuts, list(range(len(data)))):
        events = feed(Decoder(1000, agreed), data, places)
        if events and events[-1][0] == FAILED:
            events[-1] = (FAILED, events[-1][1].code)
        outcomes.append(events)
    assert outcomes[0] == outcomes[1] == outcomes[2]


@given(st.binary(max_size=70), st.binary(min_size=4, max_size=4), st.data())
def test_unmasking_is_what_the_rfc_writes(data: bytes, key: bytes, dice: st.DataObject) -> None:
    start = dice.draw(st.integers(0, len(data)))
    end = dice.draw(st.integers(start, len(data)))
    number = int.from_bytes(key, "little")
    assert unmask(data, start, end, number) == masked(data[start:end], key)
    middle = dice.draw(st.integers(start, end))
    parts = unmask(data, start, middle, number), unmask(data, middle, end, rotate(number, middle - start))
    assert b"".join(parts) == masked(data[start:end], key)


@pytest.mark.parametrize(
    ("size", "head"),
    [
        (0, b"\x82\x00"),
        (125, b"\x82\x7d"),
        (126, b"\x82\x7e\x00\x7e"),
        (65535, b"\x82\x7e\xff\xff"),
        (65536, b"\x82\x7f\x00\x00\x00\x00\x00\x01\x00\x00"),
        (70000, b"\x82\x7f\x00\x00\x00\x00\x00\x01\x11\x70"),
    ],
)
def test_lengths_take_the_fewest_octets(size: int, head: bytes) -> None:
    data = bytes(size)
    assert frame(0x82, data) == Encoder().encode_binary(data) == head + data
    assert Encoder().encode_text("\0" * size) == b"\x81" + head[1:] + data


class TestEncoder:
    def test_text_is_utf8(self) -> None:
        value = "h\xe4\u20ac\U0001f600"
        assert Encoder().encode_text(value) == b"\x81\x0ah\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80"

    @pytest.mark.parametrize("offer", [None, OFFERS[0]])
    def test_surrogates_cannot_be_sent(self, offer: str | None) -> None:
        encoder = Encoder(agree(offer))
        for value in ("\ud800", "ab\udfff" * 200):
            with pytest.raises(InvalidMessage, match="surrogate"):
                encoder.encode_text(value)
        with pytest.raises(InvalidMessage, match="surrogate"):
            encoder.encode_close(1000, "\ud800")
        assert encoder.encode_text("x") == b"\x81\x01x"

    def test_control_frames_hold_125_octets(self) -> None:
        encoder = Encoder()
        assert encoder.encode_ping(b"x" * 125) == b"\x89\x7d" + b"x" * 125
        assert encoder.encode_ping() == b"\x89\x00"
        for encode in (encoder.encode_ping, encoder.encode_pong):
            with pytest.raises(InvalidMessage, match="125"):
                encode(b"x" * 126)
        assert encoder.encode_close(1000, "x" * 123) == b"\x88\x7d\x03\xe8" + b"x" * 123
        with pytest.raises(InvalidMessage, match="125"):
            encoder.encode_close(1000, "\xe4" * 62)

    @pytest.mark.parametrize("code", [-1, 0, 999, 1004, 1005, 1006, 1015, 2999, 5000, 65536, 1 << 70])
    def test_codes_that_may_not_be_sent(self, code: int) -> None:
        with pytest.raises(InvalidMessage, match=str(code)):
            Encoder().encode_close(code, "x")

    def test_a_close_frame_without_a_code_can_be_echoed(self) -> None:
        assert Decoder(9).feed(close()) == [(CLOSE, (1005, ""))]
        assert Encoder().encode_close(1005, "") == Encoder().encode_close() == b"\x88\x00"

    def test_short_messages_are_sent_as_they_are(self) -> None:
        encoder = Encoder(agree(OFFERS[0], threshold=100))
        assert encoder.encode_text("x" * 99) == b"\x81\x63" + b"x" * 99
        assert encoder.encode_text("x" * 100)[:1] == b"\xc1"
        assert encoder.encode_binary(b"x" * 99)[:1] == b"\x82"
        assert encoder.encode_binary(b"x" * 100)[:1] == b"\xc2"
        # UTF-8 counts, not characters.
        assert encoder.encode_text("\u20ac" * 34)[:1] == b"\xc1"

    def test_control_frames_are_never_compressed(self) -> None:
        encoder = Encoder(agree(OFFERS[0], threshold=1))
        assert encoder.encode_ping(b"x" * 100)[:1] == b"\x89"
        assert encoder.encode_pong(b"x" * 100)[:1] == b"\x8a"
        assert encoder.encode_close(1000, "x" * 100)[:1] == b"\x88"

    def test_context_takeover_makes_the_second_shorter(self) -> None:
        message = random.Random(1).randbytes(1000)
        encoder = Encoder(agree(OFFERS[0]))
        first, second = encoder.encode_binary(message), encoder.encode_binary(message)
        assert len(second) < len(first) // 10

    def test_without_takeover_each_is_the_same(self) -> None:
        encoder = Encoder(agree(OFFERS[2]))
        assert encoder.encode_text("ab" * 400) == encoder.encode_text("ab" * 400)

    def test_without_takeover_what_does_not_shrink_stays(self) -> None:
        message = random.Random(1).randbytes(1000)
        assert Encoder(agree(OFFERS[2])).encode_binary(message) == Encoder().encode_binary(message)


class TestBounds:
    """What strangers can make of memory and time."""

    def held(self, decoder: Decoder, pieces: Callable[[], Any]) -> int:
        tracemalloc.start()
        try:
            for piece in pieces():
                assert decoder.feed(piece) == []
            return tracemalloc.get_traced_memory()[0]
        finally:
            tracemalloc.stop()

    def test_tiny_fragments_do_not_cost_an_object_each(self) -> None:
        one = binary(b"ab", fin=False)
        rest = b"\0\x82abcdxy"
        decoder = Decoder(40_000)

        def pieces() -> Any:
            yield one
            for _ in range(19_000):
                yield rest

        assert self.held(decoder, pieces) < 60_000
        assert decoder.held == 38_002

    def test_tiny_pieces_of_a_frame_do_not_cost_an_object_each(self) -> None:
        data = binary(b"x" * 40_000)[:-1]
        decoder = Decoder(40_000)
        held = self.held(decoder, lambda: (data[at : at + 2] for at in range(0, len(data), 2)))
        assert held < 60_000

    def test_an_announced_length_takes_no_memory(self) -> None:
        head = binary(b"", length=b"\x7f" + (1 << 39).to_bytes(8, "big"))
        assert self.held(Decoder(1 << 40), lambda: [head]) < 5000

    def test_empty_fragments_take_no_memory(self) -> None:
        held = self.held(Decoder(100), lambda: [text("", fin=False), *[b"\0\x80abcd" * 100] * 50])
        assert held < 5000

    def test_pieces_of_a_ping_take_no_memory(self) -> None:
        data = ping(b"x" * 125)[:-1]
        held = self.held(Decoder(100), lambda: (data[at : at + 1] for at in range(len(data))))
        assert held < 5000

    def test_a_bomb_is_not_unpacked(self) -> None:
        (bomb,) = deflated(b"\0" * 50_000_000)
        data = binary(bomb, rsv=4)
        decoder = Decoder(100_000, agree(OFFERS[0]))
        tracemalloc.start()
        try:
            (event,) = decoder.feed(data)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert event[1].code == 1009
        assert peak < 1_000_000

    def test_a_failed_decoder_lets_go(self) -> None:
        decoder = Decoder(1_000_000, agree(OFFERS[0]))
        tracemalloc.start()
        try:
            decoder.feed(binary(b"x" * 500_000, fin=False))
            decoder.feed(b"\xff\xff")
            assert decoder.is_done
            assert tracemalloc.get_traced_memory()[0] < 20_000
        finally:
            tracemalloc.stop()

    @pytest.mark.parametrize("kind", [TEXT, BINARY])
    def test_time_is_linear_in_fragments(self, kind: int) -> None:
        def seconds(count: int) -> float:
            data = frame_of_one(kind) + b"\0\x81abcd\x19" * count
            best = 9.0
            for _ in range(3):
                decoder = Decoder(1 << 24)
                began = time.process_time()
                assert decoder.feed(data) == []
                best = min(best, time.process_time() - began)
            return best

        few, many = seconds(2_000), seconds(32_000)
        # Sixteen times the work; a quadratic decoder would take 256 times as long.
        assert many < 100 * few + 0.05

    def test_the_largest_length_is_told_as_it_is(self) -> None:
        """Added to what came before it, it is no number of 63 bits any more."""
        largest = b"\x7f\x7f" + b"\xff" * 7
        (event,) = Decoder(1000).feed(text("x", fin=False) + frame_with_length(largest))
        assert event[1].code == 1009
        assert str(2**63 - 1) in event[1].detail
        assert "-" not in event[1].detail

    def test_any_size(self) -> None:
        decoder = Decoder(ANY_SIZE, agree(OFFERS[1]))
        (compressed,) = deflated(b"x" * 100_000)
        assert decoder.feed(binary(b"x" * 70_000) + binary(compressed, rsv=4)) == [
            (BINARY, b"x" * 70_000),
            (BINARY, b"x" * 100_000),
        ]


def frame_with_length(length: bytes) -> bytes:
    """The head of a continuation; its payload has not come."""
    return bytes((0x80, length[0] | 0x80)) + length[1:] + b"abcd"


def frame_of_one(kind: int) -> bytes:
    return text("x", fin=False) if kind == TEXT else binary(b"x", fin=False)


class TestStreams:
    def deflate(self) -> Deflate:
        agreed = agree(OFFERS[0], client_bits=15)
        assert agreed is not None
        return agreed

    def test_never_more_than_one_octet_beyond(self) -> None:
        (data,) = deflated(b"x" * 10_000)
        for most in (0, 1, 9_999):
            assert len(Inflater(self.deflate()).inflate(data, most, True)) == most + 1
        assert Inflater(self.deflate()).inflate(data, 10_000, True) == b"x" * 10_000

    def test_many_streams_in_one_message(self) -> None:
        inflater = Inflater(self.deflate())
        (one,) = deflated(b"ab", final=True)
        # Each message counts anew.
        for _ in range(3):
            assert inflater.inflate(one[:-1] * 60, 1000, True) == b"ab" * 60
        with pytest.raises(InvalidPayload, match="streams"):
            inflater.inflate(one[:-1] * 70, 1000, True)

    def test_nothing_is_compressed_to_what_it_was(self) -> None:
        deflater, inflater = Deflater(self.deflate()), Inflater(self.deflate())
        for message in (b"x", b"", b"x" * 100, bytes(range(256))):
            made = deflater.deflate(message)
            assert made is not None
            assert inflater.inflate(made, 1000, True) == message
