"""Load by wrk (https://github.com/wg/wrk): its script, its command line, and what it reports."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path

from bench.cases import Case

# A script that only sets fields of `wrk` costs nothing a request: wrk then builds the request once. `done`
# runs at the end. Latencies are in microseconds.
REPORT = """
function done(summary, latency, requests)
  io.stderr:write(string.format(
    '{"requests": %d, "microseconds": %d, "bytes": %d, "bad_status": %d, "socket_errors": %d,' ..
    ' "p50": %d, "p99": %d, "p999": %d}\\n',
    summary.requests, summary.duration, summary.bytes, summary.errors.status,
    summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.timeout,
    latency:percentile(50), latency:percentile(99), latency:percentile(99.9)))
end
"""


class WrkFailed(Exception):
    """wrk did not run or did not report."""


@dataclass(frozen=True)
class Load:
    """What wrk counted. `requests` are the answers it read to their end, whatever their status; the latencies
    are in microseconds; `bad_status` counts answers past 399, `socket_errors` failed or timed-out connects,
    reads and writes.
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


def quote(text: str) -> str:
    """A Lua string literal of printable ASCII."""
    if not text.isascii() or not text.isprintable():
        raise ValueError(f"not printable ASCII: {text!r}")
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def script(case: Case) -> str:
    """The Lua script that makes wrk send the case's request. wrk adds Host and Content-Length itself."""
    lines = [f"wrk.method = {quote(case.method)}"]
    lines += [f"wrk.headers[{quote(name)}] = {quote(value)}" for name, value in case.headers]
    if case.body:
        lines.append(f"wrk.body = {quote(case.body.decode('ascii'))}")
    return "\n".join(lines) + "\n" + REPORT


def parse_report(text: str) -> Load:
    """The line that the script's `done` wrote. WrkFailed when there is none."""
    for line in reversed(text.splitlines()):
        if line.startswith("{"):
            return Load(**json.loads(line))
    raise WrkFailed(f"wrk reported nothing: {text.strip()[-300:]!r}")


def run(case: Case, port: int, seconds: int, connections: int, cpu: int, folder: Path) -> Load:
    """Drive the server on a local port for whole seconds, with one thread on one CPU. The script is written
    into `folder`.
    """
    path = folder / f"{case.name}.lua"
    path.write_text(script(case), encoding="ascii")
    argv = ["taskset", "-c", str(cpu), "wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "5s"]
    argv += ["-s", str(path), f"http://127.0.0.1:{port}/"]
    try:
        done = subprocess.run(argv, capture_output=True, text=True, timeout=seconds + 30, check=False)
    except subprocess.TimeoutExpired as error:
        raise WrkFailed(f"wrk did not end within {error.timeout:.0f} s") from error
    if done.returncode != 0:
        raise WrkFailed(f"wrk ended with {done.returncode}: {(done.stdout + done.stderr).strip()[-300:]}")
    return parse_report(done.stderr)
