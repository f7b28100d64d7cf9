"""`run`: the command, for a program that has the application at hand."""

from __future__ import annotations

import atexit
import contextlib
import os
import signal
import sys
import threading
from collections.abc import Iterator, Mapping
from typing import Any, NoReturn

from indrik.app.base import Application
from indrik.app.loader import load_application
from indrik.embedding.keywords import BY_CALLER, named_settings
from indrik.errors import AppImportError, ConfigError
from indrik.signals import MASTER_SIGNALS


def run(app: Any, **settings: Any) -> None:
    """Serves `app` until a signal stops the server, and returns; signals mean what they mean to the command.

    app: a WSGI or ASGI application, or text that names one as on the command line. An object is inherited by
    the workers, which are forked from this process, so no reload loads it anew: `reload` needs text.
    settings: by their names, or uvicorn's keywords. For the main thread.

    Raises `ConfigError` for wrong settings, `TypeError` for unknown ones, `SystemExit` when the server cannot
    start, or failed.
    """
    application = _Embedded(app, settings)
    pid = os.getpid()
    with _signals_restored():
        try:
            application.run()
        except SystemExit as stop:
            if os.getpid() != pid:
                _end_process(stop)
            if stop.code:
                raise


class _Embedded(Application):
    """What `run` serves."""

    def __init__(self, app: Any, settings: Mapping[str, Any]) -> None:
        self._served = app
        self._settings = settings
        super().__init__(prog="indrik")

    def do_load_config(self) -> None:
        # The caller's program decides what a wrong setting ends.
        self.read_config()

    def load_config(self) -> None:
        self.set_all(named_settings(self.cfg, self._settings), BY_CALLER)
        name = self._served if isinstance(self._served, str) else None
        if name is not None and self.cfg.settings["default_proc_name"].is_default:
            self.cfg.set("default_proc_name", name, "the application's name")
        if name is None and self.cfg.reload:
            raise ConfigError(
                "reload needs the application as text, such as 'MODULE:NAME': an object stays as it is"
            )
        if name is None and self.cfg.factory:
            raise ConfigError("factory needs the application as text, such as 'MODULE:create_app'")
        for useless in ("config", "wsgi_app", "paste"):
            if self.cfg.settings[useless].source == BY_CALLER:
                raise ConfigError(
                    f"{useless} says nothing to indrik.run: what it serves is its first argument"
                )
        self.chdir()

    def load(self) -> Any:
        if isinstance(self._served, str):
            return load_application(self._served, self.cfg.factory)
        if not callable(self._served):
            raise AppImportError(f"{self._served!r} is no application: it cannot be called")
        return self._served


@contextlib.contextmanager
def _signals_restored() -> Iterator[None]:
    """Puts back afterwards what the master changes: handlers, the mask and the wake-up descriptor."""
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    before = {number: signal.getsignal(number) for number in MASTER_SIGNALS}
    wakeup_fd = signal.set_wakeup_fd(-1)
    pid = os.getpid()
    try:
        yield
    finally:
        if os.getpid() == pid:
            for number, handler in before.items():
                # None: it was not set from Python, so Python cannot put it back.
                signal.signal(number, signal.SIG_DFL if handler is None else handler)
            signal.set_wakeup_fd(wakeup_fd)
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def _end_process(stop: SystemExit) -> NoReturn:
    """Ends a worker here: what follows the call of `run` in the program is not its own."""
    status = stop.code if isinstance(stop.code, int) else int(stop.code is not None)
    # As the interpreter ends: it waits for threads that are not daemons, then calls what was registered.
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):
            stream.flush()
    os._exit(status & 0xFF)
