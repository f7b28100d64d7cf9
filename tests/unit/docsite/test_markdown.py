"""Links, headings and anchors are found where a reader sees them, and nowhere in code."""

from __future__ import annotations

import pytest

from docsite.markdown import blank_code, find_anchors, find_headings, find_links

PAGE = """\
<!-- made by `x`: [no](comment.md) -->
# A title with `code`

A [link](a.md), an ![image](b.svg) and [one over
lines](c.md#x "with a title"), [in brackets](<d.md>), `[no](span.md)`.

- a list

  ```sh
  # no heading, [no](fence.md)
  ~~~
  ```

> ~~~~ text
> [no](quoted.md)
> ~~~
> ~~~~

[label]: e.md
[![badge](f.svg)](g.md)

## More ##

``a ` [no](double.md)`` and a lone ` before [yes](h.md)
"""


def test_links() -> None:
    links = find_links(PAGE)
    found = [link.target for link in links]
    assert found == ["a.md", "b.svg", "c.md#x", "d.md", "e.md", "f.svg", "g.md", "h.md"]
    assert [PAGE[link.start : link.end] for link in links] == found
    assert [link.line for link in links] == [4, 4, 5, 5, 19, 20, 20, 24]


def test_headings() -> None:
    found = [(heading.level, heading.title, heading.line) for heading in find_headings(PAGE)]
    assert found == [(1, "A title with `code`", 2), (2, "More", 22)]


def test_blanked_code_has_the_places_of_the_text() -> None:
    bare = blank_code(PAGE)
    assert len(bare) == len(PAGE)
    assert bare.count("\n") == PAGE.count("\n")
    assert "(no)" not in bare.replace("[no]", "(no)")


def test_an_unfinished_fence_reaches_the_end() -> None:
    assert find_links("```\n[no](x.md)\n\n[no](y.md)\n") == []


@pytest.mark.parametrize(
    ("title", "anchor"),
    [
        ("Two words", "two-words"),
        ("`worker_class`, and why?", "worker_class-and-why"),
        ("A [link](x.md) in it", "a-link-in-it"),
        ("1. First: `a.b`", "1-first-ab"),
        ("Zwölf & Äpfel", "zwölf--äpfel"),
    ],
)
def test_anchors(title: str, anchor: str) -> None:
    assert find_anchors(f"# {title}\n") == {anchor}


def test_an_anchor_that_comes_again_is_numbered() -> None:
    assert find_anchors("# A\n## A\n## A-1\n## A\n") == {"a", "a-1", "a-1-1", "a-2"}
