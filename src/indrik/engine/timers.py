"""Deadlines by kind. All waits of a kind share one delay, so a plain list in the order of arming is sorted
by deadline.

Arming, re-arming and disarming are O(1), and nothing is ever searched. The list is linked through its
members: an idle connection costs no entry of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import cython
else:
    from indrik import uncompiled as cython

#: `Timers.next_deadline` when nothing waits: beyond any clock.
NEVER = 1e300

#: Seconds in which the next piece of a refused client's input must come that is read and thrown away, and
#: seconds after which no more is waited for.
LINGER_DELAY = 2.0
LINGER_LIMIT = 30.0

#: Seconds that an idle client of a leaving worker has for a request that is already under way.
DRAIN_DELAY = 1.0


class Timer:
    """Something that waits in at most one queue; `queue` is that queue or None."""

    def __init__(self) -> None:
        self.queue: TimerQueue | None = None
        self.deadline = 0.0
        self._earlier: Timer | None = None
        self._later: Timer | None = None

    def on_timeout(self, queue: TimerQueue) -> None:
        """The wait in `queue` is over. It is disarmed already."""
        raise NotImplementedError


class TimerQueue:
    """Everything that waits for one kind of event, the earliest deadline first.

    `delay` is in seconds; 0 means that waits of this kind never end. `length` is how many wait.
    """

    def __init__(self, name: str, delay: float) -> None:
        self.name = name
        self.delay = delay
        self.length = 0
        self._first: Timer | None = None
        self._last: Timer | None = None

    def __repr__(self) -> str:
        return f"<TimerQueue {self.name} {self.delay} s, {self.length} waiting>"

    @property
    def oldest(self) -> Timer | None:
        """What has waited longest."""
        return self._first

    def arm(self, timer: Timer, now: cython.double) -> None:
        """Starts or restarts the wait of `timer`, ending any other wait of it."""
        timer.deadline = now + self.delay
        if self._last is timer:
            return
        if timer.queue is not None:
            timer.queue._remove(timer)
        last = self._last
        timer.queue = self
        timer._earlier = last
        if last is None:
            self._first = timer
        else:
            last._later = timer
        self._last = timer
        self.length += 1

    def _remove(self, timer: Timer) -> None:
        earlier = timer._earlier
        later = timer._later
        if earlier is None:
            self._first = later
        else:
            earlier._later = later
        if later is None:
            self._last = earlier
        else:
            later._earlier = earlier
        timer._earlier = None
        timer._later = None
        timer.queue = None
        self.length -= 1

    def expire(self, now: cython.double) -> None:
        """Disarms and tells everything whose deadline has passed."""
        if not self.delay:
            return
        first = self._first
        while first is not None and first.deadline <= now:
            self._remove(first)
            first.on_timeout(self)
            first = self._first


def disarm(timer: Timer) -> None:
    """Ends the wait of `timer`, if it waits."""
    queue = timer.queue
    if queue is not None:
        queue._remove(timer)


class Timers:
    """One queue for each thing that a connection can be waited for; delays in seconds.

    linger_limit: seconds for which the waits in `linger` may be renewed.
    """

    def __init__(
        self, first_byte: float, head: float, body: float, keep_alive: float, write: float
    ) -> None:
        self.first_byte = TimerQueue("first byte", first_byte)
        self.head = TimerQueue("head", head)
        self.body = TimerQueue("body", body)
        self.keep_alive = TimerQueue("keep-alive", keep_alive)
        self.write = TimerQueue("write", write)
        self.linger = TimerQueue("linger", LINGER_DELAY)
        self.linger_limit = LINGER_LIMIT
        self.drain = TimerQueue("drain", DRAIN_DELAY)
        self.queues = [
            self.first_byte, self.head, self.body, self.keep_alive, self.write, self.linger, self.drain,
        ]  # fmt: skip

    def next_deadline(self) -> cython.double:
        """The earliest deadline of all, `NEVER` if nothing waits."""
        found: cython.double = NEVER
        queue: TimerQueue
        for queue in self.queues:
            first = queue._first
            if first is not None and queue.delay and first.deadline < found:
                found = first.deadline
        return found
