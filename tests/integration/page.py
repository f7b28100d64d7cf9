"""A page of documentation that can be run: its fenced blocks as steps, and what an output on it stands for.

Blocks are told apart by their language and by an HTML comment above the fence, which a reader of the page
does not see:

    <!-- file: NAME -->   the block is the content of that file, in the folder where the page works
    ```sh                 commands for a terminal, at first number 1
    <!-- terminal N -->   the commands are for that terminal, and so are those of the blocks below
    ```text               what the commands above have printed, all of it
    <!-- the log -->      what terminal 1, where the server runs, has printed since it was last looked at
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_BLOCK = re.compile(r"(?:^<!-- (?P<mark>[^\n]+) -->\n)?^```(?P<kind>\w*)\n(?P<text>.*?)^```$", re.M | re.S)

#: Left out of an output: within a line some characters, as a line of its own any lines.
GAP = "…"

#: What is another each time: a pattern for it on the page, and for what may stand there instead. A process id
#: (None) is the same wherever an output has the same.
_VARIABLE = {
    r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d [+-]\d{4}": r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d [+-]\d{4}",
    r"(?<=\[)\d+(?=\])|(?<=pid: )\d+|(?<=pid:)\d+|(?<=pid )\d+|(?<= \()\d+(?=\)$)": None,
    r"\b\d+\.\d s\b": r"\d+\.\d s",
    r"\b\d+ requests?\b": r"\d+ requests?",
    r"(?<=indrik )\d+\.\d+\.\d+": r"\d+\.\d+\.\d+",
    r"(?<=CPython )3\.\d+\.\d+": r"3\.\d+\.\d+\S*",
    re.escape(GAP): r".*?",
}
_ANY_VARIABLE = re.compile("|".join(f"({pattern})" for pattern in _VARIABLE))


@dataclass(frozen=True)
class File:
    """`text` is to be written into the file `name`."""

    name: str
    text: str


@dataclass(frozen=True)
class Commands:
    """`text` is to be typed into a terminal."""

    terminal: int
    text: str


@dataclass(frozen=True)
class Output:
    """What a terminal then shows."""

    terminal: int
    text: str


def steps(page: str) -> Iterator[File | Commands | Output]:
    """The blocks of a page in order. Raises ValueError for a block that says not what it is."""
    blocks = list(_BLOCK.finditer(page))
    if page.count("```") != 2 * len(blocks):
        raise ValueError("a fence is not closed, or stands in the middle of a line")
    terminal = 1
    commands_end: int | None = None
    for block in blocks:
        mark, kind, text = block["mark"] or "", block["kind"], block["text"]
        if mark.startswith("file: "):
            yield File(mark.removeprefix("file: "), text)
        elif kind == "sh" and (not mark or mark.startswith("terminal ")):
            terminal = int(mark.removeprefix("terminal ")) if mark else terminal
            commands_end = block.end()
            yield Commands(terminal, text)
        elif kind == "text" and mark == "the log":
            yield Output(1, text)
        elif (
            kind == "text"
            and not mark
            and commands_end is not None
            and not page[commands_end : block.start()].strip()
        ):
            yield Output(terminal, text)
        else:
            raise ValueError(f"nobody knows what this block is: {block[0]}")


def pattern_of(output: str) -> re.Pattern[str]:
    """What matches each text that `output`, with its gaps and its variable parts, stands for."""
    seen: set[str] = set()
    return re.compile("".join(_line(line, seen) for line in output.splitlines()))


def _line(line: str, seen: set[str]) -> str:
    if line.strip() == GAP:
        return r"(?:.*\n)*?"
    parts, end = [], 0
    for found in _ANY_VARIABLE.finditer(line):
        parts.append(re.escape(line[end : found.start()]))
        parts.append(_variable(found, seen))
        end = found.end()
    return "".join([*parts, re.escape(line[end:]), r"\n"])


def _variable(found: re.Match[str], seen: set[str]) -> str:
    assert found.lastindex is not None
    pattern = list(_VARIABLE.values())[found.lastindex - 1]
    if pattern is not None:
        return pattern
    if found[0] in seen:
        return f"(?P=pid{found[0]})"
    seen.add(found[0])
    return rf"(?P<pid{found[0]}>\d+)"
