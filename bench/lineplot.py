"""Line charts as SVG on two logarithmic scales, on the sheet of `plot`: two panels in a row, one legend for
all.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

from bench.plot import MARGIN, STYLE, TOP, WIDTH, frame

COLUMNS = 2
PANEL = (WIDTH - 2 * MARGIN) // COLUMNS  # the width of a panel, with its margins
LEFT, RIGHT = 52, 14  # in a panel, beside its axes
HEADING = 34
HEIGHT = 190  # of the axes
FOOT = 40
LEGEND_ROW = 22
LEGEND_COLUMNS = 4
DOT = 2.6

# Distinct in hue and in lightness; a line of ours is thick besides, one of another interface dashed.
LIGHT = ("#2563eb", "#0e9488", "#7c3aed", "#c2410c", "#a16207", "#be185d", "#4d7c0f", "#52525b")
DARK = ("#60a5fa", "#2dd4bf", "#a78bfa", "#fb923c", "#facc15", "#f472b6", "#a3e635", "#a1a1aa")


def line_style() -> str:
    """The sheet's style, and that of axes and lines."""
    light = [f"  .l{place} {{ stroke: {colour} }}" for place, colour in enumerate(LIGHT)]
    light += [f"  .d{place} {{ fill: {colour} }}" for place, colour in enumerate(LIGHT)]
    dark = [f"    .l{place} {{ stroke: {colour} }}" for place, colour in enumerate(DARK)]
    dark += [f"    .d{place} {{ fill: {colour} }}" for place, colour in enumerate(DARK)]
    return "\n".join(
        [
            STYLE.rstrip(),
            "  .line { fill: none; stroke-width: 1.5 }",
            "  .thick { stroke-width: 3 }",
            "  .dashed { stroke-dasharray: 6 3 }",
            "  .grid { stroke: #d3d9e0; stroke-width: 1 }",
            *light,
            "  @media (prefers-color-scheme: dark) {",
            "    .grid { stroke: #2d3540 }",
            *dark,
            "  }",
            "",
        ]
    )


@dataclass(frozen=True)
class Look:
    """How a server's line looks in every panel."""

    colour: int
    thick: bool = False
    dashed: bool = False

    @property
    def classes(self) -> str:
        more = (" thick" if self.thick else "") + (" dashed" if self.dashed else "")
        return f"line l{self.colour % len(LIGHT)}{more}"


@dataclass(frozen=True)
class Axes:
    """One panel: the values along it with their labels, and each server's points (value, cost)."""

    title: str
    labels: Mapping[int, str]
    lines: Mapping[str, Sequence[tuple[int, float]]]


def places(values: Sequence[int]) -> dict[int, float]:
    """Where each of the ascending values stands, 0 to 1, on a logarithmic scale. A zero, which has no
    logarithm, stands a decade before the next one.
    """
    logs = [math.log10(value) if value else math.log10(values[1]) - 1 for value in values]
    width = (logs[-1] - logs[0]) or 1.0
    return {value: (log - logs[0]) / width for value, log in zip(values, logs, strict=True)}


def span(costs: Sequence[float]) -> tuple[float, float]:
    """The logarithms of the least and the greatest value of an axis: whole thirds of a decade around the
    costs.
    """
    low, high = math.log10(min(costs)), math.log10(max(costs))
    return math.floor(low * 3) / 3, math.ceil(high * 3 + 0.01) / 3


def ticks(low: float, high: float) -> Iterator[float]:
    """Round values between two logarithms: decades, and 2 and 5 of each where they are few."""
    steps = (1, 2, 5) if high - low < 2.5 else (1,)
    for decade in range(math.floor(low), math.ceil(high) + 1):
        for step in steps:
            value = step * 10.0**decade
            if low - 1e-9 <= math.log10(value) <= high + 1e-9:
                yield value


def tick_text(value: float) -> str:
    """`0.5`, `20`, `1k`, `5M`."""
    for size, prefix in ((1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:g}{prefix}"
    return f"{value:g}"


def note(x: float, y: float, anchor: str, text: str) -> str:
    """A label of an axis."""
    return f'<text class="note" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


def draw_axes(axes: Axes, looks: Mapping[str, Look], x: int, y: int) -> list[str]:
    """The elements of a panel whose upper left corner is there."""
    left, right = x + LEFT, x + PANEL - RIGHT
    top, bottom = y + HEADING, y + HEADING + HEIGHT
    parts = [f'<text class="title" x="{x}" y="{y + 20}">{escape(axes.title)}</text>']
    costs = [cost for points in axes.lines.values() for _, cost in points if cost > 0]
    if not costs:
        return parts
    low, high = span(costs)
    along = {value: left + place * (right - left) for value, place in places(list(axes.labels)).items()}

    def height(cost: float) -> float:
        return bottom - (math.log10(cost) - low) / (high - low) * HEIGHT

    for value in ticks(low, high):
        at = height(value)
        parts.append(f'<path class="grid" d="M{left} {at:.1f}H{right}"/>')
        parts.append(note(left - 6, at + 4, "end", tick_text(value)))
    for value, text in axes.labels.items():
        at, anchor = along[value], "end" if along[value] > right - 20 else "middle"
        parts.append(f'<path class="grid" d="M{at:.1f} {top}V{bottom}"/>')
        parts.append(note(at, bottom + 17, anchor, text))
    for name, line in axes.lines.items():
        look = looks[name]
        points = [(along[value], height(cost)) for value, cost in line if cost > 0]
        path = "L".join(f"{at:.1f} {up:.1f}" for at, up in points)
        if path:
            parts.append(f'<path class="{look.classes}" d="M{path}"><title>{escape(name)}</title></path>')
        parts += [
            f'<circle class="d{look.colour % len(LIGHT)}" cx="{at:.1f}" cy="{up:.1f}" r="{DOT}"/>'
            for at, up in points
        ]
    return parts


def legend(looks: Mapping[str, Look], y: int) -> list[str]:
    """Names beside a piece of their line, in rows from y on."""
    parts = []
    width = (WIDTH - 2 * MARGIN) / LEGEND_COLUMNS
    for number, (name, look) in enumerate(looks.items()):
        x = MARGIN + width * (number % LEGEND_COLUMNS)
        at = y + LEGEND_ROW * (number // LEGEND_COLUMNS) + LEGEND_ROW / 2
        parts.append(f'<path class="{look.classes}" d="M{x:.1f} {at:.1f}h28"/>')
        parts.append(f'<text x="{x + 35:.1f}" y="{at + 4.5:.1f}">{escape(name)}</text>')
    return parts


def draw(title: str, note: str, panels: Sequence[Axes], looks: Mapping[str, Look]) -> str:
    """A figure: the legend, then the panels. `looks` has a row for each name of a line."""
    parts = legend(looks, TOP)
    y = TOP + LEGEND_ROW * -(-len(looks) // LEGEND_COLUMNS) + 8
    for number, axes in enumerate(panels):
        parts += draw_axes(axes, looks, MARGIN + PANEL * (number % COLUMNS), y)
        if number % COLUMNS == COLUMNS - 1 or axes is panels[-1]:
            y += HEADING + HEIGHT + FOOT
    return frame(title, note, y, parts, line_style())
