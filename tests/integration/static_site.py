"""Files to serve in every worker kind, and how to ask for them."""

from __future__ import annotations

import gzip
import os
import time
from pathlib import Path

from tests.integration.served import Server
from tests.integration.wire import Answer, Wire, connect

FOLDER = Path(__file__).parent
TEXT = b"0123456789abcdefghij\n" * 480
LARGE = 2 << 20
#: More than all buffers on the way take.
HUGE = 64 << 20
KINDS = {
    "sync": (["--worker-class=sync"], "static_apps:wsgi"),
    "gthread": (["--worker-class=gthread", "--threads=1"], "static_apps:wsgi"),
    "gevent": (["--worker-class=gevent", "--worker-greenlets=1"], "static_apps:wsgi"),
    "asgi": (["--worker-class=asgi"], "static_apps:asgi"),
}
UMLAUT = "gr\N{LATIN SMALL LETTER U WITH DIAERESIS}n \N{SNOWMAN}.txt"


def write(path: Path, data: bytes, age: float = 3600) -> None:
    """A file that was last changed `age` seconds ago."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    at = time.time_ns() - int(age * 1e9)
    os.utime(path, ns=(at, at))


def make_site(top: Path) -> Path:
    """A tree of files with ways out of it, in a folder of `top`, beside a secret."""
    write(top / "secret.txt", b"secret")
    write(top / "root-not" / "secret.txt", b"secret")
    root = top / "root"
    write(root / "text.txt", TEXT)
    write(root / "folder" / "inner.css", b"p {}")
    write(root / "folder" / "deeper" / "index.html", b"<p>index")
    write(root / "index.html", b"<p>top")
    write(root / "empty", b"")
    write(root / UMLAUT, b"green")
    write(root / "app.js", b"// script\n" * 100)
    for suffix, data in ((".br", b"brotli"), (".zst", b"zstandard"), (".gz", gzip.compress(b"// script\n"))):
        write(root / f"app.js{suffix}", data)
    write(root / "stale.js", b"new")
    write(root / "stale.js.gz", b"old", 7200)
    write(root / "archive.tar.gz", gzip.compress(b"tar"))
    write(root / ".hidden", b"secret")
    write(root / ".git" / "config", b"secret")
    write(root / ".well-known" / "security.txt", b"mail us")
    write(root / "special.txt", b"from the folder")
    (root / "link").symlink_to(top / "secret.txt")
    (root / "up").symlink_to(top)
    (root / "inside").symlink_to("text.txt")
    os.mkfifo(root / "fifo")
    for name, size in (("large", LARGE), ("huge", HUGE)):
        with open(root / name, "wb") as file:
            file.truncate(size)
    return root


def ask(server: Server, path: str, method: str = "GET", version: str = "1.1", **fields: str) -> Answer:
    lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in fields.items())
    with connect(server.url) as wire:
        wire.send(f"{method} {path} HTTP/{version}\r\nHost: x\r\n{lines}\r\n".encode("latin-1"))
        answer = wire.answer(method)
        # The next request on the same connection finds its answer where it should be.
        if version == "1.1" and answer.field("connection") != "close":
            assert_next_is_right(wire)
        return answer


def assert_next_is_right(wire: Wire) -> None:
    wire.send(b"GET /next HTTP/1.1\r\nHost: x\r\n\r\n")
    answer = wire.answer()
    assert b"GET /next" in answer.body or answer.status == 404
