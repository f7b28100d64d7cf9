"""Ten thousand connections that have had an answer and now say nothing: what they cost, and whether a
newcomer notices them.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import Any

from bench import environment, exchange
from bench.cases import CASES
from bench.process import Running, serve
from bench.proctree import memory
from bench.progress import Progress
from bench.serverrow import Server
from bench.summary import summarize

NEWCOMERS = 100
WOKEN = 100
SPARE_FILES = 200

# A server that looks at every connection whenever one of them stirs gets slower with each; its row then shows
# fewer.
SETTLE_TIMEOUT = 20.0


def is_open(connection: socket.socket) -> bool:
    """Whether the server has neither closed the connection nor said anything on it."""
    connection.setblocking(False)
    try:
        connection.recv(1, socket.MSG_PEEK)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def ask_once(running: Running) -> float:
    """Milliseconds from connecting to the whole answer, on a connection of its own."""
    case = CASES[0]
    began_at = time.monotonic()
    with exchange.connect(running.port, timeout=5.0) as connection:
        exchange.expect(exchange.ask(connection, case.request(exchange.HOST)), case.answer)
    return (time.monotonic() - began_at) * 1000


def settle(running: Running, stack: ExitStack, count: int) -> list[socket.socket]:
    """Open so many connections, each with one answered request; fewer when the server refuses, stalls or
    takes more than SETTLE_TIMEOUT for all.
    """
    case = CASES[0]
    request = case.request(exchange.HOST)
    settled: list[socket.socket] = []
    deadline = time.monotonic() + SETTLE_TIMEOUT
    while len(settled) < count and time.monotonic() < deadline:
        try:
            connection = stack.enter_context(exchange.connect(running.port, timeout=5.0))
            exchange.expect(exchange.ask(connection, request), case.answer)
        except (OSError, exchange.WrongAnswer):
            break
        settled.append(connection)
    return settled


def wake(connections: Sequence[socket.socket]) -> int:
    """How many of these connections still answer a request."""
    case = CASES[0]
    woken = 0
    for connection in connections:
        connection.settimeout(5.0)
        try:
            exchange.expect(exchange.ask(connection, case.request(exchange.HOST)), case.answer)
            woken += 1
        except (OSError, exchange.WrongAnswer):
            continue
    return woken


def crowd(server: Server, places: Mapping[str, str], cpu: int, count: int) -> dict[str, Any]:
    """One server's turn. `bytes_each` is the growth of the tree's resident memory since its first answer, for
    one open connection; it does not hold what the kernel keeps for a socket.
    """
    with serve(server, CASES[0].app, places, cpu, crowded=True) as running, ExitStack() as stack:
        alone = [ask_once(running) for _ in range(NEWCOMERS)]
        before = memory(running.pid)
        settled = settle(running, stack, count)
        grown = memory(running.pid) - before
        still = [connection for connection in settled if is_open(connection)]
        try:
            among = [ask_once(running) for _ in range(NEWCOMERS)]
        except (OSError, exchange.WrongAnswer):
            among = []
        step = max(len(still) // WOKEN, 1)
        woken = wake(still[::step][:WOKEN])
    return {
        "server": server.name,
        "wanted": count,
        "open": len(still),
        "bytes_each": round(grown / len(still)) if still else None,
        "growth": grown,
        "alone_ms": round(summarize(alone).median, 2),
        "newcomer_ms": round(summarize(among).median, 2) if among else None,
        "newcomer_worst_ms": round(max(among), 2) if among else None,
        "woken": woken,
        "asked_to_wake": min(len(still), WOKEN),
    }


def measure(
    servers: Sequence[Server], places: Mapping[str, str], cpu: int, count: int
) -> list[dict[str, Any]]:
    """Every server that can keep many connections, one after the other."""
    able = [server for server in servers if server.crowd is not None]
    environment.allow_files(count + SPARE_FILES)
    progress = Progress(len(able), 5.0)
    samples = []
    for server in able:
        progress.begin(f"{count:,} idle connections to {server.name}")
        one = crowd(server, places, cpu, count)
        samples.append(one)
        each = "none" if one["bytes_each"] is None else f"{one['bytes_each']:,} bytes each"
        progress.finish(
            f"idle  {server.name:20s} {one['open']:6,} open, {each}, newcomer {one['newcomer_ms']} ms"
        )
    return samples
