"""What one build is enough for is there, and calls nothing that is compiled. What takes long begins first."""

from __future__ import annotations

import ast

import pytest

from tests.conftest import LONGEST, NEVER_COMPILED, order
from tests.repo.source import ROOT, imported_names

COMPILED = (
    "indrik.protocol",
    "indrik.engine",
    "indrik.gateway",
    "indrik.scoreboard",
    "indrik.log.access_format",
    "indrik.log.access_writer",
    "indrik.log.atoms",
    "indrik.log.escape",
    "indrik.log.handlers",
    "indrik.log.json_lines",
)


@pytest.mark.parametrize("prefix", [*NEVER_COMPILED, *LONGEST])
def test_it_exists(prefix: str) -> None:
    name, _, member = prefix.partition("::")
    path = ROOT / name
    assert path.is_dir() if name.endswith("/") else path.is_file()
    if member:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        assert member in {getattr(node, "name", None) for node in tree.body}


@pytest.mark.parametrize("prefix", NEVER_COMPILED)
def test_no_compiled_module_is_imported(prefix: str) -> None:
    path = ROOT / prefix.partition("::")[0]
    faults = [
        f"{file.relative_to(ROOT)} imports {name}"
        for file in ([path] if path.is_file() else sorted(path.rglob("*.py")))
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        for name in imported_names(node, "")
        if name.startswith(COMPILED)
    ]
    assert not faults


@pytest.mark.parametrize("processes", [1, 2, 6, 7])
def test_each_process_begins_with_a_long_test(processes: int) -> None:
    """And none is left out, or begun twice."""
    short = [f"tests/unit/test_short.py::test_{number}" for number in range(100)]
    names = [*short[:50], *(f"{name}::test_{part}" for name in LONGEST for part in "ab"), *short[50:]]
    found = order(names, processes)
    assert sorted(found) == list(range(len(names)))
    assert [names[index] for index in found if names[index] in short] == short
    begun, left = 0, len(found)
    for number in range(processes):
        share = left // (processes - number)
        assert names[found[begun]].startswith(LONGEST[number])
        begun, left = begun + share, left - share


def test_what_is_left_out_leaves_no_process_without_a_long_test() -> None:
    names = [f"{name}::test" for name in LONGEST[1:]] + [f"tests/unit/test_{number}" for number in range(99)]
    begun, left = 0, len(names)
    for number in range(3):
        assert names[order(names, 3)[begun]].startswith(LONGEST[number + 1])
        share = left // (3 - number)
        begun, left = begun + share, left - share


def test_a_share_that_is_too_small_loses_nothing() -> None:
    names = [f"{LONGEST[0]}::test_{number}" for number in range(10)]
    assert sorted(order(names, 6)) == list(range(10))
    assert order([], 6) == []
