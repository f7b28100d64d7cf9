"""Strangers who take and do not give: nobody else notices, they are sent away in time, nothing is left."""

from __future__ import annotations

import hashlib
import re
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.process.conftest import ServerFactory
from tests.process.crowd import descriptors, ended, gather, open_files, resident, waits
from tests.process.server import DEADLINE, Server, get_on, read_answer, wait_for

APP = """\
import hashlib
import time
LARGE = b"x" * 10_000_000
def application(environ, start_response):
    path = environ["PATH_INFO"]
    if path.startswith("/sleep/"):
        time.sleep(float(path.rpartition("/")[2]))
    body = LARGE if path == "/large" else b"hello"
    if path == "/sum":
        body = hashlib.sha256(environ["wsgi.input"].read()).hexdigest().encode()
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]
"""

_HEAD = b"GET / HTTP/1.1\r\nHost: a\r\n"
_REQUEST = _HEAD + b"\r\n"
_HALF_BODY = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\nhello"
_LARGE = b"GET /large HTTP/1.1\r\nHost: a\r\n\r\n"


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as found:
        yield found


@pytest.fixture(autouse=True)
def _app(folder: Path) -> None:
    (folder / "app.py").write_text(APP)


def test_half_heads_and_silent_readers_keep_nobody_waiting(serve: ServerFactory, stack: ExitStack) -> None:
    stack.enter_context(descriptors(1000))
    server = serve("--header-timeout", "6", "--write-timeout", "6").wait_ready()
    server.get("/")
    worker = server.workers()[0]
    files = open_files(worker)
    half = gather(stack, server, 500, _HEAD)
    silent = gather(stack, server, 50, _LARGE, slow=True)

    def others_are_served_at_once() -> bool:
        # The machine may be busy with something else for a moment; the server never is.
        found = waits(server, 60)
        return found[int(len(found) * 0.95)] < 0.05

    wait_for(others_are_served_at_once, "19 of 20 requests answered within 50 ms", 5.0)
    assert open_files(worker) > files + 500
    for answer in ended(half, 15):
        assert answer.startswith(b"HTTP/1.1 408 "), answer
    wait_for(lambda: open_files(worker) <= files, "the descriptors of the silent readers", 15)
    del silent
    assert server.get("/") == "hello"
    assert server.workers() == [worker]


def test_every_wait_ends(serve: ServerFactory, stack: ExitStack) -> None:
    times = ("first-byte-timeout", "header-timeout", "body-timeout", "keep-alive", "write-timeout")
    server = serve(*(word for name in times for word in (f"--{name}", "1"))).wait_ready()
    server.get("/")
    worker = server.workers()[0]
    files = open_files(worker)
    started = time.monotonic()
    nothing = gather(stack, server, 1, b"")
    head = gather(stack, server, 1, _HEAD)
    second_head = gather(stack, server, 1, _REQUEST + _HEAD)
    body = gather(stack, server, 1, _HALF_BODY)
    chunks = gather(
        stack, server, 1, b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel"
    )
    idle = gather(stack, server, 1, _REQUEST)
    silent = gather(stack, server, 1, _LARGE, slow=True)
    answers = [
        answer for client in (nothing, head, second_head, body, chunks, idle) for answer in ended(client, 8)
    ]
    took = time.monotonic() - started
    statuses = [re.findall(rb"HTTP/1\.1 (\d+)", answer) for answer in answers]
    assert statuses == [[], [b"408"], [b"200", b"408"], [b"408"], [b"408"], [b"200"]]
    assert 0.9 < took < 6
    server.wait_for_log("stopped reading")
    wait_for(lambda: open_files(worker) <= files, "the end of the silent reader", 8)
    # What the kernel has taken goes out in pieces as small as the client's buffer.
    assert len(ended(silent, 60)[0]) < 10_000_000


def test_ten_thousand_idle_connections(serve: ServerFactory, stack: ExitStack) -> None:
    number = stack.enter_context(descriptors(10_000))
    server = serve(
        "--keep-alive", "60", "--worker-connections", str(number + 100), "--backlog", "2048"
    ).wait_ready()
    server.get("/")
    worker = server.workers()[0]
    at_start = resident(worker)
    clients = []
    for _ in range(number):
        client = stack.enter_context(server.connect())
        client.sendall(_REQUEST)
        clients.append(client)
    for client in clients:
        assert client.recv(1000).startswith(b"HTTP/1.1 200 ")
    each = (resident(worker) - at_start) / number
    assert open_files(worker) > number
    assert each < 2048, f"{each:.0f} bytes a connection"
    wait_for(lambda: waits(server, 20)[15] < 0.02, "15 of 20 requests answered within 20 ms", 5.0)
    # None of them was closed to make room for the last ones.
    for client in clients[::500]:
        assert get_on(client) == "hello"


def test_many_requests_of_one_client_keep_nobody_waiting(serve: ServerFactory) -> None:
    server = serve().wait_ready()
    with server.connect() as greedy, server.connect() as modest:
        greedy.sendall(b"GET /sleep/0.02 HTTP/1.1\r\nHost: a\r\n\r\n" * 200)
        assert greedy.recv(10)
        started = time.monotonic()
        assert get_on(modest) == "hello"
        # All of the greedy one's take 4 seconds.
        assert time.monotonic() - started < 2.5


