"""Each test runs in a directory of its own, and what it imports, enters and sets is undone."""

from __future__ import annotations

import importlib
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from indrik.signals import KEPT_SIGNALS

VARIABLES = (
    "PORT",
    "WEB_CONCURRENCY",
    "FORWARDED_ALLOW_IPS",
    "SENDFILE",
    "INDRIK_CMD_ARGS",
    "GUNICORN_CMD_ARGS",
)


@pytest.fixture(autouse=True)
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    for variable in VARIABLES:
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["indrik"])
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "path", list(sys.path))
    importlib.invalidate_caches()
    known = set(sys.modules)
    handlers = {number: signal.getsignal(number) for number in KEPT_SIGNALS}
    yield tmp_path
    for number, handler in handlers.items():
        signal.signal(number, handler)
    for name in set(sys.modules) - known:
        if not name.startswith("indrik"):
            del sys.modules[name]
