"""Request lines: method, blanks and version (RFC 9112 sections 2.2, 2.3 and 3)."""

from __future__ import annotations

from tests.wire.case import Case, bad, get, good, request, waiting

_LINE = "request-line"


def _line(line: str) -> bytes:
    return request(line, "Host: a")


def _method(method: str) -> bytes:
    return _line(f"{method} / HTTP/1.1")


CASES: tuple[Case, ...] = (
    # --- methods
    *(
        good(f"method {method}", _method(method), {"REQUEST_METHOD": method})
        for method in (
            "GET",
            "POST",
            "PUT",
            "DELETE",
            "PATCH",
            "OPTIONS",
            "TRACE",
            "PROPFIND",
            "MKCALENDAR",
            "A-B",
            "X.Y",
        )
    ),
    good("method HEAD", _method("HEAD"), {"REQUEST_METHOD": "HEAD"}, answers=({"body": b""},)),
    good("method of 20 letters", _method("A" * 20), {"REQUEST_METHOD": "A" * 20}),
    good("method of 3 letters", _method("FOO"), {"REQUEST_METHOD": "FOO"}),
    good("method that only begins like GET", _method("GETS"), {"REQUEST_METHOD": "GETS"}),
    bad("method of 21 letters", _method("A" * 21), "method"),
    bad("method of 2 letters", _method("AB"), "method"),
    bad("method in lower case", _method("get"), "method"),
    bad("method in mixed case", _method("Get"), "method"),
    bad("method with #", _method("GE#T"), "method"),
    *(
        bad(f"method with {octet!r}", _method(f"GE{octet}T"), "method")
        for octet in (
            "(",
            ")",
            ",",
            "/",
            ":",
            ";",
            "<",
            "=",
            ">",
            "?",
            "@",
            "[",
            "\\",
            "]",
            "{",
            "}",
            '"',
            "\xe4",
        )
    ),
    bad("no method", _line(" / HTTP/1.1"), "method"),
    good(
        "any token as method if permitted",
        _method("g#") + _method("report"),
        {"REQUEST_METHOD": "g#"},
        {"REQUEST_METHOD": "report"},
        settings={"permit_unconventional_method": True},
    ),
    bad(
        "no token as method even if permitted",
        _method("g(t"),
        "method",
        settings={"permit_unconventional_method": True},
    ),
    good(
        "method folded to capitals",
        _method("get"),
        {"REQUEST_METHOD": "GET"},
        settings={"casefold_method": True},
    ),
    good(
        "method folded, odd one",
        _method("purge"),
        {"REQUEST_METHOD": "PURGE"},
        settings={"casefold_method": True},
    ),
    good(
        "folded HEAD is HEAD",
        _method("head"),
        {"REQUEST_METHOD": "HEAD"},
        settings={"casefold_method": True},
        application="reads nothing",
        answers=({"body": b"", "content-length": "2"},),
    ),
    # --- versions
    good("version 1.1", get(), {"SERVER_PROTOCOL": "HTTP/1.1"}),
    good("version 1.0", get(version="1.0"), {"SERVER_PROTOCOL": "HTTP/1.0"}, closes=True),
    *(
        # RFC 9110 section 6.2: as the highest minor version of that major version that is conformed to.
        good(
            f"version {minor} is read as 1.1",
            get(version=minor) + get(version=minor),
            {"SERVER_PROTOCOL": "HTTP/1.1"},
            {"SERVER_PROTOCOL": "HTTP/1.1"},
        )
        for minor in ("1.2", "1.9")
    ),
    bad("version 1.2 needs a Host", get(version="1.2", host=None), "host"),
    *(
        bad(f"version {version}", _line(f"GET / {version}"), "version", 505)
        for version in ("HTTP/2.0", "HTTP/3.0", "HTTP/0.9", "HTTP/9.9", "HTTP/0.0")
    ),
    *(
        bad(f"version {version!r}", _line(f"GET / {version}"), _LINE)
        for version in (
            "http/1.1",
            "Http/1.1",
            "HTTP/1",
            "HTTP/1.",
            "HTTP/.1",
            "HTTP/1.10",
            "HTTP/01.1",
            "HTTP/1.1x",
            "HTTP/1,1",
            "HTTP1.1",
            "HTTP/-1.1",
            "HTTP/+1.1",
            "HTTPS/1.1",
            "ICAP/1.0",
            "HTTP/1.\xb9",
            "HTTP /1.1",
            "HTTP/ 1.1",
            "HTTP/1 .1",
            "HTTP//1.1",
            "HTTP/",
            "HTTP",
        )
    ),
    good(
        "another major version if permitted",
        _line("GET / HTTP/2.0"),
        {"SERVER_PROTOCOL": "HTTP/1.1"},
        settings={"permit_unconventional_version": True},
    ),
    bad(
        "no version at all if odd ones are permitted",
        _line("GET / HTTQ/2.0"),
        _LINE,
        settings={"permit_unconventional_version": True},
    ),
    # --- blanks
    bad("two blanks behind the method", _line("GET  / HTTP/1.1"), "target"),
    bad("two blanks before the version", _line("GET /  HTTP/1.1"), "target"),
    bad("blank before the method", _line(" GET / HTTP/1.1"), "method"),
    bad("blank at the end", _line("GET / HTTP/1.1 "), _LINE),
    bad("tab behind the method", _line("GET\t/ HTTP/1.1"), _LINE),
    bad("tab before the version", _line("GET /\tHTTP/1.1"), _LINE),
    bad("tab at the end", _line("GET / HTTP/1.1\t"), _LINE),
    bad("blank in the target", _line("GET /a b HTTP/1.1"), "target"),
    bad("no-break space for a blank", _line("GET\xa0/ HTTP/1.1"), _LINE),
    bad("only a method", _line("GET"), _LINE),
    bad("method and blank", _line("GET "), _LINE),
    bad("no version, as in HTTP/0.9", _line("GET /"), _LINE),
    bad("no target", _line("GET HTTP/1.1"), _LINE),
    bad("empty target", _line("GET  HTTP/1.1"), "target"),
    bad("a version alone", _line("HTTP/1.1"), _LINE),
    bad("a response", _line("HTTP/1.1 200 OK"), _LINE),
    bad("nothing but a field", request("Host: a"), _LINE),
    # --- empty lines
    good("one empty line before the request", b"\r\n" + get(), {"PATH_INFO": "/"}),
    bad("two empty lines before the request", b"\r\n\r\n" + get(), _LINE),
    good("an empty line before each of two requests", (b"\r\n" + get()) * 2, {}, {}),
    waiting("an empty line alone", b"\r\n"),
    bad("a bare LF before the request", b"\n" + get(), _LINE),
    bad("a bare CR before the request", b"\r" + get(), _LINE),
    bad("CR CR LF before the request", b"\r\r\n" + get(), _LINE),
    # --- line ends
    bad("bare LF behind the request line", b"GET / HTTP/1.1\nHost: a\r\n\r\n", _LINE),
    bad("bare LF everywhere", b"GET / HTTP/1.1\nHost: a\n\n", _LINE),
    bad("bare CR behind the request line", b"GET / HTTP/1.1\rHost: a\r\n\r\n", _LINE),
    bad("CR CR LF behind the request line", b"GET / HTTP/1.1\r\r\nHost: a\r\n\r\n", _LINE),
    bad("LF CR behind the request line", b"GET / HTTP/1.1\n\rHost: a\r\n\r\n", _LINE),
    *(
        bad(f"octet {octet:#04x} in the method", b"GE%cT / HTTP/1.1\r\nHost: a\r\n\r\n" % octet, _LINE)
        for octet in (0, 1, 7, 8, 11, 12, 27, 31, 127)
    ),
    *(
        bad(f"octet {octet:#04x} in the target", b"GET /a%cb HTTP/1.1\r\nHost: a\r\n\r\n" % octet, _LINE)
        for octet in (0, 1, 8, 11, 12, 27, 31, 127)
    ),
    # --- other protocols
    bad("the preface of HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "version", 505),
    bad("a TLS handshake", bytes.fromhex("160301020001000001fc0303") + bytes(32) + b"\r\n\r\n", _LINE),
    bad("an SSH greeting", b"SSH-2.0-OpenSSH_9.6\r\n\r\n", _LINE),
    # --- unfinished
    waiting("nothing", b""),
    waiting("half a request line", b"GET / HT"),
    waiting("a request line", b"GET / HTTP/1.1\r\n"),
    waiting("a request line and CR", b"GET / HTTP/1.1\r"),
    waiting("a head without its end", b"GET / HTTP/1.1\r\nHost: a\r\n"),
    waiting("a head with half of its end", b"GET / HTTP/1.1\r\nHost: a\r\n\r"),
    waiting(
        "an unfinished head and the end of the stream", b"GET / HTTP/1.1\r\nHost", closes=True, ends=True
    ),
    waiting("nothing and the end of the stream", b"", closes=True, ends=True),
    good("a request and the end of the stream", get(), {"PATH_INFO": "/"}, closes=True, ends=True),
)
