"""The gevent kind: a greenlet for each request in progress, in gevent's hub."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.process.conftest import ServerFactory
from tests.process.server import Server, get_on, read_answer, wait_for

APP = """\
import contextvars, os, sys, threading, time
import gevent, gevent.local
VARIABLE = contextvars.ContextVar("VARIABLE", default="unset")
LOCAL = gevent.local.local()
EVENTS = {}
def note(text):
    print(text, file=sys.stderr, flush=True)
def event(name):
    return EVENTS.setdefault(name, threading.Event())
def application(environ, start_response):
    path = environ["PATH_INFO"]
    name = environ["QUERY_STRING"]
    text = f"{os.getpid()} 1"
    if path == "/await":
        VARIABLE.set(name)
        LOCAL.value = name
        note(f"awaiting {name}")
        event(name).wait(20)
        text = f"{VARIABLE.get()} {LOCAL.value} {environ['wsgi.multithread']}"
    elif path == "/set":
        text = f"{VARIABLE.get()} {getattr(LOCAL, 'value', 'unset')}"
        event(name).set()
    elif path == "/sleep":
        time.sleep(float(name))
    elif path == "/leak":
        gevent.Timeout(0.3).start()
    elif path == "/timeout":
        gevent.Timeout(0.01).start()
        time.sleep(5)
    elif path == "/kill":
        gevent.getcurrent().throw(gevent.GreenletExit)
    elif path == "/exit":
        raise SystemExit(3)
    elif path == "/spin":
        while True:
            pass
    elif path == "/extend":
        environ["indrik.deadline"].extend(1.0)
        time.sleep(1.2)
        text = "extended"
    start_response("200 OK", [("Content-Length", str(len(text)))])
    return [text.encode()]
"""


@pytest.fixture
def gevent_folder(folder: Path) -> Path:
    """Where the server runs; holds the application above."""
    (folder / "app.py").write_text(APP)
    return folder


@pytest.fixture
def serve_gevent(serve: ServerFactory, gevent_folder: Path) -> ServerFactory:
    """Starts servers of the kind."""

    def start(*arguments: str, **options: object) -> Server:
        return serve("-k", "gevent", *arguments, **options).wait_ready()

    return start


def ask(server: Server, path: str) -> socket.socket:
    """A connection on which `path` was asked for."""
    client = server.connect()
    client.sendall(f"GET {path} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
    return client


def read_all(client: socket.socket) -> bytes:
    """Everything until the server closes."""
    received = b""
    while data := client.recv(65536):
        received += data
    return received


@pytest.mark.parametrize("kind", ["gevent", "gevent_wsgi", "gevent_pywsgi"])
def test_every_name_of_the_kind_serves(serve: ServerFactory, gevent_folder: Path, kind: str) -> None:
    server = serve("-k", kind).wait_ready()
    assert server.get().endswith(" 1")
    assert server.stop() == 0
    assert "Traceback" not in server.log()


def test_a_connection_ends_with_its_response_and_not_with_the_hubs_next_round(
    serve_gevent: ServerFactory,
) -> None:
    server = serve_gevent().wait_ready()
    began = time.monotonic()
    for _ in range(20):
        with server.connect() as client:
            client.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            assert read_all(client).startswith(b"HTTP/1.1 200 ")
    # gevent's own close() may have waited a second for each.
    assert time.monotonic() - began < 5.0


def test_requests_that_wait_go_on_side_by_side_each_in_its_own_context(serve_gevent: ServerFactory) -> None:
    server = serve_gevent()
    with ask(server, "/await?one") as one, ask(server, "/await?two") as two:
        server.wait_for_log("awaiting one")
        server.wait_for_log("awaiting two")
        # Neither a context variable nor a greenlet's local is seen by a neighbour.
        assert server.get("/set?two") == "unset unset"
        assert read_answer(two) == "two two True"
        assert server.get("/set?one") == "unset unset"
        assert read_answer(one) == "one one True"
        # On the same connections, perhaps in the same greenlets, nothing is left of it.
        assert get_on(one, "/set?three") == "unset unset"
        assert get_on(two, "/set?three") == "unset unset"


def test_a_timeout_that_was_left_running_meets_no_other_request(serve_gevent: ServerFactory) -> None:
    server = serve_gevent()
    with server.connect() as client:
        get_on(client, "/leak")
        for _ in range(3):
            get_on(client, "/sleep?0.3")
        # And one that runs out while its greenlet waits for a request takes none with it.
        get_on(client, "/leak")
        server.wait_for_log("failed with Timeout", 2)
        for _ in range(3):
            get_on(client)


COUNTING = """\
import gevent.local
from indrik.workers.hub import HubHost
MADE = []
make = HubHost.new_greenlet
def count(self, run):
    MADE.append(1)
    return make(self, run)
