"""One request and its answer over a real socket."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from bench import exchange


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.settimeout(5.0)
        yield ours, theirs


def test_an_answer_is_read_to_its_length(pair: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = pair
    sent = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nCONTENT-LENGTH: 5\r\n\r\nhello"
    theirs.sendall(sent)
    answer = exchange.expect(exchange.read_answer(ours), b"hello")
    assert answer.size == len(sent)
    assert answer.field("content-type") == "text/plain"
    assert answer.field("server") == ""
    assert answer.keeps_alive


@pytest.mark.parametrize("head", ["HTTP/1.0 200 OK", "HTTP/1.1 200 OK\r\nConnection: Close"])
def test_a_connection_that_ends_is_not_kept(head: str, pair: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = pair
    theirs.sendall(f"{head}\r\nContent-Length: 0\r\n\r\n".encode())
    assert not exchange.read_answer(ours).keeps_alive


@pytest.mark.parametrize(
    ("sent", "complaint"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel", "closed the connection"),
        (b"HTTP/1.1 200 OK\r\n", "closed the connection after 17 bytes"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "without Content-Length"),
        (b"nonsense\r\n\r\n", "not an HTTP answer"),
    ],
)
def test_what_is_no_answer(sent: bytes, complaint: str, pair: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = pair
    theirs.sendall(sent)
    theirs.shutdown(socket.SHUT_WR)
    with pytest.raises(exchange.WrongAnswer, match=complaint):
        exchange.read_answer(ours)


@pytest.mark.parametrize(("status", "body"), [(500, b"hello"), (200, b"hell0")])
def test_another_answer_is_wrong(status: int, body: bytes) -> None:
    with pytest.raises(exchange.WrongAnswer, match="expected 200 and b'hello'"):
        exchange.expect(exchange.Answer(status, "", body, 0), b"hello")


def test_silence_is_no_answer(pair: tuple[socket.socket, socket.socket]) -> None:
    ours, _ = pair
    ours.settimeout(0.01)
    with pytest.raises(exchange.WrongAnswer, match="no answer: timed out"):
        exchange.ask(ours, b"GET / HTTP/1.1\r\n\r\n")
