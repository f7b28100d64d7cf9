"""What the tests of the asgi kind share: its applications, and servers in both loops."""

from __future__ import annotations

import json
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from tests.process import asgi_app
from tests.process.logs import request
from tests.process.server import DEADLINE, Server

LOOPS = ("asyncio", "uvloop")


def start(folder: Path, *arguments: str, module: Any = asgi_app, **options: Any) -> Server:
    """A server of the kind in `folder`, with the application that `module` holds."""
    shutil.copy(Path(module.__file__), folder / "app.py")
    return Server(folder, "--worker-class", "asgi", *arguments, **options)


@contextmanager
def running(folder: Path, *arguments: str, **options: Any) -> Iterator[Server]:
    server = start(folder, *arguments, **options)
    try:
        yield server.wait_ready()
    finally:
        server.kill_all()


def message(method: str, target: str, *fields: str, body: bytes = b"", version: str = "1.1") -> bytes:
    """A request; `body` is announced."""
    length = [f"Content-Length: {len(body)}"] if body else []
    lines = [f"{method} {target} HTTP/{version}", "Host: a", *fields, *length, "", ""]
    return "\r\n".join(lines).encode() + body


def fetch(server: Server, target: str, *fields: str, method: str = "GET", body: bytes = b"") -> Any:
    """The JSON of a 200 answer."""
    data = message(method, target, *fields, "Connection: close", body=body)
    with server.connect() as sock:
        sock.sendall(data)
        head, _, rest = b"".join(iter(lambda: sock.recv(65536), b"")).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 "), head + rest
    return json.loads(rest)


def send_messages(
    server: Server, messages: Any, *fields: str, method: str = "POST", version: str = "1.1"
) -> bytes:
    """All octets that answer an application which sends `messages`."""
    body = repr(messages).encode()
    return request(server, message(method, "/send", *fields, "Connection: close", body=body, version=version))


def read_until(sock: socket.socket, end: bytes) -> bytes:
    """What comes up to `end`."""
    sock.settimeout(DEADLINE)
    found = b""
    while not found.endswith(end):
        data = sock.recv(65536)
        assert data, found
        found += data
    return found


def read_json(stream: BinaryIO) -> Any:
    """The JSON of the next answer, a 200; what follows stays in `stream`."""
    assert stream.readline() == b"HTTP/1.1 200 OK\r\n"
    length = 0
    while (line := stream.readline()) not in (b"\r\n", b""):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            length = int(value)
    return json.loads(stream.read(length))
