"""Load by wrk (https://github.com/wg/wrk): its script, its command line, and what it reports."""

from __future__ import annotations

from pathlib import Path

from bench.cases import Case
from bench.load import Load, drive

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


def quote(text: str) -> str:
    """A Lua string literal of printable ASCII."""
    if not text.isascii() or not text.isprintable():
        raise ValueError(f"not printable ASCII: {text!r}")
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def script(case: Case) -> str:
    """The Lua script that makes wrk send the case's request. wrk adds Host and Content-Length itself."""
    lines = [f"wrk.method = {quote(case.method)}", f"wrk.path = {quote(case.path)}"]
    lines += [f"wrk.headers[{quote(name)}] = {quote(value)}" for name, value in case.headers]
    if case.body:
        lines.append(f"wrk.body = {quote(case.body.decode('ascii'))}")
    return "\n".join(lines) + "\n" + REPORT


def run(case: Case, port: int, seconds: int, connections: int, cpu: int, folder: Path) -> Load:
    """Drive the server on a local port for whole seconds, with one thread on one CPU. The script is written
    into `folder`.
    """
    path = folder / f"{case.name}.lua"
    path.write_text(script(case), encoding="ascii")
    argv = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "5s"]
    return drive([*argv, "-s", str(path), f"http://127.0.0.1:{port}/"], cpu, seconds)
