"""The test suites of Flask and Werkzeug, with indrik in place of what they call or start themselves."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest

from indrik.workers import SUPPORTED_WORKERS
from tests.integration.suites import run_suite, source_of

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

FOLDER = Path(__file__).parent
REASONS: dict[str, dict[str, str]] = tomllib.loads((FOLDER / "suite_failures.toml").read_text("utf-8"))

#: Every kind that serves WSGI applications, the names of one kind once.
WSGI_KINDS = {path: kind for kind, path in reversed(SUPPORTED_WORKERS.items()) if kind != "asgi"}
#: One kind takes ten seconds. The others run when the environment variable SUITES says `all`.
KINDS = sorted(WSGI_KINDS.values()) if os.environ.get("SUITES") == "all" else ["sync"]


def failed(outcomes: dict[str, str]) -> set[str]:
    return {name for name, outcome in outcomes.items() if outcome == "failed"}


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("kind", KINDS)
def test_flask(kind: str, tmp_path: Path) -> None:
    """Each request of Flask's test client goes over a socket."""
    outcomes = run_suite(
        source_of("flask==3.1.3"),
        ["-p", "tests.integration.flask_wire", "tests"],
        tmp_path / "report.xml",
        {"FLASK_WIRE_KIND": kind},
    )
    assert failed(outcomes) == set(REASONS["flask"])
    assert len(outcomes) >= 488
    assert list(outcomes.values()).count("passed") >= 482


#: With TLS the server does not start, and the suite waits for it without an end.
NOT_RUN = ("test_server[https]", "test_ssl_dev_cert", "test_ssl_object")

#: Tests of Werkzeug's reloader itself, which do not start a server.
NOT_OURS = ("test_watchdog_reloader_ignores_opened", "test_watchdog_reloader_ignores_closed_no_write")


@pytest.mark.timeout(1200)
def test_werkzeug(tmp_path: Path) -> None:
    """The programs of its server tests, with one import changed."""
    project = tmp_path / "werkzeug"
    shutil.copytree(source_of("werkzeug==3.1.8"), project, ignore=shutil.ignore_patterns("src", "docs"))
    for name, line in (
        ("live_apps/run.py", "from werkzeug.serving import run_simple\n"),
        ("test_serving.py", "from werkzeug import run_simple\n"),
    ):
        file = project / "tests" / name
        text = file.read_text()
        assert line in text
        file.write_text(text.replace(line, "from indrik.werkzeug import run_simple\n"))
    # The suite gives its programs a PYTHONPATH of its own.
    run = project / "tests" / "live_apps" / "run.py"
    places = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    run.write_text(f"import sys\nsys.path[1:1] = {list(filter(None, places))!r}\n{run.read_text()}")
    outcomes = run_suite(
        project,
        ["tests/test_serving.py", *(f"--deselect=tests/test_serving.py::{name}" for name in NOT_RUN)],
        tmp_path / "report.xml",
        {},
    )
    assert failed(outcomes) | {f"tests.test_serving.{name}" for name in NOT_RUN} == set(REASONS["werkzeug"])
    reloading = {name for name in outcomes if "reloader" in name}
    assert {outcomes[name] for name in reloading if not name.endswith(NOT_OURS)} <= {"passed", "skipped"}
