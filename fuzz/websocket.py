"""Invariant: any split of a client's frames gives the same events, and the same failure behind them.

Nothing is raised, no message is larger than the limit, text is UTF-8, what is held has a bound, each message
that is encoded again comes back, and `websockets` and `wsproto` read the same or are known to differ.
"""

from __future__ import annotations

from typing import Any

from fuzz.reading import Reader, pieces
from indrik.protocol.websocket import Decoder, Encoder
from indrik.protocol.websocket_extensions import Deflate, DeflateSettings, negotiate_deflate, parse_extensions
from indrik.protocol.websocket_frames import BINARY, CLOSE, FAILED, PING, PONG, TEXT, WebSocketRefused
from tests.wire.frame_cases import TOPICS
from tests.wire.frame_references import Reading, websockets_reading, wsproto_reading
from tests.wire.frames import masked

#: Octets of an unfinished frame that may be kept: a head of 14, or a control frame less one octet.
_FRAME = 130

_SIZES = (1 << 20, 300, 16, 1)

#: A limit that no input reaches, so that others, who count otherwise, can be compared.
_LARGE = 1 << 20

_OFFERS = (
    None,
    "permessage-deflate; client_max_window_bits",
    "permessage-deflate; client_no_context_takeover",
    "permessage-deflate; client_max_window_bits=9; server_no_context_takeover",
)
_AGREED = tuple(
    offer and negotiate_deflate(parse_extensions(offer), DeflateSettings(threshold=1)) for offer in _OFFERS
)

#: In the details of refusals that the others do not know, or learn of later: lengths in too many octets, and
#: half a surrogate, with which Python's incremental decoders wait.
_UNCHECKED = ("length", "surrogate")

WORDS = (
    b"\x81\x80abcd",
    b"\x01\x81abcd\x02",
    b"\x00\x81abcd\x03",
    b"\x80\x81abcd\x03",
    b"\x82\xfe\x00\x7e",
    b"\x82\xfe\x00\x7dabcd",
    b"\x82\xff\x00\x00\x00\x00\x00\x01\x00\x00",
    b"\x82\xff\x80\x00\x00\x00\x00\x00\x00\x00",
    b"\xc1\x87\0\0\0\0\xf2\x48\xcd\xc9\xc9\x07\x00",
    b"\x41\x83\0\0\0\0\xf2\x48\xcd",
    b"\xc2\x85\0\0\0\0\xf2\x00\x11\x00\x00",
    b"\xc1\x88\0\0\0\0\xf3\x48\xcd\xc9\xc9\x07\x00\x00",
    b"\x89\x81abcd\0",
    b"\x8a\x80abcd",
    b"\x88\x82\0\0\0\0\x03\xe8",
    b"\x88\x82\0\0\0\0\x03\xf6",
    b"\x88\x80abcd",
    b"\xe2\x82",
    b"\xed\xa0\x80",
    b"\xf0\x9f\x98\x80",
    b"\xff",
    b"\0\0\xff\xff",
    b"\x03\0",
)

_CASES = [case for cases in TOPICS.values() for case in cases if len(case.data) < 1200]

SEEDS = tuple(
    bytes((which, how, case.deflate is not None)) + case.data
    for index, case in enumerate(_CASES)
    for which, how in ((0, 1), (index % 4, 3 + index % 9))
)


def check(data: bytes) -> str:
    """One stream of frames under one limit and agreement, whole and in pieces."""
    reader = Reader(data)
    max_size = reader.one_of(_SIZES)
    how = reader.octet()
    agreed: Deflate | None = reader.one_of(_AGREED) or None
    stream = reader.rest()
    whole, refusal = _decode(stream, 0, max_size, agreed)
    cut, other = _decode(stream, how, max_size, agreed)
    code = refusal and refusal.code
    codes = {code, other and other.code}
    # zlib looks one symbol beyond the last octet that it has room for, so of a message that is too large and
    # damaged right there, either may be told.
    is_either = agreed is not None and codes == {1007, 1009}
    assert whole == cut, f"whole {whole} {refusal}, cut {cut} {other}"
    assert len(codes) == 1 or is_either, f"whole {refusal}, cut {other}"
    for kind, value in whole:
        _check_event(kind, value, max_size)
    _check_again(whole, agreed)
    if agreed is None and max_size == _LARGE:
        _check_others(stream, whole, refusal)
    return f"{code} {whole}"


