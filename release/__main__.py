"""The command line: python -m release. `make wheels` makes its environment and calls it.

Builds into dist/, checks what is in each file, and tries each one out. Some minutes for each Python; --twice
doubles that.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from release import building, contents, pythons
from release.pythons import Python
from release.steps import ROOT, ReleaseError, clean_environment, module, run, say
from release.trial import Trial

WORK = ROOT / "build" / "release"
OUT = ROOT / "dist"


def compiled_modules(source: Path) -> list[str]:
    """The modules that setup.py compiles."""
    spec = importlib.util.spec_from_file_location("setup", source / "setup.py")
    assert spec is not None
    assert spec.loader is not None
    setup = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(setup)
    return [extension.name for extension in setup.extensions()]


def check_files(files: Sequence[Path], found: Sequence[Python]) -> None:
    """The metadata of all files, and the contents of the wheels."""
    say("metadata and contents")
    print(run(module("twine", "check", "--strict", *files)).strip())
    places = {ROOT, Path.home(), *(python.path.parent.parent for python in found)}
    for path in files:
        if path.suffix == ".whl":
            named = places - {Path("/"), Path("/usr"), Path("/usr/local")}
            source = ROOT / "src" / "indrik"
            contents.check(contents.read(path), source, compiled_modules(ROOT), named)


def download(found: Sequence[Python], folder: Path) -> None:
    """What may be needed beside dist/: tomli for Python 3.10, and the build's tools for the sdist."""
    folder.mkdir(exist_ok=True)
    environment = clean_environment(Path.home())
    oldest = found[0]
    if oldest.version == "3.10":
        run(pip_download(oldest.path, folder, "tomli>=2"), env=environment)
    newest = pythons.prepare(found[-1])
    run(pip_download(newest, folder, "-r", pythons.REQUIREMENTS), env=environment)


def pip_download(python: Path, folder: Path, *what: str | Path) -> list[str | Path]:
    return module("pip", "--python", python, "download", "--quiet", "--no-deps", "--dest", folder, *what)


def try_out(path: Path, python: Python, folder: Path, modules: Sequence[str]) -> None:
    """Install one file under one Python, and let it serve."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    trial = Trial(python.path, folder)
    compiled = path.suffix == ".whl" and contents.read(path).is_compiled
    links = [OUT, WORK / "downloads"]
    if compiled:
        # By name, as users do: pip has to find that this file fits this Python and this glibc.
        trial.install("indrik", links, "--only-binary", ":all:")
    else:
        trial.install(path, links)
    line = trial.check_build(compiled, modules)
    trial.check_serving()
    print(f"{path.name}: {line}, serves", flush=True)


def try_all(files: Sequence[Path], found: Sequence[Python]) -> None:
    """Each compiled wheel under its Python, the uncompiled one under all, the sdist under the newest."""
    say("trials without a compiler and without a network")
    download(found, WORK / "downloads")
    modules = compiled_modules(ROOT)
    with tempfile.TemporaryDirectory(prefix="indrik-") as folder:
        for path in files:
            for number, python in enumerate(fitting(path, found)):
                try_out(path, python, Path(folder, f"{files.index(path)}-{number}"), modules)


def fitting(path: Path, found: Sequence[Python]) -> list[Python]:
    """The Pythons under which a file is tried out."""
    if path.suffix != ".whl":
        return [found[-1]]
    return [python for python in found if contents.read(path).tags[0] in ("py3", python.tag)]


def compare(files: Sequence[Path], others: Sequence[Path]) -> None:
    """Raise ReleaseError unless both have the same bytes."""
    different = [
        one.name
        for one, other in zip(files, others, strict=True)
        if one.name != other.name or one.read_bytes() != other.read_bytes()
    ]
    if different:
        where = f"in {files[0].parent} and {others[0].parent}"
        raise ReleaseError(f"built twice, and not the same: {', '.join(different)}, {where}")
    say("built twice: the same bytes")


def main(argv: Sequence[str] | None = None) -> int:
    """The status for the shell: 0 if all files are made and all checks pass."""
    parser = argparse.ArgumentParser("python -m release", description="Build and check what is published.")
    parser.add_argument(
        "--python", action="append", type=Path, default=[], help="a CPython to build for (default: all found)"
    )
    parser.add_argument(
        "--twice", action="store_true", help="build again in another folder, and compare the bytes"
    )
    options = parser.parse_args(argv)
    begin = time.monotonic()
    try:
        found = pythons.find(options.python)
        if building.has_changes():
            say("there is something that is not in a commit: these files are not to be published")
        files = building.build_all(found, WORK / "first", OUT)
        if options.twice:
            compare(files, building.build_all(found, WORK / "again", WORK / "again-dist"))
        check_files(files, found)
        try_all(files, found)
    except ReleaseError as error:
        print(f"release: {error}", file=sys.stderr)
        return 1
    for path in files:
        print(f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.stat().st_size:>9}  {path.name}")
    say(f"{len(files)} files in {OUT.name}/, all checks passed, in {time.monotonic() - begin:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
