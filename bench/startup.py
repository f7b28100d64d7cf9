"""From the command to the first answer: time, CPU, and what the server holds in memory then."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from bench import exchange
from bench.cases import CASES
from bench.process import serve
from bench.proctree import cpu_time, memory
from bench.progress import Progress
from bench.serverrow import Server


def start_once(server: Server, places: Mapping[str, str], cpu: int, number: int) -> dict[str, Any]:
    """One start. Memory counts a page shared by two processes once."""
    case = CASES[0]
    with serve(server, case.app, places, cpu) as running:
        with exchange.connect(running.port) as connection:
            exchange.expect(exchange.ask(connection, case.request(exchange.HOST)), case.answer)
        took = time.monotonic() - running.started_at
        return {
            "server": server.name,
            "round": number,
            "milliseconds": round(took * 1000, 1),
            "cpu_milliseconds": round(cpu_time(running.pid).total * 1000),
            "memory": memory(running.pid, "Pss"),
        }


def measure(
    servers: Sequence[Server], places: Mapping[str, str], cpu: int, rounds: int
) -> list[dict[str, Any]]:
    """Every server in turns."""
    progress = Progress(rounds * len(servers), 1.0)
    samples = []
    for number in range(1, rounds + 1):
        for server in servers:
            progress.begin(f"start {number} of {server.name}")
            one = start_once(server, places, cpu, number)
            samples.append(one)
            progress.finish(
                f"start-up {number}  {server.name:20s} {one['milliseconds']:7.0f} ms to the first answer"
            )
    return samples
