from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indrik.log.escape import escape, escape_unquoted, needs_escape

CASES = [
    ("plain text, 100% [as is] {ok}", "plain text, 100% [as is] {ok}"),
    ('say "hi"', r"say \x22hi\x22"),
    ("back\\slash", r"back\x5cslash"),
    ("line\r\nend", r"line\x0d\x0aend"),
    ("tab\tnul\0del\x7f", r"tab\x09nul\x00del\x7f"),
    ("caf\xc3\xa9", r"caf\xc3\xa9"),
    ("\x85\xa0", r"\x85\xa0"),
    ("\u20ac", r"\xe2\x82\xac"),
    ("\u2028", r"\xe2\x80\xa8"),
    ("\udcff", r"\xff"),
    ("\ud800", r"\xed\xa0\x80"),
]


@pytest.mark.parametrize(("text", "expected"), CASES)
def test_escape(text: str, expected: str) -> None:
    assert escape(text) == expected
    assert needs_escape(text) == (text != expected)


def test_unquoted_values_have_no_space() -> None:
    assert escape_unquoted('a b"c') == r"a\x20b\x22c"


@given(st.text())
def test_what_comes_out_is_printable_ascii_without_quotes(text: str) -> None:
    safe = escape(text)
    assert re.fullmatch(r"[ -~]*", safe)
    assert '"' not in safe


@given(st.binary())
def test_bytes_can_be_read_back(data: bytes) -> None:
    safe = escape(data.decode("latin-1"))
    restored = re.sub(rb"\\x([0-9a-f]{2})", lambda match: bytes([int(match[1], 16)]), safe.encode())
    assert restored == data
