"""Where a request ends: Content-Length, Transfer-Encoding, and every known way to make two parsers disagree.

RFC 9112 section 6; the smuggling variants are those that scanners for CL.TE, TE.CL, TE.TE and CL.0 send.
"""

from __future__ import annotations

from tests.wire.case import Case, bad, get, good, post, request, waiting

_CHUNKS = b"2\r\nhi\r\n0\r\n\r\n"
_PLAIN = "Content-Length: 2"
_CHUNKED = "Transfer-Encoding: chunked"


def _length(value: str) -> bytes:
    return post(f"Content-Length: {value}", body=b"hello")


def _coding(*values: str) -> bytes:
    return post(*(f"Transfer-Encoding: {value}" for value in values), body=_CHUNKS)


CASES: tuple[Case, ...] = (
    # --- Content-Length
    good("a body", post(_PLAIN, body=b"hi"), {"CONTENT_LENGTH": "2", "body": b"hi"}),
    good(
        "a body with every octet",
        post("Content-Length: 256", body=bytes(range(256))),
        {"body": bytes(range(256))},
    ),
    good(
        "a body that looks like a request",
        post("Content-Length: 33", body=get("X: Y")),
        {"body": get("X: Y")},
    ),
    good("a body of CRLF", post("Content-Length: 4", body=b"\r\n\r\n"), {"body": b"\r\n\r\n"}),
    good("a body of GET", request("GET / HTTP/1.1", "Host: a", _PLAIN, body=b"hi"), {"body": b"hi"}),
    good("a body of HEAD", request("HEAD / HTTP/1.1", "Host: a", _PLAIN, body=b"hi"), {"body": b"hi"}),
    good("a body of DELETE", request("DELETE / HTTP/1.1", "Host: a", _PLAIN, body=b"hi"), {"body": b"hi"}),
    good(
        "a body of OPTIONS *", request("OPTIONS * HTTP/1.1", "Host: a", _PLAIN, body=b"hi"), {"body": b"hi"}
    ),
    good("a body of TRACE", request("TRACE / HTTP/1.1", "Host: a", _PLAIN, body=b"hi"), {"body": b"hi"}),
    good(
        "a body of CONNECT",
        request("CONNECT b:1 HTTP/1.1", "Host: a", _PLAIN, body=b"hi"),
        {"body": b"hi"},
        closes=True,
    ),
    good("a body on 1.0", post(_PLAIN, body=b"hi", version="1.0"), {"body": b"hi"}, closes=True),
    good("POST without a length", post(), {"CONTENT_LENGTH": None, "body": b""}),
    good("length 0", post("Content-Length: 0"), {"CONTENT_LENGTH": "0", "body": b""}),
    good("length with zeros before it", post("Content-Length: 0002", body=b"hi"), {"body": b"hi"}),
    good("length 0 in many digits", post("Content-Length: 000000000000000000"), {"body": b""}),
    good("blanks around the length", post("Content-Length: \t 2 \t", body=b"hi"), {"body": b"hi"}),
    good("name in lower case", post("content-length: 2", body=b"hi"), {"body": b"hi"}),
    good("name in capitals", post("CONTENT-LENGTH: 2", body=b"hi"), {"body": b"hi"}),
    good("name in odd case", post("cOnTeNt-LeNgTh: 2", body=b"hi"), {"body": b"hi"}),
    *(
        bad(f"length {value!r}", _length(value), "framing")
        for value in (
            "",
            "+5",
            "-5",
            "--5",
            "0x5",
            "5.0",
            "5,5",
            "5, 5",
            "5;5",
            "5 5",
            "5\t5",
            "5a",
            "a5",
            "0_5",
            "5_",
            "1e1",
            "0b1",
            "'5'",
            '"5"',
            "five",
            "-0",
            "+0",
            "0x0",
            "\xb2",
            "\xb9\xb2",
            "5\xa0",
            "\xa05",
            "5 0",
            ",5",
            "5,",
            "00000000000000000005",
            "1" * 19,
            "9" * 18 + "9",
            "1" * 40,
            "18446744073709551616",
            "18446744073709551621",
            "4294967301,5",
            "NaN",
            "Infinity",
        )
    ),
    bad("two lengths", post(_PLAIN, "Content-Length: 5", body=b"hello"), "framing"),
    bad("two equal lengths", post(_PLAIN, _PLAIN, body=b"hi"), "framing"),
    bad("a length and an empty one", post(_PLAIN, "Content-Length:", body=b"hi"), "framing"),
    bad("two lengths in different spelling", post(_PLAIN, "content-length: 2", body=b"hi"), "framing"),
    bad("two lengths apart", post(_PLAIN, "X: 1", "Y: 2", "CONTENT-LENGTH: 0", body=b"hi"), "framing"),
    bad("two lengths of 0", post("Content-Length: 0", "Content-Length: 0"), "framing"),
    waiting("the greatest length", post("Content-Length: " + "9" * 18, body=b"hi")),
    waiting("a body of which one octet is missing", post("Content-Length: 3", body=b"hi")),
    bad("a body cut short", post("Content-Length: 3", body=b"hi"), "truncated", ends=True),
    bad("no body and the end of the stream", post("Content-Length: 3"), "truncated", ends=True),
    good(
        "names that look like Content-Length",
        post("Content-Length2: 5", "X-Content-Length: 7", "Content_Length: 9", "ContentLength: 3"),
        {"body": b"", "CONTENT_LENGTH": None},
    ),
    # --- Transfer-Encoding
    good(
        "chunked",
        _coding("chunked"),
        {"body": b"hi", "CONTENT_LENGTH": "2", "HTTP_TRANSFER_ENCODING": None, "wsgi.input_terminated": True},
    ),
    good("chunked in capitals", _coding("CHUNKED"), {"body": b"hi"}),
    good("chunked in odd case", _coding("cHuNkEd"), {"body": b"hi"}),
    good("chunked with blanks around", _coding(" \t chunked \t "), {"body": b"hi"}),
    good("chunked GET", request("GET / HTTP/1.1", "Host: a", _CHUNKED, body=_CHUNKS), {"body": b"hi"}),
    good(
        "transfer-encoding in lower case", post("transfer-encoding: chunked", body=_CHUNKS), {"body": b"hi"}
    ),
    good(
        "name of the coding field in odd case",
        post("tRANSFER-eNCODING: chunked", body=_CHUNKS),
        {"body": b"hi"},
    ),
    *(
        bad(f"coding {value!r}", _coding(value), "coding", 501)
        for value in (
            "gzip",
            "identity",
            "deflate",
            "compress",
            "br",
            "xchunked",
            "chunkedx",
            "chunk",
            "chunked;q=1",
            "chunked;",
            '"chunked"',
            "'chunked'",
            "chun ked",
            "gzip, chunked",
            "identity, chunked",
            "gzip,deflate,chunked",
            "x",
            "chunked\xa0",
            "\xa0chunked",
            "chunked/1",
            "chunked chunked",
            "trailers",
            "chunKed;a=b",
            "c\xfchunked",
        )
    ),
    *(
        bad(f"coding {value!r}", _coding(value), "framing")
        for value in (
            "",
            ",",
            "chunked,",
            ",chunked",
            "chunked,,",
            "chunked, chunked",
            "chunked,chunked",
            "chunked, gzip",
            "chunked, identity",
            "chunked,x",
            "CHUNKED, chunked",
            ", chunked, ",
        )
    ),
    bad("chunked twice in two fields", _coding("chunked", "chunked"), "framing"),
    bad("chunked and identity in two fields", _coding("chunked", "identity"), "framing"),
    bad("identity and chunked in two fields", _coding("identity", "chunked"), "coding", 501),
    bad("chunked and an empty field", _coding("chunked", ""), "framing"),
    bad("an empty field and chunked", _coding("", "chunked"), "framing"),
    bad(
        "chunked and x in two spellings of the name",
        post(_CHUNKED, "transfer-encoding: x", body=_CHUNKS),
        "framing",
    ),
    bad("chunked on 1.0", post(_CHUNKED, body=_CHUNKS, version="1.0"), "framing"),
    bad(
        "chunked on 1.0 with keep-alive",
        post(_CHUNKED, "Connection: keep-alive", body=_CHUNKS, version="1.0"),
        "framing",
    ),
    bad("an unknown coding on 1.0", post("Transfer-Encoding: gzip", version="1.0"), "framing"),
    *(
        bad(
            f"octet {octet:#04x} before chunked",
            b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: %cchunked\r\n\r\n0\r\n\r\n" % octet,
            "request-line",
        )
        for octet in (0, 8, 11, 12, 13, 10, 127)
    ),
    bad(
        "a control behind chunked",
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\x0b\r\n\r\n0\r\n\r\n",
        "request-line",
    ),
    good(
        "names that look like Transfer-Encoding",
        post(
            "Transfer-Encoding2: chunked",
            "X-Transfer-Encoding: chunked",
            "Transfer_Encoding: chunked",
            "TE: chunked",
            "Transfer.Encoding: chunked",
        ),
        {"body": b""},
    ),
    bad("a name with a blank inside", post("Transfer -Encoding: chunked", body=_CHUNKS), "field"),
    bad("a name with a backslash", post("Transfer-Encoding\\: chunked", body=_CHUNKS), "field"),
    # --- both
    bad("CL.TE", post("Content-Length: 6", _CHUNKED, body=b"0\r\n\r\nG"), "framing"),
    bad(
        "TE.CL",
        post(_CHUNKED, "Content-Length: 4", body=b"12\r\nGPOST / HTTP/1.1\r\n\r\n0\r\n\r\n"),
        "framing",
    ),
    bad(
        "TE.TE with an unknown one",
        post("Content-Length: 4", _CHUNKED, "Transfer-Encoding: x", body=_CHUNKS),
        "framing",
    ),
    bad("CL of 0 and TE", post("Content-Length: 0", _CHUNKED, body=_CHUNKS), "framing"),
    bad("CL and TE on 1.0", post(_PLAIN, _CHUNKED, body=_CHUNKS, version="1.0"), "framing"),
    bad("CL and an unknown coding", post(_PLAIN, "Transfer-Encoding: gzip", body=b"hi"), "framing"),
    bad("a bad CL and TE", post("Content-Length: x", _CHUNKED, body=_CHUNKS), "framing"),
    bad(
        "both in one folded field",
        post("Content-Length: 2", " Transfer-Encoding: chunked", body=b"hi"),
        "field",
    ),
    bad(
        "TE hidden behind a bare LF",
        b"POST / HTTP/1.1\r\nHost: a\r\nX: y\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "request-line",
    ),
    bad(
        "CL hidden behind a bare LF",
        b"POST / HTTP/1.1\r\nHost: a\r\nX: y\nContent-Length: 30\r\n\r\n",
        "request-line",
    ),
    bad(
        "CL hidden behind a bare CR",
        b"POST / HTTP/1.1\r\nHost: a\r\nX: y\rContent-Length: 30\r\n\r\n",
        "request-line",
    ),
    bad(
        "CL behind a blank at the line's start",
        b"POST / HTTP/1.1\r\nHost: a\r\n Content-Length: 30\r\n\r\n",
        "field",
    ),
    bad("CL with a tab before its colon", post("Content-Length\t: 30"), "field"),
    bad("CL in the request line", b"POST / HTTP/1.1 Content-Length: 30\r\nHost: a\r\n\r\n", "request-line"),
    # --- several requests
    good(
        "CL.0 cannot work",
        post("Content-Length: 34", body=b"GET /hidden HTTP/1.1\r\nHost: a\r\nX: ") + get(),
        {"PATH_INFO": "/", "body": b"GET /hidden HTTP/1.1\r\nHost: a\r\nX: "},
        {"PATH_INFO": "/"},
    ),
    good(
        "what is behind a request without a body is the next one",
        get(target="/a") + get(target="/b") + post(_PLAIN, body=b"hi"),
        {"PATH_INFO": "/a"},
        {"PATH_INFO": "/b"},
        {"body": b"hi"},
    ),
    good(
        "chunked, plain, none, chunked",
        _coding("chunked") + post(_PLAIN, body=b"yo") + post() + _coding("chunked"),
        {"body": b"hi"},
        {"body": b"yo"},
        {"body": b""},
        {"body": b"hi"},
    ),
    bad("a good one and two lengths", get() + post(_PLAIN, _PLAIN, body=b"hi"), "framing", after=1),
    bad("nothing is answered behind a refusal", post(_PLAIN, _PLAIN, body=b"hi") + get() * 3, "framing"),
)
