"""What a newcomer reads first is true: commands exist, examples are whole. Links: see test_pages.py."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.repo.source import ROOT, committed_files

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

pages = [path for path in committed_files() if path.suffix == ".md"]
BLOCK = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)
TARGET = re.compile(r"^([a-z][a-z -]*):", re.MULTILINE)
OPTION = re.compile(r"(?<![\w-])--?[a-z][\w-]*")


def commands() -> Iterator[tuple[str, list[str]]]:
    """Each command of a page's shell blocks: the page and the words, without environment variables."""
    for page in pages:
        for block in BLOCK.findall(page.read_text(encoding="utf-8")):
            for line in block.splitlines():
                words = shlex.split(line, comments=True)
                while words and re.match(r"[A-Z_]+=", words[0]):
                    words.pop(0)
                if words:
                    yield str(page.relative_to(ROOT)), words


def options(text: str) -> set[str]:
    return set(OPTION.findall(text))


@pytest.fixture(scope="module")
def help_text() -> str:
    return subprocess.run(
        [sys.executable, "-m", "indrik", "--help"], capture_output=True, text=True, timeout=60, check=True
    ).stdout


@pytest.fixture(scope="module")
def targets() -> set[str]:
    lines = TARGET.findall((ROOT / "Makefile").read_text(encoding="utf-8"))
    return {name for line in lines for name in line.split()}


def test_make_targets_exist(targets: set[str]) -> None:
    asked = {
        (page, word)
        for page, words in commands()
        if words[0] == "make"
        for word in words[1:]
        if "=" not in word
    }
    assert ("README.md", "serve") in asked
    assert ("README.md", "test") in asked
    assert {(page, word) for page, word in asked if word not in targets} == set()


def test_help_lists_every_target(targets: set[str]) -> None:
    made = subprocess.run(["make"], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
    listed = set(re.findall(r"make ([\w-]+)", made.stdout))
    assert {"build", "serve", "test", "lint", "matrix", "bench", "dist", "clean"} <= listed <= targets


def test_options_exist(help_text: str) -> None:
    asked = set()
    for page, words in commands():
        program = words[words.index("-m") + 1 :] if "-m" in words else words
        if program[0] == "indrik":
            asked |= {(page, option) for option in options(" ".join(program[1:]))}
    assert ("README.md", "--check-config") in asked
    assert {(page, option) for page, option in asked if option not in options(help_text)} == set()


def test_the_extras() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    libraries = {"flask", "gevent", "uvloop", "setproctitle", "paste", "reload", "dotenv", "routes"}
    assert set(extras) == libraries | {"all", "dev"}
    [everything] = extras["all"]
    assert set(everything.removeprefix("indrik[").rstrip("]").split(",")) == set(extras) - {"all", "dev"}


@pytest.mark.parametrize("example", sorted((ROOT / "examples").iterdir()), ids=lambda path: path.name)
def test_examples_are_whole_and_tested(example: Path) -> None:
    assert {"README.md", "app.py", "requirements.txt"} <= {path.name for path in example.iterdir()}
    assert (ROOT / "tests" / "integration" / f"test_{example.name}.py").exists()


def test_programs_are_executable() -> None:
    programs = [ROOT / ".ci" / "run", *(ROOT / "tools").iterdir()]
    assert all(os.access(program, os.X_OK) for program in programs)
