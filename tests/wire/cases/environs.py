"""What every environ must hold (PEP 3333, "environ Variables"), over a unix socket."""

from __future__ import annotations

from tests.wire.case import Case, get, good, post, request

_ALWAYS = {
    "REQUEST_METHOD": "GET",
    "SCRIPT_NAME": "",
    "PATH_INFO": "/",
    "QUERY_STRING": "",
    "SERVER_NAME": "a",
    "SERVER_PORT": "80",
    "SERVER_PROTOCOL": "HTTP/1.1",
    "SERVER_SOFTWARE": "indrik/test",
    "REMOTE_ADDR": "",
    "RAW_URI": "/",
    "HTTP_HOST": "a",
    "wsgi.version": (1, 0),
    "wsgi.url_scheme": "http",
    "wsgi.multithread": False,
    "wsgi.multiprocess": False,
    "wsgi.run_once": False,
    "wsgi.input_terminated": True,
    "CONTENT_LENGTH": None,
    "CONTENT_TYPE": None,
    "HTTPS": None,
    "PATH": None,
    "body": b"",
}

CASES: tuple[Case, ...] = (
    good("what is always there", get(), _ALWAYS),
    good(
        "nothing is left of the request before",
        post("Content-Length: 2", "X: 1", "Cookie: c", body=b"hi") + get(),
        {"HTTP_X": "1"},
        {**_ALWAYS, "HTTP_X": None, "HTTP_COOKIE": None},
    ),
    good(
        "nothing is left of a chunked one",
        post("Transfer-Encoding: chunked", body=b"2\r\nhi\r\n0\r\n\r\n") + get(),
        {"CONTENT_LENGTH": "2"},
        _ALWAYS,
    ),
    good(
        "nothing is left of an absolute target",
        get(target="http://b:81/x?y") + get(),
        {"SERVER_NAME": "b", "SERVER_PORT": "81"},
        _ALWAYS,
    ),
    good(
        "server name and port of Host",
        get(host="example.com:81"),
        {"SERVER_NAME": "example.com", "SERVER_PORT": "81"},
    ),
    good("server name of an IPv6 Host", get(host="[::1]"), {"SERVER_NAME": "[::1]", "SERVER_PORT": "80"}),
    good(
        "server name and port of an IPv6 Host",
        get(host="[::1]:81"),
        {"SERVER_NAME": "[::1]", "SERVER_PORT": "81"},
    ),
    good("server name of an empty Host", get(host=""), {"SERVER_NAME": "localhost", "SERVER_PORT": "80"}),
    good(
        "server name of a Host with an empty port", get(host="b:"), {"SERVER_NAME": "b", "SERVER_PORT": "80"}
    ),
    good(
        "server name without Host",
        get(host=None, version="1.0"),
        {"SERVER_NAME": "localhost", "SERVER_PORT": "80"},
        closes=True,
    ),
    good(
        "server name without Host, of the target",
        get(host=None, version="1.0", target="http://b:81/"),
        {"SERVER_NAME": "b", "SERVER_PORT": "81"},
        closes=True,
    ),
    good(
        "port of https",
        get("X-Forwarded-Proto: https"),
        {"SERVER_PORT": "443"},
        trusted=True,
        settings={"secure_scheme_headers": {"X-FORWARDED-PROTO": "https"}},
    ),
    good(
        "every value is a str of Latin-1",
        get("X: \xff", target="/%ff?%ff"),
        {"PATH_INFO": "/\xff", "QUERY_STRING": "%ff", "HTTP_X": "\xff"},
    ),
    good(
        "multithread and multiprocess as configured",
        get(),
        {"wsgi.multithread": True, "wsgi.multiprocess": True},
        settings={"multithread": True, "multiprocess": True},
    ),
    good(
        "content type of a form",
        post("Content-Type: application/x-www-form-urlencoded", "Content-Length: 3", body=b"a=b"),
        {"CONTENT_TYPE": "application/x-www-form-urlencoded", "CONTENT_LENGTH": "3"},
    ),
    good(
        "reading in every way",
        post("Content-Length: 13", body=b"one\ntwo\nthree"),
        {},
        application="reads oddly",
        answers=({"body": repr([b"", b"on", b"e\n", b"tw", b"o\n", b"three", b"", b"", b""]).encode()},),
    ),
    good(
        "reading a chunked body in every way",
        post("Transfer-Encoding: chunked", body=b"5\r\none\nt\r\n8\r\nwo\nthree\r\n0\r\n\r\n"),
        {},
        application="reads oddly",
        answers=({"body": repr([b"", b"on", b"e\n", b"tw", b"o\n", b"three", b"", b"", b""]).encode()},),
    ),
    good(
        "reading a body from a file in every way",
        post("Content-Length: 13", body=b"one\ntwo\nthree"),
        {},
        application="reads oddly",
        settings={"body_buffer": 4},
        answers=({"body": repr([b"", b"on", b"e\n", b"tw", b"o\n", b"three", b"", b"", b""]).encode()},),
    ),
    good("reading no body", get(), {}, answers=({"body": b""},)),
    good(
        "a body that is not read",
        post("Content-Length: 5", body=b"hello"),
        {},
        application="reads nothing",
        answers=({"body": b"ok"},),
    ),
    good(
        "the method of WebDAV with a body",
        request("PROPFIND /x HTTP/1.1", "Host: a", "Depth: 1", "Content-Length: 4", body=b"<a/>"),
        {"REQUEST_METHOD": "PROPFIND", "HTTP_DEPTH": "1", "body": b"<a/>"},
    ),
)
