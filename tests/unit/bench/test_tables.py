"""The rows of servers and cases, and what is made of them."""

from __future__ import annotations

import re
from collections import Counter

import pytest

from bench import apps, asgi_apps, cases, environment, naps, serverrow, servers
from bench.results import row

PLACES = {
    "root": "/r",
    "peers": "/p",
    "packages": "/p/lib",
    "indrik": "/i",
    "files": "/f",
    "host": "h",
    "port": "1",
    "app": "bench.apps:hello",
}


@pytest.mark.parametrize("server", servers.SERVERS, ids=lambda server: server.name)
def test_every_place_of_a_command_is_filled(server: serverrow.Server) -> None:
    for crowded in (False, True):
        words = server.argv(PLACES, crowded)
        assert not re.search("[{}]", " ".join(words))
        assert words[0].startswith(("/p/", "/i/"))
        assert ("bench.apps:hello" in words) == (
            server.name not in (serverrow.FLOOR, serverrow.NGINX, "nginx-cached")
        )
    for value in server.environment(PLACES).values():
        assert not re.search("[{}]", value)


def test_a_place_with_a_blank_stays_one_word() -> None:
    (ours,) = servers.select([serverrow.INDRIK])
    words = ours.argv({**PLACES, "indrik": "/with blank"})
    assert words[0] == "/with blank/indrik"


def test_crowd_is_used_for_a_crowd_only() -> None:
    (waitress,) = servers.select(["waitress"])
    assert "--connection-limit" not in waitress.argv(PLACES)
    assert "--connection-limit" in waitress.argv(PLACES, crowded=True)


def test_threads_are_the_rows_or_the_measurements() -> None:
    (waitress,) = servers.select(["waitress"])
    assert waitress.argv(PLACES)[-6] == "4"
    assert waitress.argv(PLACES, threads=64)[-6] == "64"
    for server in servers.SERVERS:
        has_threads = server.argv(PLACES, threads=987) != server.argv(PLACES, threads=986)
        assert has_threads == (server.kind == serverrow.THREADS), server.name


def test_names_are_unique() -> None:
    for rows in (servers.SERVERS, cases.CASES):
        assert Counter(row.name for row in rows).most_common(1)[0][1] == 1


def test_an_interface_stands_for_its_rows_and_the_floor() -> None:
    names = [server.name for server in servers.select(["asgi"])]
    assert names[0] == serverrow.FLOOR
    assert "hypercorn" in names
    assert not {server.interface for server in servers.select(["asgi"])} & {"wsgi"}
    assert serverrow.FLOOR not in [server.name for server in servers.select(["hypercorn"])]


@pytest.mark.parametrize("case", [*cases.CASES, *naps.CASES], ids=lambda case: case.name)
def test_every_case_has_an_application_and_servers(case: cases.Case) -> None:
    takers = [server for server in servers.SERVERS if server.takes(case)]
    assert {server.interface for server in takers} - {serverrow.ANY} == {case.interface}
    assert case.has_floor == (serverrow.FLOOR in [server.name for server in takers])
    module, _, variable = servers.target(takers[-1], case.app).partition(":")
    if module == apps.__name__ or module == asgi_apps.__name__:
        assert hasattr(asgi_apps if case.interface == "asgi" else apps, variable)


@pytest.mark.parametrize(
    ("name", "ours"),
    [("indrik", True), ("indrik (uncompiled)", True), ("indrik-asgi-uvloop", True), ("granian", False)],
)
def test_which_rows_are_ours(name: str, ours: bool) -> None:
    assert serverrow.is_ours(name) == ours


def test_every_peer_is_pinned() -> None:
    pinned = dict(
        line.split("==")
        for line in environment.REQUIREMENTS.read_text().splitlines()
        if not line.startswith("#")
    )
    assert {server.package for server in servers.SERVERS} - {"indrik", ""} <= set(pinned)


def test_a_published_command_names_no_folder_of_this_machine() -> None:
    for server in servers.SERVERS:
        assert str(environment.ROOT) not in row(server, "1", crowded=True).command


def test_selection_keeps_the_tables_order() -> None:
    assert [server.name for server in servers.select(["gunicorn", "bjoern"])] == ["bjoern", "gunicorn"]
    assert [case.name for case in cases.select("post10k,hello")] == ["hello", "post10k"]
    assert len(servers.select(None)) == len(servers.SERVERS)
    assert len(cases.select(None)) == len(cases.CASES)


def test_an_unknown_name_is_refused_with_the_known_ones() -> None:
    known = "wsgi, asgi, files, floor, indrik"
    with pytest.raises(ValueError, match=f"no server named 'apache'; there are: {known}"):
        servers.select(["apache"])
    with pytest.raises(ValueError, match="no case named 'get'; there are: hello"):
        cases.select("get")


def test_a_browser_sends_thirteen_headers() -> None:
    (case,) = cases.select("browser")
    head = case.request("127.0.0.1:80").split(b"\r\n\r\n")[0]
    assert len(head.split(b"\r\n")) - 1 == 13


def test_a_post_is_framed() -> None:
    (case,) = cases.select("post10k")
    head, _, body = case.request("h").partition(b"\r\n\r\n")
    assert head.startswith(b"POST / HTTP/1.1\r\nHost: h\r\n")
    assert b"Content-Length: 10000" in head
    assert len(body) == 10_000
