"""Invariant: any split of a chunked body gives the same octets and the same rest, or the same refusal.

What stands behind the body comes back untouched, no octet is lost or added, trailers hold nothing that
changes the request, and `h11` and `httptools` read the same body or refuse it.
"""

from __future__ import annotations

import re

from fuzz.reading import Reader, pieces
from fuzz.references import h11_messages, httptools_messages
from fuzz.seeds import wire_bodies
from indrik.protocol.chunked import LAST_CHUNK, ChunkedDecoder, frame_chunk
from indrik.protocol.refusals import FieldsTooLarge, InvalidChunk

# Lines of two octets are read by a short cut, which asks for no limit.
_LIMITS = ((8190, 65536), (12, 40), (2, 1), (100, 100))

WORDS = (
    b"\r\n",
    b"\n",
    b"\r",
    b"0\r\n\r\n",
    b"5\r\nhello\r\n",
    b"0\r\n",
    b"A",
    b"f",
    b";",
    b";a=b",
    b';a="b;\\"c"',
    b" ",
    b"\t",
    b"-1",
    b"+1",
    b"0x1",
    b"fffffffffffffff",
    b"10000000000000000",
    b"00000000000000",
    b"X: y\r\n",
    b"Host: a\r\n",
    b"Content-Length: 1\r\n",
    b": ",
    b"\0",
    b"\xff",
    b"GET / HTTP/1.1\r\n\r\n",
)

_OWN = (
    b"0\r\n\r\n",
    b"5\r\nhello\r\n0\r\n\r\nGET / HTTP/1.1\r\n",
    b'1;a;b=c;d="e\\"f"\r\nx\r\n00\r\nX-T: 1\r\nY:\r\n\r\nrest',
    b"000000A \r\n0123456789\r\n0\r\n\r\n",
)

SEEDS = tuple(
    bytes((which, how)) + body
    for which, how in ((0, 1), (1, 1), (0, 7), (3, 2))
    for body in (*_OWN, *wire_bodies())
)

_HEAD = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
_FORBIDDEN = {
    "HOST",
    "CONTENT-LENGTH",
    "TRANSFER-ENCODING",
    "CONNECTION",
    "COOKIE",
    "AUTHORIZATION",
    "EXPECT",
}
_VALUE = re.compile(r"[\t \x21-\x7e\x80-\xff]*")


def check(data: bytes) -> str:
    """One body under one pair of limits, whole and in pieces."""
    reader = Reader(data)
    limits = reader.one_of(_LIMITS)
    how = reader.octet()
    stream = reader.rest()
    whole = _decode(stream, 0, limits)
    cut = _decode(stream, how, limits)
    assert whole == cut, f"whole {whole}, cut {cut}"
    refusal, body, rest, trailers, is_done = whole
    if refusal:
        return refusal
    if not is_done:
        assert rest == b""
        assert len(body) <= len(stream)
        return f"incomplete {body!r}"
    assert stream.endswith(rest)
    for name, value in trailers:
        assert name not in _FORBIDDEN
        assert _VALUE.fullmatch(value)
        assert value == value.strip(" \t")
    ends = len(stream) - len(rest)
    for reference in (h11_messages, httptools_messages):
        messages, _ = reference(_HEAD + stream[:ends])
        assert not messages or messages[0].body == body, f"{reference.__name__} sees {messages[0].body!r}"
    # The octets before the end of the body are needed, all of them.
    assert not _decode(stream[: ends - 1], 0, limits)[4]
    written = b"".join(frame_chunk(part) for part in (body[:3], body[3:]) if part) + LAST_CHUNK
    assert _decode(written + rest, how, (20, 20)) == ("", body, rest, [], True)
    return repr(whole)


def _decode(
    stream: bytes, how: int, limits: tuple[int, int]
) -> tuple[str, bytes, bytes, list[tuple[str, str]], bool]:
    decoder = ChunkedDecoder(*limits)
    body = b""
    parts = pieces(stream, how)
    rest = b""
    try:
        for part in parts:
            found, rest = decoder.feed(part)
            assert all(found), "an empty piece"
            body += b"".join(found)
            if decoder.is_done:
                break
    except (InvalidChunk, FieldsTooLarge) as refusal:
        return type(refusal).__name__, b"", b"", [], False
    rest += b"".join(parts)
    return "", body, rest, decoder.trailers, decoder.is_done
