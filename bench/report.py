"""The page and the plots, made from the files of raw numbers and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from bench import growth_report
from bench.compare_report import compare_section, plots
from bench.concurrency_report import doze_section, mix_section, naps_section
from bench.halfload_report import halfload_section
from bench.results import Run, load
from bench.summary import summarize
from bench.tables import label, number, refused_rows, table

PAGE = "README.md"

HEAD = """\
<!-- Made by `make bench` from the JSON files in this folder: do not edit. -->
# Benchmarks

indrik beside other Python servers, measured on one machine in one run, each server with one worker on one
CPU and the load generator on another. How to make these numbers yourself, and what they do not show:
[bench/README.md](../../bench/README.md). Why a peer is ahead, where one is:
[Where the time of a request goes](../explanation/performance.md#where-a-peer-is-ahead).
"""

IDLE_TEXT = """\
## Idle connections

{connections:,} connections to one worker, each of which had one answer and then stays silent. *Bytes
each* is the growth of the server's resident memory; what the kernel holds for a socket comes on top, for
every server alike. *Newcomer* is the median, *worst* the longest time from connecting to the whole answer
beside the idle ones, *alone* the median without them. *Still answer* says how many of a sample answered
again. A server that needs more than twenty seconds to take them all shows those it took. gunicorn's sync
worker keeps no connection, uwsgi one for each thread and cheroot ten in all, so that they have no row.
"""

HOSTILE_TEXT = """\
## Beside hostile clients

{heads} connections that sent half a request head and {readers} that asked for a 10 MB answer and read
nothing of it; ordinary clients come and go beside them, each on a new connection. *First* is one that
asked the moment after the last of them came, *then* are the others. *No answer* counts those that waited
3 s in vain; after three of them the row is given up. *Memory* is what the server's resident memory grew
by. What it puts into files instead is not in it: indrik and waitress spool answers that nobody reads into
temporary files, up to 500 MB here, which take disk and page cache.
"""

STARTUP_TEXT = """\
## Start-up

From the command to the first right answer, {rounds} starts of each in turns. Memory is that of all
processes of the server, a page that two of them share counted once.
"""


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
    return (
        IDLE_TEXT.format(**run.conditions)
        + "\n"
        + table(headings, [*rows, *refused_rows(run, len(headings))])
    )


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
    return (
        HOSTILE_TEXT.format(**run.conditions)
        + "\n"
        + table(headings, [*rows, *refused_rows(run, len(headings))])
    )


def startup_section(run: Run) -> str:
    """Start-up."""
    rows = []
    for row in run.servers:
        samples = run.of(row.name)
        if not samples:
            continue
        rows.append(
            [
                label(row.name),
                summarize(sample["milliseconds"] for sample in samples).text(),
                number(summarize(sample["cpu_milliseconds"] for sample in samples).median),
                number(summarize(sample["memory"] / 2**20 for sample in samples).median, 1),
            ]
        )
    headings = ["server", "first answer after, ms", "CPU till then, ms", "memory then, MiB"]
    return (
        STARTUP_TEXT.format(**run.conditions)
        + "\n"
        + table(headings, [*rows, *refused_rows(run, len(headings))])
    )


def servers_section(runs: Sequence[Run]) -> str:
    """How each server was run, in the comparison if it was in that."""
    seen = {row.name: row for run in reversed(runs) for row in run.servers}
    rows = [
        [
            label(row.name),
            row.version,
            row.interface,
            f"{row.settings}; left out: {row.refused}" if row.refused else row.settings,
            f"`{row.command}`",
        ]
        for row in seen.values()
    ]
    lines = table(["server", "version", "interface", "settings", "command"], rows)
    return "## How each server was run\n\n" + lines.replace("---:", "---")


SECTIONS: dict[str, Callable[[Run], str]] = {
    "compare": compare_section,
    "halfload": halfload_section,
    "growth": growth_report.growth_section,
    "naps": naps_section,
    "mix": mix_section,
    "doze": doze_section,
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
        made |= plots(files["compare"])
    if "growth" in files:
        made |= growth_report.plots(files["growth"])
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
