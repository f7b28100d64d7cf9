"""`static = "auto"` beside Flask: the files of its static folders, described as Flask describes them."""

from __future__ import annotations

import gzip
import os
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.integration.served import Server, serve
from tests.integration.wire import Answer, connect

FOLDER = Path(__file__).parent
KINDS = {
    "sync": ["--worker-class=sync"],
    "gthread": ["--worker-class=gthread", "--threads=2"],
    "gevent": ["--worker-class=gevent"],
}
NAMES = [
    "text.txt",
    "style.css",
    "program.js",
    "picture.svg",
    "data.json",
    "feed.xml",
    "module.wasm",
    "font.woff2",
    "archive.tar.gz",
    "page.html",
    "no-extension",
    "unknown.xyz1",
    "two words.txt",
    'quo"te.txt',
    "gr\N{LATIN SMALL LETTER U WITH DIAERESIS}n \N{SNOWMAN}.txt",
    "empty.txt",
    ".hidden",
    "folder/inner.css",
]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("static")
    (root / "folder").mkdir()
    for number, name in enumerate([*NAMES, "special.txt", "index.html", "folder/index.html"]):
        path = root / name
        path.write_bytes(b"" if name == "empty.txt" else f"this is {name}\n".encode() * 10)
        # With a fraction of a second, which is in Flask's entity tags.
        at = time.time_ns() - (3600 + number) * 1_000_000_000 - 123_456_789
        os.utime(path, ns=(at, at))
    (root / "link.txt").symlink_to("text.txt")
    return root


@pytest.fixture(scope="module", params=KINDS)
def pair(
    request: pytest.FixtureRequest, files: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Server, Server]]:
    """The same application with the setting and without."""
    with ExitStack() as stack:
        servers = [
            stack.enter_context(
                serve(
                    [*KINDS[request.param], *more, "static_apps:create_flask()"],
                    FOLDER,
                    tmp_path_factory.mktemp("logs"),
                    {"FLASK_TEST_FILES": str(files)},
                )
            )
            for more in (["--static=auto"], [])
        ]
        yield servers[0], servers[1]


def ask(server: Server, path: str, method: str = "GET", host: str = "x", **fields: str) -> Answer:
    lines = "".join(
        f"{name if name.isupper() else name.replace('_', '-')}: {value}\r\n" for name, value in fields.items()
    )
    with connect(server.url) as wire:
        wire.send(f"{method} {path} HTTP/1.1\r\nHost: {host}\r\n{lines}\r\n".encode("latin-1"))
        return wire.answer(method)


def quoted(name: str) -> str:
    return "".join(
        chr(octet) if 33 <= octet < 127 and octet != 34 else f"%{octet:02X}" for octet in name.encode()
    )


def same(pair: tuple[Server, Server], path: str, method: str = "GET", **fields: str) -> Answer:
    """The answer of the server itself, which must be that of Flask."""
    own, flasks = (ask(server, path, method, **fields) for server in pair)
    assert own.field("x-seen-by-flask") is None
    assert flasks.field("x-seen-by-flask") == "yes"
    left_out = ("date", "x-seen-by-flask", "server", "connection")
    described = [
        sorted(pair for pair in answer.fields if pair[0] not in left_out) for answer in (own, flasks)
    ]
    assert described[0] == described[1]
    assert (own.status, own.body) == (flasks.status, flasks.body)
    return own


def left(pair: tuple[Server, Server], path: str, method: str = "GET", **fields: str) -> Answer:
    """The answer of Flask, to which the server has left it."""
    own, flasks = (ask(server, path, method, **fields) for server in pair)
    assert own.field("x-seen-by-flask") == "yes"
    assert (own.status, own.body) == (flasks.status, flasks.body)
    return own


@pytest.mark.parametrize("name", NAMES)
def test_a_file(pair: tuple[Server, Server], name: str) -> None:
    path = f"/assets/{quoted(name)}"
    whole = same(pair, path)
    assert whole.status == 200
    etag, modified = whole.field("etag") or "", whole.field("last-modified") or ""
    same(pair, path, "HEAD")
    assert same(pair, path, If_None_Match=etag).status == 304
    assert same(pair, path, If_Modified_Since=modified).status == 304
    if name != "empty.txt":
        assert same(pair, path, Range="bytes=3-9").status == 206
        assert same(pair, path, Range="bytes=3-9", If_Range=etag).status == 206
        assert same(pair, path, Range="bytes=3-9", If_Range='"other"').status == 200


def test_blueprints(pair: tuple[Server, Server]) -> None:
    assert same(pair, "/shop/folder/inner.css").status == 200
    assert same(pair, "/shop/inner/deep/text.txt").status == 200


