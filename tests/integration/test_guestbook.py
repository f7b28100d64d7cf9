"""The example application, with its own configuration file, driven as browsers and scripts would drive it."""

from __future__ import annotations

import csv
import re
import socket
import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, closing
from pathlib import Path

import httpx
import pytest

from tests.integration.served import BOOTING, NO_TLS, Server, serve

GUESTBOOK = Path(__file__).resolve().parents[2] / "examples" / "guestbook"
ARTICLE = re.compile(r'<article id="entry-(\d+)">\s*<p class="message">(.*?)</p>', re.DOTALL)


def open_book(folder: Path, *arguments: str) -> AbstractContextManager[Server]:
    """The example, with its log and its database in `folder`."""
    return serve(
        [*arguments, "app:app"], GUESTBOOK, folder, {"GUESTBOOK_DATABASE": str(folder / "guestbook.sqlite3")}
    )


@pytest.fixture(scope="module")
def open_for_all(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with open_book(tmp_path_factory.mktemp("guestbook")) as running:
        # Now its tables exist.
        assert httpx.get(running.url, timeout=20, verify=NO_TLS).status_code == 200
        yield running


@pytest.fixture
def database(open_for_all: Server) -> Path:
    return open_for_all.stderr.with_name("guestbook.sqlite3")


@pytest.fixture
def server(open_for_all: Server, database: Path) -> Server:
    """With an empty book, and a log of what others have asked."""
    with closing(sqlite3.connect(database, timeout=20)) as connection, connection:
        connection.execute("DELETE FROM entry")
    return open_for_all


@pytest.fixture
def client(server: Server) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, timeout=20, verify=NO_TLS) as browser:
        yield browser


def fill(client: httpx.Client, database: Path, count: int) -> None:
    """Write entries 1 to `count` past the form; the first request makes sure that the tables exist."""
    assert client.get("/").status_code == 200
    moment = "2026-01-02T03:04:05+00:00"
    rows = [(f"Visitor {number}", f"Message {number}", moment) for number in range(1, count + 1)]
    with sqlite3.connect(database) as connection:
        connection.executemany("INSERT INTO entry (name, message, written_at) VALUES (?, ?, ?)", rows)
    connection.close()


def messages(page: str) -> list[str]:
    return [message for _, message in ARTICLE.findall(page)]


def sign(client: httpx.Client, name: str, message: str) -> httpx.Response:
    return client.post("/", data={"name": name, "message": message})


def test_a_visitor_signs(client: httpx.Client) -> None:
    assert "Nobody has signed yet" in client.get("/").text

    answer = sign(client, "Zoë", "Здравствуйте\r\n<b>bold</b> & 😀")
    assert answer.status_code == 303
    assert answer.headers["location"] == "/"

    page = client.get("/").text
    assert "Thank you, Zoë." in page
    assert messages(page) == ["Здравствуйте\n&lt;b&gt;bold&lt;/b&gt; &amp; 😀"]
    assert "Thank you" not in client.get("/").text


@pytest.mark.parametrize(
    ("name", "message", "complaint"),
    [
        ("", "hello", "Please say who you are."),
        ("Ann", "  ", "Please write something."),
        ("x" * 61, "hello", "At most 60 characters, please."),
        ("Ann", "x" * 1001, "At most 1000 characters, please: these are 1001."),
    ],
)
def test_a_wrong_form_comes_back_filled_in(
    client: httpx.Client, name: str, message: str, complaint: str
) -> None:
    answer = sign(client, name, message)
    assert answer.status_code == 422
    assert complaint in answer.text
    assert f'value="{name}"' in answer.text
    assert messages(client.get("/").text) == []


def test_pages(client: httpx.Client, database: Path) -> None:
    fill(client, database, 23)
    pages = [client.get("/", params={"page": number}).text for number in (1, 2, 3)]
    shown = [message for page in pages for message in messages(page)]
    assert shown == [f"Message {number}" for number in range(23, 0, -1)]
    assert ['rel="next"' in page for page in pages] == [True, True, False]
    assert ['rel="prev"' in page for page in pages] == [False, True, True]
    for page in ("0", "4", "-1", "9" * 99):
        assert client.get("/", params={"page": page}).status_code == 404


def test_download(client: httpx.Client, database: Path) -> None:
    fill(client, database, 120)
    assert sign(client, "=1+1", 'two\r\nlines, "quoted"').status_code == 303

    answer = client.get("/entries.csv")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["content-disposition"] == 'attachment; filename="guestbook.csv"'
    assert answer.headers["transfer-encoding"] == "chunked"
    rows = list(csv.reader(answer.content.decode().splitlines(keepends=True)))
    assert rows[0] == ["written_at", "name", "message"]
    assert [row[1] for row in rows[1:]] == [*(f"Visitor {number}" for number in range(1, 121)), "'=1+1"]
    assert rows[-1][2] == 'two\nlines, "quoted"'


