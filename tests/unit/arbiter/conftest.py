"""Stand-ins for what the arbiter's parts are given: a log that remembers, a worker, a configuration."""

from __future__ import annotations

from typing import Any

import pytest


class MemoryLog:
    """Remembers what was logged as (level, text)."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, str]] = []

    def __getattr__(self, level: str) -> Any:
        if level not in ("critical", "error", "warning", "info", "debug", "exception"):
            raise AttributeError(level)
        return lambda text, *values, **_: self.lines.append((level, text % values if values else text))

    def texts(self, level: str) -> list[str]:
        return [text for known, text in self.lines if known == level]


@pytest.fixture
def log() -> MemoryLog:
    return MemoryLog()
