"""A chat over WebSocket and a stream of events in headless Chromium, two windows of it.

It runs where chromium and chromedriver are installed (Debian's packages `chromium` and `chromium-driver`).
"""

from __future__ import annotations

import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.integration.served import DEADLINE, Server, serve

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")

pytestmark = [
    pytest.mark.skipif(not (CHROMIUM and DRIVER), reason="chromium and chromedriver are not installed"),
    pytest.mark.timeout(300),
]

FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--disable-dev-shm-usage",
)  # fmt: skip


class Window:
    """One browser, driven by the WebDriver protocol (W3C)."""

    def __init__(self, driver: httpx.Client, profile: Path) -> None:
        options = {"binary": CHROMIUM, "args": [*FLAGS, f"--user-data-dir={profile}"]}
        wanted = {"capabilities": {"alwaysMatch": {"goog:chromeOptions": options}}}
        self._driver = driver
        self._path = f"/session/{self._post('/session', wanted)['sessionId']}"

    def _post(self, path: str, body: dict[str, Any]) -> Any:
        answer = self._driver.post(path, json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()["value"]

    def open(self, url: str) -> None:
        self._post(f"{self._path}/url", {"url": url})

    def run(self, script: str) -> Any:
        return self._post(f"{self._path}/execute/sync", {"script": script, "args": []})

    def wait(self, script: str) -> Any:
        """The first value of `script` that counts as true."""
        give_up_at = time.monotonic() + DEADLINE
        while not (value := self.run(script)):
            assert time.monotonic() < give_up_at, script
            time.sleep(0.05)
        return value

    def close(self) -> None:
        self._driver.delete(self._path)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    logs = tmp_path / "logs"
    logs.mkdir()
    arguments = ["--worker-class", "asgi", "--graceful-timeout", "5", "browser_app:application"]
    with serve(arguments, Path(__file__).parent, logs) as running:
        yield running


@pytest.fixture
def driver(tmp_path: Path) -> Iterator[httpx.Client]:
    assert DRIVER is not None
    log = tmp_path / "driver.log"
    with open(log, "wb") as out:
        process = subprocess.Popen([DRIVER, "--port=0"], stdout=out, stderr=out)
    try:
        give_up_at = time.monotonic() + DEADLINE
        while not (found := re.search(r"successfully on port (\d+)", log.read_text())):
            assert time.monotonic() < give_up_at, log.read_text()
            time.sleep(0.05)
        with httpx.Client(base_url=f"http://127.0.0.1:{found[1]}", timeout=120, trust_env=False) as client:
            yield client
    finally:
        process.terminate()
        process.wait(DEADLINE)


def test_chat_and_clock(server: Server, driver: httpx.Client, tmp_path: Path) -> None:
    windows = [Window(driver, tmp_path / name) for name in ("ada", "bob")]
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
    windows[1].close()
    windows[0].run("say('alone')")
    windows[0].wait("return document.querySelectorAll('#said li').length == 3")
    # A worker that leaves tells the page so.
    assert server.stop() == 0
    assert windows[0].wait("return document.title != 'open' && document.title") == "closed 1012"
    windows[0].close()
    for word in ("Traceback", "[ERROR]"):
        assert word not in server.error_log
