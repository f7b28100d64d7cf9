"""The test suites of Flask and Werkzeug, with indrik in place of what they call or start themselves."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from tests.integration.suites import run_suite, source_of

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

FOLDER = Path(__file__).parent
REASONS: dict[str, dict[str, str]] = tomllib.loads((FOLDER / "suite_failures.toml").read_text("utf-8"))

#: One kind takes ten seconds. The others run when the environment variable SUITES says `all`.
KINDS = ["sync", "gthread"] if os.environ.get("SUITES") == "all" else ["sync"]


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
