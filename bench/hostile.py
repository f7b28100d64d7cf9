"""Strangers who take and do not give: half a request head and silence, or a request for ten megabytes of
which nothing is read.

Measured is what the others notice: how long ordinary requests take beside them.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import Any

from bench import environment, exchange
from bench.apps import BIG, GREETING
from bench.process import Running, serve
from bench.proctree import memory
from bench.progress import Progress
from bench.serverrow import Server
from bench.summary import percentile

APP = "site"
HALF_HEAD = b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: slow"
BIG_REQUEST = b"GET /big HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
REQUEST = b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"

VISITS = 300
PATIENCE = 3.0  # seconds that an ordinary client waits
GIVE_UP_AFTER = 3  # visits without an answer, after which the rest would only tell the same

# The kernel doubles this and takes no more of an answer that is not read (socket(7), SO_RCVBUF).
SMALL_BUFFER = 4096
SPARE_FILES = 200


def ordinary(running: Running, visits: int = VISITS) -> tuple[list[float], int]:
    """Milliseconds of each answered request, and how many visits ended without an answer.

    A visit is a new connection with one request and, where the server keeps it alive, a second one on it.
    """
    took: list[float] = []
    failed = 0
    for _ in range(visits):
        try:
            began_at = time.monotonic()
            with exchange.connect(running.port, timeout=PATIENCE) as connection:
                answer = exchange.expect(exchange.ask(connection, REQUEST), GREETING)
                took.append((time.monotonic() - began_at) * 1000)
                if answer.keeps_alive:
                    began_at = time.monotonic()
                    exchange.expect(exchange.ask(connection, REQUEST), GREETING)
                    took.append((time.monotonic() - began_at) * 1000)
        except (OSError, exchange.WrongAnswer):
            failed += 1
            if failed == GIVE_UP_AFTER:
                break
    return took, failed


def beset(running: Running, stack: ExitStack, heads: int, readers: int) -> None:
    """Connect the hostile clients; those the server does not let in are not missed."""
    for _ in range(heads):
        attempt(running, stack, HALF_HEAD, 0)
    for _ in range(readers):
        attempt(running, stack, BIG_REQUEST, SMALL_BUFFER)


def attempt(running: Running, stack: ExitStack, data: bytes, receive_buffer: int) -> None:
    """One hostile client."""
    try:
        connection = stack.enter_context(exchange.connect(running.port, PATIENCE, receive_buffer))
        connection.sendall(data)
    except OSError:
        pass


def figures(took: list[float], prefix: str) -> dict[str, Any]:
    """The latencies in milliseconds as fields that begin with `prefix`."""
    return {
        f"{prefix}_p50_ms": round(percentile(took, 50), 2) if took else None,
        f"{prefix}_p99_ms": round(percentile(took, 99), 2) if took else None,
        f"{prefix}_worst_ms": round(max(took), 2) if took else None,
    }


def siege(server: Server, places: Mapping[str, str], cpu: int, heads: int, readers: int) -> dict[str, Any]:
    """One server's turn: ordinary requests alone, one asked the moment after the onslaught, then many beside
    the hostile clients.
    """
    with serve(server, APP, places, cpu, crowded=True) as running, ExitStack() as stack:
        alone, alone_failed = ordinary(running)
        if alone_failed:
            raise exchange.WrongAnswer(
                f"{alone_failed} requests had no answer before any hostile client came"
            )
        before = memory(running.pid)
        beset(running, stack, heads, readers)
        first, _ = ordinary(running, visits=1)
        beside, beside_failed = ordinary(running)
        grown = memory(running.pid) - before
    return {
        "server": server.name,
        **figures(alone, "alone"),
        "first_ms": round(first[0], 2) if first else None,
        **figures(beside, "beside"),
        "failed": beside_failed,
        "growth": grown,
        "big": len(BIG),
    }


def measure(
    servers: Sequence[Server], places: Mapping[str, str], cpu: int, heads: int, readers: int
) -> list[dict[str, Any]]:
    """Every server, one after the other."""
    environment.allow_files(heads + readers + SPARE_FILES)
    progress = Progress(len(servers), 5.0)
    samples = []
    for server in servers:
        progress.begin(f"{heads} half heads and {readers} non-readers against {server.name}")
        one = siege(server, places, cpu, heads, readers)
        samples.append(one)
        text = f"first answer {one['first_ms']} ms, later ones at worst {one['beside_worst_ms']} ms"
        progress.finish(f"hostile  {server.name:20s} {text}, {one['failed']} without answer")
    return samples
