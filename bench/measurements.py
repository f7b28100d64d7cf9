"""What can be measured, and how the command line's options become a measurement."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

from bench import (
    compare,
    doze,
    environment,
    growth,
    halfload,
    hostile,
    idle,
    machine,
    mix,
    naps,
    results,
    startup,
)
from bench.apps import NAP
from bench.cases import Case
from bench.serverrow import ANY, FILES, Server
from bench.setup import Setup

Samples = list[dict[str, Any]]


def startable(options: argparse.Namespace) -> list[Server]:
    """The chosen servers that this build can run."""
    return [server for server in options.servers if server.name not in options.refused]


def able(options: argparse.Namespace) -> list[Server]:
    """Those of them that are measured with more than a file."""
    return [server for server in startable(options) if server.interface != FILES]


def cases_for(options: argparse.Namespace) -> list[Case]:
    """The chosen cases that one of the chosen servers takes; the floor alone gives no reason for one."""
    real = [server for server in options.servers if server.interface != ANY] or options.servers
    return [case for case in options.chosen_cases if any(server.takes(case) for server in real)]


def setup_for(options: argparse.Namespace, servers: list[Server], rounds: int) -> Setup:
    """The chosen CPUs for these servers."""
    return Setup(servers, environment.places(), options.server_cpu, options.load_cpu, rounds)


def measure_compare(options: argparse.Namespace) -> Samples:
    plan = compare.Plan(
        **vars(setup_for(options, startable(options), options.rounds)),
        cases=cases_for(options),
        seconds=options.seconds,
        connections=options.connections,
    )
    return compare.compare(plan)


def applications(options: argparse.Namespace) -> list[Server]:
    """The chosen servers that call an application."""
    return [server for server in able(options) if server.interface != ANY]


def measure_idle(options: argparse.Namespace) -> Samples:
    return idle.measure(able(options), environment.places(), options.server_cpu, options.idle)


def measure_hostile(options: argparse.Namespace) -> Samples:
    return hostile.measure(
        applications(options), environment.places(), options.server_cpu, options.heads, options.readers
    )


def measure_startup(options: argparse.Namespace) -> Samples:
    return startup.measure(applications(options), environment.places(), options.server_cpu, options.starts)


def measure_halfload(options: argparse.Namespace) -> Samples:
    return halfload.measure(setup_for(options, able(options), options.turns), options.seconds)


def measure_naps(options: argparse.Namespace) -> Samples:
    return naps.measure(setup_for(options, able(options), options.turns), options.seconds)


def measure_mix(options: argparse.Namespace) -> Samples:
    # A second of it holds 228 quick requests, so that a percentile of one window needs a few.
    seconds = 2.0 * options.seconds
    return mix.measure(able(options), environment.places(), options.server_cpu, options.turns, seconds)


def measure_doze(options: argparse.Namespace) -> Samples:
    return doze.measure(able(options), environment.places(), options.server_cpu, options.dozing)


def measure_growth(options: argparse.Namespace) -> Samples:
    plan = growth.Plan(
        **vars(setup_for(options, able(options), options.curves)),
        milliseconds=options.window,
        quick=options.quick,
        dimensions=options.chosen_dimensions,
    )
    return growth.measure(plan)


def conditions(what: str, options: argparse.Namespace) -> dict[str, Any]:
    """What was set for every server alike, under the names that the page uses."""
    match what:
        case "compare":
            return {
                "wrk": environment.wrk_version(),
                "connections": options.connections,
                "rounds": options.rounds,
                "seconds": options.seconds,
                "cases": [case.name for case in cases_for(options)],
            }
        case "growth":
            return {"rounds": options.curves, "milliseconds": options.window}
        case "halfload":
            return {
                "connections": halfload.CONNECTIONS,
                "share": halfload.SHARE,
                "rounds": options.turns,
                "seconds": options.seconds,
            }
        case "naps":
            return {
                "connections": naps.CONNECTIONS,
                "threads": naps.POOL,
                "rounds": options.turns,
                "seconds": options.seconds,
                "milliseconds": NAP * 1000,
            }
        case "mix":
            return {
                "threads": mix.POOL,
                "slow": mix.SLOW_IN_PROGRESS,
                "pace": round(mix.QUICK_PACE),
                "connections": mix.QUICK_CONNECTIONS,
                "rounds": options.turns,
                "seconds": 2.0 * options.seconds,
            }
        case "doze":
            return {"requests": options.dozing}
        case "idle":
            return {"connections": options.idle}
        case "hostile":
            return {"heads": options.heads, "readers": options.readers}
        case _:
            return {"rounds": options.starts}


MEASUREMENTS: dict[str, Callable[[argparse.Namespace], Samples]] = {
    "compare": measure_compare,
    "halfload": measure_halfload,
    "naps": measure_naps,
    "mix": measure_mix,
    "doze": measure_doze,
    "idle": measure_idle,
    "hostile": measure_hostile,
    "startup": measure_startup,
    "growth": measure_growth,
}

# What is said for these three together.
CONCURRENCY = "concurrency"
CONCURRENT = ("naps", "mix", "doze")

# Measurements whose servers are told to expect a crowd, and the threads that they get in some.
CROWDED = ("idle", "hostile", "growth", *CONCURRENT)
POOLS = {"naps": naps.POOL, "mix": mix.POOL}


def expand(what: str) -> list[str]:
    """The measurements that a word of the command line stands for."""
    if what == "report":
        return []
    return list(MEASUREMENTS) if what == "all" else list(CONCURRENT) if what == CONCURRENCY else [what]


def measure(
    what: str, options: argparse.Namespace, here: machine.Machine, versions: dict[str, str]
) -> results.Run:
    """Take one measurement and keep its raw numbers."""
    run = results.Run(
        measurement=what,
        date=results.today(),
        machine=here,
        conditions=conditions(what, options),
        servers=[
            results.row(
                server,
                versions[server.name],
                what in CROWDED,
                POOLS.get(what),
                options.refused.get(server.name, ""),
            )
            for server in options.servers
        ],
        samples=MEASUREMENTS[what](options),
    )
    environment.say(f"raw numbers: {results.save(run, options.out)}")
    return run
