"""The header of the PROXY protocol, versions 1 and 2: for whom a load balancer has opened a connection.

Source: "The PROXY protocol, Versions 1 & 2" of HAProxy. The header comes once, before the first byte of the
connection proper, from peers that were told to send it. Whoever may send it can take any address, so nobody
else may, and what must begin with it is not read without it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from socket import AF_INET, AF_INET6, inet_ntop, inet_pton

from indrik.protocol.refusals import InvalidProxyHeader, ProxyHeaderForbidden

_TEXT = b"PROXY "
_SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"

#: Section 2.1: "a 108-byte buffer is always enough to store all the line and a trailing zero".
_LONGEST_LINE = 107

#: Bytes of the addresses and additional values (TLVs) of version 2 together. The format allows 65535; the
#: largest value in use is a client's certificate.
_LONGEST_BLOCK = 16384

_LINE = re.compile(
    rb"PROXY (?:(UNKNOWN)(?: [^\r\n]*)?"
    rb"|(TCP[46]) ([0-9A-Fa-f.:]+) ([0-9A-Fa-f.:]+) (0|[1-9][0-9]{0,4}) (0|[1-9][0-9]{0,4}))\r\n"
)

_LOCAL = 0x20
_PROXY = 0x21

#: Family and transport of version 2 -> protocol, family, bytes of an address. Datagrams cannot carry HTTP.
_FAMILIES = {
    0x00: ("UNSPEC", 0, 0),
    0x11: ("TCP4", AF_INET, 4),
    0x21: ("TCP6", AF_INET6, 16),
    0x31: ("UNIX", 0, 108),
}

_NO_VERSION = 0
_UNDECIDED = -1


@dataclass(frozen=True)
class ProxyHeader:
    """What a header says.

    protocol: TCP4, TCP6 or UNIX: how the client came to the proxy; LOCAL, UNKNOWN or UNSPEC: the proxy
    speaks for itself or cannot tell; "" for no header. source, destination: the client's address and port
    and the ones that it connected to, None unless it came by TCP. consumed: length of the header in bytes.
    """

    protocol: str
    source: tuple[str, int] | None
    destination: tuple[str, int] | None
    consumed: int

    @property
    def names_client(self) -> bool:
        """Whether the connection was opened for another peer than the one that sent the header."""
        return self.protocol in ("TCP4", "TCP6", "UNIX")


NO_HEADER = ProxyHeader("", None, None, 0)


def parse_proxy_header(data: bytes, mode: str, is_allowed: bool) -> ProxyHeader | None:
    """The header that a connection begins with; None while `data`, all that has arrived, does not show it.

    `mode` is "v1", "v2" or "auto". `is_allowed` says that the peer may send a header: then it must in the
    first two modes, and in "auto" a connection that begins with anything else has `NO_HEADER`. A peer that
    may not is served as long as it does not try.

    Raises `InvalidProxyHeader`, or `ProxyHeaderForbidden` when the peer may not send one.
    """
    version = _version(data)
    if version == _UNDECIDED:
        return None
    if not is_allowed:
        if version != _NO_VERSION:
            raise ProxyHeaderForbidden("a PROXY header of a peer that is not in proxy_allow_ips")
        return NO_HEADER
    if mode != "auto" and mode != f"v{version}":
        raise InvalidProxyHeader(f"{data[:16]!r} does not begin a PROXY header of {mode}")
    if version == 1:
        return _parse_line(data)
    if version == 2:
        return _parse_binary(data)
    return NO_HEADER


def _version(data: bytes) -> int:
    if data.startswith(_TEXT):
        return 1
    if data.startswith(_SIGNATURE):
        return 2
    if _TEXT.startswith(data) or _SIGNATURE.startswith(data):
        return _UNDECIDED
    return _NO_VERSION


def _parse_line(data: bytes) -> ProxyHeader | None:
    end = data.find(b"\n", 0, _LONGEST_LINE) + 1
    if not end:
        if len(data) >= _LONGEST_LINE:
            raise InvalidProxyHeader("the PROXY line is longer than 107 bytes")
        return None
    found = _LINE.fullmatch(data, 0, end)
    if found is None:
        raise InvalidProxyHeader(f"PROXY line {data[:end]!r}")
    if found[1]:
        return ProxyHeader("UNKNOWN", None, None, end)
    family = AF_INET if found[2] == b"TCP4" else AF_INET6
    return ProxyHeader(
        found[2].decode("ascii"),
        (_address(family, found[3]), _port(found[5])),
        (_address(family, found[4]), _port(found[6])),
        end,
    )


def _address(family: int, text: bytes) -> str:
    """The address in its usual form, which is also the one of a peer that came directly."""
    try:
        return inet_ntop(family, inet_pton(family, text.decode("ascii")))
    except OSError:
        raise InvalidProxyHeader(f"address {text!r} in a PROXY line") from None


def _port(text: bytes) -> int:
    port = int(text)
    if port > 65535:
        raise InvalidProxyHeader(f"port {port} in a PROXY line")
    return port


def _parse_binary(data: bytes) -> ProxyHeader | None:
    if len(data) < 16:
        return None
    command = data[12]
    length = int.from_bytes(data[14:16], "big")
    if command not in (_LOCAL, _PROXY):
        raise InvalidProxyHeader(f"version and command {command:#04x} in a PROXY header")
    if length > _LONGEST_BLOCK:
        raise InvalidProxyHeader(f"a PROXY header of {length} bytes")
    end = 16 + length
    if command == _LOCAL:
        # Section 2.2: a check of the proxy's own; all that follows is to be discarded, whatever it is.
        return ProxyHeader("LOCAL", None, None, end) if len(data) >= end else None
    if data[13] not in _FAMILIES:
        raise InvalidProxyHeader(f"address family and transport {data[13]:#04x} in a PROXY header")
    protocol, family, size = _FAMILIES[data[13]]
    ports = 16 + 2 * size
    if length < 2 * size + (4 if family else 0):
        raise InvalidProxyHeader(f"{length} bytes do not hold the addresses of {protocol}")
    if len(data) < end:
        return None
    if not family:
        return ProxyHeader(protocol, None, None, end)
    return ProxyHeader(
        protocol,
        (inet_ntop(family, data[16 : 16 + size]), int.from_bytes(data[ports : ports + 2], "big")),
        (inet_ntop(family, data[16 + size : ports]), int.from_bytes(data[ports + 2 : ports + 4], "big")),
        end,
    )
