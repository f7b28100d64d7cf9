"""`Server` and `serve`: the asgi kind in the running event loop of somebody else's process."""

from __future__ import annotations

import asyncio
import contextlib
import os
from types import TracebackType
from typing import Any

from indrik.app.loader import load_application
from indrik.config import Config
from indrik.embedding.keywords import BY_CALLER, named_settings
from indrik.errors import AppImportError, ConfigError
from indrik.log import Logger
from indrik.net.addresses import Address
from indrik.net.listeners import Listener, create_sockets
from indrik.scoreboard.layout import Recycle
from indrik.workers.gasgi import ASGIWorker
from indrik.workers.interface import WSGI, fitting_class, interface_of

#: Settings of master and worker processes, which `serve` and `Server` have none of.
_OF_PROCESSES = frozenset({
    "boot_timeout", "capture_output", "chdir", "check_config", "config", "daemon", "default_proc_name",
    "enable_stdio_inheritance", "env_file", "group", "initgroups", "max_requests", "max_requests_jitter",
    "max_worker_lifetime", "max_worker_lifetime_jitter", "max_worker_memory", "max_worker_memory_jitter",
    "paste", "pidfile", "preload_app", "print_config", "proc_name", "pythonpath", "raw_env",
    "raw_paste_global_conf", "reload", "reload_engine", "reload_extra_files", "reuse_port", "spew",
    "stop_delay", "threads", "timeout", "user", "worker_class", "worker_tmp_dir", "workers", "wsgi_app",
    "asgi_loop",
})
#: Of the hooks only these are called.
_HOOKS_OF_REQUESTS = frozenset({"pre_request", "post_request"})
_HOOKS = "Server Hooks"


async def serve(app: Any, **settings: Any) -> None:
    """Serves the ASGI application `app` in the running loop until the calling task is cancelled: then
    requests in progress are finished, for `graceful_timeout` at most.

    Raises as `Server` and its `start`.
    """
    async with Server(app, **settings) as server:
        await server.wait()


class Server:
    """Serves one ASGI application in the running event loop, from `start` to `stop`. For the loop's thread.

    An asynchronous context manager, which does both. Several in one process share the two logs. app,
    settings: as for `run`. log: the error log. Raises `ConfigError`, `TypeError` for an unknown setting,
    `AppImportError` if it is no ASGI application.
    """

    def __init__(self, app: Any, **settings: Any) -> None:
        self.cfg: Any = Config(prog="indrik")
        given = named_settings(self.cfg, settings)
        for name, value in given.items():
            row = self.cfg.settings[name].row
            if name in _OF_PROCESSES or (row.section == _HOOKS and name not in _HOOKS_OF_REQUESTS):
                raise ConfigError(
                    f"{name} concerns master and worker processes, and a server in a running event loop has "
                    "none: leave it out, or use indrik.run"
                )
            self.cfg.set(name, value, BY_CALLER)
        self.cfg.validate()
        ASGIWorker.check_routes(self.cfg)
        self.app = load_application(app, self.cfg.factory) if isinstance(app, str) else app
        if interface_of(self.app) == WSGI:
            raise AppImportError(
                "this is a WSGI application, and an event loop serves ASGI: use indrik.run, which has threads"
            )
        fitting_class(self.app, ASGIWorker, self.cfg)
        self.log: Logger = self.cfg.logger_class(self.cfg)
        for text in self.cfg.warnings:
            self.log.warning("%s", text)
        self._worker: _Guest | None = None
        self._task: asyncio.Task[None] | None = None
        self._listeners: list[Listener] = []

    async def __aenter__(self) -> Server:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    @property
    def addresses(self) -> list[Address]:
        """Where it listens: (host, port), or the path of a unix socket. With the port that came of port 0."""
        return [listener.address for listener in self._listeners]

    async def start(self) -> None:
        """Listens, has the application start up, and begins to serve.

        Raises `BindError` if an address is taken, `LifespanFailed` if the application does not start up,
        `RuntimeError` if the server was started already.
        """
        if self._task is not None:
            raise RuntimeError("a Server is started once: make another one")
        # One try: waiting for an address would hold up the loop.
        self._listeners = create_sockets(self.cfg, self.log, tries=1)
        worker = _Guest(self._listeners, self.app, self.cfg, self.log)
        self._worker = worker
        self._task = asyncio.get_running_loop().create_task(self._serve(worker), name="indrik")
        try:
            await asyncio.wait([self._task, worker.is_ready], return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            # It may wait for the application's start-up: there is nothing to finish.
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
            raise
        if not worker.is_ready.done():
            await self._task
        self.log.info("Listening at: %s", ",".join(map(str, self._listeners)))

    async def wait(self) -> None:
        """Waits until the server has stopped, and raises what has stopped it."""
        if self._task is not None:
            await asyncio.shield(self._task)

    async def stop(self) -> None:
        """Accepts nobody any more, finishes the requests in progress, for `graceful_timeout` at most, has the
        application shut down, and returns. To be cancelled while it does so changes nothing but who waits.
        """
        if self._task is None or self._worker is None:
            return
        self._worker.leave()
        await asyncio.shield(self._task)

    async def _serve(self, worker: _Guest) -> None:
        try:
            await worker.serve_on_loop()
        finally:
            for listener in self._listeners:
                listener.close(unlink=True)


class _Guest(ASGIWorker):
    """The asgi kind in somebody else's process.

    is_ready: done when it serves.
    """

    def __init__(self, listeners: list[Listener], app: Any, cfg: Config, log: Any) -> None:
        super().__init__(0, os.getppid(), listeners, None, 0.0, cfg, log)
        self.pid = os.getpid()
        self.wsgi = app
        self.is_ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    @property
    def is_orphaned(self) -> bool:
        """Whose child the process is does not matter here."""
        return False

    @property
    def must_drain_backlog(self) -> bool:
        """Nobody else serves these listeners."""
        return True

    def request_replacement(self, why: Recycle = Recycle.OWN_WISH) -> None:
        """There is nobody to ask."""

    def report_ready(self) -> None:
        """Serving."""
        super().report_ready()
        self.is_ready.set_result(None)

    def stop_listening(self) -> None:
        """The files of unix sockets go with the listeners."""
        self.engine.stop_listening()
        for listener in self.sockets:
            listener.close(unlink=True)

    def leave(self) -> None:
        """As TERM."""
        self.alive = False
        if self._loop is not None:
            self._news.set()
