"""The master, step by step as the description of a pre-fork server has it, where no other test looks."""

from __future__ import annotations

import os
import re
import signal
import socket
from pathlib import Path

import pytest

from tests.process.conftest import ServerFactory
from tests.process.server import Server, children, is_alive, wait_for

#: Hooks in a configuration file write lines with it; the worker kinds of the tests in modules do, too.
NOTE = """\
import os, signal
def note(*words):
    with open("notes", "a") as file:
        print(*words, file=file)
"""


def notes(folder: Path) -> list[str]:
    path = folder / "notes"
    return path.read_text().splitlines() if path.exists() else []


def start(serve: ServerFactory, folder: Path, text: str, *arguments: str) -> Server:
    (folder / "conf.py").write_text(NOTE + text)
    return serve("-c", "conf.py", *arguments)


def place(server: Server) -> str:
    """Where it listens, as the log writes it."""
    return server.wait_for_log(r"Listening at: (\S+)")[1]


def messages(server: Server) -> list[str]:
    """The log without times and levels."""
    return [line.rpartition("] ")[2] for line in server.log().splitlines()]


def test_order_of_the_start(serve: ServerFactory, folder: Path) -> None:
    server = start(
        serve,
        folder,
        """\
def on_starting(server):
    server.log.info("on_starting: %s %s", os.path.exists("pid"), callable(signal.getsignal(signal.SIGTERM)))
def when_ready(server):
    server.log.info("when_ready: %s", callable(signal.getsignal(signal.SIGTERM)))
""",
        *("--pid", "pid", "-k", "kinds.Checked"),
    )
    (folder / "kinds.py").write_text(
        "from indrik.workers.sync import SyncWorker\n"
        "class Checked(SyncWorker):\n"
        "    @classmethod\n"
        "    def check_config(cls, cfg, log):\n"
        "        log.info('check_config: %s', cfg.worker_class is cls)\n"
    )
    server.wait_ready()
    assert messages(server)[:7] == [
        "Starting indrik 0.1.0",
        "on_starting: True False",
        "Arbiter booted",
        f"Listening at: {place(server)} ({server.pid})",
        "Using worker: kinds.Checked",
        "check_config: True",
        "when_ready: True",
    ]
    levels = re.findall(r"\[(INFO|DEBUG)\] (?:Arbiter|Listening|Using)", server.log())
    assert levels == ["DEBUG", "INFO", "INFO"]


def test_listeners_of_a_hook_are_kept(serve: ServerFactory, folder: Path) -> None:
    server = start(
        serve,
        folder,
        """\
def on_starting(server):
    from indrik.net.listeners import create_sockets
    server.LISTENERS = create_sockets(server.cfg, server.log)
    note(server.LISTENERS[0])
def when_ready(server):
    note(server.LISTENERS[0])
""",
    ).wait_ready()
    assert notes(folder) == [f"{place(server)}"] * 2
    assert server.get_version() == "1"


def test_what_hooks_see_of_the_master_and_its_successor(serve: ServerFactory, folder: Path) -> None:
    server = start(
        serve,
        folder,
        """\
def when_ready(server):
    note(server.pid, server.master_pid, server.proc_name, server.master_name, server.pidfile.path)
""",
        *("--pid", "pid", "--name", "shop"),
    ).wait_ready()
    server.send(signal.SIGUSR2)
    new = int(server.wait_for_log(r"New master started \(pid: (\d+)\)")[1])
    server.wait_for_log("Worker is ready", 2)
    assert notes(folder) == [
        f"{server.pid} 0 shop Master pid",
        f"{new} {server.pid} shop.2 Master.2 pid.2",
    ]
    os.kill(new, signal.SIGTERM)
    wait_for(lambda: not is_alive(new), "the end of the new master")
    assert "Shutting down: Master.2" in server.log()


