"""The column of docs/reference/http.md that is about indrik is true: each row's probe at the real command."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import pytest

from bench.process import free_port
from conformance import process
from conformance.conversation import Quiet, converse, outwait
from conformance.outcome import WAITS
from conformance.row import Patience, Row
from conformance.rows import PATIENCE, ROWS
from conformance.servers import INDRIK, OPTIONS, WSGI
from indrik.config import Config
from tests.wire.cases import TOPICS

# indrik answers every row, so a busy machine may take long. Behind an answer the next request shows whether
# anything else came.
QUIET = Quiet(nothing=20.0, pause=3.0, more=0.05)
#: Seconds that the settings of `PATIENCE` are shortened to.
SHORT = 1


def command(port: int, *options: str) -> list[str]:
    return [sys.executable, "-m", "indrik", "--bind", f"127.0.0.1:{port}", *options, WSGI]


class Servers:
    """The real command, once for each set of options."""

    def __init__(self, stack: ExitStack, python_path: str) -> None:
        self._stack = stack
        self._python_path = python_path
        self._running: dict[tuple[str, ...], process.Running] = {}

    def get(self, *options: str) -> process.Running:
        if options not in self._running:
            port = free_port()
            running = process.run(command(port, *options), port, self._python_path)
            self._running[options] = self._stack.enter_context(running)
        return self._running[options]


@pytest.fixture(scope="module")
def servers() -> Iterator[Servers]:
    with ExitStack() as stack:
        # An uncompiled run may find indrik by PYTHONPATH=src, a compiled one has it installed.
        yield Servers(stack, ":".join(path for path in [str(process.ROOT), *sys.path] if path))


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.key)
def test_indrik_does_what_the_page_says(row: Row, servers: Servers) -> None:
    running = servers.get(*(OPTIONS[row.options][INDRIK] or "").split())
    # That it waits, the wire cases show without a clock.
    quiet = replace(QUIET, nothing=1.0) if row.indrik.end == WAITS else QUIET
    assert converse(running.address, row, running.calls, quiet) == row.indrik


@pytest.mark.parametrize("patience", PATIENCE, ids=lambda patience: patience.key)
def test_indrik_waits_as_long_as_it_is_told(patience: Patience, servers: Servers) -> None:
    flags = {other.flag: "60" for other in PATIENCE} | {patience.flag: str(SHORT)}
    running = servers.get(*(word for flag in flags.items() for word in flag))
    waited = outwait(running.address, patience, 30.0, interval=0.1)
    assert waited.seconds is not None
    # Timers may be some milliseconds early: their clock is that of the loop's last turn.
    assert waited.seconds > SHORT * 0.9
    last = () if patience.status is None else (patience.status,)
    assert waited.statuses == (*(200,) * patience.answers, *last)


@pytest.mark.parametrize("patience", PATIENCE, ids=lambda patience: patience.key)
def test_each_wait_is_a_setting_with_a_limit_by_default(patience: Patience) -> None:
    default: Any = Config().settings[patience.setting].default
    assert default > 0


def test_wire_cases_and_rows_agree() -> None:
    """A row that sends what a wire case sends expects the statuses that the wire case expects."""
    known = {
        case.data: case.status
        for cases in TOPICS.values()
        for case in cases
        if not (case.settings or case.trusted or case.ends) and case.application == "echo"
    }
    shared = [row for row in ROWS if len(row.steps) == 1 and row.steps[0] in known and not row.options]
    assert len(shared) > 60
    for row in shared:
        [data] = row.steps
        assert isinstance(data, bytes)
        assert tuple(status for status in row.indrik.statuses if status >= 200) == known[data], row.key
