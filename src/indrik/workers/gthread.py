"""The gthread kind: several threads on one engine, for applications that block."""

from __future__ import annotations

import contextlib
import os
import select
import time
from functools import partial
from types import FrameType
from typing import Any, ClassVar

from indrik.engine.crew import Crew, Member
from indrik.engine.exchange import Exchange
from indrik.workers.later_lines import LaterLines
from indrik.workers.refusals import RefusalReporter
from indrik.workers.serving import ServingWorker


class ThreadWorker(ServingWorker):
    """`threads` threads that call the application, one more that reads and parses while all of them are
    inside, and the main thread, which only looks after signals, the master, and what is logged with the
    ownership held: it may wait for the log while the others serve.
    """

    is_multithreaded: ClassVar[bool] = True
    enforces_request_timeout: ClassVar[bool] = True

    _is_serving = False
    _quit_by: int | None = None

    def run(self) -> None:
        self._lines = LaterLines(self._wake_main)
        super().run()

    def refusal_sink(self, reporter: RefusalReporter) -> Any:
        return partial(self._lines.put, reporter)

    def serve(self) -> None:
        self._crew = Crew(
            self.engine,
            self.gateway,
            min(self.cfg.threads, self.cfg.limit_concurrency or self.cfg.threads),
            self.cfg.queue_timeout,
            self.longest_wait,
            self._wake_main,
        )
        if self.shortest_timeout:
            self._crew.limit_requests(self.usual_timeout, self._note_overdue, self._note_stuck)
        self._crew.serve_until(self.max_requests)
        self.engine.listen(self.sockets)
        self._crew.start()
        self._is_serving = True
        try:
            while self.alive:
                self._wait(self.longest_wait)
                self.look_after()
            self._drain()
        finally:
            self._crew.stop()
            self._lines.write_all()

    def _wait(self, seconds: float) -> None:
        """Until a signal or the crew has news, or lines wait to be written. What the application raised to
        end the worker ends it here, and so does QUIT.
        """
        # Not by select(2), whose numbers end at 1023.
        poller = select.poll()
        poller.register(self.wakeup_fd, select.POLLIN)
        poller.poll(max(0.0, seconds) * 1000.0)
        self.read_wakeup()
        if self._quit_by is not None:
            super().handle_quit(self._quit_by, None)
        self._lines.write_all()
        shortage = self._crew.shortage
        if shortage is not None:
            self._crew.shortage = None
            self.log.error(
                "Of %d threads only %d can be had (%s); raise the limit on processes, or lower threads",
                self.cfg.threads + 1,
                len(self._crew.members),
                shortage,
            )
        if self._crew.failure is not None:
            raise self._crew.failure

    def _wake_main(self) -> None:
        # A full pipe wakes it just as well.
        with contextlib.suppress(BlockingIOError):
            os.write(self.PIPE[1], b"\0")

    def handle_quit(self, sig: int, frame: FrameType | None) -> None:
        """QUIT and INT: end now, as soon as the main thread does not have the ownership. Python runs this
        between any two instructions, and an ownership that was lost in between would be waited for at the
        end.
        """
        if self._is_serving:
            self._quit_by = sig
            self._wake_main()
        else:
            super().handle_quit(sig, frame)

    def _drain(self) -> None:
        engine = self.engine
        crew = self._crew
        with crew.owned():
            give_up_at = self.begin_to_leave()
        if self.must_drain_backlog:
            while True:
                with crew.owned():
                    more = engine.accept_backlog()
                if not more or time.monotonic() >= give_up_at:
                    break
                # A connection that closes makes room, and only the crew knows when.
                self._wait(0.05)
        with crew.owned():
            self.stop_listening()
        while True:
            with crew.owned():
                if not engine.open_connections and crew.is_at_rest:
                    return
            left = give_up_at - time.monotonic()
            if left <= 0:
                break
            self._wait(min(left, self.longest_wait))
        with crew.owned():
            self.note_cut()

    # --- requests that take too long ---

    def note_deadline(self, exchange: Exchange) -> None:
        with self._crew.owned():
            # Whoever waits for events wakes up on leaving this, and waits no longer than until the deadline.
            pass

    def _note_overdue(self, member: Member) -> None:
        assert member.exchange is not None
        self.log_overdue(self._lines, member.exchange, member.ident, f"indrik-{member.number}")

    def _note_stuck(self, member: Member) -> None:
        self._lines.put(self.replace_stuck, f"indrik-{member.number}")
