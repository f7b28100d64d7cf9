"""What applications give and what leaves of it: statuses, headers, framing, violations of PEP 3333."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.wire.applications import with_headers, with_result, with_status
from tests.wire.case import Case, get, good, request

_HEAD = request("HEAD / HTTP/1.1", "Host: a")
_TYPE = ("Content-Type", "text/plain")


def _length(number: int | str) -> tuple[str, str]:
    return ("Content-Length", str(number))


def answered(name: str, application: str, data: bytes = b"", *, status: int = 200, **expected: Any) -> Case:
    """A case in which the application's answer goes out with `expected`, on a connection that stays."""
    others = {key: expected.pop(key) for key in ("closes", "logs", "settings") if key in expected}
    return Case(
        name,
        data or get(),
        (status,),
        seen=({},),
        application=application,
        answers=({key.replace("_", "-"): value for key, value in expected.items()},),
        **others,
    )


def broken(name: str, application: str, *logs: str, data: bytes = b"") -> Case:
    """A case in which the application breaks a rule before anything is sent: 500, and the log names it."""
    return Case(
        name,
        data or get(),
        (500,),
        seen=({},),
        application=application,
        answers=({"content-type": "text/plain; charset=utf-8"},),
        logs=logs,
    )


def _header(title: str, *headers: Any, **expected: Any) -> Case:
    return answered(title, with_headers(title, *headers), **expected)


def _broken_header(title: str, log: str, *headers: Any) -> Case:
    return broken(title, with_headers(title, *headers), log)


def _status(status: str, code: int, reason: str, **expected: Any) -> Case:
    return answered(
        f"status {status}",
        with_status(f"status {status}", status, _TYPE),
        status=code,
        reason=reason,
        **expected,
    )


def _broken_status(status: Any, log: str = "status") -> Case:
    return broken(f"no status {status!r}", with_status(f"no status {status!r}", status, _TYPE), log)


class _Text(str):
    pass


class _Octets(bytes):
    pass


class _Pair(tuple[str, str]):
    pass


def _sized(size: int) -> Case:
    name, body = f"a body of {size}", b"y" * size
    return answered(name, with_headers(name, body=body), content_length=str(size), body=body)


def _dropped(name: str, value: str) -> Case:
    title = f"hop-by-hop {name} is left out"
    expected: dict[str, Any] = {name.lower().replace("-", "_"): None}
    return answered(
        title, with_headers(title, (name, value)), content_length="5", logs=("hop-by-hop",), **expected
    )


_DROPPED: Mapping[str, str] = {
    "Keep-Alive": "timeout=5",
    "Proxy-Connection": "close",
    "TE": "trailers",
    "Trailer": "X",
    "Transfer-Encoding": "chunked",
    "Upgrade": "h2c",
}

