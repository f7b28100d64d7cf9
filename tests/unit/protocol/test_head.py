"""The parser reads what was sent, however it arrives, and never refuses the beginning of a good head."""

from __future__ import annotations

import contextlib
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indrik.protocol.fields import field_name, known_field
from indrik.protocol.framing import CHUNKED, body_length, keeps_alive, wants_continue
from indrik.protocol.head import HeadParser
from indrik.protocol.limits import Limits
from indrik.protocol.octets import head_end
from indrik.protocol.partial_head import PartialHead
from indrik.protocol.refusals import InvalidFraming, InvalidHost, RequestRefused, UnknownCoding
from indrik.protocol.request import Request

TOKEN = st.text("abcXYZ019-.!#$%&'*+^`|~", min_size=1, max_size=12)
VALUE = st.text(st.characters(min_codepoint=32, max_codepoint=255, exclude_characters="\x7f"), max_size=30)
TARGET = st.text("abcXYZ019-._~!$&'()*+,;=:@%/?", max_size=30).map(lambda text: "/" + text)
FIELDS = st.lists(st.tuples(TOKEN.map(lambda name: "X-" + name), VALUE), max_size=8)


def head(target: str, fields: list[tuple[str, str]], method: str = "GET") -> bytes:
    lines = [f"{method} {target} HTTP/1.1", "Host: a", *(f"{name}: {value}" for name, value in fields)]
    return "".join(line + "\r\n" for line in lines).encode("latin-1") + b"\r\n"


@given(TARGET, FIELDS)
def test_what_was_sent_is_what_is_read(target: str, fields: list[tuple[str, str]]) -> None:
    data = head(target, fields)
    request = HeadParser(Limits()).parse(Request(), data, head_end(data, 0), False)
    assert (request.method, request.uri, request.version) == ("GET", target, (1, 1))
    path, _, query = target.partition("?")
    assert (request.path, request.query) == (path, query)
    assert request.headers == [("HOST", "a"), *((name.upper(), value.strip(" \t")) for name, value in fields)]
    assert request.content_length == 0
    assert request.keep_alive
    assert not request.should_close()


@given(TARGET, FIELDS, st.data())
def test_no_beginning_of_a_good_head_is_refused(
    target: str, fields: list[tuple[str, str]], data: st.DataObject
) -> None:
    whole = head(target, fields)
    cut = data.draw(st.integers(0, len(whole) - 1))
    assert head_end(whole[:cut], 0) == -1
    assert PartialHead(HeadParser(Limits())).feed(whole[:cut]) is None


@given(st.binary(max_size=80), st.binary(max_size=40))
def test_what_is_refused_stays_refused(garbage: bytes, more: bytes) -> None:
    parser = HeadParser(Limits(line=60, head=70))
    data = b"GET / HTTP/1.1\r\nHost: a\r\n" + garbage
    if head_end(data, 0) >= 0:
        return
    try:
        PartialHead(parser).feed(data)
    except RequestRefused:
        data += more + b"\r\n\r\n"
        with pytest.raises(RequestRefused):
            parser.parse(Request(), data, head_end(data, 0), False)


@given(st.binary(max_size=120))
def test_no_bytes_make_it_fail(garbage: bytes) -> None:
    data = garbage + b"\r\n\r\n"
    for limits in (
        Limits(),
        Limits(permit_obsolete_folding=True, permit_space_before_colon=True, casefold_method=True),
    ):
        with contextlib.suppress(RequestRefused):
            HeadParser(limits).parse(Request(), data, head_end(data, 0), False)


def test_every_refusal_says_what_it_is() -> None:
    def all_of(kind: type[RequestRefused]) -> list[type[RequestRefused]]:
        return [kind, *(deeper for below in kind.__subclasses__() for deeper in all_of(below))]

    kinds = all_of(RequestRefused)
    assert len({kind.kind for kind in kinds}) == len(kinds)
    for kind in kinds:
        code, _, phrase = kind.status.partition(" ")
        assert 400 <= int(code) < 600
        assert phrase
        assert kind.reason.endswith(".")


class TestNames:
    def test_the_table_stays_bounded_and_right(self) -> None:
        for number in range(5000):
            record = field_name(f"X-Flood-{number}")
            assert record[:3] == (f"X-FLOOD-{number}", f"HTTP_X_FLOOD_{number}", f"x-flood-{number}".encode())
        data = b"X-Flood-4999"
        assert known_field(data, 0, len(data)) is None
        for name in (b"Host", b"host", b"Content-Length", b"content-length", b"User-Agent"):
            found = known_field(b"  " + name + b": x", 2, 2 + len(name))
            assert found == field_name(name.decode())

    def test_names_of_one_family_are_all_kept(self) -> None:
        # In a process of its own, whose table nobody has filled.
        code = """
from indrik.protocol.fields import field_name, known_field
names = [f"{family}-{number:03d}" for family in ("X-Field", "x-amz-meta") for number in range(100)]
for name in names:
    field_name(name)
lost = [name for name in names if known_field(b" " + name.encode(), 1, 1 + len(name)) != field_name(name)]
print(lost)
"""
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        assert done.stdout == "[]\n"


class TestFraming:
    @given(st.text(st.characters(max_codepoint=255), max_size=20))
    def test_a_length_is_digits_or_refused(self, text: str) -> None:
        digits = 0 < len(text) <= 18 and set(text) <= set("0123456789")
        if digits:
            assert body_length(text, None, 1) == int(text)
        else:
            with pytest.raises(InvalidFraming):
                body_length(text, None, 1)

    @given(st.text("chunked, \tCHUNKED;gzip", max_size=20))
    def test_a_coding_is_chunked_or_refused(self, text: str) -> None:
        if text.strip(" \t").lower() == "chunked":
            assert body_length(None, text, 1) == CHUNKED
        else:
            with pytest.raises((InvalidFraming, UnknownCoding)):
                body_length(None, text, 1)

    @given(
        st.lists(st.sampled_from(["close", "keep-alive", "upgrade", "", "CLOSE", "Keep-Alive"]), max_size=4)
    )
    def test_close_goes_before_all(self, options: list[str]) -> None:
        value = ", ".join(options)
        names = {option.lower() for option in options}
        assert keeps_alive(value, 1) == ("close" not in names)
        assert keeps_alive(value, 0) == ("close" not in names and "keep-alive" in names)

    def test_expectations(self) -> None:
        assert wants_continue("100-Continue", 1)
        assert not wants_continue("100-continue", 0)
        assert not wants_continue(None, 1)


def test_the_host_of_the_request_before_changes_nothing() -> None:
    parser = HeadParser(Limits())

    def read(host: str) -> str:
        data = f"GET / HTTP/1.1\r\nHost: {host}\r\n\r\n".encode("latin-1")
        request = parser.parse(Request(), data, head_end(data, 0), False)
        assert request.values == [request.host]
        return request.host

    for host in ("a.example", "a.example", "b.example", "a.exampl", "a.example.", "", "b.example"):
        assert read(host) == host
    for host in ("a/example", "b example", "a.example, b.example", "a.example\xe9"):
        read("a.example")
        for _ in range(2):
            with pytest.raises(InvalidHost):
                read(host)
    data = b"GET / HTTP/1.1\r\nHost: a.example\r\nHost: a.example\r\n\r\n"
    with pytest.raises(InvalidHost):
        parser.parse(Request(), data, head_end(data, 0), False)
