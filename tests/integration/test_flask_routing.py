"""Routing under every kind: each request finds the same rule, with the same values, redirects and links as
with Flask's own test client.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.integration.flask_routing import app
from tests.integration.served import Server
from tests.integration.wire import connect
from tests.integration.wsgi_ways import WAYS, Way, serve_way
from tests.workers.kinds import name_of

#: Method and target.
REQUESTS = [
    ("GET", "/"),
    ("HEAD", "/"),
    ("OPTIONS", "/"),
    ("POST", "/"),
    ("GET", "/?a=1&b=%20"),
    ("GET", "/int/7"),
    ("GET", "/int/007"),
    ("GET", "/int/-7"),
    ("GET", "/int/negative/-7"),
    ("GET", "/int/x"),
    ("GET", "/float/1.5"),
    ("GET", "/float/1"),
    ("GET", "/uuid/00000000-0000-0000-0000-000000000007"),
    ("GET", "/uuid/7"),
    ("GET", "/any/a"),
    ("GET", "/any/c"),
    ("GET", "/text/a%20b"),
    ("GET", "/text/%C3%A4?q=%C3%A4&q=2&r"),
    ("GET", "/text/%FF"),
    ("GET", "/text/a%2Fb"),
    ("GET", "/text/a+b;c=d"),
    ("GET", "/text/%3Cb%3E"),
    ("GET", "/text/"),
    ("GET", "/path/a/b/end"),
    ("GET", "/path/a%2Fb/end"),
    ("GET", "/path/a//b/end"),
    ("GET", "/path/../end"),
    ("GET", "/folder/"),
    ("GET", "/folder"),
    ("GET", "/folder?x=1"),
    ("POST", "/folder"),
    ("GET", "/file"),
    ("GET", "/file/"),
    ("GET", "/loose"),
    ("GET", "/loose/"),
    ("PUT", "/methods"),
    ("PATCH", "/methods"),
    ("DELETE", "/methods"),
    ("GET", "/methods"),
    ("OPTIONS", "/methods"),
    ("GET", "/default"),
    ("GET", "/default/1"),
    ("GET", "/default/2"),
    ("GET", "/old"),
    ("GET", "/links"),
    ("GET", "/links?x=%C3%A4"),
    ("GET", "/admin/user/me"),
    ("GET", "/admin/gone"),
    ("GET", "/admin/nothing"),
    ("GET", "/Int/7"),
    ("GET", "/nowhere"),
    ("GET", "/nowhere/" + "x" * 1000),
]
PREFIXES = ["", "/shop"]


@pytest.fixture(
    scope="module",
    params=[(way, prefix) for way in WAYS for prefix in PREFIXES],
    ids=[f"{name_of(way)}{prefix}" for way in WAYS for prefix in PREFIXES],
)
def mounted(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Server, str]]:
    """The server, and below which prefix of the path it has the application."""
    way: Way
    way, prefix = request.param
    environment = {"SCRIPT_NAME": prefix} if prefix else {}
    logs = tmp_path_factory.mktemp("routing")
    with serve_way(way, "flask_routing:app", logs, environment=environment) as server:
        yield server, prefix


Found = tuple[int, str | None, list[str], bytes]


def by_test_client(method: str, target: str, prefix: str) -> Found:
    answer = app.test_client().open(target, method=method, base_url=f"http://shop.example{prefix}/")
    return answer.status_code, answer.location, allowed(answer.headers.get("Allow")), answer.data


def by_server(server: Server, method: str, target: str, prefix: str) -> Found:
    with connect(server.url) as wire:
        head = f"{method} {prefix}{target} HTTP/1.1\r\nHost: shop.example\r\nContent-Length: 0\r\n\r\n"
        wire.send(head.encode("ascii"))
        answer = wire.answer(method)
    return answer.status, answer.field("location"), allowed(answer.field("allow")), answer.body


def allowed(field: str | None) -> list[str]:
    """The methods of a field Allow; Flask gives them in no order."""
    return sorted((field or "").split(", "))


def test_same_as_with_the_test_client(mounted: tuple[Server, str]) -> None:
    server, prefix = mounted
    different = {}
    for method, target in REQUESTS:
        expected = by_test_client(method, target, prefix)
        found = by_server(server, method, target, prefix)
        if found != expected:
            different[method, target] = (found, expected)
    assert different == {}


def test_the_table_is_not_all_alike() -> None:
    statuses = {by_test_client(method, target, "")[0] for method, target in REQUESTS}
    assert statuses == {200, 302, 308, 404, 405}
