"""`python -m docsite`: build the site into a folder and look it through; any warning and any fault fails."""

from __future__ import annotations

import argparse
import re
import shutil
import sys
from pathlib import Path

from sphinx.application import Sphinx
from sphinx.errors import SphinxError

from docsite import built, stage
from tests.repo.source import ROOT, committed_files

COLOUR = re.compile(r"\x1b\[[\d;]*m")


def build(site: Path, work: Path) -> list[str]:
    """Make the site from the repository, with `work` for what lies between; what is wrong with it."""
    try:
        navigation = stage.write(work / "pages", ROOT, committed_files())
    except stage.Faulty as error:
        return error.faults
    shutil.rmtree(site, ignore_errors=True)
    pages = {str(work / "pages" / stage.staged(path, ROOT)): path for path in committed_files()}
    warnings = Warnings(pages)
    try:
        app = Sphinx(
            str(work / "pages"), str(ROOT / "docsite"), str(site), str(work / "doctrees"), "html",
            confoverrides={"indrik_navigation": navigation}, status=None, warning=warnings, freshenv=True,
            warningiserror=True,
        )  # fmt: skip
        app.build()
    except SphinxError as error:
        return [*warnings.lines, f"{error.category}: {error}"]
    for name in (".buildinfo", "objects.inv"):  # of Sphinx's own use
        (site / name).unlink(missing_ok=True)
    return warnings.lines or built.faults(site)


class Warnings:
    """A stream that keeps the lines that Sphinx warns with, without colours, and with the pages' own names.

    `pages` are the repository's files under the names that Sphinx has for them. A page has the same lines in
    both.
    """

    def __init__(self, pages: dict[str, Path]) -> None:
        self.lines: list[str] = []
        self._pages = pages

    def write(self, text: str) -> int:
        for line in COLOUR.sub("", text).splitlines():
            name, colon, rest = line.partition(":")
            page = self._pages.get(name)
            if line.strip():
                self.lines.append(line if page is None else f"{page.relative_to(ROOT)}{colon}{rest}")
        return len(text)

    def flush(self) -> None:
        pass

    def isatty(self) -> bool:
        return False


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m docsite", description=__doc__)
    parser.add_argument("site", type=Path, help="the folder of the site, made anew")
    parser.add_argument("--work", type=Path, required=True, help="a folder for what lies between")
    args = parser.parse_args()
    faults = build(args.site.resolve(), args.work.resolve())
    for fault in faults:
        print(fault, file=sys.stderr)
    if faults:
        print(f"{len(faults)} faults, see above", file=sys.stderr)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
