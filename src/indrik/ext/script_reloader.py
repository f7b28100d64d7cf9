"""Starting a program anew when a file changes, for programs that make their application and serve it
themselves.

The program runs in a child process. A worker in there looks at the files; the parent only holds the listening
socket, so that a request during the restart waits and is not refused.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from fnmatch import fnmatch
from typing import Any, NoReturn

from indrik.workers.reloader import Reloader, find_engine

#: Exit status of a child that wants to be started anew, and variables of its environment: Werkzeug's own.
RESTART = 3
RUNS_MAIN = "WERKZEUG_RUN_MAIN"
SERVER_FD = "WERKZEUG_SERVER_FD"

#: Folders that hold no source of the program.
_SKIPPED = frozenset({"__pycache__", "site-packages", "node_modules", ".git", ".hg", ".tox", ".nox"})


class ScriptReloader(Reloader):
    """Watches all modules on the path but those of the Python installation, whether they are loaded or not:
    one that could not be imported is the likeliest to change.

    excluded: patterns of file names, as in fnmatch. interval: seconds between two looks when polling.
    """

    def __init__(
        self,
        extra: Iterable[str],
        engine: Any,
        on_change: Callable[[str], None],
        excluded: Iterable[str] = (),
        interval: float = 1.0,
    ) -> None:
        super().__init__(extra, engine, on_change)
        self._excluded = list(excluded)
        self._interval = interval
        self._installed = tuple(
            {os.path.realpath(prefix) + os.sep for prefix in (sys.prefix, sys.base_prefix)}
        )

    def files(self) -> Iterator[str]:
        for name in (*super().files(), *self._on_path()):
            if not any(fnmatch(name, pattern) for pattern in self._excluded):
                yield name

    def _on_path(self) -> Iterator[str]:
        for place in list(sys.path):
            place = os.path.abspath(place)
            if (os.path.realpath(place) + os.sep).startswith(self._installed):
                continue
            for folder, folders, names in os.walk(place):
                if "pyvenv.cfg" in names:
                    folders.clear()
                    continue
                folders[:] = [name for name in folders if name not in _SKIPPED]
                yield from (os.path.join(folder, name) for name in names if name.endswith(".py"))

    def _wait(self) -> None:
        if self._engine is None:
            self._stop_event.wait(self._interval)
        else:
            super()._wait()


class Watch:
    """In the child: makes a worker watch, and tells the master's program whether to start anew."""

    def __init__(
        self, kind: str, extra: Iterable[str], excluded: Iterable[str], interval: float
    ) -> None:
        self._kind = "poll" if kind == "stat" else "auto"
        self._extra, self._excluded, self._interval = list(extra), list(excluded), interval
        self._master = os.getpid()
        self._reads, self._writes = os.pipe()
        os.set_blocking(self._reads, False)

    def start(self, worker: Any) -> None:
        """As the hook post_worker_init."""
        reloader = ScriptReloader(
            self._extra, find_engine(self._kind), self._note_change, self._excluded, self._interval
        )
        reloader.find_change()
        reloader.start()

    def _note_change(self, name: str) -> None:
        print(f" * Detected change in {os.path.abspath(name)!r}, reloading", file=sys.stderr, flush=True)
        os.write(self._writes, b"x")
        os.kill(self._master, signal.SIGINT)

    @property
    def has_changed(self) -> bool:
        """Whether a worker has found a change."""
        with contextlib.suppress(BlockingIOError):
            return bool(os.read(self._reads, 1))
        return False


def supervise(listener: socket.socket) -> NoReturn:
    """In the parent: run this very program as a child, again each time it wants to. Ends in SystemExit."""
    listener.set_inheritable(True)
    environment = {**os.environ, RUNS_MAIN: "true", SERVER_FD: str(listener.fileno())}
    child: subprocess.Popen[bytes] | None = None
    told: int | None = None

    def pass_on(number: int, frame: Any) -> None:
        nonlocal told
        told = number
        if child is not None:
            child.send_signal(number)

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT):
        signal.signal(number, pass_on)
    while True:
        print(" * Restarting with indrik", file=sys.stderr, flush=True)
        child = subprocess.Popen(
            [sys.executable, *sys.orig_argv[1:]], env=environment, close_fds=False
        )
        if told is not None:
            # It came when there was no child to pass it on to.
            child.send_signal(told)
        status = child.wait()
        if status == RESTART and told is not None:
            # It came too late for this child, and is meant for the program.
            status = -told
        if status != RESTART:
            sys.exit(status if status >= 0 else 128 - status)
