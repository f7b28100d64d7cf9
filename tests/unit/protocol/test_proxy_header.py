"""The PROXY protocol's header: what is read, what is refused, and that the way it arrives never matters."""

from __future__ import annotations

import ipaddress
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indrik.protocol.proxy_header import NO_HEADER, ProxyHeader, parse_proxy_header
from indrik.protocol.refusals import InvalidProxyHeader, ProxyHeaderForbidden, RequestRefused

SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"
TCP4 = b"PROXY TCP4 192.0.2.1 198.51.100.2 40000 443\r\n"
REQUEST = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


def binary(block: bytes, command: int = 0x21, family: int = 0x11, length: int | None = None) -> bytes:
    """A header of version 2."""
    return SIGNATURE + struct.pack("!BBH", command, family, len(block) if length is None else length) + block


INET = bytes([192, 0, 2, 1, 198, 51, 100, 2]) + struct.pack("!HH", 40000, 443)
INET6 = ipaddress.ip_address("2001:db8::1").packed + ipaddress.ip_address("::1").packed + INET[8:]
TLV = b"\x04\x00\x03abc"
BOTH = (("192.0.2.1", 40000), ("198.51.100.2", 443))
BOTH6 = (("2001:db8::1", 40000), ("::1", 443))


@pytest.mark.parametrize(
    ("data", "protocol", "endpoints"),
    [
        (TCP4, "TCP4", BOTH),
        (b"PROXY TCP6 2001:DB8:0::1 ::1 40000 443\r\n", "TCP6", BOTH6),
        (b"PROXY TCP4 0.0.0.0 1.1.1.255 0 65535\r\n", "TCP4", (("0.0.0.0", 0), ("1.1.1.255", 65535))),
        (b"PROXY UNKNOWN\r\n", "UNKNOWN", (None, None)),
        (b"PROXY UNKNOWN ffff:f::1 ffff:f::2 65535 65535\r\n", "UNKNOWN", (None, None)),
        (b"PROXY UNKNOWN " + b"x" * 91 + b"\r\n", "UNKNOWN", (None, None)),
        (binary(INET), "TCP4", BOTH),
        (binary(INET + TLV), "TCP4", BOTH),
        (binary(INET + b"\x04" * 16372), "TCP4", BOTH),
        (binary(INET6, family=0x21), "TCP6", BOTH6),
        (binary(INET6 + TLV, family=0x21), "TCP6", BOTH6),
        (binary(b"/a\0".ljust(108, b"\0") + b"/b".ljust(108, b"\0"), family=0x31), "UNIX", (None, None)),
        (binary(b"", family=0x00), "UNSPEC", (None, None)),
        (binary(TLV, family=0x00), "UNSPEC", (None, None)),
        (binary(b"", command=0x20, family=0x00), "LOCAL", (None, None)),
        # What stands behind LOCAL is discarded, whatever it says.
        (binary(b"junk", command=0x20, family=0x77), "LOCAL", (None, None)),
    ],
)
def test_header(data: bytes, protocol: str, endpoints: tuple[object, object]) -> None:
    mode = "v2" if data.startswith(SIGNATURE) else "v1"
    for chosen in (mode, "auto"):
        header = parse_proxy_header(data + REQUEST, chosen, True)
        assert header == ProxyHeader(protocol, *endpoints, len(data))  # type: ignore[arg-type]
        assert header.names_client == (protocol in ("TCP4", "TCP6", "UNIX"))
        assert parse_proxy_header(data[:-1], chosen, True) is None


@pytest.mark.parametrize(
    "data",
    [
        b"PROXY TCP4 192.0.2.1 198.51.100.2 40000 443\n",
        b"PROXY TCP4 192.0.2.1 198.51.100.2 40000 443\r\r\n",
        b"PROXY  TCP4 192.0.2.1 198.51.100.2 40000 443\r\n",
        b"PROXY TCP4 192.0.2.1 198.51.100.2 40000 443 \r\n",
        b"PROXY TCP4 192.0.2.1 198.51.100.2 40000\r\n",
        b"PROXY TCP4 192.0.2.1 198.51.100.2 40000 443 1\r\n",
        b"PROXY TCP4 192.0.2.01 198.51.100.2 40000 443\r\n",
        b"PROXY TCP4 192.0.2 198.51.100.2 40000 443\r\n",
        b"PROXY TCP4 192.0.2.256 198.51.100.2 40000 443\r\n",
        b"PROXY TCP4 ::1 198.51.100.2 40000 443\r\n",
        b"PROXY TCP6 192.0.2.1 198.51.100.2 40000 443\r\n",
        b"PROXY TCP6 fe80::1%lo ::1 40000 443\r\n",
        b"PROXY TCP6 1::2::3 ::1 40000 443\r\n",
        b"PROXY TCP4 192.0.2.1 198.51.100.2 040000 443\r\n",
        b"PROXY TCP4 192.0.2.1 198.51.100.2 65536 443\r\n",
        b"PROXY TCP4 192.0.2.1 198.51.100.2 -1 443\r\n",
        b"PROXY TCP4 192.0.2.1\0 198.51.100.2 1 443\r\n",
        b"PROXY UDP4 192.0.2.1 198.51.100.2 40000 443\r\n",
        b"PROXY tcp4 192.0.2.1 198.51.100.2 40000 443\r\n",
        b"PROXY UNKNOWNX\r\n",
        b"PROXY \r\n",
        b"PROXY / HTTP/1.1\r\n",
        b"PROXY UNKNOWN " + b"x" * 92 + b"\r\n",
        b"PROXY UNKNOWN " + b"x" * 200,
        binary(INET, command=0x11),
        binary(INET, command=0x31),
        binary(INET, command=0x22),
        binary(INET, family=0x12),
        binary(INET, family=0x10),
        binary(INET, family=0x41),
        binary(INET[:-1]),
        binary(INET, family=0x21),
        binary(INET6[:-1], family=0x21),
        binary(b"/" * 215, family=0x31),
        binary(b"", length=16385),
        binary(b"", length=65535, command=0x20),
    ],
)
def test_malformed_header(data: bytes) -> None:
    for mode in ("v2" if data.startswith(SIGNATURE) else "v1", "auto"):
        with pytest.raises(InvalidProxyHeader):
            parse_proxy_header(data, mode, True)


