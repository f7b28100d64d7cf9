"""Requests interrupted at each of their instructions leave nothing behind (see `interruptions`)."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from indrik.engine import crew
from tests.unit.engine.interrupted_app import application
from tests.unit.engine.interruptions import Fault, InterruptedServer, forget_logs, points

#: Instructions of each request, evenly spread; 0 for all, which are 18,000.
SAMPLE = 0 if os.environ.get("SLOW_TESTS") else 150

pytestmark = pytest.mark.skipif(
    not str(crew.__file__).endswith(".py"), reason="compiled code has no instructions to be interrupted at"
)


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Callable[..., InterruptedServer]]:
    made: list[InterruptedServer] = []

    def make_server(blind_in: str = "") -> InterruptedServer:
        forget_logs()
        made.append(InterruptedServer(tmp_path, application, blind_in))
        return made[-1]

    yield make_server
    for server in made:
        server.close()
    forget_logs()


@pytest.mark.parametrize("path", ["/list", "/doors", "/stream", "/fails"])
def test_nothing_is_left_behind(make: Callable[..., InterruptedServer], path: str) -> None:
    server = make()
    interrupted = set()
    for point in points(server, path, SAMPLE):
        server.run(path, point)
        interrupted.add(server.told_in)
    # Only what is not the server's.
    assert interrupted - {""}, "no request was interrupted at all"
    assert all(name.startswith("tests.") for name in interrupted - {""} if "waiting" not in name)


def test_a_fault_would_be_seen(make: Callable[..., InterruptedServer]) -> None:
    """Raised wherever the thread stands, it does leave something behind."""
    server = make(blind_in="leave")

    def ask_until_it_is() -> None:
        # On a busy machine it may come when the step is over, and then nothing is left.
        for _ in range(50):
            server.run("/list", 1)

    with pytest.raises(Fault, match=r"interrupted indrik\.quotas\.leave.*in progress: 0, 0, 1"):
        ask_until_it_is()