HubHost.new_greenlet = count
LOCAL = gevent.local.local()
def application(environ, start_response):
    if environ["PATH_INFO"] == "/local":
        LOCAL.value = 1
    text = str(len(MADE))
    start_response("200 OK", [("Content-Length", str(len(text)))])
    return [text.encode()]
"""


def test_a_greenlet_is_used_again_unless_somebody_knows_it(serve: ServerFactory, folder: Path) -> None:
    (folder / "app.py").write_text(COUNTING)
    server = serve("-k", "gevent").wait_ready()
    with server.connect() as client:
        made = int(get_on(client))
        for _ in range(50):
            assert int(get_on(client)) == made
        for count in range(20):
            assert int(get_on(client, "/local")) == made + count


def test_a_timeout_that_escapes_fails_its_request_alone(serve_gevent: ServerFactory) -> None:
    server = serve_gevent()
    pid = server.get_pid()
    for path in ("/timeout", "/kill"):
        with ask(server, path) as client:
            assert client.recv(12) == b"HTTP/1.1 500"
    assert server.get_pid() == pid
    server.wait_for_log("the application failed while answering 'GET /timeout")


def test_system_exit_ends_the_worker(serve_gevent: ServerFactory) -> None:
    server = serve_gevent()
    pid = server.get_pid()
    ask(server, "/exit").close()
    server.wait_for_log("Worker is ready", 2)
    assert server.get_pid() != pid


def test_a_request_beyond_the_limit_waits_and_is_refused_in_the_end(serve_gevent: ServerFactory) -> None:
    server = serve_gevent("--worker-greenlets", "1", "--queue-timeout", "1")
    with ask(server, "/sleep?2.5") as first, ask(server, "/") as second:
        begun = time.monotonic()
        assert second.recv(12) == b"HTTP/1.1 503"
        assert time.monotonic() - begun < 2.4
        read_answer(first)
    server.wait_for_log("no greenlet was free for 1 s")
    with ask(server, "/sleep?0.3") as first, ask(server, "/") as second:
        read_answer(first)
        read_answer(second)


# --- requests that take too long ---


def test_a_request_that_takes_too_long_is_answered_and_the_others_do_not_notice(
    serve_gevent: ServerFactory,
) -> None:
    server = serve_gevent("--request-timeout", "1")
    pid = server.get_pid()
    with ask(server, "/await?never") as late, ask(server, "/extend") as extended:
        begun = time.monotonic()
        assert late.recv(12) == b"HTTP/1.1 504"
        assert 0.9 < time.monotonic() - begun < 5
        assert get_on(extended, "/sleep?0.1") == "extended"
        assert read_answer(extended) == f"{pid} 1"
    log = server.wait_for_log(r"REQUEST TIMEOUT: 'GET /await\?never HTTP/1.1' .*\n(?:  .*\n)+")[0]
    assert "event(name).wait(20)" in log
    assert server.get_pid() == pid


# --- clients that leave ---

STREAM = """\
import sys, time
def note(text):
    print(text, file=sys.stderr, flush=True)
def application(environ, start_response):
    gone = environ["indrik.disconnected"]
    path = environ["PATH_INFO"]
    if path == "/stream":
        start_response("200 OK", [("Content-Type", "text/event-stream")])
        def body():
            try:
                yield b"begun"
                time.sleep(60)
            finally:
                note(f"stream ended by {sys.exc_info()[0].__name__} at {time.monotonic()}")
        return body()
    if path == "/wait":
        gone.callback(lambda: (time.sleep(0.01), note("called back")))
        note("waiting")
        note(f"left: {gone.wait(15)} {gone.is_set()}")
    if path == "/flood":
        start_response("200 OK", [])
        def flood():
            for _ in range(400):
                yield b"x" * 65536
            note("flooded")
        return flood()
    text = f"{gone.is_set()} {gone.wait(0.05)}".encode()
    start_response("200 OK", [("Content-Length", str(len(text)))])
    return [text]
