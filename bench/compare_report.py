"""The part of the page that compares CPU a request: its tables, its verdicts and its plots."""

from __future__ import annotations

from collections.abc import Sequence

from bench.cases import CASES
from bench.plot import Bar, Panel, draw
from bench.results import Run
from bench.serverrow import FILES, FLOOR, UNCOMPILED, is_ours
from bench.summary import Summary, summarize
from bench.tables import label, number, refused_rows, table

KNOWN = {case.name: case for case in CASES}
# Interface -> file of its plot.
PLOTS = {"wsgi": "cpu-a-request.svg", "asgi": "cpu-a-request-asgi.svg", FILES: "cpu-a-request-files.svg"}

COMPARE_TEXT = """\
## CPU a request

Taken on {date}: {machine}; {wrk}, {connections} connections, {rounds} rounds of {seconds} s for each row.
CPU is user and system time of all processes and threads of a server, divided by the requests that the
load generator counted; figures are medians, in brackets the least and the greatest. *Busy* is the share of
its CPU that the server used: below 0.98 or so the load generator was the slower of the two, and the rate is
not the server's best. *Relative* is beside the cheapest server. The floor is none, but a bare loop in C that
parses nothing and calls no application: what is left when a server costs nothing. In the WebSocket case a
request is a message.
"""


def title(case: str) -> str:
    """A case in words, of a name that need not be known any more."""
    return KNOWN[case].title if case in KNOWN else case


def interface(case: str) -> str:
    """The interface of a case's applications."""
    return KNOWN[case].interface if case in KNOWN else "wsgi"


def cost(run: Run, case: str) -> list[tuple[str, Summary]]:
    """CPU microseconds a request of each server in a case, the cheapest first."""
    costs = [(row.name, run.of(row.name, case=case)) for row in run.servers]
    return sorted(
        ((name, summarize(sample["us"] for sample in samples)) for name, samples in costs if samples),
        key=lambda pair: pair[1].median,
    )


def cheapest(costs: Sequence[tuple[str, Summary]]) -> float:
    """The least median of a server that is one."""
    return next((us.median for name, us in costs if name != FLOOR), 0.0)


def verdict(costs: Sequence[tuple[str, Summary]]) -> list[str]:
    """One line, the cheapest kind of indrik beside the cheapest of the others; none if one of the two was not
    measured.
    """
    ours = [pair for pair in costs if is_ours(pair[0]) and pair[0] != UNCOMPILED]
    others = [pair for pair in costs if not is_ours(pair[0]) and pair[0] != FLOOR]
    if not ours or not others:
        return []
    (us, mine), (them, best) = ours[0], others[0]
    return [f"{us} uses {mine.median / best.median:.2f} times the CPU of the best peer, {them}.\n"]


def case_table(run: Run, case: str) -> str:
    """The rows of one case, the cheapest first."""
    costs = cost(run, case)
    least = cheapest(costs)
    headings = ["server", "CPU µs a request", "relative", "of it user", "requests/s", "busy", "failed"]
    rows = []
    for name, us in costs:
        samples = run.of(name, case=case)
        rows.append(
            [
                label(name),
                us.text(2),
                number(us.median / least if least else None, 2),
                number(summarize(sample["us_user"] for sample in samples).median, 1),
                summarize(sample["rate"] for sample in samples).text(),
                number(summarize(sample["busy"] for sample in samples).median, 2),
                number(sum(sample["failures"] for sample in samples)),
            ]
        )
    return table(headings, [*rows, *refused_rows(run, len(headings), interface(case))])


def compare_section(run: Run) -> str:
    """CPU and rate, a table for each case."""
    text = [COMPARE_TEXT.format(date=run.date, machine=run.machine.text, **run.conditions)]
    text += [f"![CPU microseconds a request, {name.upper()}]({PLOTS[name]})\n" for name in interfaces(run)]
    for case in run.conditions["cases"]:
        text.append(f"### {interface(case).upper()}: {title(case)} (`{case}`)\n")
        text += [case_table(run, case), *verdict(cost(run, case))]
    return "\n".join(text)


def interfaces(run: Run) -> list[str]:
    """The interfaces that a comparison has cases of."""
    return [name for name in PLOTS if any(interface(case) == name for case in run.conditions["cases"])]


def plots(run: Run) -> dict[str, str]:
    """File name -> the figure of an interface."""
    note = "one worker, user and system time of all its processes; shorter is better; a slash marks a cut bar"
    made = {}
    for name in interfaces(run):
        panels = [
            Panel(
                title(case),
                [Bar(row, us, is_ours(row), counts=row != FLOOR) for row, us in cost(run, case)],
            )
            for case in run.conditions["cases"]
            if interface(case) == name
        ]
        made[PLOTS[name]] = draw(f"CPU microseconds a request, {name.upper()}", note, panels)
    return made


def summary_lines(run: Run) -> list[str]:
    """The comparison's verdicts for the terminal."""
    lines: list[str] = []
    for case in run.conditions["cases"]:
        costs = cost(run, case)
        lines += [f"{case}:"] + [f"  {name:22s}{us.text(2):>24s} us CPU a request" for name, us in costs]
        lines += [f"  {line.strip()}" for line in verdict(costs)]
    return lines
