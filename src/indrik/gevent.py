"""indrik in a program of one's own on gevent: a server that runs in the program's hub.

    from indrik.gevent import WSGIServer
    WSGIServer(("", 8000), application).serve_forever()
"""

from __future__ import annotations

import datetime
import logging
import os
import socket
import sys
from collections.abc import Mapping
from typing import Any

import gevent

from indrik.config import Config
from indrik.gateway.route_rules import find_rules
from indrik.net.listeners import Listener
from indrik.workers.ggevent import GeventWorker


class HubLog:
    """What the server has to say, for the program's own logging. What the application raises goes to the hub,
    as gevent's own servers do it.

    Subclasses may set `access_enabled` and define `access`.
    """

    access_enabled = False

    def __init__(self, logger: logging.Logger) -> None:
        self._logger = logger

    def __getattr__(self, name: str) -> Any:
        # debug, info, warning, error, critical
        return getattr(self._logger, name)

    def exception(self, msg: str, *args: Any) -> None:
        """An error, with the exception that is being handled."""
        gevent.get_hub().handle_error(msg % args, *sys.exc_info())

    def access(self, resp: Any, req: Any, environ: Any, request_time: datetime.timedelta) -> None:
        """A request was answered."""


class WSGIServer:
    """Serves `application` on `listener`: an address (host, port), or a socket that listens.

    settings: of indrik, by name. log: gets the server's lines. For greenlets of one hub. Signals, the
    environment and the standard library are left alone.
    """

    def __init__(
        self,
        listener: tuple[str, int] | socket.socket,
        application: Any,
        *,
        settings: Mapping[str, Any] | None = None,
        log: HubLog | None = None,
    ) -> None:
        self.application = application
        self._log = log or HubLog(logging.getLogger("indrik.error"))
        self._cfg = Config()
        for name, value in (settings or {}).items():
            self._cfg.set(name, value)
        self._asked = listener
        self._worker: GeventWorker | None = None
        self._greenlet: Any = None
        #: Where it listens, once started: as `socket.getsockname` says it.
        self.address: Any = None

    @property
    def started(self) -> bool:
        """Whether it serves."""
        return self._greenlet is not None and not self._greenlet.dead

    @property
    def server_host(self) -> str:
        """The host's address that it listens at."""
        return str(self.address[0])

    @property
    def server_port(self) -> int:
        """The port that it listens at."""
        return int(self.address[1])

    def start(self) -> None:
        """Listens, and serves from now on. Raises OSError as bind(2) does, and `ConfigError` for `routes`
        that the application does not have.
        """
        if self.started:
            return
        routes = self._cfg.routes
        rules = find_rules(self.application, routes, self._log) if routes else None
        asked = self._asked
        if isinstance(asked, tuple):
            family = socket.AF_INET6 if ":" in asked[0] else socket.AF_INET
            sock = socket.create_server(asked, family=family, backlog=self._cfg.backlog)
        else:
            sock = asked
        sock.setblocking(False)
        listener = Listener(sock)
        self.address = sock.getsockname()
        worker = GeventWorker(1, os.getppid(), [listener], None, 0.0, self._cfg, self._log)
        worker.pid = os.getpid()
        worker.wsgi = self.application
        worker.rules = rules
        self._worker = worker
        self._greenlet = gevent.spawn(worker.run)

    def stop(self, timeout: float | None = None) -> None:
        """Accepts nobody any more, and returns when the requests in progress have ended, those that have not
        within `timeout` seconds (None: `graceful_timeout`) being cut.
        """
        worker = self._worker
        if worker is not None and self.started:
            worker.leave(timeout)
            self._greenlet.get()

    def serve_forever(self) -> None:
        """Serves until `stop` is called by another greenlet. Raises what the application raised to end it."""
        self.start()
        self._greenlet.get()
