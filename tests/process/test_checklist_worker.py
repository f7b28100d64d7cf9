"""A worker, step by step as the description of a pre-fork server has it, where no other test looks."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from tests.process.conftest import ServerFactory
from tests.process.server import get_on, is_alive, read_answer, wait_for
from tests.process.test_checklist_master import NOTE, notes, start

KIND = (
    NOTE
    + """\
import fcntl, signal
from indrik.workers.sync import SyncWorker

def handlers(worker):
    return all(
        signal.getsignal(number) == handler
        for number, handler in [
            (signal.SIGTERM, worker.handle_exit),
            (signal.SIGINT, worker.handle_quit),
            (signal.SIGQUIT, worker.handle_quit),
            (signal.SIGABRT, worker.handle_abort),
            (signal.SIGUSR1, worker.handle_usr1),
            (signal.SIGWINCH, worker.handle_winch),
            (signal.SIGCHLD, signal.SIG_DFL),
        ]
    )

class Kind(SyncWorker):
    def init_process(self):
        note("init_process", self.booted, "COLOUR" in os.environ, self.PIPE)
        super().init_process()
        note("after init_process")

    def init_signals(self):
        ends = [os.get_blocking(fd) or os.get_inheritable(fd) for fd in self.PIPE]
        inherited = [os.get_inheritable(one.fileno()) for one in self.sockets]
        note("init_signals", os.environ["COLOUR"], os.geteuid(), ends, inherited, handlers(self))
        super().init_signals()

    def load_wsgi(self):
        note("load_wsgi", handlers(self), self.wsgi)
        super().load_wsgi()

    def run(self):
        note("run", self.booted, self.wsgi.__name__, self.app.wsgi() is self.wsgi)
        super().run()
"""
)


def test_order_of_init_process(serve: ServerFactory, folder: Path) -> None:
    (folder / "kinds.py").write_text(KIND)
    (folder / "notes").touch()
    (folder / "notes").chmod(0o666)
    # The application must be readable for the other user: pytest's folders are not.
    for path in [folder, *folder.parents]:
        if path.is_relative_to(folder.parents[2]):
            path.chmod(0o755)
    user = ("--user", "65534") if os.geteuid() == 0 else ()
    server = start(
        serve,
        folder,
        "def post_worker_init(worker): note('post_worker_init', worker.booted, worker.wsgi.__name__)\n",
        *("-k", "kinds.Kind", "-e", "COLOUR=red", *user),
    )
    server.wait_ready()
    assert server.stop() == 0
    assert notes(folder) == [
        # raw_env is in the master's environment already.
        "init_process False True []",
        f"init_signals red {65534 if user else os.geteuid()} [False, False] [False] False",
        "load_wsgi True None",
        "post_worker_init False application",
        "run True application True",
        "after init_process",
    ]


def test_random_numbers_differ(serve: ServerFactory, folder: Path) -> None:
    server = start(
        serve,
        folder,
        "import random\n"
        "def on_starting(server): random.seed(1)\n"
        "def post_worker_init(worker): note(random.random())\n",
        *("--workers", "3"),
    ).wait_ready(3)
    assert server.stop() == 0
    assert len(set(notes(folder))) == 3


@pytest.mark.parametrize(("method", "ready"), [("run", 1), ("serve", 2)])
def test_fault_after_the_start_is_status_255(
    serve: ServerFactory, folder: Path, method: str, ready: int
) -> None:
    (folder / "kinds.py").write_text(
        "from indrik.workers.sync import SyncWorker\n"
        "class Kind(SyncWorker):\n"
        f"    def {method}(self):\n"
        "        if self.age == 1: raise ValueError('broken on purpose')\n"
        f"        super().{method}()\n"
    )
    server = start(
        serve,
        folder,
        "def worker_exit(server, worker): note('worker_exit', worker.age)\n",
        "-k",
        "kinds.Kind",
    )
    server.wait_for_log(r"Exception in worker process \(pid: (\d+)\)\nTraceback")
    pid = server.wait_for_log(r"Worker exiting \(pid: (\d+)\)")[1]
    server.wait_for_log(rf"\[ERROR\] .*{pid}.*255")
    server.wait_for_log("Worker is ready", ready)
    assert notes(folder) == ["worker_exit 1"]
    assert server.get_version() == "1"


BLOCKED = """\
import ctypes, os, threading, time
LIBC = ctypes.CDLL(None, use_errno=True)
def open_end(fd):
    while not os.path.exists("go"):
        time.sleep(0.01)
    os.write(fd, b"x")
def application(environ, start_response):
    ours, theirs = os.pipe()
    threading.Thread(target=open_end, args=(theirs,)).start()
    open("blocked", "w").close()
    # Not os.read: Python would try again by itself.
    found = LIBC.read(ours, ctypes.create_string_buffer(1), 1)
    text = f"{os.getpid()} {found} {ctypes.get_errno()}"
    start_response("200 OK", [("Content-Length", str(len(text)))])
    return [text.encode()]
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1])
def test_system_calls_of_a_request_are_not_interrupted(
    serve: ServerFactory, folder: Path, number: int
) -> None:
    (folder / "app.py").write_text(BLOCKED)
    server = serve().wait_ready()
    (pid,) = server.workers()
    with server.connect() as sock:
        sock.sendall(b"GET / HTTP/1.1\r\nHost: test\r\n\r\n")
        wait_for((folder / "blocked").exists, "the request")
        wait_for(lambda: is_reading_a_pipe(pid), "the system call")
        os.kill(pid, number)
        wait_for(lambda: not is_pending(pid, number), "the arrival of the signal")
        (folder / "go").touch()
        assert read_answer(sock) == f"{pid} 1 0"
        if number == signal.SIGTERM:
            wait_for(lambda: not is_alive(pid), "its end")
        else:
            assert get_on(sock) == f"{pid} 1 0"


def is_reading_a_pipe(pid: int) -> bool:
    """Whether the main thread sleeps in read(2) on a pipe, as far as this machine tells."""
    where = Path(f"/proc/{pid}/wchan").read_text()
    state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    return "pipe" in where if where not in ("", "0") else state == "S"


def is_pending(pid: int, number: int) -> bool:
    """Whether a signal has been sent and not been taken (proc(5), ShdPnd and SigPnd)."""
    masks = [
        int(line.split()[1], 16)
        for line in Path(f"/proc/{pid}/status").read_text().splitlines()
        if line.startswith(("ShdPnd:", "SigPnd:"))
    ]
    return any(mask >> (number - 1) & 1 for mask in masks)
