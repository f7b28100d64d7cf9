"""What the description of a pre-fork server (of 2016) says, line by line, and the tests that prove it here.

The lines stand in `checklist_app` and `checklist_arbiter`. One that indrik does differently on purpose points
to its row in docs/reference/differences.md.
"""

from __future__ import annotations

from dataclasses import dataclass

APP = "tests/unit/app/"
CONFIG = "tests/unit/config/"
WORKERS = "tests/unit/workers/"
ARBITER = "tests/unit/arbiter/"
LOG = "tests/unit/log/"
PROCESS = "tests/process/"
MASTER = "tests/process/test_checklist_master.py"
WORKER = "tests/process/test_checklist_worker.py"


@dataclass(frozen=True)
class Line:
    """One statement. `tests`: ids as pytest writes them, without parameters. `differs`: the first cell of a
    row in the list of differences.
    """

    part: str
    says: str
    tests: tuple[str, ...]
    differs: str = ""
