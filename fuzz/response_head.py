"""Invariant: what an application gives is exactly one valid head with one framing, or `InvalidResponse`.

No CR, LF, NUL or other control leaves in a status or field that the application gave; every field but those
of the server's own leaves once, as given; `h11` accepts the head.
"""

from __future__ import annotations

import re
from typing import Any

import h11

from fuzz.reading import Reader
from indrik.protocol.response import (
    UNKNOWN_LENGTH,
    InvalidResponse,
    ResponseHead,
    fields_tail,
    render,
    render_early_hints,
)

_TAIL = fields_tail("Mon, 01 Jan 2024 00:00:00 GMT", "indrik")
_STATUS_LINE = re.compile(rb"HTTP/1\.1 [2-9][0-9]{2} [\t \x21-\x7e\x80-\xff]*")
_FIELD = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+): ([\t \x21-\x7e\x80-\xff]*)")
#: Names that the server alone decides about.
_OWN_NAMES = {
    "connection",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "content-length",
}

_STATUSES = ("200 OK", "204 No Content", "304 Not Modified", "404 ", "500 Oops", "999 ?", "103 Early", "200")
_NAMES = (
    "X",
    "Content-Length",
    "content-length",
    "Date",
    "Server",
    "Connection",
    "Transfer-Encoding",
    "Set-Cookie",
    "Upgrade",
    "Keep-Alive",
    "Trailer",
    "TE",
    "Content-Type",
)

WORDS = (
    b"\r\n",
    b"\n",
    b"\r",
    b"\0",
    b"\x7f",
    b"\x85",
    b"\xff",
    b": ",
    b"close",
    b"keep-alive",
    b"chunked",
    b"upgrade",
    b"5",
    b"-1",
    b"+5",
    b"0",
    b"0005",
    b"999999999999999999",
    b"1000000000000000000",
    b"200 OK",
    b"204 ",
    b"304 Not Modified",
    b"HTTP/1.1 200 OK\r\n",
    b"\r\nX: y",
    b"\xb2",
)

SEEDS = (
    b"\0\0\0",
    b"\1\1\0",
    b"\0\2\1\x0220\x02\0\2ab\0\3\4true",
    b"\0\3\x08\x06200 OK\x02\x01\x015\0\4\5hello",
    b"\0\0\x08\x0a302 Found\r\x04\x0d\x08Location\x0d/a\r\nX: evil\r",
    b"\0\4\x00\x06\x05\x05close\x05\x0akeep-alive\x06\x07chunked\x03\x03abc",
    b"\0\x05\x01\x03\x01\x0220\x02\x0220\x04\x01x",
    bytes((0, 7, 2, 3, 13, 4)) + b"X\xe9-Y\x04abcd",
    b"\2\6\0\3\xfe\xfd\xfc",
)


def _text(reader: Reader, known: tuple[str, ...], most: int) -> Any:
    """One of the usual values, any Latin-1 text, or what a careless application could give instead."""
    kind = reader.octet()
    if kind < len(known):
        return known[kind]
    if kind == 255:
        return reader.one_of((None, 5, b"bytes", ["list"], 1.5))
    if kind == 254:
        return reader.short(most).decode("utf-8", "replace") + reader.one_of(
            ("\u20ac", "\ud800", "\u0660", "\u2028")
        )
    return reader.short(most).decode("latin-1")


def check(data: bytes) -> str:
    """One head: settings, a status, and fields as long as the input lasts."""
    reader = Reader(data)
    flags = reader.octet()
    length = reader.one_of((UNKNOWN_LENGTH, 0, 5, 1 << 40))
    head_only, minor_version, keep_alive = bool(flags & 1), 1 - (flags >> 1 & 1), bool(flags & 4)
    # The gateway has refused every status that is no str.
    status = str(_text(reader, _STATUSES, 40))
    headers: list[Any] = []
    while not reader.is_at_end and len(headers) < 20:
        pair: Any = (_text(reader, _NAMES, 20), _text(reader, (), 60))
        shape = reader.octet() if flags & 8 else 0
        headers.append(pair if shape < 250 else reader.one_of((list(pair), pair[:1], None, "ab", (*pair, 1))))
    outcome = _early_hints(headers) if flags & 16 else ""
    try:
        head = render(status, headers, head_only, minor_version, keep_alive, length, _TAIL)
    except InvalidResponse as error:
        return outcome + str(error)
    _check_head(head, status, headers, length, head_only, minor_version, keep_alive)
    return outcome + repr(
        (head.data, head.has_body, head.is_chunked, head.content_length, head.keep_alive, head.dropped)
    )


def _fields(data: bytes) -> tuple[bytes, list[tuple[str, str]]]:
    assert data.endswith(b"\r\n\r\n")
    first, *lines = data[:-4].split(b"\r\n")
    fields = []
    for line in lines:
        found = _FIELD.fullmatch(line)
        assert found, f"field line {line!r}"
        fields.append((found[1].decode("ascii"), found[2].decode("latin-1")))
    return first, fields


def _check_head(
    head: ResponseHead,
    status: Any,
    headers: list[Any],
    length: int,
    head_only: bool,
    minor_version: int,
    keep_alive: bool,
) -> None:
    first, fields = _fields(head.data)
    assert _STATUS_LINE.fullmatch(first), first
    assert first.decode("latin-1").rstrip(" ") == f"HTTP/1.1 {status}".rstrip(" ")
    code = int(status[:3])
    names = [name.lower() for name, _ in fields]
    for name in ("date", "server"):
        assert names.count(name) == 1, name
    given = [(pair[0], pair[1]) for pair in headers if pair[0].lower() not in {*_OWN_NAMES, "date", "server"}]
    sent = [pair for pair in fields if pair[0].lower() not in {*_OWN_NAMES, "date", "server"}]
    assert given == sent, f"given {given}, sent {sent}"
    lengths = [value for name, value in fields if name.lower() == "content-length"]
    codings = [value for name, value in fields if name.lower() == "transfer-encoding"]
    connection = [value for name, value in fields if name.lower() == "connection"]
    assert len(lengths) + len(codings) <= 1, "two framings"
    assert len(connection) <= 1
    assert head.is_chunked == (codings == ["chunked"])
    if lengths:
        assert re.fullmatch("[0-9]{1,18}", lengths[0])
    assert head.has_body == (not head_only and code not in (204, 304))
    assert not (codings and minor_version == 0)
    assert not (code == 204 and (lengths or codings))
    assert not (head.keep_alive and not keep_alive)
    assert (connection == ["close"]) == (not head.keep_alive)
    if head.has_body and not lengths and not codings:
        assert not head.keep_alive, "the end of the body is nowhere"
    if head.has_body and lengths:
        assert head.content_length == int(lengths[0])
    client = h11.Connection(h11.CLIENT)
    client.send(h11.Request(method="HEAD" if head_only else "GET", target="/", headers=[("Host", "a")]))
    client.send(h11.EndOfMessage())
    client.receive_data(head.data)
    event = client.next_event()
    assert isinstance(event, h11.Response)
    assert event.status_code == code


def _early_hints(headers: list[Any]) -> str:
    try:
        pairs = [(pair[0], pair[1]) for pair in headers if isinstance(pair, (tuple, list)) and len(pair) == 2]
        data = render_early_hints(pairs)
    except InvalidResponse as error:
        return str(error)
    first, fields = _fields(data)
    assert first == b"HTTP/1.1 103 Early Hints"
    assert not {name.lower() for name, _ in fields} & {*_OWN_NAMES, "date", "server"}
    return repr(data)