def test_number_of_workers_is_a_metric_when_it_changes(serve: ServerFactory, folder: Path) -> None:
    server = start(
        serve,
        folder,
        """\
import logging
class Metrics(logging.Filter):
    def filter(self, record):
        if hasattr(record, "metric"):
            note(record.levelname, record.getMessage(), record.metric, record.value, record.mtype)
        return True
def on_starting(server):
    server.log.error_log.addFilter(Metrics())
""",
        *("--workers", "2"),
    ).wait_ready(2)
    server.send(signal.SIGTTIN)
    server.wait_for_log("Worker is ready", 3)
    # The loop goes round for this, too, and has nothing new to tell.
    server.send(signal.SIGWINCH)
    server.wait_for_log("SIGWINCH ignored")
    assert server.stop() == 0
    assert notes(folder) == [
        "DEBUG 2 workers indrik.workers 2 gauge",
        "DEBUG 3 workers indrik.workers 3 gauge",
    ]


def test_worker_is_made_with_seven_arguments(serve: ServerFactory, folder: Path) -> None:
    (folder / "kinds.py").write_text(
        NOTE
        + """\
from indrik.workers.sync import SyncWorker
class Kind(SyncWorker):
    def __init__(self, age, ppid, sockets, app, timeout, cfg, log):
        super().__init__(age, ppid, sockets, app, timeout, cfg, log)
        note(age, ppid == os.getpid(), [str(one) for one in sockets], app.cfg is cfg, timeout, cfg.proc_name)
"""
    )
    server = start(
        serve,
        folder,
        """\
def when_ready(server):
    # Under a name of its own, to be called by a hook: its pid is returned, and known from then on.
    pid = server.spawn_worker()
    note(server.worker_age, list(server.WORKERS) == [pid], server.WORKERS[pid])
def child_exit(server, worker):
    note("gone", worker.age, worker.pid in server.WORKERS)
""",
        *("-k", "kinds.Kind", "--timeout", "20", "--name", "shop"),
    ).wait_ready()
    (pid,) = server.workers()
    assert notes(folder) == [
        f"1 True ['{place(server)}'] True 10.0 shop",
        f"1 True <Worker {pid}>",
    ]
    assert server.stop() == 0
    assert notes(folder)[2:] == ["gone 1 False"]


@pytest.mark.parametrize(
    ("raised", "status", "text"),
    [
        ("StopIteration()", 0, "Shutting down: Master"),
        ("KeyboardInterrupt()", 0, "Shutting down: Master"),
        ("HaltServer('no more', 9)", 9, "Shutting down: Master: no more"),
        ("SystemExit(7)", 7, "Shutting down: Master: hook pre_fork called exit(7)"),
    ],
)
def test_what_ends_the_loop(
    serve: ServerFactory, folder: Path, raised: str, status: int, text: str
) -> None:
    server = start(
        serve,
        folder,
        f"from indrik.errors import HaltServer\ndef pre_fork(server, worker):\n    raise {raised}\n",
    )
    assert server.wait_exit() == status
    assert [line for line in messages(server) if line.startswith("Shutting")] == [text]


def test_what_nobody_expected_ends_the_loop_too(serve: ServerFactory, folder: Path) -> None:
    server = start(
        serve,
        folder,
        "def pre_fork(server, worker):\n    if worker.age == 2: raise ValueError('broken on purpose')\n",
        *("--workers", "2", "--pid", "pid"),
    )
    assert server.wait_exit() == 255
    assert "Unhandled exception in the main loop\nTraceback" in server.log()
    assert not (folder / "pid").exists()
    # The worker that had been started already was told, and waited for.
    assert re.search(r"Worker \(pid:\d+\) exited with code 0", server.log())
    assert children(server.pid) == []


def test_a_reload_turns_spew_on_and_off(serve: ServerFactory, folder: Path) -> None:
    server = start(serve, folder, "")
    server.wait_ready()
    line = r'app:\d+:     path = environ\["PATH_INFO"\]'
    for number, spew in enumerate((True, False), 1):
        (folder / "conf.py").write_text(f"spew = {spew}\n")
        server.send(signal.SIGHUP)
        server.wait_for_log("Reload complete", number)
        before = len(re.findall(line, server.log()))
        assert server.get_version() == "1"
        assert (len(re.findall(line, server.log())) > before) is spew


