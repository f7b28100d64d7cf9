"""A chat over WebSocket and a stream of events in headless Chromium, two windows of it.

It runs where chromium and chromedriver are installed (Debian's packages `chromium` and `chromium-driver`).
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from docsite.browser import Window, open_window
from tests.integration.served import Server, serve

pytestmark = [
    pytest.mark.skipif(
        not (shutil.which("chromium") and shutil.which("chromedriver")),
        reason="chromium and chromedriver are not installed",
    ),
    pytest.mark.timeout(300),
]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    logs = tmp_path / "logs"
    logs.mkdir()
    arguments = ["--worker-class", "asgi", "--graceful-timeout", "5", "browser_app:application"]
    with serve(arguments, Path(__file__).parent, logs) as running:
        yield running


def test_chat_and_clock(server: Server) -> None:
    with open_window() as ada:
        with open_window() as bob:
            talk(server, [ada, bob])
        ada.run("say('alone')")
        ada.wait("return document.querySelectorAll('#said li').length == 3")
        # A worker that leaves tells the page so.
        assert server.stop() == 0
        assert ada.wait("return document.title != 'open' && document.title") == "closed 1012"
    for word in ("Traceback", "[ERROR]"):
        assert word not in server.error_log


def talk(server: Server, windows: list[Window]) -> None:
    """Ada and Bob hear each other, and the clock goes on beside it."""
    for name, window in zip(("ada", "bob"), windows, strict=True):
        window.open(f"{server.url}/?name={name}")
        assert window.wait("return document.title == 'open'")
    windows[0].run("say('hello, é')")
    windows[1].wait("return document.querySelectorAll('#said li').length == 1")
    windows[1].run("say('x'.repeat(100000))")
    for window in windows:
        window.wait("return document.querySelectorAll('#said li').length == 2")
        said = window.run("return Array.from(document.getElementsByTagName('li'), line => line.textContent)")
        assert said == ["ada: hello, é", "bob: " + "x" * 100000]
        # The clock goes on.
        first = int(window.wait("return document.getElementById('clock').textContent"))
        window.wait(f"return Number(document.getElementById('clock').textContent) > {first + 2}")
