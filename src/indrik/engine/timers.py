"""Deadlines by kind. All entries of a kind share one delay, so a plain list in the order of arming is sorted.

Arming, re-arming and disarming are O(1); nothing is ever searched (no heap, no wheel).
"""

from __future__ import annotations

import enum
from collections import OrderedDict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from indrik.engine.connection import Connection


class TimerKind(enum.IntEnum):
    """What a connection is being waited for. A connection waits for one thing at a time."""

    FIRST_BYTE = 0
    HEAD = 1
    BODY = 2
    KEEP_ALIVE = 3
    WRITE = 4
    LINGER = 5
    DRAIN = 6


#: The timer kind of a connection that waits for nothing.
NO_TIMER = -1


class TimerQueue:
    """The connections that wait for one kind of event, the earliest deadline first.

    `delay` is in seconds; 0 means that this kind never expires.
    """

    __slots__ = ("_entries", "delay", "kind")

    def __init__(self, kind: TimerKind, delay: float) -> None:
        self.kind = kind
        self.delay = delay
        self._entries: OrderedDict[Connection, float] = OrderedDict()

    def __len__(self) -> int:
        return len(self._entries)

    def arm(self, connection: Connection, now: float) -> None:
        """Starts or restarts the wait of `connection`."""
        entries = self._entries
        entries[connection] = now + self.delay
        entries.move_to_end(connection)

    def disarm(self, connection: Connection) -> None:
        """Ends the wait of `connection`, which must be armed here."""
        del self._entries[connection]

    def next_deadline(self) -> float | None:
        """When the earliest entry expires, None if none ever does."""
        if not self.delay or not self._entries:
            return None
        return next(iter(self._entries.values()))

    def oldest(self) -> Connection | None:
        """The connection that has waited longest."""
        return next(iter(self._entries), None)

    def expired(self, now: float) -> list[Connection]:
        """The connections whose deadline has passed, still armed."""
        found = []
        if self.delay:
            for connection, deadline in self._entries.items():
                if deadline > now:
                    break
                found.append(connection)
        return found

    def connections(self) -> list[Connection]:
        """Every connection that waits here, the longest wait first."""
        return list(self._entries)
