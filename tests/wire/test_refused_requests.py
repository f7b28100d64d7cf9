"""What is known of a request that is refused, for the access log: all that was read of it, and no more."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from indrik.protocol.request import Request
from tests.wire.case import BYTE_BY_BYTE, WHOLE
from tests.wire.served import Served

Serve = Callable[..., Served]

#: What a client asks, and what is known of it.
_LINE = b"PUT /a%0ab?q=1 HTTP/1.1\r\n"
_KNOWN = ("PUT", "/a%0ab?q=1", "/a%0ab", "q=1", (1, 1))
_HOST = b"Host: a\r\nX-Id: 7\r\n"
_FIELDS = [("HOST", "a"), ("X-ID", "7")]


@pytest.fixture
def serve() -> Iterator[Serve]:
    started: list[Served] = []
    with tempfile.TemporaryDirectory(prefix="wire-") as folder:

        def start(**settings: Any) -> Served:
            started.append(Served(Path(tempfile.mkdtemp(dir=folder)), settings))
            return started[-1]

        yield start
        for served in started:
            served.close()


def known(request: Request | None) -> tuple[Any, ...] | None:
    if request is None:
        return None
    return (request.method, request.uri, request.path, request.query, request.version)


def refused(served: Served, data: bytes, mode: str, ends: bool = False) -> tuple[str, Request | None]:
    """Sends `data`, which is refused; the status, and what is known of the request."""
    with served.connect() as client:
        client.send_pieces([data] if mode == WHOLE else [data[at : at + 1] for at in range(len(data))])
        if ends:
            client.end()
        status = client.received[9:12].decode()
    ((_, _, said),) = served.refusals
    assert said[:3] == status
    (request,) = served.refused_requests
    return status, request


#: name: status, what stands behind the line and Host, and the fields that are known.
_JUDGED = {
    "an announced length": ("413", b"Content-Length: 11\r\n\r\n", [("CONTENT-LENGTH", "11")]),
    "a chunked body": ("413", b"Transfer-Encoding: chunked\r\n\r\nb\r\n", [("TRANSFER-ENCODING", "chunked")]),
    "an expectation": ("417", b"Expect: tea\r\n\r\n", [("EXPECT", "tea")]),
    "no length": ("400", b"Content-Length: x\r\n\r\n", [("CONTENT-LENGTH", "x")]),
    "two lengths": (
        "400",
        b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n",
        [("CONTENT-LENGTH", "1"), ("CONTENT-LENGTH", "2")],
    ),
    "a length and a coding": (
        "400",
        b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        [("CONTENT-LENGTH", "1"), ("TRANSFER-ENCODING", "chunked")],
    ),
    "a coding": ("501", b"Transfer-Encoding: gzip\r\n\r\n", [("TRANSFER-ENCODING", "gzip")]),
    "a broken chunk": ("400", b"Transfer-Encoding: chunked\r\n\r\nx\r\n", [("TRANSFER-ENCODING", "chunked")]),
    "two hosts": ("400", b"Host: b\r\n\r\n", [("HOST", "b")]),
    "two types": (
        "400",
        b"Content-Type: a\r\nContent-Type: b\r\n\r\n",
        [("CONTENT-TYPE", "a"), ("CONTENT-TYPE", "b")],
    ),
}


@pytest.mark.parametrize("mode", [WHOLE, BYTE_BY_BYTE])
@pytest.mark.parametrize("name", _JUDGED)
def test_a_judged_head_is_known_whole(serve: Serve, name: str, mode: str) -> None:
    status, rest, fields = _JUDGED[name]
    seen, request = refused(serve(body=10), _LINE + _HOST + rest, mode)
    assert seen == status
    assert known(request) == _KNOWN
    assert request is not None
    assert request.headers == _FIELDS + fields


def test_a_body_that_breaks_off(serve: Serve) -> None:
    data = _LINE + _HOST + b"Content-Length: 5\r\n\r\nab"
    status, request = refused(serve(), data, WHOLE, ends=True)
    assert status == "400"
    assert known(request) == _KNOWN


def test_a_body_that_stalls(serve: Serve) -> None:
    served = serve(body_timeout=0.01)
    with served.connect() as client:
        client.send(_LINE + _HOST + b"Content-Length: 5\r\n\r\nab")
        while not served.refusals:
            served.engine.turn(5.0)
        assert client.receive().startswith(b"HTTP/1.1 408 ")
    assert known(served.refused_requests[0]) == _KNOWN


#: name: settings, status, and what stands behind the request line.
_UNREAD = {
    "a field without a colon": ({}, "400", _HOST + b"No colon\r\n\r\n"),
    "a field that is too large": ({"field_size": 20}, "431", _HOST + b"X-Long: 01234567890123456789\r\n\r\n"),
    "too many fields": ({"fields": 2}, "431", _HOST + b"X: 1\r\n\r\n"),
}


@pytest.mark.parametrize("mode", [WHOLE, BYTE_BY_BYTE])
@pytest.mark.parametrize("name", _UNREAD)
def test_fields_are_known_all_or_none(serve: Serve, name: str, mode: str) -> None:
    settings, status, rest = _UNREAD[name]
    seen, request = refused(serve(**settings), _LINE + rest, mode)
    assert seen == status
    assert known(request) == _KNOWN
    assert request is not None
    assert (request.headers, request.host, request.content_length) == ([], "", 0)


@pytest.mark.parametrize("mode", [WHOLE, BYTE_BY_BYTE])
@pytest.mark.parametrize(
    ("status", "line"),
    [
        ("400", b"PUT /\r\n"),
        ("400", b"PU\tT / HTTP/1.1\r\n"),
        ("400", b"PUT /\xff HTTP/1.1\r\n"),
        ("400", b"PUT a HTTP/1.1\r\n"),
        ("400", b"put / HTTP/1.1\r\n"),
        ("505", b"PUT / HTTP/2.0\r\n"),
    ],
)
def test_nothing_is_known_without_the_line(serve: Serve, line: bytes, status: str, mode: str) -> None:
    assert refused(serve(), line + _HOST + b"\r\n", mode) == (status, None)


def test_nobody_is_taken_for_the_one_before(serve: Serve) -> None:
    """On the same connection, nor on another one."""
    served = serve(body=10)
    with served.connect() as client:
        client.send(_LINE + _HOST + b"\r\n" + b"PUT /\r\n\r\n")
    with served.connect() as client:
        client.send(_LINE + _HOST + b"Content-Length: 11\r\n\r\n")
    with served.connect() as client:
        client.send(b"PUT /\r\n\r\n")
    assert [known(request) for request in served.refused_requests] == [None, _KNOWN, None]
