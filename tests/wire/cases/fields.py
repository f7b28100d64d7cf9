"""Header fields: names, values, blanks, folding, what reaches the environ (RFC 9110, 9112, section 5)."""

from __future__ import annotations

from tests.wire.case import Case, bad, get, good, request

_FOLDING = {"permit_obsolete_folding": True}
_SPACES = {"permit_space_before_colon": True}


def _raw(field: bytes) -> bytes:
    return b"GET / HTTP/1.1\r\nHost: a\r\n" + field + b"\r\n\r\n"


CASES: tuple[Case, ...] = (
    # --- names
    good(
        "common fields",
        get("Accept: */*", "User-Agent: x", "X-Odd: 1"),
        {"HTTP_ACCEPT": "*/*", "HTTP_USER_AGENT": "x", "HTTP_X_ODD": "1"},
    ),
    good("a name of one letter", get("X: 1"), {"HTTP_X": "1"}),
    good(
        "a name of every token character", get("!#$%&'*+-.^`|~09AZaz: 1"), {"HTTP_!#$%&'*+_.^`|~09AZAZ": "1"}
    ),
    good("a name in lower case", get("x-odd: 1"), {"HTTP_X_ODD": "1"}),
    good("a name in capitals", get("X-ODD: 1"), {"HTTP_X_ODD": "1"}),
    good(
        "a long name",
        get("X" * 2000 + ": 1"),
        {"HTTP_" + "X" * 2000: "1"},
        modes=("whole", "at every CRLF", "with a tail"),
    ),
    good(
        "Content-Type has no prefix",
        get("Content-Type: text/x"),
        {"CONTENT_TYPE": "text/x", "HTTP_CONTENT_TYPE": None},
    ),
    good(
        "Content-Length has no prefix",
        get("Content-Length: 0"),
        {"CONTENT_LENGTH": "0", "HTTP_CONTENT_LENGTH": None},
    ),
    *(
        bad(f"{character!r} in a name", get(f"X{character}Y: 1"), "field")
        for character in (
            "(",
            ")",
            ",",
            "/",
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
            " ",
            "\t",
            "\xe4",
            "\xa0",
        )
    ),
    *(
        bad(f"octet {octet:#04x} in a name", _raw(b"X%cY: 1" % octet), "request-line")
        for octet in (0, 1, 8, 11, 12, 27, 31, 127)
    ),
    bad("no name", get(": 1"), "field"),
    bad("no colon", get("X"), "field"),
    bad("a blank only", get(" "), "field"),
    bad("a blank for a name", get(" : 1"), "field"),
    bad("blank before the colon", get("X : 1"), "field"),
    bad("tab before the colon", get("X\t: 1"), "field"),
    bad("blank before the colon of Content-Length", get("Content-Length : 5") + b"GET /a", "field"),
    bad("blank before the colon of Transfer-Encoding", get("Transfer-Encoding : chunked"), "field"),
    bad("blank before the first field", b"GET / HTTP/1.1\r\n Host: a\r\n\r\n", "field"),
    bad("blank before the first of two fields", b"GET / HTTP/1.1\r\n X: 1\r\nHost: a\r\n\r\n", "field"),
    bad("blank before a later field", get(" X: 1"), "field"),
    bad("tab before a later field", get("\tX: 1"), "field"),
    good("blanks before the colon if stripped", get("X \t : 1"), {"HTTP_X": "1"}, settings=_SPACES),
    good(
        "a framing field with blanks before the colon if stripped counts",
        get("Content-Length : 2") + b"hi",
        {"CONTENT_LENGTH": "2", "body": b"hi"},
        settings=_SPACES,
    ),
    bad("blanks for a name if stripped", get("  : 1"), "field", settings=_SPACES),
    bad("two Hosts if stripped", get("Host : a"), "host", settings=_SPACES),
    # --- values
    good("empty value", get("X:"), {"HTTP_X": ""}),
    good("value of blanks", get("X:  \t "), {"HTTP_X": ""}),
    good("no blank behind the colon", get("X:1"), {"HTTP_X": "1"}),
    good("many blanks around the value", get("X: \t 1 2 \t "), {"HTTP_X": "1 2"}),
    good("tab inside the value", get("X: 1\t2"), {"HTTP_X": "1\t2"}),
    good("colons in the value", get("X: :1:2:"), {"HTTP_X": ":1:2:"}),
    good("octets beyond ASCII in a value", get("X: \xe4\xff\x80\xa0"), {"HTTP_X": "\xe4\xff\x80\xa0"}),
    good("UTF-8 in a value", get("X: \xc3\xa4"), {"HTTP_X": "\xc3\xa4"}),
    good("no-break space at the end of a value", get("X: 1\xa0"), {"HTTP_X": "1\xa0"}),
    good("next line sign at the end of a value", get("X: 1\x85"), {"HTTP_X": "1\x85"}),
    *(
        bad(f"octet {octet:#04x} in a value", _raw(b"X: 1%c2" % octet), "request-line")
        for octet in (*range(9), *range(11, 13), *range(14, 32), 127)
    ),
    bad("bare CR in a value", _raw(b"X: 1\r2"), "request-line"),
    bad("bare LF in a value", _raw(b"X: 1\n2"), "request-line"),
    bad("bare LF and a field", _raw(b"X: 1\nContent-Length: 5"), "request-line"),
    bad("bare CR and a field", _raw(b"X: 1\rContent-Length: 5"), "request-line"),
    bad("CR CR LF behind a value", _raw(b"X: 1\r"), "request-line"),
    bad("bare LF at the end of the head", b"GET / HTTP/1.1\r\nHost: a\r\n\n" + get(), "request-line"),
    bad("bare CR at the end of the head", b"GET / HTTP/1.1\r\nHost: a\r\n\r" + get(), "request-line"),
    bad("NUL at the end of a name", _raw(b"X\0: 1"), "request-line"),
    # --- repeated
    good("repeated field", get("X: 1", "X: 2", "x: 3"), {"HTTP_X": "1,2,3"}),
    good("repeated field with others between", get("X: 1", "Y: 0", "X: 2"), {"HTTP_X": "1,2", "HTTP_Y": "0"}),
    good("repeated Cookie", get("Cookie: a=1", "Cookie: b=2"), {"HTTP_COOKIE": "a=1; b=2"}),
    good(
        "three cookies and a repeated field",
        get("Cookie: a", "X: 1", "cookie: b", "X: 2", "COOKIE: c"),
        {"HTTP_COOKIE": "a; b; c", "HTTP_X": "1,2"},
    ),
    good("repeated and empty", get("X:", "X: 1", "X:"), {"HTTP_X": ",1,"}),
    good("names that differ in the dash only", get("X-Y: 1", "XY: 2"), {"HTTP_X_Y": "1", "HTTP_XY": "2"}),
    bad("repeated Content-Type", get("Content-Type: a/b", "Content-Type: a/b"), "field"),
    # --- folding
    bad("folded field", get("X: 1", " 2"), "field"),
    bad("folded with a tab", get("X: 1", "\t2"), "field"),
    bad("folded Content-Length", get("Content-Length: 1", " 0"), "field"),
    bad("folded Transfer-Encoding", get("Transfer-Encoding:", " chunked"), "field"),
    good(
        "folded field if permitted",
        get("X: 1", " 2", "\t 3  ", "Y: 4"),
        {"HTTP_X": "1 2 3", "HTTP_Y": "4"},
        settings=_FOLDING,
    ),
    good("folded empty field if permitted", get("X:", " 1"), {"HTTP_X": "1"}, settings=_FOLDING),
    good(
        "folded with a line of blanks if permitted",
        get("X: 1", " \t ", " 2"),
        {"HTTP_X": "1 2"},
        settings=_FOLDING,
    ),
    good(
        "a colon in a folded line if permitted",
        get("X: 1", " Y: 2"),
        {"HTTP_X": "1 Y: 2", "HTTP_Y": None},
        settings=_FOLDING,
    ),
    bad("folded request line", b"GET / HTTP/1.1\r\n x\r\nHost: a\r\n\r\n", "field", settings=_FOLDING),
    bad(
        "folded Content-Length if permitted is no number",
        get("Content-Length: 1", " 0") + b"0123456789",
        "framing",
        settings=_FOLDING,
    ),
    good(
        "Content-Length on a line of its own if permitted",
        get("Content-Length:", " 2") + b"hi",
        {"CONTENT_LENGTH": "2", "body": b"hi"},
        settings=_FOLDING,
    ),
    good(
        "folded Transfer-Encoding if permitted counts",
        get("Transfer-Encoding:", " chunked") + b"2\r\nhi\r\n0\r\n\r\n",
        {"body": b"hi"},
        settings=_FOLDING,
    ),
    good(
        "folded Connection if permitted counts",
        get("Connection:", " close"),
        {},
        closes=True,
        settings=_FOLDING,
    ),
    bad(
        "folded Host if permitted is one value",
        request("GET / HTTP/1.1", "Host: a", " b"),
        "host",
        settings=_FOLDING,
    ),
    bad(
        "folded Expect if permitted counts",
        get("Content-Length: 1", "Expect:", " magic"),
        "expect",
        417,
        settings=_FOLDING,
    ),
    good(
        "a fold behind a dropped field is dropped with it",
        get("X: 1", "A_B: 2", " evil"),
        {"HTTP_X": "1", "HTTP_A_B": None},
        settings=_FOLDING,
    ),
    bad(
        "folded field beyond its size",
        get("X: 1", " " + "2" * 60),
        "fields-size",
        431,
        settings={**_FOLDING, "field_size": 60},
    ),
    # --- the gateway
    good(
        "a request's field cannot take a key of WSGI",
        get("wsgi.url_scheme: https", "wsgi.input: x"),
        {"wsgi.url_scheme": "http", "HTTP_WSGI.INPUT": "x"},
    ),
    good("Proxy has a prefix", get("Proxy: http://evil/"), {"HTTP_PROXY": "http://evil/"}),
    good(
        "Authorization and Range arrive",
        get("Authorization: Basic x", "Range: bytes=0-1"),
        {"HTTP_AUTHORIZATION": "Basic x", "HTTP_RANGE": "bytes=0-1"},
    ),
    good(
        "Upgrade is not taken up",
        get("Upgrade: h2c, websocket", "Connection: Upgrade"),
        {"HTTP_UPGRADE": "h2c, websocket"},
    ),
)
