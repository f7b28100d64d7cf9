"""The worker base and the master's dispatch as the description of a pre-fork server has them."""

from __future__ import annotations

import os
import signal
import sys
import time
from types import SimpleNamespace
from typing import Any

import pytest

from indrik.arbiter import Arbiter
from indrik.arbiter.spew import follow, install
from indrik.workers.base import Worker


class Log:
    def __init__(self) -> None:
        self.lines: list[tuple[str, str]] = []

    def __getattr__(self, level: str) -> Any:
        return lambda text, *values: self.lines.append((level, text % values))


def make(**hooks: Any) -> Worker:
    cfg = SimpleNamespace(max_requests=0, max_requests_jitter=0, **hooks)
    return Worker(7, os.getppid(), ("a listener",), "the application", 15.0, cfg, Log())  # type: ignore[arg-type]


def test_attributes_of_a_worker() -> None:
    worker = make()
    assert (worker.age, worker.ppid, [*map(str, worker.sockets)]) == (7, os.getppid(), ["a listener"])
    assert (worker.app, worker.timeout) == ("the application", 15.0)
    assert (worker.booted, worker.aborted, worker.alive, worker.nr) == (False, False, True, 0)
    assert (worker.reloader, worker.wsgi, worker.PIPE) == (None, None, [])
    assert isinstance(worker.log, Log)
    assert worker.cfg.max_requests == 0


def test_signals_of_a_worker() -> None:
    names = ("ABRT", "HUP", "QUIT", "INT", "TERM", "USR1", "USR2", "WINCH", "CHLD")
    assert {signal.Signals[f"SIG{name}"] for name in names} == set(Worker.SIGNALS)


def test_quit_ends_a_worker_after_its_hook() -> None:
    seen: list[tuple[Any, bool]] = []
    worker = make(worker_int=lambda worker: seen.append((worker, worker.alive)))
    begin = time.monotonic()
    with pytest.raises(SystemExit) as stop:
        worker.handle_quit(signal.SIGQUIT, None)
    assert time.monotonic() - begin >= 0.1
    assert (stop.value.code, seen) == (0, [(worker, False)])


def test_abort_calls_its_hook() -> None:
    seen: list[tuple[Any, bool]] = []
    worker = make(worker_abort=lambda worker: seen.append((worker, worker.alive)))
    with pytest.raises(SystemExit) as stop:
        worker.handle_abort(signal.SIGABRT, None)
    assert (stop.value.code, seen) == (1, [(worker, False)])


def test_dispatch() -> None:
    class Odd(Arbiter):
        handle_usr2 = None  # type: ignore[assignment]

        def handle_winch(self) -> None:
            called.append("winch")

    called: list[str] = []
    log = Log()
    arbiter = Odd.__new__(Odd)
    arbiter.log = log
    for number in (signal.SIGUSR2, signal.SIGWINCH, signal.SIGCHLD):
        arbiter._dispatch(number)
    assert called == ["winch"]
    assert log.lines == [("error", "Unhandled signal: usr2"), ("info", "Handling signal: winch")]


def test_spew_leaves_other_tracers_alone() -> None:
    before = sys.gettrace()

    def tracer(frame: Any, event: str, argument: Any) -> None: ...

    try:
        sys.settrace(tracer)
        follow(False)
        assert sys.gettrace() is tracer
        install()
        follow(False)
        assert sys.gettrace() is None
    finally:
        sys.settrace(before)
