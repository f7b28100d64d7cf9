"""The example of a worker kind of one's own: it serves, and keeps the promises of every kind."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from indrik.testing import NOT_PROMISED, check_worker
from tests.integration.served import NO_TLS, serve
from tests.workers.kinds import ALONE, TOGETHER

FOLDER = Path(__file__).resolve().parents[2] / "examples" / "own_worker"


def test_it_serves(tmp_path: Path) -> None:
    with serve(["-k", "worker.SelectorWorker", "app"], FOLDER, tmp_path) as server:
        assert httpx.get(server.url, verify=NO_TLS).text == "served by a kind of our own\n"


@pytest.mark.timeout(600)
@pytest.mark.parametrize("names", [TOGETHER, *((name,) for name in ALONE)], ids=lambda names: names[0])
def test_it_keeps_its_promises(monkeypatch: pytest.MonkeyPatch, names: tuple[str, ...]) -> None:
    monkeypatch.syspath_prepend(FOLDER)
    report = check_worker("worker.SelectorWorker", only=names)
    report.raise_if_broken()
    if names == ("times_out_requests",):
        # It does not enforce request_timeout, so it must refuse it.
        assert [outcome.verdict for outcome in report.outcomes] == [NOT_PROMISED]


def test_the_suite_on_the_command_line() -> None:
    command = [sys.executable, "-m", "indrik.testing", "-k", "worker.SelectorWorker", "--only", "serves"]
    made = subprocess.run(command, cwd=FOLDER, capture_output=True, text=True, timeout=60, check=False)
    assert made.returncode == 0, made.stdout + made.stderr
    assert "1 kept, 0 broken" in made.stdout
