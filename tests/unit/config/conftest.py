"""The machine's environment must not decide what these tests see."""

from __future__ import annotations

import pytest

VARIABLES = (
    "PORT",
    "WEB_CONCURRENCY",
    "FORWARDED_ALLOW_IPS",
    "SENDFILE",
    "INDRIK_CMD_ARGS",
    "GUNICORN_CMD_ARGS",
)


@pytest.fixture(autouse=True)
def no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in VARIABLES:
        monkeypatch.delenv(variable, raising=False)
