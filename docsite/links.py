"""Where the links of the Markdown pages lead: to which committed file, and whether the anchor is in it."""

from __future__ import annotations

import os
import re
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from docsite.markdown import Link, find_anchors, find_links

EXTERNAL = re.compile(r"[a-z][a-z0-9+.-]*:", re.IGNORECASE)


class BrokenLink(ValueError):
    """A link that leads nowhere; the text says why."""


@dataclass(frozen=True)
class Place:
    """Where a link leads: a committed file and an anchor in it ("" for none), or a folder of such files."""

    path: Path
    anchor: str


def is_external(target: str) -> bool:
    """Whether a link leaves the repository: such a one is not looked at."""
    return EXTERNAL.match(target) is not None


def follow(page: Path, target: str, files: Collection[Path]) -> Place:
    """The committed file that `target` in `page` means; a folder means its README.md if it has one.

    Raises BrokenLink where no code host would find anything, and for an anchor that is no heading's: lines of
    a source file move, so they have no anchors.
    """
    name, _, anchor = target.partition("#")
    if name.startswith("/"):
        raise BrokenLink("begins with a slash, another place on each host: write it from the page's folder")
    # No resolve(): a link through a symbolic link is none that a code host follows.
    path = Path(os.path.normpath(page.parent / unquote(name))) if name else page
    if path not in files:
        if not any(path in file.parents for file in files):
            raise BrokenLink("leads to no committed file")
        readme = path / "README.md"
        path = readme if readme in files else path
    if anchor:
        if path.suffix != ".md":
            raise BrokenLink("has an anchor in a file that has no headings: link to the file")
        anchors = find_anchors(path.read_text(encoding="utf-8"))
        if anchor not in anchors:
            raise BrokenLink(f"names no heading of {path.name}; it has {', '.join(sorted(anchors))}")
    return Place(path, anchor)


def places(page: Path, text: str, files: Collection[Path]) -> tuple[list[tuple[Link, Place]], list[str]]:
    """Every link of a page to the repository with where it leads; and a sentence for each broken one."""
    found, broken = [], []
    for link in find_links(text):
        if is_external(link.target):
            continue
        try:
            found.append((link, follow(page, link.target, files)))
        except BrokenLink as error:
            broken.append(f"line {link.line}: the link to {link.target} {error}")
    return found, broken
