"""Invariant: a head that the parser takes is no WebSocket handshake, a good one, or one that is refused.

Whatever it offers, permessage-deflate is agreed upon within the server's settings and the client's offer, and
the answer is one head with each field once.
"""

from __future__ import annotations

import re

from fuzz.reading import Reader
from indrik.protocol.head import HeadParser
from indrik.protocol.limits import Limits
from indrik.protocol.octets import head_end
from indrik.protocol.refusals import RequestRefused
from indrik.protocol.request import Request
from indrik.protocol.response import InvalidResponse, fields_tail
from indrik.protocol.websocket_deflate import Deflater, Inflater
from indrik.protocol.websocket_extensions import DeflateSettings, negotiate_deflate, parse_extensions
from indrik.protocol.websocket_handshake import parse_handshake, render_accept, wants_websocket

_SETTINGS = (
    DeflateSettings(),
    DeflateSettings(server_bits=15, client_bits=15, memory=8),
    DeflateSettings(9, 9, True, True),
    None,
)

_PARSER = HeadParser(Limits())
_TAIL = fields_tail("Mon, 01 Jan 2024 00:00:00 GMT", "indrik")

WORDS = (
    b"Sec-WebSocket-Protocol: chat, v2\r\n",
    b"Sec-WebSocket-Extensions: permessage-deflate\r\n",
    b"; client_max_window_bits",
    b"; server_max_window_bits=10",
    b"; server_no_context_takeover",
    b"; client_no_context_takeover",
    b'="12"',
    b"=8",
    b", permessage-deflate",
    b"Upgrade: h2c\r\n",
    b"websocket",
    b"\\",
    b'"',
    b",",
    b";",
    b"=",
    b"13",
    b"==",
    b"HTTP/1.0",
    b"\r\n",
    b"Content-Length: 0\r\n",
)

_HEAD = (
    b"GET /chat HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
)

SEEDS = tuple(
    bytes((which, choice)) + _HEAD + more + b"\r\n"
    for which in range(4)
    for choice, more in (
        (0, b""),
        (1, b"Sec-WebSocket-Protocol: chat, v2\r\n"),
        (2, b"Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n"),
        (3, b"Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=10, x\r\n"),
        (4, b'Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits="9"\r\n'),
        (5, b"Sec-WebSocket-Extensions: a;b=c\r\nSec-WebSocket-Extensions: permessage-deflate\r\n"),
        (6, b"Sec-WebSocket-Extensions: permessage-deflate; client_no_context_takeover; x\r\n"),
        (7, b"Content-Length: 3\r\n"),
    )
)

#: What an application might add.
_ADDED: tuple[list[tuple[str, str]], ...] = (
    [],
    [("X-A", "b")],
    [("Date", "today")],
    [("Connection", "close")],
    [("X", "a\r\nb")],
)

_ANSWER = re.compile(rb"HTTP/1\.1 101 [!-~ ]+\r\n(?:[!-9;-~]+: [\t\x20-\x7e\x80-\xff]*\r\n)+\r\n")


def check(data: bytes) -> str:
    """One request head under one setting, and the answer with one choice of the application."""
    reader = Reader(data)
    settings = reader.one_of(_SETTINGS)
    choice = reader.octet()
    head = reader.rest()
    end = head_end(head, 0)
    if end < 0:
        return "no head"
    try:
        request = _PARSER.parse(Request(), head, end, False)
        if not wants_websocket(request):
            return "no handshake"
        handshake = parse_handshake(request)
    except RequestRefused as refusal:
        return f"{type(refusal).__name__} {refusal.detail}"
    assert request.method == "GET"
    assert request.content_length == 0
    agreed = negotiate_deflate(handshake.extensions, settings)
    if agreed is not None:
        assert settings is not None
        assert agreed.server_bits <= settings.server_bits
        # A window beyond the setting is not kept between messages.
        assert agreed.client_bits <= settings.client_bits or not agreed.client_takeover
        (name, words), *others = parse_extensions(agreed.extension)
        offers = [dict(offer) for offered, offer in handshake.extensions if offered == name]
        assert not others
        assert any("client_max_window_bits" in offer for offer in offers) or "client_max" not in str(words)
        made = Deflater(agreed).deflate(b"hello, hello, hello, hello")
        if made is not None:
            assert Inflater(agreed).inflate(made, 99, True) == b"hello, hello, hello, hello"
    subprotocols = [None, *handshake.subprotocols]
    subprotocol = subprotocols[choice % len(subprotocols)]
    try:
        answer = render_accept(handshake, subprotocol, agreed, [*_ADDED[choice % len(_ADDED)]], _TAIL)
    except InvalidResponse as error:
        assert choice % len(_ADDED) >= 3
        return str(error)
    assert choice % len(_ADDED) < 3
    assert _ANSWER.fullmatch(answer), answer
    lines = answer.lower().split(b"\r\n")[1:-2]
    names = [line.partition(b":")[0] for line in lines]
    assert len(set(names)) == len(names)
    assert b"upgrade: websocket" in lines
    assert b"connection: upgrade" in lines
    assert (b"sec-websocket-protocol" in names) == (subprotocol is not None)
    assert (b"sec-websocket-extensions" in names) == (agreed is not None)
    return repr((handshake, agreed))
