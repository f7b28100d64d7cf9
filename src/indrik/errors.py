"""The errors every part may raise. What a part alone raises lives in that part, under `IndrikError`.

An error's text is one sentence for the operator: what was wrong, where, and what to do about it.
"""

from __future__ import annotations


class IndrikError(Exception):
    """Root of every error that indrik raises on purpose. Its text is enough without a traceback."""


class ConfigError(IndrikError):
    """A setting, a configuration file or the command line is wrong. At start-up: exit status 1."""


class ConfigFileError(ConfigError):
    """A configuration file could not be run. `__cause__` is what it raised; its traceback is to be shown."""


class AppImportError(IndrikError):
    """The module was imported, but the application is not in it, or what was found is no application.

    A worker that meets it exits with status 4 (`APP_LOAD_ERROR`).
    """


class AppModuleNotFoundError(IndrikError, ModuleNotFoundError):
    """The module named by the application's specification does not exist.

    A worker that meets it exits with status 3 (`WORKER_BOOT_ERROR`), as for any failed import.
    """


class ConnectionEnded(IndrikError, OSError):
    """The client has left: what was to be sent to it cannot be (ASGI wants an `OSError`)."""


class RequestTimeout(BaseException):
    """Raised in the application when `request_timeout` is over.

    Not an `Exception`, so that the application's own handlers of errors do not swallow it; `finally` and
    `with` do their work.
    """


class ClientDisconnected(BaseException):
    """Raised in the application when its client has left in the middle of the response (kind `gevent`).

    Not an `Exception`, so that the application's own handlers of errors do not swallow it; `finally` and
    `with` do their work.
    """


class HaltServer(BaseException):
    """Stops the master. Not an `Exception`, so that no handler in a hook or the loop takes it for a fault."""

    def __init__(self, reason: str, exit_status: int = 1) -> None:
        super().__init__(reason, exit_status)
        self.reason = reason
        self.exit_status = exit_status

    def __str__(self) -> str:
        return f"{self.reason} (exit status {self.exit_status})"
