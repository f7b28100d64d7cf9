"""A WebSocket case (RFC 6455): one careful exchange to check a server, and the load generator's command
line.
"""

from __future__ import annotations

import base64
import hashlib
import os
import socket

from bench import exchange
from bench.load import Load, drive

# What a server appends to the key of a handshake (section 1.3).
MAGIC = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
TEXT, CLOSE = 1, 8
FIN, MASKED = 0x80, 0x80
SHORT = 125


def masked(message: bytes, opcode: int = TEXT) -> bytes:
    """A client's frame of at most 125 bytes (section 5.2). ValueError for more."""
    if len(message) > SHORT:
        raise ValueError(f"{len(message)} bytes do not fit into a short frame")
    key = os.urandom(4)
    return (
        bytes([FIN | opcode, MASKED | len(message)])
        + key
        + bytes(byte ^ key[place % 4] for place, byte in enumerate(message))
    )


def upgrade(connection: socket.socket, host: str) -> None:
    """The opening handshake (section 4). WrongAnswer if the server does not upgrade, or proves nothing."""
    key = base64.b64encode(os.urandom(16))
    request = (
        f"GET / HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Key: {key.decode()}\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
    connection.sendall(request.encode("ascii"))
    data = b""
    while not data.endswith(b"\r\n\r\n"):
        data += receive_exactly(connection, 1)
    head = exchange.Answer(int(data.split()[1]), data.decode("latin-1"), b"", len(data))
    proof = base64.b64encode(hashlib.sha1(key + MAGIC).digest()).decode()
    if head.status != 101 or head.field("sec-websocket-accept") != proof:
        raise exchange.WrongAnswer(f"the server does not upgrade to WebSocket: {head.head!r}")


def receive_exactly(connection: socket.socket, size: int) -> bytes:
    """So many bytes. WrongAnswer when the server closes before."""
    data = b""
    while len(data) < size:
        some = connection.recv(size - len(data))
        if not some:
            raise exchange.WrongAnswer(f"the server closed the connection after {data!r}")
        data += some
    return data


def echo(connection: socket.socket, message: bytes) -> int:
    """Send a message and read its echo; the bytes of the server's frame. WrongAnswer for anything else."""
    connection.sendall(masked(message))
    head = receive_exactly(connection, 2)
    payload = receive_exactly(connection, head[1] & 0x7F)
    if head[0] != FIN | TEXT or head[1] & MASKED or payload != message:
        raise exchange.WrongAnswer(
            f"expected the echo of {message[:40]!r}, got {head!r} and {payload[:40]!r}"
        )
    return len(head) + len(payload)


def check(port: int, message: bytes) -> exchange.Answer:
    """Two messages echoed on one connection and a closing handshake; `size` is that of one frame.

    WrongAnswer if anything is not as RFC 6455 says, or takes too long.
    """
    try:
        with exchange.connect(port) as connection:
            upgrade(connection, f"{exchange.HOST}:{port}")
            echo(connection, message)
            size = echo(connection, message)
            connection.sendall(masked(b"\x03\xe8", CLOSE))
            if receive_exactly(connection, 2)[0] != FIN | CLOSE:
                raise exchange.WrongAnswer("the server does not answer a close frame with one")
    except (OSError, ValueError) as error:
        raise exchange.WrongAnswer(f"no WebSocket: {error}") from error
    return exchange.Answer(101, "HTTP/1.1 101", message, size)


def run(program: str, port: int, seconds: int, connections: int, cpu: int, message: bytes) -> Load:
    """Drive the server on a local port with messages as long as this one."""
    words = [program, exchange.HOST, port, connections, seconds, len(message)]
    return drive([str(word) for word in words], cpu, seconds)
