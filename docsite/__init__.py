"""The documentation as a site: `make docs` builds it with Sphinx from the Markdown that a code host shows.

The pages stay plain Markdown. What a site needs beyond that is taken from them: navigation from the sections
of docs/README.md, addresses from where the files lie.

Modules, each of which may import those before it: `markdown` (what a text links to), `links` (where a link
leads in the repository), `navigation`, `stage` (the tree that Sphinx reads), `conf` (Sphinx's configuration),
`built` (what browsers get), `__main__` (`make docs`); `browser` and `look` (`make docs-look`).
"""

from __future__ import annotations
