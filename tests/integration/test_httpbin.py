"""PyPI's httpbin, unmodified, on the real command, driven by requests and, where that cannot, by raw
sockets."""

from __future__ import annotations

import http.client
import json
import random
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from requests.auth import HTTPBasicAuth, HTTPDigestAuth

from tests.integration.served import Server, serve
from tests.integration.wire import connect

TIMEOUT = 30
MEGABYTES_5 = 5 * 1024 * 1024


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    logs = tmp_path_factory.mktemp("httpbin")
    with serve(["--access-logfile", "-", "httpbin:app"], logs, logs) as running:
        yield running


class Client(requests.Session):
    """A session on the server: paths instead of addresses, and a deadline for each request."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self.url = url
        self.trust_env = False  # no proxy of this machine in between

    def request(self, method: str | bytes, url: str | bytes, *args: Any, **kwargs: Any) -> requests.Response:
        kwargs.setdefault("timeout", TIMEOUT)
        return super().request(method, self.url + str(url), *args, **kwargs)

    @property
    def connections(self) -> int:
        """How many connections the session has opened."""
        adapter = self.get_adapter(self.url)
        assert isinstance(adapter, requests.adapters.HTTPAdapter)
        pools = adapter.poolmanager.pools
        return sum(pools[key].num_connections for key in pools.keys())  # noqa: SIM118 - it cannot be iterated


@pytest.fixture
def client(server: Server) -> Iterator[Client]:
    with Client(server.url) as session:
        yield session


def data_of(seed: int, size: int) -> bytes:
    """`size` bytes that compress badly and tell every position from every other; ASCII, so that JSON keeps
    them."""
    return bytes(random.Random(seed).choices(b"abcdefghijklmnopqrstuvwxyz0123456789+/", k=size))


class TestMethods:
    @pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE"])
    def test_method_query_and_body_arrive(self, client: Client, method: str) -> None:
        body = "" if method == "GET" else "some=form&more=\u00e9"
        answer = client.request(
            method,
            "/anything/a%20b/\u00e9",
            params=[("x", "1"), ("x", "2"), ("q", "a b&c")],
            data=body.encode(),
            headers={"Content-Type": "application/x-www-form-urlencoded", "X-Custom": "value"},
        )
        assert answer.status_code == 200
        seen = answer.json()
        assert seen["method"] == method
        assert seen["args"] == {"x": ["1", "2"], "q": "a b&c"}
        assert seen["form"] == ({} if method == "GET" else {"some": "form", "more": "\u00e9"})
        assert seen["headers"]["X-Custom"] == "value"
        assert seen["url"].startswith(client.url + "/anything/a%20b/\u00e9?")
        assert seen["origin"] == "127.0.0.1"

    def test_head(self, client: Client) -> None:
        answer = client.head("/bytes/1000")
        assert answer.status_code == 200
        assert answer.content == b""
        assert client.get("/get").status_code == 200
        assert client.connections == 1

    def test_options(self, client: Client) -> None:
        answer = client.options("/get")
        assert answer.status_code == 200
        assert set(answer.headers["Allow"].split(", ")) >= {"GET", "HEAD", "OPTIONS"}

    def test_a_method_that_is_not_allowed(self, client: Client) -> None:
        assert client.delete("/get").status_code == 405

    @pytest.mark.parametrize("status", [200, 201, 204, 304, 400, 404, 418, 429, 500, 503])
    def test_status(self, client: Client, status: int) -> None:
        for _ in range(2):
            assert client.get(f"/status/{status}").status_code == status
        assert client.connections == 1

    def test_multipart(self, client: Client) -> None:
        content = data_of(1, 300_000)
        answer = client.post(
            "/post", files={"upload": ("name.txt", content, "text/plain")}, data={"field": "value"}
        )
        assert answer.json()["files"] == {"upload": content.decode()}
        assert answer.json()["form"] == {"field": "value"}

    def test_json(self, client: Client) -> None:
        value = {"list": [1, 2.5, None, True], "text": "\u2713"}
        assert client.post("/post", json=value).json()["json"] == value


class TestRedirects:
    @pytest.mark.parametrize("path", ["/redirect/5", "/relative-redirect/5", "/absolute-redirect/5"])
    def test_a_chain_on_one_connection(self, client: Client, path: str) -> None:
        answer = client.get(path)
        assert answer.status_code == 200
        assert answer.url.removeprefix(client.url).removeprefix(client.url) == "/get"
        assert [step.status_code for step in answer.history] == [302] * 5
        assert client.connections == 1

    def test_the_body_is_sent_again_for_307(self, client: Client) -> None:
        answer = client.post(
            "/redirect-to", params={"url": client.url + "/post", "status_code": "307"}, data=b"again"
        )
        assert answer.history[0].status_code == 307
        assert answer.json()["data"] == "again"


class TestCookies:
    def test_set_send_and_delete(self, client: Client) -> None:
        assert client.get("/cookies/set?first=1&second=two").json() == {
            "cookies": {"first": "1", "second": "two"}
        }
        assert client.get("/cookies").json() == {"cookies": {"first": "1", "second": "two"}}
        assert client.get("/cookies/delete?first=").json() == {"cookies": {"second": "two"}}

    def test_each_cookie_is_a_field_of_its_own(self, server: Server) -> None:
        with connect(server.url) as wire:
            wire.send(b"GET /cookies/set?a=1&b=2 HTTP/1.1\r\nHost: x\r\n\r\n")
            cookies = [value for name, value in wire.answer().fields if name == "set-cookie"]
        assert cookies == ["a=1; Path=/", "b=2; Path=/"]


class TestCodings:
    @pytest.mark.parametrize(("path", "coding"), [("gzip", "gzip"), ("deflate", "deflate"), ("brotli", "br")])
    def test_coded_answers(self, client: Client, path: str, coding: str) -> None:
        answer = client.get(f"/{path}", headers={"Accept-Encoding": coding})
        assert answer.headers["Content-Encoding"] == coding
        assert answer.json()[{"gzip": "gzipped", "deflate": "deflated", "brotli": "brotli"}[path]] is True

    def test_utf_8_and_images_come_whole(self, client: Client) -> None:
        assert "STARGΛ̊TE" in client.get("/encoding/utf8").text
        png = client.get("/image/png")
        assert png.content.startswith(b"\x89PNG")
        assert len(png.content) == int(png.headers["Content-Length"])


class TestBodies:
    @pytest.mark.parametrize("size", [0, 1, 8191, 65536, 1_000_000])
    def test_chunked_upload(self, client: Client, size: int) -> None:
        body = data_of(size, size)
        step = 40_001
        pieces = (body[start : start + step] for start in range(0, size, step))
        answer = client.post("/post", data=pieces)
        assert answer.request.headers["Transfer-Encoding"] == "chunked"
        assert answer.json()["data"] == body.decode()

    def test_chunked_download(self, client: Client) -> None:
        answer = client.get("/stream/100", stream=True)
        assert answer.headers["Transfer-Encoding"] == "chunked"
        assert [json.loads(line)["id"] for line in answer.iter_lines()] == list(range(100))

    @pytest.mark.parametrize("chunked", [False, True])
    def test_5_megabytes_both_ways(self, client: Client, chunked: bool) -> None:
        body = data_of(5, MEGABYTES_5)
        step = 1 << 16
        pieces = (body[start : start + step] for start in range(0, len(body), step))
        answer = client.post("/anything", data=pieces if chunked else body)
        assert answer.json()["data"] == body.decode()
        assert client.get("/get").status_code == 200
        assert client.connections == 1

    def test_stream_bytes(self, client: Client) -> None:
        whole = client.get("/bytes/100000?seed=7").content
        answer = client.get("/stream-bytes/100000?seed=7&chunk_size=777", stream=True)
        assert answer.headers["Transfer-Encoding"] == "chunked"
        streamed = answer.content
        assert len(streamed) == len(whole) == 100_000
        assert streamed == client.get("/stream-bytes/100000?seed=7&chunk_size=777").content

    def test_drip_arrives_while_it_is_made(self, client: Client) -> None:
        begin = time.monotonic()
        answer = client.get("/drip?numbytes=5&duration=1.5&delay=0&code=200", stream=True)
        arrived = []
        received = b""
        for piece in answer.iter_content(1):
            arrived.append(time.monotonic() - begin)
            received += piece
        assert received == b"*" * 5
        assert answer.headers["Content-Length"] == "5"
        assert arrived[-1] - arrived[0] > 0.8, "not kept back until the end"

    def test_range(self, client: Client) -> None:
        answer = client.get("/range/26", headers={"Range": "bytes=5-9"})
        assert answer.status_code == 206
        assert answer.content == b"fghij"
        assert answer.headers["Content-Range"] == "bytes 5-9/26"

    def test_etag(self, client: Client) -> None:
        assert client.get("/etag/abc").status_code == 200
        assert client.get("/etag/abc", headers={"If-None-Match": '"abc"'}).status_code == 304
        assert client.get("/etag/abc", headers={"If-Match": '"other"'}).status_code == 412

    def test_expect_continue(self, server: Server) -> None:
        with connect(server.url) as wire:
            wire.send(b"POST /post HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n")
            assert wire.answer().status == 100
            wire.send(b"hello")
            answer = wire.answer()
        assert answer.status == 200
        assert json.loads(answer.body)["data"] == "hello"


class TestAuthentication:
    def test_basic(self, client: Client, server: Server) -> None:
        assert client.get("/basic-auth/ada/secret").status_code == 401
        answer = client.get("/basic-auth/ada/secret", auth=HTTPBasicAuth("ada", "secret"))
        assert answer.json() == {"authenticated": True, "user": "ada"}
        line = server.wait_until(
            lambda: next((line for line in server.access_log.splitlines() if " ada [" in line), None),
            "the user's name in the access log",
        )
        assert '"GET /basic-auth/ada/secret HTTP/1.1" 200 ' in line

    def test_wrong_password(self, client: Client) -> None:
        answer = client.get("/basic-auth/ada/secret", auth=HTTPBasicAuth("ada", "wrong"))
        assert answer.status_code == 401
        assert answer.headers["WWW-Authenticate"].startswith("Basic ")

    def test_bearer(self, client: Client) -> None:
        answer = client.get("/bearer", headers={"Authorization": "Bearer token"})
        assert answer.json() == {"authenticated": True, "token": "token"}

    def test_digest(self, client: Client) -> None:
        answer = client.get("/digest-auth/auth/ada/secret", auth=HTTPDigestAuth("ada", "secret"))
        assert answer.status_code == 200


class TestConnections:
    def test_100_requests_on_one_connection(self, server: Server) -> None:
        parts = urlsplit(server.url)
        assert parts.hostname
        connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=TIMEOUT)
        connection.connect()
        first = connection.sock
        for number in range(100):
            connection.request("GET", f"/get?n={number}")
            answer = connection.getresponse()
            assert json.loads(answer.read())["args"] == {"n": str(number)}
            assert connection.sock is first, f"closed after {number + 1} requests"
        connection.close()

    def test_50_pipelined_requests(self, server: Server) -> None:
        with connect(server.url) as wire:
            wire.send(b"".join(b"GET /get?n=%d HTTP/1.1\r\nHost: x\r\n\r\n" % number for number in range(50)))
            answers = [wire.answer() for _ in range(50)]
        assert [json.loads(answer.body)["args"]["n"] for answer in answers] == [str(n) for n in range(50)]
        assert {answer.status for answer in answers} == {200}

    def test_pipelined_requests_with_bodies_of_both_framings(self, server: Server) -> None:
        def post(number: int) -> bytes:
            body = data_of(number, 1 + number * 997)
            head = b"POST /post?n=%d HTTP/1.1\r\nHost: x\r\n" % number
            if number % 2:
                return head + b"Content-Length: %d\r\n\r\n" % len(body) + body
            chunks = b"".join(
                b"%x\r\n%b\r\n" % (len(body[at : at + 500]), body[at : at + 500])
                for at in range(0, len(body), 500)
            )
            return head + b"Transfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\n\r\n"

        with connect(server.url) as wire:
            wire.send(b"".join(map(post, range(20))))
            answers = [json.loads(wire.answer().body) for _ in range(20)]
        assert [answer["args"]["n"] for answer in answers] == [str(number) for number in range(20)]
        assert [answer["data"] for answer in answers] == [
            data_of(number, 1 + number * 997).decode() for number in range(20)
        ]

    def test_a_request_that_comes_byte_by_byte(self, server: Server) -> None:
        with connect(server.url) as wire:
            for byte in b"POST /post HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc":
                wire.send(bytes([byte]))
            assert json.loads(wire.answer().body)["data"] == "abc"

    def test_close_is_honoured(self, server: Server) -> None:
        with connect(server.url) as wire:
            wire.send(b"GET /get HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            answer = wire.answer()
            assert answer.field("connection") == "close"
            assert wire.rest() == b""

    def test_http_1_0(self, server: Server) -> None:
        with connect(server.url) as wire:
            wire.send(b"GET /stream/3 HTTP/1.0\r\n\r\n")
            answer = wire.answer()
        assert answer.field("transfer-encoding") is None
        assert len(answer.body.splitlines()) == 3

    def test_absolute_form(self, server: Server) -> None:
        with connect(server.url) as wire:
            wire.send(b"GET http://example.org/get?a=1 HTTP/1.1\r\nHost: example.org\r\n\r\n")
            seen = json.loads(wire.answer().body)
        assert seen["url"] == "http://example.org/get?a=1"

    def test_a_client_that_half_closes_gets_its_answer(self, server: Server) -> None:
        with connect(server.url) as wire:
            wire.send(b"GET /delay/0.2 HTTP/1.1\r\nHost: x\r\n\r\n")
            wire.socket.shutdown(1)
            assert wire.answer().status == 200


def test_no_request_of_all_these_was_a_fault_of_the_server(server: Server) -> None:
    assert "[ERROR]" not in server.error_log
    assert "Traceback" not in server.error_log
