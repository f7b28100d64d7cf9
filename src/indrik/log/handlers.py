"""The outputs that the server opens itself: log files and standard streams, and reopening of every log file.

A line goes out in one write(2) on a descriptor opened with O_APPEND, so lines of several workers never mix.
"""

from __future__ import annotations

import logging
import os
import stat
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, TextIO

from indrik.errors import ConfigError
from indrik.log.losses import LossReport

#: Handler classes that use nothing of a record but its formatted message, so the atoms need not travel with
#: it.
_MESSAGE_ONLY = frozenset(
    {"StreamHandler", "FileHandler", "NullHandler", "WatchedFileHandler", "RotatingFileHandler"}
    | {"TimedRotatingFileHandler", "SysLogHandler"}
)


if TYPE_CHECKING:
    _StreamHandler = logging.StreamHandler[TextIO]
else:  # Python 3.10 has the class without the parameter
    _StreamHandler = logging.StreamHandler


class OwnHandler(logging.Handler):
    """A handler that the server made from its settings, and replaces when they change.

    `write_line(text)` is the short way for a line that is finished: no record, no formatter.
    """

    losses: LossReport

    def write_line(self, text: str) -> None:
        raise NotImplementedError

    def handleError(self, record: logging.LogRecord) -> None:
        """An output that fails is reported seldom; a call with wrong arguments gets logging's own
        traceback."""
        error = sys.exc_info()[1]
        if isinstance(error, OSError):
            self.losses.lost(error)
        else:
            super().handleError(record)


class Console(OwnHandler, _StreamHandler):
    """Standard output or standard error, whichever object Python has for it now."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__(stream)
        self.losses = LossReport("standard stream")

    def write_line(self, text: str) -> None:
        self.acquire()
        try:
            self.stream.write(text + "\n")
            self.stream.flush()
        except OSError as error:
            self.losses.lost(error)
        finally:
            self.release()


class LogFile(OwnHandler, logging.FileHandler):
    """A file of ours. Raises OSError when it cannot be opened."""

    def __init__(self, path: str) -> None:
        self.losses = LossReport(path)
        super().__init__(path, "a", encoding="utf-8", errors="backslashreplace")

    def _open(self) -> Any:
        return open(self.baseFilename, "a", encoding="utf-8", errors="backslashreplace", opener=_open_now)

    def write_line(self, text: str) -> None:
        data = f"{text}\n".encode("utf-8", "backslashreplace")
        # As acquire(), without the calls of it: this is done for every request.
        lock: Any = self.lock
        lock.acquire()
        try:
            if self.stream is None:  # closed by a logging configuration that was loaded since
                self.stream = self._open()
            descriptor = self.stream.fileno()
            written = os.write(descriptor, data)
            while written < len(data):
                written += os.write(descriptor, data[written:])
            if self.losses.count:
                self.losses.recovered()
        except OSError as error:
            self.losses.lost(error)
        finally:
            lock.release()

    def emit(self, record: logging.LogRecord) -> None:
        """Past the stream's buffer, which would keep lines of a full disk and split long ones."""
        try:
            text = self.format(record)
        except Exception:
            self.handleError(record)
        else:
            self.write_line(text)

    def give_to_workers(self, cfg: Any) -> None:
        """As root, let the workers' user open the file again later. Devices and pipes keep their owner."""
        if os.geteuid() != 0 or (cfg.uid, cfg.gid) == (0, 0) or self.stream is None:
            return
        descriptor = self.stream.fileno()
        if stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.fchown(descriptor, cfg.uid, cfg.gid)


def _open_now(path: str, flags: int) -> int:
    """Open without waiting: a FIFO that nobody reads is an error (ENXIO, fifo(7)), not a server that
    hangs."""
    descriptor = os.open(path, flags | os.O_NONBLOCK, 0o666)
    os.set_blocking(descriptor, True)
    return descriptor


def open_log_file(setting: str, path: str) -> LogFile:
    """Raises ConfigError that names the setting, the path and the reason."""
    try:
        return LogFile(path)
    except OSError as error:
        hint = ""
        directory = os.path.dirname(os.path.abspath(path))
        if not os.path.isdir(directory):
            hint = f"; create the directory {directory} first"
        raise ConfigError(f"{setting}: cannot open {path!r} for writing: {error.strerror}{hint}") from None


def all_loggers() -> Iterator[logging.Logger]:
    """Every logger that exists, each once, the root first."""
    yield logging.root
    seen: set[int] = set()
    for entry in list(logging.Logger.manager.loggerDict.values()):
        if isinstance(entry, logging.Logger) and id(entry) not in seen:
            seen.add(id(entry))
            yield entry


def all_file_handlers() -> list[logging.FileHandler]:
    """Every handler of any logger that writes to a file, each once."""
    found: dict[int, logging.FileHandler] = {}
    for logger in all_loggers():
        for handler in logger.handlers:
            if isinstance(handler, logging.FileHandler):
                found[id(handler)] = handler
    return list(found.values())


def reopen(handler: logging.FileHandler) -> None:
    """Let `handler` write to whatever its path names now. Raises OSError, and then it goes on with the old
    file.

    The new file is put under the old descriptor number (dup2 is atomic), because this runs for a signal: the
    interrupted code may be about to write to that number, and a closed number could already belong to a
    client."""
    if handler.stream is None:
        return
    fresh = handler._open()
    if type(handler)._open in (logging.FileHandler._open, LogFile._open):
        try:
            os.dup2(fresh.fileno(), handler.stream.fileno(), inheritable=False)
        finally:
            fresh.close()
        return
    handler.acquire()
    try:
        old, handler.stream = handler.stream, fresh
        old.close()
    finally:
        handler.release()


def reads_only_messages(log: logging.Logger) -> bool:
    """Whether no filter, formatter or handler that an access record would meet can see more of it than its
    text."""
    current: logging.Logger | None = log
    while current is not None:
        if current is log and current.filters:
            return False
        for handler in current.handlers:
            kind = type(handler)
            if handler.filters or type(handler.formatter) not in (logging.Formatter, type(None)):
                return False
            if not isinstance(handler, OwnHandler) and not (
                kind.__name__ in _MESSAGE_ONLY and kind.__module__ in ("logging", "logging.handlers")
            ):
                return False
        current = current.parent if current.propagate else None
    return True
