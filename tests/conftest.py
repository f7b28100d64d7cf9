"""What holds for every test: which build is under test, and that two runs do the same."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

import pytest
from hypothesis import settings

# The same examples in every run; found ones become tests of their own. No deadline: the machine may be busy.
settings.register_profile("suite", derandomize=True, deadline=None)
settings.load_profile("suite")

# One of the compiled modules stands for all: they are built together or not at all.
COMPILED_MODULE = "indrik.scoreboard"
SUFFIXES = {".py": "uncompiled", ".so": "compiled"}

# Beginnings of environment variables that a server reads.
CONFIGURING = ("INDRIK_", "GUNICORN_", "WEB_CONCURRENCY", "PORT", "FORWARDED_ALLOW_IPS", "SENDFILE")


def installed() -> tuple[str, Path]:
    """The build that `import indrik` finds ("compiled" or "uncompiled") and the file that shows it."""
    spec = importlib.util.find_spec(COMPILED_MODULE)
    if spec is None or spec.origin is None:
        raise pytest.UsageError(f"cannot import {COMPILED_MODULE}: run `make build`, or set PYTHONPATH=src")
    path = Path(spec.origin)
    return SUFFIXES[path.suffix], path


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--build",
        choices=sorted(SUFFIXES.values()),
        help="stop unless the installed indrik is this build, so that a run cannot test the wrong one",
    )


def pytest_configure(config: pytest.Config) -> None:
    wanted = config.getoption("--build")
    found, path = installed()
    if wanted is not None and wanted != found:
        raise pytest.UsageError(f"--build={wanted}, but {path} is {found}")
    # Servers under test are configured by the tests alone, not by whoever runs them.
    for name in [name for name in os.environ if name.startswith(CONFIGURING)]:
        del os.environ[name]
    # They are started in other folders, where PYTHONPATH=src would mean something else.
    if path_variable := os.environ.get("PYTHONPATH"):
        os.environ["PYTHONPATH"] = os.pathsep.join(map(os.path.abspath, path_variable.split(os.pathsep)))


def pytest_report_header() -> str:
    found, path = installed()
    return f"indrik: {found}, from {path.parent}"
