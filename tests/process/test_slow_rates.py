"""A client that sends or reads something, but too slowly, is sent away: silence is not the only way to hold
a place.
"""

from __future__ import annotations

import contextlib
import time
from pathlib import Path

from tests.process.conftest import ServerFactory
from tests.process.server import wait_for

LARGE = """\
def application(environ, start_response):
    environ["wsgi.input"].read()
    body = b"x" * 20_000_000 if environ["PATH_INFO"] == "/large" else b"small"
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]
"""


def test_a_body_that_trickles_is_refused(serve: ServerFactory, folder: Path) -> None:
    (folder / "app.py").write_text(LARGE)
    server = serve("--body-timeout", "1", "--body-min-rate", "1000")
    with server.connect() as client:
        client.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n")
        started = time.monotonic()
        client.settimeout(5.0)
        answer = b""
        # Bytes come all the time, at a tenth of the rate that is asked for.
        while time.monotonic() - started < 10 and not answer:
            client.sendall(b"x" * 10)
            try:
                answer = client.recv(1000)
            except TimeoutError:
                continue
    assert answer.startswith(b"HTTP/1.1 408 "), answer
    assert 0.9 < time.monotonic() - started < 5


def test_a_body_that_is_slow_but_quick_enough_is_served(serve: ServerFactory, folder: Path) -> None:
    (folder / "app.py").write_text(LARGE)
    server = serve("--body-timeout", "1", "--body-min-rate", "100")
    with server.connect() as client:
        client.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1200\r\n\r\n")
        client.settimeout(0.1)
        for _ in range(24):
            client.sendall(b"x" * 50)
            try:
                early = client.recv(1000)
            except TimeoutError:
                continue
            assert early.startswith(b"HTTP/1.1 200 "), early
            return
        client.settimeout(10)
        assert client.recv(1000).startswith(b"HTTP/1.1 200 ")


def test_a_reader_that_trickles_is_dropped(serve: ServerFactory, folder: Path) -> None:
    (folder / "app.py").write_text(LARGE)
    server = serve("--write-timeout", "1", "--write-min-rate", "2000000").wait_ready()
    with server.connect() as client:
        client.sendall(b"GET /large HTTP/1.1\r\nHost: a\r\n\r\n")
        client.settimeout(5.0)

        def is_dropped() -> bool:
            # What the kernel holds for this client is read on; only the server knows that it gave up.
            with contextlib.suppress(TimeoutError):
                client.recv(2000)
            return "stopped reading" in server.log()

        wait_for(is_dropped, "the server giving up a client that reads 200 kB/s")
