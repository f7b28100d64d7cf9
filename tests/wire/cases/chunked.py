"""Chunked request bodies: sizes, extensions, line ends, trailers (RFC 9112 section 7.1)."""

from __future__ import annotations

from typing import Any

from tests.wire.case import AT_CRLF, BYTE_BY_BYTE, WHOLE, WITH_TAIL, Case, bad, get, good, post, waiting

# A request behind an unfinished chunk would be its rest.
_ALONE = (WHOLE, BYTE_BY_BYTE, AT_CRLF)

_HEAD = post("Transfer-Encoding: chunked")


def _body(name: str, body: bytes, expected: bytes, **others: Any) -> Case:
    return good(name, _HEAD + body, {"body": expected, "CONTENT_LENGTH": str(len(expected))}, **others)


def _bad(name: str, body: bytes, kind: str = "chunk", status: int = 400, **others: Any) -> Case:
    return bad(name, _HEAD + body, kind, status, **others)


def _trailers(*lines: bytes) -> bytes:
    return b"2\r\nhi\r\n0\r\n" + b"".join(line + b"\r\n" for line in lines) + b"\r\n"


_FORBIDDEN = (
    "Authorization",
    "Connection",
    "Content-Encoding",
    "Content-Length",
    "Content-Type",
    "Cookie",
    "Expect",
    "Host",
    "TE",
    "Trailer",
    "Transfer-Encoding",
    "Upgrade",
)

