"""`sticky`: requests reach the worker that they belong to, whole, whatever is going on."""

from __future__ import annotations

import hashlib
import os
import re
import signal
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.process.conftest import ServerFactory
from tests.process.server import DEADLINE, Server, wait_for

APP = """\
import hashlib, os
def application(environ, start_response):
    body = environ["wsgi.input"].read()
    text = "%s %s %s %s %s" % (
        os.environ["INDRIK_WORKER_ID"], os.getpid(), environ["PATH_INFO"],
        hashlib.md5(body).hexdigest(), environ["REMOTE_PORT"],
    )
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(text)))])
    return [text.encode()]
"""

ARGUMENTS = ("--workers", "4", "--worker-class", "gthread", "--threads", "4", "--keep-alive", "60")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "app.py").write_text(APP)
    return tmp_path


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as one:
        yield one


class Client:
    """One connection."""

    def __init__(self, stack: ExitStack, server: Server) -> None:
        self.sock = stack.enter_context(server.connect())
        self.rest = b""

    def send(self, target: str = "/", fields: str = "", body: bytes = b"") -> None:
        self.sock.sendall(head(target, fields, len(body)) + body)

    def read(self) -> tuple[str, list[str]]:
        """Head and words of the body of the next answer."""
        while True:
            text, found, rest = self.rest.partition(b"\r\n\r\n")
            length = re.search(rb"Content-Length: (\d+)", text, re.IGNORECASE)
            if found and length and len(rest) >= int(length[1]):
                self.rest = rest[int(length[1]) :]
                assert b" 200 " in text, text
                return text.decode(), rest[: int(length[1])].decode().split()
            data = self.sock.recv(65536)
            assert data, f"the connection ended after {self.rest!r}"
            self.rest += data

    def ask(self, target: str = "/", fields: str = "", body: bytes = b"") -> str:
        """The worker that answers."""
        self.send(target, fields, body)
        return self.read()[1][0]


def head(target: str = "/", fields: str = "", length: int = 0) -> bytes:
    return f"POST {target} HTTP/1.1\r\nHost: test\r\nContent-Length: {length}\r\n{fields}\r\n".encode()


def cookie(number: object) -> str:
    return f"Cookie: a=1; io={number}; b=2\r\n"


def test_the_cookie_is_set_once_and_followed(serve: ServerFactory, stack: ExitStack) -> None:
    server = serve(*ARGUMENTS, "--sticky", "cookie:io").wait_ready(4)
    for _ in range(8):
        first = Client(stack, server)
        first.send()
        text, (worker, *_) = first.read()
        found = re.findall(r"^Set-Cookie: (.*)$", text.replace("\r", ""), re.MULTILINE)
        assert found == [f"io={worker}; Path=/; HttpOnly; SameSite=Lax"]
        for _ in range(8):
            later = Client(stack, server)
            later.send("/", cookie(worker))
            text, (answering, *_) = later.read()
            assert answering == worker
            assert "set-cookie" not in text.lower()


@pytest.mark.parametrize("kind", ["sync", "gthread"])
@pytest.mark.parametrize("more", [(), ("--preload",)])
def test_every_kind_follows(
    kind: str, more: tuple[str, ...], serve: ServerFactory, stack: ExitStack
) -> None:
    server = serve("--workers", "4", "-k", kind, *more, "--sticky", "cookie:io").wait_ready(4)
    for number in range(4):
        assert {Client(stack, server).ask("/", cookie(number)) for _ in range(6)} == {str(number)}


@pytest.mark.parametrize("value", ["9", "01", "-1", "+1", "1.0", "\xb2", "", "99999999", "one"])
def test_any_other_cookie_is_none(value: str, serve: ServerFactory, stack: ExitStack) -> None:
    server = serve(*ARGUMENTS, "--sticky", "cookie:io").wait_ready(4)
    client = Client(stack, server)
    client.sock.sendall(head("/", cookie(value)).decode().encode("latin-1"))
    text, (worker, *_) = client.read()
    assert f"Set-Cookie: io={worker};" in text


def test_a_connection_moves_as_often_as_its_requests_want(serve: ServerFactory, stack: ExitStack) -> None:
    server = serve(*ARGUMENTS, "--sticky", "cookie:io").wait_ready(4)
    client = Client(stack, server)
    for number in [0, 1, 2, 3, 3, 2, 1, 0] * 5:
        assert client.ask("/", cookie(number)) == str(number)


def test_a_pipeline_is_answered_in_its_order(serve: ServerFactory, stack: ExitStack) -> None:
    server = serve(*ARGUMENTS, "--sticky", "cookie:io").wait_ready(4)
    client = Client(stack, server)
    wanted = [0, 1, 1, 2, 3, 0, 3, 2]
    client.sock.sendall(b"".join(head(f"/{at}", cookie(number)) for at, number in enumerate(wanted)))
    answers = [client.read()[1] for _ in wanted]
    assert [(int(words[0]), words[2]) for words in answers] == [
        (number, f"/{at}") for at, number in enumerate(wanted)
    ]


@pytest.mark.parametrize("size", [10, 60_000, 3_000_000])
@pytest.mark.parametrize("at_once", [True, False])
def test_the_body_goes_along(size: int, at_once: bool, serve: ServerFactory, stack: ExitStack) -> None:
    """Also what comes with the head, and what comes after the move."""
    server = serve(*ARGUMENTS, "--sticky", "cookie:io").wait_ready(4)
    body = os.urandom(size)
    for number in range(4):
        client = Client(stack, server)
        start = head("/", cookie(number), size)
        if at_once:
            client.sock.sendall(start + body)
        else:
            client.sock.sendall(start[:-10])
            client.sock.sendall(start[-10:])
            client.sock.sendall(body)
        _, words = client.read()
        assert words[0] == str(number)
        assert words[3] == hashlib.md5(body).hexdigest()
        assert words[4] == str(client.sock.getsockname()[1])


