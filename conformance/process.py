"""A server as a process on a port of its own, with the application of the probes, stopped for certain."""

from __future__ import annotations

import os
import signal
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.exchange import HOST
from bench.process import session
from conformance.conversation import Address, Calls

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Running:
    """A started server and the calls of its application."""

    address: Address
    calls: Calls


@contextmanager
def run(argv: Sequence[str], port: int, python_path: str = str(ROOT)) -> Iterator[Running]:
    """Run the command, which listens on `port`, until the block ends. StartFailed if it does not come up.

    It runs in an empty folder that is also its home, so that it finds no configuration of anybody.
    """
    with tempfile.TemporaryDirectory(prefix="conformance-") as folder:
        calls = Path(folder, "calls")
        env = {
            "PATH": os.environ["PATH"],
            "HOME": folder,
            "LANG": "C.UTF-8",
            "PYTHONPATH": python_path,
            "CONFORMANCE_CALLS": str(calls),
        }
        # At its end there is nothing in it that has to be finished.
        with session(argv[0], argv, env, folder, port, (signal.SIGKILL,)):
            yield Running((HOST, port), Calls(calls))
