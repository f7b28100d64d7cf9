"""Markdown tables of figures, and how a row is named in them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from bench.results import Run
from bench.serverrow import UNCOMPILED, is_ours

NO_FIGURE = "–"  # noqa: RUF001


def table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table; every column but the first is numbers."""
    lines = ["| " + " | ".join(headings) + " |", "| --- |" + " ---: |" * (len(headings) - 1)]
    lines += ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def label(name: str) -> str:
    """A server's name in a table; indrik's in bold, of whatever kind, as long as it is compiled."""
    return f"**{name}**" if is_ours(name) and name != UNCOMPILED else name


def number(value: float | None, digits: int = 0, unit: str = "") -> str:
    """A figure, or a dash where there is none."""
    return NO_FIGURE if value is None else f"{value:,.{digits}f}{unit}"


def refused_rows(run: Run, columns: int, interface: str = "") -> list[list[str]]:
    """A row for each server that the build of the run refused, of one interface if it is given."""
    return [
        [label(row.name), "not supported yet", *[NO_FIGURE] * (columns - 2)]
        for row in run.servers
        if row.refused and interface in ("", row.interface)
    ]
