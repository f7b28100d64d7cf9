"""What one Markdown text holds: its links, its headings, and their anchors. No parser: code is blanked, then
patterns look for the rest. Sphinx parses the pages for good when the site is built.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

FENCE = re.compile(r"^(?P<before>[ >]*(?:(?:[-*+]|\d+[.)]) +)*)(?P<fence>`{3,}|~{3,})(?P<info>[^`\n]*)$")
# A code span ends at as many backticks as began it, and with its paragraph.
SPAN = re.compile(r"(?<!`)(?P<ticks>`+)(?!`)(?:(?!\n[ >]*\n).)+?(?<!`)(?P=ticks)(?!`)", re.DOTALL)
COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
INLINE = re.compile(r"\]\(\s*<?(?P<target>[^)\s>]+)>?(?:\s+\"[^\"]*\")?\s*\)")
DEFINITION = re.compile(r"^ {0,3}\[[^\]\n]+\]:\s*<?(?P<target>[^\s>]+)", re.MULTILINE)
HEADING = re.compile(r"^ {0,3}(?P<marks>#{1,6})[ \t]+(?P<title>.*?)[ \t]*#*$", re.MULTILINE)
LINKED = re.compile(r"!?\[([^\]]*)\]\([^)]*\)")


@dataclass(frozen=True)
class Link:
    """A link or an image: what it leads to, at `text[start:end]`, on which line (from 1)."""

    target: str
    start: int
    end: int
    line: int


@dataclass(frozen=True)
class Heading:
    """A heading: 1 for the page's title to 6, its text as written, its line (from 1)."""

    level: int
    title: str
    line: int


@dataclass(frozen=True)
class Fence:
    """The first line of a fenced block of code: what stands behind the marks, and its line (from 1)."""

    info: str
    line: int


def blank(match: re.Match[str]) -> str:
    return re.sub(r"[^\n]", " ", match[0])


def split_fences(text: str) -> tuple[str, list[Fence]]:
    """The text with its fenced blocks of code blanked, of the same length; and these blocks."""
    lines, fences, end = [], [], ""
    for number, line in enumerate(text.splitlines(keepends=True), 1):
        if end:
            bare = line.strip(" >\r\n")
            if bare.startswith(end) and not bare.strip(end[0]):
                end = ""
        elif match := FENCE.match(line.rstrip("\r\n")):
            end = match["fence"]
            fences.append(Fence(match["info"].strip(), number))
        else:
            lines.append(line)
            continue
        lines.append(re.sub(r"[^\r\n]", " ", line))
    return "".join(lines), fences


def blank_code(text: str) -> str:
    """The text with code and comments blanked, of the same length."""
    return SPAN.sub(blank, COMMENT.sub(blank, split_fences(text)[0]))


def find_links(text: str) -> list[Link]:
    """Every link, image and link definition outside of code, in order."""
    bare = blank_code(text)
    matches = [*INLINE.finditer(bare), *DEFINITION.finditer(bare)]
    return [
        Link(match["target"], *match.span("target"), text.count("\n", 0, match.start("target")) + 1)
        for match in sorted(matches, key=re.Match.start)
    ]


def find_headings(text: str) -> list[Heading]:
    """Every heading outside of code, in order; those that are underlined are not known."""
    bare = COMMENT.sub(blank, split_fences(text)[0])
    return [
        Heading(len(match["marks"]), match["title"], text.count("\n", 0, match.start()) + 1)
        for match in HEADING.finditer(bare)
    ]


def find_anchors(text: str) -> set[str]:
    """The anchors of the headings as GitHub makes them: one that is there already gets -1, -2..."""
    found: dict[str, int] = {}
    for heading in find_headings(text):
        title = LINKED.sub(r"\1", heading.title)
        anchor = re.sub(r"[^\w -]", "", title.lower()).strip().replace(" ", "-")
        name, number = anchor, found.get(anchor, 0)
        while name in found:
            number += 1
            name = f"{anchor}-{number}"
        found[anchor] = number
        found[name] = 0
    return set(found)
