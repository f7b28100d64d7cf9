"""Takes apart whatever a server has sent, right or wrong: answers as far as they can be told."""

from __future__ import annotations

import re
from dataclasses import dataclass

_STATUS_LINE = re.compile(rb"(HTTP/[0-9]\.[0-9]) ([0-9]{3})(?: ([^\r\n]*))?")
_CHUNK = re.compile(rb"([0-9a-fA-F]+)[^\r\n]*\r\n")


@dataclass(frozen=True)
class Answer:
    """One response. complete: whether the body has all that its head announced. extra: octets behind it that
    are no answer.
    """

    status: int
    version: str
    reason: str
    fields: tuple[tuple[str, str], ...]
    body: bytes = b""
    complete: bool = True
    extra: bytes = b""

    def all(self, name: str) -> list[str]:
        """Every value of the field `name`, given in lower case."""
        return [value for known, value in self.fields if known.lower() == name]


def take_apart(data: bytes, is_head: bool, is_closed: bool) -> list[Answer]:
    """The answers in `data`, interim ones too. `is_head`: the first final one has no body. A head that is not
    whole yet is no answer.
    """
    answers: list[Answer] = []
    while data:
        head, found, rest = data.partition(b"\r\n\r\n")
        line = _STATUS_LINE.match(head)
        if not line or not found:
            if answers and not (line or b"HTTP/1.1 ".startswith(data[:9])):
                answers[-1] = _with_extra(answers[-1], data)
            break
        fields = tuple(
            (name.decode("latin-1"), value.strip().decode("latin-1"))
            for name, _, value in (text.partition(b":") for text in head.split(b"\r\n")[1:])
        )
        status = int(line[2])
        answer = Answer(status, line[1].decode(), (line[3] or b"").decode("latin-1"), fields)
        is_final = status >= 200
        has_body = is_final and status not in (204, 304) and not is_head
        if is_final:
            is_head = False
        if has_body:
            body, complete, rest = _body(answer, rest, is_closed)
            answer = Answer(status, answer.version, answer.reason, fields, body, complete)
        answers.append(answer)
        data = rest
    return answers


def _with_extra(answer: Answer, extra: bytes) -> Answer:
    return Answer(
        answer.status, answer.version, answer.reason, answer.fields, answer.body, answer.complete, extra
    )


def _body(answer: Answer, data: bytes, is_closed: bool) -> tuple[bytes, bool, bytes]:
    """RFC 9112 section 6.3, for a client: the body, whether it is whole, and what is behind it."""
    if any("chunked" in value.lower() for value in answer.all("transfer-encoding")):
        return _chunks(data)
    lengths = answer.all("content-length")
    if lengths and lengths[0].isdigit():
        length = int(lengths[0])
        return data[:length], len(data) >= length, data[length:]
    return data, is_closed, b""


def _chunks(data: bytes) -> tuple[bytes, bool, bytes]:
    body = b""
    while found := _CHUNK.match(data):
        size = int(found[1], 16)
        if size == 0:
            rest = data[found.end() :]
            if rest.startswith(b"\r\n"):
                return body, True, rest[2:]
            _, found_end, rest = rest.partition(b"\r\n\r\n")
            return body, bool(found_end), rest
        chunk = data[found.end() : found.end() + size]
        body += chunk
        data = data[found.end() + size + 2 :]
        if len(chunk) < size:
            break
    return body, False, b""
