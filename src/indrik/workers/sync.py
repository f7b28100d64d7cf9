"""The sync kind: the engine's own loop, the application called inline, one request at a time."""

from __future__ import annotations

import ipaddress
import os
import sys
import time
from typing import Any

from indrik import __version__
from indrik.engine.loop import Engine
from indrik.engine.settings import EngineSettings
from indrik.gateway.environ import EnvironBuilder, EnvironSettings, default_script_name
from indrik.gateway.errors_stream import ErrorsStream
from indrik.gateway.wsgi import WSGIGateway
from indrik.scoreboard import Recycle, Scoreboard, Slot, State
from indrik.workers.base import Worker
from indrik.workers.refusals import RefusalReporter

#: Trust decisions kept, one a client address.
_PEERS_KEPT = 4096


class SyncWorker(Worker):
    """One thread that polls, parses, calls the application and sends.

    A slow client holds a connection and nothing else: the application is called when the request is whole,
    and what the client does not read is buffered.
    """

    def run(self) -> None:
        slot = self.slot or Scoreboard(1).slots[0]
        refusals = RefusalReporter(self.log)
        gateway = self._gateway(slot)
        engine = Engine(
            EngineSettings.from_config(self.cfg),
            gateway,
            slot,
            _Trust(self.cfg.forwarded_allow_ips, self.cfg.forwarded_allow_networks()),
            refusals,
            _Trust(self.cfg.proxy_allow_ips, self.cfg.proxy_allow_networks()),
        )
        self._engine = engine
        engine.watch(self.wakeup_fd, self._on_signal)
        engine.listen(self.sockets)
        try:
            while self.alive:
                engine.run(self._wait(), self._next_limit(engine.served))
                self.nr = engine.served
                if self.nr >= self.max_requests:
                    self.request_replacement(Recycle.MAX_REQUESTS)
                refusals.flush()
                if self.is_orphaned:
                    self.log.info("Parent changed, shutting down: %s", self)
                    self.alive = False
            self._drain(engine, slot)
        finally:
            refusals.flush(final=True)
            engine.close()

    def _wait(self) -> float:
        """Seconds that a turn may wait: short enough for the heartbeat and for noticing that the master is
        gone.
        """
        return min(1.0, self.timeout) if self.timeout else 1.0

    def _next_limit(self, served: int) -> int:
        """How many served requests in all end the next run of the engine."""
        return self.max_requests if served < self.max_requests else sys.maxsize

    def _drain(self, engine: Engine, slot: Slot) -> None:
        slot.state = State.DRAINING
        give_up_at = time.monotonic() + self.drain_timeout
        engine.drain()
        if self.must_drain_backlog:
            while engine.accept_backlog() and time.monotonic() < give_up_at:
                engine.turn(self._wait())
        engine.stop_listening()
        for listener in self.sockets:
            listener.close(unlink=False)
        while engine.open_connections and (left := give_up_at - time.monotonic()) > 0:
            engine.turn(min(left, self._wait()))
        if engine.open_connections:
            self.log.warning(
                "%d connections were still open after graceful_timeout (%s s) and are cut",
                engine.open_connections,
                self.cfg.graceful_timeout,
            )

    def _gateway(self, slot: Slot) -> WSGIGateway:
        cfg = self.cfg
        environs = EnvironBuilder(
            EnvironSettings(
                software=f"indrik/{__version__}",
                errors=ErrorsStream(self.log),
                multithread=False,
                multiprocess=cfg.workers > 1,
                script_name=default_script_name(),
                secure_scheme_headers=cfg.secure_scheme_headers,
                forwarded=cfg.forwarded,
            )
        )
        return WSGIGateway(
            self.wsgi,
            environs,
            self.log,
            slot,
            uses_sendfile=cfg.sendfile,
            before=self._before_hook(),
            after=self._after_hook(),
        )

    def _before_hook(self) -> Any:
        hook = self.cfg.pre_request
        if self.cfg.settings["pre_request"].is_default:
            return None
        return lambda request: hook(self, request)

    def _after_hook(self) -> Any:
        hook = self.cfg.post_request
        if self.cfg.settings["post_request"].is_default:
            return None

        def after(request: Any, environ: Any, response: Any) -> None:
            try:
                hook(self, request, environ, response)
            except Exception:
                self.log.exception("Exception in post_request hook")

        return after

    def _on_signal(self) -> None:
        """A signal arrived; its handler has run or runs now, because this is Python code."""
        self._engine.interrupt()
        try:
            while os.read(self.wakeup_fd, 512):
                pass
        except BlockingIOError:
            pass


class _Trust:
    """Whether a peer is in one of the lists of addresses. A unix socket's peer always is, as in Gunicorn."""

    def __init__(self, words: list[str], networks: list[Any]) -> None:
        self._trusts_all = "*" in words
        self._networks = networks
        self._known: dict[str, bool] = {}

    def __call__(self, peer: tuple[str, int] | None) -> bool:
        if peer is None or self._trusts_all:
            return True
        host = peer[0]
        known = self._known.get(host)
        if known is None:
            address = ipaddress.ip_address(host.partition("%")[0])
            known = any(address in network for network in self._networks)
            if len(self._known) < _PEERS_KEPT:
                self._known[host] = known
        return known
