"""A client that sends exactly the bytes it is told to, and reads one answer at a time."""

from __future__ import annotations

import select
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from types import TracebackType

from indrik.testing.promises import DEADLINE, Broken

_STEP = 65536


@dataclass(frozen=True)
class Answer:
    """One whole response. `fields` has the names in lower case."""

    status: int
    fields: list[tuple[str, str]]
    body: bytes

    def field(self, name: str) -> str | None:
        """The values of a field joined with ", " (RFC 9110 section 5.3); None without it."""
        values = [value for key, value in self.fields if key == name]
        return ", ".join(values) if values else None

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode()

    @property
    def says_close(self) -> bool:
        """Whether the server announces that it closes the connection."""
        return "close" in (self.field("connection") or "").lower()


class ClosedEarly(Broken):
    """The connection ended before or in the middle of an answer. `got` is what came of it."""

    def __init__(self, got: bytes) -> None:
        super().__init__(f"the connection ended in the middle of an answer, behind {got[-200:]!r}")
        self.got = got


class Client:
    """One connection. Raises ClosedEarly, or TimeoutError when nothing comes for long."""

    def __init__(self, address: tuple[str, int], receive_buffer: int = 0) -> None:
        self.socket = socket.socket()
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(DEADLINE)
        self.socket.connect(address)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._buffer = b""

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Leaves."""
        self.socket.close()

    def send(self, data: bytes) -> None:
        """Sends bytes as they are."""
        self.socket.sendall(data)

    def ask(self, path: str = "/", *fields: str, method: str = "GET", body: bytes = b"") -> None:
        """Sends one request; with a body, its Content-Length."""
        self.send(request(path, *fields, method=method, body=body))

    def get(self, path: str = "/", *fields: str) -> Answer:
        """Asks and reads the answer."""
        self.ask(path, *fields)
        return self.answer()

    def answer(self, method: str = "GET") -> Answer:
        """The next final response, to a request of `method`."""
        while True:
            found = self.any_answer(method)
            if found.status >= 200:
                return found

    def any_answer(self, method: str = "GET") -> Answer:
        """The next response, interim ones included."""
        status, fields = self.head()
        found = Answer(status, fields, b"")
        if method == "HEAD" or status < 200 or status in (204, 304):
            return found
        if found.field("transfer-encoding") == "chunked":
            body = b"".join(self.chunks())
        elif (length := found.field("content-length")) is not None:
            body = self.exactly(int(length))
        else:
            body = self.rest()
        return Answer(status, fields, body)

    def head(self) -> tuple[int, list[tuple[str, str]]]:
        """The status and the fields of the next response; its body is left to read."""
        lines = self.until(b"\r\n\r\n").decode("latin-1").split("\r\n")
        pairs = (line.partition(":") for line in lines[1:] if line)
        return int(lines[0].split(" ")[1]), [(name.lower(), value.strip()) for name, _, value in pairs]

    def chunks(self) -> Iterator[bytes]:
        """The chunks of a chunked body, up to its end."""
        while size := int(self.until(b"\r\n").partition(b";")[0], 16):
            yield self.exactly(size)
            self.exactly(2)
        while self.until(b"\r\n") != b"\r\n":
            pass

    def rest(self) -> bytes:
        """All that comes up to the end of the connection, orderly or not."""
        try:
            while data := self.socket.recv(_STEP):
                self._buffer += data
        except ConnectionResetError:
            pass
        found, self._buffer = self._buffer, b""
        return found

    def until(self, end: bytes) -> bytes:
        """Up to `end`, inclusively."""
        while (at := self._buffer.find(end)) < 0:
            self._more()
        return self.exactly(at + len(end))

    def exactly(self, length: int) -> bytes:
        """So many bytes."""
        pieces = [self._buffer]
        missing = length - len(self._buffer)
        while missing > 0:
            self._buffer = b""
            self._more()
            pieces.append(self._buffer)
            missing -= len(self._buffer)
        data = b"".join(pieces)
        self._buffer = data[length:]
        return data[:length]

    def is_silent(self, seconds: float) -> bool:
        """Whether nothing comes for `seconds`, not even the end."""
        return not self._buffer and not select.select([self.socket], [], [], seconds)[0]

    def _more(self) -> None:
        try:
            data = self.socket.recv(_STEP)
        except ConnectionResetError:
            data = b""
        if not data:
            raise ClosedEarly(self._buffer)
        self._buffer += data


def request(
    path: str = "/", *fields: str, method: str = "GET", body: bytes = b"", version: str = "1.1"
) -> bytes:
    """The bytes of one request, with a Host and, if there is a body, its Content-Length."""
    lines = [f"{method} {path} HTTP/{version}", "Host: check", *fields]
    if body:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body
