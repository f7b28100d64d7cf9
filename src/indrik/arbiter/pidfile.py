"""The pid file: tells others who the master is, and keeps a second master away."""

from __future__ import annotations

import contextlib
import os

from indrik.errors import ConfigError


class Pidfile:
    """One pid file at `path`. It belongs to the process whose number is in it."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.pid: int | None = None

    def create(self, pid: int, predecessor: int = 0) -> None:
        """Write `pid`. Raises ConfigError if a living process holds the file, or if it cannot be written.

        `predecessor` is known to have ended, although its number may live until somebody has reaped it.
        """
        holder = self.read_live_pid()
        if holder is not None and holder not in (pid, predecessor):
            raise ConfigError(
                f"pid file {self.path}: a server with pid {holder} is running; stop it or name another file"
            )
        self.pid = pid
        # Written aside and renamed: nobody reads half a number. The name is this process's own.
        aside = f"{self.path}.{os.getpid()}.new"
        try:
            handle = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o644)
            with open(handle, "w", encoding="ascii") as file:
                file.write(f"{pid}\n")
                os.fchmod(file.fileno(), 0o644)
            os.rename(aside, self.path)
        except OSError as error:
            with contextlib.suppress(OSError):
                os.unlink(aside)
            raise ConfigError(f"pid file {self.path}: cannot be written: {error.strerror}") from error

    def rename(self, path: str, predecessor: int = 0) -> None:
        """Move to another path, as `create` does. Raises ConfigError, and then the file is where it was."""
        pid = self.pid
        if pid is None or path == self.path:
            self.path = path
            return
        Pidfile(path).create(pid, predecessor)
        try:
            self.unlink()
        finally:
            self.path, self.pid = path, pid

    def unlink(self) -> None:
        """Remove the file, unless somebody else's pid stands in it by now. Raises ConfigError if that does
        not work.
        """
        pid, self.pid = self.pid, None
        if pid is None or self._read() != pid:
            return
        try:
            os.unlink(self.path)
        except FileNotFoundError:
            pass
        except OSError as error:
            raise ConfigError(f"pid file {self.path}: cannot be removed: {error.strerror}") from error

    def read_live_pid(self) -> int | None:
        """The pid in the file if such a process lives; a stale or garbled file counts as none."""
        pid = self._read()
        if pid is None or pid <= 0:
            return None
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return None
        except PermissionError:
            pass  # lives, as another user
        return pid

    def _read(self) -> int | None:
        try:
            with open(self.path, encoding="ascii", errors="replace") as file:
                return int(file.read(32) or 0)
        except (FileNotFoundError, ValueError):
            return None
        except OSError as error:
            raise ConfigError(f"pid file {self.path}: cannot be read: {error.strerror}") from error
