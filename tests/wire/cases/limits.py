"""Sizes: 414, 431 and 413, at the limits and one octet beyond (RFC 9110 section 15.5, RFC 6585 section 5)."""

from __future__ import annotations

from tests.wire.case import AT_CRLF, WHOLE, WITH_TAIL, Case, bad, get, good, post, request, waiting

# Byte by byte these would take seconds and show nothing that the small ones do not.
_LARGE = (WHOLE, AT_CRLF, WITH_TAIL)

_LINE = {"line": 30}
_SIZE = {"field_size": 30}
_HEAD = {"head": 60}
_BODY = {"body": 10}


def _target_of_line(length: int) -> str:
    return "/" + "a" * (length - len("GET / HTTP/1.1"))


def _field(length: int) -> str:
    """A field of `length` octets with its CRLF."""
    return "X: " + "1" * (length - 5)


CASES: tuple[Case, ...] = (
    # --- the request line
    good("line of just the limit", get(target=_target_of_line(30)), {}, settings=_LINE),
    bad("line one beyond the limit", get(target=_target_of_line(31)), "line-size", 414, settings=_LINE),
    bad("line far beyond the limit", get(target=_target_of_line(300)), "line-size", 414, settings=_LINE),
    bad("line without an end", b"GET /" + b"a" * 60, "line-size", 414, settings=_LINE),
    bad("a long method", request("A" * 40 + " / HTTP/1.1", "Host: a"), "line-size", 414, settings=_LINE),
    bad(
        "the second line is too long",
        get() + get(target=_target_of_line(31)),
        "line-size",
        414,
        after=1,
        settings=_LINE,
    ),
    good("an empty line does not count", b"\r\n" + get(target=_target_of_line(30)), {}, settings=_LINE),
    good("line of 8190", get(target=_target_of_line(8190)), {}, modes=_LARGE),
    bad("line of 8191", get(target=_target_of_line(8191)), "line-size", 414, modes=_LARGE),
    bad("line of 60000", get(target=_target_of_line(60000)), "line-size", 414, modes=_LARGE),
    bad("line of 100000 without an end", b"GET /" + b"a" * 100000, "line-size", 414, modes=_LARGE),
    # --- one field
    good("field of just the limit", get(_field(30)), {}, settings=_SIZE),
    bad("field one beyond the limit", get(_field(31)), "fields-size", 431, settings=_SIZE),
    bad("Host beyond the limit", get(host="a" * 40), "fields-size", 431, settings=_SIZE),
    bad("a name beyond the limit", get("X" * 40 + ": 1"), "fields-size", 431, settings=_SIZE),
    bad("a field of blanks beyond the limit", get("X:" + " " * 40), "fields-size", 431, settings=_SIZE),
    bad("a dropped field beyond the limit", get("X_Y: " + "1" * 40), "fields-size", 431, settings=_SIZE),
    good("field of 8190", get(_field(8190)), {}, modes=_LARGE),
    bad("field of 8191", get(_field(8191)), "fields-size", 431, modes=_LARGE),
    # --- number of fields
    good("3 fields of 3", get("X: 1", "Y: 2"), {}, settings={"fields": 3}),
    bad("4 fields of 3", get("X: 1", "Y: 2", "Z: 3"), "fields-size", 431, settings={"fields": 3}),
    bad(
        "dropped fields count", get("X_1: 1", "X_2: 2", "X_3: 3"), "fields-size", 431, settings={"fields": 3}
    ),
    bad("repeated fields count", get("X: 1", "X: 2", "X: 3"), "fields-size", 431, settings={"fields": 3}),
    good("100 fields", get(*(f"X-{number}: 1" for number in range(99))), {"HTTP_X_98": "1"}, modes=_LARGE),
    bad("101 fields", get(*(f"X-{number}: 1" for number in range(100))), "fields-size", 431, modes=_LARGE),
    good(
        "300 fields if allowed",
        get(*(f"X-{number}: 1" for number in range(299))),
        {"HTTP_X_298": "1"},
        modes=_LARGE,
        settings={"fields": 300},
    ),
    # --- the head
    good("head of just the limit", get("X: " + "1" * 28), {}, settings=_HEAD),
    bad("head one beyond the limit", get("X: " + "1" * 29), "fields-size", 431, settings=_HEAD),
    bad(
        "head far beyond the limit",
        get("X: " + "1" * 20, "Y: " + "2" * 200),
        "fields-size",
        431,
        settings=_HEAD,
    ),
    bad(
        "head without an end",
        b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"1" * 60,
        "fields-size",
        431,
        settings=_HEAD,
    ),
    good("the limit is for each head", get("X: " + "1" * 28) * 3, {}, {}, {}, settings=_HEAD),
    good(
        "a body does not count",
        post("Content-Length: 9", body=b"123456789"),
        {"body": b"123456789"},
        settings=_HEAD,
    ),
    bad("head of 70000 in large fields", get(*[_field(8000)] * 9), "fields-size", 431, modes=_LARGE),
    # --- the body
    good(
        "body of just the limit",
        post("Content-Length: 10", body=b"0123456789"),
        {"body": b"0123456789"},
        settings=_BODY,
    ),
    bad(
        "body one beyond the limit",
        post("Content-Length: 11", body=b"01234567890"),
        "body-size",
        413,
        settings=_BODY,
    ),
    bad(
        "body far beyond the limit, announced only",
        post("Content-Length: 99999999999"),
        "body-size",
        413,
        settings=_BODY,
    ),
    bad("body of the greatest length", post("Content-Length: " + "9" * 18), "body-size", 413, settings=_BODY),
    bad(
        "body beyond the limit although 100 is awaited",
        post("Content-Length: 11", "Expect: 100-continue"),
        "body-size",
        413,
        settings=_BODY,
    ),
    good(
        "the limit is for each body",
        post("Content-Length: 10", body=b"0123456789") * 3,
        {},
        {},
        {},
        settings=_BODY,
    ),
    good(
        "a body in a file",
        post("Content-Length: 10", body=b"0123456789"),
        {"body": b"0123456789"},
        settings={"body_buffer": 4},
    ),
    good(
        "a body of just the buffer",
        post("Content-Length: 10", body=b"0123456789"),
        {"body": b"0123456789"},
        settings={"body_buffer": 10},
    ),
    good(
        "a body in a file and a request behind it",
        post("Content-Length: 10", body=b"0123456789") + get(target="/b"),
        {},
        {"PATH_INFO": "/b"},
        settings={"body_buffer": 4},
    ),
    good(
        "a body of 300000",
        post("Content-Length: 300000", body=b"x" * 300000),
        {"body": b"x" * 300000},
        modes=_LARGE,
    ),
    good(
        "a chunked body of 300000",
        post("Transfer-Encoding: chunked", body=b"493e0\r\n" + b"x" * 300000 + b"\r\n0\r\n\r\n"),
        {"body": b"x" * 300000},
        modes=_LARGE,
    ),
    waiting("a body without a limit", post("Content-Length: 99999999999")),
)
