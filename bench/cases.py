"""What is asked of every server, one row each."""

from __future__ import annotations

from dataclasses import dataclass, replace

from bench import apps

# A page load by Firefox on Linux; with Host, which the load generator adds, thirteen headers.
BROWSER_HEADERS: tuple[tuple[str, str], ...] = (
    ("User-Agent", "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"),
    ("Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"),
    ("Accept-Language", "en-US,en;q=0.5"),
    ("Accept-Encoding", "gzip, deflate, br, zstd"),
    ("Referer", "http://127.0.0.1/list?page=2"),
    ("Connection", "keep-alive"),
    ("Cookie", "sessionid=6a1f0c2b9d8e4f7aa3b1c5d7e9f02468; csrftoken=Zk3vQ8sT1xW7yB5nM2pL9rD4gH6jK0cF"),
    ("Upgrade-Insecure-Requests", "1"),
    ("Sec-Fetch-Dest", "document"),
    ("Sec-Fetch-Mode", "navigate"),
    ("Sec-Fetch-Site", "same-origin"),
    ("Priority", "u=0, i"),
)


@dataclass(frozen=True)
class Case:
    """One request, sent over and over.

    `app` is a name in the interface's module of applications, or MODULE:VAR; `answer` the body that is right.
    `has_floor` says that the answer is one that the floor can give too. With `message` the request upgrades
    to a WebSocket and the message is what is sent over and over, and echoed.
    """

    name: str
    title: str
    app: str
    answer: bytes
    method: str = "GET"
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    interface: str = "wsgi"
    has_floor: bool = True
    message: bytes = b""
    path: str = "/"

    def request(self, host: str) -> bytes:
        """The request as bytes for the wire (RFC 9112 section 3)."""
        lines = [f"{self.method} {self.path} HTTP/1.1", f"Host: {host}"]
        lines += [f"{name}: {value}" for name, value in self.headers]
        if self.body:
            lines.append(f"Content-Length: {len(self.body)}")
        return "\r\n".join([*lines, "", ""]).encode("latin-1") + self.body


WSGI_CASES: tuple[Case, ...] = (
    Case("hello", "13-byte answer, one request header", "hello", apps.GREETING),
    Case(
        "browser",
        "13-byte answer, a browser's 13 request headers",
        "hello",
        apps.GREETING,
        headers=BROWSER_HEADERS,
    ),
    Case(
        "post10k",
        "10 kB POST, read by the application and answered with its length",
        "length",
        b"10000",
        method="POST",
        headers=(("Content-Type", "application/octet-stream"),),
        body=b"x" * 10_000,
    ),
)

ASGI_CASES: tuple[Case, ...] = (
    *(replace(case, name=f"asgi-{case.name}", interface="asgi") for case in WSGI_CASES),
    Case("asgi-100k", "100 kB answer, one request header", "large", apps.LARGE, interface="asgi"),
    Case(
        "asgi-fastapi",
        "FastAPI's first page",
        "bench.fastapi_app:app",
        b'{"message":"Hello World"}',
        interface="asgi",
        has_floor=False,
    ),
    Case(
        "asgi-websocket",
        "WebSocket echo of a 100-byte text message",
        "echo",
        b"",
        interface="asgi",
        has_floor=False,
        message=(b"abcdefghijklmnopqrstuvwxyz" * 4)[:100],
    ),
)

FILE_CASES: tuple[Case, ...] = (
    Case("file-10k", "10 kB file, one request header", "hello", apps.FILE, interface="files"),
)

CASES: tuple[Case, ...] = WSGI_CASES + ASGI_CASES + FILE_CASES


def select(names: str | None) -> list[Case]:
    """The rows named in a comma-separated list, in the table's order; all for None. ValueError for a name
    that no row has.
    """
    if names is None:
        return list(CASES)
    wanted = [name.strip() for name in names.split(",") if name.strip()]
    known = [case.name for case in CASES]
    for name in wanted:
        if name not in known:
            raise ValueError(f"no case named {name!r}; there are: {', '.join(known)}")
    return [case for case in CASES if case.name in wanted]
