"""WebSockets of an ASGI application: the handshake, messages, and every way in which they end."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.process import websocket_app
from tests.process.asgi import LOOPS, read_until, running
from tests.process.logs import request as exchange
from tests.process.server import Server
from tests.process.websockets import (
    BINARY,
    CLOSE,
    FIN,
    PING,
    PONG,
    TEXT,
    client,
    close_code,
    closing,
    count,
    frame,
    handshake,
    opened,
    read_head,
    receive,
)


@pytest.fixture(scope="module", params=LOOPS)
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    arguments = ("--websocket-max-message-size", "100000", "--asgi-disconnect-grace-period", "1")
    folder = tmp_path_factory.mktemp("websocket")
    with running(folder, "--asgi-loop", request.param, *arguments, module=websocket_app) as found:
        yield found


# --- the handshake ---


def test_scope(server: Server) -> None:
    assert isinstance(server.address, tuple)
    connection = socket.create_connection(server.address)
    # Asked now: the application closes as soon as it has said what it was given.
    port = connection.getsockname()[1]
    with client(server, "/scope?a=1", subprotocols=["x", "y"], sock=connection) as socket_:
        shown = json.loads(socket_.recv())
    types = shown.pop("types")
    headers = dict(shown.pop("headers"))
    assert headers["upgrade"] == "websocket"
    assert headers["sec-websocket-version"] == "13"
    assert shown == {
        "type": "websocket", "asgi": {"version": "3.0", "spec_version": "2.5"}, "http_version": "1.1",
        "scheme": "ws", "path": "/scope", "raw_path": "/scope", "query_string": "a=1", "root_path": "",
        "client": ["127.0.0.1", port], "server": list(server.address), "subprotocols": ["x", "y"],
        "extensions": {"websocket.http.response": {}},
    }  # fmt: skip
    assert types["subprotocols"] == types["headers"] == "list"
    assert types["raw_path"] == types["query_string"] == "bytes"


def test_accepting(server: Server) -> None:
    with client(server, "/echo", subprotocols=["a", "b"]) as socket_:
        assert socket_.subprotocol == "b"
        assert socket_.response is not None
        assert socket_.response.headers["x-offered"] == "a,b"
        assert "date" in socket_.response.headers
    with client(server, "/echo") as plain:
        assert plain.subprotocol is None


@pytest.mark.parametrize(
    ("path", "status", "body"),
    [
        ("/refuse", 403, b"403 Forbidden\n"),
        ("/deny", 401, b"who are you?"),
        ("/raise-before", 500, b""),
        ("/return-before", 500, b""),
    ],
)
def test_denials(server: Server, path: str, status: int, body: bytes) -> None:
    with pytest.raises(InvalidStatus) as caught:
        client(server, path)
    response = caught.value.response
    assert response.status_code == status
    assert response.body is not None
    assert body in response.body
    assert b"raised" not in response.body
    if path == "/deny":
        assert response.headers["x-why"] == "a reason"
    if path in ("/refuse", "/deny"):
        server.wait_for_log("then websocket.disconnect")
    elif path == "/return-before":
        server.wait_for_log(r"\[ERROR\].*returned without .*'GET /return-before HTTP/1.1'")
    else:
        server.wait_for_log("ValueError: raised before accepting")


def test_a_denial_keeps_the_connection(server: Server) -> None:
    with server.connect() as sock:
        sock.sendall(handshake("/refuse"))
        assert read_until(sock, b"403 Forbidden\n").startswith(b"HTTP/1.1 403 Forbidden\r\n")
        sock.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert read_until(sock, b"plain").startswith(b"HTTP/1.1 200 OK\r\n")


def test_half_a_denial_is_cut(server: Server) -> None:
    answer = exchange(server, handshake("/deny-half"))
    assert answer.startswith(b"HTTP/1.1 401 ")
    assert answer.endswith(b"4\r\nwho \r\n")
    server.wait_for_log(r"\[ERROR\].*returned without completing its response to 'GET /deny-half HTTP/1.1'")


def test_refusals(server: Server) -> None:
    answer = exchange(server, handshake("/echo", version="8"))
    assert answer.startswith(b"HTTP/1.1 426 Upgrade Required\r\n")
    assert b"Sec-WebSocket-Version: 13\r\n" in answer
    assert exchange(server, handshake("/echo").replace(b"AAAA==", b"AAA==")).startswith(b"HTTP/1.1 400 ")
    body = handshake("/echo", "Content-Length: 5") + b"hello"
    assert exchange(server, body).startswith(b"HTTP/1.1 400 ")


def test_frames_right_behind_the_handshake(server: Server) -> None:
    with server.connect() as sock:
        sock.sendall(handshake("/echo") + frame(TEXT, b"early"))
        read_head(sock)
        assert receive(sock) == (FIN | TEXT, b"early")
        sock.sendall(closing(1000))
        assert close_code(sock) == 1000


# --- messages ---


@pytest.mark.parametrize("compression", [None, "deflate"])
def test_messages(server: Server, compression: str | None) -> None:
    sizes = [0, 1, 125, 126, 127, 65535, 65536, 100000]
    with client(server, "/echo", compression=compression) as socket_:
        for size in sizes:
            for sent in ("é" * (size // 2), b"\0\xff" * (size // 2)):
                socket_.send(sent)
                assert socket_.recv() == sent
        socket_.send(["in ", "", "fragments"])
        assert socket_.recv() == "in fragments"
        for number in range(1000):
            socket_.send(str(number))
        assert [socket_.recv() for _ in range(1000)] == [str(number) for number in range(1000)]
        assert socket_.ping("data").wait(10)


def test_fragments_with_control_frames_in_between(server: Server) -> None:
    with opened(server, "/echo") as sock:
        sock.sendall(frame(TEXT, b"one ", fin=False) + frame(PING, b"now") + frame(0, b"two", fin=False))
        assert receive(sock) == (FIN | PONG, b"now")
        sock.sendall(frame(PONG, b"unasked"))
        sock.sendall(frame(0, "é".encode()[:1], fin=False) + frame(0, "é".encode()[1:]))
        assert receive(sock) == (FIN | TEXT, "one twoé".encode())
        data = frame(BINARY, b"octet by octet")
        for octet in data:
            sock.sendall(bytes([octet]))
        assert receive(sock) == (FIN | BINARY, b"octet by octet")


# --- the end ---


@pytest.mark.parametrize(("code", "reason"), [(1000, ""), (1001, "going"), (3000, "é"), (4999, "x" * 123)])
def test_the_client_closes(server: Server, code: int, reason: str) -> None:
    said = re.escape(f"disconnected /echo {code} {reason!r}")
    before = count(server, said)
    with opened(server, "/echo") as sock:
        sock.sendall(closing(code, reason))
        assert close_code(sock) == code
    server.wait_for_log(said, before + 1)


def test_the_client_closes_without_a_code(server: Server) -> None:
    with opened(server, "/echo") as sock:
        sock.sendall(frame(CLOSE))
        assert receive(sock) == (FIN | CLOSE, b"")
        assert sock.recv(1) == b""
    server.wait_for_log("disconnected /echo 1005 ''")


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (frame(BINARY, b"x" * 100001), 1009),
        (frame(TEXT, b"\xff\xfe"), 1007),
        (frame(TEXT, "é".encode()[:1]), 1007),
        (frame(CLOSE, b"\x03\xe8\xff"), 1007),
        (b"\x81\x05hello", 1002),
        (frame(3, b"x"), 1002),
        (frame(0x40 | TEXT, b"x"), 1002),
        (frame(0, b"x"), 1002),
        (frame(TEXT, b"x", fin=False) + frame(TEXT, b"x"), 1002),
        (frame(PING, b"x" * 126), 1002),
        (frame(PING, b"x", fin=False), 1002),
        (closing(1005), 1002),
        (frame(CLOSE, b"x"), 1002),
    ],
    ids=[
        "too-big", "not-utf-8", "half-a-character", "reason-not-utf-8", "unmasked", "opcode", "reserved-bit",
        "continuation", "interleaved", "long-ping", "fragmented-ping", "code", "short-close",
    ],
)  # fmt: skip
def test_a_client_that_breaks_the_protocol(server: Server, data: bytes, code: int) -> None:
    before = count(server, f"disconnected /echo {code}")
    with opened(server, "/echo") as sock:
        sock.sendall(data)
        assert close_code(sock) == code
    server.wait_for_log(f"disconnected /echo {code}", before + 1)


def test_a_client_that_breaks_the_protocol_is_told_why(server: Server) -> None:
    said = "The frames are malformed."
    before = count(server, f"disconnected /echo 1002 '{said}'")
    with opened(server, "/echo") as sock:
        sock.sendall(frame(3, b"x"))
        assert receive(sock) == (FIN | CLOSE, (1002).to_bytes(2, "big") + said.encode())
    server.wait_for_log(f"disconnected /echo 1002 '{said}'", before + 1)


@pytest.mark.parametrize("how", ["close", "reset", "half-close"])
def test_a_client_that_vanishes(server: Server, how: str) -> None:
    before = count(server, "disconnected /echo 1006")
    with opened(server, "/echo") as sock:
        if how == "reset":
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        if how == "half-close":
            sock.shutdown(socket.SHUT_WR)
            assert sock.recv(1) == b""
    server.wait_for_log("disconnected /echo 1006 ''", before + 1)


def test_a_client_that_vanishes_in_the_handshake(server: Server) -> None:
    before = count(server, "waits before accepting")
    with server.connect() as sock:
        sock.sendall(handshake("/wait"))
        server.wait_for_log("waits before accepting", before + 1)
    server.wait_for_log(r"got \{'type': 'websocket.disconnect', 'code': 1006, 'reason': ''\}", before + 1)


def test_a_client_that_vanishes_just_before_it_is_accepted(server: Server, tmp_path: Path) -> None:
    before = count(server, "keeps the loop")
    with server.connect() as sock:
        sock.sendall(handshake(f"/late?{tmp_path}/gone"))
        server.wait_for_log("keeps the loop", before + 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    (tmp_path / "gone").touch()
    server.wait_for_log(r"late: \{'type': 'websocket.disconnect', 'code': 1006, 'reason': ''\}", before + 1)


def test_the_application_closes(server: Server) -> None:
    before = count(server, "closed .*'code': 4321, 'reason': 'because'")
    with client(server, "/close") as socket_, pytest.raises(ConnectionClosed) as caught:
        socket_.recv()
    assert caught.value.rcvd is not None
    assert (caught.value.rcvd.code, caught.value.rcvd.reason) == (4321, "because")
    server.wait_for_log("closed .*'websocket.disconnect', 'code': 4321, 'reason': 'because'", before + 1)
    server.wait_for_log("sending raised ConnectionEnded, an OSError: True", before + 1)


def test_the_application_returns(server: Server) -> None:
    with client(server, "/return-after") as socket_:
        assert socket_.recv() == "bye"
        with pytest.raises(ConnectionClosed) as caught:
            socket_.recv()
    assert caught.value.rcvd is not None
    assert caught.value.rcvd.code == 1000


def test_the_application_raises(server: Server) -> None:
    with client(server, "/raise-after") as socket_, pytest.raises(ConnectionClosed) as caught:
        socket_.recv()
    assert caught.value.rcvd is not None
    assert (caught.value.rcvd.code, caught.value.rcvd.reason) == (1011, "")
    server.wait_for_log("ValueError: raised after accepting")


RULES = {
    "twice": (101, "websocket.accept was sent a second time"),
    "early": (500, "websocket.send must come after websocket.accept"),
    "empty": (101, "needs bytes or text"),
    "text-octets": (101, "text is a str, not bytes"),
    "bytes-number": (101, "bytes are bytes, not int"),
    "bytes-text": (101, "bytes are bytes, not str"),
    "surrogate": (101, "surrogate"),
    "code": (101, "the close code 1006 may not be sent"),
    "reason": (101, "a control frame holds 125 octets at most"),
    "subprotocol": (500, "the client did not offer the subprotocol 'never-offered'"),
    "own-header": (500, "Sec-WebSocket-Accept is for the server to set"),
    "split-header": (500, "control or non-latin-1 character"),
    "http": (500, "'http.response.start' is no message that this server understands here"),
    "denial-late": (101, "must come before websocket.accept"),
    "denial-body": (500, "must come behind websocket.http.response.start"),
    "denial-body-number": (500, "a body is bytes, not int"),
}


@pytest.mark.parametrize("name", RULES)
def test_a_broken_rule_is_named(server: Server, name: str) -> None:
    status, said = RULES[name]
    before = count(server, re.escape(said))
    with server.connect() as sock:
        sock.sendall(handshake(f"/wrong/{name}"))
        if status == 101:
            read_head(sock)
            assert receive(sock) == (FIN | CLOSE, b"\x03\xf3")
            sock.sendall(closing(1011))
        else:
            assert sock.recv(1000).startswith(b"HTTP/1.1 %d " % status)
    line = f"'GET /wrong/{name} HTTP/1.1'"
    server.wait_for_log(rf"\[ERROR\].* while answering {line}: .*{re.escape(said)}", before + 1)


@pytest.mark.parametrize("path", ["/linger", "/mute"])
def test_who_stays_behind_the_end_is_cancelled(server: Server, path: str) -> None:
    before = count(server, "cancelled: the client has left")
    with opened(server, path) as sock:
        sock.sendall(closing(1000))
        assert close_code(sock) == 1000
    server.wait_for_log("cancelled: the client has left", before + 1)
