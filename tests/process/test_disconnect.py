"""What an application learns of a client that has left: environ["indrik.disconnected"]."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.process.conftest import ServerFactory
from tests.process.server import get_on, wait_for

APP = """\
import gc, sys, time
def note(text):
    print(text, file=sys.stderr, flush=True)
def application(environ, start_response):
    gone = environ["indrik.disconnected"]
    path = environ["PATH_INFO"]
    if path == "/wait":
        note("waiting")
        note(f"left: {gone.wait(15)} {gone.is_set()}")
    elif path == "/callback":
        gone.callback(note, "called back")
        gone.callback(lambda: 1 / 0)
        gone.callback(note, "called back too")
        start_response("200 OK", [])
        def body():
            try:
                while True:
                    yield b"x" * 65536
            finally:
                note("closed")
        return body()
    elif path == "/count":
        gc.collect()
        text = str(sum(type(found).__name__ == "Connection" for found in gc.get_objects())).encode()
        start_response("200 OK", [("Content-Length", str(len(text)))])
        return [text]
    text = f"{gone.is_set()} {gone.wait(0.01)}".encode()
    start_response("200 OK", [("Content-Length", str(len(text)))])
    return [text]
"""


def test_a_client_that_stays_is_not_gone(serve: ServerFactory, folder: Path) -> None:
    (folder / "app.py").write_text(APP)
    assert serve().wait_ready().get("/") == "False False"


def test_a_wait_ends_when_the_client_leaves(serve: ServerFactory, folder: Path) -> None:
    (folder / "app.py").write_text(APP)
    server = serve().wait_ready()
    with server.connect() as client:
        client.sendall(b"GET /wait HTTP/1.1\r\nHost: a\r\n\r\n")
        server.wait_for_log("waiting")
        left_at = time.monotonic()
    server.wait_for_log("left: True True")
    assert time.monotonic() - left_at < 5
    assert server.get("/") == "False False"


@pytest.mark.parametrize("kind", ["sync", "gthread", "gevent"])
def test_who_has_waited_in_vain_is_forgotten(serve: ServerFactory, folder: Path, kind: str) -> None:
    (folder / "app.py").write_text(APP)
    server = serve("-k", kind).wait_ready()
    for _ in range(20):
        with server.connect() as client:
            assert get_on(client) == "False False"
    wait_for(lambda: int(server.get("/count")) <= 2, "the end of the connections")


def test_callbacks_run_once_when_sending_shows_that_the_client_left(
    serve: ServerFactory, folder: Path
) -> None:
    (folder / "app.py").write_text(APP)
    server = serve().wait_ready()
    with server.connect() as client:
        client.sendall(b"GET /callback HTTP/1.1\r\nHost: a\r\n\r\n")
        assert client.recv(10)
    server.wait_for_log("called back too")
    wait_for(lambda: "closed" in server.log(), "the end of the body's generator")
    log = server.log()
    assert log.count("called back\n") == 1
    assert "a callback of indrik.disconnected failed" in log
    assert server.get("/") == "False False"
