"""Every teardown of a Flask application runs, in its own request, as often as under Flask's own test client:
also when clients leave in the middle of streams, requests take too long, and workers stop or are recycled.
"""

from __future__ import annotations

import os
import random
import signal
from collections import Counter, defaultdict
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.integration import flask_teardowns
from tests.integration.served import BOOTING, DEADLINE, Server
from tests.integration.wire import connect
from tests.integration.wsgi_ways import Way, every_way, serve_way

REQUESTS = 10_000 if os.environ.get("SLOW_TESTS") else 2_000

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
@every_way
def test_teardowns(tmp_path: Path, way: Way, expected: dict[tuple[str, bool], Counter[str]]) -> None:
    planned = visits(REQUESTS)
    with serving(way, tmp_path) as server:
        with ThreadPoolExecutor(8) as pool:
            for _ in pool.map(lambda visit: make(server, visit), planned):
                pass
        assert server.stop() == 0
    compare(planned, expected, server)


@pytest.mark.timeout(600)
@every_way
def test_workers_that_are_recycled(
    tmp_path: Path, way: Way, expected: dict[tuple[str, bool], Counter[str]]
) -> None:
    """`max_requests`: workers come and go while clients ask and leave. An old one goes on until its successor
    is ready, so there are requests until enough have come.
    """
    planned = visits(10_000)
    made = 0
    with serving(way, tmp_path, "--max-requests=20", "-w", "2") as server, ThreadPoolExecutor(8) as pool:
        while len(BOOTING.findall(server.error_log)) < 6 and made < len(planned):
            for _ in pool.map(lambda visit: make(server, visit), planned[made : made + 50]):
                made += 1
        assert server.stop() == 0
        assert len(BOOTING.findall(server.error_log)) >= 6
    compare(planned[:made], expected, server)


@every_way
@pytest.mark.parametrize("path", ["/slow", "/slow-context"])
def test_a_graceful_stop(
    tmp_path: Path, way: Way, path: str, expected: dict[tuple[str, bool], Counter[str]]
) -> None:
    """A request in progress when the server is told to stop is answered, and torn down as any other."""
    with serving(way, tmp_path) as server, connect(server.url) as wire:
        wire.send(f"GET {path}?id=1 HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        server.wait_until(lambda: "view" in happened(server).get("1", ()), "the request")
        server.process.send_signal(signal.SIGTERM)
        server.wait_until(lambda: "Handling signal: term" in server.error_log, "the signal's line")
        (tmp_path / "events.release").touch()
        assert wire.answer().body in (b"slow", b"firstlast")
        assert server.process.wait(DEADLINE) == 0
    events = happened(server)["1"]
    assert (events[0], events[-1]) == ("begin", "end")
    sort = "/plain" if path == "/slow" else "/context"
    assert Counter(events[1:-1]) - Counter(["view"]) == expected[sort, False]
    assert "Traceback" not in server.error_log


@every_way
def test_a_request_that_takes_too_long(tmp_path: Path, way: Way) -> None:
    """`request_timeout` ends the view where it stands: its teardowns run once, and the next request's too."""
    with serving(way, tmp_path, "--request-timeout=1") as server:
        for number in (1, 2):
            with connect(server.url) as wire:
                wire.send(f"GET /slow?id={number} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
                assert wire.answer().status == 504
        with connect(server.url) as wire:
            wire.send(b"GET /slow-context?id=3 HTTP/1.1\r\nHost: x\r\n\r\n")
            # The head is out, so the answer is cut.
            assert wire.socket.recv(100).startswith(b"HTTP/1.1 200")
            assert not wire.rest().endswith(b"0\r\n\r\n")
        with connect(server.url) as wire:
            wire.send(b"GET /plain?id=4 HTTP/1.1\r\nHost: x\r\n\r\n")
            assert wire.answer().body == b"plain"
        assert server.stop() == 0
    events = happened(server)
    # Flask raised it, so it returned nothing that could be closed.
    assert events["1"] == events["2"] == ["begin", "view", "request", "appcontext"]
    assert events["3"] == ["begin", "request", "appcontext", "view", "request", "appcontext", "end"]
    assert events["4"] == ["begin", "request", "appcontext", "end"]


def serving(way: Way, folder: Path, *arguments: str) -> AbstractContextManager[Server]:
    environment = {"TEARDOWNS": str(folder / "events")}
    return serve_way(way, "flask_teardowns:application", folder, *arguments, environment=environment)


def happened(server: Server) -> dict[str, list[str]]:
    """The events of each request so far."""
    file = server.stderr.with_name("events")
    return events(file) if file.exists() else {}


def compare(
    planned: list[Visit], expected: dict[tuple[str, bool], Counter[str]], server: Server
) -> None:
    """Each request was torn down as under Flask's own test client, and nothing else has failed."""
    found = happened(server)
    wrong = []
    for visit in planned:
        events = found.get(str(visit.number), [])
        wanted = expected[visit.path, visit.leaves]
        # "end" is written behind close(): a teardown that comes after it runs in another request, or never.
        if events[:1] != ["begin"] or events[-1:] != ["end"] or Counter(events[1:-1]) != wanted:
            wrong.append(f"{visit}: {events}, not {dict(wanted)}")
    assert not wrong, "\n".join([f"{len(wrong)} of {len(planned)} requests", *wrong[:10]])
    # One for each error on purpose, and no other.
    assert server.error_log.count("Traceback") == sum(visit.path == "/error" for visit in planned)
