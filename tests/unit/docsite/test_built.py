"""What is found in built pages: links that lead nowhere, and all that another host would have to serve."""

from __future__ import annotations

from pathlib import Path

import pytest

from docsite import built


def fault(tmp_path: Path, html: str) -> list[str]:
    (tmp_path / "page.html").write_text(html, encoding="utf-8")
    return built.faults(tmp_path)


@pytest.mark.parametrize(
    "html",
    [
        '<link rel="stylesheet" href="https://cdn.example.org/x.css">',
        '<link rel="preconnect" href="https://fonts.example.org">',
        '<link href="//fonts.example.org/x.ico" rel="shortcut icon">',
        '<script src="//cdn.example.org/x.js"></script>',
        "<script>import('https://cdn.example.org/x.js')</script>",
        '<img src="https://example.org/badge.svg">',
        '<img src="page.html" srcset="page.html 1x, https://example.org/badge.svg 2x">',
        '<p style="background: url(https://example.org/x.png)"></p>',
        "<style>@import 'https://example.org/x.css';</style>",
        '<iframe src="https://example.org/"></iframe>',
        '<form action="https://example.org/search"></form>',
        '<meta http-equiv="refresh" content="0; url=https://example.org/">',
    ],
)
def test_another_host(tmp_path: Path, html: str) -> None:
    [found] = fault(tmp_path, html)
    assert found.startswith("page.html: ")
    assert found.endswith(" is loaded from another host")


def test_another_host_in_styles_and_scripts(tmp_path: Path) -> None:
    (tmp_path / "x.css").write_text("@font-face { src: url('https://fonts.example.org/x.woff2') }")
    (tmp_path / "x.js").write_text("const s = 'http://www.w3.org/2000/svg'; // see https://example.org\n")
    (tmp_path / "y.js").write_text('fetch("https://example.org/y.json"); load(`//example.org/z`)')
    assert built.faults(tmp_path) == [
        "x.css: https://fonts.example.org/x.woff2 is loaded from another host",
        "y.js: https://example.org/y.json is loaded from another host",
        "y.js: //example.org/z is loaded from another host",
    ]


def test_links(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "index.html").write_text('<p id="here">x</p>')
    found = fault(
        tmp_path,
        '<h1 id="top">x</h1><a href="#top">1</a><a href="folder/#here">2</a><a href="folder/index.html">3</a>'
        '<a href="https://example.org/elsewhere">4</a><a href="mailto:x@example.org">5</a>'
        '<a href="lost.html">6</a><a href="#lost">7</a><a href="folder/#lost">8</a><img src="lost.svg">',
    )
    assert found == [
        "page.html: lost.html leads to no file of the site",
        "page.html: #lost leads to no such place in its page",
        "page.html: folder/#lost leads to no such place in its page",
        "page.html: lost.svg leads to no file of the site",
    ]
