"""Takes the server's bytes apart, strictly and without its own code, and checks what holds for each one."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

_STATUS_LINE = re.compile(rb"HTTP/1\.1 ([1-9][0-9]{2}) ([\t \x21-\x7e\x80-\xff]*)")
_FIELD = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+): ([\t\x20-\x7e\x80-\xff]*)")
_CHUNK = re.compile(rb"([0-9a-f]+)\r\n")
_DATE = re.compile(r"(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT")


@dataclass(frozen=True)
class Answer:
    """One response. `complete` says whether its body has all that its head announced."""

    status: int
    reason: str
    fields: tuple[tuple[str, str], ...]
    body: bytes
    complete: bool

    def all(self, name: str) -> list[str]:
        """Every value of the field `name`, given in lower case."""
        return [value for known, value in self.fields if known.lower() == name]

    def get(self, name: str) -> str | None:
        """The value of the field `name`, None without it; sent twice it is no single value."""
        values = self.all(name)
        assert len(values) < 2, f"{name} was sent {len(values)} times"
        return values[0] if values else None


def take_apart(data: bytes, methods: Sequence[str], is_closed: bool) -> list[Answer]:
    """The final responses in `data`, which answer requests with `methods` (GET where there are more)."""
    answers: list[Answer] = []
    while data:
        head, found, data = data.partition(b"\r\n\r\n")
        assert found, f"a response head without an end: {head!r}"
        first, *lines = head.split(b"\r\n")
        status_line = _STATUS_LINE.fullmatch(first)
        assert status_line, f"status line {first!r}"
        fields = []
        for line in lines:
            field = _FIELD.fullmatch(line)
            assert field, f"header field {line!r}"
            fields.append((field[1].decode(), field[2].decode("latin-1")))
        status = int(status_line[1])
        answer = Answer(status, status_line[2].decode("latin-1"), tuple(fields), b"", True)
        if status < 200:
            assert not answer.all("content-length")
            assert not answer.all("transfer-encoding")
            continue
        method = methods[len(answers)] if len(answers) < len(methods) else "GET"
        body, complete, data = _body(answer, method, data, is_closed)
        answers.append(Answer(status, answer.reason, answer.fields, body, complete))
        _check(answers[-1])
        if answer.get("connection") == "close":
            assert not data, f"octets behind the last response: {data[:100]!r}"
    return answers


def _body(answer: Answer, method: str, data: bytes, is_closed: bool) -> tuple[bytes, bool, bytes]:
    """RFC 9112 section 6.3, for a client."""
    length = answer.get("content-length")
    coding = answer.get("transfer-encoding")
    assert length is None or coding is None, "two framings at once"
    if method == "HEAD" or answer.status in (204, 304):
        assert coding is None
        assert answer.status != 204 or length is None
        return b"", True, data
    if length is not None:
        assert re.fullmatch(r"[0-9]+", length)
        return data[: int(length)], len(data) >= int(length), data[int(length) :]
    if coding is not None:
        assert coding == "chunked"
        return _chunks(data)
    assert answer.get("connection") == "close", "a body of unknown length needs the end of the connection"
    return data, is_closed, b""


def _chunks(data: bytes) -> tuple[bytes, bool, bytes]:
    body = b""
    while found := _CHUNK.match(data):
        size = int(found[1], 16)
        chunk = data[found.end() : found.end() + size]
        body += chunk
        data = data[found.end() + size :]
        if len(chunk) < size:
            break
        assert b"\r\n".startswith(data[:2]), f"a chunk of {size} octets is followed by {data[:20]!r}"
        data = data[2:]
        if size == 0:
            return body, True, data
    assert re.fullmatch(rb"[0-9a-f\r\n]{0,19}", data), f"no chunk: {data[:40]!r}"
    return body, False, b""


def _check(answer: Answer) -> None:
    """What holds for every final response, whatever the application did."""
    assert len(answer.all("date")) == 1
    assert len(answer.all("server")) == 1
    assert _DATE.fullmatch(answer.all("date")[0])
    assert answer.get("connection") in (None, "close", "keep-alive")
    for name in ("keep-alive", "te", "trailer", "upgrade", "proxy-connection"):
        assert answer.get(name) is None
