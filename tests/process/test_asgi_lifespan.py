"""The lifespan protocol: start-up before the first request, failures that stop the boot or the reload, and
shutdown.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.process import lifespan_app
from tests.process.asgi import LOOPS, start
from tests.process.load import Load
from tests.process.server import Server, wait_for

#: The exit status of a server whose worker could not come up.
BOOT_ERROR = 3


@pytest.fixture
def started(folder: Path) -> Iterator[Callable[..., Server]]:
    servers: list[Server] = []

    def begin(how: str, *arguments: str, **environment: str) -> Server:
        servers.append(
            start(folder, *arguments, module=lifespan_app, environment={"LIFESPAN": how, **environment})
        )
        return servers[-1]

    yield begin
    for server in servers:
        server.kill_all()


@pytest.mark.parametrize("loop", LOOPS)
def test_start_up_state_and_shutdown(started: Callable[..., Server], loop: str) -> None:
    server = started("", "--asgi-loop", loop)
    server.wait_ready()
    assert server.get().endswith("{'opened': 'at start-up'}")
    started_up = server.log().index("lifespan got {'type': 'lifespan.startup'} ['asgi', 'state', 'type']")
    assert started_up < server.log().index("Worker is ready")
    assert server.stop() == 0
    assert "lifespan got {'type': 'lifespan.shutdown'}" in server.log()
    assert "lifespan is done" in server.log()
    assert "never retrieved" not in server.log()


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize(
    ("how", "mode", "said"),
    [
        ("fails", "auto", "the application failed to start up: the database is away"),
        ("fails", "on", "the application failed to start up: the database is away"),
        ("fails-silently", "auto", "it gave no reason"),
        ("raises", "on", "asgi_lifespan is on: RuntimeError: raised while starting up"),
        ("returns", "on", "asgi_lifespan is on: it returned"),
        ("unsupported", "on", "asgi_lifespan is on: AssertionError: no lifespan here"),
        ("wrong", "on", "'lifespan.shutdown.complete' does not answer lifespan.startup"),
    ],
)
def test_a_failure_stops_the_boot(
    started: Callable[..., Server], how: str, mode: str, said: str, loop: str
) -> None:
    server = started(how, "--asgi-lifespan", mode, "--asgi-loop", loop)
    assert server.wait_exit() == BOOT_ERROR
    assert said in server.log()
    assert "Worker is ready" not in server.log()
    assert "Traceback" not in server.log().partition(said)[0] or how in ("raises", "unsupported", "wrong")
    assert "never retrieved" not in server.log()


@pytest.mark.parametrize("loop", LOOPS)
def test_a_stop_during_the_start_up(started: Callable[..., Server], loop: str) -> None:
    """Whatever the application raises then is nobody's concern any more."""
    server = started("raises-when-left", "--asgi-loop", loop)
    server.wait_for_log("lifespan got {'type': 'lifespan.startup'}")
    assert server.stop() == 0
    assert "Traceback" not in server.log()
    assert "never retrieved" not in server.log()


@pytest.mark.parametrize(
    ("how", "mode"),
    [("raises", "auto"), ("returns", "auto"), ("unsupported", "auto"), ("fails", "off"), ("wrong", "auto")],
)
def test_an_application_without_lifespan(started: Callable[..., Server], how: str, mode: str) -> None:
    server = started(how, "--asgi-lifespan", mode).wait_ready()
    assert server.get().endswith(" None")
    assert server.stop() == 0
    assert "never retrieved" not in server.log()


def test_an_application_whose_lifespan_dies_goes_on_serving(started: Callable[..., Server]) -> None:
    server = started("dies").wait_ready()
    assert server.get().endswith("{'opened': 'at start-up'}")
    server.wait_for_log(r"\[ERROR\].*lifespan.*\n(?:.*\n)*?RuntimeError: raised while running")
    assert server.stop() == 0


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ("shutdown-raises", "failed while shutting down: RuntimeError: raised while shutting down"),
        ("shutdown-fails", "failed to shut down: something is left"),
    ],
)
def test_a_shutdown_that_fails_is_said(started: Callable[..., Server], how: str, said: str) -> None:
    server = started(how).wait_ready()
    assert server.stop() == 0
    assert said in server.log()
    assert "never retrieved" not in server.log()


def test_a_shutdown_that_hangs_ends_in_time(started: Callable[..., Server]) -> None:
    server = started("shutdown-hangs", "--graceful-timeout", "5").wait_ready()
    begin = time.monotonic()
    assert server.stop() == 0
    assert time.monotonic() - begin < 8
    assert "did not shut down within" in server.log()
    assert "SIGKILL" not in server.log()


def test_term_while_starting_up(started: Callable[..., Server]) -> None:
    server = started("hangs")
    server.wait_for_log("lifespan got")
    begin = time.monotonic()
    assert server.stop() == 0
    assert time.monotonic() - begin < 10
    assert "SIGKILL" not in server.log()


@pytest.mark.parametrize("how", ["fails", "raises"])
def test_a_reload_that_fails_to_start_up_changes_nothing(
    started: Callable[..., Server], folder: Path, how: str
) -> None:
    (folder / "conf.py").write_text("raw_env = ['LIFESPAN=']")
    server = started("", "--config", "conf.py", "--workers", "2", "--asgi-lifespan", "on").wait_ready(2)
    workers = set(server.workers())
    (folder / "conf.py").write_text(f"raw_env = ['LIFESPAN={how}']")
    with Load(server) as load:
        server.send(signal.SIGHUP)
        server.wait_for_log("Reload abandoned")
        before = len(load.answers)
        wait_for(lambda: len(load.answers) > before + 20, "load")
    assert load.failures == []
    assert workers <= set(server.workers())
    (folder / "conf.py").write_text("raw_env = ['LIFESPAN=', 'VERSION=2']")
    server.send(signal.SIGHUP)
    server.wait_for_log("Reload complete")
    wait_for(lambda: server.get_version() == "2", "the next version")
