"""The real command, started on a free port and watched from outside."""

from __future__ import annotations

import os
import re
import signal
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

_T = TypeVar("_T")

# Seconds. Far more than is ever needed: a busy machine must not make a test fail.
DEADLINE = 30.0

#: For clients that speak no TLS: by default httpx reads all certificates of the world for each of them, which
#: costs more than many requests.
NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)

LISTENING = re.compile(r"Listening at: (http://127\.0\.0\.1:\d+)")
BOOTING = re.compile(r"Booting worker with pid: (\d+)")


def command() -> list[str]:
    """The installed command; from the bare source tree, which has none, the module."""
    script = Path(sys.executable).with_name("indrik")
    return [str(script)] if script.exists() else [sys.executable, "-m", "indrik"]


class Server:
    """A running server: `url`, what it has written so far, and how to stop it."""

    def __init__(self, process: subprocess.Popen[bytes], stdout: Path, stderr: Path) -> None:
        self.process = process
        self.stdout = stdout
        self.stderr = stderr
        self.url = ""

    @property
    def access_log(self) -> str:
        return self.stdout.read_text(encoding="utf-8")

    @property
    def error_log(self) -> str:
        return self.stderr.read_text(encoding="utf-8")

    def wait_until(self, condition: Callable[[], _T | None], what: str) -> _T:
        """The condition's value once it is true. AssertionError if the server ends or time is up."""
        give_up_at = time.monotonic() + DEADLINE
        pause = 0.01
        while not (value := condition()):
            ended = self.process.poll()
            assert ended is None, f"ended with status {ended}, waited for {what}\n{self.error_log}"
            assert time.monotonic() < give_up_at, f"waited {DEADLINE} s for {what}\n{self.error_log}"
            time.sleep(pause)
            # Whoever waits long looks less often: looking takes the processor from what is waited for.
            pause = min(pause * 1.2, 0.05)
        return value

    def stop(self) -> int:
        """Stop it gracefully; its exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(DEADLINE)


@contextmanager
def serve(
    arguments: Sequence[str],
    folder: Path,
    logs: Path,
    environment: Mapping[str, str] | None = None,
    program: Sequence[str] | None = None,
) -> Iterator[Server]:
    """Run the command in `folder` with its output in files in `logs`, until the block ends. `program`:
    another command that takes the same options.
    """
    stdout, stderr = logs / "stdout", logs / "stderr"
    with open(stdout, "wb") as out, open(stderr, "wb") as err:
        process = subprocess.Popen(
            [*(program or command()), "--bind", "127.0.0.1:0", *arguments],
            cwd=folder,
            env={**os.environ, **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            start_new_session=True,
        )
    server = Server(process, stdout, stderr)
    try:
        found = server.wait_until(lambda: LISTENING.search(server.error_log), "its address in the log")
        server.url = found[1]
        yield server
    finally:
        if process.poll() is None:
            try:
                server.stop()
            except subprocess.TimeoutExpired:
                # The group, so that no worker outlives the test.
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
                raise


def files_open(server: Server, folder: Path) -> list[str]:
    """The files below `folder` that the workers have open."""
    pid = server.process.pid
    workers = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    assert workers
    found = []
    for worker in workers:
        for link in Path(f"/proc/{worker}/fd").iterdir():
            # It may be closed by now.
            with suppress(FileNotFoundError):
                found.append(os.readlink(link))
    return [path for path in found if path.startswith(str(folder))]
