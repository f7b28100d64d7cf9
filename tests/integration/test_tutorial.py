"""docs/tutorial.md does what it says: each command is run as it stands there, each output is compared.

Only this is different from what a newcomer does, to take seconds and no network: the repository is cloned
from a folder, the package is installed uncompiled (INDRIK_PURE=1) with the tests' own setuptools and Cython,
and the address is one of this test's own, so that its port is free.
"""

from __future__ import annotations

import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.integration.page import GAP, Commands, File, Output, pattern_of, steps
from tests.integration.terminals import Terminal
from tests.process.server import wait_for
from tests.repo.source import ROOT, committed_files

pytestmark = pytest.mark.timeout(300)

PAGE = ROOT / "docs" / "tutorial.md"
URL = "https://example.org/indrik.git"
ADDRESS = "127.0.0.1"

#: Seconds for any step; installing is the longest.
PATIENCE = 120.0

#: What old workers have still to say behind the line "Reload complete", which does not wait for it. No output
#: on the page begins with such a line.
LATE = re.compile(r"(?:\[[^\n]*\] \[INFO\] Worker exiting \(pid: \d+\)\n)+")


def make_repository(folder: Path) -> None:
    """The tree under test, changes that are not committed included, as a repository to clone from."""
    for path in committed_files():
        target = folder / path.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
    who = ("-c", "user.name=test", "-c", "user.email=test@example.org", "-c", "commit.gpgsign=false")
    for command in (["init", "-q"], ["add", "-f", "."], [*who, "commit", "-q", "-m", "the tree under test"]):
        subprocess.run(["git", "-C", str(folder), *command], check=True, timeout=PATIENCE)


def link_build_tools(folder: Path) -> None:
    """What `pip install` would have fetched, and nothing else: no indrik."""
    folder.mkdir()
    tools = ["setuptools", "cython"] + (["tomli"] if sys.version_info < (3, 11) else [])
    for tool in tools:
        for file in importlib.metadata.files(tool) or []:
            first = file.parts[0]
            link = folder / first
            if first not in ("..", "__pycache__") and not link.is_symlink():
                link.symlink_to(Path(str(file.locate())).parents[len(file.parts) - 1] / first)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("newcomer")


@pytest.fixture(scope="module")
def environment(folder: Path) -> dict[str, str]:
    """A newcomer's, with a pip that finds all it needs on this machine."""
    link_build_tools(folder / "tools")
    home = folder / "home"
    home.mkdir()
    # A terminal sees no progress of curl; a file would.
    (home / ".curlrc").write_text("silent\nshow-error\n")
    programs = folder / "bin"
    programs.mkdir()
    (programs / "python3").symlink_to(getattr(sys, "_base_executable", sys.executable))
    return {
        "HOME": str(home),
        "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
        "LC_ALL": "C.UTF-8",
        "INDRIK_PURE": "1",
        "PYTHONPATH": str(folder / "tools"),
        "PIP_NO_INDEX": "1",
        # pip's own logic for a flag that begins with "no": 0 is no isolation.
        "PIP_NO_BUILD_ISOLATION": "0",
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        # The tests change files faster than byte code can tell.
        "PYTHONDONTWRITEBYTECODE": "1",
    }


@pytest.fixture(scope="module")
def page(folder: Path) -> str:
    """The text, with this run's addresses, and the build that this run makes."""
    pid = os.getpid()
    # The whole network 127.0.0.0/8 is this machine.
    own = f"127.{pid >> 16 & 0x7F | 0x80}.{pid >> 8 & 0xFF}.{pid & 0xFF}"
    text = PAGE.read_text(encoding="utf-8")
    for before, after in ((URL, str(folder / "indrik.git")), (ADDRESS, own), ("(compiled,", "(uncompiled,")):
        assert before in text
        text = text.replace(before, after)
    return text