def test_the_whole_book_is_streamed(client: httpx.Client, database: Path) -> None:
    fill(client, database, 1000)
    with client.stream("GET", "/book") as answer:
        assert answer.headers["transfer-encoding"] == "chunked"
        parts = list(answer.iter_raw())
    assert messages(b"".join(parts).decode()) == [f"Message {number}" for number in range(1, 1001)]
    # The connection is good for another request.
    assert client.get("/?page=100").status_code == 200


def test_http_1_0_gets_the_book_unchunked(client: httpx.Client, server: Server, database: Path) -> None:
    fill(client, database, 200)
    host, _, port = server.url.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), timeout=20) as connection:
        connection.sendall(b"GET /book HTTP/1.0\r\n\r\n")
        data = b""
        while piece := connection.recv(65536):
            data += piece
    head, _, body = data.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.")
    assert b"transfer-encoding" not in head.lower()
    assert body.rstrip().endswith(b"</html>")
    assert len(messages(body.decode())) == 200


def test_static_file(client: httpx.Client) -> None:
    style = (GUESTBOOK / "static" / "style.css").read_bytes()
    answer = client.get("/static/style.css")
    assert answer.content == style
    assert answer.headers["content-length"] == str(len(style))

    head = client.head("/static/style.css")
    assert head.content == b""
    assert head.headers["content-length"] == str(len(style))

    unchanged = client.get("/static/style.css", headers={"If-None-Match": answer.headers["etag"]})
    assert unchanged.status_code == 304
    assert unchanged.content == b""

    part = client.get("/static/style.css", headers={"Range": "bytes=5-14"})
    assert part.status_code == 206
    assert part.content == style[5:15]


def test_too_large_a_form(client: httpx.Client) -> None:
    assert sign(client, "Ann", "x" * 100_000).status_code == 413
    assert client.get("/").status_code == 200


def test_unknown_address(client: httpx.Client) -> None:
    answer = client.get("/nowhere")
    assert answer.status_code == 404
    assert "Nothing is at this address." in answer.text


def test_many_visitors_at_once(server: Server, database: Path) -> None:
    """Every entry is kept, and whichever worker answers can read the cookie that another signed."""

    def visit(visitor: int) -> list[bool]:
        thanked = []
        for number in range(5):
            # A new connection each time, so that the kernel chooses the worker anew.
            with httpx.Client(
                base_url=server.url, timeout=20, follow_redirects=True, verify=NO_TLS
            ) as browser:
                thanked.append(f"Thank you, V{visitor}." in sign(browser, f"V{visitor}", str(number)).text)
        return thanked

    with ThreadPoolExecutor(8) as threads:
        assert all(thanks for thanked in threads.map(visit, range(8)) for thanks in thanked)
    connection = sqlite3.connect(database)
    stored = connection.execute("SELECT name, message FROM entry").fetchall()
    connection.close()
    written = [(f"V{visitor}", str(number)) for visitor in range(8) for number in range(5)]
    assert sorted(stored) == written


def test_workers_may_start_together_on_a_new_database(tmp_path: Path) -> None:
    with open_book(tmp_path, "--workers", "4") as server:
        server.wait_until(lambda: len(BOOTING.findall(server.error_log)) == 4, "four workers")
        with httpx.Client(base_url=server.url, timeout=20, verify=NO_TLS) as client:
            assert client.get("/").status_code == 200
        assert server.stop() == 0
        # All have loaded the application by now, and a failed one would have been replaced.
        assert "[ERROR]" not in server.error_log
        assert len(BOOTING.findall(server.error_log)) == 4


def test_one_line_a_request_and_a_clean_end(tmp_path: Path) -> None:
    with open_book(tmp_path) as server:
        with httpx.Client(base_url=server.url, timeout=20, verify=NO_TLS) as client:
            client.get("/", headers={"User-Agent": "browser", "Referer": "http://example.org/"})
            sign(client, "Ann", "hello")
        assert server.stop() == 0
        lines = server.access_log.splitlines()
    assert len(lines) == 2
    when = r"\[\d\d/\w{3}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4}\]"
    start = rf"127\.0\.0\.1 - - {when} "
    assert re.fullmatch(start + r'"GET / HTTP/1\.1" 200 \d+ "http://example\.org/" "browser"', lines[0])
    assert re.fullmatch(start + r'"POST / HTTP/1\.1" 303 \d+ "-" "python-httpx/[\d.]+"', lines[1])
