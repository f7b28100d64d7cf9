"""The part of the page about cost as work grows: a table and a computed line for each of indrik's curves,
and the plot.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from bench.dimensions import BY_NAME, OPTIONS, Dimension, value_text
from bench.lineplot import Axes, Look, draw
from bench.results import Run
from bench.serverrow import is_ours
from bench.summary import summarize
from bench.tables import label, number, table

PLOT = "growth.svg"

# Two factors that differ by less are called the same: so much lies between two runs.
TOLERANCE = 1.1
# A step of a curve is called steeper than its work above this exponent: 1 is in proportion, 2 quadratic.
STEEP = 1.15

GROWTH_TEXT = """\
## Cost as work grows

Taken on {date}: {machine}. CPU microseconds a request (user and system time of a server's whole process
tree, by the processes' clocks, divided by the answers) while one thing grows and all others stay: one
worker, 64 connections, one request header, no body, no access log. Bodies come over one connection, one
after the other, and the application reads them in pieces of 64 kB. Workers share one CPU: what is measured
is what more processes cost, not how much more they do. Figures are medians of windows of {milliseconds} ms,
one a round, {rounds} in all; each window begins when its connections stand and ends when all that was asked
is answered, and every answer is compared.
"""

FACTOR_TEXT = """\
The lines below each table are computed: how many times the cost of the least value the
greatest one costs (of connections: of 64, because one alone pays for waking the server each time), and in
brackets what it adds. The best peer is the one that grows least, the median one stands in the middle of
those of the same interface; factors that differ by less than a tenth are called the same. A factor flatters
a server that is dear from the start, so that both belong together. *Steepest* is the greatest exponent
between two neighbouring values: 1 grows as the work does, 2 with its square.
"""


@dataclass(frozen=True)
class Grown:
    """A server's curve in one dimension: the median cost of each value that it took, in ascending order."""

    server: str
    points: Sequence[tuple[int, float]]

    @property
    def factor(self) -> float:
        """The greatest value's cost by the least one's."""
        return self.points[-1][1] / self.points[0][1]

    @property
    def added(self) -> float:
        """Microseconds."""
        return self.points[-1][1] - self.points[0][1]

    @property
    def steepest(self) -> float | None:
        """The greatest exponent of a step between two values above zero; None where there is none."""
        steps = [
            math.log(cost / before) / math.log(value / last)
            for (last, before), (value, cost) in zip(self.points, self.points[1:], strict=False)
            if last > 0
        ]
        return max(steps, default=None)


def cost(run: Run, dimension: str, server: str, value: int) -> float | None:
    """Median CPU microseconds; None where the server was counted out or not asked."""
    samples = run.of(server, dimension=dimension, value=value)
    costs = [one["us"] for one in samples if "us" in one]
    return summarize(costs).median if costs else None


def values(run: Run, dimension: str) -> list[int]:
    """The values that were asked, in ascending order."""
    return sorted({one["value"] for one in run.samples if one["dimension"] == dimension})


def servers(run: Run, dimension: str) -> list[str]:
    """Who was asked, in the order of the rows."""
    return [row.name for row in run.servers if run.of(row.name, dimension=dimension)]


def counting(run: Run, dimension: str) -> list[int]:
    """The values from which on growth counts."""
    base = BY_NAME[dimension].base if dimension in BY_NAME else None
    return [value for value in values(run, dimension) if value >= (base or 0)]


def curve(run: Run, dimension: str, server: str, among: Sequence[int]) -> Grown:
    """What was measured of a curve at these values."""
    points = [(value, cost(run, dimension, server, value)) for value in among]
    return Grown(server, [(value, us) for value, us in points if us])


def whole(run: Run, dimension: str) -> list[Grown]:
    """The curves without a gap: the others have no factor that could be compared."""
    among = counting(run, dimension)
    curves = [curve(run, dimension, name, among) for name in servers(run, dimension)]
    return [one for one in curves if len(one.points) == len(among) > 1]


def judged(mine: Grown, peers: Sequence[Grown]) -> str:
    """How a curve of indrik grows beside those of the peers: always beside whom, because the best peer may
    grow less than the median one.
    """
    factors = [peer.factor for peer in peers]
    whose = "the peer's" if len(peers) == 1 else "the median peer's"
    if mine.factor <= statistics.median(factors) * TOLERANCE:
        return f"it does not grow faster than {whose}"
    if len(peers) > 1 and mine.factor > max(factors) * TOLERANCE:
        whose = "every peer's"
    less = mine.added <= statistics.median(peer.added for peer in peers)
    return f"**it grows faster than {whose}**" + (", and adds less" if less else "")


def in_words(factor: float, added: float) -> str:
    """`3.1 times (+45.0 µs)`."""
    return f"{factor:,.2f} times ({added:+,.1f} µs)"


def verdicts(run: Run, dimension: str) -> list[str]:
    """A sentence for each of indrik's curves, beside the peers of its interface; none without both."""
    interface = {row.name: row.interface for row in run.servers}
    curves = whole(run, dimension)
    said = []
    for mine in (one for one in curves if is_ours(one.server)):
        peers = [
            one
            for one in curves
            if not is_ours(one.server) and interface[one.server] == interface[mine.server]
        ]
        if not peers:
            continue
        text = f"{label(mine.server)}: {in_words(mine.factor, mine.added)}"
        best = min(peers, key=lambda one: one.factor)
        which = "best" if len(peers) > 1 else "the"
        text += f"; {which} peer {best.server} {in_words(best.factor, best.added)}"
        if len(peers) > 1:
            factor = statistics.median(one.factor for one in peers)
            text += f"; median peer {in_words(factor, statistics.median(one.added for one in peers))}"
        text += f": {judged(mine, peers)}"
        if mine.steepest is not None:
            text += f"; steepest {mine.steepest:.2f}"
            text += ", **more than in proportion**" if mine.steepest > STEEP else ""
        said.append(text + ".")
    return said


def unit(dimension: str) -> str:
    """Of the values of a dimension, which need not be known any more."""
    return BY_NAME[dimension].unit if dimension in BY_NAME else ""


def told(name: str, server: str) -> str:
    """What a server was told beyond its row."""
    words = OPTIONS.get((name, server), "")
    return f"{server} `{words.format(value='N')}`" if words else ""


def dimension_table(run: Run, dimension: str) -> str:
    """The costs of each server."""
    asked = values(run, dimension)
    factors = {one.server: one.factor for one in whole(run, dimension)}
    rows = []
    for name in servers(run, dimension):
        costs = [cost(run, dimension, name, value) for value in asked]
        failed = sum(one.get("failures", 0) for one in run.of(name, dimension=dimension))
        factor = number(factors.get(name), 2)
        rows.append([label(name), *(number(us, 1) for us in costs), factor, number(failed)])
    headings = ["server", *(value_text(unit(dimension), value) for value in asked), "factor", "failed"]
    return table(headings, rows)


def outs(run: Run, dimension: str) -> list[str]:
    """A sentence for each server that was counted out of a value, with what it did."""
    reasons = {
        (one["server"], one["value"]): one["out"]
        for one in run.samples
        if one["dimension"] == dimension and "out" in one
    }
    return [
        f"Counted out: {server} at {value_text(unit(dimension), value)} ({reason})."
        for (server, value), reason in reasons.items()
    ]


def growth_section(run: Run) -> str:
    """Every dimension that was measured."""
    parts = [
        GROWTH_TEXT.format(date=run.date, machine=run.machine.text, **run.conditions),
        f"![CPU microseconds a request as work grows]({PLOT})\n",
        FACTOR_TEXT,
    ]
    for dimension in measured(run):
        options = [words for name in servers(run, dimension.name) if (words := told(dimension.name, name))]
        lines = [*verdicts(run, dimension.name), *outs(run, dimension.name)]
        lines += [f"Told besides: {'; '.join(options)}."] if options else []
        parts += [f"### {dimension.title}\n", dimension_table(run, dimension.name)]
        parts += ["\n".join(f"- {line}" for line in lines) + "\n"] if lines else []
    return "\n".join(parts)


def measured(run: Run) -> list[Dimension]:
    """The dimensions that a run has figures of."""
    return [dimension for dimension in BY_NAME.values() if values(run, dimension.name)]


def plots(run: Run) -> dict[str, str]:
    """File name -> the figure: a panel for each dimension of numbers, a line for each server."""
    panels = []
    seen: set[str] = set()
    for dimension in measured(run):
        asked = values(run, dimension.name)
        if len(asked) < 2 or dimension.unit == "log":
            continue  # two settings are no curve
        names = servers(run, dimension.name)
        lines = {name: curve(run, dimension.name, name, asked).points for name in names}
        panels.append(Axes(dimension.title, {value: short(dimension, value) for value in asked}, lines))
        seen |= set(names)
    drawn = [row.name for row in run.servers if row.name in seen]
    interface = {row.name: row.interface for row in run.servers}
    looks = {
        name: Look(place, is_ours(name), interface[name] == "asgi")
        for place, name in enumerate(sorted(drawn, key=lambda name: not is_ours(name)))
    }
    note = "both scales logarithmic, lower is better; thick: indrik; dashed: ASGI"
    return {PLOT: draw("CPU microseconds a request as work grows", note, panels, looks)} if panels else {}


def short(dimension: Dimension, value: int) -> str:
    """A value below an axis, where there is little room."""
    return value_text(dimension.unit, value).removesuffix("B").replace(" ", "")
