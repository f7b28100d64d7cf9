"""CPU a request and requests a second of every server, side by side.

In each round every server takes its turn at every case: a fresh process, a check of its answer, a warm-up,
the measured window. Fresh processes, because two processes of one server differ by more than two windows of
one process do.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench import environment, exchange, websocket, wrk
from bench.cases import Case
from bench.load import Load
from bench.process import Running, serve
from bench.proctree import CpuTime, cpu_time
from bench.progress import Progress
from bench.serverrow import ANY, Server
from bench.setup import Setup

WARM_UP_SECONDS = 1
START_SECONDS = (
    0.8  # what starting, checking and stopping takes, about; only the first guess of the time left uses it
)

# An answer may differ from the checked one by some bytes (a date, a counter), but not by half.
SIZE_TOLERANCE = 0.5


@dataclass(frozen=True)
class Plan(Setup):
    """What is to be measured, and how."""

    cases: Sequence[Case]
    seconds: int
    connections: int
    threads: int | None = None
    crowded: bool = False

    def turns(self) -> list[tuple[Case, Server]]:
        """Who takes a turn at what, in a round."""
        return [(case, server) for case in self.cases for server in self.servers if server.takes(case)]


def check(running: Running, case: Case) -> exchange.Answer:
    """Ask twice, on one connection where the server allows it; the answer if both are right. WrongAnswer if
    not.
    """
    request = case.request(f"{exchange.HOST}:{running.port}")
    try:
        if case.message:
            return websocket.check(running.port, case.message)
        with exchange.connect(running.port) as connection:
            answer = exchange.expect(exchange.ask(connection, request), case.answer)
            if answer.keeps_alive:
                return exchange.expect(exchange.ask(connection, request), case.answer)
        with exchange.connect(running.port) as connection:
            return exchange.expect(exchange.ask(connection, request), case.answer)
    except (exchange.WrongAnswer, OSError) as error:
        raise exchange.WrongAnswer(f"case {case.name}: {error}") from error


def sample(
    server: Server, case: Case, number: int, answer: exchange.Answer, load: Load, used: CpuTime
) -> dict[str, Any]:
    """One window as a flat record. `us` fields are CPU microseconds a request; `busy` is the share of its CPU
    that the server used.
    """
    requests = max(load.requests, 1)
    short = load.requests > 0 and abs(load.bytes / load.requests / answer.size - 1) > SIZE_TOLERANCE
    return {
        "case": case.name,
        "server": server.name,
        "round": number,
        "requests": load.requests,
        "rate": round(load.rate, 1),
        "us": round(used.total * 1e6 / requests, 3),
        "us_user": round(used.user * 1e6 / requests, 3),
        "us_system": round(used.system * 1e6 / requests, 3),
        "busy": round(used.total * 1e6 / max(load.microseconds, 1), 3),
        "p50_us": load.p50,
        "p99_us": load.p99,
        "p999_us": load.p999,
        "failures": load.failures + (load.requests if short else 0) + (load.requests == 0),
        "keeps_alive": answer.keeps_alive,
    }


def floor_places(case: Case, folder: Path) -> dict[str, str]:
    """What the floor is told about a case: the size of a request's body, and a file with the whole answer."""
    path = folder / f"{case.name}.answer"
    head = b"HTTP/1.1 200 OK\r\nServer: floor\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n"
    path.write_bytes(head % len(case.answer) + case.answer)
    return {"body": str(len(case.body)), "answer": str(path)}


@contextmanager
def serving(plan: Plan, server: Server, case: Case, folder: Path) -> Iterator[Running]:
    """The server with the case's application, under the plan's settings."""
    places = {**plan.places, **floor_places(case, folder)}
    with serve(server, case.app, places, plan.server_cpu, plan.crowded, plan.threads) as running:
        yield running


def drive(plan: Plan, case: Case, running: Running, seconds: int, folder: Path) -> Load:
    """Load of the case's kind for so long."""
    if case.message:
        program = f"{plan.places['peers']}/wsload"
        return websocket.run(program, running.port, seconds, plan.connections, plan.load_cpu, case.message)
    return wrk.run(case, running.port, seconds, plan.connections, plan.load_cpu, folder)


def take_turn(plan: Plan, server: Server, case: Case, number: int, folder: Path) -> dict[str, Any]:
    """One server's turn at one case."""
    with serving(plan, server, case, folder) as running:
        answer = check(running, case)
        drive(plan, case, running, WARM_UP_SECONDS, folder)
        before = cpu_time(running.pid)
        load = drive(plan, case, running, plan.seconds, folder)
        used = cpu_time(running.pid) - before
    return sample(server, case, number, answer, load, used)


def preflight(plan: Plan, folder: Path) -> None:
    """Check every server's answer to every case, so that nothing is wrong an hour into a run. A server is
    started once for each application; the floor, which calls none, for each case.
    """
    starts: dict[tuple[str, str], list[tuple[Case, Server]]] = {}
    for case, server in plan.turns():
        key = (server.name, case.name if server.interface == ANY else case.app)
        starts.setdefault(key, []).append((case, server))
    for turns in starts.values():
        first, server = turns[0]
        with serving(plan, server, first, folder) as running:
            for case, _ in turns:
                check(running, case)


def compare(plan: Plan) -> list[dict[str, Any]]:
    """Every sample of the run. WrongAnswer, StartFailed or LoadFailed end it."""
    turns = plan.turns()
    progress = Progress(plan.rounds * len(turns), plan.seconds + WARM_UP_SECONDS + START_SECONDS)
    samples = []
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        environment.say("checking every server's answer to every case")
        preflight(plan, folder)
        for number in range(1, plan.rounds + 1):
            for case, server in turns:
                progress.begin(f"round {number}, {case.name}, {server.name}")
                one = take_turn(plan, server, case, number, folder)
                samples.append(one)
                failed = f", {one['failures']} FAILED" if one["failures"] else ""
                progress.finish(
                    f"round {number}  {case.name:14s} {server.name:20s} {one['us']:8.2f} us CPU a request"
                    f" {one['rate']:9,.0f}/s{failed}"
                )
    return samples
