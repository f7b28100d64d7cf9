"""WebSockets that stay: pings, clients and applications that do not read, and the end of a worker."""

from __future__ import annotations

import itertools
import os
import re
import selectors
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.process import websocket_app
from tests.process.asgi import LOOPS, running
from tests.process.crowd import resident
from tests.process.server import DEADLINE, Server, wait_for
from tests.process.websockets import (
    BINARY,
    CLOSE,
    FIN,
    PING,
    PONG,
    close_code,
    closing,
    count,
    frame,
    opened,
    receive,
)

MEGABYTE = 1 << 20


@pytest.fixture(scope="module", params=LOOPS)
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    arguments = ("--asgi-loop", request.param, "--ws-ping-interval", "1", "--ws-ping-timeout", "1")
    with running(tmp_path_factory.mktemp("websocket"), *arguments, module=websocket_app) as found:
        yield found


def test_who_answers_pings_stays_and_who_does_not_is_dropped(server: Server) -> None:
    before = count(server, "disconnected /echo 1011 'keepalive ping timeout'")
    with opened(server, "/echo") as sock:
        for _ in range(3):
            first, data = receive(sock)
            assert first == FIN | PING
            sock.sendall(frame(PONG, data))
        assert receive(sock)[0] == FIN | PING
        begin = time.monotonic()
        assert sock.recv(1) == b""
        assert 0.5 < time.monotonic() - begin < 10
    server.wait_for_log("disconnected /echo 1011 'keepalive ping timeout'", before + 1)


def pushed(sock: socket.socket, data: bytes, enough: int, seconds: float = 1.5) -> int:
    """Octets that the kernel takes before it takes none for `seconds`, or `enough`."""
    sock.settimeout(seconds)
    view = memoryview(data)
    sent = 0
    try:
        while sent < enough:
            sent += sock.send(view[sent % len(data) :])
    except TimeoutError:
        pass
    finally:
        sock.settimeout(DEADLINE)
    return sent


def test_messages_that_nobody_reads_stay_with_the_client(tmp_path: Path) -> None:
    with running(tmp_path, module=websocket_app) as server, opened(server, "/echo") as warm:
        warm.sendall(frame(BINARY, b"x" * 65000))
        receive(warm)
        worker = server.workers()[0]
        begin = resident(worker)
        with opened(server, "/mute") as sock:
            sent = pushed(sock, frame(BINARY, b"x" * 65000, mask=b"\0\0\0\0"), 1 << 30)
            assert sent < 64 * MEGABYTE
            assert resident(worker) - begin < 2 * MEGABYTE


def test_pings_of_a_client_that_reads_nothing(tmp_path: Path) -> None:
    with running(tmp_path, "--ws-ping-interval", "0", module=websocket_app) as server, ExitStack() as stack:
        worker = server.workers()[0]
        with opened(server, "/echo") as warm:
            pushed(warm, frame(PING, b"x" * 125), MEGABYTE)
        begin = resident(worker)
        sock = stack.enter_context(opened(server, "/echo"))
        assert pushed(sock, frame(PING, b"x" * 125) * 1000, 32 * MEGABYTE) >= 32 * MEGABYTE
        assert resident(worker) - begin < 2 * MEGABYTE
        files = [os.readlink(name) for name in Path(f"/proc/{worker}/fd").iterdir()]
        assert not [name for name in files if "indrik-output" in name]
        # It still serves who reads at last.
        reader = threading.Thread(target=lambda: [None for _ in iter(lambda: _quiet(sock), b"")])
        sock.sendall(closing(1000))
        reader.start()
        server.wait_for_log("disconnected /echo 1000 ''")
        reader.join(DEADLINE)
        assert not reader.is_alive()


def _quiet(sock: socket.socket) -> bytes:
    return sock.recv(MEGABYTE)


def test_a_client_that_reads_nothing_makes_the_application_wait(tmp_path: Path) -> None:
    with running(tmp_path, module=websocket_app) as server:
        worker = server.workers()[0]
        with opened(server, "/flood") as warm:
            for _ in range(64):
                receive(warm)
        begin = resident(worker)
        sent = count(server, "sent 0")
        with opened(server, "/flood") as sock:
            server.wait_for_log("sent 0", sent + 1)
            wait_for(lambda: _stands_still(server), "the application to wait")
            assert resident(worker) - begin < 2 * MEGABYTE
            assert int(re.findall(r"sent (\d+)", server.log())[-1]) < 1024
            for _ in range(4096):
                assert receive(sock) == (FIN | BINARY, b"x" * 65536)
            assert resident(worker) - begin < 2 * MEGABYTE


def _stands_still(server: Server) -> bool:
    before = server.log()
    if "sent 0" not in before:
        return False
    time.sleep(0.3)
    return server.log() == before


@pytest.mark.parametrize("loop", LOOPS)
def test_a_worker_that_leaves_closes_them_one_after_another(tmp_path: Path, loop: str) -> None:
    """With 1012, not all at once, for they all come back."""
    arguments = ("--asgi-loop", loop, "--graceful-timeout", "10")
    with running(tmp_path, *arguments, module=websocket_app) as server, ExitStack() as stack:
        sockets = [stack.enter_context(opened(server, "/echo")) for _ in range(20)]
        server.send(signal.SIGTERM)
        closed: list[float] = []
        with selectors.DefaultSelector() as selector:
            for sock in sockets:
                selector.register(sock, selectors.EVENT_READ)
            while selector.get_map():
                for key, _ in selector.select(DEADLINE):
                    sock = key.fileobj  # type: ignore[assignment]
                    closed.append(time.monotonic())
                    first, data = receive(sock)
                    assert (first, data) == (FIN | CLOSE, (1012).to_bytes(2, "big"))
                    selector.unregister(sock)
                    sock.sendall(closing(1012))
        assert closed[-1] - closed[0] > 1
        assert max(after - before for before, after in itertools.pairwise(closed)) < 1
        assert server.wait_exit() == 0
        assert server.log().count("disconnected /echo 1012 ''") == 20


def test_a_client_that_does_not_answer_the_close_is_cut(tmp_path: Path) -> None:
    with running(tmp_path, "--graceful-timeout", "5", module=websocket_app) as server:
        with opened(server, "/echo") as sock:
            begin = time.monotonic()
            server.send(signal.SIGTERM)
            assert close_code(sock) == 1012
            assert server.wait_exit() == 0
            assert time.monotonic() - begin < 12
        assert "SIGKILL" not in server.log()


def test_clients_that_reset_their_connections_hold_up_nobody(server: Server) -> None:
    """While pings of theirs are answered, and while the application sends to them."""
    before = count(server, "disconnected /echo 1006")
    for _ in range(20):
        with opened(server, "/echo") as sock, opened(server, "/flood") as flooded:
            for victim in (sock, flooded):
                victim.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            sock.sendall(frame(PING, b"x" * 125) * 2000)
    server.wait_for_log("disconnected /echo 1006", before + 20)
    with opened(server, "/echo") as sock:
        sock.sendall(closing(1000))
        assert close_code(sock) == 1000
