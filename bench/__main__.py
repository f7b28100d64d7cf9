"""The command line: python -m bench [WHAT] [OPTIONS]. `make bench` runs it without any, which measures
everything.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from bench import cases as case_table
from bench import compare, cpus, environment, hostile, idle, machine, report, results, startup
from bench import servers as server_table
from bench.exchange import WrongAnswer
from bench.process import StartFailed
from bench.wrk import WrkFailed

PUBLISHED = environment.ROOT / "docs" / "benchmarks"
SCRATCH = environment.ROOT / "bench" / "out"

# Name of an option that counts something: its default, its default with --quick, and what it counts.
COUNTS = {
    "rounds": (5, 2, "turns of each server at each case"),
    "seconds": (5, 1, "length of each measured window"),
    "connections": (64, 64, "connections of the load generator"),
    "starts": (10, 3, "starts of each server"),
    "idle": (10_000, 1_000, "idle connections"),
    "heads": (500, 500, "hostile connections that send half a request head"),
    "readers": (50, 50, "hostile connections that read nothing of a 10 MB answer"),
}

Samples = list[dict[str, Any]]


def parse(argv: Sequence[str]) -> argparse.Namespace:
    """The options; ends the process with a usage message for wrong ones."""
    parser = argparse.ArgumentParser(
        prog="python -m bench",
        description="Compare indrik with other Python servers on this machine. See bench/README.md.",
    )
    parser.add_argument(
        "what",
        nargs="?",
        default="all",
        choices=["all", *MEASUREMENTS, "report"],
        help="what to measure; `report` measures nothing, it makes page and plots again (default: all)",
    )
    parser.add_argument(
        "--quick", action="store_true", help="short windows: to see that it works, not to quote"
    )
    parser.add_argument("--only", metavar="SERVERS", help="names separated by commas (--list shows them)")
    parser.add_argument("--cases", metavar="CASES", help="names separated by commas (--list shows them)")
    for name, (usual, _, meaning) in COUNTS.items():
        parser.add_argument(f"--{name}", type=int, metavar="N", help=f"{meaning} ({usual:,})")
    parser.add_argument("--server-cpu", type=int, metavar="CPU", help="the CPU of the servers (chosen)")
    parser.add_argument(
        "--load-cpu", type=int, metavar="CPU", help="the CPU of the load (chosen, on another core)"
    )
    parser.add_argument(
        "--out",
        type=Path,
        metavar="FOLDER",
        help="where the results go (docs/benchmarks for a whole run, bench/out for a partial or quick one)",
    )
    parser.add_argument(
        "--list", action="store_true", help="show the servers and the cases, and measure nothing"
    )
    options = parser.parse_args(argv)
    for name, (usual, quick, _) in COUNTS.items():
        if getattr(options, name) is None:
            setattr(options, name, quick if options.quick else usual)
        if getattr(options, name) < 1:
            parser.error(f"--{name} must be at least 1")
    try:
        options.servers = server_table.select(options.only)
        options.chosen_cases = case_table.select(options.cases)
    except ValueError as error:
        parser.error(str(error))
    if options.out is None:
        options.out = SCRATCH if options.quick or options.only or options.cases else PUBLISHED
    return options


def measure_compare(options: argparse.Namespace) -> Samples:
    plan = compare.Plan(
        servers=options.servers,
        cases=options.chosen_cases,
        places=environment.places(),
        server_cpu=options.server_cpu,
        load_cpu=options.load_cpu,
        rounds=options.rounds,
        seconds=options.seconds,
        connections=options.connections,
    )
    return compare.compare(plan)


def measure_idle(options: argparse.Namespace) -> Samples:
    return idle.measure(options.servers, environment.places(), options.server_cpu, options.idle)


def measure_hostile(options: argparse.Namespace) -> Samples:
    return hostile.measure(
        options.servers, environment.places(), options.server_cpu, options.heads, options.readers
    )


def measure_startup(options: argparse.Namespace) -> Samples:
    return startup.measure(options.servers, environment.places(), options.server_cpu, options.starts)


def conditions(what: str, options: argparse.Namespace) -> dict[str, Any]:
    """What was set for every server alike, under the names that the page uses."""
    match what:
        case "compare":
            return {
                "wrk": environment.wrk_version(),
                "connections": options.connections,
                "rounds": options.rounds,
                "seconds": options.seconds,
                "cases": [case.name for case in options.chosen_cases],
            }
        case "idle":
            return {"connections": options.idle}
        case "hostile":
            return {"heads": options.heads, "readers": options.readers}
        case _:
            return {"rounds": options.starts}


MEASUREMENTS: dict[str, Callable[[argparse.Namespace], Samples]] = {
    "compare": measure_compare,
    "idle": measure_idle,
    "hostile": measure_hostile,
    "startup": measure_startup,
}


def measure(
    what: str, options: argparse.Namespace, here: machine.Machine, versions: dict[str, str]
) -> results.Run:
    """Take one measurement and keep its raw numbers."""
    crowded = what in ("idle", "hostile")
    run = results.Run(
        measurement=what,
        date=results.today(),
        machine=here,
        conditions=conditions(what, options),
        servers=[results.row(server, versions[server.name], crowded) for server in options.servers],
        samples=MEASUREMENTS[what](options),
    )
    environment.say(f"raw numbers: {results.save(run, options.out)}")
    return run


def choose_cpus(options: argparse.Namespace) -> None:
    """Fill in the CPUs that were not given, and keep this process off the server's."""
    server, load = cpus.choose()
    if options.server_cpu is None:
        options.server_cpu = server if options.load_cpu != server else load
    if options.load_cpu is None:
        options.load_cpu = load if options.server_cpu != load else server
    os.sched_setaffinity(0, {options.load_cpu})


def show_tables() -> None:
    for server in server_table.SERVERS:
        print(f"{server.name:20s} {server.interface}  {server.settings}")
    print()
    for case in case_table.CASES:
        print(f"{case.name:20s} {case.title}")


def main(argv: Sequence[str] | None = None) -> int:
    """The exit status: 0, or 1 with one clear line when something is missing or a server does not do what it
    should.
    """
    options = parse(sys.argv[1:] if argv is None else argv)
    if options.list:
        show_tables()
        return 0
    wanted = (
        [] if options.what == "report" else list(MEASUREMENTS) if options.what == "all" else [options.what]
    )
    try:
        if wanted:
            here = machine.describe()
            choose_cpus(options)
            environment.prepare()
            environment.check_servers(options.servers, environment.places())
            versions = environment.versions(options.servers)
            environment.say(
                f"{here.text}; servers on CPU {options.server_cpu}, load on CPU {options.load_cpu}"
            )
        for what in wanted:
            for line in report.summary_lines(measure(what, options, here, versions)):
                print(line, flush=True)
        for path in report.write(options.out):
            environment.say(f"written: {path}")
    except (cpus.TooFewCpus, environment.Missing, StartFailed, WrongAnswer, WrkFailed) as error:
        environment.say(str(error))
        return 1
    except KeyboardInterrupt:
        environment.say("interrupted")
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