"""


@pytest.fixture
def stream_server(serve: ServerFactory, folder: Path) -> Server:
    (folder / "app.py").write_text(STREAM)
    return serve("-k", "gevent", "--output-spool", "1048576", "--output-buffer", "65536").wait_ready()


def test_a_silent_stream_ends_when_its_client_leaves(stream_server: Server) -> None:
    took = []
    for count in range(1, 6):
        with ask(stream_server, "/stream") as client:
            assert client.recv(12) == b"HTTP/1.1 200"
            wait_for(lambda: b"begun" in client.recv(1000), "the first piece")
        left_at = time.monotonic()
        found = stream_server.wait_for_log(r"stream ended by ClientDisconnected at ([\d.]+)", count)
        took.append(float(found[1]) - left_at)
    assert min(took) < 0.1
    assert "Traceback" not in stream_server.log()
    assert stream_server.get("/") == "False False"


def test_many_streams_end_at_once(stream_server: Server) -> None:
    clients = [ask(stream_server, "/stream") for _ in range(200)]
    for client in clients:
        assert client.recv(12) == b"HTTP/1.1 200"
    (worker,) = stream_server.workers()
    before = len(os.listdir(f"/proc/{worker}/fd"))
    for client in clients:
        client.close()
    stream_server.wait_for_log("stream ended by ClientDisconnected", 200)
    wait_for(lambda: len(os.listdir(f"/proc/{worker}/fd")) <= before - 200, "closed descriptors")


def test_before_the_response_only_an_event_tells_that_the_client_left(stream_server: Server) -> None:
    with ask(stream_server, "/wait"):
        stream_server.wait_for_log("waiting")
        # The wait is the hub's: others are served meanwhile.
        assert stream_server.get("/") == "False False"
        left_at = time.monotonic()
    stream_server.wait_for_log("left: True True")
    assert time.monotonic() - left_at < 5
    stream_server.wait_for_log("called back")


def test_a_sender_waits_for_a_slow_reader_and_others_do_not(stream_server: Server) -> None:
    with ask(stream_server, "/flood") as slow:
        slow.recv(12)
        assert stream_server.get("/") == "False False"
        assert "flooded" not in stream_server.log()
        total = len(read_all_chunks(slow))
        assert total > 400 * 65536
    stream_server.wait_for_log("flooded")


def read_all_chunks(client: socket.socket) -> bytes:
    """Everything up to the last chunk."""
    received = bytearray()
    while not received.endswith(b"\r\n0\r\n\r\n"):
        received += client.recv(1 << 20)
    return bytes(received)


# --- the worker's life ---


def test_a_leaving_worker_finishes_what_is_in_progress(serve_gevent: ServerFactory) -> None:
    server = serve_gevent()
    with server.connect() as idle, ask(server, "/sleep?1.5") as busy:
        get_on(idle)
        wait_for(lambda: server.get(), "an answer behind the one that waits")
        server.send(signal.SIGTERM)
        assert read_answer(busy).endswith(" 1")
        assert read_all(idle) == b""
    assert server.wait_exit() == 0
    assert "are cut" not in server.log()


def test_what_does_not_finish_is_cut(serve_gevent: ServerFactory) -> None:
    server = serve_gevent("--graceful-timeout", "5")
    with ask(server, "/await?never"):
        server.wait_for_log("awaiting never")
        begun = time.monotonic()
        assert server.stop() == 0
        assert 4 < time.monotonic() - begun < 12
    server.wait_for_log("1 connections were still open")


def test_int_ends_at_once(serve_gevent: ServerFactory) -> None:
    server = serve_gevent()
    with ask(server, "/await?never"):
        server.wait_for_log("awaiting never")
        assert server.stop(signal.SIGINT) == 0
    assert "Traceback" not in server.log()


def test_usr1_reopens_the_logs(serve_gevent: ServerFactory, gevent_folder: Path) -> None:
    access = gevent_folder / "access"
    server = serve_gevent("--access-logfile", str(access))
    server.get()
    wait_for(lambda: access.exists() and access.read_text(), "a line")
    access.rename(gevent_folder / "old")
    server.send(signal.SIGUSR1)
    wait_for(access.exists, "a new file")

    def is_written() -> bool:
        server.get()
        return bool(access.read_text())

    wait_for(is_written, "a line in the new file")


def test_a_worker_is_renewed_after_its_number_of_requests(serve_gevent: ServerFactory) -> None:
    server = serve_gevent("--max-requests", "5")
    with server.connect() as client:
        pid = get_on(client).split()[0]
        for _ in range(4):
            assert get_on(client).split()[0] == pid
    server.wait_for_log("Worker is ready", 2)
    wait_for(lambda: server.get().split()[0] != pid, "another worker")


def test_a_hub_that_is_blocked_is_noticed(serve_gevent: ServerFactory) -> None:
    server = serve_gevent("--timeout", "2")
    pid = server.get_pid()
    with ask(server, "/spin"):
        server.wait_for_log("WORKER TIMEOUT")
        server.wait_for_log("Worker is ready", 2)
    assert server.get_pid() != pid
    assert "in application" in server.log()  # the stack of the greenlet that does not give way


def test_an_idle_worker_is_not_taken_for_dead(serve_gevent: ServerFactory) -> None:
    server = serve_gevent("--timeout", "2")
    pid = server.get_pid()
    with ask(server, "/sleep?4") as client:
        assert read_answer(client) == f"{pid} 1"
    assert "WORKER TIMEOUT" not in server.log()


def test_refusals_are_logged(serve_gevent: ServerFactory) -> None:
    server = serve_gevent()
    with server.connect() as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nbad header\r\n\r\n")
        assert client.recv(12) == b"HTTP/1.1 400"
    server.wait_for_log("Invalid request from ip=127.0.0.1")


@pytest.mark.parametrize("engine", ["poll", "inotify"])
def test_changed_code_is_loaded(serve_gevent: ServerFactory, gevent_folder: Path, engine: str) -> None:
    server = serve_gevent("--reload", "--reload-engine", engine)
    assert server.get().endswith(" 1")
    # The thread that watches does not hold up the hub.
    begun = time.monotonic()
    for _ in range(20):
        assert server.get().endswith(" 1")
    assert time.monotonic() - begun < 10
    (gevent_folder / "app.py").write_text(APP.replace('{os.getpid()} 1"', '{os.getpid()} 2"'))
    wait_for(lambda: server.get().endswith(" 2"), "the new code")
    assert server.stop() == 0
    assert "Traceback" not in server.log()


# --- start ---


def test_without_gevent_the_error_names_the_extra(serve: ServerFactory, gevent_folder: Path) -> None:
    # An older one in front of the installed one.
    old = gevent_folder / "old"
    (old / "gevent-24.11.1.dist-info").mkdir(parents=True)
    (old / "gevent-24.11.1.dist-info" / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: gevent\nVersion: 24.11.1\n"
    )
    path = os.pathsep.join([str(old), *filter(None, [os.environ.get("PYTHONPATH")])])
    server = serve("-k", "gevent", environment={"PYTHONPATH": path})
    assert server.wait_exit() == 1
    log = server.log()
    assert "needs gevent 25 or newer, not 24.11.1; install it with: pip install 'indrik[gevent]'" in log
    assert "Traceback" not in log


PATCHED = """\
import subprocess
import sys
import requests, urllib3, socket, ssl
print("imported by", socket.socket.__module__, file=sys.stderr, flush=True)
def application(environ, start_response):
    url = environ["QUERY_STRING"]
    text = requests.get(url, verify="cert.pem", timeout=10).text if url else "nothing"
    start_response("200 OK", [("Content-Length", str(len(text)))])
    return [text.encode()]
