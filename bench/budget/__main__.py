"""The command line: python -m bench.budget [OPTIONS], which `make budget` runs.

It fails (1) when a stage is over its budget, and when something of the table is not found any more.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from bench import environment
from bench.budget import budgets, page, run
from bench.budget.profile import Malformed
from bench.budget.stages import ACCEPT, KINDS, MEANING, Renamed
from bench.exchange import WrongAnswer


def parse(argv: Sequence[str]) -> argparse.Namespace:
    """The options; ends the process with a usage message for wrong ones."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.budget", description="Instructions a request by stage, beside their budgets."
    )
    names = [kind.name for kind in KINDS]
    parser.add_argument("--only", metavar="KINDS", help=f"kinds, separated by commas ({','.join(names)})")
    parser.add_argument(
        "--write", action="store_true", help="write the tables of docs/explanation/performance.md"
    )
    parser.add_argument(
        "--accept", action="store_true", help="make what was counted the budget (budgets.json)"
    )
    options = parser.parse_args(argv)
    wanted = [word.strip() for word in (options.only or ",".join(names)).split(",")]
    for word in wanted:
        if word not in names:
            parser.error(f"no kind named {word!r}; there are: {', '.join(names)}")
    if options.write and options.only:
        parser.error("--write needs all kinds")
    options.kinds = [kind for kind in KINDS if kind.name in wanted]
    return options


def show(counts: budgets.Counts, allowed: budgets.Budgets) -> None:
    """What was counted, beside its budget."""
    for kind, requests in counts.items():
        for request, stages in requests.items():
            total = sum(count for stage, count in stages.items() if stage != ACCEPT)
            print(f"{kind}, {request}: {total:,} instructions")
            for stage in (stage for stage in MEANING if stage in stages):
                count = stages[stage]
                budget = allowed.of(kind, request, stage)
                print(f"  {stage:12s} {count:8,}  of {'-' if budget is None else f'{budget:,}'}")


def main(argv: Sequence[str] | None = None) -> int:
    """The exit status."""
    options = parse(sys.argv[1:] if argv is None else argv)
    try:
        environment.prepare_system(run.PACKAGES)
        environment.say(f"callgrind counts {', '.join(kind.name for kind in options.kinds)}: some minutes")
        with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
            counted = list(pool.map(run.measure, options.kinds))
    except (environment.Missing, run.Failed, Renamed, Malformed, WrongAnswer, OSError) as error:
        environment.say(str(error))
        return 1
    counts = {kind.name: found for kind, found in zip(options.kinds, counted, strict=True)}
    allowed = budgets.load()
    if options.accept:
        allowed = budgets.accepted(counts, allowed)
        budgets.save(allowed)
        environment.say(f"written: {budgets.FILE}")
    show(counts, allowed)
    if options.write:
        page.write(counts, allowed)
        environment.say(f"written: {page.PAGE}")
    if allowed.made_for != budgets.here():
        environment.say(f"not compared: the budgets are for {allowed.made_for}, this is {budgets.here()}")
        return 0
    over = budgets.overruns(counts, allowed)
    for line in over:
        environment.say(f"OVER BUDGET: {line}")
    return 1 if over else 0


if __name__ == "__main__":
    sys.exit(main())
