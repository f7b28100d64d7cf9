"""One request and its answer over a plain socket: enough HTTP/1.1 to judge an answer, and no more.

Not a client for strangers: an answer must carry Content-Length, which every server is given by the
application.
"""

from __future__ import annotations

import socket
from dataclasses import dataclass

HOST = "127.0.0.1"


class WrongAnswer(Exception):
    """A server answered something else than it should, or not at all."""


@dataclass(frozen=True)
class Answer:
    """`size` is the number of bytes on the wire, head and body."""

    status: int
    head: str
    body: bytes
    size: int

    @property
    def keeps_alive(self) -> bool:
        """Whether the server lets the connection be used again (RFC 9112 section 9.3)."""
        return self.head.startswith("HTTP/1.1") and self.field("connection").lower() != "close"

    def field(self, name: str) -> str:
        """The first value of a header field, empty when there is none."""
        for line in self.head.split("\r\n")[1:]:
            key, _, value = line.partition(":")
            if key.lower() == name:
                return value.strip()
        return ""


def connect(port: int, timeout: float = 10.0, receive_buffer: int = 0) -> socket.socket:
    """A connection to a local server. `receive_buffer` in bytes makes the kernel take little of what is not
    read (socket(7)).
    """
    connection = socket.socket()
    try:
        if receive_buffer:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        connection.settimeout(timeout)
        connection.connect((HOST, port))
    except BaseException:
        connection.close()
        raise
    return connection


def read_answer(connection: socket.socket) -> Answer:
    """Read one answer. WrongAnswer for one that is cut short or has no length, TimeoutError past the
    connection's timeout.
    """
    data = b""
    while b"\r\n\r\n" not in data:
        data += receive(connection, data)
    head, _, body = data.partition(b"\r\n\r\n")
    words = head.split(None, 2)
    if len(words) < 2 or not words[1].isdigit():
        raise WrongAnswer(f"not an HTTP answer: {data[:80]!r}")
    answer = Answer(int(words[1]), head.decode("latin-1"), b"", 0)
    length = answer.field("content-length")
    if not length.isdigit():
        raise WrongAnswer(f"an answer without Content-Length: {answer.head!r}")
    while len(body) < int(length):
        body += receive(connection, data)
    return Answer(answer.status, answer.head, body, len(head) + 4 + len(body))


def receive(connection: socket.socket, so_far: bytes) -> bytes:
    """Some bytes. WrongAnswer when the server closed instead."""
    some = connection.recv(65536)
    if not some:
        raise WrongAnswer(f"the server closed the connection after {len(so_far)} bytes of an answer")
    return some


def ask(connection: socket.socket, request: bytes) -> Answer:
    """Send a request and read its answer; WrongAnswer also for a connection that fails or stays silent."""
    try:
        connection.sendall(request)
        return read_answer(connection)
    except OSError as error:
        raise WrongAnswer(f"no answer: {error}") from error


def expect(answer: Answer, body: bytes) -> Answer:
    """The same answer, if it is a 200 with this body; WrongAnswer otherwise."""
    if answer.status != 200 or answer.body != body:
        raise WrongAnswer(f"expected 200 and {body[:40]!r}, got {answer.status} and {answer.body[:40]!r}")
    return answer
