"""The opening handshake of a WebSocket, from the server's side (RFC 6455 section 4.2)."""

from __future__ import annotations

import binascii
import re
from dataclasses import dataclass

from indrik.protocol.octets import is_token
from indrik.protocol.refusals import InvalidFraming, InvalidHandshake, UnsupportedWebSocketVersion
from indrik.protocol.request import Request
from indrik.protocol.response import InvalidResponse, render_switching_protocols
from indrik.protocol.websocket_extensions import Deflate, Extension, parse_extensions

#: 16 octets in base64. The last digit before the padding has four bits that must be 0, else the same key
#: could be written in several ways.
_KEY = re.compile(r"[A-Za-z0-9+/]{21}[AQgw]==")

#: Section 1.3.
_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


@dataclass(frozen=True)
class Handshake:
    """What a client asks for.

    accept: the value of Sec-WebSocket-Accept that answers it. subprotocols and extensions: what it offers, in
    the order of its preference.
    """

    accept: str
    subprotocols: tuple[str, ...]
    extensions: tuple[Extension, ...]


def wants_websocket(request: Request) -> bool:
    """Whether `request` asks for the upgrade to WebSocket.

    An Upgrade field counts only on HTTP/1.1 and together with the connection option (RFC 9110 section 7.8);
    without them the request is an ordinary one.
    """
    if request.minor_version == 0:
        return False
    upgrade = _joined(request, "UPGRADE")
    if upgrade is None or "websocket" not in _members(upgrade.lower()):
        return False
    return "upgrade" in _members((_joined(request, "CONNECTION") or "").lower())


def parse_handshake(request: Request) -> Handshake:
    """What a request that `wants_websocket` asks for.

    Raises `UnsupportedWebSocketVersion`, `InvalidHandshake` or `InvalidFraming`. The parser has made sure of
    one Host. Who may connect is for the application to say: a browser lets every page open a WebSocket, and
    tells which one by Origin (section 10.2).
    """
    if _joined(request, "SEC-WEBSOCKET-VERSION") != "13":
        # First, because another version may ask for other things.
        raise UnsupportedWebSocketVersion(
            f"Sec-WebSocket-Version {(_joined(request, 'SEC-WEBSOCKET-VERSION') or '')[:60]!r}"
        )
    if request.method != "GET":
        raise InvalidHandshake(f"the method is {request.method[:60]}, not GET")
    if not request.host:
        raise InvalidHandshake("Host is empty")
    if request.content_length != 0:
        # Section 4.1 knows no body here; one reader would take it for frames.
        raise InvalidFraming("a WebSocket handshake with a body")
    key = _joined(request, "SEC-WEBSOCKET-KEY")
    if key is None or not _KEY.fullmatch(key):
        raise InvalidHandshake(f"Sec-WebSocket-Key {(key or '')[:60]!r} is not 16 octets in base64, once")
    extensions = _joined(request, "SEC-WEBSOCKET-EXTENSIONS")
    return Handshake(
        _accept(key),
        _subprotocols(_joined(request, "SEC-WEBSOCKET-PROTOCOL")),
        parse_extensions(extensions) if extensions is not None else (),
    )


def _joined(request: Request, name: str) -> str | None:
    """The values of the fields `name` (upper-case) as one list, None without any (RFC 9110 section 5.3)."""
    found = [value for known, value in zip(request.names, request.values, strict=True) if known[0] == name]
    return ", ".join(found) if found else None


def _members(text: str) -> list[str]:
    """The members of a list of tokens; empty ones are allowed and mean nothing (RFC 9110 section 5.6.1)."""
    return [member for part in text.split(",") if (member := part.strip(" \t"))]


def _subprotocols(text: str | None) -> tuple[str, ...]:
    if text is None:
        return ()
    names = _members(text)
    if not names or not all(map(is_token, names)):
        raise InvalidHandshake(f"Sec-WebSocket-Protocol {text[:120]!r} is not a list of tokens")
    if len(set(names)) < len(names):
        raise InvalidHandshake(f"Sec-WebSocket-Protocol {text[:120]!r} names a subprotocol twice")
    return tuple(names)


def _accept(key: str) -> str:
    import hashlib  # late: it loads OpenSSL, and only WebSockets need it

    digest = hashlib.sha1(key.encode("ascii") + _GUID, usedforsecurity=False).digest()
    return binascii.b2a_base64(digest, newline=False).decode("ascii")


def render_accept(
    handshake: Handshake,
    subprotocol: str | None,
    deflate: Deflate | None,
    headers: list[tuple[str, str]],
    tail: str,
) -> bytes:
    """The head of the response that opens the WebSocket (section 4.2.2).

    `subprotocol` is the application's choice among the offered ones; `deflate` is what
    `negotiate_deflate` made of the offered extensions. `headers` are the application's, not validated yet;
    `tail` holds Date and Server as `fields_tail` makes them. Raises `InvalidResponse`.
    """
    fields = [("Upgrade", "websocket"), ("Connection", "Upgrade"), ("Sec-WebSocket-Accept", handshake.accept)]
    if subprotocol is not None:
        if subprotocol not in handshake.subprotocols:
            raise InvalidResponse(
                f"RFC 6455 section 4.2.2: the client did not offer the subprotocol {subprotocol[:80]!r}"
            )
        fields.append(("Sec-WebSocket-Protocol", subprotocol))
    if deflate is not None:
        fields.append(("Sec-WebSocket-Extensions", deflate.extension))
    return render_switching_protocols(fields, headers, tail)
