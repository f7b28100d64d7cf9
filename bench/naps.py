"""Many requests that wait: an application that sleeps 10 ms, asked over 256 connections.

The rate shows what a kind of concurrency is worth, and the CPU what it costs. It is the comparison with other
settings: 64 threads for those that have threads, and room for the connections.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from bench.apps import GREETING, NAP
from bench.cases import Case
from bench.compare import Plan, compare
from bench.serverrow import GREENLETS, LOOP, THREADS
from bench.setup import Setup

KINDS = (THREADS, GREENLETS, LOOP)
CONNECTIONS = 256
POOL = 64

WSGI_NAP = Case("nap", "10 ms of sleep, then a 13-byte answer", "nap", GREETING, has_floor=False)
CASES = (WSGI_NAP, replace(WSGI_NAP, name="asgi-nap", interface="asgi"))


def ceiling(kind: str) -> float:
    """Requests a second that arithmetic allows: a thread, or else a connection, gets one each NAP."""
    return (POOL if kind == THREADS else CONNECTIONS) / NAP


def measure(setup: Setup, seconds: int) -> list[dict[str, Any]]:
    """The comparison's samples."""
    able = [server for server in setup.servers if server.kind in KINDS]
    plan = Plan(
        **vars(replace(setup, servers=able)),
        cases=CASES,
        seconds=seconds,
        connections=CONNECTIONS,
        threads=POOL,
        crowded=True,
    )
    return compare(plan)
