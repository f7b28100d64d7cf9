"""The sync kind: the engine's own loop, the application called inline, one request at a time."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any, ClassVar

from indrik.engine.context import RefusalRecord
from indrik.engine.exchange import Exchange, Handler
from indrik.workers.later_lines import LaterLines
from indrik.workers.refusals import RefusalReporter
from indrik.workers.serving import ServingWorker

if TYPE_CHECKING:
    from indrik.workers.deadlines import TimedHandler


class SyncWorker(ServingWorker):
    """One thread that polls, parses, calls the application and sends.

    A slow client holds a connection and nothing else: the application is called when the request is whole,
    and what the client does not read is buffered.
    """

    enforces_request_timeout: ClassVar[bool] = True

    _timed: TimedHandler | None = None

    def make_handler(self, gateway: Handler) -> Handler:
        if not self.shortest_timeout:
            return gateway
        # While it calls the application it gives no sign of life. Told here, because the master does not know
        # yet of which kind the application is where nobody has set one.
        if self.cfg.timeout and self.cfg.request_timeout >= self.cfg.timeout:
            self.log.warning(
                "request_timeout is %g s, but timeout ends a sync worker after %g s: raise timeout above it",
                self.cfg.request_timeout,
                self.cfg.timeout,
            )
        # Imported late: most servers do without.
        from indrik.workers.deadlines import TimedHandler

        # Written by the thread that watches the time; the main one may be in the application.
        self._lines = LaterLines(lambda: None)
        self._timed = TimedHandler(
            gateway,
            self.usual_timeout,
            self.shortest_timeout,
            self._on_overdue,
            self._on_stuck,
            self._lines.write_all,
        )
        return self._timed

    def refusal_sink(self, reporter: RefusalReporter) -> Any:
        if self._timed is None:
            return reporter
        main = threading.get_ident()

        def note(record: RefusalRecord) -> None:
            if threading.get_ident() == main:
                reporter(record)
            else:
                self._lines.put(reporter, record)

        return note

    def serve(self) -> None:
        engine = self.engine
        if self._timed is not None:
            self._timed.start(engine.context.ownership)
        engine.watch(self.wakeup_fd, self._on_signal)
        engine.listen(self.sockets)
        try:
            while self.alive:
                engine.run(self.longest_wait, self.next_limit)
                self.look_after()
            self._drain()
        finally:
            if self._timed is not None:
                self._timed.stop()
            engine.close()

    def _drain(self) -> None:
        engine = self.engine
        give_up_at = self.begin_to_leave()
        if self.must_drain_backlog:
            while engine.accept_backlog() and time.monotonic() < give_up_at:
                engine.turn(self.longest_wait)
        self.stop_listening()
        while engine.open_connections and (left := give_up_at - time.monotonic()) > 0:
            engine.turn(min(left, self.longest_wait))
        self.note_cut()

    def _on_signal(self) -> None:
        """A signal arrived."""
        self.engine.interrupt()
        self.read_wakeup()

    def _on_overdue(self, exchange: Exchange) -> None:
        self.log_overdue(self._lines, exchange, threading.main_thread().ident or 0, "MainThread")

    def _on_stuck(self, exchange: Exchange) -> None:
        self.replace_stuck("MainThread")
