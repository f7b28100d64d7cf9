"""How long a request takes when the server has half of what it can do: each at half of its own rate.

A server that is asked as fast as it can answer shows how deep its queue is, which is the load's doing. Here
the requests come at a pace of their own (native/paceload.c), half of what the server has answered just before
over as many connections, and each one's time counts from when it was due.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bench import wrk
from bench.cases import Case, select
from bench.exchange import HOST
from bench.load import Load, drive
from bench.process import serve
from bench.proctree import cpu_nanoseconds
from bench.progress import Progress
from bench.serverrow import Server
from bench.setup import Setup

PROGRAM = "paceload"
CONNECTIONS = 64
SHARE = 0.5
FULL_SECONDS = 1  # of full load, behind as much of warm-up
CASES = {"wsgi": "hello", "asgi": "asgi-hello"}


def pace(
    program: Path, case: Case, port: int, rate: float, milliseconds: int, cpu: int, folder: Path
) -> Load:
    """The case's request `rate` times a second for so long, from one CPU. LoadFailed if it fails."""
    path = folder / f"{case.name}.request"
    path.write_bytes(case.request(f"{HOST}:{port}"))
    words = [program, HOST, port, CONNECTIONS, f"{rate:.1f}", milliseconds, path, case.answer.decode("ascii")]
    return drive([str(word) for word in words], cpu, milliseconds / 1000)


def take_turn(
    server: Server,
    places: Mapping[str, str],
    cpus: tuple[int, int],
    number: int,
    milliseconds: int,
    folder: Path,
) -> dict[str, Any]:
    """One server's turn; `cpus` are those of the server and of the load."""
    (case,) = select(CASES[server.interface])
    server_cpu, load_cpu = cpus
    with serve(server, case.app, places, server_cpu) as running:
        for _ in range(2):
            full = wrk.run(case, running.port, FULL_SECONDS, CONNECTIONS, load_cpu, folder)
        rate = full.rate * SHARE
        before = cpu_nanoseconds(running.pid)
        load = pace(Path(places["peers"], PROGRAM), case, running.port, rate, milliseconds, load_cpu, folder)
        used = cpu_nanoseconds(running.pid) - before
    return {
        "server": server.name,
        "round": number,
        "rate": round(rate),
        "requests": load.requests,
        "p50_us": load.p50,
        "p99_us": load.p99,
        "p999_us": load.p999,
        "us": round(used / 1000 / max(load.requests, 1), 3),
        "failures": full.failures + load.failures,
    }


def measure(setup: Setup, seconds: float) -> list[dict[str, Any]]:
    """Every server that calls an application, in turns."""
    able = [server for server in setup.servers if server.interface in CASES]
    progress = Progress(setup.rounds * len(able), seconds + 2 * FULL_SECONDS + 1.5)
    cpus = setup.server_cpu, setup.load_cpu
    samples = []
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        for number in range(1, setup.rounds + 1):
            for server in able:
                progress.begin(f"round {number}, half of its load, {server.name}")
                one = take_turn(server, setup.places, cpus, number, round(seconds * 1000), Path(name))
                samples.append(one)
                progress.finish(
                    f"half load {number}  {server.name:20s} {one['rate']}/s: p50 {one['p50_us']} us,"
                    f" p99 {one['p99_us']} us, {one['failures']} failed"
                )
    return samples
