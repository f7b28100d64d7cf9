"""wsgi.file_wrapper (PEP 3333, "Optional Platform-Specific File Handling")."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from typing import Any


class FileWrapper:
    """An iterable over a file-like object, which the gateway sends by sendfile(2) where it can."""

    def __init__(self, filelike: Any, blksize: int = 8192) -> None:
        self.filelike = filelike
        self.blksize = blksize

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        data: bytes = self.filelike.read(self.blksize)
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
        try:
            fd = self.filelike.fileno()
            position = self.filelike.tell()
        except (AttributeError, OSError, ValueError):
            # No descriptor, not seekable, or closed: iterating gives the right answer or the right error.
            return None
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode):
            return None
        return fd, position, max(0, status.st_size - position)
