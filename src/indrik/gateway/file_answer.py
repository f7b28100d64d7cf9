"""What of a file is sent, and how: the conditions (RFC 9110 section 13) and ranges (section 14) of a request
for it.
"""

from __future__ import annotations

import os
import time

from indrik.engine.output import FileSegment
from indrik.engine.transport import close_descriptor
from indrik.protocol.conditions import GO_ON, NOT_MODIFIED, evaluate, parse_date, wants_range
from indrik.protocol.ranges import parse_ranges
from indrik.protocol.request import Request
from indrik.protocol.response import format_date

_CONDITIONAL = (
    "if-match",
    "if-none-match",
    "if-modified-since",
    "if-unmodified-since",
    "if-range",
    "range",
)

_OF_CONTENT = (
    "content-type",
    "content-length",
    "content-encoding",
    "content-language",
    "content-range",
    "last-modified",
)

Headers = list[tuple[str, str]]


class FileAnswer:
    """A response whose body is made of pieces: bytes, and (offset, count) of the file `fd`.

    length: bytes of the body. The holder calls `close`, whether the pieces were taken or not.
    """

    def __init__(
        self, status: str, headers: Headers, fd: int, pieces: list[bytes | tuple[int, int]]
    ) -> None:
        self.status = status
        self.headers = headers
        self.fd = fd
        self.pieces = pieces
        self.length = sum(piece[1] if isinstance(piece, tuple) else len(piece) for piece in pieces)
        if not status.startswith("304"):
            headers.append(("Content-Length", str(self.length)))

    def take_pieces(self, content: bytes | None = None) -> list[bytes | FileSegment]:
        """The body, to be sent in one step (`Exchange.send_pieces`), and with it the descriptor. content: the
        whole file, if it is known.
        """
        taken: list[bytes | FileSegment] = []
        last: FileSegment | None = None
        for piece in self.pieces:
            if isinstance(piece, bytes):
                taken.append(piece)
            elif content is not None:
                taken.append(content[piece[0] : piece[0] + piece[1]])
            elif piece[1]:
                last = FileSegment(self.fd, piece[0], piece[1], owns=False)
                taken.append(last)
        if last is not None:
            last.owns = True
            self.fd = -1
        return taken

    def close(self) -> None:
        """Closes the descriptor, once."""
        if self.fd >= 0:
            close_descriptor(self.fd)
            self.fd = -1


def select(headers: Headers, request: Request, fd: int, size: int, mtime_ns: int) -> FileAnswer:
    """The answer to `request` out of a file of `size` bytes, which `headers` describe: what its conditions
    and ranges leave of it. ETag and Last-Modified are added where they are missing.

    The answer owns `fd`, as does this until it returns; -1 if the bytes come from somewhere else.
    """
    given = {name.lower(): value for name, value in headers}
    if "etag" not in given:
        given["etag"] = f'"{mtime_ns:x}-{size:x}"'
        headers.append(("ETag", given["etag"]))
    if "last-modified" not in given:
        given["last-modified"] = format_date(time.gmtime(mtime_ns // 1_000_000_000))
        headers.append(("Last-Modified", given["last-modified"]))
    headers.append(("Accept-Ranges", "bytes"))
    etag, modified = given["etag"].strip(), parse_date(given["last-modified"])
    fields = conditions_of(request)
    outcome = evaluate(fields, request.method in ("GET", "HEAD"), etag, modified)
    if outcome != GO_ON:
        _close(fd)
        if outcome == NOT_MODIFIED:
            return FileAnswer("304 Not Modified", _without_content(headers), -1, [])
        return FileAnswer("412 Precondition Failed", _without_content(headers), -1, [])
    ranges = None
    if request.method == "GET" and "range" in fields and wants_range(fields, etag, modified):
        ranges = parse_ranges(fields["range"], size)
    if ranges is None:
        return FileAnswer("200 OK", headers, fd, [(0, size)])
    if not ranges:
        _close(fd)
        refused = [*_without_content(headers), ("Content-Range", f"bytes */{size}")]
        return FileAnswer("416 Range Not Satisfiable", refused, -1, [])
    if len(ranges) == 1:
        first, stop = ranges[0]
        headers.append(("Content-Range", f"bytes {first}-{stop - 1}/{size}"))
        return FileAnswer("206 Partial Content", headers, fd, [(first, stop - first)])
    return _multipart(headers, given.get("content-type"), ranges, size, fd)


def conditions_of(request: Request) -> dict[str, str]:
    """The fields of `request` that select, by lower-case names; repeated ones are one list."""
    fields: dict[str, str] = {}
    for name, value in request.headers:
        name = name.lower()
        if name in _CONDITIONAL:
            fields[name] = f"{fields[name]}, {value}" if name in fields else value
    return fields


def _without_content(headers: Headers) -> Headers:
    """`headers` without what describes a body, for a response that has none: a 304 leaves Last-Modified out
    too where there is an ETag (RFC 9110 section 15.4.5).
    """
    return [(name, value) for name, value in headers if name.lower() not in _OF_CONTENT]


def _close(fd: int) -> None:
    if fd >= 0:
        close_descriptor(fd)


def _multipart(
    headers: Headers, content_type: str | None, ranges: list[tuple[int, int]], size: int, fd: int
) -> FileAnswer:
    """Several ranges in one body (RFC 9110 section 14.6)."""
    boundary = os.urandom(16).hex()
    kind = "" if content_type is None else f"Content-Type: {content_type}\r\n"
    pieces: list[bytes | tuple[int, int]] = []
    for number, (first, stop) in enumerate(ranges):
        before = "" if number == 0 else "\r\n"
        part = f"{before}--{boundary}\r\n{kind}Content-Range: bytes {first}-{stop - 1}/{size}\r\n\r\n"
        pieces += [part.encode("latin-1"), (first, stop - first)]
    pieces.append(f"\r\n--{boundary}--\r\n".encode("ascii"))
    kept = [(name, value) for name, value in headers if name.lower() != "content-type"]
    kept.append(("Content-Type", f"multipart/byteranges; boundary={boundary}"))
    return FileAnswer("206 Partial Content", kept, fd, pieces)