@dataclass
class Newcomer:
    """Does what a page says, in two terminals. `seen` are the outputs of the page beside the real ones."""

    folder: Path
    environment: dict[str, str]
    terminals: dict[int, Terminal] = field(default_factory=dict)
    seen: list[tuple[str, str]] = field(default_factory=list)

    def follow(self, page: str) -> None:
        todo = list(steps(page))
        for step, after in zip(todo, [*todo[1:], None], strict=True):
            if isinstance(step, File):
                (self.working_folder / step.name).write_text(step.text, encoding="utf-8")
            elif isinstance(step, Commands):
                self.run(step, is_compared=isinstance(after, Output) and after.terminal == step.terminal)
            else:
                self.compare(step)

    @property
    def working_folder(self) -> Path:
        """Where the page works: it leads to a folder `shop` at first."""
        return self.folder / "shop"

    def terminal(self, number: int) -> Terminal:
        if number not in self.terminals:
            # Terminal 1 is the one in which the page begins; another is opened "in the same folder".
            begin = self.working_folder if self.working_folder.exists() else self.folder
            notes = self.folder / f"terminal-{number}"
            self.terminals[number] = Terminal(begin, notes, self.environment)
        return self.terminals[number]

    def run(self, commands: Commands, is_compared: bool) -> None:
        terminal = self.terminal(commands.terminal)
        terminal.wait_end(PATIENCE)
        if commands.terminal != 1:
            terminal.mark_read(terminal.unread())
        terminal.begin(commands.text)
        if not is_compared:
            status = terminal.wait_end(PATIENCE)
            assert status == 0, f"{commands.text}ended with {status}:\n{terminal.unread()}"
            terminal.mark_read(terminal.unread())

    def compare(self, output: Output) -> None:
        terminal, pattern = self.terminal(output.terminal), pattern_of(output.text)

        def find() -> re.Match[str] | None:
            if late := LATE.match(terminal.unread()):
                terminal.mark_read(late[0])
            return pattern.fullmatch(terminal.unread())

        try:
            found = wait_for(find, "an output", PATIENCE / 4)
        except AssertionError:
            real = terminal.unread()
            pytest.fail(f"{PAGE.name} says\n{output.text}\nbut really it is\n{real}", pytrace=False)
        assert found is not None
        terminal.mark_read(found[0])
        self.seen.append((output.text, found[0]))


@pytest.fixture(scope="module")
def newcomer(folder: Path, environment: dict[str, str]) -> Iterator[Newcomer]:
    make_repository(folder / "indrik.git")
    one = Newcomer(folder, environment)
    yield one
    for terminal in one.terminals.values():
        terminal.close()


def test_the_tutorial_as_written(newcomer: Newcomer, page: str) -> None:
    newcomer.follow(page)
    assert len(newcomer.seen) == len([step for step in steps(page) if isinstance(step, Output)])


def test_every_line_of_an_output_counts(newcomer: Newcomer) -> None:
    """No line of what was compared could be another one, or be missing."""
    assert newcomer.seen, "the tutorial has not been run"
    for shown, real in newcomer.seen:
        lines = shown.splitlines()
        for number, line in enumerate(lines):
            if line == GAP:
                continue
            before, after = lines[:number], lines[number + 1 :]
            assert not pattern_of("\n".join([*before, f"{line}!", *after])).fullmatch(real), line
            if GAP not in [*before[-1:], *after[:1]]:
                assert not pattern_of("\n".join([*before, *after])).fullmatch(real), line


def test_a_pid_is_the_same_within_an_output() -> None:
    pattern = pattern_of("worker (pid:7): dies, [8] then (pid: 7)")
    assert pattern.fullmatch("worker (pid:100): dies, [9] then (pid: 100)\n")
    assert not pattern.fullmatch("worker (pid:100): dies, [9] then (pid: 9)\n")


@pytest.mark.parametrize(
    "text",
    [
        "```\nx\n```\n",
        "```text\nx\n```\n",
        "```sh\nx\n```\nand\n```text\nx\n```\n",
        "<!-- fil: x -->\n```sh\nx\n```\n",
        "```sh\nx\n",
    ],
    ids=["no language", "output of nothing", "output with a text before it", "slip in the mark", "open"],
)
def test_a_block_that_nobody_understands(text: str) -> None:
    with pytest.raises(ValueError, match=r"block|fence"):
        list(steps(text))