CASES: tuple[Case, ...] = (
    # --- sizes
    _body("one chunk", b"2\r\nhi\r\n0\r\n\r\n", b"hi"),
    _body("no chunk", b"0\r\n\r\n", b""),
    _body("several chunks", b"1\r\na\r\n2\r\nbc\r\n3\r\ndef\r\n0\r\n\r\n", b"abcdef"),
    _body("size in capitals", b"A\r\n0123456789\r\n0\r\n\r\n", b"0123456789"),
    _body("size in small letters", b"a\r\n0123456789\r\n0\r\n\r\n", b"0123456789"),
    _body("size of several digits", b"1F\r\n" + b"x" * 31 + b"\r\n0\r\n\r\n", b"x" * 31),
    _body("zeros before the size", b"0002\r\nhi\r\n0\r\n\r\n", b"hi"),
    _body("many zeros", b"000000000000002\r\nhi\r\n000\r\n\r\n", b"hi"),
    _body("data that looks like an end", b"5\r\n0\r\n\r\n\r\n0\r\n\r\n", b"0\r\n\r\n"),
    _body("data that looks like a chunk", b"7\r\n1\r\na\r\n0\r\n0\r\n\r\n", b"1\r\na\r\n0"),
    _body("data of CR and LF", b"4\r\n\r\r\n\n\r\n0\r\n\r\n", b"\r\r\n\n"),
    _body("every octet", b"100\r\n" + bytes(range(256)) + b"\r\n0\r\n\r\n", bytes(range(256))),
    *(
        _bad(f"size {size!r}", size + b"\r\nhi\r\n0\r\n\r\n")
        for size in (
            b"",
            b" 2",
            b"\t2",
            b"+2",
            b"-2",
            b"0x2",
            b"2h",
            b"g",
            b"2 2",
            b"2.0",
            b"2_0",
            b"0_2",
            b"'2'",
            b'"2"',
            b"2,",
            b"two",
            b"\xb2",
            b"2\xa0",
            b"\xa02",
            b"2\r",
            b"2\0",
            b"\x002",
            b"2\x0b",
            b"2\x0c",
            b"0000000000000002",
            b"ffffffffffffffff",
            b"10000000000000002",
            b"7fffffffffffffff",
            b"fffffffffffffffff2",
            b"-1",
            b"--2",
            b"0X2",
            b"2#",
            b"2=",
        )
    ),
    _bad("blank behind the size", b"2 \r\nhi\r\n0\r\n\r\n"),
    _bad("tab behind the size", b"2\t\r\nhi\r\n0\r\n\r\n"),
    _bad("blanks behind the last size", b"2\r\nhi\r\n0  \r\n\r\n"),
    waiting("the greatest size", _HEAD + b"fffffffffffffff\r\nhi"),
    # --- line ends
    _bad("bare LF behind the size", b"2\nhi\r\n0\r\n\r\n"),
    _bad("bare CR behind the size", b"2\rhi\r\n0\r\n\r\n"),
    _bad("CR CR LF behind the size", b"2\r\r\nhi\r\n0\r\n\r\n"),
    _bad("bare LF behind the data", b"2\r\nhi\n0\r\n\r\n"),
    _bad("bare CR behind the data", b"2\r\nhi\r0\r\n\r\n"),
    _bad("nothing behind the data", b"2\r\nhi0\r\n\r\n"),
    _bad("data longer than its size", b"2\r\nhello\r\n0\r\n\r\n"),
    _bad("data shorter than its size", b"5\r\nhi\r\n0\r\n\r\n"),
    _bad("bare LF behind the last chunk", b"2\r\nhi\r\n0\n\r\n"),
    _bad("bare LFs at the end", b"2\r\nhi\r\n0\n\n"),
    _bad("bare LF at the very end", b"2\r\nhi\r\n0\r\n\n"),
    _bad("an empty line between chunks", b"2\r\nhi\r\n\r\n0\r\n\r\n"),
    _bad("no size where one is due", b"2\r\nhi\r\nGET / HTTP/1.1\r\n\r\n"),
    waiting("the last CRLF is missing", _HEAD + b"2\r\nhi\r\n0\r\n"),
    waiting("the last LF is missing", _HEAD + b"2\r\nhi\r\n0\r\n\r"),
    waiting("the last chunk is missing", _HEAD + b"2\r\nhi\r\n"),
    waiting("the end of the data is missing", _HEAD + b"2\r\nhi"),
    waiting("half a size line", _HEAD + b"2"),
    waiting("no body yet", _HEAD),
    bad("cut inside the data", _HEAD + b"5\r\nhi", "truncated", ends=True),
    bad("cut before the last chunk", _HEAD + b"2\r\nhi\r\n", "truncated", ends=True),
    bad("cut before the last CRLF", _HEAD + b"2\r\nhi\r\n0\r\n", "truncated", ends=True),
    bad("cut inside the trailers", _HEAD + b"2\r\nhi\r\n0\r\nX: 1\r\n", "truncated", ends=True),
    # --- extensions
    _body("extension", b"2;a\r\nhi\r\n0\r\n\r\n", b"hi"),
    _body("extension with a value", b"2;a=b\r\nhi\r\n0;c\r\n\r\n", b"hi"),
    _body("extensions", b"2;a=b;c;d=e\r\nhi\r\n0\r\n\r\n", b"hi"),
    _body("quoted value", b'2;a="b c"\r\nhi\r\n0\r\n\r\n', b"hi"),
    _body("empty quoted value", b'2;a=""\r\nhi\r\n0\r\n\r\n', b"hi"),
    _body("quoted value with a semicolon", b'2;a=";b=c"\r\nhi\r\n0\r\n\r\n', b"hi"),
    _body("quoted value with an escape", b'2;a="b\\"c\\\\"\r\nhi\r\n0\r\n\r\n', b"hi"),
    _body("quoted value beyond ASCII", b'2;a="\xe4"\r\nhi\r\n0\r\n\r\n', b"hi"),
    _body("blank before the semicolon", b"2 ;a\r\nhi\r\n0\r\n\r\n", b"hi"),
    _body("blank behind the semicolon", b"2; a\r\nhi\r\n0\r\n\r\n", b"hi"),
    *(
        _bad(f"extension {extension!r}", b"2" + extension + b"\r\nhi\r\n0\r\n\r\n")
        for extension in (
            b";",
            b";;a",
            b";a;",
            b";=b",
            b";a=",
            b";a= b",
            b";a =b",
            b";a=b c",
            b';a="b',
            b';a=b"',
            b';a="b"c',
            b';a="\\"',
            b";a\0",
            b";a\x01=b",
            b";a=\x7f",
            b';a="\0"',
            b';a="\x1f"',
            b";\xe4",
            b";a=\xe4",
            b";a(b)",
            b";a=b;\r",
            b",a",
            b";a\r\n ;b",
            b";a ",
            b";a=b\t",
        )
    ),
    _bad("bare LF in an extension", b"2;a\nhi\r\n0\r\n\r\n"),
    _bad("bare LF in an extension, and a size", b"2;\n3\r\nabc\r\n0\r\n\r\n"),
    _bad("bare CR in an extension", b"2;a\rb\r\nhi\r\n0\r\n\r\n"),
    _bad("bare LF in a quoted value", b'2;a="\n"\r\nhi\r\n0\r\n\r\n'),
    _bad(
        "extensions that are too large together",
        (b"1;" + b"a" * 4000 + b"\r\nx\r\n") * 5 + b"0\r\n\r\n",
        modes=(WHOLE, AT_CRLF, WITH_TAIL),
    ),
    _body(
        "extensions that are not too large together",
        (b"1;" + b"a" * 4000 + b"\r\nx\r\n") * 4 + b"0\r\n\r\n",
        b"xxxx",
        modes=(WHOLE, AT_CRLF, WITH_TAIL),
    ),
    _bad("zeros that are too many together", b"00000000000001\r\nx\r\n" * 1300, modes=(WHOLE,)),
    _body("many small chunks", b"1\r\nx\r\n" * 500 + b"0\r\n\r\n", b"x" * 500),
    _body(
        "chunks of every small size",
        b"".join(b"%x\r\n%b\r\n" % (n, b"x" * n) for n in range(1, 260)) + b"0\r\n\r\n",
        b"x" * 33670,
        modes=(WHOLE, AT_CRLF, WITH_TAIL),
    ),
    # --- trailers
    _body("trailer", _trailers(b"X: 1"), b"hi", application="echo"),
    good(
        "a trailer does not reach the environ",
        _HEAD + _trailers(b"X: 1", b"X-Forwarded-Proto: https"),
        {"HTTP_X": None, "HTTP_X_FORWARDED_PROTO": None, "body": b"hi"},
    ),
    _body("trailers", _trailers(b"X: 1", b"Y: 2", b"X: 3"), b"hi"),
    _body("an empty trailer", _trailers(b"X:"), b"hi"),
    _body("a trailer beyond ASCII", _trailers(b"X: \xe4"), b"hi"),
    _body("a trailer with a tab", _trailers(b"X:\ta\tb\t"), b"hi"),
    *(_bad(f"trailer {name}", _trailers(f"{name}: 1".encode())) for name in _FORBIDDEN),
    _bad("trailer in capitals", _trailers(b"CONTENT-LENGTH: 1")),
    *(
        _bad(f"trailer {line!r}", _trailers(line))
        for line in (
            b"X",
            b": 1",
            b" X: 1",
            b"X : 1",
            b"X\t: 1",
            b"X: 1\0",
            b"X: \x0b",
            b"X: \x7f",
            b"X\0: 1",
            b"X(: 1",
            b"\xe4: 1",
            b"X: 1\r",
            b"X: 1\ry",
        )
    ),
    _bad("folded trailer", _trailers(b"X: 1", b" 2")),
    _bad("bare LF in a trailer", _trailers(b"X: 1\nY: 2")),
    _bad("bare LF behind a trailer", b"2\r\nhi\r\n0\r\nX: 1\n\r\n"),
    _bad("bare LF behind the trailers", b"2\r\nhi\r\n0\r\nX: 1\r\n\n"),
    # --- limits
    _bad(
        "a size line that is too long",
        b"2;" + b"a" * 60 + b"\r\nhi\r\n0\r\n\r\n",
        settings={"field_size": 60},
    ),
    _bad("a size line without an end", b"2;" + b"a" * 80, settings={"field_size": 60}),
    _body(
        "a size line of just the limit",
        b"2;" + b"a" * 58 + b"\r\nhi\r\n0\r\n\r\n",
        b"hi",
        settings={"field_size": 60},
    ),
    _bad(
        "a trailer that is too long", _trailers(b"X: " + b"1" * 90), "fields-size", 431, settings={"head": 90}
    ),
    _bad(
        "trailers that are too long together",
        _trailers(*[b"X: 12345"] * 12),
        "fields-size",
        431,
        settings={"head": 90},
    ),
    _bad("a trailer without an end", b"0\r\nX: " + b"1" * 100, "fields-size", 431, settings={"head": 90}),
    _body("trailers within their limit", _trailers(*[b"X: 12345"] * 9), b"hi", settings={"head": 90}),
    _bad(
        "a body that is too large",
        b"5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n",
        "body-size",
        413,
        settings={"body": 10},
    ),
    _bad(
        "a chunk that is too large, before it is there",
        b"b\r\nhello worl",
        "body-size",
        413,
        settings={"body": 10},
        modes=_ALONE,
    ),
    _body(
        "a body of just the limit",
        b"5\r\nhello\r\n5\r\nworld\r\n0\r\n\r\n",
        b"helloworld",
        settings={"body": 10},
    ),
    _body(
        "a body beyond the buffer",
        b"5\r\nhello\r\n5\r\nworld\r\n0\r\n\r\n",
        b"helloworld",
        settings={"body_buffer": 4},
    ),
    # --- what stands behind
    good(
        "a request behind a chunked one",
        _HEAD + b"2\r\nhi\r\n0\r\n\r\n" + get(target="/b"),
        {"body": b"hi"},
        {"PATH_INFO": "/b"},
    ),
    good(
        "a request behind trailers",
        _HEAD + _trailers(b"X: 1") + get(target="/b"),
        {"body": b"hi"},
        {"PATH_INFO": "/b"},
    ),
    bad(
        "octets behind the last chunk",
        _HEAD + b"2\r\nhi\r\n0\r\n\r\nGARBAGE\r\n\r\n",
        "request-line",
        after=1,
    ),
    bad("a second last chunk", _HEAD + b"2\r\nhi\r\n0\r\n\r\n0\r\n\r\n", "request-line", after=1),
)
