"""What a load generator counted, and how one is run: wrk for HTTP, wsload for WebSocket. Both report one line
of JSON with the same fields.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass


class LoadFailed(Exception):
    """A load generator did not run or did not report."""


@dataclass(frozen=True)
class Load:
    """`requests` are the answers that were read to their end, whatever their status; the latencies are in
    microseconds; `bad_status` counts answers past 399 and wrong echoes, `socket_errors` failed or timed-out
    connects, reads and writes.
    """

    requests: int
    microseconds: int
    bytes: int
    bad_status: int
    socket_errors: int
    p50: int
    p99: int
    p999: int

    @property
    def rate(self) -> float:
        """Requests a second."""
        return self.requests * 1e6 / self.microseconds if self.microseconds else 0.0

    @property
    def failures(self) -> int:
        return self.bad_status + self.socket_errors


def parse_report(text: str) -> Load:
    """The line of JSON among what a generator wrote. LoadFailed when there is none."""
    for line in reversed(text.splitlines()):
        if line.startswith("{"):
            return Load(**json.loads(line))
    raise LoadFailed(f"the load generator reported nothing: {text.strip()[-300:]!r}")


def drive(argv: Sequence[str], cpu: int, seconds: float) -> Load:
    """Run a generator for so long on one CPU. LoadFailed if it fails, or takes half a minute longer."""
    command = ["taskset", "-c", str(cpu), *argv]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=seconds + 30, check=False)
    except subprocess.TimeoutExpired as error:
        raise LoadFailed(f"{argv[0]} did not end within {error.timeout:.0f} s") from error
    if done.returncode != 0:
        raise LoadFailed(
            f"{argv[0]} ended with {done.returncode}: {(done.stdout + done.stderr).strip()[-300:]}"
        )
    return parse_report(done.stderr)
