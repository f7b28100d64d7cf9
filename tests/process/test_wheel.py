"""A wheel of this tree, of the build under test, serves where there is neither a compiler nor a network.

`make wheels` does it for each file that is published. Here the build goes on from what the installation of
the package under test has left below build/, so little is left to compile.
"""

from __future__ import annotations

import contextlib
import fcntl
import importlib.util
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from release import contents
from release.__main__ import compiled_modules
from release.steps import ReleaseError
from release.trial import Trial
from tests.repo.source import ROOT, SRC

COMPILED = str(importlib.util.find_spec("indrik.scoreboard.slot").origin).endswith(".so")  # type: ignore[union-attr]
BACKEND = "import sys; from setuptools import build_meta; build_meta.build_wheel(sys.argv[1])"


@contextlib.contextmanager
def only_build() -> Iterator[None]:
    """The lock that the Makefile takes too: builds of one tree share its folder build/."""
    folder = ROOT / "build"
    folder.mkdir(exist_ok=True)
    with open(folder / ".lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> contents.Wheel:
    folder = tmp_path_factory.mktemp("dist")
    with only_build():
        made = subprocess.run(
            [sys.executable, "-c", BACKEND, folder],
            cwd=ROOT,
            env={**os.environ, "INDRIK_PURE": "0" if COMPILED else "1"},
            capture_output=True,
            text=True,
            check=False,
        )
    assert made.returncode == 0, made.stdout + made.stderr
    (path,) = folder.iterdir()
    return contents.read(path)


# Where nothing has been compiled in this tree yet, all of it is compiled here.
@pytest.mark.timeout(900)
def test_it_serves(wheel: contents.Wheel, tmp_path: Path) -> None:
    trial = Trial(Path(sys.executable), tmp_path)
    # tomli, on Python 3.10, is not in reach, and not needed without a configuration in TOML.
    trial.install(wheel.path, [], "--no-deps")
    line = trial.check_build(COMPILED, compiled_modules(ROOT))
    assert sys.version.split()[0] in line
    with pytest.raises(ReleaseError, match="indrik --version says"):
        trial.check_build(not COMPILED, [])
    trial.check_serving()
    (tmp_path / "applications.py").write_text("import missing\n")
    with pytest.raises(ReleaseError, match=r"(?s)serving WSGI: .* Its log:.*No module named 'missing'"):
        trial.check_serving()


@pytest.mark.timeout(900)
def test_what_is_in_it(wheel: contents.Wheel) -> None:
    found = contents.faults(wheel, SRC / "indrik", compiled_modules(ROOT), [ROOT])
    # What only `make wheels` does: it strips, and gives the tag of manylinux.
    found = [fault for fault in found if "debuggers" not in fault and "platform tag" not in fault]
    assert not found
    assert not [name for name in wheel.files if name.endswith((".pxd", ".c"))]
