"""wsgi.file_wrapper (PEP 3333, "Optional Platform-Specific File Handling")."""

from __future__ import annotations

import io
import os
import stat
import sys
from collections.abc import Iterator
from typing import Any


class FileWrapper:
    """An iterable over a file-like object, which the gateway sends by sendfile(2) where it can."""

    def __init__(self, filelike: Any, blksize: int = 8192) -> None:
        self.filelike = filelike
        self.blksize = blksize

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        # Whether these are bytes is for the gateway to say.
        data = self.filelike.read(self.blksize)
        if data:
            return data
        raise StopIteration

    def close(self) -> None:
        """Closes the file-like object if it can be closed."""
        close = getattr(self.filelike, "close", None)
        if close is not None:
            close()

    def as_file(self) -> tuple[int, int, int] | None:
        """`(descriptor, position, bytes from there to the end)` of a regular file; None for anything else.

        The position is the file object's own, so what was read from it already is not sent again.
        """
        filelike = self.filelike
        # Where nobody has imported the module, nothing is of its classes.
        tempfile = sys.modules.get("tempfile")
        if tempfile is not None and isinstance(filelike, tempfile._TemporaryFileWrapper):
            filelike = filelike.file
        if not _is_plain(filelike):
            return None
        try:
            fd = filelike.fileno()
            position = filelike.tell()
        except (OSError, ValueError):
            # Not seekable, or closed: iterating gives the right answer or the right error.
            return None
        status = os.fstat(fd)
        # Files that the kernel makes up (/proc) say that they are empty.
        if not stat.S_ISREG(status.st_mode) or not status.st_size:
            return None
        return fd, position, max(0, status.st_size - position)


def _is_plain(filelike: object) -> bool:
    """Whether `filelike` gives the bytes of its descriptor as they are.

    A decompressing or decoding object lends the descriptor of what it reads: having one proves nothing.
    """
    if type(filelike) in (io.BufferedReader, io.BufferedRandom):
        filelike = filelike.raw  # type: ignore[attr-defined]
    return type(filelike) is io.FileIO
