"""The block of docs/explanation/performance.md that is written from a measurement."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from bench import environment
from bench.budget.budgets import Budgets
from bench.budget.stages import ACCEPT, KINDS, MEANING, Kind
from bench.tables import number, table

PAGE = environment.ROOT / "docs" / "explanation" / "performance.md"
BEGIN = "<!-- Written by `make budget ARGS=--write`: do not edit. -->"
END = "<!-- The end of what is written by `make budget`. -->"

# Of the requests, in the order of the columns.
HEADINGS = {"hello": "one field", "browser": "a browser's 13 fields"}

Counts = Mapping[str, Mapping[str, int]]


class NoBlock(Exception):
    """The page has lost the two comments between which the block stands."""


def kind_table(kind: Kind, counts: Counts, budgets: Budgets) -> str:
    """The stages of a kind: what each costs for each request, and may cost."""
    headings = ["stage", "what it is", "begins with"]
    for heading in HEADINGS.values():
        headings += [heading, "budget"]
    rows = []
    for stage, meaning in MEANING.items():
        if not any(stage in counts[request] for request in HEADINGS):
            continue
        row = [stage, meaning, ", ".join(f"`{short(name)}`" for name in kind.where(stage))]
        for request in HEADINGS:
            row += [
                number(counts[request].get(stage)),
                number(budgets.of(kind.name, request, stage)),
            ]
        rows.append(row)
    total = []
    for request in HEADINGS:
        stages = [stage for stage in counts[request] if stage != ACCEPT]
        allowed = [budgets.of(kind.name, request, stage) for stage in stages]
        known = [budget for budget in allowed if budget is not None]
        total += [
            number(sum(counts[request][stage] for stage in stages)),
            number(sum(known) if len(known) == len(stages) else None),
        ]
    rows.append(["all", f"without {ACCEPT}", "", *total])
    text = table(headings, rows)
    # Three columns of words, not one.
    return text.replace("| --- | ---: | ---: |", "| --- | --- | --- |", 1)


def short(function: str) -> str:
    """Class and method of a function's name."""
    return ".".join(function.split(".")[-2:])


def block(counts: Mapping[str, Counts], budgets: Budgets) -> str:
    """The whole block, with its comments."""
    parts = [BEGIN, f"Counted and budgeted for {budgets.made_for}.\n"]
    for kind in KINDS:
        parts += [f"## Kind {kind.name} (`{kind.options}`)\n", kind_table(kind, counts[kind.name], budgets)]
    return "\n".join([*parts, END])


def replace(text: str, new: str) -> str:
    """The page with another block. NoBlock if it has none."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise NoBlock(f"the page needs the lines {BEGIN!r} and {END!r}, in this order")
    return before + new + after


def write(counts: Mapping[str, Counts], budgets: Budgets, page: Path = PAGE) -> None:
    """Put the block of a measurement of all kinds in its place."""
    page.write_text(replace(page.read_text(encoding="utf-8"), block(counts, budgets)), encoding="utf-8")
