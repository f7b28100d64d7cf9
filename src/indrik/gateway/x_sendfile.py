"""X-Sendfile and X-Accel-Redirect: the application names a file, the engine sends it.

What it names is opened below one of the configured roots (`file_root`). Ranges and conditions are the
server's (`file_answer`).
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable
from typing import Any
from urllib.parse import unquote_to_bytes

from indrik.engine.transport import close_descriptor
from indrik.gateway.file_answer import FileAnswer, Headers, select
from indrik.gateway.file_root import open_below
from indrik.protocol.request import Request
from indrik.protocol.response import InvalidResponse

#: Fields by which an application names a file.
NAMING = ("x-sendfile", "x-accel-redirect")

#: What the application says of the body that it does not send; the server says it anew.
_FRAMING = ("content-length", "content-range", "accept-ranges")


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
            fd, found = self._open(*named)
        except OSError as error:
            self._log.warning(
                "%s names %r, which is not sent (404): %s", named[0], named[1], error.strerror or error
            )
            body = b"404 Not Found: The file is not here.\n"
            return FileAnswer("404 Not Found", [("Content-Type", "text/plain; charset=utf-8")], -1, [body])
        try:
            if status[:3] not in ("200", "206", "416"):
                return FileAnswer(status, kept, fd, [(0, found.st_size)])
            return select(kept, request, fd, found.st_size, found.st_mtime_ns)
        except BaseException:
            close_descriptor(fd)
            raise

    # --- which file it is ---

    def _open(self, field: str, value: str) -> tuple[int, os.stat_result]:
        """A descriptor of the regular file that is named. Raises `OSError`."""
        problem: OSError = FileNotFoundError(errno.ENOENT, "it is below none of x_sendfile_roots")
        for path in _spellings(field, value):
            root, rest = self._find_root(path, field == NAMING[1])
            if root is None:
                continue
            try:
                return open_below(root, [name for name in rest.split(b"/") if name not in (b"", b".")])
            except (FileNotFoundError, IsADirectoryError) as error:
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


def _is_field(pair: Any) -> bool:
    """Whether it is a name and a value. As in any response, what is like a tuple or a str will do."""
    return isinstance(pair, tuple | list) and len(pair) == 2 and all(isinstance(part, str) for part in pair)
