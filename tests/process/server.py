"""The real command in a process of its own, for tests that talk to it by sockets and signals."""

from __future__ import annotations

import contextlib
import http.client
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from indrik.testing.promises import wait_for as wait_for

#: Seconds that anything may take before a test fails; far more than it should on a busy machine.
DEADLINE = 20.0

#: What the server started by a test must not see of the environment of whoever runs the tests.
_PRIVATE = (
    "INDRIK_",
    "GUNICORN_",
    "LISTEN_",
    "NOTIFY_SOCKET",
    "WATCHDOG_",
    "WEB_CONCURRENCY",
    "PORT",
    "FORWARDED_",
)

APP = """\
import os, threading, time
VERSION = os.environ.get("VERSION", "1")
def application(environ, start_response):
    path = environ["PATH_INFO"]
    if path.startswith("/sleep/"):
        time.sleep(float(path.rpartition("/")[2]))
    elif path == "/exit":
        os._exit(7)
    elif path.startswith("/kill/"):
        os.kill(os.getpid(), int(path.rpartition("/")[2]))
    elif path == "/grow":
        globals().setdefault("ballast", []).append(bytearray(b"x") * (32 * 1024 * 1024))
    text = f"{os.getpid()} {VERSION} {os.environ.get('INDRIK_WORKER_ID')}"
    if path.startswith("/env/"):
        text = repr(os.environ.get(path[5:]))
    elif path == "/ids":
        text = repr((os.getresuid(), os.getresgid(), os.getgroups(), os.getcwd()))
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(text)))])
    return [text.encode()]
"""


def is_alive(pid: int) -> bool:
    """Whether such a process runs; one that is dead and not reaped does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def children(pid: int) -> list[int]:
    """Living child processes."""
    try:
        found = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except (FileNotFoundError, ProcessLookupError):
        return []
    return [child for child in map(int, found) if is_alive(child)]


class Server:
    """`python -m indrik` in `folder`, which holds app.py, perhaps conf.py, and the log."""

    def __init__(
        self,
        folder: Path,
        *arguments: str,
        bind: str = "127.0.0.1:0",
        app: str | None = "app:application",
        command: Sequence[str] = (sys.executable, "-m", "indrik"),
        environment: dict[str, str] | None = None,
        pass_fds: Sequence[int] = (),
    ) -> None:
        self.folder = folder
        self.log_path = folder / "log"
        self._address: tuple[str, int] | str | None = None
        self.arguments = [*command, *arguments]
        if bind:
            self.arguments += ["--bind", bind]
        self.arguments += ["--log-level", "debug"]
        if app is not None:
            self.arguments.append(app)
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(_PRIVATE)}
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                self.arguments,
                cwd=folder,
                env={**inherited, **(environment or {})},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=pass_fds,
                # A group of its own: whatever the test leaves behind can be found and killed.
                start_new_session=True,
            )
        self.pid = self.process.pid

    # --- the log

    def log(self) -> str:
        try:
            return self.log_path.read_text(errors="replace")
        except FileNotFoundError:
            return ""

    def wait_for_log(self, pattern: str, count: int = 1, seconds: float = DEADLINE) -> re.Match[str]:
        """The `count`th match of `pattern` in the log."""

        def find() -> re.Match[str] | None:
            found = list(re.finditer(pattern, self.log()))
            return found[count - 1] if len(found) >= count else None

        try:
            match = wait_for(find, f"{pattern!r} in the log", seconds)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.log()}") from None
        assert match is not None
        return match

    # --- processes

    def workers(self) -> list[int]:
        """Worker processes of the master."""
        return children(self.pid)

    def wait_ready(self, workers: int = 1) -> Server:
        """Until so many workers have become ready."""
        self.wait_for_log(r"Worker is ready", workers)
        return self

    def wait_workers(self, number: int) -> list[int]:
        """Until there are exactly so many worker processes."""
        wait_for(lambda: len(self.workers()) == number, f"{number} workers")
        return self.workers()

    def send(self, number: int) -> None:
        os.kill(self.pid, number)

    def wait_exit(self, seconds: float = DEADLINE) -> int:
        """The master's exit status, as a shell shows it."""
        try:
            return self.process.wait(seconds) & 0xFF
        except subprocess.TimeoutExpired:
            raise AssertionError(f"the master did not end within {seconds} s\n{self.log()}") from None

    def stop(self, number: int = signal.SIGTERM) -> int:
        self.send(number)
        return self.wait_exit()

    def kill_all(self) -> None:
        """At the end of every test: nothing survives it."""
        for pid in self._group():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait()

    def _group(self) -> list[int]:
        """Every process of the session that the server was started in, orphans included."""
        found = []
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                with contextlib.suppress(OSError, IndexError, ValueError):
                    fields = entry.joinpath("stat").read_text().rpartition(")")[2].split()
                    if int(fields[3]) == self.pid:
                        found.append(int(entry.name))
        return found

    # --- HTTP

    @property
    def address(self) -> tuple[str, int] | str:
        """Where it listens, from its log (which a test may move away later)."""
        if self._address is not None:
            return self._address
        match = self.wait_for_log(r"Listening at: (?:http://([\d.]+):(\d+)|unix:(\S+))")
        self._address = match[3] if match[3] else (match[1], int(match[2]))
        return self._address

    def connect(self, seconds: float = DEADLINE) -> socket.socket:
        address = self.address
        family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
        sock = socket.socket(family)
        sock.settimeout(seconds)
        sock.connect(address)
        return sock

    def get(self, path: str = "/", seconds: float = DEADLINE) -> str:
        """The body of a 200 answer, on a connection of its own."""
        with self.connect(seconds) as sock:
            return get_on(sock, path, close=True)

    def get_pid(self) -> int:
        """The worker that answers."""
        return int(self.get().split()[0])

    def get_version(self) -> str:
        return self.get().split()[1]


def get_on(sock: socket.socket, path: str = "/", close: bool = False) -> str:
    """Ask on an open connection; raises ConnectionError if it ends before an answer has begun."""
    extra = "Connection: close\r\n" if close else ""
    sock.sendall(f"GET {path} HTTP/1.1\r\nHost: test\r\n{extra}\r\n".encode())
    return read_answer(sock)


def read_answer(sock: socket.socket) -> str:
    """The body of the next answer. Raises AssertionError unless it is a whole 200."""
    response = http.client.HTTPResponse(sock)
    try:
        response.begin()
        body = response.read().decode()
        assert response.status == 200, (response.status, body)
        return body
    finally:
        response.close()