"""
PATCHED_CONF = """\
def post_patch(owner):
    import socket
    print("post_patch", type(owner).__name__, socket.socket.__module__, flush=True)
"""
TLS_SERVER = """\
import http.server, ssl
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.0"
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"over TLS")
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain("cert.pem", "key.pem")
server.socket = context.wrap_socket(server.socket, server_side=True)
print(server.server_address[1], flush=True)
server.serve_forever()
"""


@pytest.fixture
def tls_url(folder: Path) -> Iterator[str]:
    """Of a TLS server whose certificate is in cert.pem."""
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"),
            *("-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"),
            *("-keyout", "key.pem", "-out", "cert.pem"),
        ],
        cwd=folder, check=True, capture_output=True,
    )  # fmt: skip
    with subprocess.Popen(
        [sys.executable, "-c", TLS_SERVER], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as process:
        assert process.stdout is not None
        port = int(process.stdout.readline())
        yield f"https://localhost:{port}/"
        process.kill()


@pytest.mark.parametrize("preload", [[], ["--preload"]])
def test_patching_comes_before_the_application(
    serve: ServerFactory, folder: Path, preload: list[str], tls_url: str
) -> None:
    (folder / "app.py").write_text(PATCHED)
    (folder / "conf.py").write_text(PATCHED_CONF)
    server = serve("-k", "gevent", "-c", "conf.py", "-w", "2", *preload).wait_ready(2)
    for _ in range(6):
        assert server.get(f"/?{tls_url}") == "over TLS"
    assert server.stop() == 0
    log = server.log()
    assert "Warning" not in log
    assert "Traceback" not in log
    assert "imported by gevent._socket3" in log
    owners = re.findall(r"post_patch (\w+) gevent._socket3", log)
    assert owners == (["Arbiter"] if preload else ["GeventWorker"] * 2)


@pytest.mark.parametrize("preload", [[], ["--preload"]])
@pytest.mark.parametrize("how", ["--gevent-patch=no", "dict"])
def test_patching_is_a_choice(serve: ServerFactory, folder: Path, preload: list[str], how: str) -> None:
    (folder / "app.py").write_text(
        "import socket, time, gevent.monkey\n"
        "def application(environ, start_response):\n"
        "    text = f'{socket.socket.__module__} {gevent.monkey.is_module_patched(\"time\")}'\n"
        "    start_response('200 OK', [('Content-Length', str(len(text)))])\n"
        "    return [text.encode()]\n"
    )
    arguments = [how] if how != "dict" else ["-c", "conf.py"]
    (folder / "conf.py").write_text("gevent_patch = {'socket': False, 'ssl': False}\n")
    server = serve("-k", "gevent", *arguments, *preload).wait_ready()
    assert server.get() == ("socket False" if how != "dict" else "socket True")
    assert server.stop() == 0
    assert "Traceback" not in server.log()


def test_a_preloaded_application_is_reloaded_without_losing_a_request(
    serve: ServerFactory, gevent_folder: Path
) -> None:
    server = serve("-k", "gevent", "--preload").wait_ready()
    for count in range(2, 6):
        with ask(server, "/sleep?0.5") as client:
            server.send(signal.SIGHUP)
            server.wait_for_log("Worker is ready", count)
            read_answer(client)
        assert server.get()
    assert "Traceback" not in server.log()


FLASK = """\
import sys, time
from flask import Flask, stream_with_context
application = Flask(__name__)
@application.teardown_appcontext
def teardown(error):
    print("torn down", file=sys.stderr, flush=True)
@application.get("/stream")
def stream():
    def body():
        yield "x" * 1000
        time.sleep(60)
    return application.response_class(stream_with_context(body()))
@application.get("/")
def index():
    return "here"
"""


def test_a_flask_stream_that_was_abandoned_disturbs_no_later_request(
    serve: ServerFactory, folder: Path
) -> None:
    (folder / "app.py").write_text(FLASK)
    server = serve("-k", "gevent").wait_ready()
    with ask(server, "/stream") as client:
        assert client.recv(12) == b"HTTP/1.1 200"
    server.wait_for_log("torn down")
    for count in range(2, 12):
        assert server.get("/") == "here"
        server.wait_for_log("torn down", count)
    assert "Traceback" not in server.log()
