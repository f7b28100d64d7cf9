"""Invariant: a PROXY header is read from any part that holds it as from the whole, or refused.

Every part before its end is undecided or gets the same refusal; who may not send one never names a client;
what it says are a real address and port; it takes no octet of the request behind it; an undecided one is
bounded; version 1 written out again says the same.
"""

from __future__ import annotations

import ipaddress
import struct

from fuzz.reading import Reader
from indrik.protocol.proxy_header import NO_HEADER, ProxyHeader, parse_proxy_header
from indrik.protocol.refusals import InvalidProxyHeader, ProxyHeaderForbidden

_MODES = ("auto", "v1", "v2")
_SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"

#: Octets of the longest header that may be undecided: 16 and the longest block of version 2.
_LONGEST = 16 + 16384

WORDS = (
    b"PROXY ",
    b"TCP4 ",
    b"TCP6 ",
    b"UNKNOWN",
    b"\r\n",
    b"\n",
    b"\r",
    b" ",
    b"  ",
    b"127.0.0.1",
    b"::1",
    b"::ffff:1.2.3.4",
    b"1",
    b"0",
    b"65535",
    b"65536",
    b"00001",
    b"256.0.0.1",
    b"1.2.3",
    b"fe80::1%lo",
    b"0x7f.1",
    _SIGNATURE,
    _SIGNATURE + b"\x21\x11\0\x0c",
    b"\x20\0\0\0",
    b"\x21\x21\0\x24",
    b"\x21\x31\0\xd8",
    b"\x40\0",
    b"\x41\1",
    b"\xff\xff",
    b"GET / HTTP/1.1\r\n",
    b"\0",
)

_TCP4 = bytes((1, 2, 3, 4, 5, 6, 7, 8)) + struct.pack("!HH", 1000, 80)
_OWN = (
    b"PROXY TCP4 192.0.2.1 192.0.2.2 1000 80\r\nGET / HTTP/1.1\r\n",
    b"PROXY TCP6 2001:db8::1 ::1 65535 0\r\n",
    b"PROXY UNKNOWN\r\nGET",
    b"PROXY UNKNOWN " + b"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff " * 2 + b"65535 65535\r\n",
    _SIGNATURE + b"\x21\x11\0\x0c" + _TCP4 + b"GET / HTTP/1.1\r\n",
    _SIGNATURE + b"\x21\x11\0\x10" + _TCP4 + b"\4\0\1\0GET",
    _SIGNATURE + b"\x21\x21\0\x24" + bytes(range(36)) + b"GET",
    _SIGNATURE + b"\x21\x31\0\xd8" + bytes(216),
    _SIGNATURE + b"\x20\0\0\3abcGET",
    _SIGNATURE + b"\x21\0\0\0",
    b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
)

SEEDS = tuple(bytes((choice,)) + message for choice in (0, 1, 2, 128) for message in _OWN)


def check(data: bytes) -> str:
    """One beginning of a connection, whole and every part of it."""
    reader = Reader(data)
    choice = reader.octet()
    mode = _MODES[choice % 3]
    is_allowed = choice < 128
    stream = reader.rest()
    whole = _read(stream, mode, is_allowed)
    size = whole.consumed if isinstance(whole, ProxyHeader) else len(stream)
    assert size <= len(stream)
    # Long headers differ in what is skipped; their ends are enough.
    for length in (*range(min(size, 300)), *range(max(300, size - 20), size)):
        part = _read(stream[:length], mode, is_allowed)
        if part is not None:
            assert part == NO_HEADER or not isinstance(part, ProxyHeader), (
                f"{part} from {length} octets of {whole}"
            )
            assert type(part) is type(whole), f"{part} from {length} octets, then {whole}"
    if isinstance(whole, ProxyHeader):
        _check_header(whole, stream, mode, is_allowed)
        return repr(whole)
    if whole is None:
        assert len(stream) < _LONGEST
        return "undecided"
    assert is_allowed == isinstance(whole, InvalidProxyHeader)
    return f"{type(whole).__name__}: {whole}"


def _read(
    data: bytes, mode: str, is_allowed: bool
) -> ProxyHeader | InvalidProxyHeader | ProxyHeaderForbidden | None:
    try:
        return parse_proxy_header(data, mode, is_allowed)
    except (InvalidProxyHeader, ProxyHeaderForbidden) as refusal:
        return refusal


def _check_header(header: ProxyHeader, stream: bytes, mode: str, is_allowed: bool) -> None:
    behind = _read(stream[: header.consumed] + b"GET / HTTP/1.1\r\n\r\n", mode, is_allowed)
    if header == NO_HEADER:
        assert not is_allowed or mode == "auto"
        assert not stream.startswith((b"PROXY ", _SIGNATURE))
        return
    assert is_allowed
    assert behind == header, f"with a request behind it {behind}"
    assert (header.source is None) == (header.destination is None)
    assert (header.source is not None) == (header.protocol in ("TCP4", "TCP6"))
    if header.source is None or header.destination is None:
        return
    version = 4 if header.protocol == "TCP4" else 6
    for host, port in (header.source, header.destination):
        assert ipaddress.ip_address(host).version == version
        assert 0 <= port <= 65535
    written = (
        f"PROXY {header.protocol} {header.source[0]} {header.destination[0]} "
        f"{header.source[1]} {header.destination[1]}\r\n"
    ).encode("ascii")
    again = _read(written, "auto", True)
    assert isinstance(again, ProxyHeader)
    assert (again.source, again.destination, again.consumed) == (
        header.source,
        header.destination,
        len(written),
    )
