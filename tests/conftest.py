"""What holds for every test: which build is under test, that two runs do the same, which tests one build is
enough for, and which begin first.
"""

from __future__ import annotations

import gc
import importlib.util
import os
from collections.abc import Generator, Sequence
from pathlib import Path

import pytest
from hypothesis import settings

# The same examples in every run; found ones become tests of their own. No deadline: the machine may be busy.
settings.register_profile("suite", derandomize=True, deadline=None)
settings.load_profile("suite")

# One of the compiled modules stands for all: they are built together or not at all.
COMPILED_MODULE = "indrik.scoreboard.slot"
SUFFIXES = {".py": "uncompiled", ".so": "compiled"}

#: Tests of what is compiled in neither build: text and tables, command line, log, sessions, modules of the
#: master, tools, and what the tests themselves are made of. `make test` runs them on the compiled package
#: only. Where one of them starts a server, it looks at what happens before a client comes, or at what the
#: suite for worker kinds finds.
NEVER_COMPILED = (
    "tests/repo/",
    "tests/unit/app/",
    "tests/unit/arbiter/test_failures.py",
    "tests/unit/arbiter/test_pidfile.py",
    "tests/unit/arbiter/test_plan.py",
    "tests/unit/arbiter/test_wakeup.py",
    "tests/unit/bench/",
    "tests/unit/config/",
    "tests/unit/conformance/",
    "tests/unit/docsite/",
    "tests/unit/ext/",
    "tests/unit/net/",
    "tests/unit/release/",
    "tests/unit/sessions/",
    "tests/unit/test_quotas.py",
    "tests/unit/test_signals.py",
    "tests/unit/test_variants.py",
    "tests/unit/workers/test_reloader.py",
    "tests/process/test_cli.py",
    "tests/process/test_cli_serving.py",
    "tests/process/test_paste.py",
    "tests/integration/test_flask.py::TestShapes",
    # Installs what it tests, uncompiled.
    "tests/integration/test_tutorial.py",
    "tests/integration/test_run_simple.py::test_refused",
    "tests/workers/test_suite.py",
)

#: The longest tests, the longest first. Each process begins with one of them, because one that begins last
#: leaves the others without work.
LONGEST = (
    "tests/integration/test_starlette.py",
    "tests/integration/test_suites.py::test_flask",
    "tests/integration/test_suites.py::test_werkzeug",
    "tests/process/test_wheel.py",
    "tests/repo/test_build.py",
    "tests/integration/test_tutorial.py",
    "tests/integration/test_flask_teardowns.py",
    "tests/process/test_asgi_crowd.py",
    "tests/integration/test_pywsgi_suite.py",
    "tests/integration/test_browser.py",
    "tests/process/test_attack.py",
    "tests/workers/test_kinds.py::test_promises_by_one_server",
)

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
    parser.addoption(
        "--skip-never-compiled",
        action="store_true",
        help="leave out the tests of what is compiled in neither build: the run of the other build has them",
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


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Without the garbage collector: collecting makes a million objects that stay. Looking at them again and
    again is a third of what it costs, in each process that runs tests. Nor are they looked at later.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Whole files that are left out need not even be read."""
    if not config.getoption("--skip-never-compiled"):
        return None
    name = collection_path.relative_to(config.rootpath).as_posix()
    return True if name in NEVER_COMPILED or f"{name}/" in NEVER_COMPILED else None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--skip-never-compiled"):
        left_out = [item for item in items if item.nodeid.startswith(NEVER_COMPILED)]
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if not item.nodeid.startswith(NEVER_COMPILED)]
    processes = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    items[:] = [items[index] for index in order([item.nodeid for item in items], processes)]


def order(names: Sequence[str], processes: int) -> list[int]:
    """Indices of the tests in the order in which they are begun, where each process gets an equal share of
    what is left, one after the other. What begins with one of LONGEST stays together, at the head of a share;
    the order is otherwise kept: neighbours share servers.
    """
    others = [index for index, name in enumerate(names) if not name.startswith(LONGEST)]
    heads: list[list[int]] = [[] for _ in range(processes)]
    groups = [[index for index, name in enumerate(names) if name.startswith(one)] for one in LONGEST]
    for number, group in enumerate(filter(None, groups)):
        heads[number % processes] += group
    found: list[int] = []
    for number, head in enumerate(heads):
        share = (len(names) - len(found)) // (processes - number)
        more = max(0, share - len(head))
        found += head + others[:more]
        del others[:more]
    return found


@pytest.fixture(scope="session", autouse=True)
def no_byte_code() -> None:
    """Of applications that tests change: it is taken for current when second and size are the same."""
    os.environ["PYTHONDONTWRITEBYTECODE"] = "1"


def pytest_report_header() -> str:
    found, path = installed()
    return f"indrik: {found}, from {path.parent}"
