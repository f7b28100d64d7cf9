"""environ["gunicorn.socket"]: applications that speak another protocol on their client's connection."""

from __future__ import annotations

import os
import signal
import socket
from pathlib import Path

import pytest
import simple_websocket
import socketio

from tests.process.conftest import ServerFactory
from tests.process.server import Server, wait_for

KINDS = ("sync", "gthread", "gevent")

RAW = """\
import os, socket, sys, time
KEPT = []
def note(text):
    print(text, file=sys.stderr, flush=True)
def application(environ, start_response):
    sock = environ["gunicorn.socket"]
    path = environ["PATH_INFO"]
    if path == "/look":
        try:
            seen = sock.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            seen = None
        text = f"{sock.fileno() > 0} {sock.getpeername()[0]} {sock.family.name} {seen}"
        text += f" {sock.getsockopt(socket.SOL_SOCKET, socket.SO_TYPE)}"
    elif path == "/raw":
        number = sock.fileno()
        sock.sendall(b"hello ")
        assert sock.fileno() == number
        line = b""
        while not line.endswith(b"!"):
            line += sock.recv(100)
        sock.sendall(line.upper())
        raise StopIteration
    elif path == "/dup":
        copy = sock.dup()
        KEPT.append(copy)
        raise StopIteration
    elif path == "/use":
        KEPT[0].sendall(b"later")
        KEPT.pop().close()
        text = "used"
    elif path == "/return":
        sock.sendall(b"mine")
        text = "dropped"
    elif path == "/fail":
        sock.sendall(b"half")
        raise ValueError("broken")
    else:
        text = str(os.getpid())
    start_response("200 OK", [("Content-Length", str(len(text)))])
    return [text.encode()]
"""


def start(serve: ServerFactory, kind: str, *arguments: str) -> Server:
    """A server of the kind; threads for the one that has them."""
    threads = ["--threads", "8"] if kind == "gthread" else []
    return serve("-k", kind, *threads, *arguments).wait_ready()


def ask(server: Server, path: str, behind: bytes = b"") -> socket.socket:
    """A connection on which `path` was asked for, with `behind` in the same segment."""
    client = server.connect()
    client.sendall(f"GET {path} HTTP/1.1\r\nHost: a\r\n\r\n".encode() + behind)
    return client


def read_all(client: socket.socket) -> bytes:
    """Everything until the server closes."""
    received = b""
    while data := client.recv(65536):
        received += data
    return received


@pytest.mark.parametrize("kind", KINDS)
def test_looking_leaves_the_connection_with_the_server(
    serve: ServerFactory, folder: Path, kind: str
) -> None:
    (folder / "app.py").write_text(RAW)
    server = start(serve, kind)
    assert server.get("/look") == f"True 127.0.0.1 AF_INET None {int(socket.SOCK_STREAM)}"


@pytest.mark.parametrize("kind", KINDS)
def test_the_socket_is_the_applications_when_it_uses_it(
    serve: ServerFactory, folder: Path, kind: str
) -> None:
    (folder / "app.py").write_text(RAW)
    access = folder / "access"
    server = start(serve, kind, "--access-logfile", str(access))
    # What came with the request is read from the socket like what comes later.
    with ask(server, "/raw", b"some ") as client:
        assert client.recv(6, socket.MSG_WAITALL) == b"hello "
        client.sendall(b"words!")
        assert read_all(client) == b"SOME WORDS!"
    with ask(server, "/return") as client:
        assert read_all(client) == b"mine"
    assert "Traceback" not in server.log()
    with ask(server, "/fail") as client:
        assert read_all(client) == b"half"
    server.wait_for_log("ValueError: broken")
    assert server.get("/")
    # As under Gunicorn, only what the server has answered is in the access log.
    wait_for(lambda: access.read_text(), "a line")
    assert access.read_text().count("\n") == 1
    (worker,) = server.workers()
    assert not [fd for fd in os.listdir(f"/proc/{worker}/fd") if is_connection(worker, fd)]


def is_connection(pid: int, fd: str) -> bool:
    """Whether a descriptor is a TCP connection that is established or half closed."""
    try:
        name = os.readlink(f"/proc/{pid}/fd/{fd}")
    except FileNotFoundError:
        return False
    if not name.startswith("socket:["):
        return False
    rows = Path(f"/proc/{pid}/net/tcp").read_text().splitlines()[1:]
    return any(row.split()[9] == name[8:-1] and row.split()[3] in ("01", "08") for row in rows)


