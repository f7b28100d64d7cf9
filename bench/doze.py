"""Ten thousand requests that sleep in the application at once: what each costs, and whether a newcomer
notices them. Only for servers that do not need a thread for each.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import Any

from bench import environment, exchange
from bench.process import Running, serve
from bench.proctree import memory
from bench.progress import Progress
from bench.serverrow import GREENLETS, LOOP, Server
from bench.summary import summarize

APP = "dormitory"
COUNT = b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
DOZE = b"GET /doze HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"

KINDS = (GREENLETS, LOOP)
NEWCOMERS = 50
SPARE_FILES = 200
FALL_ASLEEP_TIMEOUT = 20.0
BATCH = 50


def asleep(running: Running) -> tuple[int, float]:
    """How many requests the application says sleep, and the milliseconds until it said so."""
    began_at = time.monotonic()
    with exchange.connect(running.port) as connection:
        answer = exchange.ask(connection, COUNT)
    if answer.status != 200 or not answer.body.isdigit():
        raise exchange.WrongAnswer(f"expected a number, got {answer.status} and {answer.body[:40]!r}")
    return int(answer.body), (time.monotonic() - began_at) * 1000


def fall_asleep(running: Running, stack: ExitStack, count: int) -> int:
    """Ask so often, each on a connection of its own, and wait until all sleep, or FALL_ASLEEP_TIMEOUT; how
    many do. They come in batches that fit into a short listen queue: how a server bears a flood of
    connections is another question.
    """
    deadline = time.monotonic() + FALL_ASLEEP_TIMEOUT
    sent = sleeping = 0
    while sleeping < count and time.monotonic() < deadline:
        for _ in range(min(BATCH, count - sent)):
            stack.enter_context(exchange.connect(running.port)).sendall(DOZE)
            sent += 1
        sleeping, _ = asleep(running)
    return sleeping


def take_turn(server: Server, places: Mapping[str, str], cpu: int, count: int) -> dict[str, Any]:
    """One server's turn. `bytes_each` is the growth of the tree's resident memory for each sleeper."""
    with (
        serve(server, APP, places, cpu, crowded=True, killed=True) as running,
        ExitStack() as stack,
    ):
        alone = [asleep(running)[1] for _ in range(NEWCOMERS)]
        before = memory(running.pid)
        sleeping = fall_asleep(running, stack, count)
        grown = memory(running.pid) - before
        among = [asleep(running)[1] for _ in range(NEWCOMERS)]
    return {
        "server": server.name,
        "wanted": count,
        "asleep": sleeping,
        "bytes_each": round(grown / sleeping) if sleeping else None,
        "growth": grown,
        "alone_ms": round(summarize(alone).median, 2),
        "newcomer_ms": round(summarize(among).median, 2),
        "newcomer_worst_ms": round(max(among), 2),
    }


def measure(
    servers: Sequence[Server], places: Mapping[str, str], cpu: int, count: int
) -> list[dict[str, Any]]:
    """Every server that can, one after the other."""
    able = [server for server in servers if server.kind in KINDS]
    environment.allow_files(count + SPARE_FILES)
    progress = Progress(len(able), 5.0)
    samples = []
    for server in able:
        progress.begin(f"{count:,} sleeping requests to {server.name}")
        one = take_turn(server, places, cpu, count)
        samples.append(one)
        progress.finish(
            f"doze  {server.name:20s} {one['asleep']:6,} asleep, {one['bytes_each']} bytes each,"
            f" newcomer {one['newcomer_ms']} ms"
        )
    return samples
