"""The workers beside this one: whether one of them should have a new connection, and passing it on.

The kernel gives a new connection to any worker that waits, most of the time to the same one. So a worker that
has more connections open than a sibling passes what it accepts on to it. That costs some 15 µs, which is
nothing for a connection that lasts and much for one that ends with its first answer. Nobody can tell them
apart, but a worker knows how many have ended lately: where most do, it passes on only a few a second, and a
small part of what it accepts while it is much fuller than others. See docs/decisions/0006-even-load.md.

What was passed on and not taken is taken back: a sibling that is stuck or has died loses no connection.
"""

from __future__ import annotations

import marshal
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import cython
else:
    from indrik import uncompiled as cython

from indrik.engine.transport import close_descriptor
from indrik.net.listeners import Listener
from indrik.net.mailbox import Mailbox
from indrik.scoreboard.layout import State
from indrik.scoreboard.neighbour import Neighbour
from indrik.scoreboard.slot import Slot

#: A worker is even with another that has less by so many parts of its number.
_EXACT_PARTS = 32

#: Connections that end for each that is accepted, from which on they count as short, and how many connections
#: that remembers.
_MOSTLY_SHORT = 0.25
_MEMORY = 32.0
_HEAP = 16

#: Short connections passed on a second, and at once, lest a few that last go unnoticed among them.
_RATE = 4.0
_BURST = 16.0

#: How many more connections than the emptiest sibling, and than so many parts of its number, make a worker
#: crowded. Then it steps back in the line of those that the kernel wakes, and passes on this part of the
#: short connections that it accepts, at most so many at once.
_CROWD = 16
_CROWD_PARTS = 64
_SHARE = 1.0 / 64.0
_MOST_SHARE = 16.0

#: Length of a message without data, most of the time.
_MESSAGE_BYTES = 48

#: Seconds after which what a sibling has not taken is taken back; doubled for what must wait for it.
_PATIENCE = 0.1
_MOST_PATIENCE = 0.8

#: Longest number of a slot that a client may send; longer ones are not looked at.
_DIGITS = 4


def slot_number(text: str) -> int:
    """The number that `text` is, exactly as the server writes it; -1 for anything else."""
    if not 0 < len(text) <= _DIGITS or not text.isascii() or not text.isdigit():
        return -1
    number = int(text)
    return number if str(number) == text else -1


class Passed(NamedTuple):
    """A connection on its way between two workers.

    listener: its place in the generation's list. is_trusted: whether the peer may say for whom it forwards.
    proxy_header: the fields of `ProxyHeader`, None for none. awaits_proxy_header: the header is still to
    come. served: requests so far. stays: the first request behind belongs where it was sent to, and is not
    passed on again. data: what was read and not answered.
    """

    listener: int
    peer: tuple[str, int] | None
    peer_port: str
    is_trusted: bool
    proxy_header: tuple[Any, ...] | None
    awaits_proxy_header: bool
    served: int
    stays: bool
    data: bytes


class Sibling:
    """One of the others.

    is_watched: whether something of this worker's may be left in its mailbox, to be looked at when it is
    `due`; seen: how many it had taken at the last look. avoid: the sign of life after which it has not taken
    what it was passed, 0 for none.
    """

    def __init__(self, neighbour: Neighbour, mailbox: Mailbox) -> None:
        self.neighbour = neighbour
        self.mailbox = mailbox
        self.number = neighbour.number
        self.seen = 0
        self.is_watched = False
        self.due = 0.0
        self.patience = _PATIENCE
        self.avoid = 0.0

    def room(self, generation: cython.ulonglong, now: cython.double) -> cython.longlong:
        """`Neighbour.room`, -1 also for one that has not taken what it was passed and gave no sign since."""
        if self.avoid and self.avoid == self.neighbour.heartbeat():
            return -1
        return self.neighbour.room(generation, now)

    def under_way(self) -> int:
        """About how many connections all siblings have passed on to it that it has not taken."""
        return (self.mailbox.waiting_bytes() + _MESSAGE_BYTES - 1) // _MESSAGE_BYTES


