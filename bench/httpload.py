"""Load by native/httpload.c: one request over kept connections that stand before the window begins, with
every answer compared.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from bench.cases import Case
from bench.exchange import HOST
from bench.load import LoadFailed

PROGRAM = "httpload"
STOP_TIMEOUT = 10.0


class Refused(Exception):
    """The server answered wrongly, closed a connection or fell silent; the text says which."""


@dataclass(frozen=True)
class Window:
    """What was answered in one window. `wrong` are answers that are no 200 with the right body, `bytes` those
    of the answers.
    """

    requests: int
    microseconds: int
    bytes: int
    wrong: int


class Crowd:
    """The generator while its connections stand."""

    def __init__(self, process: subprocess.Popen[str], output: IO[str], commands: IO[str]) -> None:
        self.process = process
        self.output = output
        self.commands = commands

    def line(self) -> str:
        """The next line. Refused when the generator gives the server up."""
        text = self.output.readline()
        if not text:
            _, said = self.process.communicate()
            if self.process.returncode < 0:
                raise LoadFailed(f"the load generator was ended by signal {-self.process.returncode}")
            raise Refused(" ".join(said.split("\n")[0].split()).removeprefix(f"{PROGRAM}: "))
        return text

    def window(self) -> Window:
        """One window, begun now; all of its requests are answered when this returns."""
        self.commands.write("go\n")
        self.commands.flush()
        return Window(**json.loads(self.line()))


@contextmanager
def crowd(
    program: Path,
    case: Case,
    port: int,
    cpu: int,
    connections: int,
    milliseconds: int,
    warm_up: int,
    least: int,
    folder: Path,
) -> Iterator[Crowd]:
    """So many connections to a local server, warmed up for `warm_up` milliseconds. A window lasts for
    `milliseconds` and until `least` requests were asked. The request's head is written into `folder`.

    Refused if the server does not let them all in, or does not answer each of them.
    """
    head = folder / f"{case.name}.head"
    request = case.request(f"{HOST}:{port}")
    head.write_bytes(request[: len(request) - len(case.body)])
    words = [program, HOST, port, connections, head, len(case.body), warm_up, milliseconds, least]
    argv = ["taskset", "-c", str(cpu), *(str(word) for word in words), case.answer.decode("ascii")]
    process = subprocess.Popen(
        argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    with process:
        if process.stdin is None or process.stdout is None:  # they are pipes
            raise LoadFailed("the load generator has no pipes")
        try:
            one = Crowd(process, process.stdout, process.stdin)
            one.line()
            yield one
        finally:
            process.kill()
