"""The kind that is chosen for an application, and uvicorn's options, on the real command."""

from __future__ import annotations

import signal
import socket
import threading
from pathlib import Path

import pytest
from websockets.sync.client import connect

from tests.process.conftest import ServerFactory
from tests.process.server import Server, get_on, read_answer, wait_for

ASGI_APP = """\
import asyncio, os
VERSION = os.environ.get("VERSION", "1")

async def application(scope, receive, send):
    if scope["type"] != "http":
        raise NotImplementedError(scope["type"])
    path = scope["path"]
    if path.startswith("/until/"):
        while not os.path.exists(path[len("/until/"):]):
            await asyncio.sleep(0.01)
    text = f"{os.getpid()} {VERSION} {scope['client'][0]} {scope['client'][1]} {scope['scheme']}"
    if path.startswith("/env/"):
        text = repr(os.environ.get(path[5:]))
    await send({"type": "http.response.start", "status": 200,
                "headers": [(b"content-length", str(len(text)).encode())]})
    await send({"type": "http.response.body", "body": text.encode()})

def create():
    return application

def wsgi(environ, start_response):
    body = " ".join((str(os.getpid()), "wsgi", environ["REMOTE_ADDR"], environ.get("REMOTE_PORT", ""),
                     environ["wsgi.url_scheme"])).encode()
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]

class Shop:
    async def __call__(self, scope, receive, send):
        await application(scope, receive, send)

class Double:
    def __init__(self, scope): ...
    async def __call__(self, receive, send): ...
"""


@pytest.fixture(autouse=True)
def asgi_app(folder: Path) -> None:
    (folder / "app.py").write_text(ASGI_APP)


# --- the kind


@pytest.mark.parametrize("more", [(), ("--preload",), ("--reload",), ("--workers", "2")], ids=str)
def test_nobody_has_chosen(serve: ServerFactory, more: tuple[str, ...]) -> None:
    server = serve(*more).wait_ready()
    assert server.get().split()[1] == "1"
    server.wait_for_log("The application speaks ASGI: this worker is of the kind asgi")
    # It leaves as an asgi worker does, and is told by the same signals.
    assert server.stop() == 0
    assert "Traceback" not in server.log()


def test_a_stop_right_after_the_start(serve: ServerFactory) -> None:
    server = serve()
    server.wait_for_log("this worker is of the kind asgi")
    assert server.stop() == 0
    assert "Traceback" not in server.log()


def test_an_upgrade_to_asgi_by_a_reload(serve: ServerFactory, folder: Path) -> None:
    server = serve(app="app:wsgi").wait_ready()
    assert server.get().split()[1] == "wsgi"
    text = (folder / "app.py").read_text()
    (folder / "app.py").write_text(text + "\nwsgi = application\n")
    server.send(signal.SIGHUP)
    wait_for(lambda: server.get().split()[1] == "1", "the new application")


@pytest.mark.parametrize(
    ("arguments", "app", "says"),
    [
        (("-k", "sync"), "app:application", "kind sync serve WSGI: use -k asgi"),
        (("-k", "gthread"), "app:application", "kind gthread serve WSGI: use -k asgi"),
        (("--threads", "2"), "app:application", r"kind gthread \(because of threads\) serve WSGI"),
        (("-k", "asgi"), "app:wsgi", "kind asgi serve ASGI: use the kind sync"),
        ((), "app:Double", "ASGI 2"),
        ((), "app:Shop", "--factory"),
        (("--preload", "-k", "sync"), "app:application", "use -k asgi"),
    ],
)
def test_what_cannot_be_served(
    serve: ServerFactory, arguments: tuple[str, ...], app: str, says: str
) -> None:
    server = serve(*arguments, app=app)
    assert server.wait_exit() == 4
    server.wait_for_log(says)
    assert "Traceback (most recent call last)" not in server.log().split("Exception while loading")[0]


def test_a_wrong_kind_while_reloading_is_answered_500(serve: ServerFactory) -> None:
    server = serve("--reload", "-k", "asgi", app="app:wsgi").wait_ready()
    with server.connect() as sock:
        sock.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        answer = sock.makefile("rb").read()
    assert answer.startswith(b"HTTP/1.1 500 ")
    assert b"the error log says why" in answer
    server.wait_for_log("kind asgi serve ASGI: use the kind sync")


