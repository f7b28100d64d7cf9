"""The scope of an HTTP request: names, types and values of the ASGI specification (HTTP, version 2.5)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.process.asgi import LOOPS, fetch, message, running
from tests.process.logs import request
from tests.process.server import Server


@pytest.fixture(scope="module", params=LOOPS)
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running(tmp_path_factory.mktemp("scope"), "--asgi-loop", request.param) as found:
        yield found


def test_every_key(server: Server) -> None:
    with server.connect() as sock:
        sock.sendall(message("GET", "/scope", "Connection: close"))
        port = sock.getsockname()[1]
        answer = b"".join(iter(lambda: sock.recv(65536), b""))
    shown: dict[str, Any] = json.loads(answer.partition(b"\r\n\r\n")[2])
    types = shown.pop("types")
    assert types == {
        "type": "str", "asgi": "dict", "http_version": "str", "method": "str", "scheme": "str",
        "path": "str", "raw_path": "bytes", "query_string": "bytes", "root_path": "str",
        "headers": "list", "client": "tuple",
        "server": "tuple", "state": "dict", "extensions": "dict",
    }  # fmt: skip
    assert shown == {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.5"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": "/scope",
        "raw_path": "b:/scope",
        "query_string": "b:",
        "root_path": "",
        "headers": [["b:host", "b:a"], ["b:connection", "b:close"]],
        "client": ["127.0.0.1", port],
        "server": ["127.0.0.1", server.address[1]],
        "state": shown["state"],
        "extensions": {
            "http.response.early_hint": {},
            "http.response.pathsend": {},
            "http.response.zerocopysend": {},
            "http.response.trailers": {},
        },
    }


def test_each_request_has_copies(server: Server) -> None:
    """The state is copied, what it holds is shared; nothing else of a scope is seen by another request."""
    before = fetch(server, "/scope")
    after = fetch(server, "/scope")
    assert after["headers"] == before["headers"]
    assert "touched" not in after["asgi"]
    assert "touched" not in after["extensions"]
    assert "touched" not in after["state"]
    assert len(after["state"]["shared"]) == len(before["state"]["shared"]) + 1


@pytest.mark.parametrize(
    ("target", "path", "raw_path", "query"),
    [
        ("/a%20b%C3%A9", "/a bé", "/a%20b%C3%A9", ""),
        ("/a%2Fb/%2e%2E", "/a/b/..", "/a%2Fb/%2e%2E", ""),
        ("/%FF", "/\ufffd", "/%FF", ""),
        ("/x?a=1&b=%20+?", "/x", "/x", "a=1&b=%20+?"),
        ("/x?", "/x", "/x", ""),
        ("//x?show", "//x", "//x", "show"),
        ("http://a/x?y", "/x", "/x", "y"),
        ("http://a?show", "/", "/", "show"),
    ],
)
def test_path_and_query(server: Server, target: str, path: str, raw_path: str, query: str) -> None:
    shown = fetch(server, target)
    assert (shown["path"], shown["raw_path"], shown["query_string"]) == (path, f"b:{raw_path}", f"b:{query}")


def test_fields_are_lower_case_octets_in_order(server: Server) -> None:
    shown = fetch(server, "/scope", "X-B: 1", "x-A: caf\u00e9", "X-b:  2 ", "COOKIE: a")
    assert shown["headers"] == [
        ["b:host", "b:a"], ["b:x-b", "b:1"], ["b:x-a", "b:caf\u00c3\u00a9"], ["b:x-b", "b:2"],
        ["b:cookie", "b:a"], ["b:connection", "b:close"],
    ]  # fmt: skip


def test_methods(server: Server) -> None:
    for method in ("DELETE", "PROPFIND", "OPTIONS"):
        assert fetch(server, "/scope", method=method)["method"] == method
    assert fetch(server, "*", method="OPTIONS")["path"] == "*"


def test_version_1_0(server: Server) -> None:
    answer = request(server, b"GET /scope HTTP/1.0\r\n\r\n")
    assert b'"http_version": "1.0"' in answer
    assert b'"headers": []' in answer


def test_unix_socket(tmp_path: Path) -> None:
    with running(tmp_path, bind=f"unix:{tmp_path}/s") as server:
        shown = fetch(server, "/scope")
    assert shown["client"] is None
    assert shown["server"] == [f"{tmp_path}/s", None]


def test_root_path(tmp_path: Path) -> None:
    with running(tmp_path, "--root-path", "/mou nt") as server:
        shown = fetch(server, "/x%20y")
    assert (shown["root_path"], shown["path"]) == ("/mou nt", "/mou nt/x y")
    assert shown["raw_path"] == "b:/mou%20nt/x%20y"


def test_behind_a_proxy(tmp_path: Path) -> None:
    (tmp_path / "conf.py").write_text('forwarded = {"for": 1, "proto": 1, "host": 1, "prefix": 1}\n')
    with running(tmp_path, "--config", "conf.py") as server:
        shown = fetch(
            server, "/x", "X-Forwarded-For: 192.0.2.1", "X-Forwarded-Proto: https",
            "X-Forwarded-Host: outside.example", "X-Forwarded-Prefix: /pre",
        )  # fmt: skip
    assert shown["scheme"] == "https"
    assert shown["client"] == ["192.0.2.1", 0]
    assert (shown["root_path"], shown["path"]) == ("/pre", "/pre/x")
    assert ["b:host", "b:outside.example"] in shown["headers"]


def test_no_state_without_lifespan(tmp_path: Path) -> None:
    with running(tmp_path, "--asgi-lifespan", "off") as server:
        shown = fetch(server, "/scope")
    assert "state" not in shown
