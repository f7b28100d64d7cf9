"""What Flask's configuration says holds under every kind, all of it at once: the server enforces it before
the application is called, and with --no-framework-config Flask does, with the same statuses.

The finer points of each variable are in test_flask.py.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.served import Server
from tests.integration.wire import Answer, connect
from tests.integration.wsgi_ways import WAYS, serve_way
from tests.workers.kinds import name_of

CONFIG = {
    "MAX_CONTENT_LENGTH": 1000,
    "TRUSTED_HOSTS": ["shop.example", ".sub.example"],
    "PREFERRED_URL_SCHEME": "https",
    "USE_X_SENDFILE": True,
}
LIMIT = 1000
FILE = b"0123456789" * 100

#: Size of a body, whether it is chunked -> status.
BODIES = [
    (0, False, 200),
    (1, False, 200),
    (LIMIT, False, 200),
    (LIMIT + 1, False, 413),
    (100 * LIMIT, False, 413),
    (0, True, 200),
    (LIMIT, True, 200),
    (LIMIT + 1, True, 413),
    (100 * LIMIT, True, 413),
]
#: Host -> status.
HOSTS = [
    ("shop.example", 200),
    ("shop.example:8000", 200),
    # Werkzeug compares without regard to what case means in a host's name.
    ("SHOP.example", 400),
    ("sub.example", 200),
    ("a.sub.example", 200),
    ("a.b.sub.example:1", 200),
    ("a.shop.example", 400),
    ("shop.example.evil", 400),
    ("evil", 400),
    ("127.0.0.1", 400),
    ("xsub.example", 400),
]
#: More header fields -> the scheme of a link.
SCHEMES = [
    ("", "http"),
    ("X-Forwarded-For: 192.0.2.1\r\n", "https"),
    ("Forwarded: for=192.0.2.1\r\n", "https"),
    ("X-Forwarded-For: 192.0.2.1\r\nX-Forwarded-Proto: http\r\n", "http"),
    ("X-Forwarded-For: 192.0.2.1\r\nX-Forwarded-Proto: https\r\n", "https"),
]
#: Name, more header fields -> status, body of a file that Flask only names.
FILES = [
    ("there", "", 200, FILE),
    ("there", "Range: bytes=2-4\r\n", 206, b"234"),
    ("there", "Range: bytes=-2\r\n", 206, b"89"),
    ("there", "Range: bytes=5000-\r\n", 416, None),
    ("missing", "", 500, None),
]


@pytest.fixture(scope="module", params=WAYS, ids=name_of)
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    yield from serving(request.param, tmp_path_factory.mktemp("config"))


@pytest.fixture(scope="module", params=WAYS, ids=name_of)
def flasks_own(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    yield from serving(request.param, tmp_path_factory.mktemp("flasks"), "--no-framework-config")


def serving(way: tuple[str, tuple[str, ...]], logs: Path, *arguments: str) -> Iterator[Server]:
    (logs / "files").mkdir()
    (logs / "files" / "there").write_bytes(FILE)
    environment = {"FLASK_TEST_CONFIG": json.dumps(CONFIG), "FLASK_TEST_FILES": str(logs / "files")}
    options = ["--access-logfile=-", "--access-logformat=%(m)s %(U)s %(s)s", *arguments]
    root = f"--x-sendfile-root={logs / 'files'}"
    with serve_way(way, "flask_apps:app", logs, root, *options, environment=environment) as running:
        yield running


def ask(
    server: Server, path: str, host: str = "shop.example", fields: str = "", body: bytes | None = None
) -> Answer:
    method = "GET" if body is None else "POST"
    with connect(server.url) as wire:
        head = f"{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{fields}\r\n"
        wire.send(head.encode("ascii"))
        try:
            wire.send(body or b"")
        except (BrokenPipeError, ConnectionResetError):
            pass  # refused before it had read all
        return wire.answer()


def upload(server: Server, size: int, chunked: bool) -> Answer:
    body = b"x" * size
    if not chunked:
        return ask(server, "/upload", fields=f"Content-Length: {size}\r\n", body=body)
    pieces = [body[at : at + 400] for at in range(0, size, 400)]
    sent = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"
    return ask(server, "/upload", fields="Transfer-Encoding: chunked\r\n", body=sent)


@pytest.mark.parametrize(("size", "chunked", "status"), BODIES)
def test_max_content_length(server: Server, size: int, chunked: bool, status: int) -> None:
    answer = upload(server, size, chunked)
    assert answer.status == status
    # The server's own words for what never came to Flask.
    words = b"413 Content Too Large: " if status == 413 else b"%d" % size
    assert answer.body.startswith(words)


@pytest.mark.parametrize("fields", ["", "Expect: 100-continue\r\n"])
def test_a_gigabyte_is_refused_by_its_head(server: Server, fields: str) -> None:
    with connect(server.url) as wire:
        head = f"POST /upload HTTP/1.1\r\nHost: shop.example\r\n{fields}Content-Length: 1073741824\r\n\r\n"
        wire.send(head.encode("ascii"))
        # No byte of the body is sent, and none asked for.
        assert wire.answer().status == 413
        assert wire.rest() == b""


@pytest.mark.parametrize(("host", "status"), HOSTS)
def test_trusted_hosts(server: Server, host: str, status: int) -> None:
    answer = ask(server, "/host", host)
    assert answer.status == status
    if status == 400:
        assert answer.body == b"400 Bad Request: This host is not served here.\n"


@pytest.mark.parametrize(("fields", "scheme"), SCHEMES)
def test_preferred_url_scheme(server: Server, fields: str, scheme: str) -> None:
    assert ask(server, "/link", fields=fields).body == f"{scheme}://shop.example/".encode()


@pytest.mark.parametrize(("name", "fields", "status", "body"), FILES)
def test_use_x_sendfile(server: Server, name: str, fields: str, status: int, body: bytes | None) -> None:
    answer = ask(server, f"/file/{name}", fields=fields)
    assert answer.status == status
    assert answer.field("x-sendfile") is None
    if body is not None:
        assert answer.body == body
        assert answer.field("content-type") == "text/x-test; charset=utf-8"


def test_flask_judges_alike(flasks_own: Server) -> None:
    """The same requests with Flask in charge; its answers are pages."""
    for host, status in HOSTS:
        answer = ask(flasks_own, "/host", host)
        assert (host, answer.status) == (host, status)
        assert status == 200 or answer.body.startswith(b"<!doctype html>")
    for size, chunked, status in BODIES:
        answer = upload(flasks_own, size, chunked)
        assert (size, chunked, answer.status) == (size, chunked, status)
        assert status == 200 or answer.body.startswith(b"<!doctype html>")
    for fields, _ in SCHEMES[:3]:
        # Flask uses it for links outside of requests only.
        assert ask(flasks_own, "/link", fields=fields).body == b"http://shop.example/"
