"""`run_simple` with Werkzeug's signature, on indrik: a program changes its import."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Iterable, Mapping
from typing import Any

from werkzeug.middleware.shared_data import SharedDataMiddleware

from indrik.app.base import BaseApplication
from indrik.errors import ConfigError
from indrik.ext.debugger import MOST_WORKERS, ONLY_LOCAL, PinGuard, SharedDebugger, is_local
from indrik.ext.script_reloader import RESTART, RUNS_MAIN, SERVER_FD, Watch, supervise
from indrik.ext.werkzeug_environ import SingleWorker, ThreadedWorker

#: Threads when `threaded` is true, where Werkzeug starts one for each connection.
THREADS = 32


class ScriptApplication(BaseApplication):
    """An application that the program has made, and the settings that go with it.

    evalex: for the debugger, whether it runs code; None for no debugger.
    """

    def __init__(self, application: Any, settings: Mapping[str, Any], evalex: bool | None) -> None:
        self.application = application
        self.own_settings = settings
        self.evalex = evalex
        self.debugs = evalex is not None
        self._guard = PinGuard() if self.debugs else None
        super().__init__(prog="run_simple")

    def load_config(self) -> None:
        for name, value in self.own_settings.items():
            self.cfg.set(name, value, "run_simple")

    def load(self) -> Any:
        if self._guard is None:
            return self.application
        # In the worker, where the log is that the PIN goes to.
        return SharedDebugger(self.application, self._guard, bool(self.evalex))


def run_simple(
    hostname: str,
    port: int,
    application: Any,
    use_reloader: bool = False,
    use_debugger: bool = False,
    use_evalex: bool = True,
    extra_files: Iterable[str] | None = None,
    exclude_patterns: Iterable[str] | None = None,
    reloader_interval: float = 1,
    reloader_type: str = "auto",
    threaded: bool = False,
    processes: int = 1,
    request_handler: type | None = None,
    static_files: dict[str, str | tuple[str, str]] | None = None,
    passthrough_errors: bool = False,
    ssl_context: Any = None,
) -> None:
    """Serve `application` until the process is told to stop. The arguments are those of
    `werkzeug.serving.run_simple`, with these differences:

    - use_debugger: only where nobody but this machine can connect.
    - threaded: so many requests at once as THREADS. processes: so many, always.
    - reloader_type: "stat" polls; else the kernel tells where the package watchfiles is installed.
    - request_handler, passthrough_errors, ssl_context: refused. There is no such handler in indrik, what a
      request raises never ends a worker, and TLS comes in a later version.

    Raises:
        TypeError, ValueError: as Werkzeug does.
        ConfigError: an argument is not supported.
    """
    if not isinstance(port, int):
        raise TypeError("port must be an integer")
    if threaded and processes > 1:
        raise ValueError("threaded and processes exclude each other")
    for name, value in (
        ("request_handler", request_handler),
        ("passthrough_errors", passthrough_errors or None),
        ("ssl_context", ssl_context),
    ):
        if value is not None:
            raise ConfigError(f"indrik's run_simple does not support {name}, leave it out")
    if use_reloader and os.environ.get(RUNS_MAIN) != "true":
        supervise(_listen(hostname, port))
    if static_files:
        application = SharedDataMiddleware(application, static_files)
    debugs = use_debugger and _may_debug(hostname, processes)
    settings: dict[str, Any] = {
        "bind": f"fd://{os.environ[SERVER_FD]}" if use_reloader else _address(hostname, port),
        "worker_class": ThreadedWorker if threaded else SingleWorker,
        "threads": THREADS if threaded else 1,
        "workers": processes,
        "accesslog": "-",
        "timeout": 0,
        # Werkzeug speaks HTTP/1.0 unless it is threaded: each connection ends with its response.
        "keepalive": 2 if threaded else 0,
    }
    watch = None
    if use_reloader:
        watch = Watch(reloader_type, extra_files or (), exclude_patterns or (), reloader_interval)
        settings["post_worker_init"] = watch.start
    master = os.getpid()
    try:
        ScriptApplication(application, settings, use_evalex if debugs else None).run()
    except SystemExit as end:
        # The program may go on behind run_simple, in this process and in no worker.
        if os.getpid() != master or end.code not in (0, None):
            raise
    if watch is not None and watch.has_changed:
        sys.exit(RESTART)


def _may_debug(hostname: str, processes: int) -> bool:
    """Whether the debugger may be there; says why if not."""
    problem = None
    if not is_local("socket" if hostname.startswith("unix://") else (hostname, 0)):
        problem = f"{ONLY_LOCAL} ({hostname!r} is neither)"
    elif processes > MOST_WORKERS:
        problem = f"it works with at most {MOST_WORKERS} processes"
    if problem is not None:
        print(f"Warning: Werkzeug's debugger is off: {problem}", file=sys.stderr)
    return problem is None


def _address(hostname: str, port: int) -> str:
    if hostname.startswith("unix://"):
        return "unix:" + os.path.abspath(hostname.removeprefix("unix://"))
    return f"[{hostname}]:{port}" if ":" in hostname else f"{hostname}:{port}"


def _listen(hostname: str, port: int) -> socket.socket:
    """The socket that outlives every child."""
    if not hostname.startswith("unix://"):
        family = socket.AF_INET6 if ":" in hostname else socket.AF_INET
        return socket.create_server((hostname, port), family=family, backlog=2048)
    path = os.path.abspath(hostname.removeprefix("unix://"))
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    if os.path.exists(path):
        os.unlink(path)
    listener.bind(path)
    listener.listen(2048)
    return listener
