"""Workers of the asgi kind leave and are renewed without losing a request; requests leave nothing behind."""

from __future__ import annotations

import errno
import re
import signal
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.process.asgi import LOOPS, fetch, message, read_json, read_until, start
from tests.process.load import Load
from tests.process.logs import request as exchange
from tests.process.server import Server, get_on, wait_for


@pytest.fixture(params=LOOPS)
def started(request: pytest.FixtureRequest, folder: Path) -> Iterator[object]:
    servers: list[Server] = []

    def begin(*arguments: str) -> Server:
        servers.append(start(folder, "--asgi-loop", request.param, *arguments))
        return servers[-1]

    yield begin
    for server in servers:
        server.kill_all()


def test_term_completes_what_is_in_flight(started: Callable[..., Server]) -> None:
    server = started().wait_ready()
    with server.connect() as waiting, server.connect() as half, server.connect() as idle:
        get_on(idle)
        waiting.sendall(message("GET", "/gate/a"))
        half.sendall(message("POST", "/show", "Content-Length: 8") + b"half")
        server.wait_for_log("waits at a")
        server.wait_for_log("received http.request 4")
        server.send(signal.SIGTERM)
        wait_for(lambda: _is_closed(server), "the end of the listener")
        # Whoever is connected may still ask, once.
        assert b"Connection: close" in _ask(idle, "/open/a")
        half.sendall(b"rest")
        with waiting.makefile("rb") as stream:
            assert read_json(stream) == "through a"
        with half.makefile("rb") as stream:
            assert "b:rest" in str(read_json(stream))
        assert idle.recv(1) == waiting.recv(1) == half.recv(1) == b""
    assert server.wait_exit() == 0
    assert "shuts down" in server.log()
    assert "ERROR" not in server.log()


def _is_closed(server: Server) -> bool:
    assert isinstance(server.address, tuple)
    with socket.socket() as sock:
        return sock.connect_ex(server.address) == errno.ECONNREFUSED


def _ask(sock: socket.socket, path: str) -> bytes:
    sock.sendall(message("GET", path))
    return read_until(sock, b'\r\n\r\n"open"')


def test_term_waits_for_what_follows_a_response(started: Callable[..., Server]) -> None:
    """Background tasks of frameworks run behind the response, in the request's task."""
    server = started().wait_ready()
    with server.connect() as sock:
        sock.sendall(message("GET", "/afterwards?1.5", "Connection: close"))
        server.wait_for_log("works on")
        assert server.stop() == 0
    assert "has worked on" in server.log()
    assert server.log().index("has worked on") < server.log().index("shuts down")


def test_term_gives_up_in_time(started: Callable[..., Server]) -> None:
    server = started("--graceful-timeout", "5").wait_ready()
    with server.connect() as sock:
        sock.sendall(message("GET", "/linger"))
        server.wait_for_log("lingers")
        begin = time.monotonic()
        assert server.stop() == 0
        assert 4 < time.monotonic() - begin < 12
        assert sock.recv(1000).startswith(b"HTTP/1.1 500 ")
    server.wait_for_log("cancelled at .*: the server is shutting down")
    assert "SIGKILL" not in server.log()


@pytest.mark.parametrize("order", [signal.SIGINT, signal.SIGQUIT])
def test_quit_ends_at_once(started: Callable[..., Server], order: int) -> None:
    server = started().wait_ready()
    with server.connect() as sock:
        sock.sendall(message("GET", "/linger"))
        server.wait_for_log("lingers")
        begin = time.monotonic()
        assert server.stop(order) == 0
        assert time.monotonic() - begin < 5
        answer = sock.recv(1000)
        assert not answer or answer.startswith(b"HTTP/1.1 500 ")


def test_reloads_under_load_lose_nothing(started: Callable[..., Server]) -> None:
    server = started("--workers", "2").wait_ready(2)
    old = set(server.workers())
    with Load(server) as load:
        wait_for(lambda: len(load.answers) > 20, "load")
        for count in (1, 2):
            server.send(signal.SIGHUP)
            server.wait_for_log("Reload complete", count)
        before = len(load.answers)
        wait_for(lambda: len(load.answers) > before + 50, "load")
    assert load.failures == []
    wait_for(lambda: not old & set(server.workers()), "the end of the old workers")


def test_max_requests_renews_without_a_failure(started: Callable[..., Server]) -> None:
    server = started("--max-requests", "50").wait_ready()
    with Load(server) as load:
        wait_for(lambda: len({answer.split()[0] for answer in load.answers}) >= 3, "three workers", 40)
    assert load.failures == []
    assert "asks for a successor" in server.log()


def test_nothing_is_left_of_a_thousand_requests(started: Callable[..., Server]) -> None:
    server = started("--request-timeout", "30").wait_ready()
    _all_sorts(server, 3)
    before = wait_for(lambda: _settled(server), "all tasks to end")
    _all_sorts(server, 100)

    def settled_as_before() -> dict[str, int]:
        found = _settled(server)
        return found if found and found["cycles"] <= before["cycles"] else {}

    after = wait_for(settled_as_before, "the end of what requests have made")
    assert after["tasks"] == before["tasks"]
    assert after["coroutines"] <= before["coroutines"]
    assert not re.search("never retrieved|never awaited|destroyed", server.log())


def _settled(server: Server) -> dict[str, int]:
    """What there is once no request but this one is in progress."""
    found: dict[str, int] = fetch(server, "/tasks")
    return found if found["tasks"] <= 3 else {}


def _all_sorts(server: Server, times: int) -> None:
    """Ten requests, `times` over: short and slow ones, with and without bodies, failed and abandoned."""
    for _ in range(times):
        with server.connect() as sock:
            for path in ("/", "/sleep/0.001", "/scope"):
                sock.sendall(message("GET", path, "Connection: close" if path == "/scope" else "X: y"))
            while sock.recv(65536):
                pass
        exchange(server, message("POST", "/show", "Connection: close", body=b"x" * 100000))
        exchange(server, message("POST", "/send", "Connection: close", body=b"['raise']"))
        waits = ("Connection: close", "Expect: 100-continue", "Content-Length: 5")
        exchange(server, message("POST", "/scope", *waits))
        for path in ("/disconnect", "/disconnect/begun", "/flood"):
            with server.connect() as sock:
                sock.sendall(message("GET", path))
        exchange(server, message("GET", "/", "Connection: close"))


def test_an_exit_of_the_application_ends_the_worker(started: Callable[..., Server]) -> None:
    server = started().wait_ready()
    worker = server.workers()[0]
    assert exchange(server, message("GET", "/exit")).startswith(b"HTTP/1.1 500 ")
    wait_for(lambda: server.workers() not in ([], [worker]), "a new worker")
    assert fetch(server, "/sleep/0") == "slept"
