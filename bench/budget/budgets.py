"""What each stage may cost: the file of budgets, and what is over it."""

from __future__ import annotations

import json
import platform
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bench.budget.stages import UNSTEADY

FILE = Path(__file__).with_name("budgets.json")

# Instructions may be over the budget by this share: another compiler's, and what chance leaves.
TOLERANCE = 0.05
# Budgets are round numbers.
STEP = 50

# Kind -> request -> stage -> instructions.
Counts = Mapping[str, Mapping[str, Mapping[str, int]]]


@dataclass(frozen=True)
class Budgets:
    """`made_for` is the interpreter and the processor that they hold for."""

    made_for: str
    counts: Counts

    def of(self, kind: str, request: str, stage: str) -> int | None:
        """None for a stage that has none."""
        return self.counts.get(kind, {}).get(request, {}).get(stage)


def here() -> str:
    """This interpreter and processor: others cost other numbers of instructions."""
    return f"CPython {sys.version_info[0]}.{sys.version_info[1]}, {platform.machine()}"


def load(path: Path = FILE) -> Budgets:
    """What the file says."""
    return Budgets(**json.loads(path.read_text(encoding="utf-8")))


def save(budgets: Budgets, path: Path = FILE) -> None:
    """Write the file."""
    data = {"made_for": budgets.made_for, "counts": budgets.counts}
    path.write_text(json.dumps(data, indent=2) + "\n", encoding="utf-8")


def accepted(counts: Counts, before: Budgets) -> Budgets:
    """Budgets that these counts just keep, rounded up; those of kinds that were not counted stay. Unsteady
    stages get none.
    """
    made = {
        kind: {
            request: {
                stage: -(-count // STEP) * STEP
                for stage, count in stages.items()
                if stage not in UNSTEADY.get(kind, ())
            }
            for request, stages in requests.items()
        }
        for kind, requests in counts.items()
    }
    return Budgets(here(), {**before.counts, **made})


def overruns(counts: Counts, budgets: Budgets) -> list[str]:
    """A line for each steady stage that is over its budget by more than TOLERANCE, or has none."""
    lines = []
    for kind, requests in counts.items():
        for request, stages in requests.items():
            for stage, count in stages.items():
                if stage in UNSTEADY.get(kind, ()):
                    continue
                budget = budgets.of(kind, request, stage)
                if budget is None:
                    lines.append(f"{kind}, {request}: {stage} has no budget")
                elif count > budget * (1 + TOLERANCE):
                    share = count / budget - 1
                    lines.append(
                        f"{kind}, {request}: {stage} takes {count:,} instructions, its budget is {budget:,}:"
                        f" {share:.1%} over"
                    )
    return lines
