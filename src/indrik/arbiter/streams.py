"""The standard streams of the master and of what is forked from it."""

from __future__ import annotations

import contextlib
import os
import sys


def fill_streams() -> None:
    """Open /dev/null in place of each of the descriptors 0, 1 and 2 that whoever started the server has
    closed.

    Otherwise a socket or a log gets that number, and C code, the application's programs or `daemon` write to
    it or replace it.
    """
    descriptor = os.open(os.devnull, os.O_RDWR)
    while descriptor <= 2:
        os.set_inheritable(descriptor, True)
        descriptor = os.open(os.devnull, os.O_RDWR)
    os.close(descriptor)


def flush_streams() -> None:
    """Before a fork, and before an end without cleaning up: what was printed and is still buffered is written
    once, not by each process.
    """
    for stream in (sys.stdout, sys.stderr):
        # None where it was closed at the start; a full disk or a reader that has gone must not stop anybody.
        with contextlib.suppress(AttributeError, OSError, ValueError):
            stream.flush()
