"""Whole requests that wait until there is room for them in their route, in any worker. Where nothing is
limited by route, the engine has none.

No thread, greenlet or loop waits with them: the loop looks after them between its events.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Callable
from operator import attrgetter

from indrik.engine.exchange import Exchange
from indrik.engine.timers import NEVER
from indrik.protocol.refusals import RouteBusy

#: Seconds between two looks at what other workers have given back. What this one gives back is seen at once.
_LOOK = 0.005

#: Seconds between two looks at which of those that wait are gone.
_SWEEP = 1.0

_arrival = attrgetter("arrived_at")


class WaitingRoom:
    """For whoever holds the engine's ownership.

    timeout: seconds that a request may wait, 0 for any time. count_free: how many more requests of a route
    may begin now; it may be wrong, for other workers decide too. length: how many wait. look_at: when `take`
    has something to do, in monotonic seconds.
    """

    def __init__(self, timeout: float, count_free: Callable[[str], int]) -> None:
        self.length = 0
        self.look_at = NEVER
        self._timeout = timeout
        self._count_free = count_free
        #: By route, in the order in which they arrived.
        self._waiting: dict[str, list[Exchange]] = {}
        #: How many were given out since the last look: some may not have begun yet.
        self._given_out: dict[str, int] = {}
        self._sweep_at = 0.0

    def put(self, exchange: Exchange, route: str, now: float) -> None:
        """Lets `exchange` wait; one that has waited before gets its old place."""
        insort(self._waiting.setdefault(route, []), exchange, key=_arrival)
        self.length += 1
        self.look_at = min(self.look_at, now + _LOOK)

    def awaits(self, route: str) -> bool:
        """Whether anybody waits for `route`."""
        return bool(self._waiting.get(route))

    def nudge(self) -> None:
        """There may be room: has `take` look."""
        if self.length:
            self.look_at = 0.0
            self._given_out.clear()

    def take(self, now: float) -> Exchange | None:
        """The next request that should be given to the handler, None when there is none for now. Refuses
        those that have waited too long.
        """
        if now < self.look_at:
            return None
        for route, waiting in self._waiting.items():
            while waiting:
                exchange = waiting[0]
                if exchange.channel.is_closed:
                    exchange.close_body()
                elif self._timeout and exchange.arrived_at + self._timeout <= now:
                    self._turn_away(exchange, route)
                elif self._given_out.get(route, 0) < self._count_free(route):
                    self._given_out[route] = self._given_out.get(route, 0) + 1
                    self._remove_first(waiting)
                    return exchange
                else:
                    break
                self._remove_first(waiting)
        if now >= self._sweep_at:
            self._sweep(now)
        self._given_out.clear()
        self.look_at = now + _LOOK if self.length else NEVER
        return None

    def _remove_first(self, waiting: list[Exchange]) -> None:
        waiting.pop(0)
        self.length -= 1

    def _turn_away(self, exchange: Exchange, route: str) -> None:
        exchange.close_body()
        exchange.turn_away(
            RouteBusy(f"no room for {self._timeout:g} s in the route {route!r} ({exchange.request.line!r})")
        )

    def _sweep(self, now: float) -> None:
        """Lets go of those in the middle whose connection broke: nobody would get the answer."""
        self._sweep_at = now + _SWEEP
        for waiting in self._waiting.values():
            gone = [exchange for exchange in waiting if exchange.channel.is_closed]
            if gone:
                waiting[:] = [exchange for exchange in waiting if not exchange.channel.is_closed]
                self.length -= len(gone)
                for exchange in gone:
                    exchange.close_body()
