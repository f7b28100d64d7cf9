"""Raising an exception in another thread."""

from __future__ import annotations

import _thread
import sys
from collections.abc import Callable
from types import FrameType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import cython
else:
    from indrik import uncompiled as cython

from indrik.engine.originals import original

if cython.compiled:
    from cython.cimports.cpython.ref import PyObject
    from cython.cimports.indrik.engine.interpreter import PyThreadState_SetAsyncExc
else:
    # ctypes is no part of every Python, and only this build needs it.
    import ctypes


_start_new_thread = original(_thread, "start_new_thread")
_get_ident = original(_thread, "get_ident")


def interrupt(thread: int, exception: type[BaseException] | None) -> None:
    """Has `exception` raised in the thread with this identifier as soon as it runs Python code; None takes
    back what was not raised yet. Does nothing to a thread that has ended.
    """
    _set(thread, exception)
    if exception is None and _KEEPS_FLAG:
        try:
            # Where nothing else is on its way, and no signal's handler runs.
            _start_new_thread(_lower_flag, ())
        except RuntimeError:
            # No thread can be had now: it stays up until another exception is raised, which matters to none
            # but who traces.
            pass


def _set(thread: int, exception: type[BaseException] | None) -> None:
    if cython.compiled:
        number: cython.ulong = thread
        if exception is None:
            PyThreadState_SetAsyncExc(number, cython.NULL)
        else:
            PyThreadState_SetAsyncExc(number, cython.cast(cython.pointer(PyObject), exception))
    else:
        argument = None if exception is None else ctypes.py_object(exception)
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), argument)


#: Before Python 3.13, one flag for all threads says that an exception is to be raised, and only raising one
#: lowers it, so that taking back leaves it up. Python 3.11 then never gets past the first instruction of a
#: function that is traced: a debugger, a measurement of coverage or `spew` would hang the process.
_KEEPS_FLAG = sys.version_info < (3, 13)


class _Lowered(BaseException):
    """Raised and caught below, to have the flag lowered."""


#: Byte code in both builds: only the interpreter's loop raises what was set.
_step: Callable[[], None] = eval("lambda: None")


def _lower_flag() -> None:
    try:
        _set(_get_ident(), _Lowered)
        while True:
            _step()
    except _Lowered:
        pass


#: Code that an exception may not be raised in, because it could leave a lock held. Of the engine only what
#: waits for a client may be interrupted: it holds nothing meanwhile.
_PROTECTED = (
    "indrik.engine.", "indrik.gateway.", "indrik.protocol.", "indrik.quotas.", "indrik.log.", "logging."
)  # fmt: skip
_WAITS = "indrik.engine.waiting"


def is_interruptible(thread: int) -> bool:
    """Whether an exception that is raised in the thread with this identifier now hits the application, or
    what it calls. For whoever holds the engine's ownership, so that the thread does not. When it returns, the
    thread may have gone on.
    """
    frame = sys._current_frames().get(thread)
    return frame is not None and is_interruptible_at(frame)


def is_interruptible_at(frame: FrameType) -> bool:
    """`is_interruptible` for a thread whose innermost frame is known."""
    # Compiled code has no frames, and lets no exception in.
    name = f"{frame.f_globals.get('__name__', '')}."
    return name.startswith(f"{_WAITS}.") or not name.startswith(_PROTECTED)
