"""A worker kind of one's own: the engine driven by a foreign event loop, here one of `selectors`."""

from __future__ import annotations

import selectors
import time

from indrik.workers.serving import ServingWorker


class SelectorWorker(ServingWorker):
    """One thread. Its loop watches two descriptors: that of the engine, and that by which signals wake it.

    Whatever else should happen in the same loop is registered with `self.loop`, with a callable as data.
    """

    def serve(self) -> None:
        with selectors.DefaultSelector() as self.loop:
            self.loop.register(self.wakeup_fd, selectors.EVENT_READ, self.read_wakeup)
            self.loop.register(self.engine.fileno(), selectors.EVENT_READ, self._engine_is_ready)
            self.engine.listen(self.sockets)
            try:
                while self.alive:
                    self._turn(self.longest_wait)
                    self.look_after()
                self._drain()
            finally:
                self.engine.close()

    def _turn(self, most: float) -> None:
        """Waits at most `most` seconds, less if one of the engine's deadlines is nearer."""
        for key, _ in self.loop.select(self.engine.wait_time(most)):
            key.data()
        # Also when nothing was readable: deadlines pass in here, and the worker says that it is alive.
        self.engine.turn(0)

    def _engine_is_ready(self) -> None:
        """Nothing to do here: `_turn` lets the engine turn in any case."""

    def _drain(self) -> None:
        """The last thing a worker does: nobody who has connected is lost, and nobody keeps it for ever."""
        give_up_at = self.begin_to_leave()
        if self.must_drain_backlog:
            while self.engine.accept_backlog() and time.monotonic() < give_up_at:
                self._turn(self.longest_wait)
        self.stop_listening()
        while self.engine.open_connections and (left := give_up_at - time.monotonic()) > 0:
            self._turn(min(left, self.longest_wait))
        self.note_cut()
