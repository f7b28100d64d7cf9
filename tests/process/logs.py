"""What the tests of the logs share: an application that writes to many places, requests, and waiting for
files."""

from __future__ import annotations

import os
import socket
from pathlib import Path

from tests.process.server import DEADLINE, Server, wait_for

DATE = r"\[\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4}\]"
STAMP = r"\[\d{4}-\d\d-\d\d \d\d:\d\d:\d\d [+-]\d{4}\]"
UNPRIVILEGED = 65534

APPLICATION = """\
import logging, os, subprocess, sys
LOGGER = logging.getLogger("gunicorn.error")
application_log = logging.Logger("application")
application_log.handlers = LOGGER.handlers
def application(environ, start_response):
    path = environ["PATH_INFO"]
    if path == "/raise":
        raise RuntimeError("the reason")
    if path == "/print":
        print("printed by the application")
        print("printed to stderr", file=sys.stderr)
        subprocess.run(["echo", "by a child"], check=True)
    if path == "/log":
        LOGGER.warning("to gunicorn.error")
        application_log.error("with its handlers")
    headers = [("Content-Type", "text/plain"), ("X-Request-Id", 'id"1')]
    if path == "/stream":
        start_response("200 OK", headers)
        return iter([b"a" * 1000] * 3)
    start_response("200 OK", [*headers, ("Content-Length", "5")])
    return [b"hello"]
"""

Address = tuple[str, int] | str


def request(where: Server | Address, data: bytes | str) -> bytes:
    """Send raw bytes on a connection of their own; all that comes back."""
    address = where.address if isinstance(where, Server) else where
    assert isinstance(address, tuple)
    with socket.create_connection(address, DEADLINE) as sock:
        sock.sendall(data if isinstance(data, bytes) else data.encode())
        return b"".join(iter(lambda: sock.recv(65536), b""))


def get(where: Server | Address, path: str = "/", *fields: str, method: str = "GET") -> bytes:
    """`where` is the address when the log that tells it may be gone."""
    lines = [f"{method} {path} HTTP/1.1", "Host: x", "Connection: close", *fields]
    return request(where, "\r\n".join([*lines, "", ""]))


def lines_of(path: Path, count: int = 1) -> list[str]:
    """The lines of a file, once it holds so many."""

    def read() -> list[str]:
        found = path.read_text().splitlines() if path.exists() else []
        return found if len(found) >= count else []

    return wait_for(read, f"{count} lines in {path}")


def reopened(server: Server) -> None:
    """Until no process of the server has a file of the old name open."""

    def holders() -> list[str]:
        return [
            name
            for pid in (server.pid, *server.workers())
            for link in Path(f"/proc/{pid}/fd").iterdir()
            if (name := _target(link)).endswith((".log.1", ".log (deleted)"))
        ]

    wait_for(lambda: not holders(), "every process to let go of the old files")


def _target(link: Path) -> str:
    try:
        return os.readlink(link)
    except FileNotFoundError:
        return ""
