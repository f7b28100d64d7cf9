"""Static files in every worker kind: which are served, what of them, and that nobody is held meanwhile."""

from __future__ import annotations

import email
import email.utils
import gzip
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.served import DEADLINE, Server, files_open, serve
from tests.integration.static_site import (
    FOLDER,
    HUGE,
    KINDS,
    LARGE,
    TEXT,
    ask,
    assert_next_is_right,
    make_site,
    write,
)
from tests.integration.wire import connect


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_site(tmp_path_factory.mktemp("files"))


@pytest.fixture(scope="module", params=KINDS)
def server(
    request: pytest.FixtureRequest, files: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    options, application = KINDS[request.param]
    logs = tmp_path_factory.mktemp("logs")
    arguments = [
        *options,
        f"--static=/files={files}",
        f"--static=/files/other={files / 'folder'}",
        "--access-logfile=-",
        "--access-logformat=%(r)s %(s)s %(b)s %({route}x)s",
        application,
    ]
    with serve(arguments, FOLDER, logs, {"FLASK_TEST_SIGNALS": str(logs)}) as running:
        yield running


def await_body(server: Server, path: str, body: bytes) -> None:
    server.wait_until(lambda: ask(server, path).body == body, f"{body[:40]!r} at {path}")


def await_line(server: Server, line: str, count: int) -> None:
    server.wait_until(lambda: server.access_log.count(line) == count, f"{line} in the access log")


class TestWhich:
    def test_a_file(self, server: Server, files: Path) -> None:
        answer = ask(server, "/files/text.txt")
        assert (answer.status, answer.body) == (200, TEXT)
        found = (files / "text.txt").stat()
        assert answer.field("content-type") == "text/plain; charset=utf-8"
        assert answer.field("content-length") == str(len(TEXT))
        assert answer.field("accept-ranges") == "bytes"
        assert answer.field("cache-control") == "no-cache"
        assert answer.field("etag") == f'"{found.st_mtime_ns:x}-{found.st_size:x}"'
        assert answer.field("last-modified") == email.utils.formatdate(found.st_mtime, usegmt=True)
        assert answer.field("vary") is None
        # Out of memory it is the same.
        again = ask(server, "/files/text.txt?query")
        assert [pair for pair in again.fields if pair[0] != "date"] == [
            pair for pair in answer.fields if pair[0] != "date"
        ]
        assert again.body == TEXT

    def test_head(self, server: Server) -> None:
        for _ in range(2):
            answer = ask(server, "/files/text.txt", "HEAD")
            assert (answer.status, answer.body) == (200, b"")
            assert answer.field("content-length") == str(len(TEXT))
        assert ask(server, "/files/large", "HEAD").field("content-length") == str(LARGE)

    def test_a_large_file(self, server: Server) -> None:
        answer = ask(server, "/files/large")
        assert (answer.status, len(answer.body)) == (200, LARGE)
        assert not answer.body.strip(b"\0")

    def test_an_empty_file(self, server: Server) -> None:
        for _ in range(2):
            answer = ask(server, "/files/empty")
            assert (answer.status, answer.body, answer.field("content-length")) == (200, b"", "0")
            assert answer.field("content-type") == "application/octet-stream"

    def test_the_longest_prefix_counts(self, server: Server) -> None:
        assert ask(server, "/files/other/inner.css").body == b"p {}"

    @pytest.mark.parametrize("path", ["te%78t.txt", "text%2Etxt"])
    def test_an_encoded_name(self, server: Server, path: str) -> None:
        assert ask(server, f"/files/{path}").body == TEXT

    def test_a_name_beyond_ascii(self, server: Server) -> None:
        assert ask(server, "/files/gr%C3%BCn%20%E2%98%83.txt").body == b"green"

    def test_a_name_with_a_dot(self, server: Server) -> None:
        assert ask(server, "/files/.well-known/security.txt").body == b"mail us"

    @pytest.mark.parametrize(
        "path",
        [
            "nothing",
            "text.txt/",
            "text.txt/x",
            "folder",
            "folder/",
            "..",
            "../secret.txt",
            "%2e%2e/secret.txt",
            "folder/../../secret.txt",
            "folder/../text.txt",
            "./text.txt",
            "folder//inner.css",
            "folder%2Finner.css",
            "..%2fsecret.txt",
            "text.txt%00",
            "%00",
            "link",
            "up/secret.txt",
            "up/root/text.txt",
            "inside",
            "fifo",
            ".hidden",
            ".git/config",
            "%2egit/config",
            "%FF",
            "x" * 300,
            "folder\\inner.css",
        ],
    )
    def test_the_application_gets_the_rest(self, server: Server, path: str) -> None:
        for _ in range(2):
            answer = ask(server, f"/files/{path}")
            assert answer.body.startswith(b"application: GET /files/")
            assert b"secret" not in answer.body.partition(b"secret.txt")[2]

    @pytest.mark.parametrize("path", ["/files-not/secret.txt", "/file", "/", "/filestext.txt"])
    def test_beside_the_prefix(self, server: Server, path: str) -> None:
        assert ask(server, path).body == f"application: GET {path}".encode()

    @pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS"])
    def test_other_methods(self, server: Server, method: str) -> None:
        answer = ask(server, "/files/text.txt", method, Content_Length="0")
        assert answer.body == f"application: {method} /files/text.txt".encode()

    def test_a_request_with_a_body(self, server: Server) -> None:
        with connect(server.url) as wire:
            wire.send(b"GET /files/text.txt HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbody")
            assert wire.answer().body == b"application: GET /files/text.txt"
            assert_next_is_right(wire)

    def test_a_file_that_may_not_be_read(self, server: Server, files: Path) -> None:
        write(files / "private", b"private")
        (files / "private").chmod(0)
        expected = b"private" if os.geteuid() == 0 else b"application: GET /files/private"
        assert ask(server, "/files/private").body == expected


class TestDirectories:
    def test_the_index(self, server: Server) -> None:
        assert ask(server, "/files/").body == b"<p>top"
        answer = ask(server, "/files/folder/deeper/")
        assert (answer.status, answer.body) == (200, b"<p>index")
        assert answer.field("content-type") == "text/html; charset=utf-8"

    @pytest.mark.parametrize(
        ("path", "location"),
        [
            ("/files", "files/"),
            ("/files/folder/deeper", "deeper/"),
            ("/files/folder/deeper?a=b", "deeper/?a=b"),
            ("/files/folder/d%65eper", "deeper/"),
        ],
    )
    def test_without_a_slash(self, server: Server, path: str, location: str) -> None:
        answer = ask(server, path)
        assert (answer.status, answer.body) == (301, b"")
        assert answer.field("location") == location


class TestParts:
    @pytest.mark.parametrize("path", ["/files/text.txt", "/files/large"])
    @pytest.mark.parametrize(("value", "first", "stop"), [("0-9", 0, 10), ("5-", 5, None), ("-7", -7, None)])
    def test_one(self, server: Server, path: str, value: str, first: int, stop: int | None) -> None:
        whole = TEXT if path.endswith("txt") else bytes(LARGE)
        answer = ask(server, path, Range=f"bytes={value}")
        assert answer.status == 206
        assert answer.body == whole[first:stop]
        begins, ends, _ = slice(first, stop).indices(len(whole))
        assert answer.field("content-range") == f"bytes {begins}-{ends - 1}/{len(whole)}"
        assert answer.field("content-length") == str(len(answer.body))

    @pytest.mark.parametrize("path", ["/files/text.txt", "/files/large"])
    def test_several(self, server: Server, path: str) -> None:
        whole = TEXT if path.endswith("txt") else bytes(LARGE)
        answer = ask(server, path, Range="bytes=0-9, 100-199, -5")
        assert answer.status == 206
        assert answer.field("content-length") == str(len(answer.body))
        # The standard library reads it as what it is: a MIME body.
        kind = answer.field("content-type")
        message = email.message_from_bytes(f"Content-Type: {kind}\n\n".encode() + answer.body)
        assert message.get_content_type() == "multipart/byteranges"
        parts = [part for part in message.walk() if not part.is_multipart()]
        assert [part["Content-Range"] for part in parts] == [
            f"bytes 0-9/{len(whole)}",
            f"bytes 100-199/{len(whole)}",
            f"bytes {len(whole) - 5}-{len(whole) - 1}/{len(whole)}",
        ]
        for data in (whole[:10], whole[100:200], whole[-5:]):
            assert b"\r\n\r\n" + data + b"\r\n--" in answer.body

    def test_too_many(self, server: Server) -> None:
        many = ",".join(f"{2 * number}-{2 * number}" for number in range(17))
        answer = ask(server, "/files/text.txt", Range=f"bytes={many}")
        assert (answer.status, answer.body) == (200, TEXT)

    def test_none_within(self, server: Server) -> None:
        answer = ask(server, "/files/text.txt", Range="bytes=99999-")
        assert (answer.status, answer.body) == (416, b"")
        assert answer.field("content-range") == f"bytes */{len(TEXT)}"

    def test_if_range(self, server: Server) -> None:
        plain = ask(server, "/files/text.txt")
        for field in ("etag", "last-modified"):
            right = plain.field(field) or ""
            assert ask(server, "/files/text.txt", Range="bytes=0-9", If_Range=right).status == 206
        answer = ask(server, "/files/text.txt", Range="bytes=0-9", If_Range='"old"')
        assert (answer.status, answer.body) == (200, TEXT)

    @pytest.mark.parametrize("path", ["/files/text.txt", "/files/large"])
    @pytest.mark.parametrize("method", ["GET", "HEAD"])
    def test_conditions(self, server: Server, path: str, method: str) -> None:
        plain = ask(server, path, "HEAD")
        etag, modified = plain.field("etag") or "", plain.field("last-modified") or ""
        early = "Sun, 06 Nov 1994 08:49:37 GMT"
        for fields, status in (
            ({"If_None_Match": etag}, 304),
            ({"If_None_Match": f'"x", W/{etag}'}, 304),
            ({"If_None_Match": "*"}, 304),
            ({"If_None_Match": '"x"'}, 200),
            ({"If_None_Match": '"x"', "If_Modified_Since": modified}, 200),
            ({"If_Modified_Since": modified}, 304),
            ({"If_Modified_Since": early}, 200),
            ({"If_Match": etag}, 200),
            ({"If_Match": '"x"'}, 412),
            ({"If_Unmodified_Since": modified}, 200),
            ({"If_Unmodified_Since": early}, 412),
            ({"If_Match": '"x"', "Range": "bytes=0-1"}, 412),
        ):
            answer = ask(server, path, method, **fields)
            assert answer.status == status, fields
            assert answer.field("etag") == etag
            if status == 304:
                assert answer.field("content-length") is None
                assert answer.field("cache-control") == "no-cache"
            elif status == 412:
                assert answer.body == b""


class TestCodings:
    @pytest.mark.parametrize(
        ("accepted", "coding"),
        [
            ("gzip", "gzip"),
            ("x-gzip", "gzip"),
            ("br, zstd, gzip", "br"),
            ("gzip, zstd", "zstd"),
            ("gzip;q=1.0, br;q=0.5", "gzip"),
            ("*", "br"),
            ("br;q=0, *", "zstd"),
            ("deflate", None),
            ("", None),
            ("gzip;q=0", None),
            ("identity, gzip;q=0.5", None),
            ("gzip;q=2", None),
        ],
    )
    def test_choice(self, server: Server, files: Path, accepted: str, coding: str | None) -> None:
        answer = ask(server, "/files/app.js", Accept_Encoding=accepted)
        suffix = {"gzip": ".gz", "br": ".br", "zstd": ".zst", None: ""}[coding]
        assert answer.body == (files / f"app.js{suffix}").read_bytes()
        assert answer.field("content-encoding") == coding
        assert answer.field("vary") == "Accept-Encoding"
        assert answer.field("content-type") == "text/javascript; charset=utf-8"

    def test_each_is_a_representation_of_its_own(self, server: Server) -> None:
        answers = {
            coding: ask(server, "/files/app.js", Accept_Encoding=coding)
            for coding in ("identity", "gzip", "br", "zstd")
        }
        etags = {coding: answer.field("etag") or "" for coding, answer in answers.items()}
        assert len(set(etags.values())) == 4
        for coding, etag in etags.items():
            fields = {"Accept_Encoding": coding, "If_None_Match": etag}
            again = ask(server, "/files/app.js", **fields)
            assert again.status == 304
            assert again.field("vary") == "Accept-Encoding"
            fields["If_None_Match"] = etags["br" if coding == "gzip" else "gzip"]
            assert ask(server, "/files/app.js", **fields).status == 200
        part = ask(server, "/files/app.js", Accept_Encoding="br", Range="bytes=1-2")
        assert (part.status, part.body) == (206, b"ro")
        assert part.field("content-encoding") == "br"

    def test_an_older_one_is_not_sent(self, server: Server) -> None:
        answer = ask(server, "/files/stale.js", Accept_Encoding="gzip")
        assert (answer.body, answer.field("content-encoding"), answer.field("vary")) == (b"new", None, None)

    def test_a_file_that_is_compressed_itself(self, server: Server) -> None:
        answer = ask(server, "/files/archive.tar.gz")
        assert answer.field("content-type") == "application/x-tar"
        assert answer.field("content-encoding") == "gzip"


class TestChanges:
    def test_a_file_is_written_again(self, server: Server, files: Path) -> None:
        path = files / "changing.txt"
        for data in (b"one", b"two", b"three", b"four and more"):
            path.write_bytes(data)
            await_body(server, "/files/changing.txt", data)
        path.unlink()
        await_body(server, "/files/changing.txt", b"application: GET /files/changing.txt")

    def test_a_compressed_one_comes_and_goes(self, server: Server, files: Path) -> None:
        def coding() -> str | None:
            return ask(server, "/files/late.css", Accept_Encoding="gzip").field("content-encoding")

        (files / "late.css.gz").unlink(missing_ok=True)
        write(files / "late.css", b"p {}")
        server.wait_until(lambda: coding() is None, "the file alone")
        write(files / "late.css.gz", gzip.compress(b"p {}"))
        server.wait_until(lambda: coding() == "gzip", "the compressed file")
        write(files / "late.css", b"q {}", 0)
        server.wait_until(lambda: coding() is None, "the newer file")
        assert ask(server, "/files/late.css").field("vary") is None

    def test_a_link_takes_the_place_of_a_file(self, server: Server, files: Path) -> None:
        path = files / "swapped"
        path.unlink(missing_ok=True)
        write(path, b"mine")
        assert ask(server, "/files/swapped").body == b"mine"
        path.unlink()
        path.symlink_to(files.parent / "secret.txt")
        await_body(server, "/files/swapped", b"application: GET /files/swapped")

    def test_a_large_file_changes(self, server: Server, files: Path) -> None:
        path = files / "growing"
        for size in (200_000, 300_000):
            path.write_bytes(b"x" * size)
            await_body(server, "/files/growing", b"x" * size)


class TestConnection:
    def test_pipelined(self, server: Server) -> None:
        paths = ["/files/text.txt", "/app", "/files/empty", "/files/text.txt", "/files/app.js", "/app"]
        with connect(server.url) as wire:
            wire.send(b"".join(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode() for path in paths * 20))
            for path in paths * 20:
                answer = wire.answer()
                assert answer.status == 200
                if path == "/app":
                    assert answer.body == b"application: GET /app"
                elif path == "/files/text.txt":
                    assert answer.body == TEXT

    def test_one_request_only(self, server: Server) -> None:
        for version, fields in (("1.0", {}), ("1.1", {"Connection": "close"})):
            for path in ("/files/text.txt", "/files/large"):
                answer = ask(server, path, "HEAD", version, **fields)
                assert answer.field("connection") == "close"
            with connect(server.url) as wire:
                lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
                wire.send(f"GET /files/text.txt HTTP/{version}\r\nHost: x\r\n{lines}\r\n".encode())
                assert wire.rest().endswith(b"\r\n\r\n" + TEXT)

    def test_an_old_client_that_stays(self, server: Server) -> None:
        answer = ask(server, "/files/text.txt", version="1.0", Connection="keep-alive")
        assert answer.field("connection") == "keep-alive"

    def test_access_log(self, server: Server) -> None:
        route = "/files/<path:filename>"
        ask(server, "/files/text.txt?logged")
        ask(server, "/files/text.txt?logged")
        ask(server, "/files/text.txt?logged", Range="bytes=0-1")
        ask(server, "/files/large?logged", "HEAD")
        for line, count in (
            (f"GET /files/text.txt?logged HTTP/1.1 200 {len(TEXT)} {route}", 2),
            (f"GET /files/text.txt?logged HTTP/1.1 206 2 {route}", 1),
            ("HEAD /files/large?logged HTTP/1.1 200", 1),
        ):
            await_line(server, line, count)


def test_slow_downloads_hold_nobody(server: Server) -> None:
    """Twenty clients that read nothing, one thread in all: the next requests are answered at once."""
    waiting: list[socket.socket] = []
    host, port = server.url.removeprefix("http://").split(":")
    try:
        for _ in range(20):
            client = socket.create_connection((host, int(port)), timeout=DEADLINE)
            waiting.append(client)
            client.sendall(b"GET /files/huge HTTP/1.1\r\nHost: x\r\n\r\n")
            assert client.recv(100).startswith(b"HTTP/1.1 200 OK\r\n")
        for _ in range(10):
            assert ask(server, "/app").body == b"application: GET /app"
            assert ask(server, "/files/text.txt").body == TEXT
        received = 0
        while received < HUGE:
            received += len(waiting[0].recv(1 << 20))
    finally:
        for client in waiting:
            client.close()
    assert ask(server, "/app").body == b"application: GET /app"


def test_no_descriptor_stays_open(server: Server, files: Path) -> None:
    for path in ("text.txt", "large", "folder", "folder/deeper", "link", "fifo", "app.js", "nothing"):
        for fields in ({"Range": "bytes=0-1"}, {"Range": "bytes=0-1,4-5"}, {"Range": "bytes=999999999-"}):
            ask(server, f"/files/{path}", **fields)
        ask(server, f"/files/{path}", If_None_Match="*")
        ask(server, f"/files/{path}", "HEAD")
    server.wait_until(lambda: not files_open(server, files), "the end of all downloads")


def test_many_ranges_take_one_descriptor(server: Server, files: Path) -> None:
    ranges = ",".join(f"{number << 22}-{(number << 22) + (1 << 21)}" for number in range(16))
    with connect(server.url) as wire:
        wire.send(f"GET /files/huge HTTP/1.1\r\nHost: x\r\nRange: bytes={ranges}\r\n\r\n".encode())
        assert wire.socket.recv(100).startswith(b"HTTP/1.1 206 ")
        server.wait_until(lambda: files_open(server, files) == [str(files / "huge")], "one descriptor")
    server.wait_until(lambda: not files_open(server, files), "the end of the download")
