"""The WSGI call of a Flask application under every kind, with `wsgiref.validate` in between: what the client
gets, and that each result is iterated and closed once, in the thread, greenlet and context of its call.

The corners of PEP 3333 that Flask never touches are in test_wsgi.py.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator

import httpx
import pytest

from tests.integration.served import DEADLINE, NO_TLS, Server
from tests.integration.wire import Answer, connect
from tests.integration.wsgi_ways import WAYS, serve_way
from tests.workers.kinds import name_of

LARGE = b"0123456789abcdef" * 65536
numbers = itertools.count()


@pytest.fixture(scope="module", params=WAYS, ids=name_of)
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serve_way(request.param, "flask_calls:application", tmp_path_factory.mktemp("calls")) as running:
        yield running


def ask(server: Server, path: str, method: str = "GET", fields: str = "", body: bytes = b"") -> Answer:
    """One request, whose steps are then looked at as well."""
    call = f"call{next(numbers)}"
    with connect(server.url) as wire:
        head = f"{method} {path} HTTP/1.1\r\nHost: x\r\nX-Call: {call}\r\n{fields}\r\n"
        wire.send(head.encode("ascii") + body)
        answer = wire.answer(method)
    expect_steps(server, call)
    return answer


def expect_steps(server: Server, call: str) -> None:
    """Called, iterated and closed once, all in one place."""

    def steps() -> list[list[object]]:
        with connect(server.url) as wire:
            wire.send(b"GET /record HTTP/1.1\r\nHost: x\r\n\r\n")
            return json.loads(wire.answer().body)[call]  # type: ignore[no-any-return]

    server.wait_until(lambda: ["closed", True] in steps(), f"close() of {call}")
    expected = [["call", True], ["next", True], ["close", True], ["closed", True]]
    found = steps()
    # A response without a body need not be iterated.
    assert found in (expected, [expected[0], *expected[2:]])


PAGES = {
    "/text": (200, b"hello"),
    "/empty": (204, b""),
    "/large": (200, LARGE),
    "/stream": (200, LARGE),
    "/file": (200, LARGE),
    "/abort": (418, None),
    "/crash": (500, None),
    "/nowhere": (404, None),
}


@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_pages(server: Server, path: str, method: str) -> None:
    status, body = PAGES[path]
    answer = ask(server, path, method)
    assert answer.status == status
    if method == "HEAD":
        assert answer.body == b""
    elif body is not None:
        assert answer.body == body
    else:
        assert answer.body.startswith(b"<!doctype html>")
        assert b"on purpose" not in answer.body


def test_conditions_and_ranges(server: Server) -> None:
    answer = ask(server, "/nothing-new", fields='If-None-Match: "tag"\r\n')
    assert (answer.status, answer.body) == (304, b"")
    answer = ask(server, "/file", fields="Range: bytes=1-3\r\n")
    assert (answer.status, answer.body) == (206, b"123")
    assert answer.field("content-range") == f"bytes 1-3/{len(LARGE)}"
    assert ask(server, "/file", fields=f"Range: bytes={len(LARGE)}-\r\n").status == 416


def test_an_error_in_the_middle(server: Server) -> None:
    call = f"call{next(numbers)}"
    with connect(server.url) as wire:
        wire.send(f"GET /late-crash HTTP/1.1\r\nHost: x\r\nX-Call: {call}\r\n\r\n".encode())
        # The head is out: the client must see that something is missing.
        assert not wire.rest().endswith(b"0\r\n\r\n")
    expect_steps(server, call)


def test_a_client_that_leaves(server: Server) -> None:
    call = f"call{next(numbers)}"
    with connect(server.url) as wire:
        wire.send(f"GET /endless HTTP/1.1\r\nHost: x\r\nX-Call: {call}\r\n\r\n".encode())
        assert wire.socket.recv(100).startswith(b"HTTP/1.1 200")
    expect_steps(server, call)


@pytest.mark.parametrize("size", [0, 1, 100_000, 3_000_000])
@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_bodies(server: Server, size: int, framing: str) -> None:
    body = (LARGE * 3)[:size]
    if framing == "length":
        fields, sent = f"Content-Length: {size}\r\n", body
    else:
        fields = "Transfer-Encoding: chunked\r\n"
        sent = b"%x\r\n%b\r\n" % (size, body) if size else b""
        sent += b"0\r\n\r\n"
    assert ask(server, "/echo", "POST", fields, sent).body == body
    assert ask(server, "/unread", "POST", fields, sent).body == b"not read"


def test_forms(server: Server) -> None:
    call = f"call{next(numbers)}"
    answer = httpx.post(
        server.url + "/form",
        data={"a": "1", "b": "ä"},
        files={"file": ("name", LARGE)},
        headers={"X-Call": call},
        timeout=DEADLINE,
        trust_env=False,
        verify=NO_TLS,
    )
    assert answer.json() == {"form": {"a": "1", "b": "ä"}, "files": {"file": len(LARGE)}}
    expect_steps(server, call)


def test_fields(server: Server) -> None:
    answer = ask(server, "/fields")
    assert [value for name, value in answer.fields if name == "x-twice"] == ["1", "2"]
    assert [value for name, value in answer.fields if name == "set-cookie"] == ["a=1; Path=/", "b=2; Path=/"]


def test_the_validator_found_nothing(server: Server) -> None:
    """Not in any of the calls above: what it finds is an AssertionError."""
    log = server.error_log
    assert "AssertionError" not in log
    assert "garbage collected" not in log
    assert log.count("Traceback") == log.count("ValueError: on purpose")
