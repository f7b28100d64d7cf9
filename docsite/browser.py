"""A headless Chromium, driven by the WebDriver protocol (W3C) and Chromium's own additions to it."""

from __future__ import annotations

import base64
import json
import re
import shutil
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

#: Seconds that Chromium may take for one step on a busy machine.
DEADLINE = 120
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--disable-dev-shm-usage", "--hide-scrollbars",
)  # fmt: skip


class BrowserError(RuntimeError):
    """Chromium is missing, or refused a step."""


class Window:
    """One browser window."""

    def __init__(self, driver: str, binary: str, profile: str) -> None:
        options = {"binary": binary, "args": [*FLAGS, f"--user-data-dir={profile}"]}
        wanted = {"goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL"}}
        self._driver = driver
        session = self._ask("/session", {"capabilities": {"alwaysMatch": wanted}})
        self._path = f"/session/{session['sessionId']}"

    def _ask(self, path: str, body: dict[str, Any] | None, method: str = "POST") -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(
            self._driver + path, data, {"Content-Type": "application/json"}, method=method
        )
        # No proxy of the environment: the driver is on this machine.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=DEADLINE) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as error:
            raise BrowserError(f"Chromium refused {path}: {error.read().decode(errors='replace')}") from None

    def open(self, url: str) -> None:
        """Show a page; returns when everything in it has been loaded."""
        self._ask(f"{self._path}/url", {"url": url})

    def run(self, script: str) -> Any:
        """What the body of a function of JavaScript returns."""
        return self._ask(f"{self._path}/execute/sync", {"script": script, "args": []})

    def wait(self, script: str) -> Any:
        """The first value of `script` that counts as true. Raises BrowserError after DEADLINE."""
        give_up_at = time.monotonic() + DEADLINE
        while not (value := self.run(script)):
            if time.monotonic() > give_up_at:
                raise BrowserError(f"waited {DEADLINE} s in vain for: {script}")
            time.sleep(0.05)
        return value

    def command(self, name: str, **parameters: Any) -> Any:
        """A command of the Chrome DevTools Protocol."""
        return self._ask(f"{self._path}/goog/cdp/execute", {"cmd": name, "params": parameters})

    def resize(self, width: int, height: int) -> None:
        """Set the viewport in CSS pixels: a window cannot be as narrow as a phone."""
        self.command(
            "Emulation.setDeviceMetricsOverride",
            width=width, height=height, deviceScaleFactor=1, mobile=width < 600,
        )  # fmt: skip

    def prefer(self, scheme: str) -> None:
        """Prefer a colour scheme, `light` or `dark`."""
        feature = {"name": "prefers-color-scheme", "value": scheme}
        self.command("Emulation.setEmulatedMedia", features=[feature])

    def complaints(self) -> list[str]:
        """What the console got since the last call: errors of scripts, and what could not be loaded."""
        return [entry["message"] for entry in self._ask(f"{self._path}/se/log", {"type": "browser"})]

    def picture(self, path: Path) -> None:
        """Write what the viewport shows as a PNG."""
        path.write_bytes(base64.b64decode(self._ask(f"{self._path}/screenshot", None, "GET")))

    def close(self) -> None:
        self._ask(self._path, None, "DELETE")


@contextmanager
def open_window() -> Iterator[Window]:
    """A window with a profile of its own.

    Raises BrowserError where Chromium or its driver is not installed.
    """
    binary, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if binary is None or driver is None:
        raise BrowserError("no chromium and chromedriver: apt-get install chromium chromium-driver (Debian)")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        log = Path(folder, "driver.log")
        with open(log, "wb") as out:
            process = subprocess.Popen([driver, "--port=0"], stdout=out, stderr=out)
        try:
            give_up_at = time.monotonic() + DEADLINE
            while not (found := re.search(r"successfully on port (\d+)", log.read_text())):
                if process.poll() is not None or time.monotonic() > give_up_at:
                    raise BrowserError(f"chromedriver did not start: {log.read_text()}")
                time.sleep(0.05)
            window = Window(f"http://127.0.0.1:{found[1]}", binary, str(Path(folder, "profile")))
            try:
                yield window
            finally:
                window.close()
        finally:
            process.terminate()
            process.wait(DEADLINE)
