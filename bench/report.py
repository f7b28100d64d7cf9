"""The page and the plots, made from the files of raw numbers and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from bench.cases import CASES
from bench.plot import Bar, Panel, draw
from bench.results import Run, load
from bench.servers import INDRIK, UNCOMPILED
from bench.summary import Summary, summarize

OURS = (INDRIK, UNCOMPILED)
PAGE = "README.md"
PLOT = "cpu-a-request.svg"
TITLES = {case.name: case.title for case in CASES}

HEAD = """\
<!-- Made by `make bench` from the JSON files in this folder: do not edit. -->
# Benchmarks

indrik beside other Python servers, measured on one machine in one run, each server with one worker on one
CPU and the load generator on another. How to make these numbers yourself, and what they do not show:
[bench/README.md](../../bench/README.md).
"""

COMPARE_TEXT = """\
## CPU a request

Taken on {date}: {machine}; {wrk}, {connections} connections, {rounds} rounds of {seconds} s for each row.
CPU is user and system time of all processes and threads of a server, divided by the requests that wrk
counted; figures are medians, in brackets the least and the greatest. *Busy* is the share of its CPU that
the server used: below 0.98 or so the load generator was the slower of the two, and the rate is not the
server's best.
"""

IDLE_TEXT = """\
## Idle connections

{connections:,} connections to one worker, each of which had one answer and then stays silent. *Bytes
each* is the growth of the server's resident memory; what the kernel holds for a socket comes on top, for
every server alike. *Newcomer* is the median, *worst* the longest time from connecting to the whole answer
beside the idle ones, *alone* the median without them. *Still answer* says how many of a sample answered
again. A server that needs more than a minute to take them all shows those it took. gunicorn's sync worker
keeps no connection.
"""

HOSTILE_TEXT = """\
## Beside hostile clients

{heads} connections that sent half a request head and {readers} that asked for a 10 MB answer and read
nothing of it; ordinary clients come and go beside them, each on a new connection. *First* is one that
asked the moment after the last of them came, *then* are the others. *No answer* counts those that waited
3 s in vain; after three of them the row is given up. *Memory* is what the server's resident memory grew
by.
"""

STARTUP_TEXT = """\
## Start-up

From the command to the first right answer, {rounds} starts of each in turns. Memory is that of all
processes of the server, a page that two of them share counted once.
"""


def table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table; every column but the first is numbers."""
    lines = ["| " + " | ".join(headings) + " |", "| --- |" + " ---: |" * (len(headings) - 1)]
    lines += ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def label(name: str) -> str:
    """A server's name in a table; indrik's in bold."""
    return f"**{name}**" if name == INDRIK else name


def number(value: float | None, digits: int = 0, unit: str = "") -> str:
    """A figure, or a dash where there is none."""
    return "–" if value is None else f"{value:,.{digits}f}{unit}"  # noqa: RUF001


def cost(run: Run, case: str) -> list[tuple[str, Summary]]:
    """CPU microseconds a request of each server in a case, the cheapest first."""
    costs = [(row.name, run.of(row.name, case=case)) for row in run.servers]
    return sorted(
        ((name, summarize(sample["us"] for sample in samples)) for name, samples in costs if samples),
        key=lambda pair: pair[1].median,
    )


def verdict(costs: Sequence[tuple[str, Summary]]) -> list[str]:
    """One line, indrik beside the cheapest of the others; none if one of the two was not measured."""
    ours = dict(costs).get(INDRIK)
    others = [pair for pair in costs if pair[0] not in OURS]
    if ours is None or not others:
        return []
    name, best = others[0]
    return [f"indrik uses {ours.median / best.median:.2f} times the CPU of the best peer, {name}.\n"]


def compare_section(run: Run) -> str:
    """CPU and rate, a table for each case."""
    text = [
        COMPARE_TEXT.format(date=run.date, machine=run.machine.text, **run.conditions),
        f"![CPU microseconds a request]({PLOT})\n",
    ]
    for case in run.conditions["cases"]:
        costs = cost(run, case)
        least = costs[0][1].median
        rows = []
        for name, us in costs:
            samples = run.of(name, case=case)
            rate = summarize(sample["rate"] for sample in samples)
            rows.append(
                [
                    label(name),
                    us.text(2),
                    number(us.median / least if least else None, 2),
                    number(summarize(sample["us_user"] for sample in samples).median, 1),
                    rate.text(),
                    number(summarize(sample["busy"] for sample in samples).median, 2),
                    number(sum(sample["failures"] for sample in samples)),
                ]
            )
        headings = ["server", "CPU µs a request", "relative", "of it user", "requests/s", "busy", "failed"]
        text.append(f"### {TITLES.get(case, case)} (`{case}`)\n")
        text += [table(headings, rows), *verdict(costs)]
    return "\n".join(text)


