"""`spew`: every line that Python executes, on standard output. For the desperate."""

from __future__ import annotations

import linecache
import sys
import threading
from types import FrameType
from typing import Any


def install() -> None:
    """Print each line from now on, in all threads of this process and of those forked from it."""
    threading.settrace(_trace)
    sys.settrace(_trace)


def follow(wanted: bool) -> None:
    """Install it or take it away again; a debugger or a coverage tool that traces instead is left alone."""
    if wanted:
        install()
    elif sys.gettrace() is _trace:
        threading.settrace(None)
        sys.settrace(None)


def _trace(frame: FrameType, event: str, argument: Any) -> Any:
    if event == "line":
        name = frame.f_code.co_filename
        text = linecache.getline(name, frame.f_lineno).rstrip()
        print(f"{frame.f_globals.get('__name__', name)}:{frame.f_lineno}: {text}")
    return _trace
