"""The test suites of other projects: fetched when they are needed, of one version, checked by hash, never
kept in the repository.
"""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import tarfile
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
STORE = ROOT / "build" / "suites"

#: Seconds for a download, and for a whole suite.
PATIENCE = 600

SDISTS = {
    "flask==3.1.3": "0ef0e52b8a9cd932855379197dd8f94047b359ca0a78695144304cb45f87c9eb",
    "werkzeug==3.1.8": "9bad61a4268dac112f1c5cd4630a56ede601b6ed420300677a869083d70a4c44",
}
#: What the suites need: they reach into pytest's internals, which have changed since.
PACKAGES = ("pytest==8.4.2", "ephemeral-port-reserve==1.1.4", "python-dotenv==1.2.1")


@contextmanager
def _locked() -> Iterator[None]:
    """One process at a time: tests may run side by side."""
    STORE.mkdir(parents=True, exist_ok=True)
    with open(STORE / ".lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _pip(*arguments: str) -> None:
    command = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", *arguments]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert ended.returncode == 0, f"{' '.join(command)}\n{ended.stdout}{ended.stderr}"


def source_of(release: str) -> Path:
    """The unpacked source distribution of one of SDISTS."""
    name = release.replace("==", "-")
    with _locked():
        folder = STORE / name
        if not folder.is_dir():
            wanted = STORE / f"{name}.txt"
            wanted.write_text(f"{release} --hash=sha256:{SDISTS[release]}\n")
            target = ["--dest", str(STORE), "--requirement", str(wanted)]
            _pip("download", "--no-deps", "--no-binary=:all:", "--require-hashes", *target)
            fresh = STORE / f"{name}.unpacking"
            with tarfile.open(STORE / f"{name}.tar.gz") as archive:
                if hasattr(tarfile, "data_filter"):
                    archive.extractall(fresh, filter="data")
                else:
                    archive.extractall(fresh)
            (fresh / name).rename(folder)
            fresh.rmdir()
        return folder


def packages_folder() -> Path:
    """Where PACKAGES are, for PYTHONPATH."""
    folder = STORE / "packages"
    with _locked():
        if not folder.is_dir():
            fresh = folder.with_suffix(".installing")
            _pip("install", "--target", str(fresh), *PACKAGES)
            fresh.rename(folder)
    return folder


def run_suite(
    folder: Path, arguments: Sequence[str], report: Path, environment: Mapping[str, str]
) -> dict[str, str]:
    """Runs pytest in `folder`: each test's name, `tests.test_x.test_y[z]`, and how it ended: passed, failed
    or skipped.
    """
    own = [str(packages_folder()), str(ROOT)]
    path = os.pathsep.join([*own, *filter(None, [os.environ.get("PYTHONPATH")])])
    plugins = ["cacheprovider", "xdist"]
    command = [sys.executable, "-m", "pytest", "-q", "--timeout=120", *(f"-pno:{name}" for name in plugins)]
    ended = subprocess.run(
        [*command, f"--junitxml={report}", *arguments],
        cwd=folder,
        env={**os.environ, **environment, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert ended.returncode in (0, 1), f"{ended.stdout[-5000:]}{ended.stderr[-5000:]}"
    outcomes: dict[str, str] = {}
    for case in ET.parse(report).iter("testcase"):
        name = f"{case.get('classname')}.{case.get('name')}"
        ways = {child.tag for child in case}
        outcome = "failed" if ways & {"failure", "error"} else "skipped" if "skipped" in ways else "passed"
        # A test that passes and whose end fails is there twice.
        if outcomes.get(name) != "failed":
            outcomes[name] = outcome
    return outcomes
