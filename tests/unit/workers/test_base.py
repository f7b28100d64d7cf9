"""The worker's side of the contract, without a process of its own."""

from __future__ import annotations

import os
import signal
import sys
from types import SimpleNamespace
from typing import Any

import pytest

from indrik.scoreboard.board import Scoreboard
from indrik.scoreboard.layout import Order, Recycle, State
from indrik.signals import SIGNALS
from indrik.workers import SUPPORTED_WORKERS
from indrik.workers.base import Worker


class Log:
    def __getattr__(self, name: str) -> Any:
        return lambda *arguments, **_: None


def make(slot: bool = True, **settings: Any) -> Worker:
    values = {
        "max_requests": 0,
        "max_requests_jitter": 0,
        "graceful_timeout": 30,
        "reload": False,
        **settings,
    }
    hooks = {name: lambda *_: None for name in ("worker_int", "worker_abort")}
    worker = Worker(1, os.getppid(), [], None, 15.0, SimpleNamespace(**values, **hooks), Log())
    if slot:
        worker.slot = Scoreboard(1).take(1, 1, 100.0)
    return worker


def test_making_one_touches_nothing_of_the_process() -> None:
    before = {number: signal.getsignal(number) for number in Worker.SIGNALS}
    worker = make()
    assert {number: signal.getsignal(number) for number in Worker.SIGNALS} == before
    assert (worker.pid, worker.booted, worker.alive, worker.wakeup_fd) == ("[booting]", False, True, -1)
    assert str(worker) == "<Worker [booting]>"


def test_run_must_be_given() -> None:
    with pytest.raises(NotImplementedError, match="run"):
        make().run()


def test_no_max_requests_means_practically_never() -> None:
    assert make(max_requests=0, max_requests_jitter=100).max_requests == sys.maxsize


def test_jitter_is_added() -> None:
    found = {make(max_requests=100, max_requests_jitter=2).max_requests for _ in range(100)}
    assert found == {100, 101, 102}


def test_asks_for_a_successor_once_and_goes_on() -> None:
    worker = make(max_requests=2)
    assert worker.slot is not None
    reader, writer = os.pipe()
    worker.arbiter_fd = writer
    asked = []
    for _ in range(3):
        worker.count_request()
        asked.append(worker.slot.wants_replacement)
    assert asked == [Recycle.NO, Recycle.MAX_REQUESTS, Recycle.MAX_REQUESTS]
    assert worker.alive
    assert os.read(reader, 100) == b"\0"
    os.close(reader)
    # Without an arbiter at the other end nothing happens, in particular no exception.
    worker.wake_arbiter()
    os.close(writer)


def test_without_an_arbiter_it_stops_instead() -> None:
    worker = make(slot=False, max_requests=1)
    worker.count_request()
    assert not worker.alive


def test_reports_ready() -> None:
    worker = make()
    assert worker.slot is not None
    states = [worker.slot.state]
    worker.report_ready()
    assert [*states, worker.slot.state] == [State.STARTING, State.IDLE]
    assert worker.slot.ready_at > 0
    before = worker.slot.heartbeat
    worker.notify()
    assert worker.slot.heartbeat >= before > 0


@pytest.mark.parametrize(("order", "drains"), [(Order.NONE, True), (Order.LEAVE, False), (Order.DRAIN, True)])
def test_drains_unless_others_serve(order: Order, drains: bool) -> None:
    worker = make()
    assert worker.slot is not None
    worker.slot.order = order
    assert worker.must_drain_backlog is drains
    assert make(slot=False).must_drain_backlog


@pytest.mark.parametrize(("granted", "left"), [(30, 29.5), (1, 0.9), (0, 0.0)])
def test_drains_within_what_the_arbiter_grants(granted: int, left: float) -> None:
    assert make(graceful_timeout=granted).drain_timeout == left


def test_orphan() -> None:
    worker = make()
    assert not worker.is_orphaned
    worker.ppid += 1
    assert worker.is_orphaned


def test_term_while_booting_ends_at_once_later_it_does_not() -> None:
    worker = make()
    with pytest.raises(SystemExit):
        worker.handle_exit(15, None)
    worker.alive = worker.booted = True
    worker.handle_exit(15, None)
    assert not worker.alive


def test_abort() -> None:
    worker = make()
    with pytest.raises(SystemExit) as stop:
        worker.handle_abort(6, None)
    assert (stop.value.code, worker.alive, worker.aborted) == (1, False, True)


def test_the_table_names_methods_that_exist() -> None:
    for row in SIGNALS:
        if row.worker and row.worker_action != "default":
            assert callable(getattr(Worker, row.worker_action))


def test_kinds_are_named_by_text() -> None:
    assert all(place.startswith("indrik.workers.") for place in SUPPORTED_WORKERS.values())
