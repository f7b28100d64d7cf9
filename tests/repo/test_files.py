"""Every module is small and says what it is for; no committed file knows the machine it was written on."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from tests.repo.source import ROOT, committed_files, modules

LONGEST = 600
# Names under which anything could be put.
FORBIDDEN_NAMES = {"common", "helper", "helpers", "misc", "tools", "util", "utils"}
# Folders of one machine: home directories and places where checkouts happen to lie.
MACHINE = re.compile(
    r"(?<![\w.-])(?:/(?:farm|home|opt|root|work)/\w"
    + "".join(rf"|{re.escape(str(place))}\b" for place in {ROOT, Path.home()} - {Path("/")})
    + ")"
)
MARKS = re.compile(r"\b(?:TODO|FIXME|XXX)\b")

python_files = [path for path in committed_files() if path.suffix == ".py"]
source_files = [path for path in modules().values() if path.suffix == ".py"]


def text_of(path: Path) -> str | None:
    """A file's text, or None where it is no text."""
    data = path.read_bytes()
    if b"\0" in data or path.match("fuzz/crashers/*/*"):
        return None
    return data.decode("utf-8")


def test_modules_are_small() -> None:
    lengths = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in python_files}
    long = {str(path.relative_to(ROOT)): length for path, length in lengths.items() if length > LONGEST}
    assert not long, f"more than {LONGEST} lines, so more than one duty: {long}"


def test_modules_say_what_they_are_for() -> None:
    silent = []
    for path in python_files:
        if path.name.startswith("test_"):  # its name says it: test_X.py tests X
            continue
        tree = ast.parse(path.read_text(encoding="utf-8"), str(path))
        if tree.body and not ast.get_docstring(tree):
            silent.append(str(path.relative_to(ROOT)))
    assert not silent, f"no docstring at the top: {silent}"


def test_no_module_is_a_drawer() -> None:
    drawers = [
        str(path.relative_to(ROOT))
        for path in modules().values()
        if {path.stem, path.parent.name} & FORBIDDEN_NAMES
    ]
    assert not drawers, f"give it a noun, or move it to its only caller: {drawers}"


def test_no_unfinished_marks() -> None:
    marked = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in source_files
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if MARKS.search(line)
    ]
    assert not marked, f"finish it, or take it out: {marked}"


def test_no_file_knows_this_machine() -> None:
    found = []
    for path in committed_files():
        text = text_of(path)
        for number, line in enumerate((text or "").splitlines(), 1):
            if MACHINE.search(line):
                found.append(f"{path.relative_to(ROOT)}:{number}: {line.strip()}")
    assert not found, "paths of one machine:\n" + "\n".join(found)


@pytest.mark.parametrize("line", ["x = '/" + "root/project'", "see /" + "work/main/README"])
def test_the_machine_check_sees_a_path(line: str) -> None:
    assert MACHINE.search(line)


@pytest.mark.parametrize("line", ["https://example.org/" + "work/x", "lib/root/x", "/tmp/indrik.sock"])
def test_the_machine_check_lets_others_pass(line: str) -> None:
    assert not MACHINE.search(line)
