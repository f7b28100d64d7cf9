"""CPU a request and requests a second of every server, side by side.

In each round every server takes its turn at every case: a fresh process, a check of its answer, a warm-up,
the measured window. Fresh processes, because two processes of one server differ by more than two windows of
one process do.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench import exchange, wrk
from bench.cases import Case
from bench.process import Running, serve
from bench.proctree import CpuTime, cpu_time
from bench.progress import Progress
from bench.servers import Server

WARM_UP_SECONDS = 1
START_SECONDS = (
    0.8  # what starting, checking and stopping takes, about; only the first guess of the time left uses it
)

# An answer may differ from the checked one by some bytes (a date, a counter), but not by half.
SIZE_TOLERANCE = 0.5


@dataclass(frozen=True)
class Plan:
    """What is to be measured, and how."""

    servers: Sequence[Server]
    cases: Sequence[Case]
    places: Mapping[str, str]
    server_cpu: int
    load_cpu: int
    rounds: int
    seconds: int
    connections: int


def check(running: Running, case: Case) -> exchange.Answer:
    """Ask twice, on one connection where the server allows it; the answer if both are right. WrongAnswer if
    not.
    """
    request = case.request(f"{exchange.HOST}:{running.port}")
    try:
        with exchange.connect(running.port) as connection:
            answer = exchange.expect(exchange.ask(connection, request), case.answer)
            if answer.keeps_alive:
                return exchange.expect(exchange.ask(connection, request), case.answer)
        with exchange.connect(running.port) as connection:
            return exchange.expect(exchange.ask(connection, request), case.answer)
    except (exchange.WrongAnswer, OSError) as error:
        raise exchange.WrongAnswer(f"case {case.name}: {error}") from error


def sample(
    server: Server, case: Case, number: int, answer: exchange.Answer, load: wrk.Load, used: CpuTime
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


def take_turn(plan: Plan, server: Server, case: Case, number: int, folder: Path) -> dict[str, Any]:
    """One server's turn at one case."""
    with serve(server, case.app, plan.places, plan.server_cpu) as running:
        answer = check(running, case)
        wrk.run(case, running.port, WARM_UP_SECONDS, plan.connections, plan.load_cpu, folder)
        before = cpu_time(running.pid)
        load = wrk.run(case, running.port, plan.seconds, plan.connections, plan.load_cpu, folder)
        used = cpu_time(running.pid) - before
    return sample(server, case, number, answer, load, used)


def preflight(plan: Plan) -> None:
    """Start every server and check its answer to every case, so that nothing is wrong an hour into a run."""
    for server in plan.servers:
        for case in plan.cases:
            with serve(server, case.app, plan.places, plan.server_cpu) as running:
                check(running, case)


def compare(plan: Plan) -> list[dict[str, Any]]:
    """Every sample of the run. WrongAnswer, StartFailed or WrkFailed end it."""
    preflight(plan)
    steps = plan.rounds * len(plan.cases) * len(plan.servers)
    progress = Progress(steps, plan.seconds + WARM_UP_SECONDS + START_SECONDS)
    samples = []
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        for number in range(1, plan.rounds + 1):
            for case in plan.cases:
                for server in plan.servers:
                    progress.begin(f"round {number}, {case.name}, {server.name}")
                    one = take_turn(plan, server, case, number, Path(folder))
                    samples.append(one)
                    failed = f", {one['failures']} FAILED" if one["failures"] else ""
                    progress.finish(
                        f"round {number}  {case.name:8s} {server.name:20s} {one['us']:8.2f} us CPU a request"
                        f" {one['rate']:9,.0f}/s{failed}"
                    )
    return samples
