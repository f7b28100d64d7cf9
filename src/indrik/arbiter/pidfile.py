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

    def create(self, pid: int) -> None:
        """Write `pid`. Raises ConfigError if a living process holds the file, or if it cannot be written."""
        holder = self.read_live_pid()
        if holder is not None and holder != pid:
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
            raise ConfigError(f"pid file {self.path}: cannot be written: {error.strerror}") from error

    def rename(self, path: str) -> None:
        """Move to another path."""
        pid = self.pid
        self.unlink()
        self.path = path
        if pid is not None:
            self.create(pid)

    def unlink(self) -> None:
        """Remove the file, unless somebody else's pid stands in it by now."""
        if self.pid is not None and self._read() == self.pid:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self.path)
        self.pid = None

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
