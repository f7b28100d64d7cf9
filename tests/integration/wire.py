"""Raw HTTP/1.1 over one socket, for what client libraries cannot or will not do."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

DEADLINE = 30.0


@dataclass
class Answer:
    """One response as it came: `fields` keeps order and repeats, names in lower case."""

    version: str
    status: int
    reason: str
    fields: list[tuple[str, str]]
    body: bytes

    def field(self, name: str) -> str | None:
        """The values of one field joined as RFC 9110 section 5.2 says, None without it."""
        values = [value for key, value in self.fields if key == name]
        return ", ".join(values) if values else None


class Wire:
    """A connection to the server. Raises TimeoutError when the server stays silent."""

    def __init__(self, connection: socket.socket) -> None:
        self.socket = connection
        self._buffer = b""

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def answer(self, method: str = "GET") -> Answer:
        """Read one response to a request with `method`, and not a byte more. EOFError when the server
        closed."""
        head = self._until(b"\r\n\r\n").decode("latin-1").split("\r\n")
        version, status, reason = head[0].split(" ", 2)
        fields = [
            (name.lower(), value.strip())
            for name, _, value in (line.partition(":") for line in head[1:] if line)
        ]
        found = Answer(version, int(status), reason, fields, b"")
        if method == "HEAD" or found.status in (204, 304) or found.status < 200:
            return found
        if found.field("transfer-encoding") == "chunked":
            found.body = b"".join(self._chunks())
        elif (length := found.field("content-length")) is not None:
            found.body = self._exactly(int(length))
        else:
            found.body = self.rest()
        return found

    def rest(self) -> bytes:
        """Everything up to the end of the connection."""
        while data := self.socket.recv(65536):
            self._buffer += data
        found, self._buffer = self._buffer, b""
        return found

    def _chunks(self) -> Iterator[bytes]:
        while size := int(self._until(b"\r\n").partition(b";")[0], 16):
            yield self._exactly(size)
            assert self._exactly(2) == b"\r\n"
        while self._until(b"\r\n") != b"\r\n":
            pass  # trailer fields

    def _until(self, end: bytes) -> bytes:
        while end not in self._buffer:
            self._more()
        length = self._buffer.index(end) + len(end)
        return self._exactly(length)

    def _exactly(self, length: int) -> bytes:
        while len(self._buffer) < length:
            self._more()
        found, self._buffer = self._buffer[:length], self._buffer[length:]
        return found

    def _more(self) -> None:
        data = self.socket.recv(65536)
        if not data:
            raise EOFError(f"the server closed the connection after {self._buffer!r}")
        self._buffer += data


@contextmanager
def connect(url: str) -> Iterator[Wire]:
    """A connection to the server at `url`, closed at the end of the block."""
    parts = urlsplit(url)
    assert parts.hostname
    with socket.create_connection((parts.hostname, parts.port or 80), timeout=DEADLINE) as connection:
        yield Wire(connection)