CASES: tuple[Case, ...] = (
    # --- statuses
    _status("200 OK", 200, "OK"),
    _status("200 ", 200, ""),
    _status("200", 200, ""),
    _status("200 Something Else", 200, "Something Else"),
    _status("200 B\xe4r", 200, "B\xe4r"),
    _status("201 Created", 201, "Created"),
    _status("299 Odd", 299, "Odd"),
    _status("404 Not Found", 404, "Not Found"),
    _status("418 I'm a teapot", 418, "I'm a teapot"),
    _status("500 Own Error", 500, "Own Error"),
    _status("599 X", 599, "X"),
    _status("999 X", 999, "X"),
    *(
        _broken_status(status)
        for status in (
            "",
            "OK",
            "20 OK",
            "2000 OK",
            "200OK",
            " 200 OK",
            "200\tOK",
            "0200 OK",
            "099 OK",
            "-20 OK",
            "+20 OK",
            "2O0 OK",
            "\xb2\xb2\xb2 OK",
            "200 O\rK",
            "200 O\nK",
            "200 OK\r\nX: 1",
            "200 OK\r\n",
            "200 \0",
            "200 \x7f",
            "200 \u20ac",
            "HTTP/1.1 200 OK",
            200,
            b"200 OK",
            None,
            ("200", "OK"),
        )
    ),
    *(
        _broken_status(status, "interim")
        for status in ("100 Continue", "101 Switching Protocols", "103 Early Hints", "199 X")
    ),
    # --- headers
    _header("headers arrive in their order", ("X", "1"), ("Y", "2"), ("X", "3"), x=["1", "3"], y="2"),
    _header("Set-Cookie twice", ("Set-Cookie", "a=1"), ("Set-Cookie", "b=2"), set_cookie=["a=1", "b=2"]),
    _header("no headers at all", body=b"hello", content_length="5"),
    _header("an empty value", ("X", ""), x=""),
    _header("octets beyond ASCII in a header", ("X", "\xe4\xff"), x="\xe4\xff"),
    _header("a tab in a header", ("X", "a\tb"), x="a\tb"),
    _header("an own Date", ("Date", "Mon, 01 Jan 2024 00:00:00 GMT"), date="Mon, 01 Jan 2024 00:00:00 GMT"),
    _header(
        "two own Dates",
        ("Date", "Mon, 01 Jan 2024 00:00:00 GMT"),
        ("DATE", "Tue, 02 Jan 2024 00:00:00 GMT"),
        date="Mon, 01 Jan 2024 00:00:00 GMT",
    ),
    _header("an own Server", ("Server", "mine/1"), server="mine/1"),
    _header(
        "an own Server and Date",
        ("Server", "mine/1"),
        ("Date", "Mon, 01 Jan 2024 00:00:00 GMT"),
        server="mine/1",
        date="Mon, 01 Jan 2024 00:00:00 GMT",
    ),
    _header("the house's Server", server="indrik"),
    _header("a pair that is a list", ["X", "1"], x="1"),
    _header("a pair that is a subclass of tuple", _Pair(("X", "1")), x="1"),
    _header("a value that is a subclass of str", ("X", _Text("1")), x="1"),
    _header("a name that is a subclass of str", (_Text("X"), "1"), x="1"),
    _header(
        "a length that is a subclass of str",
        ("Content-Length", _Text("5")),
        body=b"hello",
        content_length="5",
    ),
    *(
        _broken_header(f"a header's value with {octet!r}", "RFC 9110 section 5.5", ("X", f"a{octet}b"))
        for octet in (
            "\r",
            "\n",
            "\r\n",
            "\r\n\r\n",
            "\0",
            "\x01",
            "\x08",
            "\x0b",
            "\x0c",
            "\x1f",
            "\x7f",
            "\u0100",
            "\u20ac",
            "\u010d",
            "\u560a",
        )
    ),
    _broken_header("a value that ends in CRLF", "RFC 9110 section 5.5", ("X", "a\r\n")),
    _broken_header("a value that ends in LF", "RFC 9110 section 5.5", ("X", "a\n")),
    _broken_header(
        "a cookie that splits the response",
        "RFC 9110 section 5.5",
        ("Set-Cookie", "a=1\r\nSet-Cookie: admin=1"),
    ),
    _broken_header(
        "a location that splits the response", "RFC 9110 section 5.5", ("Location", "/\r\n\r\n<script>")
    ),
    *(
        _broken_header(f"a header named {name!r}", "RFC 9110 section 5.1", (name, "1"))
        for name in ("", " ", "X Y", " X", "X ", "X:", "X\r\nY", "X\0", "X\n", "X(", "\xe4", "X\u0100")
    ),
    _broken_header("a name of bytes", "PEP 3333", (b"X", "1")),
    _broken_header("a value of bytes", "PEP 3333", ("X", b"1")),
    _broken_header("a number for a value", "PEP 3333", ("X", 1)),
    _broken_header("None for a value", "PEP 3333", ("X", None)),
    _broken_header("a header of three", "PEP 3333", ("X", "1", "2")),
    _broken_header("a header of one", "PEP 3333", ("X",)),
    _broken_header("a header that is a str", "PEP 3333", "X: 1"),
    _broken_header("a header that is a str of two", "PEP 3333", "XY"),
    broken("start response twice", "start response twice", "PEP 3333"),
    # --- hop by hop
    *(_dropped(name, value) for name, value in _DROPPED.items()),
    _header("Connection: close is heeded", ("Connection", "close"), closes=True, connection="close"),
    _header("Connection: Close too", ("Connection", "Close"), closes=True, connection="close"),
    _header("Connection: keep-alive changes nothing", ("Connection", "keep-alive"), connection=None),
    _header(
        "another Connection is left out", ("Connection", "upgrade"), connection=None, logs=("hop-by-hop",)
    ),
    # --- Content-Length
    _header("the length of one item is known", content_length="5", transfer_encoding=None, body=b"hello"),
    _header("an own length", _length(5), content_length="5", body=b"hello"),
    _header("an own length in zeros", _length("0005"), body=b"hello"),
    _header(
        "an own length with more in the body",
        _length(3),
        closes=True,
        body=b"hel",
        logs=("more than its Content-Length of 3",),
    ),
    _header(
        "an own length of 0 with a body",
        _length(0),
        closes=True,
        body=b"",
        logs=("more than its Content-Length of 0",),
    ),
    _header(
        "an own length with less in the body",
        _length(9),
        closes=True,
        complete=False,
        logs=("5 bytes of its Content-Length of 9",),
    ),
    _broken_header("two lengths of its own", "RFC 9110 section 8.6", _length(5), _length(5)),
    *(
        _broken_header(f"an own length {value!r}", "RFC 9110 section 8.6", _length(value))
        for value in ("", "x", "-1", "+5", "5 ", " 5", "5,5", "0x5", "5.0", "\xb2", "1" * 19)
    ),
    _broken_header("a number for a length", "PEP 3333", ("Content-Length", 5)),
    # --- what may not have a body
    answered(
        "HEAD with an own length",
        with_headers("HEAD with an own length", _length(5)),
        _HEAD,
        body=b"",
        content_length="5",
    ),
    answered("HEAD with a body", with_headers("HEAD with a body"), _HEAD, body=b"", content_length="5"),
    answered(
        "HEAD without a body",
        with_headers("HEAD without a body", body=b""),
        _HEAD,
        body=b"",
        content_length=None,
    ),
    answered(
        "HEAD with a wrong length",
        with_headers("HEAD with a wrong length", _length(3)),
        _HEAD,
        body=b"",
        content_length="3",
    ),
    answered(
        "HEAD with a generator",
        with_result("HEAD with a generator", lambda: iter([b"a", b"b"])),
        _HEAD,
        body=b"",
        transfer_encoding=None,
    ),
    answered("HEAD that fails", "raises", _HEAD, status=500, body=b"", logs=("the application failed",)),
    *(
        answered(
            f"{status} with a body",
            with_status(f"{status} with a body", status, body=b"hello"),
            status=int(status[:3]),
            body=b"",
            content_length=None,
            transfer_encoding=None,
        )
        for status in ("204 No Content", "304 Not Modified")
    ),
    answered(
        "204 with a length",
        with_status("204 with a length", "204 No Content", _length(5), body=b"hello"),
        status=204,
        content_length=None,
    ),
    answered(
        "304 with a length",
        with_status("304 with a length", "304 Not Modified", _length(5)),
        status=304,
        content_length="5",
    ),
    answered(
        "204 with a generator",
        with_result("204 with a generator", lambda: iter([b"a"]), status="204 No Content"),
        status=204,
        transfer_encoding=None,
    ),
    answered(
        "205 has length 0",
        with_status("205 has length 0", "205 Reset Content"),
        status=205,
        content_length="0",
    ),
    answered(
        "a redirect without a body",
        with_status("a redirect without a body", "302 Found", ("Location", "/x")),
        status=302,
        content_length="0",
        location="/x",
    ),
    good(
        "HEAD, 204, 304, GET on one connection",
        _HEAD + get() + _HEAD + get(),
        {},
        {},
        {},
        {},
        application="reads nothing",
    ),
    # --- iterables
    answered(
        "a list of many",
        with_result("a list of many", lambda: [b"a", b"", b"bc"]),
        content_length="3",
        body=b"abc",
    ),
    answered("an empty list", with_result("an empty list", list), content_length="0", body=b""),
    answered("a list of nothing", with_result("a list of nothing", lambda: [b"", b""]), content_length="0"),
    answered("a tuple", with_result("a tuple", lambda: (b"a", b"b")), content_length="2", body=b"ab"),
    answered(
        "a generator",
        with_result("a generator", lambda: iter([b"a", b"", b"bc"])),
        transfer_encoding="chunked",
        body=b"abc",
    ),
    answered(
        "an empty generator",
        with_result("an empty generator", lambda: iter(())),
        content_length="0",
        body=b"",
    ),
    answered(
        "a generator with a length",
        with_result("a generator with a length", lambda: iter([b"a", b"bc"]), _length(3)),
        content_length="3",
        body=b"abc",
    ),
    answered(
        "a generator with more than its length",
        with_result("a generator with more than its length", lambda: iter([b"ab", b"cd", b"ef"]), _length(3)),
        closes=True,
        body=b"abc",
        logs=("more than its Content-Length",),
    ),
    answered(
        "a generator with less than its length",
        with_result("a generator with less than its length", lambda: iter([b"ab"]), _length(3)),
        closes=True,
        complete=False,
        logs=("2 bytes of its Content-Length of 3",),
    ),
    answered(
        "a list with more than its length",
        with_result("a list with more than its length", lambda: [b"ab", b"cd"], _length(3)),
        closes=True,
        body=b"abc",
        logs=("more than its Content-Length",),
    ),
    answered(
        "a list with less than its length",
        with_result("a list with less than its length", lambda: [b"ab"], _length(3)),
        closes=True,
        complete=False,
        logs=("2 bytes",),
    ),
    answered(
        "a generator on 1.0",
        with_result("a generator on 1.0", lambda: iter([b"a", b"b"])),
        get(version="1.0"),
        closes=True,
        transfer_encoding=None,
        content_length=None,
        body=b"ab",
    ),
    answered(
        "a generator on 1.0 that would stay",
        with_result("a generator on 1.0 that would stay", lambda: iter([b"a"])),
        get("Connection: keep-alive", version="1.0"),
        closes=True,
        connection="close",
        body=b"a",
    ),
    answered(
        "a list on 1.0 that stays",
        with_result("a list on 1.0 that stays", lambda: [b"a"]),
        get("Connection: keep-alive", version="1.0"),
        connection="keep-alive",
        body=b"a",
    ),
    answered(
        "a generator function", "start response in the generator", transfer_encoding="chunked", body=b"hello"
    ),
    answered(
        "items that are a subclass of bytes",
        with_result("items that are a subclass of bytes", lambda: [_Octets(b"hello")]),
        body=b"hello",
    ),
    answered(
        "many items that are a subclass of bytes",
        with_result("many items that are a subclass of bytes", lambda: iter([_Octets(b"he"), b"llo"])),
        body=b"hello",
    ),
    answered(
        "a large item",
        with_result("a large item", lambda: [b"x" * 300000]),
        content_length="300000",
        body=b"x" * 300000,
    ),
    answered(
        "large chunks",
        with_result("large chunks", lambda: iter([b"x" * 70000] * 3)),
        transfer_encoding="chunked",
        body=b"x" * 210000,
    ),
    *(
        broken(f"the result is {what}", with_result(f"the result is {what}", make), log)
        for what, make, log in (
            ("None", lambda: None, "PEP 3333"),
            ("a number", lambda: 5, "PEP 3333"),
            ("a str", lambda: "hello", "PEP 3333"),
            ("bytes", lambda: b"hello", "PEP 3333"),
            ("a list of str", lambda: ["hello"], "PEP 3333"),
            ("a list of bytearray", lambda: [bytearray(b"hello")], "PEP 3333"),
            ("a list of None", lambda: [None], "PEP 3333"),
            ("a list that begins well", lambda: [b"hello", "x"], "PEP 3333"),
            ("a generator of str", lambda: iter(["x"]), "PEP 3333"),
            ("a generator of numbers", lambda: iter([1]), "PEP 3333"),
            ("a list of an empty str", lambda: [""], "PEP 3333"),
        )
    ),
    answered(
        "a generator that begins well",
        with_result("a generator that begins well", lambda: iter([b"a", "b"])),
        closes=True,
        complete=False,
        logs=("PEP 3333",),
    ),
    # --- start_response and write
    broken("no start response", "no start response", "PEP 3333"),
    broken("no start response and no body", "no start response and no body", "PEP 3333"),
    broken("an empty item before start response", "start response after an empty string", "PEP 3333"),
    answered(
        "exc_info replaces the head",
        "start response with exc info",
        status=503,
        x_first=None,
        x_second="2",
        content_length="5",
        body=b"sorry",
    ),
    answered(
        "what is wrong in a header is raised by start_response",
        "a wrong header caught",
        status=500,
        body=b"RFC 9110 section 5.5: the value of 'X-Note' holds a control or non-latin-1 character: "
        b"'two\\r\\nlines'",
    ),
    answered("exc_info in the first call", "exc info first", status=503, body=b"sorry"),
    answered(
        "exc_info after the head raises",
        "exc info after the head",
        closes=True,
        complete=False,
        logs=("the application failed",),
    ),
    answered("write", "written", transfer_encoding="chunked", body=b"hello"),
    answered("write on 1.0", "written", get(version="1.0"), closes=True, body=b"hello"),
    answered("write for HEAD", "written", _HEAD, body=b""),
    answered("write and return", "written and returned", content_length="10", body=b"helloworld"),
    answered("write nothing", "written nothing", transfer_encoding="chunked", body=b""),
    broken("write text", "written text", "PEP 3333"),
    answered("headers as they were given", "headers changed later", content_length="5", body=b"hello"),
    # --- exceptions
    broken("an exception", "raises", "the application failed"),
    broken("an exception after start response", "raises after start response", "the application failed"),
    # --- the size of what is sent
    *(_sized(size) for size in (1, 4095, 4096, 4097, 65536)),
)
