"""Sphinx's configuration. The navigation is read from docs/README.md by whoever starts Sphinx, and comes as
`indrik_navigation`; see docsite/__main__.py.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.addnodes import toctree

HERE = Path(__file__).resolve().parent

project = "indrik"
html_title = "indrik"
root_doc = "index"
extensions = ["myst_parser"]
language = "en"

# Markdown as code hosts read it: with what GitHub adds, and without what MyST adds. (`myst_gfm_only` would be
# the same, but takes every link for one that leaves the site.) Directives stay: tests/repo finds them.
myst_enable_extensions = ["alert", "gfm_autolink", "strikethrough", "tasklist"]
myst_disable_syntax = ["front_matter", "myst_block_break", "myst_line_comment", "myst_role", "myst_target"]
myst_heading_anchors = 6
suppress_warnings = ["myst.strikethrough"]  # which only says that HTML has it
# Two hyphens are an option's, not a dash.
smartquotes = False

html_theme = "furo"
html_favicon = str(HERE / "static" / "icon.svg")
html_static_path = [str(HERE / "static")]
html_css_files = ["site.css"]
html_show_sourcelink = False
html_copy_source = False
html_show_copyright = False
html_theme_options = {"navigation_with_keys": False}
pygments_style = "a11y-high-contrast-light"
pygments_dark_style = "a11y-high-contrast-dark"


def make_toctree(name: str, caption: str | None, pages: tuple[str, ...]) -> nodes.Element:
    """What the directive `toctree` would make in the page `name`: unseen in the page, seen in the sidebar."""
    tree = toctree(
        parent=name, entries=[(None, page) for page in pages], includefiles=list(pages), maxdepth=-1,
        caption=caption, rawcaption=caption, glob=False, hidden=True, includehidden=False, numbered=0,
        titlesonly=True,
    )  # fmt: skip
    return nodes.compound("", tree, classes=["toctree-wrapper"])


def add_navigation(app: Any, doctree: nodes.document) -> None:
    """Give a page that has others below it the tree of them, in the section of its title."""
    name, navigation = app.env.docname, app.config.indrik_navigation
    section = doctree[-1]
    if name == root_doc:
        for caption, pages in navigation.parts:
            section += make_toctree(name, caption, pages)
    if name in navigation.below:
        section += make_toctree(name, None, navigation.below[name])


def setup(app: Any) -> dict[str, bool]:
    app.add_config_value("indrik_navigation", None, "")
    # Before Sphinx collects the trees of the page that has been read, which it does at 500.
    app.connect("doctree-read", add_navigation, priority=100)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
