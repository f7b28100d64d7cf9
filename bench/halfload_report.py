"""The part of the page about latency at half of a server's load."""

from __future__ import annotations

from bench.results import Run
from bench.summary import summarize
from bench.tables import label, number, refused_rows, table

TEXT = """\
## Latency at half of the load

The 13-byte answer. Each server is asked at {percent:.0f} % of the rate that it has just reached over
{connections} connections, at random moments that do not depend on its answers (always the same ones), and a
request that finds no connection free is counted from when it was due. *Requests a second* is each server's
own half, and the times are what its users see at that pace. Medians of {rounds} windows of {seconds} s, the
shortest p99 first; where the brackets of two rows overlap, their order says nothing. Requests that failed
are in no percentile. A server that wrk cannot keep busy (*busy* below 0.98 above) has less than its half.
Waking up weighs more in the CPU a request than at full load.
"""

HEADINGS = ["server", "requests/s", "p50, µs", "p99, µs", "p99.9, µs", "CPU µs a request", "failed"]


def halfload_section(run: Run) -> str:
    """A table for each interface."""
    text = TEXT.format(percent=run.conditions["share"] * 100, **run.conditions)
    return "\n".join([text, *(_table(run, interface) for interface in ("wsgi", "asgi"))])


def _table(run: Run, interface: str) -> str:
    rows = []
    for row in run.servers:
        samples = run.of(row.name)
        if not samples or row.interface != interface:
            continue
        p99 = summarize(one["p99_us"] for one in samples)
        figures = [
            number(summarize(one["rate"] for one in samples).median),
            number(summarize(one["p50_us"] for one in samples).median),
            p99.text(),
            number(summarize(one["p999_us"] for one in samples).median),
            number(summarize(one["us"] for one in samples).median, 1),
            number(sum(one["failures"] for one in samples)),
        ]
        rows.append((p99.median, [label(row.name), *figures]))
    lines = [cells for _, cells in sorted(rows)]
    title = {"wsgi": "WSGI", "asgi": "ASGI"}[interface]
    return f"### {title}\n\n" + table(HEADINGS, [*lines, *refused_rows(run, len(HEADINGS), interface)])
