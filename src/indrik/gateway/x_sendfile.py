"""X-Sendfile and X-Accel-Redirect: the application names a file, the engine sends it.

What it names is opened below one of the configured roots, name by name and never through a symbolic link, so
neither a link nor `..` leads out of it. Ranges (RFC 9110 section 14) and conditions (section 13) are the
server's.
"""

from __future__ import annotations

import errno
import os
import secrets
import stat
import time
from collections.abc import Iterable
from typing import Any
from urllib.parse import unquote_to_bytes

from indrik.protocol.conditions import GO_ON, NOT_MODIFIED, evaluate, parse_date, wants_range
from indrik.protocol.ranges import parse_ranges
from indrik.protocol.request import Request
from indrik.protocol.response import InvalidResponse, format_date

#: Fields by which an application names a file.
NAMING = ("x-sendfile", "x-accel-redirect")

#: What the application says of the body that it does not send; the server says it anew.
_FRAMING = ("content-length", "content-range", "accept-ranges")

_CONDITIONAL = (
    "if-match",
    "if-none-match",
    "if-modified-since",
    "if-unmodified-since",
    "if-range",
    "range",
)

_DIRECTORY = os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC

Headers = list[tuple[str, str]]


class FileAnswer:
    """A response whose body is made of pieces: bytes, and (offset, count) of the file `fd`.

    length: bytes of the body. The holder calls `close` when the pieces are handed over.
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

    def close(self) -> None:
        """Closes the descriptor, once."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1


class FileRoots:
    """The directories below which applications may name files.

    Each entry is an absolute path, or `PREFIX=PATH`: then X-Accel-Redirect says `PREFIX...` for it.
    """

    def __init__(self, entries: Iterable[str], log: Any) -> None:
        self._log = log
        named: list[tuple[bytes, bytes]] = []
        plain: list[tuple[bytes, bytes]] = []
        for entry in entries:
            prefix, equals, path = entry.partition("=")
            root = os.fsencode(os.path.abspath(path if equals else entry))
            plain.append((root.rstrip(b"/") + b"/", root))
            if equals:
                named.append((os.fsencode(prefix).rstrip(b"/") + b"/", root))
        # The longest first: it is the most particular.
        self._named = sorted(named, key=lambda one: -len(one[0]))
        self._plain = sorted(plain, key=lambda one: -len(one[0]))

    def named_in(self, headers: Headers) -> tuple[str, str] | None:
        """The field that names a file and its value, None without one."""
        for pair in headers:
            # Whatever else is in there is judged when the head is rendered.
            if _is_field(pair) and pair[0].lower() in NAMING:
                return pair[0].lower(), str.__str__(pair[1])
        return None

    def answer(self, named: tuple[str, str], status: str, headers: Headers, request: Request) -> FileAnswer:
        """The response to `request` in place of the application's, which has named a file. Raises
        `InvalidResponse`.
        """
        if not all(map(_is_field, headers)):
            raise InvalidResponse("PEP 3333: a response header must be a tuple (name, value) of two str")
        kept = [(name, value) for name, value in headers if name.lower() not in (*NAMING, *_FRAMING)]
        if status[:3] in ("204", "304"):
            return FileAnswer(status, kept, -1, [])
        try:
            fd = self._open(*named)
        except OSError as error:
            self._log.warning(
                "%s names %r, which is not sent (404): %s", named[0], named[1], error.strerror or error
            )
            body = b"404 Not Found: The file is not here.\n"
            return FileAnswer("404 Not Found", [("Content-Type", "text/plain; charset=utf-8")], -1, [body])
        try:
            found = os.fstat(fd)
            if status[:3] not in ("200", "206", "416"):
                return FileAnswer(status, kept, fd, [(0, found.st_size)])
            return self._select(kept, request, fd, found)
        except BaseException:
            os.close(fd)
            raise

    # --- what of it is sent ---

    def _select(self, headers: Headers, request: Request, fd: int, found: os.stat_result) -> FileAnswer:
        given = {name.lower(): value for name, value in headers}
        if "etag" not in given:
            given["etag"] = f'"{found.st_mtime_ns:x}-{found.st_size:x}"'
            headers.append(("ETag", given["etag"]))
        if "last-modified" not in given:
            given["last-modified"] = format_date(time.gmtime(found.st_mtime))
            headers.append(("Last-Modified", given["last-modified"]))
        headers.append(("Accept-Ranges", "bytes"))
        etag, modified = given["etag"].strip(), parse_date(given["last-modified"])
        fields = _conditions_of(request)
        outcome = evaluate(fields, request.method in ("GET", "HEAD"), etag, modified)
        if outcome != GO_ON:
            os.close(fd)
            if outcome == NOT_MODIFIED:
                return FileAnswer("304 Not Modified", _without_content(headers), -1, [])
            return FileAnswer("412 Precondition Failed", _without_content(headers), -1, [])
        size = found.st_size
        ranges = None
        if request.method == "GET" and "range" in fields and wants_range(fields, etag, modified):
            ranges = parse_ranges(fields["range"], size)
        if ranges is None:
            return FileAnswer("200 OK", headers, fd, [(0, size)])
        if not ranges:
            os.close(fd)
            refused = [*_without_content(headers), ("Content-Range", f"bytes */{size}")]
            return FileAnswer("416 Range Not Satisfiable", refused, -1, [])
        if len(ranges) == 1:
            first, stop = ranges[0]
            headers.append(("Content-Range", f"bytes {first}-{stop - 1}/{size}"))
            return FileAnswer("206 Partial Content", headers, fd, [(first, stop - first)])
        return _multipart(headers, given.get("content-type"), ranges, size, fd)

    # --- which file it is ---

    def _open(self, field: str, value: str) -> int:
        """A descriptor of the regular file that is named. Raises `OSError`."""
        problem = FileNotFoundError(errno.ENOENT, "it is below none of x_sendfile_roots")
        for path in _spellings(field, value):
            root, rest = self._find_root(path, field == NAMING[1])
            if root is None:
                continue
            try:
                return _open_below(root, rest)
            except FileNotFoundError as error:
                problem = error
        raise problem

    def _find_root(self, path: bytes, is_uri: bool) -> tuple[bytes | None, bytes]:
        for prefix, root in [*self._named, *self._plain] if is_uri else self._plain:
            if path.startswith(prefix):
                return root, path[len(prefix) :]
        return None, b""


