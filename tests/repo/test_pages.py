"""Every Markdown page of the repository: its links lead somewhere, the navigation has it, and code hosts show
it whole. `make docs` looks at links and navigation too, and has Sphinx look again.
"""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

import pytest

from docsite import navigation
from docsite.links import places
from docsite.markdown import blank_code, find_headings, split_fences
from tests.repo.source import ROOT, committed_files

FILES = frozenset(committed_files())
pages = sorted(path for path in FILES if path.suffix == ".md")
names = [str(path.relative_to(ROOT)) for path in pages]

#: Syntax that one generator of sites understands, and a code host shows as it is written.
FOREIGN = {
    "front matter": re.compile(r"\A---$", re.MULTILINE),
    "a directive with colons": re.compile(r"^ *:{3,}", re.MULTILINE),
    "an admonition of MkDocs": re.compile(r"^ *(?:!!!|\?\?\?\+?) ", re.MULTILINE),
    "attributes in braces": re.compile(r"\{[:#.][^}\n]*\}"),
    "a label of MyST": re.compile(r"^\([\w-]+\)=$", re.MULTILINE),
    "a link of a wiki": re.compile(r"\[\[[^\]\n]+\]\]"),
}


ROLE = re.compile(r"\{[\w:.-]+\}")


def foreign_syntax(text: str) -> list[str]:
    """What a text holds that only a generator of sites understands."""
    bare = blank_code(text)
    found = [name for name, pattern in FOREIGN.items() if pattern.search(bare)]
    # A role stands before a code span, which is blank by now.
    found += [f"a role: {match[0]}" for match in ROLE.finditer(bare) if text[match.end() :].startswith("`")]
    fences = split_fences(text)[1]
    return found + [f"a directive: {fence.info}" for fence in fences if fence.info.startswith("{")]


@pytest.mark.parametrize("page", pages, ids=names)
def test_links_lead_somewhere(page: Path) -> None:
    _, broken = places(page, page.read_text(encoding="utf-8"), FILES)
    assert not broken


@pytest.mark.parametrize("page", pages, ids=names)
def test_headings_are_in_order(page: Path) -> None:
    headings = find_headings(page.read_text(encoding="utf-8"))
    assert [heading.level for heading in headings][:1] == [1], "a page begins with its title"
    assert [heading for heading in headings[1:] if heading.level == 1] == [], "a page has one title"
    skipped = [
        f"line {after.line}: {after.title}"
        for before, after in pairwise(headings)
        if after.level > before.level + 1
    ]
    assert not skipped, "a level was left out"


@pytest.mark.parametrize("page", pages, ids=names)
def test_a_code_host_shows_the_page_whole(page: Path) -> None:
    assert foreign_syntax(page.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    "text",
    [
        "---\ntitle: x\n---\n# Page\n", "# Page\n\n:::{note}\nx\n:::\n", '# Page\n\n!!! note "x"\n    y\n',
        "# Page\n\nsee {ref}`x`\n", "# Page {#anchor}\n", "(label)=\n# Page\n", "see [[Page]]\n",
        "# Page\n\n```{toctree}\nx\n```\n",
    ],
)  # fmt: skip
def test_foreign_syntax_is_seen(text: str) -> None:
    assert len(foreign_syntax(text)) == 1


def test_code_is_no_foreign_syntax() -> None:
    assert foreign_syntax("`---`, `{x}` and ``{ref}`x` ``\n\n```python\n[[1]]\n::: {#x}\n!!! \n```\n") == []


def test_every_page_is_in_the_navigation() -> None:
    assert navigation.faults(ROOT, FILES) == []


def test_the_parts_of_the_navigation() -> None:
    parts = {part.title: part.pages for part in navigation.parts(ROOT, FILES)}
    assert list(parts)[:4] == ["Tutorial", "How-to guides", "Reference", "Explanation"]
    titles = {"how-to": "How-to guides", "reference": "Reference", "explanation": "Explanation"}
    for folder, title in titles.items():
        assert set((ROOT / "docs" / folder).glob("*.md")) <= set(parts[title])


def test_decisions_are_numbered() -> None:
    for path in (ROOT / "docs" / "decisions").glob("0*.md"):
        assert path.read_text(encoding="utf-8").startswith(f"# {path.name[:4]}: ")
