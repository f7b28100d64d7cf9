"""Every line of the description is proved by tests that exist; every difference has a row on its page."""

from __future__ import annotations

import ast
import re
from functools import cache

import pytest

from tests.repo import checklist_app, checklist_arbiter
from tests.repo.checklist import Line
from tests.repo.source import ROOT

LINES = (*checklist_app.LINES, *checklist_arbiter.LINES)

#: How many lines each part of the description has.
LENGTHS = {
    "entry points": 3,
    "WSGIApplication": 10,
    "Application": 10,
    "BaseApplication": 8,
    "Arbiter.run": 6,
    "Arbiter.start": 8,
    "Arbiter.manage_workers": 2,
    "Arbiter.spawn_worker": 8,
    "Worker": 22,
}


@cache
def names_in(name: str) -> frozenset[str]:
    """The tests in a file, as `test_name` or `Class::test_name`."""
    found = set()
    for node in ast.parse((ROOT / name).read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef):
            found.add(node.name)
        elif isinstance(node, ast.ClassDef):
            found |= {f"{node.name}::{one.name}" for one in node.body if isinstance(one, ast.FunctionDef)}
    return frozenset(one for one in found if one.rpartition("::")[2].startswith("test_"))


@cache
def differences() -> frozenset[str]:
    """The first cells of all rows in the list of differences."""
    text = (ROOT / "docs" / "reference" / "differences.md").read_text(encoding="utf-8")
    return frozenset(re.findall(r"^\| (.+?) \|", text, re.MULTILINE))


def is_test(name: str) -> bool:
    path, _, test = name.partition("::")
    return (ROOT / path).is_file() and test in names_in(path)


@pytest.mark.parametrize("line", LINES, ids=lambda line: f"{line.part}: {line.says}")
def test_line_is_proved(line: Line) -> None:
    assert line.tests
    assert [name for name in line.tests if not is_test(name)] == []
    assert line.differs == "" or line.differs in differences()


def test_no_line_is_left_out() -> None:
    assert {part: [line.part for line in LINES].count(part) for part in LENGTHS} == LENGTHS
    assert len({line.says for line in LINES}) == len(LINES) == sum(LENGTHS.values())


@pytest.mark.parametrize(
    ("name", "known"),
    [
        ("tests/repo/test_checklist.py::test_line_is_proved", True),
        ("tests/repo/test_checklist.py::is_test", False),
        ("tests/repo/test_checklist.py::test_nothing", False),
        ("tests/repo/no_such_file.py::test_nothing", False),
        ("tests/repo/test_layers.py::TestTheCheckItself::test_finds_a_cycle", True),
        ("tests/repo/test_layers.py::test_finds_a_cycle", False),
    ],
)
def test_a_test_that_does_not_exist_is_seen(name: str, known: bool) -> None:
    assert is_test(name) is known
