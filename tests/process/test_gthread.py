"""The gthread kind: who answers when, what happens when all threads are inside, and how it leaves."""

from __future__ import annotations

import os
import re
import signal
import socket
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.process.conftest import ServerFactory
from tests.process.logs import get, lines_of
from tests.process.server import Server, get_on, is_alive, read_answer, wait_for

APP = """\
import os, threading, time
def note(*words):
    fd = os.open("notes", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(fd, (" ".join(map(str, words)) + "\\n").encode())
    os.close(fd)
def pass_gate(name):
    note("inside", name)
    while not os.path.exists("gate-" + name):
        time.sleep(0.005)
def stream(name):
    try:
        while True:
            yield b"data: x\\n\\n"
            time.sleep(0.02)
    finally:
        note("finally", name, threading.current_thread().name)
def application(environ, start_response):
    path = environ["PATH_INFO"]
    note("called", path)
    name = path.rpartition("/")[2]
    if path.startswith("/gate/"):
        pass_gate(name)
    elif path.startswith("/sse/"):
        start_response("200 OK", [("Content-Type", "text/event-stream")])
        return stream(name)
    elif path.startswith("/departure/"):
        note("inside", name)
        gone = environ["indrik.disconnected"]
        note("left", name, gone.wait(30), time.monotonic())
    elif path.startswith("/stay/"):
        try:
            environ["indrik.disconnected"].wait()
        finally:
            note("finally", name)
    elif path.startswith("/sleep/"):
        time.sleep(float(name))
    elif path.startswith("/exit/"):
        raise SystemExit(int(name))
    elif path == "/no-more-threads":
        # More than there are addresses: none can be started from now on.
        threading.stack_size(1 << 47)
    elif path == "/meet":
        # Only answered when as many are inside at the same time.
        barrier.wait(30)
    text = f"{os.getpid()} {threading.current_thread().name} {environ['wsgi.multithread']}"
    start_response("200 OK", [("Content-Length", str(len(text)))])
    return [text.encode()]
barrier = threading.Barrier(int(os.environ.get("PARTIES", "2")))
"""

REQUEST = b"GET %b HTTP/1.1\r\nHost: test\r\n\r\n"


