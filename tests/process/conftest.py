"""Fixtures that start the real command and see to it that nothing of it outlives the test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.process.server import APP, Server

ServerFactory = Callable[..., Server]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the server runs; holds app.py."""
    (tmp_path / "app.py").write_text(APP)
    return tmp_path


@pytest.fixture
def serve(folder: Path) -> Iterator[ServerFactory]:
    """Starts servers: `serve("--workers", "2")`. They are killed after the test, with all their children."""
    started: list[Server] = []

    def start(*arguments: str, **options: object) -> Server:
        started.append(Server(folder, *arguments, **options))  # type: ignore[arg-type]
        return started[-1]

    yield start
    for server in started:
        server.kill_all()
