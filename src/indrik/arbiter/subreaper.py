"""Becoming the parent of orphaned descendants (prctl(2), PR_SET_CHILD_SUBREAPER), which only Linux can."""

from __future__ import annotations

import os
import sys

_PR_SET_CHILD_SUBREAPER = 36


def become_subreaper() -> bool:
    """From now on, processes below this one whose parent has ended become its children. False where that does
    not exist.
    """
    if not sys.platform.startswith("linux"):
        return False
    # Not at the top: it costs a tenth of the start-up, and few servers need it.
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return True