def test_a_client_that_waits_with_its_body_is_told_to_go_on(serve: ServerFactory, stack: ExitStack) -> None:
    server = serve(*ARGUMENTS, "--sticky", "cookie:io").wait_ready(4)
    for number in range(4):
        client = Client(stack, server)
        client.sock.sendall(head("/", cookie(number) + "Expect: 100-continue\r\n", 4))
        assert client.sock.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.sock.sendall(b"body")
        assert client.read()[1][0] == str(number)


@pytest.mark.parametrize(
    ("rule", "target", "fields"),
    [("query:room", "/?x=1&room={}&y", ""), ("header:X-Session", "/", "x-session: {}\r\n")],
)
def test_a_value_chooses_and_stays(
    rule: str, target: str, fields: str, serve: ServerFactory, stack: ExitStack
) -> None:
    server = serve(*ARGUMENTS, "--sticky", rule).wait_ready(4)

    def ask(value: int) -> str:
        return Client(stack, server).ask(target.format(value), fields.format(value))

    chosen = {value: ask(value) for value in range(24)}
    assert set(chosen.values()) == {"0", "1", "2", "3"}
    for value, worker in chosen.items():
        assert {ask(value), ask(value)} == {worker}


def test_an_address_stays(serve: ServerFactory, stack: ExitStack) -> None:
    server = serve(*ARGUMENTS, "--sticky", "ip").wait_ready(4)
    assert len({Client(stack, server).ask() for _ in range(20)}) == 1


def test_the_proxys_client_moves_with_the_connection(serve: ServerFactory, stack: ExitStack) -> None:
    server = serve(
        *ARGUMENTS, "--sticky", "cookie:io", "--proxy-protocol", "v1", "--proxy-allow-from", "127.0.0.1"
    ).wait_ready(4)
    client = Client(stack, server)
    client.sock.sendall(b"PROXY TCP4 192.0.2.7 192.0.2.8 4711 80\r\n")
    for number in (0, 1, 2, 3, 0):
        client.send("/", cookie(number))
        _, words = client.read()
        assert (words[0], words[4]) == (str(number), "4711")


def test_a_dead_worker_is_replaced(serve: ServerFactory, stack: ExitStack) -> None:
    """Nobody waits for it: another one answers and takes the client over."""
    server = serve(*ARGUMENTS, "--sticky", "cookie:io").wait_ready(4)
    client = Client(stack, server)
    client.send()
    _, words = client.read()
    os.kill(int(words[1]), signal.SIGKILL)
    wait_for(lambda: int(words[1]) not in server.workers(), "the worker's death")
    found = Client(stack, server)
    found.send("/", cookie(words[0]))
    text, answer = found.read()
    assert answer[1] != words[1]
    assert answer[0] == words[0] or f"Set-Cookie: io={answer[0]};" in text


def test_what_waits_for_a_worker_that_dies_is_answered(serve: ServerFactory, stack: ExitStack) -> None:
    server = serve(*ARGUMENTS, "--timeout", "0", "--sticky", "cookie:io").wait_ready(4)
    client = Client(stack, server)
    client.send()
    _, words = client.read()
    os.kill(int(words[1]), signal.SIGSTOP)
    # Until then it may accept, and whom it has accepted dies with it.
    stat = Path("/proc", words[1], "stat")
    wait_for(lambda: stat.read_text().rpartition(")")[2].split()[0] == "T", "the worker being stopped")
    clients = [Client(stack, server) for _ in range(6)]
    for client in clients:
        client.send("/", cookie(words[0]))
    os.kill(int(words[1]), signal.SIGKILL)
    for client in clients:
        assert client.read()[1][1] != words[1]


def test_a_reload_gives_the_clients_to_the_new_workers(serve: ServerFactory, stack: ExitStack) -> None:
    server = serve(*ARGUMENTS, "--sticky", "cookie:io").wait_ready(4)
    old = set(server.workers())
    server.send(signal.SIGHUP)
    wait_for(lambda: len(server.workers()) == 4 and not old & set(server.workers()), "the new workers")
    for number in range(4):
        client = Client(stack, server)
        client.send("/", cookie(number))
        text, (worker, *_) = client.read()
        found = re.search(r"Set-Cookie: io=(\d+);", text)
        assert (int(found[1]) if found else number) == int(worker)
        assert Client(stack, server).ask("/", cookie(worker)) == worker


def test_one_worker_alone_serves_all(serve: ServerFactory, stack: ExitStack) -> None:
    server = serve("--sticky", "query:room").wait_ready(1)
    assert {Client(stack, server).ask(f"/?room={value}") for value in range(8)} == {"0"}


def test_a_long_head_is_served_all_the_same(serve: ServerFactory, stack: ExitStack) -> None:
    """What does not fit into a mailbox stays where it is."""
    server = serve(
        *ARGUMENTS, "--sticky", "cookie:io",
        "--limit-request-head", "400000", "--limit-request-field_size", "0",
    ).wait_ready(4)
    clients = [Client(stack, server) for _ in range(4)]
    for client in clients:
        client.send("/", cookie(0) + "".join(f"X-{at}: {'x' * 8000}\r\n" for at in range(40)))
    for client in clients:
        client.sock.settimeout(DEADLINE)
        client.read()


def test_a_wrong_rule_is_refused(serve: ServerFactory) -> None:
    server = serve("--sticky", "cookie:a b")
    assert server.wait_exit() == 1
    assert "invalid value for sticky: 'cookie:a b'" in server.log()
