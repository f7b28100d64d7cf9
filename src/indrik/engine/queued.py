"""Whole requests that wait until the application has room for them, first come, first served."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import cython
else:
    from indrik import uncompiled as cython

from indrik.engine.exchange import Exchange
from indrik.engine.timers import NEVER
from indrik.protocol.refusals import QueueTimedOut
from indrik.scoreboard.slot import Slot


class RequestQueue:
    """For whoever holds the engine's ownership.

    timeout: seconds that a request may wait, 0 for any time. lacking: what there is too little of, for the
    log. slot: of the worker; siblings do not pass clients on to one where requests wait. length: how many
    wait.
    """

    def __init__(self, timeout: float, lacking: str, slot: Slot | None = None) -> None:
        self.length = 0
        self.slot = slot
        self._timeout = timeout
        self._lacking = lacking
        self._waiting: deque[Exchange] = deque()

    def put(self, exchange: Exchange) -> None:
        """Adds the newest."""
        self._waiting.append(exchange)
        self.length += 1
        if self.slot is not None:
            self.slot.note_queued(self.length)

    def take(self) -> Exchange:
        """Removes the oldest. Raises `IndexError` if there is none."""
        exchange: Exchange = self._waiting.popleft()
        self.length -= 1
        if self.slot is not None:
            self.slot.note_queued(self.length)
        return exchange

    def expire(self, now: cython.double) -> cython.double:
        """Refuses what has waited too long; when the next one will have, `NEVER` if none waits."""
        exchange: Exchange
        due: cython.double
        if not self._timeout:
            return NEVER
        while self.length:
            exchange = self._waiting[0]
            due = exchange.arrived_at + self._timeout
            if due > now:
                return due
            self.take()
            exchange.close_body()
            exchange.turn_away(
                QueueTimedOut(
                    f"no {self._lacking} was free for {self._timeout:g} s ({exchange.request.line!r})"
                )
            )
        return NEVER
