"""The part of the page about requests that wait: naps, quick beside slow, sleepers by the thousand."""

from __future__ import annotations

from bench import doze, mix, naps
from bench.results import Run
from bench.serverrow import Server
from bench.servers import SERVERS
from bench.summary import summarize
from bench.tables import NO_FIGURE, label, number, refused_rows, table

KINDS: dict[str, Server] = {server.name: server for server in SERVERS}

NAPS_TEXT = """\
## Requests that wait

The application sleeps {milliseconds:.0f} ms and answers 13 bytes; {connections} connections ask over and
over. Those that have threads have {threads} of them. *Allowed* is the rate that arithmetic allows: a thread,
or else a connection, can do nothing else for {milliseconds:.0f} ms. {rounds} rounds of {seconds} s for each
row, the highest rate first.
"""

MIX_TEXT = """\
## Quick requests beside slow ones

{threads} threads, {slow} requests of a second in progress all the time, each on a connection of its own, and
beside them {pace} quick requests a second, over {connections} connections that take turns: 95 % quick, 5 %
slow. Threads are free for the quick ones all the time; a row shows whether they get there. Milliseconds of
the quick ones, medians of {rounds} windows of {seconds:.0f} s. *Failed* counts requests without an answer
five seconds after the window, and lost connections.
"""

DOZE_TEXT = """\
## Sleepers by the thousand

{requests:,} requests that sleep in the application at once. *Bytes each* is the growth of the server's
resident memory, the application's part included, which is the same for all rows of an interface; what the
kernel holds for a socket comes on top. *Newcomer* is the median, *worst* the longest time from connecting to
the whole answer of another request meanwhile, *alone* the median without them.
"""


def allowed(name: str) -> str:
    """The rate that arithmetic allows a server, if its row is still known."""
    return number(naps.ceiling(KINDS[name].kind)) if name in KINDS else NO_FIGURE


def naps_section(run: Run) -> str:
    """The rate of naps."""
    headings = ["server", "requests/s", "allowed", "CPU µs a request", "p99, ms", "busy", "failed"]
    measured = [(row.name, run.of(row.name)) for row in run.servers]
    rates = {name: summarize(one["rate"] for one in samples) for name, samples in measured if samples}
    rows = []
    for name, rate in sorted(rates.items(), key=lambda pair: -pair[1].median):
        samples = run.of(name)
        rows.append(
            [
                label(name),
                rate.text(),
                allowed(name),
                summarize(one["us"] for one in samples).text(1),
                number(summarize(one["p99_us"] / 1000 for one in samples).median, 1),
                number(summarize(one["busy"] for one in samples).median, 2),
                number(sum(one["failures"] for one in samples)),
            ]
        )
    rows += waiting(run, len(headings))
    return NAPS_TEXT.format(**run.conditions) + "\n" + table(headings, rows)


def mix_section(run: Run) -> str:
    """Latency of quick requests beside slow ones."""
    headings = ["server", "p50, ms", "p95, ms", "p99, ms", "worst, ms", "slow answered", "failed"]
    rows = []
    for row in run.servers:
        samples = run.of(row.name)
        if not samples:
            continue
        answered = [one for one in samples if one["quick"]]
        figures = [
            number(summarize(one[name] for one in answered).median if answered else None, 2)
            for name in ("p50_ms", "p95_ms", "p99_ms")
        ]
        worst = max((one["worst_ms"] for one in answered), default=None)
        rows.append(
            [
                label(row.name),
                *figures,
                number(worst, 1),
                number(sum(one["slow"] for one in samples)),
                number(sum(one["failures"] for one in samples)),
            ]
        )
    rows += waiting(run, len(headings))
    return MIX_TEXT.format(**run.conditions) + "\n" + table(headings, rows)


def doze_section(run: Run) -> str:
    """Memory of sleeping requests."""
    headings = ["server", "asleep", "bytes each", "alone, ms", "newcomer, ms", "worst, ms"]
    rows = [
        [
            label(one["server"]),
            number(one["asleep"]),
            number(one["bytes_each"]),
            number(one["alone_ms"], 2),
            number(one["newcomer_ms"], 2),
            number(one["newcomer_worst_ms"], 2),
        ]
        for one in run.samples
    ]
    rows += waiting(run, len(headings))
    return DOZE_TEXT.format(**run.conditions) + "\n" + table(headings, rows)


def waiting(run: Run, columns: int) -> list[list[str]]:
    """The rows of the servers that the build refused and that the measurement would have taken."""
    kinds = {"naps": naps.KINDS, "mix": mix.KINDS, "doze": doze.KINDS}[run.measurement]
    known = {name for name, server in KINDS.items() if server.kind in kinds}
    return [row for row in refused_rows(run, columns) if row[0].strip("*") in known]
