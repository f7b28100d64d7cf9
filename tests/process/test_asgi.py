"""HTTP between a client and an ASGI application: receive, send, their errors, and the extensions."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.process.asgi import LOOPS, fetch, message, read_json, read_until, running, send_messages
from tests.process.server import Server, read_answer, wait_for

START = {"type": "http.response.start", "status": 200, "headers": []}
BODY = {"type": "http.response.body"}


def start(*headers: tuple[bytes, bytes], status: int = 200, **more: object) -> dict[str, object]:
    return {**START, "status": status, "headers": list(headers), **more}


def body(data: bytes = b"", more: bool = False) -> dict[str, object]:
    return {**BODY, "body": data, "more_body": more}


@pytest.fixture(scope="module", params=LOOPS)
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running(tmp_path_factory.mktemp("asgi"), "--asgi-loop", request.param) as found:
        yield found


# --- receive ---


def test_a_request_without_a_body(server: Server) -> None:
    assert fetch(server, "/show") == [{"type": "http.request", "body": "b:", "more_body": False}]


def test_a_small_body_comes_whole(server: Server) -> None:
    found = fetch(server, "/show", method="POST", body=b"hello")
    assert found == [{"type": "http.request", "body": "b:hello", "more_body": False}]


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_comes_as_it_arrives(server: Server, chunked: bool) -> None:
    """And the connection serves the next requests, which stand right behind it."""
    pieces = [b"a" * 5, b"b" * 70000, b"c" * 300000]
    field = "Transfer-Encoding: chunked" if chunked else f"Content-Length: {sum(map(len, pieces))}"
    end = b"0\r\n\r\n" if chunked else b""
    before = server.log().count("received http.request")
    with server.connect() as sock, sock.makefile("rb") as stream:
        sock.sendall(message("POST", "/show", field))
        for number, piece in enumerate(pieces, 1):
            sock.sendall(b"%x\r\n%b\r\n" % (len(piece), piece) if chunked else piece)
            server.wait_for_log("received http.request", before + number)
        sock.sendall(end + message("POST", "/show", body=b"next") + message("GET", "/show"))
        found = read_json(stream)
        assert "".join(part["body"][2:] for part in found) == b"".join(pieces).decode()
        assert [part["more_body"] for part in found] == [True] * (len(found) - 1) + [False]
        assert read_json(stream)[0]["body"] == "b:next"
        assert read_json(stream)[0]["body"] == "b:"
        sock.sendall(message("GET", "/sleep/0"))
        assert read_json(stream) == "slept"


def test_a_body_whose_last_piece_is_awaited_keeps_the_connection(server: Server) -> None:
    with server.connect() as sock, sock.makefile("rb") as stream:
        for number in range(3):
            before = server.log().count("received http.request 4\n")
            sock.sendall(message("POST", "/show", "Content-Length: 8") + b"half")
            server.wait_for_log("received http.request 4\n", before + 1)
            sock.sendall(b"rest" + (message("GET", "/sleep/0") if number else b""))
            assert "b:rest" in str(read_json(stream))
            if number:
                assert read_json(stream) == "slept"


def test_pipelined_requests_are_answered_in_order(server: Server) -> None:
    names = [f"{number}" for number in range(20)]
    with server.connect() as sock, sock.makefile("rb") as stream:
        for name in names:
            slow = message("GET", f"/sleep/0.0{19 - int(name)}")
            sock.sendall(slow + message("POST", "/show", body=name.encode()))
        for name in names:
            assert read_json(stream) == "slept"
            assert read_json(stream)[0]["body"] == f"b:{name}"


def test_100_continue_only_for_who_receives(server: Server) -> None:
    with server.connect() as sock:
        sock.sendall(message("POST", "/show", "Expect: 100-continue", "Content-Length: 3"))
        assert read_until(sock, b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        sock.sendall(b"abc")
        assert "abc" in read_answer(sock)
    with server.connect() as sock:
        sock.sendall(message("POST", "/scope", "Expect: 100-continue", "Content-Length: 3"))
        answer = b"".join(iter(lambda: sock.recv(65536), b""))
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"Connection: close" in answer


def test_a_body_that_was_not_asked_for_yet_has_no_deadline(tmp_path: Path) -> None:
    with running(tmp_path, "--body-timeout", "0.5") as server, server.connect() as sock:
        slow = message("POST", "/slow", "Expect: 100-continue", "Content-Length: 3")
        sock.sendall(slow)
        assert read_until(sock, b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        sock.sendall(b"abc")
        assert read_answer(sock) == '"b:abc"'
        # And one that was: the wait for the rest ends.
        sock.sendall(slow)
        assert read_until(sock, b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        assert sock.recv(1000).startswith(b"HTTP/1.1 408 ")


def test_a_body_that_is_malformed(server: Server) -> None:
    """At once, and behind a good beginning: 400, and the application hears of a client that has left."""
    for beginning in (b"", b"5\r\nhello\r\n"):
        before = server.log().count("received http.request 5")
        with server.connect() as sock:
            sock.sendall(message("POST", "/show", "Transfer-Encoding: chunked") + beginning)
            if beginning:
                server.wait_for_log("received http.request 5", before + 1)
            sock.sendall(b"nonsense\r\n")
            assert sock.recv(1000).startswith(b"HTTP/1.1 400 ")
    server.wait_for_log("received http.disconnect 0")
    # What was wrong at once never reaches the application.
    assert fetch(server, "/sleep/0") == "slept"
    before = server.log().count("received")
    with server.connect() as sock:
        sock.sendall(message("POST", "/show", "Transfer-Encoding: chunked") + b"nonsense\r\n")
        assert sock.recv(1000).startswith(b"HTTP/1.1 400 ")
    assert fetch(server, "/sleep/0") == "slept"
    assert server.log().count("received") == before


def test_after_the_response_receive_tells_of_the_end(server: Server) -> None:
    send_messages(server, [START, body(b"x"), "receive"])
    server.wait_for_log(r"received \{'type': 'http.disconnect'\}")


def test_asking_for_the_end_again_and_again_leaves_nothing(server: Server) -> None:
    assert fetch(server, "/poll") <= 1


# --- send ---

WRONG = {
    "start-twice": ([START, START], "http.response.start was sent a second time"),
    "body-first": ([body(b"x")], "http.response.body was sent before http.response.start"),
    "no-status": ([{"type": "http.response.start"}], "status"),
    "status-text": ([start(status="200")], "the status must be a number from 200 to 999, not '200'"),  # type: ignore[arg-type]
    "status-interim": ([start(status=101)], "the status must be a number from 200 to 999, not 101"),
    "header-text": ([start(("a", "b"))], "header names and values are bytes, not str"),  # type: ignore[arg-type]
    "header-single": ([start((b"a",))], "a header is a pair of name and value"),  # type: ignore[arg-type]
    "header-none": ([{**START, "headers": None}, BODY], "headers"),
    "header-split": ([start((b"a", b"b\r\nc: d")), BODY], "control or non-latin-1 character"),
    "header-name": ([start((b"a b", b"c")), BODY], "is not a header field name"),
    "length-twice": (
        [start((b"content-length", b"1"), (b"Content-Length", b"2")), BODY], "Content-Length twice"
    ),
    "length-text": ([start((b"content-length", b"one")), BODY], "'one' is not a number"),
    "body-text": ([START, {**BODY, "body": "text"}], "a body is bytes, not str"),
    "body-number": ([START, {**BODY, "body": 5}], "a body is bytes, not int"),
    "unknown": ([{"type": "http.response.nonsense"}], "http.response.nonsense"),
    "no-type": ([{}], "type"),
    "no-message": ([None], "NoneType"),
    "trailers-first": ([{"type": "http.response.trailers", "headers": []}], "before http.response.start"),
    "trailers-unannounced": ([START, {"type": "http.response.trailers"}], "was not announced"),
    "hint-late": ([START, {"type": "http.response.early_hint", "links": []}], "must come before"),
    "path-missing": ([START, {"type": "http.response.pathsend", "path": "/missing"}], "No such file"),
    "path-folder": ([START, {"type": "http.response.pathsend", "path": "/"}], "only regular files"),
    "return-first": ([], "returned without starting its response to 'POST /send HTTP/1.1'"),
    "return-started": ([START, "return"], "returned without completing its response"),
    "raise-first": (["raise"], "ValueError: raised by the application"),
    "cancelled": ([START, "cancel"], "CancelledError: by the application itself"),
    "raise-started": ([START, "raise"], "ValueError: raised by the application"),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_a_broken_rule_is_named_and_answered_with_500(server: Server, name: str) -> None:
    messages, named = WRONG[name]
    at = len(server.log())
    answer = send_messages(server, messages)
    assert answer.startswith(b"HTTP/1.1 500 Internal Server Error\r\n"), answer
    assert b"Traceback" not in answer
    server.wait_for_log(rf"(?s)\A.{{{at}}}.*\[ERROR\][^\n]*(?:\n(?!\[\d)[^\n]*)*{_escaped(named)}")


def _escaped(text: str) -> str:
    return "".join("\\" + character if character in ".'()" else character for character in text)


@pytest.mark.parametrize("last", ["raise", "return", START, {**BODY, "body": "text"}])
def test_a_response_that_has_begun_is_cut(server: Server, last: object) -> None:
    answer = send_messages(server, [START, body(b"begun", more=True), last])
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert answer.endswith(b"\r\n5\r\nbegun\r\n")


def test_what_follows_the_end_is_refused(server: Server) -> None:
    for last in (body(b"more"), START, {"type": "http.response.trailers", "headers": []}):
        at = len(server.log())
        answer = send_messages(server, [start((b"content-length", b"1")), body(b"x"), last])
        assert answer.endswith(b"\r\n\r\nx")
        server.wait_for_log(rf"(?s)\A.{{{at}}}.*\[ERROR\].* was sent after the end of the response")


def test_content_length(server: Server) -> None:
    length = start((b"content-length", b"5"))
    assert send_messages(server, [length, body(b"he", True), body(b"llo")]).endswith(b"\r\n\r\nhello")
    assert send_messages(server, [length, body(b"hello and more")]).endswith(b"\r\n\r\nhello")
    server.wait_for_log(r"more than its Content-Length of 5 bytes while answering 'POST /send HTTP/1.1'")
    assert send_messages(server, [length, body(b"he")]).endswith(b"\r\n\r\nhe")
    server.wait_for_log("sent 2 bytes of its Content-Length of 5")


def test_framing(server: Server) -> None:
    assert b"Content-Length: 5\r\n" in send_messages(server, [START, body(b"hello")])
    assert b"Content-Length: 0\r\n" in send_messages(server, [START, BODY])
    chunked = send_messages(server, [START, body(b"he", True), body(b"", True), body(b"llo")])
    assert b"Transfer-Encoding: chunked\r\n" in chunked
    assert chunked.endswith(b"\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n")
    ended = send_messages(server, [START, body(b"he", True), body(b"llo")], version="1.0")
    assert ended.endswith(b"\r\n\r\nhello")
    assert b"chunked" not in ended


@pytest.mark.parametrize(("method", "status"), [("HEAD", 200), ("POST", 204), ("POST", 304)])
def test_responses_without_a_body(server: Server, method: str, status: int) -> None:
    for parts in ([body(b"hello")], [body(b"he", True), body(b"llo")]):
        messages = [start((b"content-length", b"5"), status=status), *parts]
        answer = send_messages(server, messages, method=method)
        assert answer.startswith(b"HTTP/1.1 %d " % status)
        assert answer.endswith(b"\r\n\r\n")
        assert (b"content-length: 5\r\n" in answer.lower()) == (status != 204)


def test_kinds_of_octets_and_iterables(server: Server) -> None:
    answer = send_messages(server, [{**START, "headers": ((b"X-a", b"1"), [b"x-b", b""])}, body(b"x")])
    assert b"\r\nX-a: 1\r\nx-b: \r\n" in answer


def test_receive_and_send_in_tasks_of_their_own(server: Server) -> None:
    assert server.get("/concurrently") == "http.request 1 2 3 end"


# --- extensions ---


def test_early_hints(server: Server) -> None:
    hint = {"type": "http.response.early_hint", "links": [b"</a>; rel=preload", b"</b>; rel=preload"]}
    answer = send_messages(server, [hint, START, body(b"x")])
    assert answer.startswith(
        b"HTTP/1.1 103 Early Hints\r\nlink: </a>; rel=preload\r\nlink: </b>; rel=preload\r\n\r\n"
        b"HTTP/1.1 200 OK\r\n"
    )
    assert send_messages(server, [hint, START, body(b"x")], version="1.0").startswith(b"HTTP/1.1 200 OK")


def test_pathsend(server: Server, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"of the file" * 100000)
    send = {"type": "http.response.pathsend", "path": str(tmp_path / "file")}
    answer = send_messages(server, [START, send])
    assert answer.partition(b"\r\n\r\n")[2] == b"of the file" * 100000
    assert b"Content-Length: 1100000\r\n" in answer
    assert send_messages(server, [START, send], method="HEAD").endswith(b"\r\n\r\n")
    (tmp_path / "file").write_bytes(b"")
    assert b"Content-Length: 0\r\n" in send_messages(server, [START, send])


def test_zerocopysend(server: Server, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"0123456789")
    send = {"type": "http.response.zerocopysend", "open": str(tmp_path / "file")}
    assert send_messages(server, [START, send]).endswith(b"\r\n\r\n0123456789")
    assert send_messages(server, [START, {**send, "offset": 3, "count": 4}]).endswith(b"\r\n\r\n3456")
    several = [{**send, "count": 2, "more_body": True}, body(b"and", True), {**send, "offset": 8}]
    answer = send_messages(server, [START, *several])
    assert answer.endswith(b"\r\n\r\n2\r\n01\r\n3\r\nand\r\n2\r\n89\r\n0\r\n\r\n")


def test_zerocopysend_of_no_file(server: Server, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    end = os.open(tmp_path / "pipe", os.O_RDWR)
    try:
        descriptors = Path(f"/proc/{server.workers()[0]}/fd")
        before = len(list(descriptors.iterdir()))
        for _ in range(20):
            send = {"type": "http.response.zerocopysend", "open": str(tmp_path / "pipe")}
            assert send_messages(server, [START, send]).startswith(b"HTTP/1.1 500 ")
        wait_for(lambda: len(list(descriptors.iterdir())) <= before, "closed descriptors")
    finally:
        os.close(end)


def test_trailers(server: Server) -> None:
    messages = [
        start(trailers=True), body(b"x"),
        {"type": "http.response.trailers", "headers": [(b"a", b"1")], "more_trailers": True},
        {"type": "http.response.trailers", "headers": [(b"b", b"2"), (b"content-length", b"9")]},
    ]  # fmt: skip
    asked = send_messages(server, messages, "TE: trailers")
    assert asked.endswith(b"\r\n1\r\nx\r\n0\r\na: 1\r\nb: 2\r\n\r\n")
    assert send_messages(server, messages).endswith(b"\r\n1\r\nx\r\n0\r\n\r\n")
    assert send_messages(server, messages, "TE: trailers", version="1.0").endswith(b"\r\n\r\nx")


def test_a_path_outside_of_script_name_is_logged_all_the_same(tmp_path: Path) -> None:
    with running(tmp_path, "--access-logfile", "-", environment={"SCRIPT_NAME": "/mounted"}) as server:
        fetch(server, "/show")
        server.wait_for_log('"GET /show HTTP/1.1" 200')
        assert "Traceback" not in server.log()