def _spellings(field: str, value: str) -> list[bytes]:
    """The octets that a path may mean: PEP 3333 wants octets as latin-1 text, frameworks give the path."""
    if field == NAMING[1]:
        # An URI reference as nginx takes it: percent-encoded, a query is no part of the name.
        value = value.partition("?")[0]
        if "%" in value:
            return [unquote_to_bytes(value)]
    spellings = [os.fsencode(value)]
    if not value.isascii():
        try:
            spellings.append(value.encode("latin-1"))
        except UnicodeEncodeError:
            pass
    return spellings


def _open_below(root: bytes, path: bytes) -> int:
    """Opens the regular file at `path` below `root`, name by name. Raises `OSError`."""
    names = [name for name in path.split(b"/") if name not in (b"", b".")]
    if not names or b".." in names or b"\0" in path:
        raise FileNotFoundError(errno.ENOENT, "its path leads out of the root, or names no file")
    # The root itself may be a link: it is the operator's own.
    here = os.open(root, _DIRECTORY)
    try:
        for name in names[:-1]:
            below = os.open(name, _DIRECTORY | os.O_NOFOLLOW, dir_fd=here)
            os.close(here)
            here = below
        # O_NONBLOCK: a FIFO must not stop the worker.
        fd = os.open(names[-1], os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=here)
    finally:
        os.close(here)
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise FileNotFoundError(errno.ENOENT, "it is not a regular file")
    return fd


def _is_field(pair: Any) -> bool:
    """Whether it is a name and a value. As in any response, what is like a tuple or a str will do."""
    return isinstance(pair, tuple | list) and len(pair) == 2 and all(isinstance(part, str) for part in pair)


def _conditions_of(request: Request) -> dict[str, str]:
    fields: dict[str, str] = {}
    for name, value in request.headers:
        name = name.lower()
        if name in _CONDITIONAL:
            fields[name] = f"{fields[name]}, {value}" if name in fields else value
    return fields


def _without_content(headers: Headers) -> Headers:
    """`headers` without what describes a body, for a response that has none (RFC 9110 section 15.4.5)."""
    return [
        (name, value)
        for name, value in headers
        if not name.lower().startswith("content-") or name.lower() == "content-location"
    ]


def _multipart(
    headers: Headers, content_type: str | None, ranges: list[tuple[int, int]], size: int, fd: int
) -> FileAnswer:
    """Several ranges in one body (RFC 9110 section 14.6)."""
    boundary = secrets.token_hex(16)
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
