"""Invariant: a head is refused, or a request that says what the octets say and every reader agrees on.

A head that is accepted whole is never refused while it is incomplete; what stands behind it changes
nothing; its parts hold no octet that they must not; written out again it is the same request; `h11` and
`httptools` see the same method, target and fields, or refuse it. Nothing but a `RequestRefused` is raised.
"""

from __future__ import annotations

import re

from fuzz.reading import Reader
from fuzz.references import h11_head, httptools_head
from fuzz.seeds import wire_messages
from indrik.protocol.framing import CHUNKED
from indrik.protocol.head import HeadParser
from indrik.protocol.limits import Limits
from indrik.protocol.octets import head_end
from indrik.protocol.partial_head import PartialHead
from indrik.protocol.refusals import RequestRefused
from indrik.protocol.request import Request

_LIMITS = (
    Limits(),
    Limits(line=40, fields=3, field_size=24, head=120, body=9),
    Limits(
        permit_obsolete_folding=True,
        permit_space_before_colon=True,
        permit_unconventional_method=True,
        permit_unconventional_version=True,
        casefold_method=True,
        header_map="dangerous",
    ),
    Limits(header_map="refuse", forwarder_names=frozenset("*")),
)
_PARSERS = tuple(HeadParser(limits) for limits in _LIMITS)

#: Fields in which references differ by design.
_CHANGED = ("HOST", "TRANSFER-ENCODING")

#: What two readings of the same head must agree on.
_DESCRIBED = (
    "method", "uri", "path", "query", "host", "line", "version", "headers", "content_length",
    "keep_alive", "expects_continue", "is_trusted",
)  # fmt: skip

_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_TARGET = re.compile(r"[!-~]+")
_VALUE = re.compile(r"(?:[\x21-\x7e\x80-\xff](?:[\t \x21-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?)?")

WORDS = tuple(
    word.encode("latin-1")
    for word in (
        "\r\n",
        "\r\n\r\n",
        " ",
        "\t",
        ":",
        ": ",
        ",",
        "\0",
        "\x7f",
        "\xff",
        "GET ",
        "HEAD ",
        "POST ",
        "OPTIONS * ",
        "CONNECT a:1 ",
        " HTTP/1.1\r\n",
        " HTTP/1.0\r\n",
        " HTTP/2.0\r\n",
        "http://b/",
        "https://[::1]:8/?x",
        "/%00%ff",
        "\r\nHost: a",
        "\r\nhost:b",
        "\r\nContent-Length: 5",
        "\r\nContent-Length: 0",
        "\r\nTransfer-Encoding: chunked",
        "\r\nTransfer-Encoding: gzip, chunked",
        "\r\nConnection: close",
        "\r\nConnection: keep-alive, upgrade",
        "\r\nExpect: 100-continue",
        "\r\nContent-Type: a",
        "\r\nCookie: a=b",
        "\r\nX_Y: z",
        "\r\nSCRIPT_NAME: /p",
        "\r\n X: folded",
        "[::1]",
        "v1.a",
        "99999999999999999999",
        "?",
        "#",
        "%",
        "@",
    )
)

_OWN = (
    b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET /a?b=c HTTP/1.1\r\nHost: [::1]:80\r\nCookie: a=b\r\nCookie: c\r\nX: \xe9\r\n\r\n",
    b"POST http://b:8/x HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\nhello",
    b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n0\r\n\r\n",
    b"OPTIONS * HTTP/1.1\r\nHost:\r\n\r\n",
    b"CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n",
    b"get / HTTP/1.7\r\nHost : a\r\nX_Y: 1\r\n folded\r\n\r\n",
)

SEEDS = tuple(
    bytes((which, 5)) + message
    for which in range(len(_LIMITS))
    for message in (_OWN if which else (*wire_messages(), *_OWN))
)


