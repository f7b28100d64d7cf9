"""Answers are taken apart as far as they can be told, also those that no server should give."""

from __future__ import annotations

import pytest

from conformance.reading import Answer, take_apart

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def only(data: bytes, is_head: bool = False, is_closed: bool = False) -> Answer:
    [answer] = take_apart(data, is_head, is_closed)
    return answer


def test_an_answer_with_a_length() -> None:
    answer = only(OK)
    assert (answer.status, answer.version, answer.reason) == (200, "HTTP/1.1", "OK")
    assert (answer.body, answer.complete, answer.extra) == (b"ok", True, b"")
    assert answer.all("content-length") == ["2"]


@pytest.mark.parametrize("cut", range(len(OK)))
def test_what_is_not_whole(cut: int) -> None:
    """No answer before the end of its head, an incomplete one before the end of its body."""
    found = take_apart(OK[:cut], False, False)
    assert [answer.complete for answer in found] == ([False] if cut >= len(OK) - 2 else [])


def test_answers_in_their_order_with_interim_ones() -> None:
    data = b"HTTP/1.1 100 Continue\r\n\r\n" + OK + b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"
    assert [answer.status for answer in take_apart(data, False, False)] == [100, 200, 404]


def test_a_body_up_to_the_end_of_the_connection() -> None:
    data = b"HTTP/1.0 200 OK\r\n\r\nhello"
    assert only(data, is_closed=True) == Answer(200, "HTTP/1.0", "OK", (), b"hello", True)
    assert not only(data).complete


@pytest.mark.parametrize(
    ("chunks", "body", "complete"),
    [
        (b"0\r\n\r\n", b"", True),
        (b"2\r\nhe\r\n3;a=b\r\nllo\r\n0\r\n\r\n", b"hello", True),
        (b"2\r\nhe\r\n0\r\nX: 1\r\nY: 2\r\n\r\n", b"he", True),
        (b"2\r\nhe\r\n0\r\nX: 1\r\n", b"he", False),
        (b"2\r\nhe\r\n", b"he", False),
        (b"5\r\nhe", b"he", False),
        (b"hello", b"", False),
        (b"", b"", False),
    ],
)
def test_a_chunked_body(chunks: bytes, body: bytes, complete: bool) -> None:
    answer = only(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks)
    assert (answer.body, answer.complete) == (body, complete)


def test_an_answer_behind_trailers() -> None:
    data = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: 1\r\n\r\n" + OK
    assert [answer.body for answer in take_apart(data, False, False)] == [b"", b"ok"]


@pytest.mark.parametrize("status", [204, 304])
def test_a_body_where_none_may_be(status: int) -> None:
    answer = only(b"HTTP/1.1 %d X\r\nContent-Length: 5\r\n\r\nhello" % status)
    assert (answer.body, answer.extra) == (b"", b"hello")


def test_a_body_behind_the_answer_to_head() -> None:
    assert only(OK, is_head=True).extra == b"ok"
    assert [answer.body for answer in take_apart(OK[:-2] + OK, True, False)] == [b"", b"ok"]


def test_a_length_that_is_no_number_ends_with_the_connection() -> None:
    assert only(b"HTTP/1.1 200 OK\r\nContent-Length: +5\r\n\r\nhello", is_closed=True).complete


@pytest.mark.parametrize("data", [b"", b"nonsense\r\n\r\n", b"HTTP/1.1 2", b"\0"])
def test_no_answer(data: bytes) -> None:
    assert take_apart(data, False, True) == []
