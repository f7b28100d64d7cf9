"""One worker under callgrind, asked the same so often that start-up and chance fall out of the difference.

Each request is sent LEAST times, then MOST times, over one kept connection (for `accept` over one each),
and the difference of both profiles is divided by that of the numbers. One process does it all: the profiles
are cut by `marks`.
"""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from bench import environment, exchange
from bench.apps import GREETING
from bench.budget import marks, profile
from bench.budget.stages import ACCEPT, Kind, split
from bench.cases import WSGI_CASES
from bench.process import free_port

PACKAGES = {"valgrind": "valgrind"}
WARM_UP = 100
LEAST = 300
MOST = 2_300
# Seconds. Everything is some fifty times as slow under callgrind, and a busy machine slower still.
START_TIMEOUT = 300.0
ANSWER_TIMEOUT = 60.0
STOP_TIMEOUT = 60.0

# Name of a request -> its bytes: one header field, and a browser's.
REQUESTS = {
    case.name: case.request(exchange.HOST) for case in WSGI_CASES if case.name in ("hello", "browser")
}


class Failed(Exception):
    """The server did not start, or profiles are missing; the text says what its log does."""


def command(kind: Kind, port: int, folder: Path) -> list[str]:
    """The command line of a worker under callgrind, with timeouts that its slowness does not reach."""
    python = str(environment.INDRIK / "bin" / "python")
    tool = ["valgrind", "--tool=callgrind", "--trace-children=yes", f"--dump-before={marks.FUNCTION}"]
    server = ["-m", "indrik", *kind.options.split(), "--timeout", "900", "--boot-timeout", "900"]
    server += ["--bind", f"{exchange.HOST}:{port}", f"bench.budget.{kind.module}:hello"]
    return [*tool, f"--callgrind-out-file={folder}/out.%p", python, *server]


def ready(process: subprocess.Popen[bytes], port: int, path: Path) -> bool:
    """Wait until it answers and marks; False when it ends before, or takes longer than START_TIMEOUT."""
    deadline = time.monotonic() + START_TIMEOUT
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with exchange.connect(port, ANSWER_TIMEOUT) as connection:
                exchange.ask(connection, REQUESTS["hello"])
            if path.exists():
                return True
        except (OSError, exchange.WrongAnswer):
            time.sleep(0.1)
    return False


@contextmanager
def worker(kind: Kind, folder: Path) -> Iterator[int]:
    """Serve under callgrind until the block ends; the port. Failed with the log's end if that does not
    work.
    """
    port = free_port()
    env = {**os.environ, "PYTHONPATH": str(environment.ROOT), marks.PATH: str(folder / "marks")}
    with open(folder / "log", "w+b") as log:
        process = subprocess.Popen(
            command(kind, port, folder), stdout=log, stderr=log, env=env, cwd=folder, start_new_session=True
        )
        try:
            if not ready(process, port, folder / "marks"):
                log.seek(0)
                raise Failed(f"{kind.name} does not serve:\n{log.read().decode(errors='replace')[-1500:]}")
            yield port
        finally:
            stop(process)


def stop(process: subprocess.Popen[bytes]) -> None:
    """End the whole session: what it would still write is of no use."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    process.wait(STOP_TIMEOUT)


def ask_kept(port: int, request: bytes, count: int) -> None:
    """So many requests over one connection."""
    with exchange.connect(port, ANSWER_TIMEOUT) as connection:
        for _ in range(count):
            exchange.expect(exchange.ask(connection, request), GREETING)


def ask_anew(port: int, request: bytes, count: int) -> None:
    """So many requests, each over a connection of its own, of which the client closes one after the other."""
    for _ in range(count):
        ask_kept(port, request, 1)


Ask = Callable[[int, bytes, int], None]


def counted(port: int, folder: Path, ask: Ask, request: bytes) -> profile.Profile:
    """What a number of MOST - LEAST requests has cost."""
    path = str(folder / "marks")
    ask(port, request, WARM_UP)
    marks.cut(path, ANSWER_TIMEOUT)
    taken = []
    for count in (LEAST, MOST):
        before = set(profiles(folder))
        ask(port, request, count)
        marks.cut(path, ANSWER_TIMEOUT)
        (new,) = [one for one in profiles(folder) if one not in before]
        taken.append(profile.read(new))
    return taken[1].minus(taken[0])


def profiles(folder: Path) -> list[Path]:
    """The profiles that were cut: their names end with the number of the part."""
    return sorted(folder.glob("out.*.*"))


def each(stages: dict[str, int]) -> dict[str, int]:
    """Instructions of one request."""
    return {stage: round(cost / (MOST - LEAST)) for stage, cost in stages.items()}


def measure(kind: Kind) -> dict[str, dict[str, int]]:
    """Name of a request -> stage -> instructions. Failed, Renamed, Malformed, WrongAnswer or OSError."""
    found: dict[str, dict[str, int]] = {}
    with tempfile.TemporaryDirectory(prefix="budget-") as name:
        folder = Path(name)
        with worker(kind, folder) as port:
            for request, data in REQUESTS.items():
                cost = counted(port, folder, ask_kept, data)
                found[request] = each(split(kind.parts, cost))
                if request == "hello":
                    anew = counted(port, folder, ask_anew, data)
                    more = round((anew.total - cost.total) / (MOST - LEAST))
                    found[request] = {ACCEPT: more, **found[request]}
    return found
