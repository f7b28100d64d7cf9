"""An application with sessions on the server, and a browser."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask

from indrik.flask import Session
from tests.unit.ext.browser import Client, make_app, store_of


@pytest.fixture
def app(tmp_path: Path) -> Iterator[Flask]:
    made = make_app(SESSION_DATABASE=str(tmp_path / "sessions"))
    Session(made)
    yield made
    store_of(made).close()


@pytest.fixture
def client(app: Flask) -> Client:
    return Client(app)
