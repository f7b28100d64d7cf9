"""A worker's place in the scoreboard as its siblings see it, who share the load with it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import cython
else:
    from indrik import uncompiled as cython

from indrik.scoreboard.layout import (
    AGE,
    GENERATION,
    HEARTBEAT,
    IN_PROGRESS,
    OPEN,
    ORDER,
    QUEUED,
    STATE,
    TAKEN,
    TURNING,
    octets_of,
)

#: Seconds after its last sign of life from which on a loop that is not waiting counts as stuck: inside the
#: application, because nobody knows for how long; elsewhere it only waits for a processor.
_STALL = 0.01
_LONG_STALL = 0.1


class Neighbour:
    """Another worker's slot as its siblings see it, to read only. Any process; from the thread that holds the
    GIL.
    """

    number: int
    # As in Slot, of memory that may not be written.
    _f: Any
    _q: Any
    _owner: Any

    def __init__(self, buffer: Any, number: int) -> None:
        """`buffer` is the whole mapping. Raises IndexError if slot `number` is not inside it."""
        part = octets_of(memoryview(buffer).toreadonly(), number)
        self.number = number
        self._owner = part
        if cython.compiled:
            # As in Slot: every index below is a constant below 256, the words of `part`.
            octets: cython.const[cython.uchar][::1] = part  # type: ignore[valid-type]
            self._f = cython.cast(cython.p_const_double, cython.address(octets[0]))
            self._q = cython.cast(cython.p_const_ulonglong, cython.address(octets[0]))
        else:
            self._f = part.cast("d")
            self._q = part.cast("Q")

    def is_serving(self, generation: cython.ulonglong) -> cython.bint:
        """Whether a worker of `generation` has the slot that is neither starting nor leaving."""
        state: cython.ulonglong = self._q[STATE]
        return (state == 2 or state == 3) and self._q[GENERATION] == generation  # IDLE, BUSY

    def prospect(self, generation: cython.ulonglong) -> cython.int:
        """What a worker of `generation` in the slot does: 3 serves, 2 starts, 1 leaves; 0: there is none."""
        state: cython.ulonglong = self._q[STATE]
        # FREE, EXITING
        if state == 0 or state == 5 or self._q[GENERATION] != generation:
            return 0
        # DRAINING
        if state == 4 or self._q[ORDER]:
            return 1
        return 2 if state == 1 else 3  # STARTING

    def room(self, generation: cython.ulonglong, now: cython.double) -> cython.longlong:
        """Connections that it has, if it can be counted on to serve another one soon; else -1.

        Not on a worker of another generation, one that starts or leaves, one with whole requests of its own
        that wait, and one whose loop is stuck.
        """
        if not self.is_serving(generation) or self._q[QUEUED]:
            return -1
        silent: cython.double = now - self._f[HEARTBEAT]
        if self._q[TURNING] and silent > (_STALL if self._q[IN_PROGRESS] else _LONG_STALL):
            return -1
        return int(self._q[OPEN])

    def taken(self) -> cython.longlong:
        """Connections passed on to it that it has taken since it started."""
        return int(self._q[TAKEN])

    def heartbeat(self) -> cython.double:
        """Its last sign of life."""
        return float(self._f[HEARTBEAT])

    def age(self) -> cython.longlong:
        """Serial number of the worker that has the slot, 0 for none."""
        return int(self._q[AGE])
