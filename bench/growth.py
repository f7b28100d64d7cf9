"""How the cost of a request grows with its work: CPU a request of every server, along each dimension.

In each round every server takes its turn at every dimension: a fresh process that is asked with all values,
or one for each value where that is a setting. Each window begins when its connections stand and ends when
all that was asked is answered.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench import environment
from bench.dimensions import APP, DIMENSIONS, Dimension, value_text
from bench.httpload import PROGRAM, Refused, Window, crowd
from bench.process import Running, serve
from bench.proctree import cpu_nanoseconds
from bench.progress import Progress
from bench.serverrow import Server
from bench.setup import Setup

WARM_UP = 150  # milliseconds at most, after each connection has had an answer
LEAST = 3  # requests in a window, however long they take
SPARE_FILES = 200
START_SECONDS = 0.7

# A server is at rest, all of its workers started, when it uses less than this share of so many seconds.
REST_SECONDS = 0.1
REST_SHARE = 0.05
REST_TIMEOUT = 20.0


@dataclass(frozen=True)
class Plan(Setup):
    """What is measured, and how. `milliseconds` is a window's length."""

    milliseconds: int
    quick: bool = False
    dimensions: Sequence[Dimension] = DIMENSIONS

    def values(self, dimension: Dimension) -> tuple[int, ...]:
        """Those that are asked."""
        return dimension.quick if self.quick else dimension.values

    def turns(self) -> list[tuple[Dimension, Server]]:
        """Who takes a turn at what, in a round."""
        return [
            (dimension, server)
            for dimension in self.dimensions
            for server in self.servers
            if server.name in dimension.servers
        ]


def sample(window: Window, nanoseconds: int) -> dict[str, Any]:
    """A window's figures; `us` is CPU microseconds a request, `busy` the share of its CPU that the server
    used.
    """
    requests = max(window.requests, 1)
    return {
        "requests": window.requests,
        "us": round(nanoseconds / 1000 / requests, 3),
        "busy": round(nanoseconds / 1000 / max(window.microseconds, 1), 3),
        "failures": window.wrong + (window.requests == 0),
    }


def ask(plan: Plan, dimension: Dimension, value: int, running: Running, folder: Path) -> dict[str, Any]:
    """The figures of one value, or under `out` why the server is counted out."""
    try:
        with crowd(
            Path(plan.places["peers"], PROGRAM),
            dimension.request(value),
            running.port,
            plan.load_cpu,
            dimension.crowd(value),
            plan.milliseconds,
            min(WARM_UP, plan.milliseconds),
            LEAST,
            folder,
        ) as load:
            before = cpu_nanoseconds(running.pid)
            window = load.window()
            used = cpu_nanoseconds(running.pid) - before
    except Refused as error:
        return {"out": str(error)[:200]}
    return sample(window, used)


def rest(running: Running) -> None:
    """Wait until the server has nothing to do: it listens before its last worker has started, whose start
    would be counted. After REST_TIMEOUT it is taken as it is.
    """
    deadline = time.monotonic() + REST_TIMEOUT
    before = cpu_nanoseconds(running.pid)
    while time.monotonic() < deadline:
        time.sleep(REST_SECONDS)
        now = cpu_nanoseconds(running.pid)
        if now - before < REST_SECONDS * REST_SHARE * 1e9:
            return
        before = now


def take_turn(
    plan: Plan, dimension: Dimension, server: Server, number: int, folder: Path
) -> list[dict[str, Any]]:
    """One server's turn at one dimension."""
    samples = []
    for started, values in dimension.settings(server, plan.values(dimension)):
        with serve(started, APP, plan.places, plan.server_cpu, crowded=True) as running:
            rest(running)
            for value in values:
                keys = {"dimension": dimension.name, "value": value, "server": server.name, "round": number}
                samples.append(keys | ask(plan, dimension, value, running, folder))
    return samples


def told(dimension: Dimension, one: Mapping[str, Any]) -> str:
    """A sample for the one who waits."""
    value = value_text(dimension.unit, one["value"])
    if "out" in one:
        return f"{value}: OUT ({one['out']})"
    failed = f" {one['failures']} FAILED" if one["failures"] else ""
    return f"{value}: {one['us']:.1f}{failed}"


def measure(plan: Plan) -> list[dict[str, Any]]:
    """Every sample of the run. StartFailed or LoadFailed end it."""
    turns = plan.turns()
    windows = max((len(plan.values(dimension)) for dimension, _ in turns), default=0)
    most = max(
        (dimension.crowd(value) for dimension, _ in turns for value in plan.values(dimension)), default=0
    )
    environment.allow_files(most + SPARE_FILES)
    progress = Progress(plan.rounds * len(turns), START_SECONDS + windows * (plan.milliseconds + 300) / 1000)
    samples = []
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        for number in range(1, plan.rounds + 1):
            for dimension, server in turns:
                progress.begin(f"round {number}, {dimension.name}, {server.name}")
                taken = take_turn(plan, dimension, server, number, Path(name))
                samples += taken
                said = "  ".join(told(dimension, one) for one in taken)
                progress.finish(
                    f"round {number}  {dimension.name:11s} {server.name:18s} us a request  {said}"
                )
    return samples
