"""Opens files below a directory: the one way in which names from outside reach the file system."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Sequence

from indrik.engine.transport import close_descriptor

_DIRECTORY = os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC
# O_NONBLOCK: a FIFO must not stop the worker.
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def open_below(root: bytes, names: Sequence[bytes]) -> tuple[int, os.stat_result]:
    """Opens the regular file that `names` lead to from `root`, name by name and never through a symbolic
    link, so neither a link nor `..` leads out of it. The root itself may be a link: it is the operator's own.

    The descriptor, which is the caller's to close, and what fstat(2) says of it. Raises `OSError`;
    `IsADirectoryError` for a directory.
    """
    if not names or any(name in (b"", b".", b"..") or b"/" in name or b"\0" in name for name in names):
        raise FileNotFoundError(errno.ENOENT, "its path leads out of the root, or names no file")
    here = os.open(root, _DIRECTORY)
    try:
        for name in names[:-1]:
            below = os.open(name, _DIRECTORY | os.O_NOFOLLOW, dir_fd=here)
            close_descriptor(here)
            here = below
        fd = os.open(names[-1], _FILE, dir_fd=here)
    finally:
        close_descriptor(here)
    found = os.fstat(fd)
    if stat.S_ISREG(found.st_mode):
        return fd, found
    close_descriptor(fd)
    if stat.S_ISDIR(found.st_mode):
        raise IsADirectoryError(errno.EISDIR, "it is a directory")
    raise FileNotFoundError(errno.ENOENT, "it is not a regular file")
