"""Both sides of PEP 3333 over the wire: the server under `wsgiref.validate`, and applications that break the
rules."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration import wsgi_apps
from tests.integration.served import Server
from tests.integration.wire import Answer, connect
from tests.integration.wsgi_ways import WAYS, serve_way
from tests.workers.kinds import name_of

RULE = re.compile(r"PEP 3333|RFC \d+ section \d")
BODY = b"".join(b"line %d of a body\n" % number for number in range(20_000)) + b"no line end"

PAGES = {
    "list": (200, b"helloworld"),
    "generator": (200, b"helloworld"),
    "write": (200, b"helloworld"),
    "empty": (204, b""),
    "recovered": (503, b"sorry"),
    "file": (200, Path(wsgi_apps.__file__).read_bytes()),
    "large": (200, wsgi_apps.LARGE * 5),
    "closing": (200, b"helloworld"),
    "errors": (200, b""),
}

# Path of an application that breaks a rule -> words of the line that the operator gets.
BROKEN = {
    "/none": "NoneType",
    "/number": "int",
    "/text": "bytes, not str",
    "/text-item": "bytes, not str",
    "/text-second-item": "bytes, not str",
    "/text-generated": "bytes, not str",
    "/none-item": "bytes, not NoneType",
    "/bytearray-item": "bytes, not bytearray",
    "/text-written": "bytes, not str",
    "/no-start": "start_response",
    "/no-start-empty": "start_response",
    "/no-start-generated": "start_response",
    "/two-starts": "start_response was called a second time without exc_info",
    "/status-number": "status must be a str, not int",
    "/status-bytes": "status must be a str, not bytes",
    "/status-words": "'OK'",
    "/status-line": "X-Injected",
    "/status-interim": "103 Early Hints",
    "/headers-tuple": "list, not tuple",
    "/headers-dict": "list, not dict",
    "/header-text": "'Content-Type: text/plain'",
    "/header-triple": "really",
    "/header-name-bytes": "str, not bytes",
    "/header-name-colon": "'Content-Type:'",
    "/header-value-number": "'Content-Length' must be a str, not int",
    "/header-value-none": "'X-Nothing' must be a str, not NoneType",
    "/header-value-lines": "'X-Split'",
    "/header-value-unicode": "'X-Text'",
    "/length-words": "'five'",
    "/length-twice": "Content-Length twice",
}


def get(server: Server, path: str, method: str = "GET") -> Answer:
    with connect(server.url) as wire:
        wire.send(f"{method} {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        return wire.answer(method)


class TestValidated:
    @pytest.fixture(scope="class", params=WAYS, ids=name_of)
    @classmethod
    def server(
        cls, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
    ) -> Iterator[Server]:
        logs = tmp_path_factory.mktemp("validated")
        environment = {"PYTHONWARNINGS": "error"}
        with serve_way(request.param, "wsgi_apps:validated", logs, environment=environment) as running:
            yield running

    @pytest.mark.parametrize("page", PAGES)
    @pytest.mark.parametrize("method", ["GET", "HEAD"])
    @pytest.mark.parametrize("version", ["1.1", "1.0"])
    def test_page(self, server: Server, page: str, method: str, version: str) -> None:
        status, body = PAGES[page]
        with connect(server.url) as wire:
            for _ in range(2):
                wire.send(
                    f"{method} /{page} HTTP/{version}\r\nHost: x\r\nConnection: keep-alive\r\n\r\n".encode()
                )
                answer = wire.answer(method)
                assert answer.status == status
                assert answer.body == (b"" if method == "HEAD" else body)
                if answer.field("connection") == "close":
                    assert wire.rest() == b""
                    break

    @pytest.mark.parametrize("reader", wsgi_apps.READERS)
    @pytest.mark.parametrize("framing", ["length", "chunked", "none"])
    def test_every_way_to_read_the_body(self, server: Server, reader: str, framing: str) -> None:
        head = f"POST /echo?{reader} HTTP/1.1\r\nHost: x\r\n".encode()
        if framing == "length":
            request = head + b"Content-Length: %d\r\n\r\n" % len(BODY) + BODY
        elif framing == "chunked":
            pieces = [BODY[at : at + 4999] for at in range(0, len(BODY), 4999)]
            chunks = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces)
            request = head + b"Transfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\n\r\n"
        else:
            request = head + b"\r\n"
        expected = b"" if framing == "none" or reader == "nothing" else BODY
        with connect(server.url) as wire:
            for _ in range(2):  # what the application leaves unread must not become the next request
                wire.send(request)
                assert wire.answer().body == expected

    def test_environ(self, server: Server) -> None:
        with connect(server.url) as wire:
            wire.send(
                b"POST /environ?a=%20b HTTP/1.1\r\nHost: example.org:81\r\n"
                b"Content-Type: a/b\r\nContent-Length: 2\r\n"
                b"X-Twice: 1\r\nCookie: a=1\r\nX-Twice: 2\r\nCookie: b=2\r\n\r\n{}"
            )
            answer = wire.answer()
        environ = json.loads(answer.body)
        port = server.url.rpartition(":")[2]
        expected = {
            "REQUEST_METHOD": "POST",
            "SCRIPT_NAME": "",
            "PATH_INFO": "/environ",
            "QUERY_STRING": "a=%20b",
            "CONTENT_TYPE": "a/b",
            "CONTENT_LENGTH": "2",
            "SERVER_NAME": "127.0.0.1",
            "SERVER_PORT": port,
            "SERVER_PROTOCOL": "HTTP/1.1",
            "REMOTE_ADDR": "127.0.0.1",
            "RAW_URI": "/environ?a=%20b",
            "HTTP_HOST": "example.org:81",
            "HTTP_X_TWICE": "1,2",
            "HTTP_COOKIE": "a=1; b=2",
            "wsgi.url_scheme": "http",
        }
        assert {key: environ.get(key) for key in expected} == expected
        assert not {"HTTP_CONTENT_TYPE", "HTTP_CONTENT_LENGTH"} & set(environ)

    def test_close_is_called_once_for_each_request(self, server: Server) -> None:
        before = server.error_log.count("closed /closing")
        for _ in range(3):
            get(server, "/closing")
        server.wait_until(
            lambda: server.error_log.count("closed /closing") == before + 3, "three close() calls"
        )

    def test_close_is_called_when_the_client_goes(self, server: Server) -> None:
        with connect(server.url) as wire:
            wire.send(b"GET /endless HTTP/1.1\r\nHost: x\r\n\r\n")
            wire.socket.recv(1000)
        server.wait_until(lambda: "closed /endless" in server.error_log, "close() after the client went")

    def test_wsgi_errors_goes_to_the_error_log(self, server: Server) -> None:
        get(server, "/errors")
        server.wait_until(lambda: "one line" in server.error_log, "what the application wrote")
        assert "two" in server.error_log
        assert "three" in server.error_log

    def test_the_validator_found_nothing(self, server: Server) -> None:
        assert "Traceback" not in server.error_log
        assert "AssertionError" not in server.error_log
        assert "[ERROR]" not in server.error_log
        assert "garbage collected" not in server.error_log


class TestBroken:
    @pytest.fixture(scope="class", params=WAYS, ids=name_of)
    @classmethod
    def server(
        cls, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
    ) -> Iterator[Server]:
        logs = tmp_path_factory.mktemp("broken")
        with serve_way(request.param, "wsgi_apps:unchecked", logs) as running:
            yield running

    def lines(self, server: Server, path: str) -> list[str]:
        """The error log's lines about `path`, once there are any."""
        return server.wait_until(
            lambda: [line for line in server.error_log.splitlines() if f"{path} HTTP" in line],
            f"a line about {path}",
        )

    @pytest.mark.parametrize("path", BROKEN)
    def test_a_broken_rule_is_a_500_and_a_line_that_names_it(self, server: Server, path: str) -> None:
        answer = get(server, path)
        assert answer.status == 500
        assert answer.field("x-injected") is None
        assert b"PEP" not in answer.body
        assert b"Traceback" not in answer.body
        (line,) = self.lines(server, path)
        assert "[ERROR]" in line
        assert RULE.search(line), f"no rule in {line!r}"
        assert BROKEN[path] in line

    def test_every_application_that_breaks_a_rule_is_asked(self) -> None:
        assert set(BROKEN) == set(wsgi_apps.pages("bad_"))

    def test_hop_by_hop_fields_are_left_out_and_told(self, server: Server) -> None:
        answer = get(server, "/hop-by-hop")
        assert answer.status == 200
        assert answer.body == b"hello"
        assert answer.field("transfer-encoding") is None
        assert answer.field("keep-alive") is None
        text = server.wait_until(
            lambda: server.error_log if "'Keep-Alive'" in server.error_log else None, "both names in the log"
        )
        for name in ("Transfer-Encoding", "Keep-Alive"):
            (line,) = [line for line in text.splitlines() if repr(name) in line]
            assert "PEP 3333" in line

    def test_a_body_longer_than_announced_is_cut_and_told(self, server: Server) -> None:
        with connect(server.url) as wire:
            wire.send(b"GET /too-long HTTP/1.1\r\nHost: x\r\n\r\n")
            assert wire.answer().body == b"hello"
            assert wire.rest() == b"", "nothing more on this connection"
        assert "more than its Content-Length of 5" in self.lines(server, "/too-long")[0]

    def test_a_body_shorter_than_announced_ends_the_connection_and_is_told(self, server: Server) -> None:
        with pytest.raises((EOFError, ConnectionResetError)):
            get(server, "/too-short")
        assert "5 bytes of its Content-Length of 50" in self.lines(server, "/too-short")[0]

    def test_204_has_no_body(self, server: Server) -> None:
        with connect(server.url) as wire:
            for path in ("/body-of-204", "/list"):
                wire.send(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
                answer = wire.answer()
        assert answer.body == b"helloworld"

    def test_an_application_that_raises(self, server: Server) -> None:
        answer = get(server, "/raises")
        assert answer.status == 500
        assert b"secret" not in answer.body
        self.lines(server, "/raises")
        assert "RuntimeError: the secret reason" in server.error_log
        assert "in odd_raises\n" in server.error_log

    @pytest.mark.parametrize("path", ["/raises-late", "/restart-too-late"])
    def test_an_application_that_raises_in_the_middle_cuts_the_answer(
        self, server: Server, path: str
    ) -> None:
        with connect(server.url) as wire:
            wire.send(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            with pytest.raises((EOFError, ConnectionResetError)):
                wire.answer()
        assert "[ERROR]" in self.lines(server, path)[0]

    def test_an_application_whose_close_raises(self, server: Server) -> None:
        answer = get(server, "/raises-in-close")
        assert (answer.status, answer.body) == (200, b"hello")
        assert "[ERROR]" in self.lines(server, "/raises-in-close")[0]

    def test_after_all_this_it_serves(self, server: Server) -> None:
        assert get(server, "/list").body == b"helloworld"
        assert server.error_log.count("Booting worker") == 1
