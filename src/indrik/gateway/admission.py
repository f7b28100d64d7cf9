"""How many requests are in progress at once, and the queue of those beyond (the setting `limit_concurrency`).

A connection that is idle, or sends the head of its request, is none of them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection
from typing import Any

from indrik.engine.exchange import Exchange
from indrik.protocol.refusals import QueueTimedOut


class Admission:
    """Lets `most` requests be in progress; the others wait in order. For the loop's thread.

    queue_timeout: seconds that one may wait before it is answered 503, 0 for any time. in_progress: of
    whoever answers requests, who calls `note_ended` when it has become less. begin: begins to answer one.
    """

    def __init__(
        self,
        most: int,
        queue_timeout: float,
        loop: Any,
        in_progress: Collection[Any],
        begin: Callable[[Exchange], None],
    ) -> None:
        self._most = most
        self._queue_timeout = queue_timeout
        self._loop = loop
        self._in_progress = in_progress
        self._begin = begin
        self._queue: deque[Exchange] = deque()
        self._is_due = False
        self._timer: Any = None

    @property
    def waiting(self) -> int:
        """How many requests wait."""
        return len(self._queue)

    def admits(self) -> bool:
        """Whether a request that comes now may begin."""
        return not self._queue and len(self._in_progress) < self._most

    def hold(self, exchange: Exchange) -> None:
        """Keeps `exchange` until its turn comes, or its time is over."""
        self._queue.append(exchange)
        if self._queue_timeout and self._timer is None:
            self._timer = self._loop.call_at(exchange.arrived_at + self._queue_timeout, self._expire)

    def note_ended(self) -> None:
        """A request has ended. The next begins in a turn of its own: this may be inside of a task."""
        if self._queue and not self._is_due:
            self._is_due = True
            self._loop.call_soon(self._admit)

    def close(self) -> None:
        """Forgets who waits; their connections are closed by whoever calls this."""
        self._queue.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _admit(self) -> None:
        self._is_due = False
        while self._queue and len(self._in_progress) < self._most:
            exchange = self._queue.popleft()
            if exchange.channel.is_closed:
                # Nobody would get the answer.
                exchange.close_body()
            else:
                self._begin(exchange)

    def _expire(self) -> None:
        self._timer = None
        now = self._loop.time()
        while self._queue:
            exchange = self._queue[0]
            at = exchange.arrived_at + self._queue_timeout
            if at > now and not exchange.channel.is_closed:
                self._timer = self._loop.call_at(at, self._expire)
                return
            self._queue.popleft()
            exchange.close_body()
            if not exchange.channel.is_closed:
                detail = (
                    f"{self._most} requests were in progress for {self._queue_timeout:g} s "
                    f"({exchange.request.line!r})"
                )
                exchange.refuse(QueueTimedOut(detail))
