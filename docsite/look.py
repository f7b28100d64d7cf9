"""`make docs-look`: show every page of the built site in Chromium, wide and narrow, light and dark.

No page may be wider than its window, each picture has to be there, nothing may be asked of another host, the
browser may have nothing to complain about; and the search has to find something. Screenshots are for eyes.
"""

from __future__ import annotations

import argparse
import functools
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from docsite.browser import BrowserError, Window, open_window

#: The viewports, in CSS pixels: a small notebook, a phone.
SIZES = {"wide": (1280, 900), "narrow": (390, 844)}
SCHEMES = ("light", "dark")
#: What is asked for in the search, and a page that has to be among what is found.
QUESTION, ANSWER = "keepalive", "reference/settings.html"

#: What is wrong with the page that is shown. Tables, code and plots may scroll in their own boxes; the page,
#: and the box that the theme has for all of its content, may not.
FAULTS = """
const found = [], root = document.scrollingElement;
for (const box of [root, ...document.body.querySelectorAll('*')]) {
  const scrolls = box === root || ['auto', 'scroll'].includes(getComputedStyle(box).overflowX);
  if (!scrolls || box.scrollWidth <= box.clientWidth) continue;
  if (box.matches('.table-wrapper, pre, p:has(> img)')) continue;
  const edge = box.getBoundingClientRect().left + box.clientWidth;
  const wide = Array.from(box.querySelectorAll('*')).filter(e => e.getBoundingClientRect().right > edge);
  found.push(`scrolls sideways: ${box.scrollWidth} of ${box.clientWidth} px in <${box.localName} ` +
    `class="${box.className}">` +
    wide.slice(-1).map(e => `, by <${e.localName}> ${e.textContent.slice(0, 60)}`));
}
for (const image of document.images)
  if (image.complete && !image.naturalWidth) found.push(`picture ${image.src} does not show`);
for (const entry of performance.getEntriesByType('resource'))
  if (!entry.name.startsWith(location.origin) && !entry.name.startsWith('data:'))
    found.push(`asks another host for ${entry.name}`);
return found;
"""


class Quiet(SimpleHTTPRequestHandler):
    """Serves files, and writes no log."""

    def log_message(self, format: str, *args: Any) -> None:
        pass


@contextmanager
def served(site: Path) -> Iterator[str]:
    """The site at an address of this machine."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(site)))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def look_at(window: Window, site: Path, url: str, pictures: Path) -> Iterator[str]:
    """Show every page in every way; a sentence for each fault."""
    pages = sorted(str(path.relative_to(site)) for path in site.rglob("*.html"))
    for size, (width, height) in SIZES.items():
        window.resize(width, height)
        for scheme in SCHEMES:
            window.prefer(scheme)
            for page in pages:
                window.open(f"{url}/{page}")
                name = f"{page.removesuffix('.html').replace('/', '-')}-{size}-{scheme}.png"
                window.picture(pictures / name)
                for fault in [*window.run(FAULTS), *window.complaints()]:
                    yield f"{page}, {size}, {scheme}: {fault}"


def search(window: Window, url: str, pictures: Path) -> Iterator[str]:
    """Ask the site's search; a sentence if it does not find the page that has the answer."""
    window.open(f"{url}/search.html?q={QUESTION}")
    window.wait("return document.querySelector('#search-results p.search-summary:not(:empty)') !== null")
    found = window.wait("return Array.from(document.querySelectorAll('#search-results li a'), a => a.href)")
    window.picture(pictures / "search-results.png")
    if not any(link.partition("#")[0].partition("?")[0] == f"{url}/{ANSWER}" for link in found):
        yield f"the search for {QUESTION} does not find {ANSWER}, but {found}"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m docsite.look", description=__doc__)
    parser.add_argument("site", type=Path, help="the folder of the built site")
    parser.add_argument("--pictures", type=Path, required=True, help="a folder for the screenshots")
    args = parser.parse_args()
    args.pictures.mkdir(parents=True, exist_ok=True)
    site = args.site.resolve()
    try:
        with served(site) as url, open_window() as window:
            faults = [*look_at(window, site, url, args.pictures), *search(window, url, args.pictures)]
    except BrowserError as error:
        print(f"make: {error}", file=sys.stderr)
        return 1
    for fault in faults:
        print(fault, file=sys.stderr)
    print(f"{len(faults)} faults; screenshots in {args.pictures}")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
