"""Files that an application names in X-Sendfile or X-Accel-Redirect: which are sent, which parts of them, and
what a slow download costs.
"""

from __future__ import annotations

import email
import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, urlencode

import pytest

from tests.integration.served import DEADLINE, Server, files_open, serve
from tests.integration.wire import Answer, connect

FOLDER = Path(__file__).parent
BODY = bytes(range(256)) * 40
LARGE = 64 << 20
KINDS = {
    "sync": [],
    "gthread": ["--worker-class=gthread", "--threads=1"],
    "gevent": ["--worker-class=gevent", "--worker-greenlets=1"],
}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tree of files with ways out of it, beside a secret."""
    top = tmp_path_factory.mktemp("files")
    (top / "secret.txt").write_bytes(b"secret")
    root = top / "root"
    (root / "folder").mkdir(parents=True)
    (root / "plain.bin").write_bytes(BODY)
    (root / "folder" / "inner.bin").write_bytes(BODY[:100])
    (root / "empty").write_bytes(b"")
    (root / "gr\N{LATIN SMALL LETTER U WITH DIAERESIS}n \N{SNOWMAN}").write_bytes(b"green")
    (root / "gr\N{LATIN SMALL LETTER U WITH DIAERESIS}n").write_bytes(b"plain green")
    (root / "link").symlink_to(top / "secret.txt")
    (root / "up").symlink_to(top)
    (root / "inside").symlink_to("plain.bin")
    os.mkfifo(root / "fifo")
    with open(root / "large", "wb") as large:
        large.truncate(LARGE)
    (top / "roots").symlink_to(root)
    (top / "root-not").mkdir()
    (top / "root-not" / "secret.txt").write_bytes(b"secret")
    return root


@pytest.fixture(scope="module", params=KINDS)
def server(
    request: pytest.FixtureRequest, files: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    arguments = [
        *KINDS[request.param],
        f"--x-sendfile-root={files}",
        f"--x-sendfile-root=/internal={files / 'folder'}",
        "--access-logfile=-",
        "flask_apps:create_app(USE_X_SENDFILE=True)",
    ]
    environment = {"FLASK_TEST_FILES": str(files)}
    with serve(arguments, FOLDER, tmp_path_factory.mktemp("logs"), environment) as running:
        yield running


def ask(server: Server, path: str, method: str = "GET", **fields: str) -> Answer:
    lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in fields.items())
    with connect(server.url) as wire:
        wire.send(f"{method} {path} HTTP/1.1\r\nHost: x\r\n{lines}\r\n".encode("latin-1"))
        answer = wire.answer(method)
        # The next request on the same connection finds its answer where it should be.
        if answer.field("connection") != "close":
            wire.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            assert wire.answer().body == b"hello"
        return answer


def name(field: str, value: str | Path, status: int = 200) -> str:
    return "/named?" + urlencode({"field": field, "value": str(value), "status": status})


class TestWhich:
    def test_send_file(self, server: Server, files: Path) -> None:
        answer = ask(server, "/file/plain.bin")
        assert (answer.status, answer.body) == (200, BODY)
        assert answer.field("x-sendfile") is None
        assert answer.field("content-type") == "text/x-test; charset=utf-8"
        assert answer.field("content-length") == str(len(BODY))
        assert answer.field("accept-ranges") == "bytes"
        assert answer.field("etag")
        assert answer.field("last-modified")
        line = f'"GET /file/plain.bin HTTP/1.1" 200 {len(BODY)}'
        server.wait_until(lambda: line in server.access_log, "its line in the log")

    def test_head(self, server: Server) -> None:
        answer = ask(server, "/file/plain.bin", "HEAD")
        assert (answer.status, answer.body) == (200, b"")
        assert answer.field("content-length") == str(len(BODY))

    def test_empty(self, server: Server, files: Path) -> None:
        answer = ask(server, name("X-Sendfile", files / "empty"))
        assert (answer.status, answer.body, answer.field("content-length")) == (200, b"", "0")

    @pytest.mark.parametrize("field", ["X-Sendfile", "x-sendfile", "X-Accel-Redirect"])
    @pytest.mark.parametrize("path", ["folder/inner.bin", "folder//inner.bin", "./folder/./inner.bin"])
    def test_spellings(self, server: Server, files: Path, field: str, path: str) -> None:
        answer = ask(server, name(field, f"{files}/{path}"))
        assert (answer.status, answer.body) == (200, BODY[:100])
        assert answer.field(field.lower()) is None

    def test_prefix(self, server: Server) -> None:
        assert ask(server, name("X-Accel-Redirect", "/internal/inner.bin")).body == BODY[:100]
        assert ask(server, name("X-Accel-Redirect", "/internal/inner%2Ebin?x=1")).body == BODY[:100]
        # It is a URI, so it means nothing in the field that has paths.
        assert ask(server, name("X-Sendfile", "/internal/inner.bin")).status == 404
        assert ask(server, name("X-Accel-Redirect", "/internal/../plain.bin")).status == 404
        assert ask(server, name("X-Accel-Redirect", "/internal/%2e%2e/plain.bin")).status == 404
        assert ask(server, name("X-Accel-Redirect", "/internalinner.bin")).status == 404

    def test_names_beyond_ascii(self, server: Server, files: Path) -> None:
        green = "gr\N{LATIN SMALL LETTER U WITH DIAERESIS}n"
        assert ask(server, name("X-Sendfile", f"{files}/{green}")).body == b"plain green"
        octets = f"{files}/{green} \N{SNOWMAN}".encode().decode("latin-1")
        assert ask(server, name("X-Sendfile", octets)).body == b"green"
        assert ask(server, name("X-Accel-Redirect", quote(f"{files}/{green} \N{SNOWMAN}"))).body == b"green"

    @pytest.mark.parametrize(
        "path",
        [
            "nothing",
            "plain.bin/",
            "plain.bin/x",
            "folder",
            "",
            ".",
            "..",
            "../secret.txt",
            "folder/../../secret.txt",
            "folder/../plain.bin",
            "link",
            "up/secret.txt",
            "up/root/plain.bin",
            "inside",
            "fifo",
            "x" * 300,
        ],
    )
    @pytest.mark.parametrize("field", ["X-Sendfile", "X-Accel-Redirect"])
    def test_refused(self, server: Server, files: Path, field: str, path: str) -> None:
        answer = ask(server, name(field, f"{files}/{path}"))
        if path == "plain.bin/":
            # A slash at the end names the same file.
            assert (answer.status, answer.body) == (200, BODY)
            return
        assert answer.status == 404
        assert b"secret" not in answer.body
        assert str(files).encode() not in answer.body
        assert "which is not sent (404)" in server.error_log

    @pytest.mark.parametrize("path", ["{0}-not/secret.txt", "{0}s/plain.bin", "/etc/passwd", "plain.bin", ""])
    def test_beside_the_roots(self, server: Server, files: Path, path: str) -> None:
        answer = ask(server, name("X-Sendfile", path.format(files)))
        assert answer.status == 404
        assert b"root:" not in answer.body

    def test_a_zero_byte(self, server: Server, files: Path) -> None:
        assert ask(server, name("X-Accel-Redirect", f"{files}/plain.bin%00")).status == 404

    def test_a_file_that_may_not_be_read(self, server: Server, files: Path) -> None:
        path = files / "private"
        path.write_bytes(b"private")
        path.chmod(0)
        assert ask(server, name("X-Sendfile", path)).status == (200 if os.geteuid() == 0 else 404)

    def test_status_of_the_application(self, server: Server, files: Path) -> None:
        answer = ask(server, name("X-Sendfile", files / "folder/inner.bin", 403), Range="bytes=0-1")
        assert (answer.status, answer.body) == (403, BODY[:100])
        answer = ask(server, name("X-Sendfile", files / "folder/inner.bin", 304))
        assert (answer.status, answer.body) == (304, b"")
        answer = ask(server, name("X-Sendfile", files / "folder/inner.bin", 204))
        assert (answer.status, answer.body, answer.field("content-length")) == (204, b"", None)
        assert answer.field("x-sendfile") is None


class TestParts:
    @pytest.mark.parametrize(
        ("value", "first", "stop"),
        [("bytes=0-9", 0, 10), ("bytes=5-", 5, len(BODY)), ("bytes=-7", len(BODY) - 7, len(BODY))],
    )
    def test_one(self, server: Server, value: str, first: int, stop: int) -> None:
        answer = ask(server, "/file/plain.bin", Range=value)
        assert (answer.status, answer.body) == (206, BODY[first:stop])
        assert answer.field("content-range") == f"bytes {first}-{stop - 1}/{len(BODY)}"
        assert answer.field("content-length") == str(stop - first)

    def test_several(self, server: Server, files: Path) -> None:
        answer = ask(server, name("X-Sendfile", files / "plain.bin"), Range="bytes=0-9, 100-199, -5")
        assert answer.status == 206
        assert answer.field("content-length") == str(len(answer.body))
        assert answer.field("content-range") is None
        # The standard library reads it as what it is: a MIME body.
        kind = answer.field("content-type")
        message = email.message_from_bytes(f"Content-Type: {kind}\n\n".encode() + answer.body)
        assert message.get_content_type() == "multipart/byteranges"
        size = len(BODY)
        parts = [part for part in message.walk() if not part.is_multipart()]
        assert [part["Content-Range"] for part in parts] == [
            f"bytes 0-9/{size}",
            f"bytes 100-199/{size}",
            f"bytes {size - 5}-{size - 1}/{size}",
        ]
        for data in (BODY[:10], BODY[100:200], BODY[-5:]):
            assert b"\r\n\r\n" + data + b"\r\n--" in answer.body
        assert b"Content-Type: text/plain; charset=utf-8\r\n" in answer.body

    def test_none_within(self, server: Server, files: Path) -> None:
        answer = ask(server, name("X-Sendfile", files / "plain.bin"), Range="bytes=99999-")
        assert (answer.status, answer.body) == (416, b"")
        assert answer.field("content-range") == f"bytes */{len(BODY)}"

    @pytest.mark.parametrize("value", ["bytes=9-1", "lines=1-2", "bytes=0-9,5-14"])
    def test_ignored(self, server: Server, files: Path, value: str) -> None:
        answer = ask(server, name("X-Sendfile", files / "plain.bin"), Range=value)
        assert (answer.status, answer.body) == (200, BODY)

    def test_only_get(self, server: Server) -> None:
        answer = ask(server, "/file/plain.bin", "POST", Range="bytes=0-9", Content_Length="0")
        assert (answer.status, answer.body) == (200, BODY)

    def test_if_range(self, server: Server) -> None:
        etag = ask(server, "/file/plain.bin").field("etag") or ""
        answer = ask(server, "/file/plain.bin", Range="bytes=0-9", If_Range=etag)
        assert (answer.status, answer.body) == (206, BODY[:10])
        answer = ask(server, "/file/plain.bin", Range="bytes=0-9", If_Range='"old"')
        assert (answer.status, answer.body) == (200, BODY)

    def test_conditions(self, server: Server, files: Path) -> None:
        path = name("X-Sendfile", files / "plain.bin")
        plain = ask(server, path)
        etag, modified = plain.field("etag") or "", plain.field("last-modified") or ""
        answer = ask(server, path, If_None_Match=etag)
        assert (answer.status, answer.body) == (304, b"")
        assert answer.field("etag") == etag
        assert answer.field("content-length") is None
        assert ask(server, path, If_Modified_Since=modified).status == 304
        assert ask(server, path, If_None_Match='"other"').body == BODY
        answer = ask(server, path, If_Match='"other"')
        assert (answer.status, answer.body) == (412, b"")
        os.utime(files / "plain.bin", ns=(time.time_ns(), time.time_ns()))
        assert ask(server, path, If_None_Match=etag).status == 200


def test_slow_downloads_hold_nobody(server: Server) -> None:
    """Twenty clients that read nothing, one thread in all: the next request is answered at once."""
    waiting: list[socket.socket] = []
    try:
        for _ in range(20):
            host, port = server.url.removeprefix("http://").split(":")
            client = socket.create_connection((host, int(port)), timeout=DEADLINE)
            waiting.append(client)
            client.sendall(b"GET /file/large HTTP/1.1\r\nHost: x\r\n\r\n")
            assert client.recv(100).startswith(b"HTTP/1.1 200 OK\r\n")
        for _ in range(10):
            assert ask(server, "/").body == b"hello"
        received = 0
        client = waiting[0]
        while received < LARGE:
            received += len(client.recv(1 << 20))
    finally:
        for client in waiting:
            client.close()
    assert ask(server, "/").body == b"hello"


def test_no_descriptor_stays_open(server: Server, files: Path) -> None:
    for path in ("/file/plain.bin", name("X-Sendfile", files / "link"), name("X-Sendfile", files / "folder")):
        for value in ("bytes=0-1", "bytes=0-1,4-5", "bytes=99999-"):
            ask(server, path, Range=value)
            ask(server, path, If_None_Match="*")
    server.wait_until(lambda: not files_open(server, files), "the end of all downloads")


def test_an_application_that_is_a_generator(files: Path, tmp_path: Path) -> None:
    with serve(
        [f"--x-sendfile-root={files}", "flask_apps:generated"],
        FOLDER,
        tmp_path,
        {"FLASK_TEST_FILES": str(files)},
    ) as server, connect(server.url) as wire:
        for query in ("", "?x"):
            wire.send(f"GET /folder/inner.bin{query} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            answer = wire.answer()
            assert (answer.status, answer.body) == (200, BODY[:100])


def test_an_application_that_writes(files: Path, tmp_path: Path) -> None:
    with serve(
        [f"--x-sendfile-root={files}", "flask_apps:written"],
        FOLDER,
        tmp_path,
        {"FLASK_TEST_FILES": str(files)},
    ) as server, connect(server.url) as wire:
        wire.send(b"GET /folder/inner.bin HTTP/1.1\r\nHost: x\r\n\r\n")
        answer = wire.answer()
        assert (answer.status, answer.body) == (200, BODY[:100])
        wire.send(b"GET /folder/inner.bin?wrong HTTP/1.1\r\nHost: x\r\n\r\n")
        assert wire.answer().status == 500
        server.wait_until(lambda: "PEP 3333: a response header must be" in server.error_log, "the reason")


def test_without_roots_the_fields_go_to_the_client(files: Path, tmp_path: Path) -> None:
    """A proxy in front may read them; for a Flask application that relies on it there is a warning."""
    arguments = ["flask_apps:create_app(USE_X_SENDFILE=True)"]
    environment = {"FLASK_TEST_FILES": str(files)}
    with serve(arguments, FOLDER, tmp_path, environment) as server, connect(server.url) as wire:
        wire.send(f"GET {name('X-Sendfile', files / 'plain.bin')} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        answer = wire.answer()
        assert answer.field("x-sendfile") == str(files / "plain.bin")
        assert answer.body == b""
        assert "USE_X_SENDFILE is on, but x_sendfile_roots names no directory" in server.error_log
