"""Pings to the clients of open WebSockets, and the end of those that do not answer (RFC 6455 section
5.5.2).
"""

from __future__ import annotations

import math
from typing import Any

from indrik.gateway.websocket import WebSocketCycle, WebSocketSettings

#: Seconds between two looks: one timer serves all connections, and none is pinged later than this.
_STEP = 1.0


class PingSchedule:
    """When each open WebSocket is pinged, or must have answered. For the loop's thread."""

    def __init__(self, settings: WebSocketSettings, loop: Any) -> None:
        self._interval = settings.ping_interval
        self._timeout = settings.ping_timeout
        self._loop = loop
        # By the second of the loop's clock in which they are due: a heap would take memory for each.
        self._due: dict[int, list[WebSocketCycle]] = {}
        self._is_running = False

    def add(self, cycle: WebSocketCycle) -> None:
        """Pings `cycle` from now on, until it is closed."""
        if not self._interval:
            return
        self._schedule(self._loop.time() + self._interval, cycle)
        if not self._is_running:
            self._is_running = True
            self._loop.call_later(_STEP, self._look)

    def _schedule(self, at: float, cycle: WebSocketCycle) -> None:
        self._due.setdefault(math.ceil(at), []).append(cycle)

    def _look(self) -> None:
        now = self._loop.time()
        for second in sorted(self._due):
            if second > now:
                break
            for cycle in self._due.pop(second):
                if cycle.is_open:
                    self._look_at(cycle, now)
        self._is_running = bool(self._due)
        if self._is_running:
            self._loop.call_later(_STEP, self._look)

    def _look_at(self, cycle: WebSocketCycle, now: float) -> None:
        next_ping = cycle.pinged_at + self._interval
        if not cycle.is_silent() and next_ping > now:
            self._schedule(next_ping, cycle)
        elif not cycle.is_silent():
            cycle.ping()
            self._schedule(now + (self._timeout or self._interval), cycle)
        elif self._timeout and now - cycle.pinged_at >= self._timeout:
            cycle.drop()
        else:
            self._schedule(now + _STEP, cycle)
