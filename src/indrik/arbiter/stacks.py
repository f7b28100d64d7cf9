"""Where a worker's last stacks go: a nameless file in memory that master and worker share across the fork.

The worker's C-level handlers (faulthandler) write to it without needing the interpreter; the master reads it
and puts it into the error log, whatever that is (a file, syslog, a collector), which no signal handler could
do.
"""

from __future__ import annotations

import os

#: faulthandler writes at most 100 frames for each of 100 threads.
MOST_BYTES = 512 * 1024


def open_stacks() -> int:
    """A new, empty file's descriptor, not inherited by programs that the worker starts."""
    if hasattr(os, "memfd_create"):
        return os.memfd_create("indrik-stacks", os.MFD_CLOEXEC)
    import tempfile

    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())


def take_stacks(fd: int) -> str:
    """What has been written since the last time, and make room for more."""
    if fd < 0:
        return ""
    raw = os.pread(fd, MOST_BYTES, 0)
    # One offset for both sides, because the worker's descriptor came from this one by a fork.
    os.ftruncate(fd, 0)
    os.lseek(fd, 0, os.SEEK_SET)
    return raw.replace(b"\0", b"").decode("utf-8", "replace").strip()
