"""The logger that the arbiter and the workers write to, made from the settings; users subclass it
(`logger_class`)."""

from __future__ import annotations

import logging
import os
import traceback
from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from indrik.errors import ConfigError
from indrik.log.capture import CAPTURE
from indrik.log.handlers import Console, LogFile, OwnHandler, all_file_handlers, reads_only_messages, reopen
from indrik.log.logconfig import apply_logconfig, drop_old_handlers, is_configured, restored_on_error
from indrik.log.names import ACCESS, ERROR, share_gunicorn_names
from indrik.log.outputs import Outputs
from indrik.log.safe_atoms import SafeAtoms
from indrik.log.syslog import Syslog

# What only an access log needs is imported where there is one.
if TYPE_CHECKING:
    from collections.abc import Callable

    from indrik.log.access_format import Line
    from indrik.log.access_writer import AccessWriter
    from indrik.log.atoms import Environ


class Logger:
    """Both sides. The error log and the access log of one process.

    Subclasses may set the class attributes and override `setup`, `atoms`, `access` and `now`. Raises
    ConfigError when a setting is wrong or an output cannot be opened; then the loggers stay as they were."""

    LOG_LEVELS: ClassVar[Mapping[str, int]] = {
        "critical": logging.CRITICAL,
        "error": logging.ERROR,
        "warning": logging.WARNING,
        "info": logging.INFO,
        "debug": logging.DEBUG,
    }
    loglevel: int = logging.INFO

    error_fmt: str = "%(asctime)s [%(process)d] [%(levelname)s] %(message)s"
    datefmt: str = "[%Y-%m-%d %H:%M:%S %z]"
    access_fmt: str = "%(message)s"
    syslog_fmt: str = "[%(process)d] %(message)s"
    atoms_wrapper_class: type[Any] = SafeAtoms

    #: Whether `access` writes anything: the hot path asks this before it measures time.
    access_enabled: bool = True

    def __init__(self, cfg: Any) -> None:
        share_gunicorn_names()
        self.error_log = logging.getLogger(ERROR)
        self.access_log = logging.getLogger(ACCESS)
        self.cfg = cfg
        self._line: Line | None = None
        self._writer: AccessWriter | None = None
        self._clock: Callable[[], str] | None = None
        self.setup(cfg)

    # --- set-up ---

    def setup(self, cfg: Any) -> None:
        """Make the loggers what `cfg` says: at start, and again on a reload. All or nothing."""
        loglevel = self._level(cfg.loglevel)
        line, warnings = self._access_line(cfg)
        logs = (self.error_log, self.access_log)
        fresh: list[OwnHandler] = []
        with restored_on_error():
            try:
                for log, level in zip(logs, (loglevel, logging.INFO), strict=True):
                    log.propagate = False
                    log.setLevel(level)
                named = apply_logconfig(cfg, logs)
                outputs = Outputs(cfg, self.error_fmt, self.datefmt, self.access_fmt, self.syslog_fmt, fresh)
                error_handlers = [] if self.error_log in named else outputs.error_outputs()
                access_handlers = [] if self.access_log in named else outputs.access_outputs()
                self._capture(cfg)
            except BaseException:
                for handler in fresh:
                    handler.close()
                raise
        for log, handlers in zip(logs, (error_handlers, access_handlers), strict=True):
            # What disable_existing_loggers is meant for is other people's loggers.
            log.disabled = False
            if log not in named:
                drop_old_handlers(log)
            for handler in handlers:
                log.addHandler(handler)
        self.cfg = cfg
        self.loglevel = loglevel
        self._line = line
        self._writer = None
        if line is not None and self.access_fmt == "%(message)s":
            from indrik.log.access_writer import AccessWriter

            for handler in access_handlers:
                if isinstance(handler, (LogFile, Console)):
                    self._writer = AccessWriter(self.access_log, line, handler)
                    break
        self.access_enabled = _is_access_on(cfg) or type(self).access is not Logger.access
        for warning in warnings:
            self.warning("%s", warning)

    def _capture(self, cfg: Any) -> None:
        if cfg.capture_output and cfg.errorlog not in (None, "-"):
            try:
                CAPTURE.start(cfg.errorlog)
            except OSError as error:
                raise ConfigError(f"capture_output: {cfg.errorlog!r}: {error.strerror}") from None
        elif CAPTURE.is_active:
            CAPTURE.stop()

    def _level(self, name: str) -> int:
        try:
            return self.LOG_LEVELS[name.lower()]
        except KeyError:
            import difflib  # late: for mistakes only

            near = difflib.get_close_matches(name.lower(), self.LOG_LEVELS, 1)
            hint = f"did you mean {near[0]!r}?" if near else f"choose from {', '.join(self.LOG_LEVELS)}"
            raise ConfigError(f"loglevel: {name!r} is unknown; {hint}") from None

    def _access_line(self, cfg: Any) -> tuple[Line | None, list[str]]:
        """The compiled format (None where a subclass makes its own atoms or lines), and what to warn
        about."""
        if not _is_access_on(cfg) or type(self).access is not Logger.access:
            return None, []
        from indrik.log.access_format import AccessFormat
        from indrik.log.atoms import JSON_FORMAT

        if cfg.access_log_format == JSON_FORMAT:
            from indrik.log.json_lines import json_line

            return json_line, []
        compiled = AccessFormat(cfg.access_log_format)
        if type(self).atoms is not Logger.atoms or self.atoms_wrapper_class is not SafeAtoms:
            return None, []
        return compiled.line, [_unknown_atom(key) for key in compiled.unknown]

    # --- the error log ---

    def critical(self, msg: Any, *args: Any, **kwargs: Any) -> None:
        self.error_log.critical(msg, *args, **_from_caller(kwargs))

    def error(self, msg: Any, *args: Any, **kwargs: Any) -> None:
        self.error_log.error(msg, *args, **_from_caller(kwargs))

    def warning(self, msg: Any, *args: Any, **kwargs: Any) -> None:
        self.error_log.warning(msg, *args, **_from_caller(kwargs))

    def info(self, msg: Any, *args: Any, **kwargs: Any) -> None:
        self.error_log.info(msg, *args, **_from_caller(kwargs))

    def debug(self, msg: Any, *args: Any, **kwargs: Any) -> None:
        self.error_log.debug(msg, *args, **_from_caller(kwargs))

    def exception(self, msg: Any, *args: Any, **kwargs: Any) -> None:
        """An error with the traceback of the exception that is being handled."""
        # Not Logger.exception: Python 3.10 counts its frame too when it looks for the caller.
        kwargs.setdefault("exc_info", True)
        self.error_log.error(msg, *args, **_from_caller(kwargs))

    def log(self, lvl: int | str, msg: Any, *args: Any, **kwargs: Any) -> None:
        """A line at `lvl`, a number or a name; an unknown name counts as info."""
        if isinstance(lvl, str):
            lvl = self.LOG_LEVELS.get(lvl.lower(), logging.INFO)
        self.error_log.log(lvl, msg, *args, **_from_caller(kwargs))

    # --- the access log ---

    def access(self, resp: Any, req: Any, environ: Environ, request_time: timedelta) -> None:
        """Worker only. One line for a finished request. Never raises: a line that fails is told in the error
        log."""
        if not self.access_enabled:
            return
        try:
            writer = self._writer
            if writer is not None and writer.write(self, resp, req, environ, request_time):
                return
            log = self.access_log
            if not log.isEnabledFor(logging.INFO):
                return
            line = self._line
            if line is not None and reads_only_messages(log):
                self._handle(line(self, resp, req, environ, request_time), ())
                return
            self._handle_atoms(resp, req, environ, request_time)
        except Exception:
            self.error("Access line failed:\n%s", traceback.format_exc())

    def _handle_atoms(self, resp: Any, req: Any, environ: Environ, request_time: timedelta) -> None:
        """The long way: a record with the format and all atoms, for filters and formatters that look at
        them."""
        from indrik.log.atoms import JSON_FORMAT

        atoms = self.atoms_wrapper_class(self.atoms(resp, req, environ, request_time))
        if self.cfg.access_log_format == JSON_FORMAT:
            from indrik.log.json_lines import json_line

            atoms["json"] = json_line(self, resp, req, environ, request_time)
            self._handle("%(json)s", (atoms,))
        else:
            self._handle(self.cfg.access_log_format, (atoms,))

    def _handle(self, msg: str, args: tuple[Any, ...]) -> None:
        # Logger.info would walk the stack for the caller's name, which is always this one.
        log = self.access_log
        log.handle(log.makeRecord(log.name, logging.INFO, __file__, 0, msg, args, None, "access"))

    def atoms(self, resp: Any, req: Any, environ: Environ, request_time: timedelta) -> dict[str, Any]:
        """Every atom of a finished request by name, unescaped."""
        from indrik.log.atoms import all_atoms

        return all_atoms(self, resp, req, environ, request_time)

    def now(self) -> str:
        """The time as the atom `t` shows it."""
        clock = self._clock
        if clock is None:
            from indrik.log.atoms import now_text

            self._clock = clock = now_text
        return clock()

    # --- files ---

    def reopen_files(self) -> None:
        """Both sides, on USR1. Open every log file of every logger again, by name; one that cannot be is
        kept."""
        for handler in all_file_handlers():
            try:
                reopen(handler)
                if isinstance(handler, LogFile):
                    # The master is first and makes the new file; the workers could not open one of root's.
                    handler.give_to_workers(self.cfg)
            except OSError as error:
                self.error(
                    "Cannot reopen %s: %s; still writing to the old file",
                    handler.baseFilename,
                    error.strerror,
                )
        if CAPTURE.is_active:
            try:
                CAPTURE.start(self.cfg.errorlog)
            except OSError as error:
                self.error("Cannot reopen %s for captured output: %s", self.cfg.errorlog, error.strerror)

    def close_on_exec(self) -> None:
        """Keep log files and the connections to syslog out of programs that the application starts."""
        for handler in all_file_handlers():
            if handler.stream is not None:
                os.set_inheritable(handler.stream.fileno(), False)
        for log in (self.error_log, self.access_log):
            for handler_ in log.handlers:
                if isinstance(handler_, Syslog) and handler_.fileno() >= 0:
                    os.set_inheritable(handler_.fileno(), False)


def _is_access_on(cfg: Any) -> bool:
    return bool(
        cfg.accesslog or is_configured(cfg) or (cfg.syslog and not cfg.disable_redirect_access_to_syslog)
    )


def _from_caller(kwargs: dict[str, Any]) -> dict[str, Any]:
    """Let `%(module)s` and `%(lineno)d` of a user's formatter name the code that logs, not this wrapper."""
    kwargs["stacklevel"] = kwargs.get("stacklevel", 1) + 1
    return kwargs


def _unknown_atom(key: str) -> str:
    import difflib  # late: for mistakes only

    from indrik.log.atoms import ATOMS

    near = difflib.get_close_matches(key, ATOMS, 1, 0.5)
    hint = f"; did you mean %({near[0]})s?" if near else ""
    return f"access_log_format: there is no atom %({key})s, it prints as '-'{hint}"