def _decode(
    stream: bytes, how: int, max_size: int, agreed: Deflate | None
) -> tuple[list[tuple[int, Any]], WebSocketRefused | None]:
    decoder = Decoder(max_size, agreed)
    events: list[tuple[int, Any]] = []
    for part in pieces(stream, how):
        was_done = decoder.is_done
        found = decoder.feed(part)
        assert not (was_done and found), "events behind the end"
        assert decoder.held <= max_size + _FRAME, f"{decoder.held} octets are kept"
        events += found
    ends = [kind for kind, _ in events if kind in (FAILED, CLOSE)]
    assert decoder.is_done == (len(ends) == 1)
    assert not ends or ends[0] == events[-1][0]
    if ends == [FAILED]:
        assert decoder.held == 0
        return events[:-1], events[-1][1]
    return events, None


def _check_event(kind: int, value: Any, max_size: int) -> None:
    if kind == TEXT:
        assert type(value) is str
        assert len(value.encode()) <= max_size
    elif kind == BINARY:
        assert type(value) is bytes
        assert len(value) <= max_size
    elif kind == CLOSE:
        code, reason = value
        assert code == 1005 or 1000 <= code < 5000
        assert len(reason.encode()) <= 123
    else:
        assert kind in (PING, PONG)
        assert len(value) <= 125


def _check_again(events: list[tuple[int, Any]], agreed: Deflate | None) -> None:
    """What was read, written by the server and then read as a client would write it."""
    encoder = Encoder(agreed)
    changed = agreed and Deflate(
        "",
        agreed.client_bits,
        agreed.server_bits,
        agreed.client_takeover,
        agreed.server_takeover,
        agreed.level,
        agreed.memory,
        agreed.threshold,
    )
    decoder = Decoder(_LARGE, changed or None)
    for kind, value in events:
        if kind == CLOSE:
            made = encoder.encode_close(*value)
        elif kind == TEXT:
            made = encoder.encode_text(value)
        elif kind == BINARY:
            made = encoder.encode_binary(value)
        else:
            made = encoder.encode_ping(value) if kind == PING else encoder.encode_pong(value)
        head = 2 + {126: 2, 127: 8}.get(made[1], 0)
        start = made[:1] + bytes((made[1] | 0x80,)) + made[2:head]
        sent = start + b"k3y\xff" + masked(made[head:], b"k3y\xff")
        assert decoder.feed(sent) == [(kind, value)]


def _check_others(stream: bytes, events: list[tuple[int, Any]], refusal: WebSocketRefused | None) -> None:
    """The differences that are allowed stand in tests/wire/frame_disagreements.toml."""
    for reference in (websockets_reading, wsproto_reading):
        theirs: Reading = reference(stream, None, _LARGE)
        name = reference.__name__
        shared = min(len(events), len(theirs.events))
        assert events[:shared] == theirs.events[:shared], f"{name} reads {theirs}"
        if refusal is None:
            is_close = bool(events) and events[-1][0] == CLOSE
            assert theirs.failed is None or is_close, f"{name} fails {theirs}"
            assert theirs.failed is not None or theirs.events == events, f"{name} reads {theirs}"
        elif refusal.code != 1009 and not any(word in refusal.detail for word in _UNCHECKED):
            # They may still wait for the rest of what is bad already, but must not have read it.
            assert len(theirs.events) <= len(events), f"{name} accepts {theirs}"