class Threaded:
    """A server of this kind, its notes and its gates."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.folder = server.folder

    def notes(self, *words: str) -> list[str]:
        path = self.folder / "notes"
        lines = path.read_text().splitlines() if path.exists() else []
        prefix = " ".join(words)
        return [line for line in lines if line == prefix or line.startswith(prefix + " ")]

    def wait_for_notes(self, *words: str, count: int = 1) -> list[str]:
        what = f"{count} times {' '.join(words)!r}"
        return wait_for(lambda: found if len(found := self.notes(*words)) >= count else [], what)

    def open_gate(self, name: str) -> None:
        (self.folder / f"gate-{name}").touch()

    def ask(self, stack: ExitStack, path: str) -> socket.socket:
        """A client that has asked and not read."""
        client = stack.enter_context(self.server.connect())
        client.sendall(REQUEST % path.encode())
        return client


ThreadedFactory = Callable[..., Threaded]


@pytest.fixture
def threaded(serve: ServerFactory, folder: Path) -> ThreadedFactory:
    (folder / "app.py").write_text(APP)

    def start(*options: str, threads: int = 2, **others: object) -> Threaded:
        return Threaded(serve("-k", "gthread", "--threads", str(threads), *options, **others).wait_ready())

    return start


def everything(client: socket.socket) -> bytes:
    """All up to the end of the connection, orderly or not."""
    data = b""
    try:
        while piece := client.recv(65536):
            data += piece
    except ConnectionResetError:
        pass
    return data


class TestOverload:
    def test_who_waits_too_long_gets_503(self, threaded: ThreadedFactory) -> None:
        """All threads are inside: the next request waits for queue_timeout, and whoever gets a thread in time
        is served.
        """
        server = threaded(
            *("--queue-timeout", "3", "--access-logfile", "access.log"),
            *("--access-logformat", "%(s)s %(U)s %({queue}x)s"),
        )
        with ExitStack() as stack:
            held = [server.ask(stack, "/gate/a"), server.ask(stack, "/gate/b")]
            server.wait_for_notes("inside", count=2)
            begun = time.monotonic()
            late = server.ask(stack, "/late")
            answer = everything(late)
            took = time.monotonic() - begun
            assert answer.startswith(b"HTTP/1.1 503 Service Unavailable\r\n")
            assert re.search(rb"\r\nRetry-After: [1-9]\d*\r\n", answer)
            # It counts from when the turn of the loop began in which the request was read.
            assert 2.9 <= took < 15.0
            assert not server.notes("called /late")
            # And one that is in time.
            begun = time.monotonic()
            patient = server.ask(stack, "/patient")
            # Who comes behind it has an answer, so it has been read, and waits.
            assert get(server.server, "/", "No colon").startswith(b"HTTP/1.1 400 ")
            server.open_gate("a")
            assert read_answer(patient).endswith("True")
            took = time.monotonic() - begun
            server.open_gate("b")
            assert all(read_answer(client) for client in held)
        lines = lines_of(server.folder / "access.log", 5)
        assert re.fullmatch(r"503 /late [\d.]+", lines[0])
        assert lines[1].startswith("400 ")
        waits = {line.split()[1]: float(line.split()[2]) for line in lines[2:]}
        assert set(waits) == {"/gate/a", "/gate/b", "/patient"}
        assert 0 < waits["/patient"] <= took
        # Not as long as /late waited while they were inside.
        assert max(waits["/gate/a"], waits["/gate/b"]) < 2.9

    def test_a_worker_in_full_use_still_refuses_and_reads(self, threaded: ThreadedFactory) -> None:
        server = threaded()
        with ExitStack() as stack:
            held = [server.ask(stack, "/gate/a"), server.ask(stack, "/gate/a")]
            server.wait_for_notes("inside", count=2)
            assert get(server.server, "/", "No colon").startswith(b"HTTP/1.1 400 ")
            server.open_gate("a")
            assert all(read_answer(client) for client in held)

    def test_the_request_of_a_client_that_is_gone_is_dropped(self, threaded: ThreadedFactory) -> None:
        """It waits in the queue when its client breaks the connection: nobody would get the answer."""
        server = threaded()
        with ExitStack() as stack:
            held = [server.ask(stack, "/gate/a"), server.ask(stack, "/gate/a")]
            server.wait_for_notes("inside", count=2)
            with ExitStack() as gone:
                for client in [server.ask(gone, "/gone") for _ in range(5)]:
                    # With this, close() sends RST.
                    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
                patient = server.ask(stack, "/patient")
                # Whoever asks now is read after the five.
                assert get(server.server, "/", "No colon").startswith(b"HTTP/1.1 400 ")
            assert get(server.server, "/", "No colon").startswith(b"HTTP/1.1 400 ")
            server.open_gate("a")
            assert all(read_answer(client) for client in [*held, patient])
        assert not server.notes("called /gone")

    def test_more_clients_than_threads_are_all_served(self, threaded: ThreadedFactory) -> None:
        server = threaded(threads=4)
        with ThreadPoolExecutor(32) as pool:
            answers = list(pool.map(lambda _: server.server.get("/sleep/0.02"), range(200)))
        assert len(answers) == 200
        names = {answer.split()[1] for answer in answers}
        # One more than may be inside, to read meanwhile.
        assert 4 <= len(names) <= 5


class TestThreads:
    def test_as_many_are_inside_as_there_are_threads(self, threaded: ThreadedFactory) -> None:
        server = threaded(threads=64, environment={"PARTIES": "64"})
        with ExitStack() as stack:
            clients = [server.ask(stack, "/meet") for _ in range(64)]
            names = {read_answer(client).split()[1] for client in clients}
        assert len(names) == 64

    def test_without_another_thread_it_goes_on(self, threaded: ThreadedFactory) -> None:
        server = threaded(threads=8)
        worker = server.server.get("/no-more-threads").split()[0]
        names = ("a", "b", "c", "d")
        with ExitStack() as stack:
            clients = [server.ask(stack, f"/gate/{name}") for name in names]
            server.server.wait_for_log(r"\[ERROR\] Of 9 threads only \d can be had")
            for name in names:
                server.open_gate(name)
            assert {read_answer(client).split()[0] for client in clients} == {worker}
        assert server.server.get("/quick").split()[0] == worker
        assert server.server.stop() == 0

    def test_no_more_are_inside(self, threaded: ThreadedFactory) -> None:
        server = threaded(threads=3)
        with ExitStack() as stack:
            clients = [server.ask(stack, "/gate/a") for _ in range(10)]
            server.wait_for_notes("inside", count=3)
            # Who is read after them all finds that none of the others was let in.
            assert get(server.server, "/", "No colon").startswith(b"HTTP/1.1 400 ")
            assert len(server.notes("inside")) == 3
            server.open_gate("a")
            assert all(read_answer(client) for client in clients)

    def test_quick_requests_are_not_held_up_by_slow_ones(self, threaded: ThreadedFactory) -> None:
        server = threaded(threads=8)
        with ExitStack() as stack:
            held = [server.ask(stack, f"/gate/{name}") for name in "abcde"]
            server.wait_for_notes("inside", count=5)
            took = []
            client = stack.enter_context(server.server.connect())
            for _ in range(200):
                begun = time.monotonic()
                get_on(client, "/quick")
                took.append(time.monotonic() - begun)
            # Half of them: a busy machine delays some.
            assert sorted(took)[100] < 0.05
            for name in "abcde":
                server.open_gate(name)
            assert all(read_answer(client) for client in held)

    def test_sync_with_threads_is_gthread(self, serve: ServerFactory, folder: Path) -> None:
        (folder / "app.py").write_text(APP)
        server = serve("-k", "sync", "--threads", "2", environment={"PARTIES": "2"}).wait_ready()
        server.wait_for_log("Using worker: gthread")
        with server.connect() as one, server.connect() as other:
            one.sendall(REQUEST % b"/meet")
            other.sendall(REQUEST % b"/meet")
            assert read_answer(one).endswith(" True")
            assert read_answer(other).endswith(" True")


class TestRequestTimeout:
    def test_neighbours_are_not_disturbed(self, threaded: ThreadedFactory) -> None:
        server = threaded("--request-timeout", "1", threads=3)
        with ExitStack() as stack:
            slow = server.ask(stack, "/gate/never")
            neighbour = server.ask(stack, "/sleep/0.9")
            server.wait_for_notes("inside")
            pids = {server.server.get().split()[0] for _ in range(20)}
            assert read_answer(neighbour).split()[0] in pids
            assert everything(slow).startswith(b"HTTP/1.1 504 ")
            pids.add(server.server.get().split()[0])
        assert len(pids) == 1
        found = server.server.wait_for_log(r"REQUEST TIMEOUT: 'GET /gate/never HTTP/1.1' .*in thread (\S+);")
        assert re.fullmatch(r"indrik-\d", found[1])
        assert "in pass_gate" in server.server.log()

    def test_what_waits_for_a_thread_has_its_whole_time(self, threaded: ThreadedFactory) -> None:
        """The time counts from when the application gets the request."""
        server = threaded("--request-timeout", "2", threads=1)
        with ExitStack() as stack:
            clients = [server.ask(stack, "/sleep/1.2") for _ in range(3)]
            assert all(read_answer(client) for client in clients)
        assert "REQUEST TIMEOUT" not in server.server.log()

    def test_one_after_the_other(self, threaded: ThreadedFactory) -> None:
        """A thread that was interrupted serves the next request as if nothing had been."""
        server = threaded("--request-timeout", "1", threads=2)
        pid = server.server.get().split()[0]
        with ExitStack() as stack:
            for client in [server.ask(stack, "/gate/never") for _ in range(6)]:
                assert everything(client).startswith(b"HTTP/1.1 504 ")
        assert {server.server.get().split()[0] for _ in range(20)} == {pid}


class TestEnds:
    @pytest.mark.parametrize("status", [0, 3])
    def test_system_exit_ends_the_worker(self, threaded: ThreadedFactory, status: int) -> None:
        server = threaded()
        old = int(server.server.get().split()[0])
        with ExitStack() as stack:
            assert everything(server.ask(stack, f"/exit/{status}")) == b""
        wait_for(lambda: not is_alive(old), "the end of the worker")
        wait_for(lambda: server.server.get().split()[0] != str(old), "another worker")
        assert f"Worker exiting (pid: {old})" in server.server.log()

    def test_term_serves_what_is_inside_and_what_waits(self, threaded: ThreadedFactory) -> None:
        server = threaded(threads=2)
        with ExitStack() as stack:
            clients = [server.ask(stack, "/gate/a") for _ in range(40)]
            server.wait_for_notes("inside", count=2)
            idle = stack.enter_context(server.server.connect())
            server.server.send(signal.SIGTERM)
            server.server.wait_for_log("Handling signal: term")
            server.open_gate("a")
            for client in clients:
                assert read_answer(client)
                assert everything(client) == b""
            assert everything(idle) == b""
        assert server.server.wait_exit() == 0
        assert len(server.notes("called /gate/a")) == 40

    def test_quit_does_not_wait(self, threaded: ThreadedFactory) -> None:
        server = threaded("--graceful-timeout", "60")
        (pid,) = server.server.workers()
        with ExitStack() as stack:
            client = server.ask(stack, "/gate/never")
            server.wait_for_notes("inside")
            os.kill(pid, signal.SIGQUIT)
            wait_for(lambda: not is_alive(pid), "the end of the worker")
            assert everything(client) == b""


QUITS = """\
import os, signal
from indrik.workers.gthread import ThreadWorker
class Quits(ThreadWorker):
    def look_after(self):
        with self._crew.owned():
            os.kill(self.pid, signal.SIGQUIT)
            self.log.info("goes on with what it has begun")
