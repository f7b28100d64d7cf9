"""The standard streams of the processes: closed ones, buffered ones, and those of a daemon."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.process.conftest import ServerFactory
from tests.process.server import APP, children, is_alive, wait_for

#: Python buffers what goes to a file, whatever whoever runs the tests has asked of his own.
BUFFERED = {"PYTHONUNBUFFERED": ""}


@pytest.fixture
def daemon(folder: Path) -> Iterator[Path]:
    """The pid file of a daemon, which leaves the session that the other fixtures clean up."""
    path = folder / "pid"
    yield path
    if path.exists():
        pid = int(path.read_text())
        for one in [pid, *children(pid)]:
            os.kill(one, signal.SIGKILL)


def stop_daemon(daemon: Path) -> None:
    pid = int(daemon.read_text())
    os.kill(pid, signal.SIGTERM)
    wait_for(lambda: not is_alive(pid), "the end of the daemon")


@pytest.mark.parametrize("inherits", [(), ("--enable-stdio-inheritance",)], ids=["", "inherits"])
def test_a_daemon_captures_output(
    serve: ServerFactory, folder: Path, daemon: Path, inherits: tuple[str, ...]
) -> None:
    (folder / "app.py").write_text(f"print('printed while loading')\n{APP}")
    files = ("--error-logfile", "errors", "--pid", str(daemon))
    server = serve("--daemon", "--capture-output", *files, *inherits)
    assert server.wait_exit() == 0
    server.log_path = folder / "errors"
    server.wait_ready()
    server.wait_for_log("printed while loading")
    pid = int(daemon.read_text())
    errors = str(folder / "errors")
    assert [os.readlink(f"/proc/{pid}/fd/{fd}") for fd in (0, 1, 2)] == ["/dev/null", errors, errors]
    stop_daemon(daemon)


@pytest.mark.parametrize("closed", ["0", "1", "2", "012"])
@pytest.mark.parametrize(
    "arguments", [("--daemon",), (), ("--capture-output",)], ids=["daemon", "", "capture"]
)
def test_closed_streams(
    serve: ServerFactory, folder: Path, daemon: Path, closed: str, arguments: tuple[str, ...]
) -> None:
    """Their numbers must not become those of a listener, which a daemon would replace."""
    starter = (
        f"import os, sys; [os.close(int(fd)) for fd in {closed!r}]; os.execv(sys.executable, sys.argv[1:])"
    )
    command = (sys.executable, "-c", starter, sys.executable, "-m", "indrik")
    files = ("--error-logfile", "errors", "--pid", str(daemon))
    server = serve(*arguments, *files, bind=f"unix:{folder}/sock", command=command)
    server.log_path = folder / "errors"
    server.wait_ready()
    assert server.get_version() == "1"
    pid = int(daemon.read_text())
    links = [os.readlink(f"/proc/{pid}/fd/{fd}") for fd in (0, 1, 2)]
    for fd in closed:
        captured = fd != "0" and "--capture-output" in arguments
        assert links[int(fd)] == (str(folder / "errors") if captured else "/dev/null")
    stop_daemon(daemon)


@pytest.mark.parametrize("preload", [(), ("--preload",)], ids=["", "preload"])
def test_what_was_printed_before_a_fork_is_written_once(
    serve: ServerFactory, folder: Path, preload: tuple[str, ...]
) -> None:
    (folder / "conf.py").write_text("print('by the configuration')\n")
    (folder / "app.py").write_text(f"print('by the application')\n{APP}")
    server = serve("-c", "conf.py", "--workers", "3", *preload, environment=BUFFERED).wait_ready(3)
    assert server.stop() == 0
    assert server.log().count("by the configuration") == 1
    assert server.log().count("by the application") == (1 if preload else 3)


def test_what_a_failed_preloader_has_printed(serve: ServerFactory, folder: Path) -> None:
    (folder / "app.py").write_text("print('just before')\nraise ValueError('on purpose')\n")
    server = serve("--preload", environment=BUFFERED)
    assert server.wait_exit() == 1
    assert server.log().count("just before") == 1
