"""The gevent kind: a greenlet for each request in progress, none for a connection that is idle."""

from __future__ import annotations

import _thread
import time
import traceback
from collections import deque
from types import FrameType
from typing import TYPE_CHECKING, Any, ClassVar

from indrik.engine.context import RefusalRecord
from indrik.engine.exchange import Exchange, Handler
from indrik.engine.greenlets import Greenlets
from indrik.engine.originals import original
from indrik.engine.waiting import Waiting
from indrik.workers import patching
from indrik.workers.refusals import RefusalReporter
from indrik.workers.serving import ServingWorker

if TYPE_CHECKING:
    from indrik.workers.hub import HubHost, HubWaiting

#: Seconds that requests have to end by themselves after they were told that their worker ends.
_LAST_GRACE = 0.2


class GeventWorker(ServingWorker):
    """gevent's hub watches the engine. The main greenlet looks after signals, the log and the master.

    Nothing that may wait is done in the hub's own callbacks: what the engine refuses is written to the log by
    the main greenlet, and so are signals handled there.
    """

    is_multithreaded: ClassVar[bool] = True
    enforces_request_timeout: ClassVar[bool] = True

    _host: HubHost
    _waiting: HubWaiting
    # None until the worker runs: then handlers leave to the main greenlet what may wait.
    _news: Any = None
    _granted: float | None = None

    @classmethod
    def check_config(cls, cfg: Any, log: Any) -> None:
        super().check_config(cfg, log)
        patching.check_gevent()
        patching.share_libraries(cfg)

    @classmethod
    def prepare_process(cls, cfg: Any, log: Any, owner: Any) -> None:
        patching.prepare_process(cfg, owner)

    def run(self) -> None:
        self.booted = False
        # Imported late: the master, which imports this module, keeps clear of gevent.
        import gevent
        from gevent.event import Event

        from indrik.workers.hub import HubHost, HubWaiting

        self._host = HubHost()
        self._waiting = HubWaiting()
        self._lines: deque[tuple[Any, ...]] = deque()
        self._news = Event()
        # A Timeout that the application let escape, and a request that was killed: their requests fail.
        self.failures = (gevent.Timeout, gevent.GreenletExit)
        super().run()

    def start_reloader(self) -> None:
        # A real thread, which gevent's is not: it looks at many files, and watchfiles waits in C.
        original(_thread, "start_new_thread")(self.reloader.run, ())

    # --- parts of the engine ---

    def make_handler(self, gateway: Handler) -> Handler:
        self._crowd = Greenlets(
            gateway,
            self._host,
            min(self.cfg.worker_greenlets, self.cfg.limit_concurrency or self.cfg.worker_greenlets),
            self.cfg.queue_timeout,
            self.longest_wait,
            self._news.set,
            self._waiting.tell_departed,
        )
        self._waiting.serve(self._crowd)
        return self._crowd

    def make_waiting(self) -> Waiting:
        return self._waiting

    def refusal_sink(self, reporter: RefusalReporter) -> Any:
        def note(record: RefusalRecord) -> None:
            self._note(reporter, record)

        return note

    def access_sink(self) -> Any:
        def note(*line: Any) -> None:
            self._note(self.log.access, *line)

        return note

    def _note(self, write: Any, *arguments: Any) -> None:
        """Has the main greenlet call `write`, which may wait for the log."""
        self._lines.append((write, *arguments))
        self._news.set()

    # --- serving ---

    def leave(self, seconds: float | None) -> None:
        """End as after TERM, within `seconds` (None: `graceful_timeout`). For other greenlets of its hub."""
        self.alive = False
        self._granted = seconds
        if self._news is not None:
            self._news.set()

    @property
    def drain_timeout(self) -> float:
        return super().drain_timeout if self._granted is None else self._granted

    def serve(self) -> None:
        crowd = self._crowd
        if self.shortest_timeout:
            crowd.limit_requests(self.usual_timeout, self._note_overdue)
        crowd.serve_until(self.max_requests)
        self._host.watch(self.engine.fileno(), crowd.turn)
        if self.wakeup_fd >= 0:
            self._host.watch(self.wakeup_fd, self._on_signal)
        self.engine.listen(self.sockets)
        crowd.start(self.engine)
        try:
            while self.alive:
                self._wait(self.longest_wait)
                self.look_after()
            self._drain()
        finally:
            self._host.close()
            self.engine.close()

    def _wait(self, seconds: float) -> None:
        """Until a signal or the engine has news. What the application raised to end the worker ends it
        here.
        """
        self._news.wait(max(0.0, seconds))
        self._news.clear()
        while self._lines:
            write, *arguments = self._lines.popleft()
            write(*arguments)
        if self._crowd.failure is not None:
            raise self._crowd.failure

    def _drain(self) -> None:
        engine = self.engine
        crowd = self._crowd
        give_up_at = self.begin_to_leave()
        if self.must_drain_backlog:
            while engine.accept_backlog() and time.monotonic() < give_up_at:
                # A connection that closes makes room.
                self._wait(0.05)
        self.stop_listening()
        while engine.open_connections or not crowd.is_at_rest:
            left = give_up_at - time.monotonic()
            if left <= 0:
                self.note_cut()
                self._end_requests()
                break
            self._wait(min(left, self.longest_wait))
        self._wait(0.0)

    def _end_requests(self) -> None:
        """What is still in progress gets a moment for its `finally` clauses."""
        import gevent

        self._crowd.end_all(gevent.GreenletExit)
        give_up_at = time.monotonic() + min(_LAST_GRACE, self.cfg.graceful_timeout)
        while self._crowd.in_progress and (left := give_up_at - time.monotonic()) > 0:
            self._wait(left)

    def note_deadline(self, exchange: Exchange) -> None:
        self._crowd.move_deadline(exchange)

    def _note_overdue(self, exchange: Exchange, greenlet: Any) -> None:
        """The stack of a request that takes longer than `request_timeout`."""
        frame = greenlet.gr_frame
        stack = "".join(traceback.format_stack(frame)) if frame is not None else "it has no stack\n"
        self._note(
            self.log.error,
            "REQUEST TIMEOUT: %r took longer than %s; the stack of its greenlet:\n%s",
            exchange.request.line,
            self.name_timeout(exchange),
            stack.rstrip(),
        )

    # --- signals: Python runs their handlers wherever it is, also in the hub, where nothing may wait ---

    def _on_signal(self) -> None:
        self.read_wakeup()
        self._news.set()

    def handle_quit(self, sig: int, frame: FrameType | None) -> None:
        """QUIT and INT: end now. Done by the main greenlet."""
        if self._news is None:
            super().handle_quit(sig, frame)
        else:
            self._note(super().handle_quit, sig, frame)

    def handle_usr1(self, sig: int, frame: FrameType | None) -> None:
        """USR1: reopen log files. Done by the main greenlet."""
        if self._news is None:
            super().handle_usr1(sig, frame)
        else:
            self._note(super().handle_usr1, sig, frame)

    def handle_winch(self, sig: int, frame: FrameType | None) -> None:
        """WINCH: the size of a terminal is nothing to a worker, and not worth a line that may wait."""
