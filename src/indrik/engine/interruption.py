"""Raising an exception in another thread."""

from __future__ import annotations

import cython

if cython.compiled:
    from cython.cimports.cpython.ref import PyObject
    from cython.cimports.indrik.engine.interpreter import PyThreadState_SetAsyncExc


def interrupt(thread: int, exception: type[BaseException] | None) -> None:
    """Has `exception` raised in the thread with this identifier as soon as it runs Python code; None takes
    back what was not raised yet. Does nothing to a thread that has ended.
    """
    if cython.compiled:
        number: cython.ulong = thread
        if exception is None:
            PyThreadState_SetAsyncExc(number, cython.NULL)
        else:
            PyThreadState_SetAsyncExc(number, cython.cast(cython.pointer(PyObject), exception))
    else:
        # Imported late: ctypes is no part of every Python, and only this build needs it.
        import ctypes

        argument = None if exception is None else ctypes.py_object(exception)
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), argument)
