"""Clients that leave, stall or take too long: what an ASGI application hears, and when its task ends."""

from __future__ import annotations

import re
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.process.asgi import LOOPS, fetch, message, read_until, running
from tests.process.crowd import resident
from tests.process.server import Server, get_on, read_answer, wait_for

MEGABYTE = 1 << 20


@pytest.fixture(scope="module", params=LOOPS)
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    arguments = ("--asgi-loop", request.param, "--asgi-disconnect-grace-period", "1")
    with running(tmp_path_factory.mktemp("asgi"), *arguments) as found:
        yield found


def leave(server: Server, data: bytes, until: str, how: str) -> float:
    """Sends `data` and leaves when the log says so; when that was. `how`: close, or reset."""
    count = len(re.findall(until, server.log()))
    with server.connect() as sock:
        sock.sendall(data)
        server.wait_for_log(until, count + 1)
        if how == "reset":
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    return time.monotonic()


@pytest.mark.parametrize("how", ["close", "reset"])
@pytest.mark.parametrize("path", ["/disconnect", "/disconnect/begun"])
def test_disconnect_is_told_at_once(server: Server, path: str, how: str) -> None:
    """Within 100 ms, the quickest of three: the machine may be busy."""
    waits = []
    for _ in range(3):
        count = server.log().count("got http.disconnect")
        left_at = leave(server, message("GET", path), "waits for the end", how)
        got = server.wait_for_log(r"got http.disconnect at ([\d.]+)", count + 1)
        waits.append(float(got[1]) - left_at)
        server.wait_for_log("again http.disconnect", count + 1)
    assert min(waits) < 0.1
    if how == "reset":
        assert "sending raised ConnectionEnded, an OSError: True" in server.log()
    assert not re.search(r"\[ERROR\]", server.log())


def test_disconnect_in_the_middle_of_a_body(server: Server) -> None:
    count = server.log().count("received http.disconnect")
    half = message("POST", "/show", "Content-Length: 10") + b"hello"
    leave(server, half, "received http.request 5", "close")
    server.wait_for_log("received http.disconnect", count + 1)


@pytest.mark.parametrize("how", ["close", "reset"])
@pytest.mark.parametrize("path", ["/linger", "/linger/begun"])
def test_who_does_not_listen_is_cancelled(server: Server, path: str, how: str) -> None:
    count = server.log().count("cancelled at")
    left_at = leave(server, message("GET", path), "lingers", how)
    found = server.wait_for_log(r"cancelled at ([\d.]+): the client has left", count + 1)
    assert 0.9 < float(found[1]) - left_at < 5


def test_what_follows_a_response_is_not_cancelled(server: Server) -> None:
    leave(server, message("GET", "/afterwards?2"), "works on", "close")
    server.wait_for_log("has worked on")


def test_request_timeout(tmp_path: Path) -> None:
    with running(tmp_path, "--request-timeout", "1") as server, ExitStack() as stack:
        neighbour = stack.enter_context(server.connect())
        neighbour.sendall(message("GET", "/disconnect/begun"))
        read_until(neighbour, b"begun\r\n")
        slow = stack.enter_context(server.connect())
        started = time.monotonic()
        slow.sendall(message("GET", "/linger"))
        assert slow.recv(1000).startswith(b"HTTP/1.1 504 Gateway Timeout\r\n")
        assert time.monotonic() - started > 0.9
        server.wait_for_log("cancelled at .*: request_timeout is over")
        stack_shown = server.wait_for_log(r"REQUEST TIMEOUT: 'GET /linger HTTP/1.1'(?:.*\n(?!\[))*")[0]
        for name in ("in application", "in linger", "in innermost_wait"):
            assert name in stack_shown
        # The deadline of the one that has begun is over as well: its connection is cut.
        assert neighbour.recv(1000) == b""
        assert fetch(server, "/sleep/0.5") == "slept"
        assert server.log().count("REQUEST TIMEOUT") == 2
        assert len(server.workers()) == 1


def test_neighbours_of_a_late_request_are_served(tmp_path: Path) -> None:
    with running(tmp_path, "--request-timeout", "2") as server, ExitStack() as stack:
        late = [stack.enter_context(server.connect()) for _ in range(20)]
        for sock in late:
            sock.sendall(message("GET", "/linger"))
        answers = 0
        started = time.monotonic()
        with server.connect() as sock:
            while "REQUEST TIMEOUT" not in server.log():
                assert get_on(sock, "/sleep/0.01") == '"slept"'
                answers += 1
                assert time.monotonic() - started < 20
            for _ in range(20):
                assert get_on(sock) != ""
        for sock in late:
            assert sock.recv(1000).startswith(b"HTTP/1.1 504 ")
        assert answers > 10


# --- back-pressure ---


def growth(server: Server, seconds: float, enough: int, progress: list[int]) -> int:
    """By how much the worker grows until `progress` is `enough` or stands still for `seconds`."""
    worker = server.workers()[0]
    begin = most = resident(worker)
    last, moved_at = progress[0], time.monotonic()
    while progress[0] < enough and time.monotonic() - moved_at < seconds:
        most = max(most, resident(worker))
        if progress[0] != last:
            last, moved_at = progress[0], time.monotonic()
        time.sleep(0.02)
    return most - begin


def test_a_body_that_nobody_reads_stays_with_its_client(server: Server) -> None:
    for _ in range(20):
        fetch(server, "/sleep/0")
    progress = [0]
    with server.connect(seconds=3) as sock:
        sock.sendall(message("POST", "/linger", f"Content-Length: {1 << 30}"))
        read_by = threading.Thread(target=push, args=(sock, progress))
        read_by.start()
        grown = growth(server, 1.5, 1 << 30, progress)
        assert grown < 2 * MEGABYTE
        assert progress[0] < 64 * MEGABYTE
        assert fetch(server, "/sleep/0") == "slept"
        sock.shutdown(socket.SHUT_RDWR)
        read_by.join()


def push(sock: socket.socket, progress: list[int]) -> None:
    piece = b"x" * 65536
    try:
        while progress[0] < 1 << 30:
            progress[0] += sock.send(piece)
    except OSError:
        pass


def test_a_body_that_is_read_flows(server: Server) -> None:
    """64 MB, received piece by piece, without growing."""
    for _ in range(20):
        fetch(server, "/sleep/0")
    size = 64 * MEGABYTE
    worker = server.workers()[0]
    begin = most = resident(worker)
    with server.connect() as sock:
        sock.sendall(message("POST", "/count", f"Content-Length: {size}"))
        piece = b"x" * MEGABYTE
        for _ in range(64):
            sock.sendall(piece)
            most = max(most, resident(worker))
        assert read_answer(sock) == str(size)
    assert most - begin < 2 * MEGABYTE


def test_a_response_that_nobody_reads_waits_in_the_application(server: Server) -> None:
    worker = server.workers()[0]
    fetch(server, "/sleep/0")
    begin = resident(worker)
    with server.connect() as sock:
        sock.sendall(message("GET", "/flood"))
        wait_for(lambda: _stands_still(server), "the application to wait", 20)
        assert resident(worker) - begin < 2 * MEGABYTE
        assert int(re.findall(r"sent (\d+)", server.log())[-1]) < 1024
        assert fetch(server, "/sleep/0") == "slept"
        # It goes on when the client does.
        got = 0
        while got < 1 << 30:
            got += len(sock.recv(MEGABYTE))
        assert resident(worker) - begin < 2 * MEGABYTE


def _stands_still(server: Server) -> bool:
    before = server.log()
    if "sent 0" not in before:
        return False
    time.sleep(0.3)
    return server.log() == before