@pytest.mark.parametrize("kind", KINDS)
def test_a_copy_stays_open_behind_the_request(serve: ServerFactory, folder: Path, kind: str) -> None:
    (folder / "app.py").write_text(RAW)
    server = start(serve, kind)
    with ask(server, "/dup") as client:
        wait_for(lambda: "taken over" in server.log(), "the end of the request")
        assert server.get("/use") == "used"
        assert read_all(client) == b"later"


def url_of(server: Server) -> str:
    """Where it listens, without the scheme's name."""
    address = server.address
    assert isinstance(address, tuple)
    return f"://{address[0]}:{address[1]}"


FLASK_SOCK = """\
import os
from flask import Flask
from flask_sock import Sock
application = Flask(__name__)
sock = Sock(application)
@sock.route("/echo")
def echo(ws):
    while True:
        text = ws.receive()
        if text == "end":
            break
        ws.send(f"{text} {os.getpid()}")
@application.get("/")
def index():
    return str(os.getpid())
"""


@pytest.mark.parametrize("kind", ["gthread", "gevent"])
def test_flask_sock(serve: ServerFactory, folder: Path, kind: str) -> None:
    (folder / "app.py").write_text(FLASK_SOCK)
    server = start(serve, kind)
    url = url_of(server)
    clients = [simple_websocket.Client(f"ws{url}/echo") for _ in range(5)]
    pid = server.get_pid()
    for number in range(20):
        for client in clients:
            client.send(f"message {number}")
        for client in clients:
            assert client.receive(10) == f"message {number} {pid}"
    for client in clients[:3]:
        client.close()
    for client in clients[3:]:
        client.send("end")
        with pytest.raises(simple_websocket.ConnectionClosed):
            client.receive(10)
    (worker,) = server.workers()
    wait_for(
        lambda: not [fd for fd in os.listdir(f"/proc/{worker}/fd") if is_connection(worker, fd)],
        "closed sockets",
    )
    assert server.get_pid() == pid
    assert "Traceback" not in server.log()


@pytest.mark.parametrize("kind", ["gthread", "gevent"])
def test_a_websocket_outlives_the_time_of_a_request(serve: ServerFactory, folder: Path, kind: str) -> None:
    (folder / "app.py").write_text(FLASK_SOCK)
    server = start(serve, kind, "--request-timeout", "0.5")
    client = simple_websocket.Client(f"ws{url_of(server)}/echo")
    client.send("one")
    assert client.receive(10)
    assert client.receive(1.5) is None
    client.send("two")
    assert client.receive(10).startswith("two ")
    client.close()
    assert "REQUEST TIMEOUT" not in server.log()


@pytest.mark.parametrize("kind", ["gthread", "gevent"])
def test_a_worker_leaves_when_its_websockets_are_closed(
    serve: ServerFactory, folder: Path, kind: str
) -> None:
    (folder / "app.py").write_text(FLASK_SOCK)
    server = start(serve, kind)
    url = url_of(server)
    client = simple_websocket.Client(f"ws{url}/echo")
    client.send("one")
    assert client.receive(10)
    server.send(signal.SIGTERM)
    server.wait_for_log("Handling signal: term")
    client.send("two")
    assert client.receive(10)
    client.send("end")
    assert server.wait_exit() == 0
    assert "Traceback" not in server.log()


SOCKET_IO = """\
from flask import Flask, request
from flask_socketio import SocketIO, emit
application = Flask(__name__)
io = SocketIO(application, async_mode={mode!r})
@io.on("shout")
def shout(text):
    emit("heard", text.upper())
    return f"{{len(text)}} {{request.sid}}"
"""


@pytest.mark.parametrize("transports", [["websocket"], ["polling"], ["polling", "websocket"]])
@pytest.mark.parametrize(("kind", "mode"), [("gthread", "threading"), ("gevent", "gevent")])
def test_socket_io(
    serve: ServerFactory, folder: Path, kind: str, mode: str, transports: list[str]
) -> None:
    (folder / "app.py").write_text(SOCKET_IO.format(mode=mode))
    server = start(serve, kind)
    url = url_of(server)
    clients = []
    for _ in range(3):
        client = socketio.SimpleClient()
        client.connect(f"http{url}", transports=transports, wait_timeout=10)
        assert client.transport == transports[-1]
        clients.append(client)
    for client in clients:
        assert client.call("shout", "hello", timeout=10).startswith("5 ")
        assert client.receive(timeout=10) == ["heard", "HELLO"]
    for client in clients:
        client.disconnect()
    server.send(signal.SIGTERM)
    assert server.wait_exit() == 0
    assert "Traceback" not in server.log()