def test_a_flood_of_tiny_chunks_keeps_nobody_waiting(serve: ServerFactory, folder: Path) -> None:
    # Not over TCP: the kernel drops packets under such a load, and sending them again takes longest.
    server = serve(bind=f"unix:{folder}/socket").wait_ready()
    flood = b"1\r\nx\r\n" * 200_000
    done = threading.Event()

    def send() -> None:
        with server.connect() as sock:
            sock.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
            while not done.is_set():
                sock.sendall(flood)

    thread = threading.Thread(target=send)
    thread.start()
    try:
        wait_for(lambda: waits(server, 20)[15] < 0.15, "15 of 20 requests answered within 150 ms", 10.0)
    finally:
        done.set()
        thread.join()


def test_large_bodies_that_are_not_finished_do_not_fill_the_memory(
    serve: ServerFactory, stack: ExitStack
) -> None:
    """All together keep 64 times `body_buffer` in memory, and each is whole in the end, wherever it was."""
    number, size = 120, 1_000_000
    stack.enter_context(descriptors(2 * number))
    server = serve("--keep-alive", "30").wait_ready()
    server.get("/")
    (worker,) = server.workers()
    files, memory = open_files(worker), resident(worker)
    bodies = [bytes([at]) * size for at in range(number)]
    head = b"POST /sum HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % size
    clients = gather(stack, server, number, b"")
    for client, body in zip(clients, bodies, strict=True):
        client.sendall(head + body[:-1])

    def are_in_files() -> bool:
        # Everything has arrived when so many have a file: the others hold as much as is allowed.
        return open_files(worker) >= files + number + number - 70

    wait_for(are_in_files, "temporary files of those for whom no memory is left")
    assert resident(worker) - memory < 64 * 1.2 * 1024 * 1024 + number * 65536
    assert server.get("/") == "hello"
    for client, body in zip(clients, bodies, strict=True):
        client.sendall(body[-1:])
        assert read_answer(client) == hashlib.sha256(body).hexdigest()
    wait_for(lambda: open_files(worker) <= files + number, "the temporary files' end")
    # What was held is given back: the next ones are in memory again.
    for client, body in zip(clients[:60], bodies, strict=False):
        client.sendall(head + body[:-1])
    assert server.get("/") == "hello"
    # Its own connection may end a moment later.
    wait_for(lambda: open_files(worker) <= files + number, "no temporary file", 5.0)
    for client, body in zip(clients[:60], bodies, strict=False):
        client.sendall(body[-1:])
        assert read_answer(client) == hashlib.sha256(body).hexdigest()


class TestTerm:
    def test_waits_for_nobody_who_has_not_asked(self, serve: ServerFactory, stack: ExitStack) -> None:
        server = serve("--keep-alive", "60").wait_ready()
        gather(stack, server, 20, b"")
        gather(stack, server, 20, _HEAD)
        idle = gather(stack, server, 20, _REQUEST)
        for client in idle:
            assert read_answer(client) == "hello"
        started = time.monotonic()
        server.send(signal.SIGTERM)
        assert server.wait_exit() == 0
        assert time.monotonic() - started < 3

    def test_waits_for_nobody_who_trickles(self, serve: ServerFactory) -> None:
        server = serve("--header-timeout", "10").wait_ready()
        done = threading.Event()
        with server.connect() as client:
            client.sendall(_HEAD)

            def trickle() -> None:
                while not done.wait(0.2):
                    try:
                        client.sendall(b"X: 1\r\n")
                    except OSError:
                        return

            thread = threading.Thread(target=trickle)
            thread.start()
            server.get("/")
            started = time.monotonic()
            server.send(signal.SIGTERM)
            try:
                assert server.wait_exit() == 0
            finally:
                done.set()
                thread.join()
        assert time.monotonic() - started < 5

    def test_waits_for_a_body_until_graceful_timeout(self, serve: ServerFactory, stack: ExitStack) -> None:
        server = serve("--graceful-timeout", "2").wait_ready()
        gather(stack, server, 5, _HALF_BODY)
        finishing = gather(stack, server, 1, _HALF_BODY)[0]
        server.get("/")
        server.send(signal.SIGTERM)
        server.wait_for_log("Handling signal: term")
        finishing.sendall(b"x" * 995)
        assert read_answer(finishing) == "hello"
        started = time.monotonic()
        assert server.wait_exit() == 0
        assert time.monotonic() - started < 5

    def test_answers_what_has_queued_up(self, serve: ServerFactory, stack: ExitStack) -> None:
        server = serve().wait_ready()
        first = gather(stack, server, 1, b"GET /sleep/1 HTTP/1.1\r\nHost: a\r\n\r\n")
        wait_for(lambda: open_files(server.workers()[0]), "the worker")
        rest = gather(stack, server, 9, b"GET /sleep/0.05 HTTP/1.1\r\nHost: a\r\n\r\n")
        server.send(signal.SIGTERM)
        for client in [*first, *rest]:
            assert read_answer(client) == "hello"
        assert server.wait_exit() == 0


def _listening(server: Server) -> list[str]:
    return server.wait_for_log(r"Listening at: (\S+)")[1].split(",")


def test_several_binds(serve: ServerFactory, folder: Path) -> None:
    server = serve(
        "--bind", "127.0.0.1:0", "--bind", "[::1]:0", "--bind", f"unix:{folder}/s", bind=""
    ).wait_ready()
    found = _listening(server)
    assert len(found) == 3, server.log()
    for address in found:
        if address.startswith("unix:"):
            sock = socket.socket(socket.AF_UNIX)
            sock.settimeout(DEADLINE)
            sock.connect(address[5:])
        else:
            host, _, port = address.removeprefix("http://").rpartition(":")
            sock = socket.create_connection((host.strip("[]"), int(port)), DEADLINE)
        with sock:
            assert get_on(sock) == "hello"
            assert get_on(sock) == "hello"
    assert server.stop() == 0
    assert not (folder / "s").exists()