def application(environ, start_response):
    raise AssertionError("nobody asks")
"""


def test_quit_is_heeded_where_the_main_thread_holds_nothing(serve: ServerFactory, folder: Path) -> None:
    (folder / "app.py").write_text(QUITS)
    server = serve("-k", "app.Quits", "--threads", "2")
    server.wait_for_log("goes on with what it has begun")
    server.wait_for_log("Worker exiting")


class TestDepartures:
    def test_a_stream_whose_client_left_ends(self, threaded: ThreadedFactory) -> None:
        """At the next piece, in the thread that it began in."""
        server = threaded(threads=4)
        for number in range(5):
            with ExitStack() as stack:
                client = server.ask(stack, f"/sse/{number}")
                assert b"200 OK" in client.recv(1000)
            server.wait_for_notes("finally", str(number))
        assert server.server.get()

    def test_a_wait_for_departure_ends_at_once(self, threaded: ThreadedFactory) -> None:
        server = threaded(threads=4)
        took = []
        for number in range(5):
            with ExitStack() as stack:
                server.ask(stack, f"/departure/{number}")
                server.wait_for_notes("inside", str(number))
                left_at = time.monotonic()
            *_, is_gone, noticed_at = server.wait_for_notes("left", str(number))[0].split()
            assert is_gone == "True"
            took.append(float(noticed_at) - left_at)
        # The best of five: a busy machine delays some.
        assert min(took) < 0.1

    def test_who_waits_for_a_client_that_stays_is_ended(self, threaded: ThreadedFactory) -> None:
        """By request_timeout, and long before its worker would have to be replaced for it."""
        server = threaded("--request-timeout", "1")
        with ExitStack() as stack:
            client = server.ask(stack, "/stay/a")
            assert client.recv(12) == b"HTTP/1.1 504"
            server.wait_for_notes("finally", "a")
        assert "cannot be interrupted" not in server.server.log()

    def test_who_waits_for_a_client_that_stays_delays_no_end(self, threaded: ThreadedFactory) -> None:
        server = threaded("--graceful-timeout", "2")
        with ExitStack() as stack:
            client = server.ask(stack, "/stay/a")
            server.wait_for_notes("called", "/stay/a")
            begun = time.monotonic()
            server.server.send(signal.SIGTERM)
            # Cut by the worker itself: the master would have killed it.
            server.server.wait_for_log(r"1 connections were still open after graceful_timeout")
            server.server.wait_for_log(r"Worker exiting")
            assert server.server.wait_exit() == 0
            assert time.monotonic() - begun < 10
            assert everything(client) == b""
