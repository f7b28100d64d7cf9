"""Raising an exception in another thread, while that is in the application and nowhere else.

CPython raises what `PyThreadState_SetAsyncExc` was given when the thread next looks whether something is
due: behind a call, at a jump back, or at the first instruction of a Python function. Until then the thread
may have come far. In the application that is its own affair. In the server's code it would split what belongs
together: a lock from its `try`, one store from the other. So `interrupt_application` looks and sets while no
other thread can run, and sets only where both hold:

- `Exchange.shields` is 0. Whoever calls the application lowers it, and raises it when that returns; what the
  application calls of the server's, and may not be split, raises it meanwhile. Compiled code has no frames,
  and lets in what was set when it calls Python code: this is what tells.
- The innermost frame is none of the server's and holds no lock that the whole process needs: `logging` and
  imports. This tells of what the application calls without an exchange in its hands.

Then the exception is raised where the thread stands, or before the first line of the next Python function,
or, if the application returns without looking, behind the call of the application: there `take_back` is,
before anything that is shared is touched. Its request is over by then (`Exchange.end_overdue` goes before),
so what the application calls of its exchange does nothing any more.
"""

from __future__ import annotations

import _thread
import re
import sys
from collections.abc import Callable
from itertools import compress, starmap
from operator import attrgetter, itemgetter, not_
from types import FrameType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import cython
else:
    from indrik import uncompiled as cython

from indrik.engine.exchange import Exchange
from indrik.engine.originals import original

if cython.compiled:
    from cython.cimports.cpython.ref import PyObject
    from cython.cimports.indrik.engine.interpreter import PyThreadState_SetAsyncExc
else:
    # ctypes is no part of every Python, and only this build needs it.
    import ctypes

    # Holds the GIL. By item, it is an object of its own: what is said of its arguments is said to nobody
    # else.
    _set_async = ctypes.pythonapi["PyThreadState_SetAsyncExc"]
    _set_async.argtypes = (ctypes.c_ulong, ctypes.py_object)

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
        _set_async(thread, ctypes.py_object() if exception is None else exception)


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


#: Modules whose code may not be interrupted. Of the engine only what waits for a client may be: it holds
#: nothing meanwhile. The locks of imports are the process's, and kept by Python code.
_PROTECTED = re.compile(
    r"(?!indrik\.engine\.waiting\.)"
    r"(?:indrik\.(?:engine|gateway|protocol|quotas|scoreboard|log)|logging|importlib\._bootstrap)\."
)

#: Modules that write logs.
_LOGS = re.compile(r"(?:indrik\.log|logging)\.")


def interrupt_application(
    exchange: Exchange, thread: cython.ulong, exception: type[BaseException]
) -> cython.bint:
    """Has `exception` raised in the thread that answers `exchange`, if that is in the application at this
    moment; whether it is. For whoever has ended the exchange.
    """
    # Before it is set: the thread may run between any two lines of this, uncompiled.
    exchange.is_told = True
    is_set: cython.bint = False
    if cython.compiled:
        # Nothing from here to `_set` can let another thread run: no Python code, no call that gives up the
        # GIL.
        frame = sys._current_frames().get(thread)
        if frame is not None and not exchange.shields and is_interruptible_at(frame):
            _set(thread, exception)
            is_set = True
    else:
        is_set = _set_at_once(exchange, thread, exception)
    exchange.is_told = is_set
    return is_set


def is_interruptible_at(frame: FrameType) -> bool:
    """Whether an exception may be raised in a thread whose innermost frame is `frame`, as far as that tells.
    """
    return _PROTECTED.match(f"{frame.f_globals.get('__name__', '')}.") is None


def is_in_log(frame: FrameType | None) -> bool:
    """Whether one of the functions that `frame` is the innermost of writes a log. For a greenlet that waits.
    """
    while frame is not None:
        if _LOGS.match(f"{frame.f_globals.get('__name__', '')}."):
            return True
        frame = frame.f_back
    return False


def take_back(exchange: Exchange) -> None:
    """For the thread that answers `exchange`, back from the application: what was not raised is not raised
    any more.
    """
    exchange.is_told = False
    interrupt(_get_ident(), None)


if not cython.compiled:

    def _set_at_once(exchange: Exchange, thread: int, exception: type[BaseException]) -> bool:
        """Looks and sets uncompiled: whether it was set.

        Iterators written in C, which do nothing before `next`: that is one call, so no other thread runs from
        the look to the deed.
        """
        unshielded = compress((thread,), map(not_, map(attrgetter("shields"), (exchange,))))
        frames = map(itemgetter(thread), starmap(sys._current_frames, ((),)))
        names = map(dict.get, map(attrgetter("f_globals"), frames), ("__name__",), ("",))
        outside = compress(unshielded, map(not_, map(_PROTECTED.match, map("{}.".format, names))))
        try:
            return next(map(_set_async, outside, (exception,)), 0) > 0
        except KeyError:
            # It has ended.
            return False
