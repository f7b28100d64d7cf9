"""What browsers get: built pages are searched for links that lead nowhere and for what another host has."""

from __future__ import annotations

import re
from collections.abc import Iterable
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

#: Attributes whose address a browser fetches by itself when it shows the page. Of <link> see LOADING.
FETCHED = {
    ("audio", "src"), ("embed", "src"), ("form", "action"), ("iframe", "src"), ("image", "href"),
    ("img", "src"), ("img", "srcset"), ("input", "src"), ("object", "data"), ("script", "src"),
    ("source", "src"), ("source", "srcset"), ("track", "src"), ("use", "href"), ("video", "poster"),
    ("video", "src"),
}  # fmt: skip
#: Relations of a <link> for which a browser fetches something, or opens a connection.
LOADING = {
    "apple-touch-icon", "dns-prefetch", "icon", "manifest", "mask-icon", "modulepreload", "preconnect",
    "prefetch", "preload", "shortcut", "stylesheet",
}  # fmt: skip
CSS_URL = re.compile(r"url\(\s*['\"]?(?P<url>[^'\")]+)|@import\s+['\"](?P<name>[^'\"]+)")
# A script has an address of another host where a string begins with one. The namespaces of XML are names.
SCRIPT_URL = re.compile(r"['\"`](?P<url>(?:https?:|wss?:)?//(?!www\.w3\.org/)[\w-]+\.[\w.-]+[^'\"`\s]*)")


class Page(HTMLParser):
    """One built page: its ids, what it links to, and what is fetched with it."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids: set[str] = set()
        self.links: list[str] = []
        self.fetched: list[str] = []
        self._inside = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._inside = tag if tag in {"style", "script"} else ""
        given = {name: value or "" for name, value in attrs}
        self.ids |= {given[name] for name in ("id", "name") if name in given}
        self.fetched += css_urls(given.get("style", ""))
        if tag == "a" and "href" in given:
            self.links.append(given["href"])
        if tag == "link" and LOADING & set(given.get("rel", "").lower().split()):
            self.fetched.append(given.get("href", ""))
        if tag == "meta" and given.get("http-equiv", "").lower() == "refresh":
            self.fetched.append(given.get("content", "").partition("=")[2].strip(" '\""))
        for name, value in given.items():
            if (tag, name) in FETCHED:
                several = value.split(",") if name == "srcset" else [value]
                self.fetched += [one.split()[0] for one in several if one.split()]

    def handle_endtag(self, tag: str) -> None:
        self._inside = ""

    def handle_data(self, data: str) -> None:
        if self._inside == "style":
            self.fetched += css_urls(data)
        elif self._inside == "script":
            self.fetched += [match["url"] for match in SCRIPT_URL.finditer(data)]


def css_urls(text: str) -> list[str]:
    return [match["url"] or match["name"] for match in CSS_URL.finditer(text)]


def is_elsewhere(url: str) -> bool:
    """Whether a browser has to ask another host."""
    parts = urlsplit(url)
    return bool(parts.netloc) or parts.scheme in {"http", "https", "ws", "wss", "ftp"}


def faults(site: Path) -> list[str]:
    """A sentence for each broken link, and each thing from elsewhere, in pages, styles and scripts."""
    pages = {path: Page(path.read_text(encoding="utf-8")) for path in sorted(site.rglob("*.html"))}
    found = []
    for path, page in pages.items():
        name = path.relative_to(site)
        found += foreign(name, page.fetched)
        for url in dict.fromkeys(page.links + [url for url in page.fetched if not is_elsewhere(url)]):
            if (why := lost(path, url, pages)) is not None:
                found.append(f"{name}: {url} {why}")
    for path in sorted(site.rglob("*.css")):
        found += foreign(path.relative_to(site), css_urls(path.read_text(encoding="utf-8")))
    for path in sorted(site.rglob("*.js")):
        urls = [match["url"] for match in SCRIPT_URL.finditer(path.read_text(encoding="utf-8"))]
        found += foreign(path.relative_to(site), urls)
    return found


def foreign(name: Path, urls: Iterable[str]) -> list[str]:
    return [f"{name}: {url} is loaded from another host" for url in dict.fromkeys(urls) if is_elsewhere(url)]


def lost(page: Path, url: str, pages: dict[Path, Page]) -> str | None:
    """Why a link of a built page leads nowhere; None if it leads somewhere, or out of the site."""
    parts = urlsplit(url)
    if parts.scheme or parts.netloc:
        return None
    path = (page.parent / unquote(parts.path)).resolve() if parts.path else page
    if path.is_dir():
        path /= "index.html"
    if not path.is_file():
        return "leads to no file of the site"
    fragment = unquote(parts.fragment)
    if fragment and path in pages and fragment not in pages[path].ids:
        return "leads to no such place in its page"
    return None
