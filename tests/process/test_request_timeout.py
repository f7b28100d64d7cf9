"""`request_timeout` in the kinds that have it: the client gets 504 in time, the log says where the request
was, and the worker goes on.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.process.conftest import ServerFactory
from tests.process.logs import get, lines_of
from tests.process.server import Server, get_on, is_alive, wait_for

APP = """\
import os, sys, threading, time
def note(text):
    os.write(2, (text + "\\n").encode())
def spin_here(seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        pass
def application(environ, start_response):
    path = environ["PATH_INFO"]
    try:
        if path == "/python":
            spin_here(60)
        elif path.startswith("/c/"):
            time.sleep(float(path[3:]))
        elif path == "/swallow":
            try:
                spin_here(60)
            except BaseException:
                note("swallowed")
            spin_here(8)
        elif path == "/stubborn":
            try:
                spin_here(60)
            except BaseException:
                note("swallowed")
        elif path == "/extend":
            deadline = environ["indrik.deadline"]
            assert 0.5 < deadline.remaining() <= 1, deadline.remaining()
            deadline.extend(1)
            assert 1.5 < deadline.remaining() <= 2, deadline.remaining()
            spin_here(1.3)
        elif path == "/extend-late":
            try:
                spin_here(60)
            finally:
                try:
                    environ["indrik.deadline"].extend(5)
                except ValueError as error:
                    note(f"refused: {error}")
        elif path == "/stream":
            start_response("200 OK", [])
            def body():
                try:
                    yield b"begun"
                    spin_here(60)
                finally:
                    note("cleaned up")
            return body()
        elif path == "/close":
            class Body(list):
                def close(self):
                    spin_here(60)
            start_response("200 OK", [("Content-Length", "1")])
            return Body([b"x"])
    finally:
        if path != "/":
            note(f"left {path}")
    text = str(os.getpid())
    start_response("200 OK", [("Content-Length", str(len(text)))])
    return [text.encode()]
"""

KINDS = {"sync": (), "gthread": ("-k", "gthread", "--threads", "2")}


@pytest.fixture(params=KINDS)
def server(serve: ServerFactory, folder: Path, request: pytest.FixtureRequest) -> Server:
    (folder / "app.py").write_text(APP)
    options = ("--access-logfile", "access.log", "--access-logformat", "%(s)s %(r)s")
    return serve(*KINDS[request.param], "--request-timeout", "1", *options).wait_ready()


def overdue(server: Server, path: str) -> float:
    """Asks for `path`, which must be answered with 504; seconds until then."""
    begun = time.monotonic()
    answer = get(server, path)
    took = time.monotonic() - begun
    assert answer.startswith(b"HTTP/1.1 504 Gateway Timeout\r\n"), answer
    assert b"Traceback" not in answer
    return took


@pytest.mark.parametrize("path", ["/python", "/c/1.2"])
def test_504_in_time_and_the_worker_lives(server: Server, path: str) -> None:
    pid = server.get()
    # The upper bound is far from a missing answer, and near enough for a busy machine.
    assert 1.0 <= overdue(server, path) < 1.5 + 1.0
    server.wait_for_log(f"left {path}")
    assert server.get() == pid
    said = r"REQUEST TIMEOUT: 'GET (\S+) HTTP/1.1' took longer than request_timeout \(1 s\)"
    match = server.wait_for_log(said)
    assert match[1] == path
    assert ("in spin_here" if path == "/python" else "in application") in server.log()


def test_each_request_has_one_access_line(server: Server) -> None:
    overdue(server, "/python?x=1")
    server.wait_for_log("left /python")
    server.get("/")
    lines = lines_of(server.folder / "access.log", 2)
    assert lines == ["504 GET /python?x=1 HTTP/1.1", "200 GET / HTTP/1.1"]


def test_what_is_caught_is_raised_once(server: Server) -> None:
    pid = server.get()
    overdue(server, "/stubborn")
    server.wait_for_log("left /stubborn")
    assert server.get() == pid
    assert server.log().count("swallowed") == 1


class Blocked:
    """A server whose error log is a pipe. Read until it is ready, and then by nobody until `read_on`."""

    def __init__(self, serve: ServerFactory, folder: Path, *options: str) -> None:
        os.mkfifo(folder / "pipe")
        self._fd = os.open(folder / "pipe", os.O_RDWR | os.O_NONBLOCK)
        redirected = ("sh", "-c", 'exec "$@" 2> pipe', "sh", sys.executable, "-m", "indrik")
        self.server = serve(*options, command=redirected)
        wait_for(lambda: self.read_on("Worker is ready"), "a worker that is ready")
        # What the server says from now on finds no place.
        with contextlib.suppress(BlockingIOError):
            while True:
                os.write(self._fd, b"x" * 4096)
        with contextlib.suppress(BlockingIOError):
            while True:
                os.write(self._fd, b"x")

    def read_on(self, word: str) -> bool:
        """Moves what has been written to the server's log; whether `word` is there."""
        with contextlib.suppress(BlockingIOError), open(self.server.log_path, "ab") as log:
            while True:
                log.write(os.read(self._fd, 65536))
        return word in self.server.log()

    def close(self) -> None:
        os.close(self._fd)


@pytest.mark.parametrize("kind", KINDS)
def test_a_log_that_blocks_delays_nobody(serve: ServerFactory, folder: Path, kind: str) -> None:
    (folder / "app.py").write_text(APP.replace("os.write(2,", "(lambda fd, text: None)(2,"))
    blocked = Blocked(serve, folder, *KINDS[kind], "--request-timeout", "1", "--timeout", "0")
    try:
        server = blocked.server
        assert overdue(server, "/python") < 1.5 + 1.0
        pid = server.get()
        if kind == "gthread":
            # Nobody who may wait for the log watches the time here.
            assert overdue(server, "/python") < 1.5 + 1.0
        assert [server.get() for _ in range(5)] == [pid] * 5
        assert "REQUEST TIMEOUT" not in server.log()
        said = "REQUEST TIMEOUT: 'GET /python HTTP/1.1'"
        wait_for(lambda: blocked.read_on(said), f"{said} in the log")
        wait_for(lambda: blocked.read_on("in time: 504 Gateway Timeout"), "the refusal in the log")
        assert "in spin_here" in server.log()
    finally:
        blocked.close()


def test_the_next_request_has_its_whole_time(server: Server) -> None:
    with server.connect() as sock:
        for _ in range(3):
            begun = time.monotonic()
            get_on(sock, "/c/0.6")
            assert time.monotonic() - begun >= 0.6
    assert "REQUEST TIMEOUT" not in server.log()


# Who watches the time waits for the GIL as long as `sys.getswitchinterval()`, 5 ms by default, when the
# application computes: a request that ends sooner behind its time has won. Here the race is to be close.
RACING = """\
import os, random, sys, time
sys.setswitchinterval(0.0002)
def application(environ, start_response):
    end = time.monotonic() + 0.05 + random.uniform(-0.004, 0.003)
    while time.monotonic() < end:
        pass
    text = str(os.getpid())
    start_response("200 OK", [("Content-Length", str(len(text)))])
    return [text.encode()]
"""


@pytest.mark.parametrize("kind", KINDS)
def test_requests_that_end_just_when_their_time_does(serve: ServerFactory, folder: Path, kind: str) -> None:
    """Wherever the exception hits, no lock stays held, and the worker goes on."""
    (folder / "app.py").write_text(RACING)
    server = serve(*KINDS[kind], "--request-timeout", "0.05", "--timeout", "60").wait_ready()
    with ThreadPoolExecutor(3) as pool:
        answers = list(pool.map(lambda _: get(server, "/"), range(150)))
    assert {answer[:12] for answer in answers} <= {b"HTTP/1.1 200", b"HTTP/1.1 504"}
    # One answer each, whoever was first.
    assert all(answer.count(b"HTTP/1.1") == 1 for answer in answers)
    assert len({answer.split()[-1] for answer in answers if answer.startswith(b"HTTP/1.1 200")}) == 1
    server.wait_for_log("REQUEST TIMEOUT")
    assert server.log().count("Booting worker") == 1
    assert "broke a rule" not in server.log()
    assert "Traceback" not in server.log()


def test_a_deadline_can_be_moved(server: Server) -> None:
    begun = time.monotonic()
    server.get("/extend")
    assert time.monotonic() - begun >= 1.3
    assert "REQUEST TIMEOUT" not in server.log()


def test_a_deadline_that_has_passed_cannot(server: Server) -> None:
    overdue(server, "/extend-late")
    server.wait_for_log("refused: the deadline has passed already")


def test_a_stream_is_cut_and_cleaned_up(server: Server) -> None:
    begun = time.monotonic()
    answer = get(server, "/stream")
    assert time.monotonic() - begun >= 1.0
    assert b"begun" in answer
    assert not answer.endswith(b"0\r\n\r\n")  # nobody may take it for whole
    server.wait_for_log("cleaned up")
    server.get()


def test_close_counts_too(server: Server) -> None:
    pid = server.get()
    assert get(server, "/close").endswith(b"x")
    server.wait_for_log("REQUEST TIMEOUT: 'GET /close HTTP/1.1'")
    wait_for(lambda: server.get() == pid, "the next answer")


# What `close` calls is C code, so that nothing of the application is there to be interrupted when it is over.
LATE_IN_C = """\
import functools, time
class Body(list):
    def __init__(self, *items, seconds):
        super().__init__(items)
        self.close = functools.partial(time.sleep, seconds)
def application(environ, start_response):
    start_response("200 OK", [("Content-Length", "2")])
    return Body(b"ok", seconds=1.5 if environ["PATH_INFO"] == "/late" else 0)
"""


@pytest.mark.parametrize("kind", KINDS)
def test_what_comes_too_late_hits_nothing_behind_the_application(
    serve: ServerFactory, folder: Path, kind: str
) -> None:
    """The server's own Python code is called next: the access log, and the hook's."""
    (folder / "app.py").write_text(LATE_IN_C)
    (folder / "conf.py").write_text(
        "def post_request(worker, request, environ, response):\n"
        "    worker.log.info('hook for %s', request.path)\n"
    )
    options = ("--request-timeout", "1", "-c", "conf.py", "--access-logfile", "access.log")
    server = serve(*KINDS[kind], *options, "--access-logformat", "%(s)s %(r)s").wait_ready()
    assert get(server, "/late").endswith(b"ok")
    server.wait_for_log("REQUEST TIMEOUT: 'GET /late HTTP/1.1'")
    server.get("/soon")
    if kind == "gthread":
        # A signal ends the sleep itself in the other one, in the middle of the application's close.
        server.wait_for_log("hook for /late")
        lines = lines_of(folder / "access.log", 2)
        assert sorted(lines) == ["200 GET /late HTTP/1.1", "200 GET /soon HTTP/1.1"]


# Whoever answers writes to wsgi.errors all the time, at the end of its time too.
LOUD = """\
import time
def application(environ, start_response):
    errors = environ["wsgi.errors"]
    while environ["PATH_INFO"] == "/loud":
        errors.write("loud\\n")
        # The lock is others' too.
        time.sleep(0.0001)
    errors.write("heard\\n")
    start_response("200 OK", [("Content-Length", "2")])
    return [b"ok"]
"""


@pytest.mark.parametrize("kind", KINDS)
def test_the_lock_of_the_error_log_is_free_again(serve: ServerFactory, folder: Path, kind: str) -> None:
    (folder / "app.py").write_text(LOUD)
    server = serve(*KINDS[kind], "--request-timeout", "0.3", "--timeout", "60").wait_ready()
    for _ in range(5):
        assert get(server, "/loud").startswith(b"HTTP/1.1 504 ")
        # Who waits for a lock gets 504 too.
        wait_for(lambda: get(server, "/soon").endswith(b"ok"), "an answer that is logged")
    log = server.log()
    assert log.count("Booting worker") == 1
    assert "cannot be interrupted" not in log


HALVES = """\
import logging, time
class Halves(logging.Handler):
    # As to the socket of a log that takes half a line now.
    def emit(self, record):
        with open("lines", "a") as file:
            file.write(record.getMessage() + " ")
            file.flush()
            time.sleep(1.5)
            file.write("whole\\n")
log = logging.getLogger("halves")
log.addHandler(Halves())
def application(environ, start_response):
    text = "here"
    if environ["PATH_INFO"] == "/late":
        log.warning("late")
        time.sleep(60)
        log.warning("too late")
    start_response("200 OK", [("Content-Length", str(len(text)))])
    return [text.encode()]
"""


def test_no_half_of_a_line_is_left(serve: ServerFactory, folder: Path) -> None:
    pytest.importorskip("gevent")
    (folder / "app.py").write_text(HALVES)
    server = serve("-k", "gevent", "--request-timeout", "1").wait_ready()
    overdue(server, "/late")
    wait_for(lambda: (folder / "lines").read_text().endswith("\n"), "the other half")
    # Told then, it does not sleep for a minute.
    os.kill(server.workers()[0], signal.SIGTERM)
    server.wait_for_log("Worker exiting")
    assert (folder / "lines").read_text() == "late whole\n"


def test_a_worker_that_cannot_be_interrupted_is_replaced(server: Server) -> None:
    old = int(server.get())
    overdue(server, "/swallow")
    server.wait_for_log("cannot be interrupted; the worker is replaced")
    wait_for(lambda: server.get() != str(old), "an answer of its successor")
    wait_for(lambda: not is_alive(old), "the end of the old worker", 60)


def test_sync_ends_a_system_call(serve: ServerFactory, folder: Path) -> None:
    (folder / "app.py").write_text(APP)
    server = serve("--request-timeout", "1").wait_ready()
    pid = server.get()
    overdue(server, "/c/60")
    server.wait_for_log("left /c/60")
    assert server.get() == pid


ALARMED = """\
import signal, time
class Alarm(Exception):
    pass
def ring(*_):
    raise Alarm
def application(environ, start_response):
    path = environ["PATH_INFO"]
    text = path
    if path == "/alarm":
        before = signal.signal(signal.SIGALRM, ring)
        signal.setitimer(signal.ITIMER_REAL, 0.3)
        try:
            time.sleep(60)
        except Alarm:
            text = "rung"
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)
    elif path == "/long":
        time.sleep(60)
    start_response("200 OK", [("Content-Length", str(len(text)))])
    return [text.encode()]
"""


def test_the_alarm_stays_the_applications(serve: ServerFactory, folder: Path) -> None:
    (folder / "app.py").write_text(ALARMED)
    server = serve("--request-timeout", "1").wait_ready()
    assert server.get("/alarm") == "rung"
    overdue(server, "/long")
    assert server.get("/alarm") == "rung"
    assert re.findall("REQUEST TIMEOUT: '(.*?)'", server.log()) == ["GET /long HTTP/1.1"]


def test_nothing_of_it_is_there_when_it_is_off(serve: ServerFactory, folder: Path) -> None:
    (folder / "app.py").write_text(
        "import threading\n"
        "def application(environ, start_response):\n"
        "    text = repr((len(threading.enumerate()), 'indrik.deadline' in environ))\n"
        "    start_response('200 OK', [('Content-Length', str(len(text)))])\n"
        "    return [text.encode()]\n"
    )
    assert serve().wait_ready().get() == "(1, False)"


@pytest.mark.parametrize(("timeout", "is_warned"), [("50", True), ("51", False), ("0", False)])
def test_a_sync_worker_that_timeout_ends_before(
    serve: ServerFactory, folder: Path, timeout: str, is_warned: bool
) -> None:
    (folder / "app.py").write_text(APP)
    server = serve("--request-timeout", "50", "--timeout", timeout).wait_ready()
    server.wait_for_log("Worker is ready")
    text = "request_timeout is 50 s, but timeout ends a sync worker after 50 s: raise timeout above it"
    assert (text in server.log()) is is_warned
