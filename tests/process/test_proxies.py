"""The real command behind a proxy: PROXY headers, forwarded fields, and early hints on the way back."""

from __future__ import annotations

import json
import socket
import struct
from pathlib import Path
from typing import Any

import pytest

from tests.process.conftest import ServerFactory
from tests.process.server import Server, read_answer

APPLICATION = """\
import json
def application(environ, start_response):
    if environ["PATH_INFO"] == "/hints":
        environ["wsgi.early_hints"]([("Link", "</style.css>; rel=preload")])
    told = {key: value for key, value in environ.items() if isinstance(value, str)}
    body = json.dumps(told).encode()
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    return [body]
"""
V1 = b"PROXY TCP6 2001:db8::1 2001:db8::2 40000 443\r\n"
ADDRESSES = struct.pack("!4B4BHH", 192, 0, 2, 1, 198, 51, 100, 2, 40000, 443)
V2 = b"\r\n\r\n\0\r\nQUIT\n" + struct.pack("!BBH", 0x21, 0x11, len(ADDRESSES)) + ADDRESSES


@pytest.fixture(autouse=True)
def telling_application(folder: Path) -> None:
    (folder / "app.py").write_text(APPLICATION)


def ask(sock: socket.socket, *fields: str, path: str = "/") -> dict[str, Any]:
    """What the application was told of a request on an open connection."""
    sock.sendall("".join(f"{line}\r\n" for line in (f"GET {path} HTTP/1.1", "Host: a", *fields, "")).encode())
    told: dict[str, Any] = json.loads(read_answer(sock))
    return told


def refused(server: Server, data: bytes) -> bytes:
    """The whole answer to `data`, up to the end of the connection."""
    with server.connect() as sock:
        sock.sendall(data)
        answer = b""
        while more := sock.recv(4096):
            answer += more
        return answer


def test_proxy_header(serve: ServerFactory) -> None:
    log = ("--access-logfile", "-", "--access-logformat", "client is %(h)s")
    server = serve("--proxy-protocol", *log).wait_ready()
    with server.connect() as sock:
        sock.sendall(V1)
        for _ in range(2):
            told = ask(sock)
            assert (told["REMOTE_ADDR"], told["REMOTE_PORT"]) == ("2001:db8::1", "40000")
            assert (told["PROXY_PROTOCOL"], told["PROXY_ADDR"], told["PROXY_PORT"]) == (
                "TCP6", "2001:db8::2", "443",
            )  # fmt: skip
    with server.connect() as sock:
        sock.sendall(V2[:13])
        sock.sendall(V2[13:])
        assert ask(sock)["REMOTE_ADDR"] == "192.0.2.1"
    with server.connect() as sock:
        assert ask(sock)["REMOTE_ADDR"] == "127.0.0.1"
    server.wait_for_log("client is 2001:db8::1", 2)
    server.wait_for_log("client is 192.0.2.1")
    server.wait_for_log("client is 127.0.0.1")
    assert server.stop() == 0


def test_proxy_header_that_must_be_there(serve: ServerFactory) -> None:
    server = serve("--proxy-protocol", "v2").wait_ready()
    assert refused(server, V1).startswith(b"HTTP/1.1 400 ")
    assert refused(server, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").startswith(b"HTTP/1.1 400 ")
    server.wait_for_log("does not begin a PROXY header of v2")
    with server.connect() as sock:
        sock.sendall(V2)
        assert ask(sock)["REMOTE_ADDR"] == "192.0.2.1"


def test_peer_that_may_not_send_a_proxy_header(serve: ServerFactory) -> None:
    server = serve("--proxy-protocol", "v1", "--proxy-allow-from", "192.0.2.0/24").wait_ready()
    assert refused(server, V1).startswith(b"HTTP/1.1 403 Forbidden\r\n")
    with server.connect() as sock:
        assert ask(sock)["REMOTE_ADDR"] == "127.0.0.1"


def test_forwarded(serve: ServerFactory, folder: Path) -> None:
    (folder / "conf.py").write_text(
        'forwarded = {"for": 1, "proto": 1, "host": 1}\n'
        'accesslog = "-"\n'
        'access_log_format = "client is %(h)s"\n'
    )  # fmt: skip
    server = serve("--config", "conf.py").wait_ready()
    with server.connect() as sock:
        told = ask(
            sock,
            "X-Forwarded-For: 203.0.113.9, 192.0.2.7",
            "X-Forwarded-Proto: https",
            "X-Forwarded-Host: a.example:8443",
            "Forwarded: for=203.0.113.9",
        )
    assert (told["REMOTE_ADDR"], told["wsgi.url_scheme"]) == ("192.0.2.7", "https")
    assert (told["HTTP_HOST"], told["SERVER_NAME"], told["SERVER_PORT"]) == (
        "a.example:8443", "a.example", "8443",
    )  # fmt: skip
    server.wait_for_log("client is 192.0.2.7")


def test_forwarded_of_a_peer_that_is_no_proxy(serve: ServerFactory, folder: Path) -> None:
    (folder / "conf.py").write_text('forwarded = {"field": "Forwarded", "for": 1}\n')
    server = serve("--config", "conf.py", "--forwarded-allow-ips", "192.0.2.0/24").wait_ready()
    with server.connect() as sock:
        assert ask(sock, "Forwarded: for=192.0.2.7")["REMOTE_ADDR"] == "127.0.0.1"


def test_forwarded_that_cannot_be_read(serve: ServerFactory, folder: Path) -> None:
    (folder / "conf.py").write_text('forwarded = {"field": "Forwarded", "for": 1}\n')
    server = serve("--config", "conf.py").wait_ready()
    answer = refused(server, b'GET / HTTP/1.1\r\nHost: a\r\nForwarded: for="x, for=192.0.2.7\r\n\r\n')
    assert answer.startswith(b"HTTP/1.1 400 ")
    with server.connect() as sock:
        assert ask(sock, "Forwarded: for=203.0.113.9, for=192.0.2.7")["REMOTE_ADDR"] == "192.0.2.7"


def test_early_hints(serve: ServerFactory) -> None:
    server = serve().wait_ready()
    with server.connect() as sock:
        sock.sendall(b"GET /hints HTTP/1.1\r\nHost: a\r\n\r\n")
        hint = b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\n"
        received = b""
        while len(received) < len(hint):
            received += sock.recv(len(hint) - len(received))
        assert received == hint
        assert json.loads(read_answer(sock))["PATH_INFO"] == "/hints"
