"""Who may touch an engine now: its loop, or the exchange that sends. One holder at a time.

Kinds with one thread take and give it without ever waiting, which costs two stores; kinds with several wait
here for one another, never for a client, because nothing that holds it blocks.
"""

from __future__ import annotations

import _thread
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import cython
else:
    from indrik import uncompiled as cython

from indrik.engine.originals import original

_allocate_lock = original(_thread, "allocate_lock")


class Ownership:
    """A lock that is nearly free as long as nobody else wants it. Any thread; not re-entrant, unless it is
    left to one thread.
    """

    def __init__(self) -> None:
        self._is_alone = False
        self._gate = _allocate_lock()
        self._is_held = False
        self._waiting = 0
        if cython.compiled:
            # Closed but while somebody who waits may come through.
            self._gate.acquire()

    @property
    def is_held(self) -> bool:
        """Whether somebody holds it at this moment."""
        if cython.compiled:
            return bool(self._is_held)
        is_held: bool = self._gate.locked()
        return is_held

    def leave_to_one_thread(self) -> None:
        """Only one thread will ever come, and may come again while it holds it: the application may send
        something from inside of what the engine tells it, and the other way round. While nobody holds it.
        """
        self._is_alone = True

    def acquire(self) -> None:
        """Waits until nobody else holds it, and takes it."""
        if self._is_alone:
            return
        if cython.compiled:
            # Nothing between the test and the store can let another thread run: no Python code, no call that
            # gives up the GIL.
            while self._is_held:
                self._waiting += 1
                self._gate.acquire()
                self._waiting -= 1
            self._is_held = True
            return
        self._gate.acquire()

    def release(self) -> None:
        """Gives it up. The holder only."""
        if self._is_alone:
            return
        if cython.compiled:
            self._is_held = False
            # Open already: somebody is on his way and has not run yet.
            if self._waiting > 0 and self._gate.locked():
                self._gate.release()
            return
        self._gate.release()