# --- options


@pytest.mark.parametrize("app", ["app:create", "app:Shop"])
def test_factory(serve: ServerFactory, app: str) -> None:
    assert serve("--factory", app=app).get().split()[1] == "1"


def test_a_factory_that_is_called_already(serve: ServerFactory) -> None:
    server = serve("--factory", app="app:create()")
    assert server.wait_exit() == 4
    server.wait_for_log("leave factory out")


def test_host_port_and_access_log(serve: ServerFactory) -> None:
    server = serve("--host", "127.0.0.1", "--port", "0", "--access-log", bind="").wait_ready()
    server.get("/here")
    server.wait_for_log(r'"GET /here HTTP/1.1" 200')


def test_uds(serve: ServerFactory, folder: Path) -> None:
    server = serve("--uds", str(folder / "s"), bind="", app="app:wsgi").wait_ready()
    assert server.get().split()[1] == "wsgi"


def test_fd(serve: ServerFactory) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = serve("--fd", str(listener.fileno()), bind="", pass_fds=[listener.fileno()]).wait_ready()
        assert server.get().split()[1] == "1"


def test_env_file(serve: ServerFactory, folder: Path) -> None:
    (folder / "vars").write_text('VERSION=7\nexport QUOTED="a b"\nHERE=file\nRAW=file\n# end\n')
    server = serve(
        "--env-file", "vars", "--env", "RAW=raw", environment={"HERE": "environment"}
    ).wait_ready()
    assert server.get_version() == "7"
    assert [server.get(f"/env/{name}") for name in ("QUOTED", "HERE", "RAW")] == [
        "'a b'",
        "'environment'",
        "'raw'",
    ]
    (folder / "vars").write_text("VERSION=8\n")
    server.send(signal.SIGHUP)
    # While the reload is on trial, old workers answer too.
    wait_for(lambda: server.get_version() == "8", "the variable of the changed file")
    wait_for(lambda: server.get("/env/QUOTED") == "None", "the end of the variable that is gone")


def test_env_file_that_is_missing(serve: ServerFactory) -> None:
    server = serve("--env-file", "nowhere")
    assert server.wait_exit() == 1
    server.wait_for_log("there is no file")


@pytest.mark.parametrize("app", ["app:application", "app:wsgi"])
def test_proxy_headers(serve: ServerFactory, app: str) -> None:
    server = serve("--proxy-headers", "--forwarded-allow-ips", "127.0.0.1,10.0.0.0/8", app=app).wait_ready()
    asked = {
        "X-Forwarded-For: 1.1.1.1, 2.2.2.2, 10.0.0.9": "2.2.2.2 0 http",
        "X-Forwarded-For: 1.1.1.1\r\nX-Forwarded-For: 3.3.3.3:80\r\nX-Forwarded-Proto: https": (
            "3.3.3.3 80 https"
        ),
        "X-Forwarded-For: [2001:db8::1]:99, 127.0.0.1\r\nX-Forwarded-Proto: wss": "2001:db8::1 99 https",
        "X-Forwarded-For: 10.0.0.1, 10.0.0.2": "10.0.0.1 0 http",
        "X-Forwarded-For: unknown\r\nX-Forwarded-Proto: ftp": "unknown 0 http",
    }
    for fields, seen in asked.items():
        with server.connect() as sock:
            sock.sendall(f"GET / HTTP/1.1\r\nHost: a\r\n{fields}\r\n\r\n".encode())
            assert read_answer(sock).split(maxsplit=2)[2] == seen
    with server.connect() as sock:
        own = f"{sock.getsockname()[0]} {sock.getsockname()[1]} http"
        assert get_on(sock).split(maxsplit=2)[2] == own


def test_no_proxy_headers(serve: ServerFactory) -> None:
    server = serve("--no-proxy-headers").wait_ready()
    with server.connect() as sock:
        fields = b"X-Forwarded-Proto: https\r\nX-Forwarded-For: 1.1.1.1\r\n"
        sock.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n" + fields + b"\r\n")
        assert read_answer(sock).split()[2:] == ["127.0.0.1", str(sock.getsockname()[1]), "http"]