class Siblings:
    """All of them, for the worker that has `slot`. Engine thread only.

    neighbours, mailboxes: of the first slots, by number, this worker's included. most: connections that one
    worker may have. listeners: the generation's, in its order.
    """

    def __init__(
        self, slot: Slot, neighbours: Sequence[Neighbour], mailboxes: Sequence[Mailbox], most: int
    ) -> None:
        self.slot = slot
        self.generation = slot.generation
        self.mailbox = mailboxes[slot.number]
        self.listeners: list[Listener] = []
        self.others = [
            Sibling(neighbour, mailboxes[neighbour.number])
            for neighbour in neighbours
            if neighbour.number != slot.number
        ]
        self._most = most
        self._closed = 0
        self._short = 0.0
        self._allowance = _BURST
        self._allowed_at = 0.0
        self._share = _MOST_SHARE
        #: The last connection stays, although this worker has far more than others.
        self.is_crowded = False
        #: When to look whether everything was taken; 0: nothing is under way.
        self.recall_at = 0.0

    def is_serving(self) -> bool:
        """Whether this worker is counted on by the others: it is neither starting nor leaving."""
        return self.slot.state in (State.IDLE, State.BUSY)

    # --- a new connection ---

    def better_place(
        self, here: cython.longlong, closed: cython.longlong, now: cython.double, is_full: cython.bint
    ) -> Sibling | None:
        """Who should have a connection that was just accepted while `here` others are open and `closed` have
        ended in all; None: this worker. is_full: a request on it would have to wait for the others of this
        worker.
        """
        count: cython.longlong
        least: cython.longlong = 0
        found: Sibling | None = None
        sibling: Sibling
        queued: cython.bint = is_full or self.slot.is_queueing()
        # They come in heaps: a turn accepts several, and the next one answers them.
        self._short += (min(closed - self._closed, _HEAP) - self._short) / _MEMORY
        self._closed = closed
        self._allowance = min(_BURST, self._allowance + (now - self._allowed_at) * _RATE)
        self._allowed_at = now
        self._share = min(_MOST_SHARE, self._share + _SHARE)
        self.is_crowded = False
        if not queued and here <= _CROWD and self._short >= _MOSTLY_SHORT and self._allowance < 1.0:
            return None
        for sibling in self.others:
            count = sibling.room(self.generation, now)
            if 0 <= count < self._most and (found is None or count < least):
                found = sibling
                least = count
        if found is None or (not queued and not self._is_fuller(here, least)):
            return None
        # Once more with those that are on their way, lest all pass on to the same one at the same time.
        found = None
        for sibling in self.others:
            count = sibling.room(self.generation, now)
            if count >= 0:
                count += sibling.under_way()
                if count < self._most and (found is None or count < least):
                    found = sibling
                    least = count
        if found is None or queued:
            # Whole requests wait here, or would: whoever has none of those is freer.
            return found
        if not self._is_fuller(here, least):
            return None
        if self._short >= _MOSTLY_SHORT:
            if self._allowance >= 1.0:
                self._allowance -= 1.0
            else:
                self._share -= 1.0
        return found

    def _is_fuller(self, here: cython.longlong, least: cython.longlong) -> cython.bint:
        """Whether `here` is so much more than `least` that a connection is passed on."""
        if here <= least + least // _EXACT_PARTS:
            return False
        if self._short < _MOSTLY_SHORT or self._allowance >= 1.0:
            return True
        self.is_crowded = here > least + _CROWD + least // _CROWD_PARTS
        return self.is_crowded and self._share >= 1.0

    # --- passing on ---

    def pass_on(self, sibling: Sibling, fd: int, passed: Passed, now: float) -> bool:
        """Gives the connection `fd` to `sibling`, the descriptor stays the caller's to close; False if its
        mailbox is full.
        """
        if not sibling.mailbox.post(marshal.dumps(tuple(passed)), fd):
            return False
        if not sibling.is_watched:
            sibling.is_watched = True
            sibling.seen = sibling.neighbour.taken()
            sibling.patience = _PATIENCE
            sibling.due = now + _PATIENCE
            if not self.recall_at:
                self.recall_at = sibling.due
        return True

    def take(self) -> tuple[Passed, int] | None:
        """A connection that was passed on to this worker and its descriptor, the caller's from now on; None
        if there is none. Raises OSError when no descriptor is left.
        """
        mail = self.mailbox.take()
        if mail is None:
            return None
        self.slot.count_taken()
        return Passed(*marshal.loads(mail[0])), mail[1]

    def recall(self, now: float, is_last: bool) -> Iterator[tuple[Passed, int]]:
        """What was passed on and not taken in time, for this worker to serve; with `is_last` all that was not
        taken. Raises OSError when no descriptor is left.

        What belongs to the sibling waits for it as long as it serves.
        """
        for sibling in self.others:
            if sibling.is_watched and (is_last or now >= sibling.due):
                yield from self._recall_from(sibling, now, is_last)
        self.recall_at = min((one.due for one in self.others if one.is_watched), default=0.0)

    def _recall_from(self, sibling: Sibling, now: float, is_last: bool) -> Iterator[tuple[Passed, int]]:
        neighbour = sibling.neighbour
        left = sibling.mailbox.waiting_bytes()
        if not left:
            sibling.is_watched = False
            return
        sibling.due = now + sibling.patience
        if neighbour.taken() != sibling.seen and neighbour.is_serving(self.generation) and not is_last:
            sibling.seen = neighbour.taken()
            return
        sibling.avoid = neighbour.heartbeat()
        sibling.patience = min(_MOST_PATIENCE, sibling.patience * 2)
        sibling.due = now + sibling.patience
        # What is put back comes again behind all that was there.
        while left > 0:
            mail = sibling.mailbox.take()
            if mail is None:
                return
            left -= len(mail[0])
            passed = Passed(*marshal.loads(mail[0]))
            if passed.stays:
                if not neighbour.is_serving(self.generation):
                    passed = passed._replace(stays=False)
                elif sibling.mailbox.post(*mail):
                    close_descriptor(mail[1])
                    continue
            yield passed, mail[1]
