"""Whether the connection lives on, pipelines, and Expect (RFC 9112 section 9, RFC 9110 section 10.1.1)."""

from __future__ import annotations

from tests.wire.case import Case, bad, get, good, post, request

_HELLO = "reads nothing"
_LONG = b"0123456789" * 300


def _options(value: str, version: str = "1.1") -> bytes:
    return get(f"Connection: {value}", version=version)


CASES: tuple[Case, ...] = (
    good("1.1 stays", get(), {}, answers=({"connection": None},)),
    good("1.1 closes if asked", _options("close"), {}, closes=True, answers=({"connection": "close"},)),
    good("1.0 closes", get(version="1.0"), {}, closes=True, answers=({"connection": "close"},)),
    good("1.0 stays if asked", _options("keep-alive", "1.0"), {}, answers=({"connection": "keep-alive"},)),
    good("1.0 asked to close", _options("close", "1.0"), {}, closes=True),
    good("1.0 with another option", _options("x", "1.0"), {}, closes=True),
    *(
        good(f"1.1 with Connection {value!r} stays", _options(value), {}, answers=({"connection": None},))
        for value in (
            "keep-alive",
            "Keep-Alive",
            "",
            ",",
            "upgrade",
            "x",
            "x, keep-alive",
            "closed",
            "not-close",
            "clos e",
            "close;q=1",
            '"close"',
        )
    ),
    *(
        good(f"1.1 with Connection {value!r} closes", _options(value), {}, closes=True)
        for value in (
            "Close",
            "CLOSE",
            "x, close",
            "close, x",
            "keep-alive, close",
            "close, keep-alive",
            ",close",
            "close,",
            "x,\tclose\t,y",
            "TE,close",
        )
    ),
    *(
        good(
            f"1.0 with Connection {value!r} stays",
            _options(value, "1.0"),
            {},
            answers=({"connection": "keep-alive"},),
        )
        for value in ("Keep-Alive", "KEEP-ALIVE", "x, keep-alive", "keep-alive, x", ",keep-alive,")
    ),
    *(
        good(f"1.0 with Connection {value!r} closes", _options(value, "1.0"), {}, closes=True)
        for value in ("", "keepalive", "keep-alive, close", "keep-alive2", "keep alive")
    ),
    good("options in two fields", get("Connection: keep-alive", "Connection: close"), {}, closes=True),
    good(
        "options in two fields, close first",
        get("Connection: close", "Connection: keep-alive"),
        {},
        closes=True,
    ),
    good(
        "Keep-Alive alone says nothing on 1.0", get("Keep-Alive: timeout=5", version="1.0"), {}, closes=True
    ),
    good("Proxy-Connection says nothing", get("Proxy-Connection: close"), {}),
    good(
        "Proxy-Connection says nothing on 1.0",
        get("Proxy-Connection: keep-alive", version="1.0"),
        {},
        closes=True,
    ),
    good(
        "a field named in Connection arrives all the same",
        get("Connection: X", "X: 1"),
        {"HTTP_X": "1", "HTTP_CONNECTION": "X"},
    ),
    good(
        "without keep-alive every connection closes",
        get(),
        {},
        closes=True,
        settings={"keepalive": 0.0},
        answers=({"connection": "close"},),
    ),
    good(
        "without keep-alive 1.0 closes too",
        _options("keep-alive", "1.0"),
        {},
        closes=True,
        settings={"keepalive": 0.0},
    ),
    # --- pipelines
    good("two requests", get(target="/a") + get(target="/b"), {"PATH_INFO": "/a"}, {"PATH_INFO": "/b"}),
    good("fifty requests", get() * 50, *({} for _ in range(50))),
    good(
        "HEAD between",
        request("HEAD / HTTP/1.1", "Host: a") + get(target="/b"),
        {},
        {"PATH_INFO": "/b"},
        application=_HELLO,
        answers=({"body": b"", "content-length": "2"}, {"body": b"ok"}),
    ),
    good(
        "bodies between",
        post("Content-Length: 2", body=b"hi") * 3 + get(),
        {"body": b"hi"},
        {"body": b"hi"},
        {"body": b"hi"},
        {"body": b""},
    ),
    good(
        "large bodies between, each in one piece with its head",
        post("Content-Length: 3000", body=_LONG) * 3 + get(target="/b"),
        {"body": _LONG},
        {"body": _LONG},
        {"body": _LONG},
        {"PATH_INFO": "/b"},
    ),
    good(
        "a large body in chunks, and one behind it",
        post("Transfer-Encoding: chunked", body=b"bb8\r\n" + _LONG + b"\r\n0\r\n\r\n")
        + post("Content-Length: 3000", body=_LONG)
        + get(target="/b"),
        {"body": _LONG},
        {"body": _LONG},
        {"PATH_INFO": "/b"},
    ),
    good(
        "a large body that holds the end of a head",
        post("Content-Length: 3004", body=_LONG[:1500] + b"\r\n\r\n" + _LONG[1500:]) + get(target="/b"),
        {"body": _LONG[:1500] + b"\r\n\r\n" + _LONG[1500:]},
        {"PATH_INFO": "/b"},
    ),
    good(
        "an empty line before a request with a large body",
        b"\r\n" + post("Content-Length: 3000", body=_LONG) + get(target="/b"),
        {"body": _LONG},
        {"PATH_INFO": "/b"},
    ),
    good(
        "a request without a body, and much behind it",
        get(target="/a") + post("Content-Length: 3000", body=_LONG) + get(target="/b"),
        {"PATH_INFO": "/a", "body": b""},
        {"body": _LONG},
        {"PATH_INFO": "/b"},
    ),
    bad(
        "a large body that is longer than was announced",
        post("Content-Length: 3000", body=_LONG + b"NONSENSE\r\n\r\nx"),
        "request-line",
        after=1,
        seen=({"body": _LONG},),
    ),
    bad("a bad head with much behind it", b"NONSENSE\r\n\r\n" + _LONG, "request-line"),
    good(
        "unread bodies are not taken for requests",
        post("Content-Length: 23", body=b"GET /x HTTP/1.1\r\nHost: ") * 2,
        {},
        {},
        application=_HELLO,
    ),
    good(
        "nothing is read behind close",
        _options("close") + get(target="/b") * 3,
        {"PATH_INFO": "/"},
        closes=True,
    ),
    good(
        "nothing is read behind 1.0", get(version="1.0") + get(target="/b"), {"PATH_INFO": "/"}, closes=True
    ),
    good(
        "1.0 that stays, then 1.1", _options("keep-alive", "1.0") + get(target="/b"), {}, {"PATH_INFO": "/b"}
    ),
    good(
        "1.1, then 1.0 that closes",
        get() + get(target="/b", version="1.0") + get(),
        {},
        {"PATH_INFO": "/b"},
        closes=True,
    ),
    bad(
        "good ones before a bad one are answered",
        get() * 3 + b"NONSENSE\r\n\r\n" + get(),
        "request-line",
        after=3,
    ),
    good("garbage behind close", _options("close") + b"\0\1\2", {}, closes=True),
    good("two requests and the end of the stream", get() * 2, {}, {}, closes=True, ends=True),
    # --- Expect
    good(
        "100-continue with its body",
        post("Content-Length: 2", "Expect: 100-continue", body=b"hi"),
        {"body": b"hi", "HTTP_EXPECT": "100-continue"},
    ),
    good(
        "100-continue in capitals",
        post("Content-Length: 2", "Expect: 100-CONTINUE", body=b"hi"),
        {"body": b"hi"},
    ),
    good(
        "100-continue with chunks",
        post("Transfer-Encoding: chunked", "Expect: 100-continue", body=b"2\r\nhi\r\n0\r\n\r\n"),
        {"body": b"hi"},
    ),
    good("100-continue without a body", get("Expect: 100-continue"), {"body": b""}),
    good("100-continue with length 0", post("Content-Length: 0", "Expect: 100-continue"), {"body": b""}),
    good(
        "100-continue on 1.0 is ignored",
        post("Content-Length: 2", "Expect: 100-continue", body=b"hi", version="1.0"),
        {"body": b"hi"},
        closes=True,
    ),
    good(
        "other expectations on 1.0 are ignored",
        post("Content-Length: 2", "Expect: magic", body=b"hi", version="1.0"),
        {"body": b"hi"},
        closes=True,
    ),
    *(
        bad(f"Expect {value!r}", post("Content-Length: 2", f"Expect: {value}", body=b"hi"), "expect", 417)
        for value in (
            "magic",
            "",
            "100-continue, magic",
            "100-continue, 100-continue",
            "100-continu",
            "100-continue;q=1",
            "100",
            '"100-continue"',
        )
    ),
    bad(
        "two Expects",
        post("Content-Length: 2", "Expect: 100-continue", "Expect: 100-continue", body=b"hi"),
        "expect",
        417,
    ),
    bad("Expect without a body", get("Expect: magic"), "expect", 417),
)
