"""Werkzeug's debugger, which runs any code for whoever reaches it: where it may be, and how several workers
have it together.

A traceback in a browser is of one process, which keeps its frames. Each process has a secret of its own that
all requests of its tracebacks bring, and that ends with the number of its slot: by it the engine passes them
on to the right worker (`engine.keepers`). The PIN is the same in all processes, and wrong ones are counted
together.
"""

from __future__ import annotations

import ipaddress
import logging
import multiprocessing
import os
import threading
import uuid
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from werkzeug.debug import DebuggedApplication
from werkzeug.security import gen_salt
from werkzeug.wrappers import Request, Response

from indrik.config import Config

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

#: There is one if the listening sockets come from a supervisor or an older master, whatever `bind` says.
_INHERITED = ("LISTEN_FDS", "INDRIK_FD")

#: So many workers have mailboxes for certain, with their successors, and can be found by the debugger.
MOST_WORKERS = 32

#: What is said where the debugger may not be.
ONLY_LOCAL = (
    "it runs any code for whoever reaches it, so it is there on loopback addresses and unix sockets only, "
    "and no option changes that: bind to 127.0.0.1, and come from elsewhere through an SSH tunnel"
)

_GONE = "The worker that kept this traceback has ended (its code has changed). Load the page again.\n"


class PinGuard:
    """What all workers share of the PIN: how often it was wrong, and whether it is in the log. Made in the
    master, before the first fork.
    """

    def __init__(self) -> None:
        # Not of the default kind of processes, which may start some of its own.
        context = multiprocessing.get_context("fork")
        self.failures = context.Value("B")
        self._logged = context.Value("L")
        # The PIN depends on it, and where the machine has none it is another one in each process.
        uuid.getnode()

    def log(self, pin: str, again: bool = False) -> None:
        """Writes the PIN into the error log, unless it is there already."""
        mark = zlib.crc32(pin.encode())
        with self._logged.get_lock():
            is_new = self._logged.value != mark
            self._logged.value = mark
        if is_new or again:
            logging.getLogger("indrik.error").info("Debugger PIN: %s", pin)


class SharedDebugger(DebuggedApplication):
    """The debugger around `application`, one of several in as many processes. `evalex`: whether it runs
    code.
    """

    def __init__(self, application: Any, guard: PinGuard, evalex: bool = True) -> None:
        # Werkzeug itself would write the PIN only where its own reloader runs.
        super().__init__(application, evalex=evalex, pin_logging=False)
        self._guard = guard
        self._failed_pin_auth = guard.failures
        self._lock = threading.Lock()
        self._process = 0
        if evalex and self.pin is not None:
            guard.log(self.pin)

    def log_pin_request(self, request: Request) -> Response:
        """As Werkzeug's, to the error log."""
        if self.pin is not None and self.check_host_trust(request.environ):
            self._guard.log(self.pin, again=True)
        return super().log_pin_request(request)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if self._process != os.getpid():
            self._settle()
        if "__debugger__=" in environ.get("QUERY_STRING", "") and self._is_late(Request(environ).args):
            # The application would take it for one of its own requests, and maybe do again what has failed.
            return Response(_GONE, status=404, mimetype="text/plain")(environ, start_response)
        return super().__call__(environ, start_response)

    def _is_late(self, arguments: Any) -> bool:
        if arguments.get("__debugger__") != "yes" or arguments.get("cmd") == "resource":
            return False
        return bool(arguments.get("s") != self.secret)

    def _settle(self) -> None:
        """In the process that serves, which the application may have been loaded before (`preload_app`)."""
        with self._lock:
            if self._process != os.getpid():
                self.secret = f"{gen_salt(20)}-{os.environ.get('INDRIK_WORKER_ID', '0')}"
                self._process = os.getpid()


class Failed:
    """An application that cannot be loaded: raises the reason again for each request."""

    # The PIN, and the cookie that remembers it, depend on the names of the application. They are those of the
    # one that is to come.
    __module__ = "flask.app"
    __name__ = "Flask"

    def __init__(self, error: BaseException, hidden: Iterable[str]) -> None:
        """`hidden`: folders of modules that stand between the server and the application, in which the reason
        is not.
        """
        self._error = error
        folders = tuple(folder + os.sep for folder in (*hidden, str(Path(__file__).parents[1])))
        trace = error.__traceback__
        while trace is not None and trace.tb_frame.f_code.co_filename.startswith((*folders, "<frozen ")):
            trace = trace.tb_next
        self._trace = trace

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        # Werkzeug leaves frames out in which this is set.
        __traceback_hide__ = True
        raise self._error.with_traceback(self._trace)


def forbids_debugger(cfg: Config) -> str | None:
    """Why the debugger stays off with this configuration, None if it may be on."""
    if any(name in os.environ for name in _INHERITED) or not all(map(is_local, cfg.address)):
        return f"Werkzeug's debugger is off: {ONLY_LOCAL}"
    if cfg.workers > MOST_WORKERS:
        return f"Werkzeug's debugger is off: it works with at most {MOST_WORKERS} workers"
    return None


def is_local(address: Any) -> bool:
    """Whether only this machine can connect to it: a unix socket or a loopback address."""
    if isinstance(address, str):
        return True
    if not isinstance(address, tuple):
        return False  # the number of a descriptor says nothing
    host = address[0]
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return bool(host == "localhost")
