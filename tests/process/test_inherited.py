"""A child that the application forks has every connection of its worker, and keeps no client waiting."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.process.conftest import ServerFactory

APP = """\
import os, time
def application(environ, start_response):
    if environ["PATH_INFO"] == "/fork" and os.fork() == 0:
        time.sleep(15)
        os._exit(0)
    headers = [] if environ["SERVER_PROTOCOL"] == "HTTP/1.0" else [("Content-Length", "5")]
    start_response("200 OK", headers)
    return iter([b"hel", b"lo"])
"""


@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_the_end_of_the_connection_arrives_at_once(
    serve: ServerFactory, folder: Path, version: str
) -> None:
    (folder / "app.py").write_text(APP)
    server = serve().wait_ready()
    for path in ("/", "/fork", "/"):
        started = time.monotonic()
        with server.connect() as client:
            client.sendall(f"GET {path} HTTP/{version}\r\nHost: a\r\nConnection: close\r\n\r\n".encode())
            answer = b""
            while data := client.recv(1000):
                answer += data
        assert answer.endswith(b"hello")
        assert time.monotonic() - started < 5
