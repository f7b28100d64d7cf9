"""Which content coding is chosen for a client."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indrik.protocol.codings import IDENTITY, choose_coding

ALL = ("br", "zstd", "gzip")


@pytest.mark.parametrize(
    ("accepted", "chosen"),
    [
        ("gzip", "gzip"),
        ("GZIP", "gzip"),
        ("x-gzip", "gzip"),
        ("gzip, br", "br"),
        ("gzip,zstd", "zstd"),
        ("gzip;q=1, br;q=0.999", "gzip"),
        ("gzip ; q=0.5 , br ; Q=0.4", "gzip"),
        ("*", "br"),
        ("*;q=0.5", "br"),
        ("*;q=0, gzip", "gzip"),
        ("br;q=0, *", "zstd"),
        ("identity", IDENTITY),
        ("identity, gzip", "gzip"),
        ("identity;q=1, gzip;q=0.9", IDENTITY),
        ("identity;q=0", IDENTITY),
        ("identity;q=0, *;q=0", IDENTITY),
        ("", IDENTITY),
        (",,", IDENTITY),
        ("deflate, compress", IDENTITY),
        ("gzip;q=0", IDENTITY),
        ("gzip;q=0.0001", IDENTITY),
        ("gzip;q=1.1", IDENTITY),
        ("gzip;q=", IDENTITY),
        ("gzip;x=1", IDENTITY),
        ("gzip br", IDENTITY),
        ("gzip;q=nan, br;q=0.1", "br"),
    ],
)
def test_choice(accepted: str, chosen: str) -> None:
    assert choose_coding(accepted, ALL) == chosen


def test_only_what_is_there() -> None:
    assert choose_coding("br, gzip", ["gzip"]) == "gzip"
    assert choose_coding("br", ["gzip"]) == IDENTITY
    assert choose_coding("br", []) == IDENTITY


@given(st.text(alphabet="gzipbr*;q=01., \t-x", max_size=60))
def test_anything(accepted: str) -> None:
    chosen = choose_coding(accepted, ALL)
    assert chosen in (IDENTITY, *ALL)
    assert chosen == IDENTITY or chosen in accepted.lower() or "*" in accepted
