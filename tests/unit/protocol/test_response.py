"""No head that is rendered can be taken for two, and each has exactly one framing."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from indrik.protocol.response import (
    UNKNOWN_LENGTH,
    InvalidResponse,
    ResponseHead,
    fields_tail,
    render,
    render_early_hints,
    render_refusal,
)

COOKIE = "\r\nSet-Cookie: io=3"
TAIL = fields_tail("Mon, 01 Jan 2024 00:00:00 GMT", "indrik")
WILD = st.text(st.sampled_from("ab:; \r\n\t\0\x7f\xe4\u0100\u560d\u560a"), max_size=12)
NAMES = st.sampled_from(
    ["X", "Content-Type", "Date", "Server", "Connection", "Upgrade", "Transfer-Encoding", "TE", "Set-Cookie"]
)

_HEAD = re.compile(
    rb"HTTP/1\.1 [1-9][0-9]{2} [\t\x20-\x7e\x80-\xff]*\r\n(?:[!-9;-~]+: [\t\x20-\x7e\x80-\xff]*\r\n)+\r\n"
)


def check(head: ResponseHead) -> None:
    data = head.data
    assert _HEAD.fullmatch(data), data
    names = [line.partition(b":")[0].lower() for line in data.split(b"\r\n")[1:-2]]
    assert names.count(b"date") == names.count(b"server") == 1
    assert names.count(b"content-length") + names.count(b"transfer-encoding") <= 1
    assert names.count(b"connection") <= 1
    assert not set(names) & {b"te", b"upgrade", b"keep-alive", b"trailer", b"proxy-connection"}
    if not head.has_body:
        assert b"transfer-encoding" not in names
    elif b"content-length" not in names and b"transfer-encoding" not in names:
        assert b"\r\nConnection: close\r\n" in data


@given(
    status=st.one_of(
        st.sampled_from(["200 OK", "204 No Content", "304 Not Modified", "404 "]), WILD.map("200 {}".format)
    ),
    headers=st.lists(st.tuples(st.one_of(NAMES, WILD), WILD), max_size=4),
    head_only=st.booleans(),
    minor_version=st.integers(0, 1),
    keep_alive=st.booleans(),
    length=st.sampled_from([UNKNOWN_LENGTH, 0, 5]),
)
def test_nothing_splits_a_response(
    status: str,
    headers: list[tuple[str, str]],
    head_only: bool,
    minor_version: int,
    keep_alive: bool,
    length: int,
) -> None:
    try:
        head = render(status, headers, head_only, minor_version, keep_alive, length, TAIL)
    except InvalidResponse:
        return
    check(head)
    if not keep_alive:
        assert not head.keep_alive


@given(st.lists(st.tuples(st.one_of(NAMES, WILD), WILD), max_size=4))
def test_nothing_splits_early_hints(headers: list[tuple[str, str]]) -> None:
    try:
        data = render_early_hints(headers)
    except InvalidResponse:
        return
    assert re.fullmatch(
        rb"HTTP/1\.1 103 Early Hints\r\n(?:[!-9;-~]+: [\t\x20-\x7e\x80-\xff]*\r\n)*\r\n", data
    ), data


def test_a_refusal_is_a_whole_response() -> None:
    head, _, body = render_refusal("414 URI Too Long", "Too long.", TAIL).partition(b"\r\n\r\n")
    assert f"Content-Length: {len(body)}".encode() in head.split(b"\r\n")
    assert b"Connection: close" in head.split(b"\r\n")


def test_a_thousand_statuses_and_names_later_all_is_as_before() -> None:
    for number in range(3000):
        head = render(f"200 {number}", [(f"X-{number}", str(number))], False, 1, True, 0, TAIL)
        assert f"HTTP/1.1 200 {number}\r\nX-{number}: {number}\r\n".encode() in head.data
        check(head)


def test_what_the_server_adds_stays_whatever_the_application_sets() -> None:
    for own in ([], [("Date", "today")], [("Server", "mine")], [("Date", "today"), ("Server", "mine")]):
        head = render("200 OK", list(own), False, 1, True, 0, COOKIE + TAIL)
        check(head)
        assert head.data.count(b"Set-Cookie: io=3\r\n") == 1
        assert all(f"{name}: {value}\r\n".encode() in head.data for name, value in own)