@pytest.mark.parametrize("app", ["app:application", "app:wsgi"])
def test_no_server_header(serve: ServerFactory, app: str) -> None:
    server = serve("--no-server-header", app=app).wait_ready()
    for request in (b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", b"nonsense\r\n\r\n"):
        with server.connect() as sock:
            sock.sendall(request)
            head = sock.makefile("rb").read().partition(b"\r\n\r\n")[0].lower()
        assert b"\r\ndate: " in head
        assert b"\r\nserver:" not in head


# --- limit_concurrency


def ask(server: Server, path: str) -> socket.socket:
    sock = server.connect()
    sock.sendall(f"GET {path} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
    return sock


def test_a_request_waits_for_its_turn(serve: ServerFactory, folder: Path) -> None:
    server = serve("--limit-concurrency", "2").wait_ready()
    idle = [server.connect() for _ in range(4)]
    first, second = (ask(server, f"/until/{folder}/{name}") for name in ("one", "two"))
    third, fourth = ask(server, "/"), ask(server, "/")
    for waiting in (third, fourth):
        waiting.settimeout(0.3)
        with pytest.raises(TimeoutError):
            waiting.recv(1)
        waiting.settimeout(20.0)
    (folder / "one").touch()
    # One place is enough for the others, one after another.
    assert [len(read_answer(sock).split()) for sock in (first, third, fourth)] == [5, 5, 5]
    (folder / "two").touch()
    read_answer(second)
    # The place of the second is free again.
    assert server.get().split()[1] == "1"
    for sock in (*idle, first, second, third, fourth):
        sock.close()
    assert server.stop() == 0


def test_whoever_waits_too_long_is_sent_away(serve: ServerFactory, folder: Path) -> None:
    server = serve("--limit-concurrency", "1", "--queue-timeout", "0.5", "--access-log").wait_ready()
    with ask(server, f"/until/{folder}/one") as first, ask(server, "/") as second:
        ask(server, "/gone").close()
        answer = second.makefile("rb").read()
        assert answer.startswith(b"HTTP/1.1 503 ")
        assert b"Retry-After:" in answer
        (folder / "one").touch()
        read_answer(first)
        # The connection goes on, and the place is free.
        assert get_on(first).split()[1] == "1"
    server.wait_for_log("1 requests were in progress for 0.5 s")
    assert '"GET /gone HTTP/1.1" 200' not in server.log()


def test_a_body_comes_while_its_request_waits(serve: ServerFactory, folder: Path) -> None:
    (folder / "app.py").write_text(
        ASGI_APP + "\n"
        "async def echo(scope, receive, send):\n"
        "    if scope['path'] != '/echo':\n"
        "        return await application(scope, receive, send)\n"
        "    size, more = 0, True\n"
        "    while more:\n"
        "        message = await receive()\n"
        "        size += len(message['body'])\n"
        "        more = message['more_body']\n"
        "    await send({'type': 'http.response.start', 'status': 200, 'headers': []})\n"
        "    await send({'type': 'http.response.body', 'body': str(size).encode()})\n"
    )
    server = serve("--limit-concurrency", "1", app="app:echo").wait_ready()
    size = 3_000_000
    with ask(server, f"/until/{folder}/one") as first, server.connect() as second:
        second.sendall(f"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: {size}\r\n\r\n".encode())
        # More than any buffer in between takes: it goes on when the request has its turn.
        sender = threading.Thread(target=second.sendall, args=(bytes(size),))
        sender.start()
        (folder / "one").touch()
        read_answer(first)
        assert read_answer(second) == str(size)
        sender.join(20)


def test_a_websocket_is_a_request_in_progress(serve: ServerFactory, folder: Path) -> None:
    (folder / "app.py").write_text(
        ASGI_APP + "\n"
        "async def both(scope, receive, send):\n"
        "    if scope['type'] != 'websocket':\n"
        "        return await application(scope, receive, send)\n"
        "    await receive()\n"
        "    await send({'type': 'websocket.accept'})\n"
        "    while (await receive())['type'] != 'websocket.disconnect':\n"
        "        await send({'type': 'websocket.send', 'text': 'here'})\n"
    )
    server = serve("--limit-concurrency", "1", app="app:both").wait_ready()
    address = server.address
    assert isinstance(address, tuple)
    host, port = address
    with connect(f"ws://{host}:{port}/") as one:
        one.send("?")
        assert one.recv(20) == "here"
        waiting = ask(server, "/")
        waiting.settimeout(0.3)
        with pytest.raises(TimeoutError):
            waiting.recv(1)
        waiting.settimeout(20.0)
    with waiting:
        assert read_answer(waiting).split()[1] == "1"
    # One that waits is opened when its turn comes.
    with ask(server, f"/until/{folder}/one") as first:
        releases = threading.Timer(0.3, (folder / "one").touch)
        releases.start()
        with connect(f"ws://{host}:{port}/") as two:
            two.send("?")
            assert two.recv(20) == "here"
        read_answer(first)
        releases.join()


def test_a_stop_serves_those_who_wait(serve: ServerFactory, folder: Path) -> None:
    server = serve("--limit-concurrency", "1").wait_ready()
    with ask(server, f"/until/{folder}/one") as first, ask(server, "/") as second:
        server.send(signal.SIGTERM)
        server.wait_for_log("Handling signal: term")
        (folder / "one").touch()
        assert read_answer(first)
        assert read_answer(second)
    assert server.wait_exit() == 0


def test_those_who_wait_at_the_end_of_the_grace_are_cut(serve: ServerFactory, folder: Path) -> None:
    server = serve("--limit-concurrency", "1", "--graceful-timeout", "5").wait_ready()
    with ask(server, f"/until/{folder}/never") as first, ask(server, "/") as second:
        wait_for(lambda: server.workers(), "the worker")
        server.send(signal.SIGTERM)
        assert server.wait_exit() == 0
        # Who waits was never begun with; who is in progress is told that it has failed.
        assert second.recv(100) == b""
        assert first.recv(100).startswith(b"HTTP/1.1 500 ")
    assert "Traceback" not in server.log()


@pytest.mark.parametrize("kind", [("--threads", "4"), ("-k", "gevent")], ids=["gthread", "gevent"])
def test_no_kind_has_more_in_progress(serve: ServerFactory, folder: Path, kind: tuple[str, ...]) -> None:
    if "gevent" in kind:
        pytest.importorskip("gevent")
    (folder / "app.py").write_text(
        "import os, time\n"
        "def application(environ, start_response):\n"
        "    path = environ['PATH_INFO'].partition('/until/')[2]\n"
        "    while path and not os.path.exists(path): time.sleep(0.01)\n"
        "    start_response('200 OK', [('Content-Length', '2')])\n"
        "    return [b'ok']\n"
    )
    server = serve(*kind, "--limit-concurrency", "1").wait_ready()
    with ask(server, f"/until/{folder}/one") as first, ask(server, "/") as second:
        second.settimeout(0.3)
        with pytest.raises(TimeoutError):
            second.recv(1)
        second.settimeout(20.0)
        (folder / "one").touch()
        assert (read_answer(first), read_answer(second)) == ("ok", "ok")


def test_many_at_once_stay_below_the_limit(serve: ServerFactory, folder: Path) -> None:
    (folder / "app.py").write_text(
        "import asyncio\n"
        "now = most = 0\n"
        "async def application(scope, receive, send):\n"
        "    global now, most\n"
        "    assert scope['type'] == 'http'\n"
        "    now += 1\n"
        "    most = max(now, most)\n"
        "    await asyncio.sleep(0.001)\n"
        "    now -= 1\n"
        "    text = str(most).encode()\n"
        "    await send({'type': 'http.response.start', 'status': 200, 'headers': []})\n"
        "    await send({'type': 'http.response.body', 'body': text})\n"
    )
    server = serve("--limit-concurrency", "3", "--lifespan", "off").wait_ready()
    seen: list[int] = []

    def client() -> None:
        with server.connect() as sock:
            seen.extend(int(get_on(sock)) for _ in range(20))

    threads = [threading.Thread(target=client) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(seen) == 240
    assert max(seen) == 3