def plot(run: Run) -> str:
    """The figure of the comparison."""
    panels = [
        Panel(TITLES.get(case, case), [Bar(name, us, name in OURS) for name, us in cost(run, case)])
        for case in run.conditions["cases"]
    ]
    note = "one worker, user and system time of all its processes; shorter is better; a slash marks a cut bar"
    return draw("CPU microseconds a request", note, panels)


def idle_section(run: Run) -> str:
    """Memory of idle connections."""
    rows = [
        [
            label(sample["server"]),
            number(sample["open"]),
            number(sample["bytes_each"]),
            number(sample["alone_ms"], 2),
            number(sample["newcomer_ms"], 2),
            number(sample["newcomer_worst_ms"], 2),
            f"{sample['woken']} of {sample['asked_to_wake']}",
        ]
        for sample in run.samples
    ]
    headings = ["server", "open", "bytes each", "alone, ms", "newcomer, ms", "worst, ms", "still answer"]
    return IDLE_TEXT.format(**run.conditions) + "\n" + table(headings, rows)


def hostile_section(run: Run) -> str:
    """Ordinary requests beside hostile clients."""
    rows = [
        [
            label(sample["server"]),
            number(sample["alone_p50_ms"], 2),
            number(sample["first_ms"], 2),
            number(sample["beside_p50_ms"], 2),
            number(sample["beside_p99_ms"], 2),
            number(sample["beside_worst_ms"], 2),
            number(sample["failed"]),
            number(sample["growth"] / 2**20, 1),
        ]
        for sample in run.samples
    ]
    headings = [
        "server",
        "alone p50, ms",
        "first, ms",
        "then p50, ms",
        "p99, ms",
        "worst, ms",
        "no answer",
        "memory, MiB",
    ]
    return HOSTILE_TEXT.format(**run.conditions) + "\n" + table(headings, rows)


def startup_section(run: Run) -> str:
    """Start-up."""
    rows = []
    for row in run.servers:
        samples = run.of(row.name)
        rows.append(
            [
                label(row.name),
                summarize(sample["milliseconds"] for sample in samples).text(),
                number(summarize(sample["cpu_milliseconds"] for sample in samples).median),
                number(summarize(sample["memory"] / 2**20 for sample in samples).median, 1),
            ]
        )
    headings = ["server", "first answer after, ms", "CPU till then, ms", "memory then, MiB"]
    return STARTUP_TEXT.format(**run.conditions) + "\n" + table(headings, rows)


def servers_section(runs: Sequence[Run]) -> str:
    """How each server was run."""
    seen = {row.name: row for run in reversed(runs) for row in run.servers}
    rows = [
        [label(row.name), row.version, row.interface, row.settings, f"`{row.command}`"]
        for row in seen.values()
    ]
    lines = table(["server", "version", "interface", "settings", "command"], rows)
    return "## How each server was run\n\n" + lines.replace("---:", "---")


SECTIONS: dict[str, Callable[[Run], str]] = {
    "compare": compare_section,
    "idle": idle_section,
    "hostile": hostile_section,
    "startup": startup_section,
}


def render(runs: Sequence[Run]) -> dict[str, str]:
    """File name -> text of the page and the plots."""
    files = {run.measurement: run for run in runs}
    parts = [
        HEAD,
        *(section(files[name]) for name, section in SECTIONS.items() if name in files),
        servers_section(runs),
    ]
    made = {PAGE: "\n".join(parts)}
    if "compare" in files:
        made[PLOT] = plot(files["compare"])
    return made


def read(folder: Path) -> list[Run]:
    """The runs whose files lie in a folder, in the order of the page."""
    return [load(path) for name in SECTIONS if (path := folder / f"{name}.json").exists()]


def write(folder: Path) -> list[Path]:
    """Make the page and the plots of a folder again; their paths."""
    paths: list[Path] = []
    for name, text in render(read(folder)).items():
        (folder / name).write_text(text, encoding="utf-8")
        paths.append(folder / name)
    return paths


def summary_lines(run: Run) -> list[str]:
    """The comparison's verdicts for the terminal."""
    lines: list[str] = []
    cases: list[Any] = list(run.conditions["cases"]) if run.measurement == "compare" else []
    for case in cases:
        costs = cost(run, case)
        lines += [f"{case}:"] + [f"  {name:22s}{us.text(2):>24s} us CPU a request" for name, us in costs]
        lines += [f"  {line.strip()}" for line in verdict(costs)]
    return lines
