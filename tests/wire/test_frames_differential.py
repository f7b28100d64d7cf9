"""The same frames to `websockets` and `wsproto`: what they read otherwise is in frame_disagreements.toml."""

from __future__ import annotations

import importlib.metadata
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indrik.protocol.websocket import Decoder
from indrik.protocol.websocket_extensions import Deflate
from indrik.protocol.websocket_frames import BINARY, CLOSE, FAILED, PING, PONG, TEXT
from tests.wire.frame_cases import TOPICS
from tests.wire.frame_references import Reading, websockets_reading, wsproto_reading
from tests.wire.frames import Case, deflated, frame

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

_LISTED = Path(__file__).with_name("frame_disagreements.toml")

_REFERENCES: dict[str, Callable[[bytes, Deflate | None, int], Reading]] = {
    "websockets": websockets_reading,
    "wsproto": wsproto_reading,
}

_CASES = {f"{topic}: {case.name}": case for topic, cases in TOPICS.items() for case in cases}


def listed(reference: str) -> list[str]:
    table = tomllib.loads(_LISTED.read_text(encoding="utf-8"))
    assert set(table) == set(_REFERENCES)
    assert all(entry["reason"] for entry in table[reference])
    version = int(importlib.metadata.version(reference).partition(".")[0])
    return [
        name
        for entry in table[reference]
        if version < entry.get("before", version + 1)
        for name in entry["cases"]
    ]


def read(data: bytes, agreed: Deflate | None, max_size: int) -> Reading:
    events: list[tuple[int, Any]] = Decoder(max_size, agreed).feed(data)
    if events and events[-1][0] == FAILED:
        return Reading(events[:-1], events[-1][1].code)
    return Reading(events, None)


@pytest.mark.parametrize("reference", _REFERENCES)
def test_disagreements_are_the_listed_ones(reference: str) -> None:
    found = []
    for name, case in _CASES.items():
        ours = read(case.data, case.agreed, case.max_size)
        if _REFERENCES[reference](case.data, case.agreed, case.max_size) != ours:
            found.append(name)
    assert sorted(found) == sorted(listed(reference))


_PAYLOADS = st.one_of(
    st.binary(max_size=20),
    st.text(max_size=10).map(str.encode),
    st.sampled_from([b"", b"\xe2\x82", b"\xac", b"\xed\xa0\x80", b"x" * 126, b"x" * 65536, b"\x03\xe8"]),
)

_FRAMES = st.builds(
    frame,
    st.sampled_from([0, 0, TEXT, TEXT, BINARY, BINARY, PING, PONG, CLOSE, 3, 11]),
    _PAYLOADS,
    fin=st.sampled_from([True, True, True, False]),
    rsv=st.sampled_from([0] * 9 + [4, 2]),
    key=st.sampled_from([b"abcd", b"\0\xff\x80\x01", b"abcd", b"\0\0\0\0", None]),
)


@given(st.lists(_FRAMES, max_size=6))
@pytest.mark.parametrize("reference", _REFERENCES)
def test_frames_are_read_alike(reference: str, frames: list[bytes]) -> None:
    data = b"".join(frames)
    ours = read(data, None, 1 << 20)
    theirs = _REFERENCES[reference](data, None, 1 << 20)
    assert (ours.failed is None) == (theirs.failed is None) or _is_known(ours, theirs)
    shared = min(len(ours.events), len(theirs.events))
    assert ours.events[:shared] == theirs.events[:shared]
    if ours.failed is None and theirs.failed is None:
        assert ours == theirs


def _is_known(ours: Reading, theirs: Reading) -> bool:
    """A close frame inside of a message, which `websockets` refuses; see the list."""
    return theirs.failed == 1002 and bool(ours.events) and ours.events[-1][0] == CLOSE


@given(
    st.lists(st.tuples(st.sampled_from([TEXT, BINARY]), st.text(max_size=60)), min_size=1, max_size=6),
    st.integers(0, 9),
)
@pytest.mark.parametrize("reference", _REFERENCES)
def test_compressed_messages_are_read_alike(
    reference: str, messages: list[tuple[int, str]], level: int
) -> None:
    agreed = Case("", b"", deflate="takeover").agreed
    payloads = deflated(*(message.encode() for _, message in messages), level=level)
    data = b"".join(
        frame(kind, payload, rsv=4) for (kind, _), payload in zip(messages, payloads, strict=True)
    )
    ours = read(data, agreed, 1 << 20)
    assert ours.events == [
        (kind, message if kind == TEXT else message.encode()) for kind, message in messages
    ]
    assert _REFERENCES[reference](data, agreed, 1 << 20) == ours
