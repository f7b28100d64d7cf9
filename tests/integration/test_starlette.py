"""Starlette's own tests of requests, responses and WebSockets pass over a real socket as on uvicorn.

They come from the source distribution of the installed version, which is downloaded when the tests run for
the first time. `starlette_live.toml` says which cannot pass over a socket.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path

import pytest

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

HERE = Path(__file__).parent
CACHE = HERE.parents[1] / "build" / "starlette"
MODULES = ("test_requests.py", "test_responses.py", "test_websockets.py")


def sources() -> Path:
    """The source distribution, unpacked."""
    name = f"starlette-{version('starlette')}"
    archive = CACHE / f"{name}.tar.gz"
    if not archive.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        command = [
            sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", "starlette",
            "--no-build-isolation", "--dest", str(CACHE), name.replace("-", "=="),
        ]  # fmt: skip
        got = subprocess.run(command, capture_output=True, text=True, timeout=240)
        if got.returncode:
            pytest.skip(f"cannot download {archive.name}: {got.stderr[-500:]}")
    return archive


def unpack(archive: Path, folder: Path) -> None:
    with tarfile.open(archive) as tar:
        tar.extractall(folder, filter="data")
    (inner,) = folder.iterdir()
    # The installed package is the one under test, not the one beside the tests.
    shutil.rmtree(inner / "starlette")
    shutil.copy(HERE / "starlette_live.py", inner / "tests" / "conftest.py")


def run(server: str, archive: Path, tmp_path: Path, tests: Iterable[str]) -> tuple[dict[str, str], str]:
    """How each of `tests` has ended on `server`, and the end of what was written meanwhile."""
    folder, results, log = (tmp_path / f"{server}{suffix}" for suffix in ("", ".json", ".log"))
    folder.mkdir()
    unpack(archive, folder)
    (inner,) = folder.iterdir()
    command = [
        sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist",
        "-c", os.devnull, "--rootdir", ".", "--timeout", "60", *tests,
    ]  # fmt: skip
    environment = {**os.environ, "LIVE_SERVER": server, "LIVE_RESULTS": str(results)}
    with open(log, "wb") as out:
        subprocess.run(command, cwd=inner, env=environment, stdout=out, stderr=out, check=False)
    said = log.read_text(errors="replace")[-5000:]
    assert results.exists(), said
    return dict(map(json.loads, results.read_text().splitlines())), said


@pytest.mark.timeout(600)
def test_its_own_tests_pass_as_on_uvicorn(tmp_path: Path) -> None:
    """What fails on indrik fails on uvicorn too; so uvicorn runs nothing else."""
    archive = sources()
    outcomes, log = run("indrik", archive, tmp_path, [f"tests/{module}" for module in MODULES])
    assert len(outcomes) > 150, log
    failed = {name for name, outcome in outcomes.items() if outcome == "failed"}
    reasons = tomllib.loads((HERE / "starlette_live.toml").read_text())
    known = {name for names in reasons.values() for name in names}
    assert {name.partition("::")[2].partition("[")[0] for name in failed} <= known, log
    on_uvicorn, said = run("uvicorn", archive, tmp_path, sorted(failed))
    assert on_uvicorn.keys() == failed, said
    assert {name for name in failed if on_uvicorn[name] != "failed"} == set(), log
