"""An engine driven by an event loop of somebody else's (asyncio, uvloop): the loop watches the engine's
descriptor and its deadlines.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import cython
else:
    from indrik import uncompiled as cython

from indrik.engine.loop import Engine

#: A timer that fires this many seconds too early is kept: moving it costs more than a turn for nothing.
_SLACK = 0.002

#: `HostedEngine.serve_until` without a limit.
_NO_LIMIT = 1 << 62


class HostedEngine:
    """Turns `engine` whenever `loop` finds that it has something to do. For the loop's thread.

    longest_wait: seconds between two turns at most, for the worker's heartbeat. on_news: called when the
    limit of `serve_until` is reached, or the last connection of a worker that leaves has closed.
    """

    def __init__(
        self, engine: Engine, loop: Any, longest_wait: float, on_news: Callable[[], None]
    ) -> None:
        self.engine = engine
        self._context = engine.context
        engine.context.ownership.leave_to_one_thread()
        self._loop = loop
        self._longest_wait = longest_wait
        self._on_news = on_news
        self._limit = _NO_LIMIT
        self._timer: Any = None
        self._timer_at = 0.0
        self._is_due = False
        self._is_over = False

    def start(self) -> None:
        """Begins to turn."""
        self._context.on_wake(self.wake)
        self._loop.add_reader(self.engine.fileno(), self.turn)
        self.wake()

    def stop(self) -> None:
        """Turns no more, whatever the loop has been asked for already: it may outlive the engine."""
        self._is_over = True
        self._loop.remove_reader(self.engine.fileno())
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def serve_until(self, served: int) -> None:
        """Calls `on_news` once when `served` requests have been served in all."""
        self._limit = served

    def wake(self) -> None:
        """Has the loop turn the engine as soon as it can."""
        if not self._is_due:
            self._is_due = True
            self._loop.call_soon(self.turn)

    def turn(self) -> None:
        """One turn, without waiting, and the timer for the next."""
        context = self._context
        left: cython.double
        at: cython.double
        self._is_due = False
        if self._is_over:
            return
        context.sleeps_until = 0.0
        self.engine.turn(0.0)
        if context.served >= self._limit or (context.is_draining and not context.connections):
            self._limit = _NO_LIMIT
            self._on_news()
        left = self.engine.wait_time(self._longest_wait)
        if left <= 0.0:
            self.wake()
            return
        at = context.now + left
        if self._timer is None or at < self._timer_at - _SLACK:
            if self._timer is not None:
                self._timer.cancel()
            self._timer_at = at
            self._timer = self._loop.call_at(at, self._on_timer)
        context.sleeps_until = self._timer_at

    def _on_timer(self) -> None:
        self._timer = None
        self.turn()
