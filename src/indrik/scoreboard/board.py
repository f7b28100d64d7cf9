"""The whole scoreboard, as the master has it: who has which slot, what those who are gone had counted, and
the master's own record.
"""

from __future__ import annotations

import enum
import mmap
from bisect import insort

from indrik.scoreboard.layout import SLOT_BYTES
from indrik.scoreboard.neighbour import Neighbour
from indrik.scoreboard.slot import Slot
from indrik.scoreboard.totals import NO_TOTALS, Totals


class Event(enum.IntEnum):
    """What the master counts; the number is the word in its record."""

    SPAWNED = 0
    READY = 1
    DIED = 2
    FAILED_TO_BOOT = 3
    TIMED_OUT = 4
    RELOADED = 5
    RELOAD_ABANDONED = 6


class Scoreboard:
    """`slots` places in one anonymous mapping that forked processes share, and behind them the master's own
    record.

    Master only, made before the first fork; a forked process may read all of it.
    """

    def __init__(self, slots: int) -> None:
        self._map = mmap.mmap(-1, (slots + 1) * SLOT_BYTES)
        self.slots = [Slot(self._map, number) for number in range(slots)]
        self._record = memoryview(self._map)[slots * SLOT_BYTES :].cast("Q")
        self._free = list(range(slots))
        #: Counters of the workers that are gone.
        self.folded = NO_TOTALS

    def take(self, generation: int, age: int, now: float) -> Slot:
        """The free slot with the lowest number, cleared for a worker that is about to be forked.

        Low numbers come back first, so that they stay within workers plus those being replaced. Raises
        IndexError when all are taken.
        """
        if not self._free:
            raise IndexError(f"all {len(self.slots)} slots of the scoreboard are taken")
        slot = self.slots[self._free.pop(0)]
        slot.clear(0, generation, age, now)
        return slot

    def release(self, slot: Slot) -> None:
        """Fold a dead worker's counters into the total and free its slot."""
        self.folded = self.folded.plus(slot.totals())
        slot.clear(0, 0, 0, 0.0)
        insort(self._free, slot.number)

    def neighbours(self, count: int) -> list[Neighbour]:
        """The slots below `count`, for a worker to look at."""
        return [Neighbour(self._map, number) for number in range(min(count, len(self.slots)))]

    def note(self, event: Event) -> None:
        """Count one event of the master's."""
        self._record[event] += 1

    def count(self, event: Event) -> int:
        """How often `event` has happened since the master started."""
        return int(self._record[event])

    def total(self) -> Totals:
        """Counters of all workers, living and gone."""
        result = self.folded
        for slot in self.slots:
            if slot.age:
                result = result.plus(slot.totals())
        return result
