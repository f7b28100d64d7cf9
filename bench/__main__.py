"""The command line: python -m bench [WHAT] [OPTIONS]. `make bench` runs it without any, which measures
everything.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from bench import cases as case_table
from bench import compare_report, cpus, dimensions, environment, machine, report
from bench import servers as server_table
from bench.exchange import WrongAnswer
from bench.load import LoadFailed
from bench.measurements import CONCURRENCY, MEASUREMENTS, expand, measure
from bench.process import StartFailed

PUBLISHED = environment.ROOT / "docs" / "benchmarks"
SCRATCH = environment.ROOT / "bench" / "out"

# Name of an option that counts something: its default, its default with --quick, and what it counts.
COUNTS = {
    "rounds": (3, 2, "turns of each server at each case"),
    "seconds": (2, 1, "length of each measured window"),
    "connections": (64, 64, "connections of the load generator"),
    "turns": (2, 1, "turns of each server in halfload, naps and mix"),
    "starts": (4, 2, "starts of each server"),
    "idle": (10_000, 1_000, "idle connections"),
    "dozing": (10_000, 1_000, "requests that sleep at once"),
    "curves": (2, 1, "turns of each server at each dimension of growth"),
    "window": (800, 50, "milliseconds of each window of growth"),
    "heads": (500, 500, "hostile connections that send half a request head"),
    "readers": (50, 50, "hostile connections that read nothing of a 10 MB answer"),
}


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
        choices=["all", CONCURRENCY, *MEASUREMENTS, "report"],
        help="what to measure; `report` measures nothing, it makes page and plots again (default: all)",
    )
    parser.add_argument(
        "--quick", action="store_true", help="short windows: to see that it works, not to quote"
    )
    parser.add_argument(
        "--only",
        metavar="NAMES",
        help="a part: servers (--list shows them), wsgi, asgi, files, or measurements, separated by commas",
    )
    parser.add_argument("--cases", metavar="CASES", help="names separated by commas (--list shows them)")
    parser.add_argument(
        "--dimensions", metavar="NAMES", help=f"of growth: {', '.join(dimensions.BY_NAME)} (all)"
    )
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
    chosen, names = split(options.only)
    options.measurements = chosen or expand(options.what)
    try:
        options.servers = server_table.select(names)
        options.chosen_cases = case_table.select(options.cases)
        options.chosen_dimensions = dimensions.select(options.dimensions)
    except ValueError as error:
        parser.error(str(error))
    options.refused = {}
    if options.out is None:
        part = options.quick or options.only or options.cases or options.dimensions
        options.out = SCRATCH if part else PUBLISHED
    return options


def split(only: str | None) -> tuple[list[str], list[str] | None]:
    """The measurements, and the other names, of --only; None for no names, which means all of them."""
    words = [word.strip() for word in (only or "").split(",") if word.strip()]
    measurements = [word for word in words if word == CONCURRENCY or word in MEASUREMENTS]
    names = [word for word in words if word not in measurements]
    return [name for word in measurements for name in expand(word)], names or None


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
        print(f"{server.name:20s} {server.interface:5s} {server.kind:10s} {server.settings}")
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
    wanted = options.measurements
    try:
        if wanted:
            here = machine.describe()
            choose_cpus(options)
            environment.prepare()
            options.refused = environment.check_servers(options.servers, environment.places())
            for name, reason in options.refused.items():
                environment.say(f"{name} is left out: {reason}")
            versions = environment.versions(options.servers)
            environment.say(
                f"{here.text}; servers on CPU {options.server_cpu}, load on CPU {options.load_cpu}"
            )
        for place, what in enumerate(wanted, 1):
            environment.say(f"{what}, {place} of {len(wanted)}")
            run = measure(what, options, here, versions)
            if what == "compare":
                print("\n".join(compare_report.summary_lines(run)), flush=True)
        for path in report.write(options.out):
            environment.say(f"written: {path}")
    except (cpus.TooFewCpus, environment.Missing, StartFailed, WrongAnswer, LoadFailed) as error:
        environment.say(str(error))
        return 1
    except KeyboardInterrupt:
        environment.say("interrupted")
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