def check(data: bytes) -> str:
    """One head under one set of limits."""
    reader = Reader(data)
    which = reader.octet() % len(_LIMITS)
    choice = reader.octet()
    is_trusted = bool(choice & 128)
    head = reader.rest()
    end = head_end(head, 0)
    if end < 0:
        incomplete = _incomplete(which, head)
        head += b"\r\n\r\n"
        end = head_end(head, 0)
    else:
        incomplete = ""
    parser = _PARSERS[which]
    try:
        request = parser.parse(Request(), head, end, is_trusted)
    except RequestRefused as refusal:
        return f"{incomplete}{type(refusal).__name__}: {refusal.detail}"
    # A CR that the end of the head begins with may have been the last octet sent before.
    assert not incomplete or head[:-4].endswith(b"\r"), (
        f"refused while incomplete ({incomplete}), then accepted"
    )
    for length in {1, end // 2, end - 1, choice * end >> 8}:
        assert not (said := _incomplete(which, head[:length])), f"{head[:length]!r} is refused: {said}"
    seen = _describe(request)
    assert _describe(parser.parse(Request(), head + b"\r\n\r\nGET / HTTP", end, is_trusted)) == seen
    _check_parts(request, _LIMITS[which])
    _check_again(parser, request, _LIMITS[which], seen)
    if which == 0:
        _check_references(head[:end], request)
    return seen


def _incomplete(which: int, head: bytes) -> str:
    said = [_fed(which, [head]), _fed(which, [head[index : index + 7] for index in range(0, len(head), 7)])]
    # A piece may end before what the whole is refused for first, but not behind all that it is refused for.
    assert bool(said[0]) == bool(said[1]), f"{head!r} is refused whole or in pieces only: {said}"
    return said[0]


def _fed(which: int, pieces: list[bytes]) -> str:
    partial = PartialHead(_PARSERS[which])
    try:
        for piece in pieces:
            partial.feed(piece)
    except RequestRefused as refusal:
        return f"{type(refusal).__name__}: {refusal.detail} / "
    return ""


def _describe(request: Request) -> str:
    return repr([getattr(request, name) for name in _DESCRIBED])


def _check_parts(request: Request, limits: Limits) -> None:
    assert _TOKEN.fullmatch(request.method)
    assert _TARGET.fullmatch(request.uri)
    assert "#" not in request.uri
    assert "?" not in request.path
    assert (
        request.path + "?" + request.query in request.uri + "?"
        or request.path == "/"
        or request.uri[0] != "/"
    )
    assert request.minor_version in (0, 1)
    assert len(request.line) <= limits.line
    # An absolute target of HTTP/1.0 adds a Host that was not sent.
    assert len(request.names) <= limits.fields + (request.minor_version == 0 and request.uri[0] != "/")
    assert request.line.startswith(request.method) or limits.casefold_method
    for record, value in zip(request.names, request.values, strict=True):
        upper, key, lower, _ = record
        assert _TOKEN.fullmatch(upper)
        assert upper == upper.upper()
        assert lower == upper.lower().encode("ascii")
        assert key.removeprefix("HTTP_") == upper.replace("-", "_")
        assert _VALUE.fullmatch(value), f"{upper}: {value!r}"
        assert len(value) <= limits.field_size
    length = request.content_length
    lengths = [value for name, value in request.headers if name == "CONTENT-LENGTH"]
    codings = [value for name, value in request.headers if name == "TRANSFER-ENCODING"]
    if codings:
        assert not lengths
        assert length == CHUNKED
        assert request.minor_version == 1
        assert len(codings) == 1
        assert codings[0].lower() == "chunked"
    elif lengths:
        assert len(lengths) == 1
        assert re.fullmatch("[0-9]{1,18}", lengths[0])
        assert length == int(lengths[0])
        assert not limits.body or length <= limits.body
    else:
        assert length == 0
    hosts = [value for name, value in request.headers if name == "HOST"]
    assert len(hosts) <= 1
    assert hosts or request.minor_version == 0
    assert not hosts or hosts[0] == request.host
    assert not request.expects_continue or length


def _check_again(parser: HeadParser, request: Request, limits: Limits, seen: str) -> None:
    lines = [f"{name}:{value}\r\n" for name, value in request.headers]
    written = "".join((request.line, "\r\n", *lines, "\r\n")).encode("latin-1")
    # The Host that an absolute target replaces may have been shorter, or not there at all.
    if len(request.headers) > limits.fields:
        return
    if len(written) > limits.head or any("_" in line or len(line) > limits.field_size for line in lines):
        return
    again = _describe(parser.parse(Request(), written, len(written), request.is_trusted))
    assert again == seen, f"written out again: {again}"


def _check_references(head: bytes, request: Request) -> None:
    for reference in (h11_head, httptools_head):
        other = reference(head)
        if other is None:
            continue
        method, target, fields = other
        assert (method, target) == (request.method, request.uri), (
            f"{reference.__name__} sees {method} {target}"
        )
        ours, theirs = (
            # Names with an underscore are dropped by default, an absolute target replaces Host, and h11
            # writes the coding in lower case.
            [(name, value) for name, value in both if name not in _CHANGED and "_" not in name]
            for both in (request.headers, fields)
        )
        assert ours == theirs, f"{reference.__name__} sees {theirs}"
