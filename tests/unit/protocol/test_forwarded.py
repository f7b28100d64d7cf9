"""Counting back in what proxies say: which member is taken, and what is refused rather than guessed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indrik.protocol.forwarded import Hops, Origin, count_back, find_origin
from indrik.protocol.refusals import InvalidForwarded

BY_FORWARDED = Hops(client=1, scheme=1, host=1, uses_forwarded=True)


def by_forwarded(value: str | None, hops: int = 1) -> Origin:
    counted = Hops(client=hops, scheme=hops, host=hops, uses_forwarded=True)
    return find_origin(counted, value, "9.9.9.9", "x", "x", "x", "x")


@pytest.mark.parametrize(
    ("value", "hops", "taken"),
    [
        ("a, b, c", 1, "c"),
        ("a, b, c", 3, "a"),
        ("a, b, c", 4, None),
        ("a, b, c", 0, None),
        ("a,,\t b ,", 2, "a"),
        ('a, "b, c"', 1, "b, c"),
        ('a, "b\\"c"', 1, 'b"c'),
        ('a, b="c, d"', 1, 'b="c, d"'),
        # Whatever the client does to the member that the proxy appends: none is better than a wrong one.
        ('"a, b', 1, None),
        ('"a\\", b', 1, None),
        ("", 1, None),
        (None, 1, None),
    ],
)
def test_count_back(value: str | None, hops: int, taken: str | None) -> None:
    assert count_back(value, hops) == taken


def test_only_what_is_counted_is_believed() -> None:
    said = ("for=9.9.9.9", "1.1.1.1, 2.2.2.2", "https", "h:1", "2", "/p")
    assert find_origin(Hops(), *said) == Origin()
    assert find_origin(Hops(client=2), *said) == Origin(client="1.1.1.1")
    assert find_origin(Hops(scheme=1, host=1), *said) == Origin(scheme="https", host="h:1")
    assert find_origin(Hops(port=1, prefix=1), *said) == Origin(port="2", prefix="/p")


def test_one_way_of_saying_it_never_stands_in_for_the_other() -> None:
    assert find_origin(Hops(client=1), "for=9.9.9.9", None, None, None, None, None) == Origin()
    assert by_forwarded(None) == Origin()


def test_port_and_prefix_beside_forwarded() -> None:
    hops = Hops(client=1, port=1, prefix=1, uses_forwarded=True)
    assert find_origin(hops, "for=1.1.1.1", "2.2.2.2", "x", "x", "81", "/p") == Origin(
        client="1.1.1.1", port="81", prefix="/p"
    )


@pytest.mark.parametrize(
    ("value", "origin"),
    [
        ("for=192.0.2.60;proto=http;by=203.0.113.43", Origin("192.0.2.60", "http")),
        ('For="[2001:db8:cafe::17]:4711"', Origin("2001:db8:cafe::17")),
        ("for=[2001:db8:cafe::17]:4711", Origin("2001:db8:cafe::17")),
        ('for="192.0.2.43:47011"', Origin("192.0.2.43")),
        ('for="192.0.2.43:_port"', Origin("192.0.2.43")),
        ("for=unknown", Origin("unknown")),
        ("for=_gazonk", Origin("_gazonk")),
        ('for=9.9.9.9, for=1.2.3.4;host="a.b:80" ; PROTO=https', Origin("1.2.3.4", "https", "a.b:80")),
        ('for="192.0.2.\\43"', Origin("192.0.2.43")),
        ("for=192.0.2.43;secret=x;;", Origin("192.0.2.43")),
        ("proto=https", Origin(None, "https")),
        # Nobody vouches for what stands before the counted element.
        ("for=;=, for=192.0.2.43", Origin("192.0.2.43")),
        ('x="for=9.9.9.9, for=8.8.8.8", for=192.0.2.43', Origin("192.0.2.43")),
        ("", Origin()),
    ],
)
def test_forwarded(value: str, origin: Origin) -> None:
    assert by_forwarded(value) == origin


def test_elements_are_counted_not_parameters() -> None:
    assert by_forwarded("for=1.1.1.1;proto=https, for=2.2.2.2", 1) == Origin("2.2.2.2")
    assert by_forwarded("for=1.1.1.1;proto=https, for=2.2.2.2", 2) == Origin("1.1.1.1", "https")
    assert by_forwarded("for=1.1.1.1;proto=https, for=2.2.2.2", 3) == Origin()


@pytest.mark.parametrize(
    "value",
    [
        'for="192.0.2.43',
        'for="192.0.2.43\\"',
        'by="x, for=192.0.2.43',
        "for=192.0.2.43;for=192.0.2.44",
        "for",
        "for=",
        "for =192.0.2.43",
        "for= 192.0.2.43",
        "for=2001:db8::1",
        "for=a.example",
        'for="192.0.2.43 "',
        'for="[::1]x"',
        "proto=1",
        'proto="http:"',
        'host="a b"',
        'host=""',
        'host="a/b"',
    ],
)
def test_malformed_forwarded(value: str) -> None:
    with pytest.raises(InvalidForwarded):
        by_forwarded(value)


@given(st.text('for=1.2:";,\\ []p', max_size=40))
def test_what_the_client_sends_never_becomes_the_address(text: str) -> None:
    # A proxy appends its element; whatever stood there before, the result is its own or none.
    for joined in (f"{text}, for=192.0.2.7", f"{text},for=192.0.2.7"):
        try:
            found = by_forwarded(joined).client
        except InvalidForwarded:
            continue
        assert found == "192.0.2.7"
