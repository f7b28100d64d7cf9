"""WebSocket clients for the tests: the `websockets` package, and octets on a socket."""

from __future__ import annotations

import os
import re
import socket
import struct
from typing import Any

from websockets.sync.client import ClientConnection, connect

from tests.process.server import DEADLINE, Server

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
FIN = 0x80


def client(server: Server, path: str, **options: Any) -> ClientConnection:
    """An open WebSocket."""
    assert isinstance(server.address, tuple)
    host, port = server.address
    defaults: dict[str, Any] = {
        "open_timeout": DEADLINE, "ping_interval": None, "max_size": None, "proxy": None, "compression": None,
    }  # fmt: skip
    found: ClientConnection = connect(f"ws://{host}:{port}{path}", **{**defaults, **options})
    return found


def handshake(path: str, *fields: str, version: str = "13") -> bytes:
    lines = [
        f"GET {path} HTTP/1.1", "Host: a", "Upgrade: websocket", "Connection: Upgrade",
        "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==", f"Sec-WebSocket-Version: {version}", *fields, "", "",
    ]  # fmt: skip
    return "\r\n".join(lines).encode()


def opened(server: Server, path: str, *fields: str) -> socket.socket:
    """A socket on which the handshake is done."""
    sock = server.connect()
    try:
        sock.sendall(handshake(path, *fields))
        read_head(sock)
    except BaseException:
        sock.close()
        raise
    return sock


def read_head(sock: socket.socket) -> None:
    """The head of a 101 and no octet more."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += _exactly(sock, 1)
    assert head.startswith(b"HTTP/1.1 101 "), head


def frame(opcode: int, data: bytes = b"", fin: bool = True, mask: bytes | None = None) -> bytes:
    """A client's frame."""
    mask = os.urandom(4) if mask is None else mask
    size = len(data)
    if size < 126:
        length = bytes([0x80 | size])
    elif size < 1 << 16:
        length = b"\xfe" + struct.pack("!H", size)
    else:
        length = b"\xff" + struct.pack("!Q", size)
    key = (mask * (size // 4 + 1))[:size]
    masked = (int.from_bytes(data, "big") ^ int.from_bytes(key, "big")).to_bytes(size, "big")
    return bytes([(FIN if fin else 0) | opcode]) + length + mask + masked


def closing(code: int, reason: str = "") -> bytes:
    return frame(CLOSE, struct.pack("!H", code) + reason.encode())


def receive(sock: socket.socket) -> tuple[int, bytes]:
    """The server's next frame, as its first octet and its payload."""
    first, size = _exactly(sock, 2)
    if size == 126:
        size = struct.unpack("!H", _exactly(sock, 2))[0]
    elif size == 127:
        size = struct.unpack("!Q", _exactly(sock, 8))[0]
    return first, _exactly(sock, size)


def close_code(sock: socket.socket) -> int:
    """The code of the server's close frame, which comes next, and the end of the connection behind it."""
    first, data = receive(sock)
    assert first == FIN | CLOSE, (first, data)
    assert sock.recv(1) == b""
    return int.from_bytes(data[:2], "big")


def _exactly(sock: socket.socket, size: int) -> bytes:
    found = bytearray()
    while len(found) < size:
        data = sock.recv(size - len(found))
        assert data, bytes(found)
        found += data
    return bytes(found)


def count(server: Server, pattern: str) -> int:
    return len(re.findall(pattern, server.log()))
