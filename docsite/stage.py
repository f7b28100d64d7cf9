"""The tree that Sphinx reads: each page where its address will be, with its links led there, and what they
lead to.

A page of docs/ keeps its place in the site. What lies elsewhere in the repository is below `repository/`. A
source file that a page links to becomes a page with its text, a folder a list of what is in it; other files
are offered as they are.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from urllib.parse import quote

from docsite import navigation
from docsite.links import Place, places

#: Suffix or name of a source file -> how it is highlighted. What is not here is a download.
LANGUAGES = {
    ".c": "c", ".conf": "text", ".css": "css", ".html": "html+jinja", ".ini": "ini", ".pxd": "cython",
    ".py": "python", ".service": "ini", ".sh": "sh", ".socket": "ini", ".toml": "toml", ".txt": "text",
    ".yaml": "yaml", ".yml": "yaml", "Dockerfile": "docker", "LICENSE": "text", "Makefile": "make",
}  # fmt: skip


class Faulty(Exception):
    """The pages cannot become a site; `faults` has a sentence for each reason."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = faults


@dataclass(frozen=True)
class Navigation:
    """What stands in the sidebar: captions with the pages below them, and the pages below a page."""

    parts: tuple[tuple[str, tuple[str, ...]], ...]
    below: dict[str, tuple[str, ...]]


def address(path: Path, root: Path) -> PurePosixPath:
    """Where a page of the repository is in the site, without the last suffix: its name for Sphinx."""
    inside = PurePosixPath(path.relative_to(root).as_posix())
    inside = inside.relative_to("docs") if inside.parts[0] == "docs" else "repository" / inside
    if path.is_dir():
        return inside / "index"
    if inside.name == "README.md":
        return inside.with_name("index")
    return inside.with_suffix("") if inside.suffix == ".md" else inside


def language(path: Path) -> str | None:
    """How a source file that is shown as a page is highlighted; None if it is a download."""
    return LANGUAGES.get(path.suffix) or LANGUAGES.get(path.name)


def staged(path: Path, root: Path) -> PurePosixPath:
    """The file in the tree that stands for a file of the repository."""
    place = address(path, root)
    if path.suffix == ".md":
        return place.with_name(place.name + ".md")
    return place.with_name(place.name + ".rst") if path.is_dir() or language(path) else place


def redirect(page: Path, text: str, links: Iterable[tuple[int, int, Place]], root: Path) -> str:
    """The text of a page with each link, at `text[start:end]`, led to the place in the tree."""
    folder, pieces, done = staged(page, root).parent, [], 0
    for start, end, place in links:
        target = quote(os.path.relpath(staged(place.path, root), folder)) if place.path != page else ""
        pieces += [text[done:start], target, f"#{place.anchor}" if place.anchor else ""]
        if not pieces[-1] and not target:
            pieces.append(quote(staged(page, root).name))
        done = end
    return "".join([*pieces, text[done:]])


def source_page(path: Path, root: Path) -> str:
    """A page, in reStructuredText, that shows a source file. It is in no navigation: links lead to it."""
    text = path.read_text(encoding="utf-8")
    code = "".join(f"   {line}\n" if line else "\n" for line in text.splitlines())
    return f"{orphan(path, root)}.. code-block:: {language(path)}\n   :force:\n\n{code or '   '}\n"


def folder_page(folder: Path, root: Path, inside: Iterable[Path]) -> str:
    """A page that lists the files of a folder, as `source_page`."""
    rows = [
        f"- :{'doc' if path.suffix == '.md' or language(path) else 'download'}:"
        f"`{path.relative_to(folder)} </{address(path, root)}>`\n"
        for path in sorted(inside)
    ]
    return orphan(folder, root) + "".join(rows)


def orphan(path: Path, root: Path) -> str:
    """The beginning of a page that is called after a file or folder."""
    title = str(path.relative_to(root))
    return f":orphan:\n\n{title}\n{'=' * len(title)}\n\n"


def write(tree: Path, root: Path, files: Iterable[Path]) -> Navigation:
    """Make the tree anew from the committed `files` of `root`. Raises Faulty with all faults of all pages."""
    committed = frozenset(files)
    faults = navigation.faults(root, committed)
    shutil.rmtree(tree, ignore_errors=True)
    linked: set[Path] = set()
    for page in sorted(path for path in committed if path.suffix == ".md"):
        text = page.read_text(encoding="utf-8")
        found, broken = places(page, text, committed)
        faults += [f"{page.relative_to(root)}: {sentence}" for sentence in broken]
        linked |= {place.path for _, place in found}
        put(tree / staged(page, root), redirect(page, text, [(k.start, k.end, p) for k, p in found], root))
    for folder in [path for path in linked if path.is_dir()]:
        inside = [path for path in committed if folder in path.parents]
        put(tree / staged(folder, root), folder_page(folder, root, inside))
        linked.update(inside)
    for path in linked:
        if path.suffix == ".md" or path.is_dir():
            continue
        if language(path):
            put(tree / staged(path, root), source_page(path, root))
        else:
            (tree / staged(path, root)).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, tree / staged(path, root))
    if faults:
        raise Faulty(faults)
    return sidebar(root, committed)


def put(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def sidebar(root: Path, committed: frozenset[Path]) -> Navigation:
    """The navigation in the names that Sphinx has for pages."""

    def names(pages: Iterable[Path]) -> tuple[str, ...]:
        return tuple(str(address(page, root)) for page in pages)

    found = navigation.parts(root, committed)
    below = {page: navigation.children(page, committed) for part in found for page in part.pages}
    return Navigation(
        tuple((part.title, names(part.pages)) for part in found if part.pages),
        {str(address(page, root)): names(pages) for page, pages in below.items() if pages},
    )