@pytest.mark.parametrize("data", [REQUEST, b"POST /", b"\r\nGET", b"PROXX", SIGNATURE[:-1] + b"\r"])
def test_anything_else_is_no_header_in_auto_only(data: bytes) -> None:
    assert parse_proxy_header(data, "auto", True) == NO_HEADER
    for mode in ("v1", "v2"):
        with pytest.raises(InvalidProxyHeader):
            parse_proxy_header(data, mode, True)


def test_the_other_version_is_refused_in_a_single_mode() -> None:
    with pytest.raises(InvalidProxyHeader):
        parse_proxy_header(TCP4, "v2", True)
    with pytest.raises(InvalidProxyHeader):
        parse_proxy_header(binary(INET), "v1", True)


@pytest.mark.parametrize("mode", ["v1", "v2", "auto"])
def test_peer_that_may_not_send_one(mode: str) -> None:
    for data in (TCP4, binary(INET), b"PROXY ", SIGNATURE):
        with pytest.raises(ProxyHeaderForbidden):
            parse_proxy_header(data, mode, False)
    assert parse_proxy_header(REQUEST, mode, False) == NO_HEADER
    assert parse_proxy_header(b"P", mode, False) is None


def outcome(data: bytes, mode: str, is_allowed: bool) -> object:
    """The header, None while more is needed, or the kind of the refusal."""
    try:
        return parse_proxy_header(data, mode, is_allowed)
    except RequestRefused as refusal:
        return refusal.kind


ADDRESSES4 = st.ip_addresses(v=4).map(str)
ADDRESSES6 = st.ip_addresses(v=6).map(str)
PORTS = st.integers(0, 65535)
LINES = st.one_of(
    st.builds("PROXY TCP4 {} {} {} {}\r\n".format, ADDRESSES4, ADDRESSES4, PORTS, PORTS),
    st.builds("PROXY TCP6 {} {} {} {}\r\n".format, ADDRESSES6, ADDRESSES6, PORTS, PORTS),
    st.builds("PROXY UNKNOWN {}\r\n".format, st.text("ab1: ", max_size=100)),
    st.builds("PROXY {}\r\n".format, st.text("TCP46 .:019\r\n", max_size=60)),
).map(lambda line: line.encode("ascii"))
BLOCKS = st.builds(
    binary,
    st.one_of(st.binary(max_size=60), st.just(INET), st.just(INET6 + TLV)),
    st.sampled_from([0x20, 0x21, 0x21, 0x12]),
    st.sampled_from([0x00, 0x11, 0x21, 0x31, 0x12]),
)


@given(
    st.one_of(LINES, BLOCKS, st.binary(max_size=40), st.just(b"")),
    st.sampled_from(["v1", "v2", "auto"]),
    st.booleans(),
    st.sampled_from([REQUEST, b"", b"P", b"\r\n"]),
)
def test_every_split_ends_the_same(data: bytes, mode: str, is_allowed: bool, tail: bytes) -> None:
    data += tail
    whole = outcome(data, mode, is_allowed)
    for count in range(len(data)):
        early = outcome(data[:count], mode, is_allowed)
        assert early in (None, whole), (count, early, whole)
    if isinstance(whole, ProxyHeader):
        assert whole.consumed <= len(data)


@given(ADDRESSES4, ADDRESSES4, PORTS, PORTS)
def test_both_versions_say_the_same(source: str, destination: str, from_port: int, to_port: int) -> None:
    line = f"PROXY TCP4 {source} {destination} {from_port} {to_port}\r\n".encode("ascii")
    packed = ipaddress.ip_address(source).packed + ipaddress.ip_address(destination).packed
    first = parse_proxy_header(line, "auto", True)
    second = parse_proxy_header(binary(packed + struct.pack("!HH", from_port, to_port)), "auto", True)
    assert first is not None
    assert second is not None
    assert (first.source, first.destination) == (second.source, second.destination)
    assert first.source == (source, from_port)
