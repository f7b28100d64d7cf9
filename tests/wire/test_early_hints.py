"""wsgi.early_hints over the wire: 103 responses before the final one, and never in the wrong place."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.wire.answers import take_apart
from tests.wire.applications import StartResponse
from tests.wire.case import get, request
from tests.wire.served import Served

LINK = ("Link", "</style.css>; rel=preload; as=style")
HINT = b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload; as=style\r\n\r\n"


@pytest.fixture
def served() -> Iterator[Served]:
    # A short path: a unix socket's may have 107 bytes.
    with tempfile.TemporaryDirectory(prefix="wire-") as folder:
        found = Served(Path(folder), {})
        yield found
        found.close()


def hint_twice(environ: dict[str, Any], start_response: StartResponse) -> list[bytes]:
    environ["wsgi.early_hints"]([LINK])
    environ["wsgi.early_hints"]([("link", "</a.js>"), ("X-Two", "2")])
    start_response("200 OK", [LINK])
    return [b"body"]


def test_hints_go_before_the_final_response(served: Served) -> None:
    served.application = hint_twice
    with served.connect() as client:
        client.send(get() + get())
        two = HINT + b"HTTP/1.1 103 Early Hints\r\nlink: </a.js>\r\nX-Two: 2\r\n\r\nHTTP/1.1 200 OK\r\n"
        assert client.received.startswith(two)
        assert client.received.count(two) == 2
        assert [answer.body for answer in take_apart(client.received, [], client.is_ended)] == [b"body"] * 2


def test_hints_are_sent_at_once(served: Served) -> None:
    seen: list[bytes] = []

    def application(environ: dict[str, Any], start_response: StartResponse) -> list[bytes]:
        environ["wsgi.early_hints"]([LINK])
        # The client and this application share a thread, so what was sent can be looked at right here.
        seen.append(client._sock.recv(1000))
        start_response("204 No Content", [])
        return []

    served.application = application
    with served.connect() as client:
        client.send(get())
        assert seen == [HINT]
        assert [answer.status for answer in take_apart(client.received, [], client.is_ended)] == [204]


def test_http_1_0_knows_no_interim_responses(served: Served) -> None:
    served.application = hint_twice
    with served.connect() as client:
        client.send(get(version="1.0"))
        assert client.received.startswith(b"HTTP/1.1 200 OK\r\n")
        assert b"103" not in client.received


def test_head_gets_hints_too(served: Served) -> None:
    served.application = hint_twice
    with served.connect() as client:
        client.send(request("HEAD / HTTP/1.1", "Host: a"))
        assert client.received.startswith(HINT)


def test_start_response_alone_ends_nothing(served: Served) -> None:
    def application(environ: dict[str, Any], start_response: StartResponse) -> list[bytes]:
        start_response("200 OK", [("Content-Length", "2")])
        environ["wsgi.early_hints"]([LINK])
        return [b"ok"]

    served.application = application
    with served.connect() as client:
        client.send(get())
        assert client.received.startswith(HINT + b"HTTP/1.1 200 OK\r\n")


def test_hints_behind_the_head_are_an_error(served: Served) -> None:
    def application(environ: dict[str, Any], start_response: StartResponse) -> Iterator[bytes]:
        start_response("200 OK", [])
        yield b"first"
        environ["wsgi.early_hints"]([LINK])
        yield b"second"

    served.application = application
    with served.connect() as client:
        client.send(get())
        assert b"103" not in client.received
        # The head promised a chunked body, which now has no end.
        assert client.received.endswith(b"\r\nfirst\r\n")
        assert client.is_ended
    assert ["early hints cannot follow" in line for line in served.log.lines] == [True]


def test_hints_of_an_answered_request_are_an_error(served: Served) -> None:
    kept: list[Any] = []

    def application(environ: dict[str, Any], start_response: StartResponse) -> list[bytes]:
        if kept:
            # The connection is the next request's now.
            kept[0]([LINK])
        kept.append(environ["wsgi.early_hints"])
        start_response("200 OK", [("Content-Length", "2")])
        return [b"ok"]

    served.application = application
    with served.connect() as client:
        client.send(get() + get())
        assert b"103" not in client.received
        assert [answer.status for answer in take_apart(client.received, [], client.is_ended)] == [200, 500]


@pytest.mark.parametrize(
    "headers",
    [
        [("Link", "a\r\nSet-Cookie: b")],
        [("Li nk", "a")],
        [("Link", "a\0")],
        [("Link", b"a")],
        [(b"Link", "a")],
    ],
)
@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_hints_that_may_not_be_sent(served: Served, headers: Any, version: str) -> None:
    def application(environ: dict[str, Any], start_response: StartResponse) -> list[bytes]:
        environ["wsgi.early_hints"](headers)
        raise AssertionError("it was accepted")

    served.application = application
    with served.connect() as client:
        client.send(get(version=version))
        assert client.received.startswith(b"HTTP/1.1 500 ")
        assert b"Set-Cookie" not in client.received


def test_fields_that_frame_messages_are_left_out(served: Served) -> None:
    def application(environ: dict[str, Any], start_response: StartResponse) -> list[bytes]:
        environ["wsgi.early_hints"](
            [("Content-Length", "5"), ("Connection", "close"), LINK, ("Upgrade", "h2c")]
        )
        start_response("200 OK", [])
        return [b"ok"]

    served.application = application
    with served.connect() as client:
        client.send(get())
        assert client.received.startswith(HINT + b"HTTP/1.1 200 OK\r\n")


def test_client_that_left(served: Served) -> None:
    def application(environ: dict[str, Any], start_response: StartResponse) -> list[bytes]:
        client._sock.close()
        for _ in range(3):
            environ["wsgi.early_hints"]([LINK])
        start_response("200 OK", [])
        return [b"ok"]

    served.application = application
    client = served.connect()
    client._sock.send(get())
    served.settle()
    assert served.engine.open_connections == 0
    assert not served.log.lines
