"""The asgi kind: ASGI applications on an event loop that watches the engine."""

from __future__ import annotations

import asyncio
import contextlib
import time
import traceback
from typing import Any, ClassVar

from indrik.engine.hosted import HostedEngine
from indrik.gateway.asgi import ASGIGateway
from indrik.gateway.http_cycle import HTTPCycle
from indrik.gateway.lifespan import Lifespan
from indrik.gateway.scope import ScopeBuilder
from indrik.gateway.task import RequestTask
from indrik.gateway.websocket import WebSocketSettings
from indrik.protocol.websocket_extensions import DeflateSettings
from indrik.scoreboard.board import Scoreboard
from indrik.scoreboard.slot import Slot
from indrik.workers.loops import check_loop, new_loop
from indrik.workers.refusals import RefusalReporter
from indrik.workers.serving import ServingWorker

#: Seconds over which the WebSockets of a worker that leaves are closed, at most.
_WEBSOCKET_SPREAD = 5.0


class ASGIWorker(ServingWorker):
    """One event loop, one task for each request in progress."""

    enforces_request_timeout: ClassVar[bool] = True
    interface: ClassVar[str] = "asgi"
    limits_routes: ClassVar[bool] = False

    _loop: Any = None

    @classmethod
    def check_config(cls, cfg: Any, log: Any) -> None:
        super().check_config(cfg, log)
        check_loop(cfg.asgi_loop)

    def run(self) -> None:
        # Only when the application has started up does it count as loaded.
        self.booted = False
        loop = new_loop(self.cfg.asgi_loop)
        asyncio.set_event_loop(loop)
        try:
            loop.run_until_complete(self.serve_on_loop())
        except SystemExit:
            # At once: what is in progress gets no answer, and no other either when its task is cancelled.
            if self.booted:
                self.engine.close()
            raise
        finally:
            _close_loop(loop)

    async def serve_on_loop(self) -> None:
        """Serve on the running loop until `alive` is false, then drain and return.

        Raises `LifespanFailed`.
        """
        self._refusals = RefusalReporter(self.log)
        self._news = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        lifespan = Lifespan(self.wsgi, self.cfg.asgi_lifespan, self.log)
        try:
            await lifespan.startup()
            await self._serve(lifespan)
        finally:
            lifespan.abandon()
            self._refusals.flush(final=True)

    def _make_gateway(self, slot: Slot, state: dict[str, Any] | None) -> ASGIGateway:
        cfg = self.cfg
        # Where an ASGI application is mounted is said by root_path; no path is outside of it.
        environs = self.make_environs(script_name="")
        return ASGIGateway(
            self.wsgi,
            ScopeBuilder(environs, cfg.root_path, state),
            environs,
            self.log,
            slot,
            self._loop,
            before=self._before_hook(),
            after=self._after_hook(),
            request_timeout=cfg.request_timeout,
            disconnect_grace=cfg.asgi_disconnect_grace_period,
            on_overdue=self._note_overdue,
            websocket=WebSocketSettings(
                max_size=cfg.websocket_max_message_size,
                ping_interval=cfg.ws_ping_interval,
                ping_timeout=cfg.ws_ping_timeout,
                deflate=DeflateSettings() if cfg.ws_per_message_deflate else None,
            ),
            most_cycles=cfg.limit_concurrency,
            queue_timeout=cfg.queue_timeout,
        )

    async def _serve(self, lifespan: Lifespan) -> None:
        self.slot = self.slot or Scoreboard(1).slots[0]
        loop = self._loop
        self.asgi_gateway = self._make_gateway(self.slot, lifespan.state)
        self.engine = self.make_engine(self.asgi_gateway, self.slot)
        self._hosted = HostedEngine(self.engine, loop, self.longest_wait, self._news.set)
        self._hosted.serve_until(self.max_requests)
        try:
            if self.wakeup_fd >= 0:
                loop.add_reader(self.wakeup_fd, self._on_signal)
            self.engine.listen(self.sockets)
            self._hosted.start()
            self.booted = True
            self.report_ready()
            while self.alive:
                await self._wait_for_news(self.longest_wait)
                self.look_after()
            give_up_at = await self._drain()
            # What runs on behind a complete response has the same time as the responses.
            await self._wait_for_requests(give_up_at - self._shutdown_time - time.monotonic())
            await self._cancel_requests()
            await lifespan.shutdown(max(0.5, give_up_at - time.monotonic()))
        finally:
            self._hosted.stop()
            self.engine.close()

    async def _wait_for_news(self, seconds: float) -> None:
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._news.wait(), max(0.0, seconds))
        self._news.clear()

    async def _drain(self) -> float:
        engine = self.engine
        give_up_at = self.begin_to_leave()
        if self.must_drain_backlog:
            while engine.accept_backlog() and time.monotonic() < give_up_at:
                self._hosted.wake()
                await self._wait_for_news(0.05)
        self.stop_listening()
        left = give_up_at - time.monotonic()
        self.asgi_gateway.close_websockets(min(_WEBSOCKET_SPREAD, left / 4))
        self._hosted.wake()
        drain_until = give_up_at - self._shutdown_time
        while engine.open_connections and (left := drain_until - time.monotonic()) > 0:
            await self._wait_for_news(min(left, self.longest_wait))
        self.note_cut()
        return give_up_at

    @property
    def _shutdown_time(self) -> float:
        """Seconds of the time for leaving that the application has to itself, for its shutdown."""
        return min(1.0, self.drain_timeout / 10)

    async def _wait_for_requests(self, seconds: float) -> None:
        """Until the tasks of all requests have ended, at most `seconds`."""
        cycles = list(self.asgi_gateway.cycles)
        if cycles and seconds > 0:
            await asyncio.wait([asyncio.ensure_future(_ended(cycle)) for cycle in cycles], timeout=seconds)

    async def _cancel_requests(self) -> None:
        """Ends the requests that are still in progress: the last thing they may do is to clean up."""
        self.asgi_gateway.close_admission()
        for cycle in list(self.asgi_gateway.cycles):
            cycle.cancel("the server is shutting down")
        await self._wait_for_requests(0.5)

    def handle_exit(self, sig: int, frame: Any) -> None:
        super().handle_exit(sig, frame)
        # The loop has a wake-up descriptor of its own. Before there is a loop, nobody waits.
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._news.set)

    def _on_signal(self) -> None:
        self.read_wakeup()
        self._news.set()

    def _note_overdue(self, cycle: HTTPCycle) -> None:
        """The stack of a request that takes longer than `request_timeout`."""
        frames = [(frame, frame.f_lineno) for frame in cycle.waiting_frames()]
        stack = "".join(traceback.StackSummary.extract(iter(frames)).format()) or "it has no stack any more"
        self.log.error(
            "REQUEST TIMEOUT: %r took longer than request_timeout (%g s); its stack:\n%s",
            cycle.request_line,
            self.cfg.request_timeout,
            stack.rstrip(),
        )


async def _ended(cycle: RequestTask) -> None:
    """Returns when the task of a request has ended, however."""
    with contextlib.suppress(BaseException):
        await cycle


def _close_loop(loop: asyncio.AbstractEventLoop) -> None:
    if not loop.is_closed() and not loop.is_running():
        for task in asyncio.all_tasks(loop):
            task.cancel()
        loop.run_until_complete(asyncio.sleep(0))
        loop.run_until_complete(loop.shutdown_asyncgens())
        asyncio.set_event_loop(None)
        loop.close()