@pytest.mark.parametrize(
    "path",
    [
        # Another rule is more particular.
        "/assets/special.txt",
        "/assets/nothing",
        "/assets/",
        "/assets/folder",
        "/assets/folder/",
        "/assets//text.txt",
        "/assets/folder/../text.txt",
        "/assets/%2e%2e/x",
        # Flask follows links.
        "/assets/link.txt",
        "/assets/folder%2Finner.css",
        "/assets/%FF",
        "/nowhere",
    ],
)
def test_what_is_left_to_flask(pair: tuple[Server, Server], path: str) -> None:
    left(pair, path)


def test_other_methods(pair: tuple[Server, Server]) -> None:
    for method in ("POST", "OPTIONS", "DELETE"):
        left(pair, "/assets/text.txt", method, Content_Length="0")


def test_a_proxy_that_says_where_the_application_begins(pair: tuple[Server, Server]) -> None:
    for path in ("/assets/text.txt", "/assets/assets/text.txt"):
        left(pair, path, SCRIPT_NAME="/assets")


def test_the_warning(pair: tuple[Server, Server]) -> None:
    text = "the files of the endpoint 'static' are sent without the application's functions for after_request"
    assert text in pair[0].error_log
    assert "after_request" not in pair[1].error_log


def serve_one(
    application: str, files: Path, logs: Path, *options: str, **environment: str
) -> tuple[list[str], Path, Path, dict[str, str]]:
    arguments = ["--static=auto", *options, f"static_apps:{application}"]
    return arguments, FOLDER, logs, {"FLASK_TEST_FILES": str(files), **environment}


def test_how_long_caches_may_keep_it(files: Path, tmp_path: Path) -> None:
    for age in (0, 60):
        application = f"create_flask(SEND_FILE_MAX_AGE_DEFAULT={age})"
        with ExitStack() as stack:
            servers = []
            for more in ("--static=auto", "--no-framework-config"):
                logs = tmp_path / f"{age}{more}"
                logs.mkdir()
                arguments = [more, f"static_apps:{application}"]
                environment = {"FLASK_TEST_FILES": str(files)}
                servers.append(stack.enter_context(serve(arguments, FOLDER, logs, environment)))
            own, flasks = (ask(server, "/assets/text.txt") for server in servers)
            assert own.field("x-seen-by-flask") is None
            assert own.field("cache-control") == flasks.field("cache-control")
            assert own.field("expires")
            assert flasks.field("expires")


def test_trusted_hosts(files: Path, tmp_path: Path) -> None:
    with serve(*serve_one("create_flask(TRUSTED_HOSTS=['.example.com'])", files, tmp_path)) as server:
        assert ask(server, "/assets/text.txt", host="a.example.com").status == 200
        assert ask(server, "/assets/text.txt", host="a.example.org").status == 400
        assert ask(server, "/assets/text.txt", host="a.example.com").status == 200


def test_script_name(files: Path, tmp_path: Path) -> None:
    with serve(*serve_one("create_flask()", files, tmp_path, SCRIPT_NAME="/below")) as server:
        answer = ask(server, "/below/assets/text.txt")
        assert (answer.status, answer.field("x-seen-by-flask")) == (200, None)
        answer = ask(server, "/below/assets/special.txt")
        assert (answer.body, answer.field("x-seen-by-flask")) == (b"from the view", "yes")


def test_compressed_neighbours(files: Path, tmp_path: Path) -> None:
    root = tmp_path / "static"
    root.mkdir()
    (root / "style.css").write_bytes(b"p { color: red }\n" * 50)
    (root / "style.css.gz").write_bytes(gzip.compress(b"p { color: red }\n" * 50))
    with serve(*serve_one("create_flask()", root, tmp_path)) as server:
        answer = ask(server, "/assets/style.css", Accept_Encoding="br, gzip")
        assert answer.field("content-encoding") == "gzip"
        assert answer.field("content-disposition") == "inline; filename=style.css"
        assert answer.field("content-type") == "text/css; charset=utf-8"
        plain = ask(server, "/assets/style.css")
        assert plain.field("vary") == "Accept-Encoding"
        assert plain.field("etag") != answer.field("etag")


def test_proxy_fix_changes_nothing(files: Path, tmp_path: Path) -> None:
    with serve(*serve_one("create_behind_proxy()", files, tmp_path)) as server:
        assert ask(server, "/assets/text.txt").field("x-seen-by-flask") is None


@pytest.mark.parametrize(
    ("application", "reason"),
    [
        ("create_wrapped()", "app.wsgi_app is wrapped"),
        ("create_with_own_ages()", "has its own way to send static files"),
    ],
)
def test_an_application_that_is_left_alone(
    files: Path, tmp_path: Path, application: str, reason: str
) -> None:
    with serve(*serve_one(application, files, tmp_path)) as server:
        answer = ask(server, "/assets/text.txt")
        assert answer.status == 200
        # Flask's own response, by its own functions.
        own = (answer.field("x-seen-by-flask"), answer.field("cache-control"))
        assert own in (("yes", "no-cache"), (None, "public, max-age=17"))
        assert reason in server.error_log
