"""The site's navigation, read from docs/README.md: each of its sections is a part, each row in it a page.

A README.md that is listed there brings the pages of its own folder that it lists itself, in a table or list.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from docsite.links import BrokenLink, follow, is_external
from docsite.markdown import find_headings, find_links

INDEX = Path("docs", "README.md")
ROW = re.compile(r" {0,3}(?:\||[-*+] |\d+[.)] )")


@dataclass(frozen=True)
class Part:
    """A part of the navigation: its title and the pages in it, in order."""

    title: str
    pages: tuple[Path, ...]


def listed(page: Path, files: Collection[Path]) -> Iterator[tuple[int, Path]]:
    """The line and the page of the first link in each row or list item; broken ones are passed over."""
    text = page.read_text(encoding="utf-8")
    lines, seen = text.splitlines(), set()
    for link in find_links(text):
        if link.line in seen or is_external(link.target) or not ROW.match(lines[link.line - 1]):
            continue
        seen.add(link.line)
        try:
            path = follow(page, link.target, files).path
        except BrokenLink:
            continue
        if path.suffix == ".md" and path != page:
            yield link.line, path


def parts(root: Path, files: Collection[Path]) -> list[Part]:
    """The parts of the navigation, in the order of docs/README.md."""
    index = root / INDEX
    headings = [head for head in find_headings(index.read_text(encoding="utf-8")) if head.level == 2]
    rows = list(listed(index, files))
    ends = [head.line for head in headings[1:]] + [1 << 30]
    return [
        Part(head.title, tuple(path for line, path in rows if head.line < line < end))
        for head, end in zip(headings, ends, strict=True)
    ]


def children(page: Path, files: Collection[Path]) -> list[Path]:
    """The pages that a page brings with it: those of its folder that it lists, if it is a README.md."""
    if page.name != "README.md":
        return []
    return [path for _, path in listed(page, files) if path.parent == page.parent]


def faults(root: Path, files: Collection[Path]) -> list[str]:
    """A sentence for each Markdown page that is in no part of the navigation, or in two places of it."""
    shown = [root / INDEX]
    for part in parts(root, files):
        for page in part.pages:
            shown += [page, *children(page, files)]
    pages = sorted(path for path in files if path.suffix == ".md")
    return [
        f"{page.relative_to(root)} is in no navigation: give it a row in a section of {INDEX}"
        for page in pages
        if page not in shown
    ] + [
        f"{page.relative_to(root)} has {shown.count(page)} rows in {INDEX} and what it lists: one is enough"
        for page in pages
        if shown.count(page) > 1
    ]