def test_error_of_the_application_in_the_log(serve: ServerFactory, folder: Path) -> None:
    server = serve(app="app:nothing_of_this_name")
    assert server.wait_exit() == 4
    assert re.search(r"\[DEBUG\] Exception while loading the application\nTraceback", server.log())
    assert re.search(r"\[ERROR\] .*there is no 'nothing_of_this_name' in module 'app'", server.log())


def test_wrong_requests_on_a_unix_socket(serve: ServerFactory, folder: Path) -> None:
    server = serve("--access-logfile", "access", bind="unix:sock").wait_ready()
    with socket.socket(socket.AF_UNIX) as sock:
        sock.connect(str(folder / "sock"))
        sock.settimeout(20)
        sock.sendall(b"no request at all\r\n\r\n")
        assert sock.recv(12) == b"HTTP/1.1 400"
    server.wait_for_log(r"\[WARNING\] Invalid request from ip=unix: ")
    wait_for((folder / "access").read_text, "the line in the access log")
    assert re.fullmatch(r'- - - \[.*\] "- - -" 400 \d+ "-" "-"\n', (folder / "access").read_text())


def test_client_that_does_not_wait_for_the_error_page(serve: ServerFactory, folder: Path) -> None:
    server = serve().wait_ready()
    for _ in range(20):
        with server.connect() as sock:
            # Linger of 0 s: the kernel resets, so that writing the answer fails.
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            sock.sendall(b"no request at all\r\n\r\n")
    pid = server.get_pid()
    assert server.stop() == 0
    assert is_alive(pid) is False
    assert "Traceback" not in server.log()
    assert not re.search(r"\[(ERROR|CRITICAL)\]", server.log())


WRONG = [
    (b"no request at all\r\n\r\n", b"400 Bad Request"),
    (b"GE(T / HTTP/1.1\r\nHost: a\r\n\r\n", b"400 Bad Request"),
    (b"GET / HTTP/1.1\r\nHost: a\r\nno field\r\n\r\n", b"400 Bad Request"),
    (b"GET / HTTP/1.1\r\nHost: a\r\nbad name: x\r\n\r\n", b"400 Bad Request"),
    (b"GET / HTTP/9.9\r\nHost: a\r\n\r\n", b"505 HTTP Version Not Supported"),
    (b"GET /" + b"x" * 9000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", b"414 URI Too Long"),
    (
        b"GET / HTTP/1.1\r\nHost: a\r\nLong: " + b"x" * 9000 + b"\r\n\r\n",
        b"431 Request Header Fields Too Large",
    ),
    (b"GET / HTTP/1.1\r\nHost: a\r\n" + b"x: y\r\n" * 100 + b"\r\n", b"431 Request Header Fields Too Large"),
    (b"GET / HTTP/1.1\r\nHost: a\r\nExpect: more\r\n\r\n", b"417 Expectation Failed"),
    (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: x, chunked\r\n\r\n", b"501 Not Implemented"),
]


def test_statuses_of_wrong_requests(serve: ServerFactory) -> None:
    server = serve("--limit-request-fields", "50").wait_ready()
    for request, status in WRONG:
        with server.connect() as sock:
            sock.sendall(request)
            answer = sock.makefile("rb").read()
        assert answer.startswith(b"HTTP/1.1 " + status + b"\r\n")
        assert b"\r\nConnection: close\r\n" in answer
        # The reason as this server words it, and nothing of what the client has sent.
        body = answer.partition(b"\r\n\r\n")[2]
        assert body.startswith(status + b": ")
        assert b"x" * 8 not in body
    assert server.log().count("[WARNING] Invalid request from ip=127.0.0.1: ") >= 5
    assert server.get_version() == "1"
