"""Every teardown of a Flask application runs, in its own request, as often as under Flask's own test client,
also when clients leave in the middle of streams.
"""

from __future__ import annotations

import os
import random
from collections import Counter, defaultdict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.integration import flask_teardowns
from tests.integration.served import Server, serve
from tests.integration.wire import connect
from tests.workers.kinds import KINDS, interface_of, name_of

FOLDER = Path(__file__).parent
REQUESTS = 10_000 if os.environ.get("SLOW_TESTS") else 2_000
WAYS = [way for way in KINDS if interface_of(way[0]) == "wsgi"]

# Without the clients' leaving this would take for ever.
ENDLESS = 1_000_000


@dataclass(frozen=True)
class Visit:
    """One request: `leaves` says that the client is gone after the first piece."""

    number: int
    path: str
    leaves: bool

    @property
    def target(self) -> str:
        return f"{self.path}?id={self.number}&pieces={ENDLESS if self.leaves else 3}"


def visits(count: int) -> list[Visit]:
    """Every tenth leaves in the middle of a stream, of both sorts; the same ones in every run."""
    chance = random.Random(7)
    found = []
    for number in range(count):
        leaves = number % 10 == 0
        paths = ("/stream", "/context") if leaves else ("/plain", "/error", "/stream", "/context")
        found.append(Visit(number, chance.choice(paths), leaves))
    return found


def make(server: Server, visit: Visit) -> None:
    with connect(server.url) as wire:
        wire.send(f"GET {visit.target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        if visit.leaves:
            assert wire.socket.recv(100).startswith(b"HTTP/1.1 200")
        else:
            assert wire.answer().status == (500 if visit.path == "/error" else 200)


def events(path: Path) -> dict[str, list[str]]:
    """What happened in each request, in order."""
    found = defaultdict(list)
    for line in path.read_text().splitlines():
        event, number = line.split()
        found[number].append(event)
    return found


@pytest.fixture
def expected(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[tuple[str, bool], Counter[str]]:
    """The events of one request of each sort under Flask's own test client."""
    path = tmp_path / "expected"
    monkeypatch.setenv("TEARDOWNS", str(path))
    sorts = [("/plain", False), ("/error", False), ("/stream", False), ("/context", False)]
    sorts += [("/stream", True), ("/context", True)]
    client = flask_teardowns.app.test_client()
    for number, (address, leaves) in enumerate(sorts):
        answer = client.get(Visit(number, address, leaves).target, buffered=False)
        if leaves:
            next(iter(answer.response))
        else:
            assert answer.get_data()
        answer.close()
    found = events(path)
    return {sort: Counter(found[str(number)]) for number, sort in enumerate(sorts)}


def test_flask_tears_a_stream_with_context_down_twice(
    expected: dict[tuple[str, bool], Counter[str]],
) -> None:
    """What the comparison rests on is not nothing."""
    assert all(counts["appcontext"] >= 1 and counts["request"] >= 1 for counts in expected.values())
    assert expected["/context", True]["appcontext"] > expected["/plain", False]["appcontext"]


@pytest.mark.timeout(600)
@pytest.mark.parametrize("way", WAYS, ids=name_of)
def test_teardowns(
    tmp_path: Path, way: tuple[str, tuple[str, ...]], expected: dict[tuple[str, bool], Counter[str]]
) -> None:
    kind, options = way
    path = tmp_path / "events"
    planned = visits(REQUESTS)
    arguments = ["-k", kind, *options, "flask_teardowns:application"]
    with serve(arguments, FOLDER, tmp_path, {"TEARDOWNS": str(path)}) as server:
        with ThreadPoolExecutor(8) as pool:
            for _ in pool.map(lambda visit: make(server, visit), planned):
                pass
        assert server.stop() == 0
    found = events(path)
    wrong = []
    for visit in planned:
        happened = found[str(visit.number)]
        wanted = expected[visit.path, visit.leaves]
        # "end" is written behind close(): a teardown that comes after it runs in another request, or never.
        if happened[:1] != ["begin"] or happened[-1:] != ["end"] or Counter(happened[1:-1]) != wanted:
            wrong.append(f"{visit}: {happened}, not {dict(wanted)}")
    assert not wrong, "\n".join([f"{len(wrong)} of {REQUESTS} requests", *wrong[:10]])
    # One for each error on purpose, and no other.
    assert server.error_log.count("Traceback") == sum(visit.path == "/error" for visit in planned)
