"""The tree that the site is made of: where pages lie in it, where their links lead, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from docsite import stage

INDEX = """\
# Documentation

## How-to guides

| page | for whom |
|---|---|
| [One](how-to/one.md) | everybody, and [two](how-to/two.md) is no page of this row |
| [Two](how-to/two.md) | everybody |

## Decisions

- [Decisions](decisions/README.md)

## The project

- [README](../README.md)
"""

FILES = {
    "README.md": "# Project\n\n[docs](docs), [how](docs/how-to/one.md#first-steps)\n",
    "docs/README.md": INDEX,
    "docs/how-to/one.md": (
        "# One\n\n## First steps\n\n[code](../../src/a.py), [data](../data.bin), [here](#first-steps), "
        "[two](two.md), [web](https://example.org/x.md), ![plot](plot%20one.svg)\n"
    ),
    "docs/how-to/two.md": "# Two\n\n[home](../../README.md) and `[code](nowhere.md)`\n",
    "docs/how-to/plot one.svg": "<svg/>",
    "docs/data.bin": "data",
    "docs/decisions/README.md": "# Decisions\n\n- [0001](0001-x.md)\n",
    "docs/decisions/0001-x.md": "# 0001: X\n",
    "src/a.py": "# **code**\n\n``x``\n",
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A small repository."""
    for name, text in FILES.items():
        write(tmp_path / "repository" / name, text)
    return tmp_path / "repository"


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def staged(root: Path) -> stage.Navigation:
    files = [path for path in root.rglob("*") if path.is_file()]
    return stage.write(root.parent / "tree", root, files)


def read(root: Path, name: str) -> str:
    return (root.parent / "tree" / name).read_text(encoding="utf-8")


def faults(root: Path) -> list[str]:
    with pytest.raises(stage.Faulty) as caught:
        staged(root)
    return caught.value.faults


def test_the_navigation(root: Path) -> None:
    found = staged(root)
    assert found.parts == (
        ("How-to guides", ("how-to/one", "how-to/two")),
        ("Decisions", ("decisions/index",)),
        ("The project", ("repository/index",)),
    )
    assert found.below == {"decisions/index": ("decisions/0001-x",)}


def test_links_are_led_to_where_the_files_are(root: Path) -> None:
    staged(root)
    assert "[docs](../index.md), [how](../how-to/one.md#first-steps)" in read(root, "repository/index.md")
    assert (
        "[code](../repository/src/a.py.rst), [data](../data.bin), [here](#first-steps), "
        "[two](two.md), [web](https://example.org/x.md), ![plot](plot%20one.svg)"
    ) in read(root, "how-to/one.md")
    assert "[home](../repository/index.md) and `[code](nowhere.md)`" in read(root, "how-to/two.md")
    assert read(root, "how-to/plot one.svg") == "<svg/>"
    assert read(root, "data.bin") == "data"


def test_a_source_file_becomes_a_page(root: Path) -> None:
    staged(root)
    text = read(root, "repository/src/a.py.rst")
    assert text.startswith(":orphan:\n\nsrc/a.py\n========\n\n.. code-block:: python\n")
    assert text.endswith("\n   # **code**\n\n   ``x``\n\n")


def test_a_folder_becomes_a_list_of_its_files(root: Path) -> None:
    write(root / "src/b/c.bin", "data")
    write(root / "docs/how-to/two.md", "# Two\n\n[all](../../src/)\n")
    staged(root)
    assert "[all](../repository/src/index.rst)" in read(root, "how-to/two.md")
    assert read(root, "repository/src/index.rst") == (
        ":orphan:\n\nsrc\n===\n\n- :doc:`a.py </repository/src/a.py>`\n"
        "- :download:`b/c.bin </repository/src/b/c.bin>`\n"
    )
    assert read(root, "repository/src/b/c.bin") == "data"


def test_what_was_there_before_is_gone(root: Path) -> None:
    write(root.parent / "tree" / "old.md", "# Old\n")
    staged(root)
    assert not (root.parent / "tree" / "old.md").exists()


@pytest.mark.parametrize(
    ("link", "why"),
    [
        ("nowhere.md", "leads to no committed file"),
        ("../../../outside.md", "leads to no committed file"),
        ("../" * 99 + "outside.md", "leads to no committed file"),
        ("../../empty", "leads to no committed file"),
        ("../../src#x", "has an anchor in a file that has no headings: link to the file"),
        ("two.md#nowhere", "names no heading of two.md; it has two"),
        ("#nowhere", "names no heading of one.md; it has one"),
        ("../../src/a.py#L1", "has an anchor in a file that has no headings: link to the file"),
        ("/docs/x.md", "begins with a slash, another place on each host: write it from the page's folder"),
    ],
)
def test_a_broken_link_is_refused(root: Path, link: str, why: str) -> None:
    (root / "empty").mkdir()
    write(root / "docs/how-to/one.md", f"# One\n\n[x]({link})\n")
    write(root / "README.md", "# Project\n")
    assert faults(root) == [f"docs/how-to/one.md: line 3: the link to {link} {why}"]


def test_every_fault_is_told(root: Path) -> None:
    write(root / "docs/how-to/three.md", "# Three\n\n[x](nowhere.md)\n\n![y](lost.svg)\n")
    write(root / "docs/decisions/0002-y.md", "# 0002: Y\n")
    assert faults(root) == [
        "docs/decisions/0002-y.md is in no navigation: give it a row in a section of docs/README.md",
        "docs/how-to/three.md is in no navigation: give it a row in a section of docs/README.md",
        "docs/how-to/three.md: line 3: the link to nowhere.md leads to no committed file",
        "docs/how-to/three.md: line 5: the link to lost.svg leads to no committed file",
    ]


def test_a_page_has_one_place(root: Path) -> None:
    write(root / "docs/README.md", INDEX + "- [One](how-to/one.md)\n")
    assert faults(root) == [
        "docs/how-to/one.md has 2 rows in docs/README.md and what it lists: one is enough"
    ]
