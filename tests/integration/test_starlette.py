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


@pytest.mark.timeout(600)
def test_its_own_tests_pass_as_on_uvicorn(tmp_path: Path) -> None:
    archive = sources()
    runs = {}
    for server in ("indrik", "uvicorn"):
        folder = tmp_path / server
        folder.mkdir()
        unpack(archive, folder)
        (inner,) = folder.iterdir()
        results = str(tmp_path / f"{server}.json")
        environment = {**os.environ, "LIVE_SERVER": server, "LIVE_RESULTS": results}
        command = [
            sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist",
            "-c", os.devnull, "--rootdir", ".", "--timeout", "60", *(f"tests/{module}" for module in MODULES),
        ]  # fmt: skip
        with open(tmp_path / f"{server}.log", "wb") as out:
            runs[server] = subprocess.Popen(command, cwd=inner, env=environment, stdout=out, stderr=out)
    for run in runs.values():
        run.wait()
    outcomes = {server: _outcomes(tmp_path / f"{server}.json") for server in runs}
    log = (tmp_path / "indrik.log").read_text()[-5000:]
    assert len(outcomes["indrik"]) > 150, log
    assert outcomes["indrik"].keys() == outcomes["uvicorn"].keys()
    failed = {name for name, outcome in outcomes["indrik"].items() if outcome == "failed"}
    on_uvicorn = {name for name, outcome in outcomes["uvicorn"].items() if outcome == "failed"}
    assert failed <= on_uvicorn, log
    reasons = tomllib.loads((HERE / "starlette_live.toml").read_text())
    known = {name for names in reasons.values() for name in names}
    assert {name.partition("::")[2].partition("[")[0] for name in failed} <= known, log


def _outcomes(path: Path) -> dict[str, str]:
    return dict(map(json.loads, path.read_text().splitlines()))
