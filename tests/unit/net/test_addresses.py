"""The grammar of `bind`."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indrik.errors import ConfigError
from indrik.net.addresses import Address, format_address, is_abstract, parse_address


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1", ("127.0.0.1", 8000)),
        ("127.0.0.1:80", ("127.0.0.1", 80)),
        ("LocalHost:80", ("localhost", 80)),
        (":9000", ("0.0.0.0", 9000)),
        ("tcp://0.0.0.0:1", ("0.0.0.0", 1)),
        ("TCP://[::1]:1", ("::1", 1)),
        ("[::1]", ("::1", 8000)),
        ("[::]:65535", ("::", 65535)),
        ("host:0", ("host", 0)),
        ("unix:/run/x.sock", "/run/x.sock"),
        ("unix:relative", "relative"),
        ("unix:///run/x.sock", "/run/x.sock"),
        ("unix:\\0name", "\0name"),
        ("unix:\0name", "\0name"),
        ("fd://3", 3),
    ],
)
def test_read(text: str, address: Address) -> None:
    assert parse_address(text) == address


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "the host is missing"),
        ("tcp://", "the host is missing"),
        ("8000", "a port alone is written :8000"),
        ("::1", r"needs brackets, as in \[::1\]:8000"),
        ("[::1", "IPv6 address is written"),
        ("[::1]8000", "IPv6 address is written"),
        ("host:", "'' is not a port"),
        ("host:http", "'http' is not a port"),
        ("host:65536", "'65536' is not a port"),
        ("host:-1", "'-1' is not a port"),
        ("host:٣", "is not a port"),
        ("http://host:80", "known schemes are"),
        ("unix:", "needs a path"),
        ("unix:\\0", "needs a path"),
        ("fd://", "a descriptor's number"),
        ("fd://x", "a descriptor's number"),
    ],
)
def test_refused_with_the_reason(text: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        parse_address(text)


@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        address = parse_address(text)
    except ConfigError:
        return
    assert parse_address(format_address(address)) == address


def test_abstract() -> None:
    assert is_abstract("\0x")
    assert not is_abstract("/x")
