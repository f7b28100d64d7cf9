"""A server as a process: started on one CPU, ready when it answers, stopped for certain."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from bench.exchange import HOST, WrongAnswer
from bench.serverrow import Server
from bench.servers import target

READY_TIMEOUT = 20.0
STOP_TIMEOUT = 5.0


class StartFailed(Exception):
    """A server did not come up; the text holds the end of its log."""


@dataclass(frozen=True)
class Running:
    """A started server. `pid` is the root of its process tree, `started_at` the monotonic time just before it
    was started.
    """

    server: Server
    pid: int
    port: int
    started_at: float


def free_port() -> int:
    """A port that was free a moment ago. Servers are told a port because few of them report the one that the
    kernel chose.
    """
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


@contextmanager
def serve(
    server: Server,
    app: str,
    places: Mapping[str, str],
    cpu: int,
    crowded: bool = False,
    threads: int | None = None,
    killed: bool = False,
) -> Iterator[Running]:
    """Run a server with the application `app` until the block ends. It accepts connections when the block
    begins. `killed` says that the server is not asked to end, because it would wait for its requests.

    It runs in an empty folder, so that no server finds a configuration file. StartFailed if it ends or does
    not listen in time; a WrongAnswer that leaves the block gets the end of the server's log.
    """
    port = free_port()
    here = {**places, "host": HOST, "port": str(port), "app": target(server, app)}
    argv = ["taskset", "-c", str(cpu), *server.argv(here, crowded, threads)]
    env = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), "LANG": "C.UTF-8"}
    env |= {"PYTHONPATH": places["root"], **server.environment(here)}
    signals = (signal.SIGKILL,) if killed else (signal.SIGTERM, signal.SIGKILL)
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        started_at = time.monotonic()
        with session(server.name, argv, env, folder, port, signals) as (process, log):
            try:
                yield Running(server, process.pid, port, started_at)
            except WrongAnswer as error:
                raise WrongAnswer(f"{server.name}: {error}\nIts log ends:\n{tail(log)}") from error


@contextmanager
def session(
    name: str,
    argv: Sequence[str],
    env: Mapping[str, str],
    folder: str,
    port: int,
    signals: Sequence[signal.Signals],
) -> Iterator[tuple[subprocess.Popen[bytes], BinaryIO]]:
    """Run a command in a session of its own until the block ends: its process, and its log in `folder`, where
    it runs. It listens on `port` when the block begins, and gets `signals` at its end (see `stop`).
    StartFailed if it ends or does not listen in time.
    """
    with open(Path(folder, "log"), "w+b") as log:
        process = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=folder,
            env=env,
            start_new_session=True,
        )
        try:
            if not listens(port, process):
                raise StartFailed(f"{name} does not listen ({' '.join(argv)}):\n{tail(log)}")
            yield process, log
        finally:
            stop(process, signals)


def tail(log: BinaryIO) -> str:
    """The end of a server's log."""
    log.seek(0)
    return log.read().decode(errors="replace").strip()[-1500:]


def listens(port: int, process: subprocess.Popen[bytes]) -> bool:
    """Wait until the port accepts a connection; False when the process ends first or the time is up."""
    deadline = time.monotonic() + READY_TIMEOUT
    while time.monotonic() < deadline and process.poll() is None:
        try:
            socket.create_connection((HOST, port), timeout=1.0).close()
            return True
        except OSError:
            time.sleep(0.001)
    return False


def stop(process: subprocess.Popen[bytes], signals: Sequence[signal.Signals]) -> None:
    """End the server's whole session by the first signal, or by the next when STOP_TIMEOUT has passed."""
    for number in signals:
        try:
            os.killpg(process.pid, number)
        except ProcessLookupError:
            break
        try:
            process.wait(STOP_TIMEOUT)
        except subprocess.TimeoutExpired:
            continue
    process.wait()
