"""The scans mean the same as a slow and plain reading, compiled and uncompiled."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indrik.protocol import octets

#: Mostly what matters to the scans, so that examples hit the interesting places.
DATA = st.lists(
    st.sampled_from(
        [b"\r\n", b"\r\n\r\n", b"\r", b"\n", b"a", b" ", b"\t", b"\0", b"\x7f", b"\x80", b"\xff", b"x" * 9]
    ),
    max_size=12,
).map(b"".join)


@st.composite
def spans(draw: st.DrawFn) -> tuple[bytes, int, int]:
    data = draw(DATA)
    start = draw(st.integers(0, len(data)))
    return data, start, draw(st.integers(start, len(data)))


@given(DATA)
def test_first_forbidden(data: bytes) -> None:
    data += b"\r\n"
    found = re.search(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]|\r(?!\n)|(?<!\r)\n", data)
    assert octets.first_forbidden(data, 0, len(data)) == (found.start() if found else -1)


@given(spans())
def test_is_field_text(span: tuple[bytes, int, int]) -> None:
    data, start, end = span
    plain = all((octet >= 32 and octet != 127) or octet == 9 for octet in data[start:end])
    assert bool(octets.is_field_text(data, start, end)) == plain


@pytest.mark.parametrize("place", [0, 7, 8, 12, 13, 15, 16, 20])
def test_is_field_text_in_every_place(place: int) -> None:
    data = bytearray(b"x" * 21)
    refused = set()
    for octet in range(256):
        data[place] = octet
        if not octets.is_field_text(bytes(data), 0, 21):
            refused.add(octet)
    assert refused == {*range(9), *range(10, 32), 127}


@given(spans(), st.sampled_from(b"\r\n a"))
def test_find(span: tuple[bytes, int, int], octet: int) -> None:
    data, start, end = span
    assert octets.find(data, octet, start, end) == data.find(octet, start, end)


@given(spans())
def test_decode_and_section(span: tuple[bytes, int, int]) -> None:
    data, start, end = span
    assert octets.decode(data, data.decode("latin-1"), start, end) == data[start:end].decode("latin-1")
    assert octets.section(data, start, end) == data[start:end]


@given(DATA, st.integers(0, 30))
def test_head_end(data: bytes, start: int) -> None:
    found = data.find(b"\r\n\r\n", start)
    assert octets.head_end(data, start) == (found + 4 if found >= 0 else -1)


@given(st.text(st.characters(max_codepoint=0x2FF), max_size=25))
def test_digits(text: str) -> None:
    expected = int(text) if re.fullmatch("[0-9]{1,18}", text) else -1
    assert octets.digits(text) == expected


@pytest.mark.parametrize(
    "text", ["0", "00", "9" * 18, "000000000000000001", "1" * 19, "", "+1", "-1", " 1", "1 ", "1_0", "٣", "²"]
)
def test_digits_at_their_edges(text: str) -> None:
    assert octets.digits(text) == (int(text) if re.fullmatch("[0-9]{1,18}", text) else -1)


@given(
    st.text(st.characters(max_codepoint=0x17F), max_size=12)
    | st.text(st.sampled_from("/a~!\"$#\x20\x1f\x7e\x7f\x80\xffĀ"), max_size=40)
)
def test_is_plain_and_is_target(text: str) -> None:
    assert bool(octets.is_plain(text)) == all(" " <= letter <= "~" for letter in text)
    assert bool(octets.is_target(text)) == (
        text != "" and all("!" <= letter <= "~" and letter != "#" for letter in text)
    )


@pytest.mark.parametrize(
    "scan",
    [
        octets.first_forbidden,
        octets.is_field_text,
        lambda data, start, end: octets.find(data, 13, start, end),
        lambda data, start, end: len(octets.decode(data, data.decode(), start, end)) < 4,
        lambda data, start, end: len(octets.section(data, start, end)) < 4,
    ],
)
@pytest.mark.parametrize(("start", "end"), [(-1, 2), (0, 4)])
def test_no_scan_leaves_the_data(scan: Callable[[bytes, int, int], object], start: int, end: int) -> None:
    try:
        found = scan(b"abc", start, end)
    except IndexError:
        return
    # Uncompiled, slices end where the data does.
    assert found in (-1, True)
