"""A response that ends before its time never looks complete, whatever its framing and whoever ends it."""

from __future__ import annotations

import os
import signal
import socket
from pathlib import Path

import pytest

from tests.process.conftest import ServerFactory
from tests.process.server import Server, wait_for

APP = """\
import os, signal
def application(environ, start_response):
    start_response("200 OK", [])
    def body():
        yield b"first "
        if environ["PATH_INFO"] == "/raise":
            raise ValueError("in the middle")
        if environ["PATH_INFO"] == "/large":
            yield b"x" * 20_000_000
        yield b"last"
    return body()
"""


@pytest.fixture(autouse=True)
def _app(folder: Path) -> None:
    (folder / "app.py").write_text(APP)


def ask(client: socket.socket, path: str, version: str = "1.0") -> None:
    client.sendall(f"GET {path} HTTP/{version}\r\nHost: a\r\n\r\n".encode())


def read(client: socket.socket) -> bytes:
    """Everything up to the end of the connection; raises ConnectionResetError if it was reset."""
    data = b""
    while piece := client.recv(1 << 20):
        data += piece
    return data


def is_reset(client: socket.socket) -> bool:
    try:
        read(client)
    except ConnectionResetError:
        return True
    return False


def worker_of(server: Server) -> int:
    return server.workers()[0]


def test_the_end_of_the_connection_is_the_end_of_the_response(serve: ServerFactory) -> None:
    server = serve().wait_ready()
    with server.connect() as client:
        ask(client, "/")
        answer = read(client)
    assert answer.endswith(b"\r\n\r\nfirst last")
    with server.connect() as client:
        ask(client, "/large")
        assert len(read(client)) > 20_000_000


def test_an_exception_resets_what_the_end_of_the_connection_frames(serve: ServerFactory) -> None:
    server = serve().wait_ready()
    with server.connect() as client:
        ask(client, "/raise")
        assert is_reset(client)
    assert "in the middle" in server.log()


def test_an_exception_ends_a_chunked_response_without_its_last_chunk(serve: ServerFactory) -> None:
    server = serve().wait_ready()
    with server.connect() as client:
        ask(client, "/raise", "1.1")
        assert read(client).endswith(b"6\r\nfirst \r\n")


def test_a_killed_worker_resets_it(serve: ServerFactory) -> None:
    server = serve().wait_ready()
    with server.connect() as client:
        ask(client, "/large")
        assert client.recv(10)
        os.kill(worker_of(server), signal.SIGKILL)
        assert is_reset(client)


@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_a_client_that_stops_reading_is_reset(serve: ServerFactory, version: str) -> None:
    """Whatever the framing: nothing of the response is left in the kernel."""
    server = serve("--write-timeout", "1").wait_ready()
    with server.connect() as client:
        ask(client, "/large", version)
        wait_for(lambda: "stopped reading" in server.log(), "the write timeout")
        assert is_reset(client)


def test_a_worker_that_may_not_wait_for_its_end_resets_it(serve: ServerFactory) -> None:
    server = serve("--graceful-timeout", "1").wait_ready()
    with server.connect() as client:
        ask(client, "/large")
        assert client.recv(10)
        server.send(signal.SIGTERM)
        assert server.wait_exit() == 0
        assert is_reset(client)
