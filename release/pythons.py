"""The CPythons that wheels are made for, each with an environment that has the build's two tools."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from release.steps import ROOT, ReleaseError, clean_environment, module, run, say

ENVIRONMENTS = ROOT / ".venv-release" / "pythons"
REQUIREMENTS = Path(__file__).with_name("requirements-build.txt")
ASK = "import sys; print(sys.implementation.name, '%d.%d' % sys.version_info[:2], sys.version.split()[0])"


@dataclass(frozen=True)
class Python:
    """An interpreter. `version` is "3.11", `tag` "cp311", and `path` its executable."""

    path: Path
    version: str
    full_version: str

    @property
    def tag(self) -> str:
        return "cp" + self.version.replace(".", "")


def python_at(path: Path) -> Python:
    """The interpreter at a path. ReleaseError if it is no CPython that indrik supports."""
    name, version, full_version = run([path, "-c", ASK]).split()
    if name != "cpython" or tuple(map(int, version.split("."))) < (3, 10):
        raise ReleaseError(f"{path} is {name} {version}: wheels are made for CPython 3.10 and newer")
    return Python(path, version, full_version)


def find(paths: Sequence[Path]) -> list[Python]:
    """The CPythons at these paths, or all on PATH or under pyenv if there are none: the oldest first."""
    if not paths:
        lines = run([ROOT / "tools" / "find-pythons"]).splitlines()
        paths = [Path(line.split(" ", 1)[1]) for line in lines]
    if not paths:
        raise ReleaseError("no python3.1x on PATH or under pyenv: install one, or name it with --python")
    found = {python.tag: python for python in map(python_at, paths)}
    return sorted(found.values(), key=lambda python: int(python.tag.removeprefix("cp3")))


def make_environment(python: Python, folder: Path) -> Path:
    """A fresh virtual environment without pip; its interpreter."""
    shutil.rmtree(folder, ignore_errors=True)
    run([python.path, "-m", "venv", "--without-pip", folder])
    return folder / "bin" / "python"


def prepare(python: Python) -> Path:
    """The interpreter of the environment with the build's tools, which is made unless it is there."""
    run([ROOT / "tools" / "preflight", python.path])
    folder = ENVIRONMENTS / python.version
    mark = folder / "complete"
    wanted = f"{python.path} {python.full_version}\n{REQUIREMENTS.read_text(encoding='utf-8')}"
    if mark.exists() and mark.read_text(encoding="utf-8") == wanted:
        return folder / "bin" / "python"
    say(f"tools to build with Python {python.full_version}")
    inner = make_environment(python, folder)
    pip = module("pip", "--python", inner, "install", "--quiet", "-r", REQUIREMENTS)
    run(pip, env=clean_environment(Path.home()))
    mark.write_text(wanted, encoding="utf-8")
    return inner
