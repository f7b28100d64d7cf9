"""Limits that hold over all workers of one master: how many requests are in progress, and how many begin in a
time.

Each lives in shared memory of its own, made by the master before any fork, as the scoreboard is. Whoever
decides holds a record lock meanwhile (fcntl(2), F_SETLKW), because the kernel takes it back from a process
that dies. A death at any step leaves nothing that must be repaired: a count belongs to the slot of the worker
that wrote it, and the master clears it when it has reaped that worker.
"""

from __future__ import annotations

import fcntl
import mmap
import os

# gevent replaces those of `threading`.
from _thread import allocate_lock
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol
from weakref import WeakValueDictionary

#: Record locks are a process's, so its threads need another one. One for all quotas: a process that holds one
#: record lock and waits for another is a deadlock to the kernel (EDEADLK), even if those are two threads.
_threads = allocate_lock()


class _Shared:
    """So many words of shared memory, each 8 bytes, and the lock for them."""

    def __init__(self, words: int) -> None:
        self._fd = os.memfd_create("indrik-quota")
        os.ftruncate(self._fd, words * 8)
        self._map = mmap.mmap(self._fd, words * 8)
        self._whole = memoryview(self._map).cast("Q")

    def __del__(self) -> None:
        fd = getattr(self, "_fd", -1)
        if fd >= 0:
            os.close(fd)

    def __enter__(self) -> None:
        _threads.acquire()
        try:
            fcntl.lockf(self._fd, fcntl.LOCK_EX)
        except BaseException:
            _threads.release()
            raise

    def __exit__(self, *error: object) -> None:
        try:
            fcntl.lockf(self._fd, fcntl.LOCK_UN)
        finally:
            _threads.release()


class Gate(_Shared):
    """Lets some requests be in progress. Each worker counts its own in the word of its slot; any thread.

    Word 0 is one more than the highest slot that has ever entered, so that nobody has to add up the others.
    """

    def __init__(self, slots: int) -> None:
        super().__init__(1 + slots)

    def enter(self, slot: int, most: int) -> bool:
        """Counts one more for `slot`; False if `most` are in progress."""
        with self:
            words = self._whole
            if slot >= words[0]:
                words[0] = slot + 1
            if self.in_progress() >= most:
                return False
            words[1 + slot] += 1
            return True

    def leave(self, slot: int) -> None:
        """Counts one less for `slot`, whose only writer is the worker that calls this."""
        with _threads:
            if self._whole[1 + slot]:
                self._whole[1 + slot] -= 1

    def in_progress(self) -> int:
        """How many are in progress in all workers; without the lock it may be old news."""
        return sum(self._whole[1 : 1 + self._whole[0]])

    def forget(self, slot: int) -> None:
        """Master only, when the worker of `slot` is dead: gives back what it has not."""
        self._whole[1 + slot] = 0


class Rates(_Shared):
    """Lets so many requests begin in any stretch of so many seconds, for one or several such pairs.

    A pair is a ring with the times of the last that were let in: another may begin when the oldest is long
    enough ago. Its first word is the place of the oldest.
    """

    def __init__(self, rates: Sequence[tuple[int, float]]) -> None:
        super().__init__(sum(1 + amount for amount, _ in rates))
        self._times = memoryview(self._map).cast("d")
        self._rings: list[tuple[int, int, float]] = []
        at = 0
        for amount, seconds in rates:
            self._rings.append((at, amount, seconds))
            at += 1 + amount

    def admit(self, now: float) -> float:
        """Lets one more begin at `now`, in monotonic seconds: 0, or the seconds until another may begin."""
        with self:
            wait = 0.0
            for at, _, seconds in self._rings:
                oldest = self._times[at + 1 + self._whole[at]]
                if oldest:
                    wait = max(wait, oldest + seconds - now)
            if wait > 0.0:
                return wait
            for at, amount, _ in self._rings:
                place = self._whole[at]
                self._times[at + 1 + place] = now
                self._whole[at] = (place + 1) % amount
            return 0.0


class Limit(Protocol):
    """What is asked of one route. concurrency: requests in progress, 0 for any number; rates: pairs of a
    number and seconds.
    """

    @property
    def concurrency(self) -> int: ...

    @property
    def rates(self) -> Sequence[tuple[int, float]]: ...


@dataclass(frozen=True)
class Quota:
    """What the workers share for one route; None for what has no limit."""

    gate: Gate | None
    rates: Rates | None


class Quotas:
    """The quotas of all generations. Master only; a worker alone makes one for itself.

    What a reload leaves as it was goes on counting: requests of old workers and of new ones are in one gate,
    also where the number of a limit has changed.
    """

    def __init__(self, slots: int) -> None:
        self._slots = slots
        # As long as a generation has them.
        self._gates: WeakValueDictionary[str, Gate] = WeakValueDictionary()
        self._rates: WeakValueDictionary[tuple[str, tuple[tuple[int, float], ...]], Rates] = (
            WeakValueDictionary()
        )

    def of(self, routes: Mapping[str, Limit]) -> dict[str, Quota]:
        """The quotas for these limits, by the keys of `routes`. Before a worker or preloader is forked.

        Raises `OSError` when there is no memory or descriptor for one.
        """
        return {key: Quota(self._gate(key, limit), self._rate(key, limit)) for key, limit in routes.items()}

    def _gate(self, key: str, limit: Limit) -> Gate | None:
        if not limit.concurrency:
            return None
        gate = self._gates.get(key)
        if gate is None:
            gate = self._gates[key] = Gate(self._slots)
        return gate

    def _rate(self, key: str, limit: Limit) -> Rates | None:
        if not limit.rates:
            return None
        pairs = tuple(limit.rates)
        rates = self._rates.get((key, pairs))
        if rates is None:
            rates = self._rates[key, pairs] = Rates(pairs)
        return rates

    def forget(self, slot: int) -> None:
        """The worker of `slot` is dead."""
        for gate in list(self._gates.values()):
            gate.forget(slot)
