"""A profile of callgrind: what functions and all that they call have cost.

The format is the one of valgrind's manual, "Callgrind Format Specification": names are given once behind a
number in brackets, then the number stands for them; a line `calls=` is followed by one with the cost of all
these calls.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

NAME = re.compile(r"\((\d+)\)(?: (.*))?")
# What callgrind appends to a function that was entered again before it returned.
RECURSION = re.compile(r"'\d+$")


class Malformed(Exception):
    """A file is no profile, or not a whole one."""


@dataclass
class Profile:
    """`total` are all instructions, `calls` those of the calls from one function into another, by both
    names, and what these call in turn.
    """

    total: int
    calls: dict[tuple[str, str], int] = field(default_factory=dict)

    def names(self) -> set[str]:
        """Every function that was called."""
        return {callee for _, callee in self.calls}

    def inclusive(self, functions: Iterable[str]) -> int:
        """What these functions and all that they call have cost; calls among themselves count once."""
        wanted = set(functions)
        return sum(
            cost for (caller, callee), cost in self.calls.items() if callee in wanted and caller not in wanted
        )

    def minus(self, other: Profile) -> Profile:
        """What this one has cost beyond another."""
        pairs = {*self.calls, *other.calls}
        return Profile(
            self.total - other.total,
            {pair: self.calls.get(pair, 0) - other.calls.get(pair, 0) for pair in pairs},
        )


def parse(text: str) -> Profile:
    """One file of one event, instructions. Malformed without its total."""
    names: dict[str, str] = {}
    calls: dict[tuple[str, str], int] = {}
    total: int | None = None
    caller = callee = ""
    is_call = False
    for line in text.splitlines():
        if is_call:
            words = line.split()
            pair = (caller, callee)
            calls[pair] = calls.get(pair, 0) + (int(words[1]) if len(words) > 1 else 0)
            is_call = False
        elif line.startswith("fn="):
            caller = named(line[3:], names)
        elif line.startswith("cfn="):
            callee = named(line[4:], names)
        elif line.startswith("calls="):
            is_call = True
        elif line.startswith("summary:"):
            total = int(line.split()[1])
    if total is None:
        raise Malformed("no line `summary:`")
    return Profile(total, calls)


def named(text: str, names: dict[str, str]) -> str:
    """The function's name behind its number, or by it."""
    found = NAME.fullmatch(text)
    if found is None:
        return RECURSION.sub("", text)
    number, name = found.groups()
    if name is not None:
        names[number] = RECURSION.sub("", name)
    return names[number]


def read(path: Path) -> Profile:
    """A profile's file. Malformed says which one is none."""
    try:
        return parse(path.read_text(encoding="utf-8", errors="replace"))
    except Malformed as error:
        raise Malformed(f"{path}: {error}") from error
