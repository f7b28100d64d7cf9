"""Sessions in a file of SQLite: for all the workers of one machine, without any service beside them.

A row for each session and one for each value, so that a write touches the keys it names. The file is in WAL
mode (https://www.sqlite.org/wal.html): readers never wait for writers, and a process that is killed leaves
nothing half done. Each write is one transaction, begun as a writer, so it cannot fail halfway for want of the
lock.

SQLite itself never waits here. Whoever finds the file locked asks again after a moment of `time.sleep`, which
under gevent lets other greenlets go on; no transaction is open meanwhile.
"""

from __future__ import annotations

import contextlib
import os
import random
import sqlite3
import stat
import threading
import time
import weakref
from collections.abc import Callable, Mapping
from typing import Any, TypeVar
from urllib.parse import quote

from indrik.sessions.store import Changes, Outcome, SessionStoreError

_T = TypeVar("_T")

#: Says in the file's head whose it is ("indr").
_APPLICATION_ID = 0x696E6472

_SCHEMA = (
    "CREATE TABLE sessions (name TEXT PRIMARY KEY, expires REAL NOT NULL) WITHOUT ROWID",
    "CREATE INDEX sessions_by_expiry ON sessions (expires)",
    (
        "CREATE TABLE session_values (name TEXT, key TEXT, value TEXT NOT NULL, PRIMARY KEY (name, key))"
        " WITHOUT ROWID"
    ),
    # Whoever deletes a session, by hand perhaps, leaves no values behind.
    (
        "CREATE TRIGGER values_end AFTER DELETE ON sessions"
        " BEGIN DELETE FROM session_values WHERE name = old.name; END"
    ),
    f"PRAGMA application_id = {_APPLICATION_ID}",
)

#: Sessions whose time has come that each new one takes away. More than one, so they never pile up.
_PURGED_BY_EACH = 10

#: Seconds between two looks at a locked file, the first and the longest.
_FIRST_PAUSE, _LONGEST_PAUSE = 0.001, 0.01

#: Connections that wait for their next use; more were needed at once only in a crowd.
_MOST_IDLE = 16

#: Device and inode of a file.
_File = tuple[int, int]

_stores: weakref.WeakSet[SQLiteStore] = weakref.WeakSet()
#: Connections that another thread of the parent process has put back while it forked. They must not be used
#: on this side of a fork, and not be closed either (https://www.sqlite.org/howtocorrupt.html, section 2.6).
_inherited: list[tuple[sqlite3.Connection, _File]] = []


class SQLiteStore:
    """Sessions in the file `path`, which is made at the first use, for its owner only.

    timeout: seconds that a step waits for a locked file. Until the first use nothing is opened, so that a
    command that only imports the application, as another user perhaps, leaves no file of its own.
    """

    def __init__(self, path: str | os.PathLike[str], timeout: float = 5.0) -> None:
        self.path = os.path.abspath(path)
        self._timeout = timeout
        self._reset()
        _stores.add(self)

    def _reset(self) -> None:
        self._idle: list[tuple[sqlite3.Connection, _File]] = []
        # One writer of a process at a time asks for SQLite's lock; the others wait here, in order, without
        # polling.
        self._writing = threading.Lock()
        self._opening = threading.Lock()

    def _forget_parent(self) -> None:
        _inherited.extend(self._idle)
        self._reset()

    # --- what a store promises ---

    def load(self, name: str) -> dict[str, str] | None:
        rows = self._read(
            "SELECT key, value FROM sessions LEFT JOIN session_values USING (name)"
            " WHERE name = ? AND expires > ?",
            (name, time.time()),
        )
        return {key: value for key, value in rows if key is not None} if rows else None

    def create(self, name: str, values: Mapping[str, str], expires: float) -> None:
        def work(connection: sqlite3.Connection) -> None:
            connection.execute("INSERT INTO sessions VALUES (?, ?)", (name, expires))
            _put(connection, name, values)
            _purge(connection, _PURGED_BY_EACH)

        self._write(work)

    def update(self, name: str, changes: Changes, expires: float, new_name: str | None = None) -> Outcome:
        current = new_name or name

        def work(connection: sqlite3.Connection) -> Outcome:
            found = connection.execute(
                "UPDATE sessions SET name = ?, expires = ? WHERE name = ? AND expires > ?",
                (current, expires, name, time.time()),
            )
            if not found.rowcount:
                return Outcome.GONE
            if current != name:
                connection.execute("UPDATE session_values SET name = ? WHERE name = ?", (current, name))
            _put(connection, current, changes.added)
            connection.executemany(
                "UPDATE session_values SET value = ? WHERE name = ? AND key = ?",
                [(value, current, key) for key, value in changes.changed.items()],
            )
            connection.executemany(
                "DELETE FROM session_values WHERE name = ? AND key = ?",
                [(current, key) for key in changes.removed],
            )
            if connection.execute("SELECT 1 FROM session_values WHERE name = ?", (current,)).fetchone():
                return Outcome.KEPT
            connection.execute("DELETE FROM sessions WHERE name = ?", (current,))
            return Outcome.EMPTIED

        return self._write(work)

    def touch(self, name: str, expires: float, slack: float) -> bool:
        rows = self._read(
            "SELECT expires FROM sessions WHERE name = ? AND expires > ?", (name, time.time())
        )
        if rows and expires - slack <= rows[0][0] <= expires:
            return True
        return bool(rows) and self.update(name, Changes(), expires) is Outcome.KEPT

    def delete(self, name: str) -> None:
        self._write(lambda connection: _delete(connection, [name]))

    def purge(self, limit: int = 1000) -> int:
        """Takes away sessions whose time has come, `limit` at most; how many. New sessions do this by the
        way.
        """
        return self._write(lambda connection: _purge(connection, limit))

    def close(self) -> None:
        """Closes what is open and idle. The store opens anew when it is used again."""
        with contextlib.suppress(IndexError):  # another thread may be quicker
            while True:
                self._idle.pop()[0].close()

    # --- steps ---

    def _read(self, query: str, values: tuple[object, ...]) -> list[tuple[Any, ...]]:
        give_up_at = time.monotonic() + self._timeout
        return self._step(lambda connection: connection.execute(query, values).fetchall(), give_up_at)

    def _write(self, work: Callable[[sqlite3.Connection], _T]) -> _T:
        def step(connection: sqlite3.Connection) -> _T:
            connection.execute("BEGIN IMMEDIATE")
            result = work(connection)
            connection.execute("COMMIT")
            return result

        # From here on: who has waited for others of this process tries once and does not wait as long again.
        give_up_at = time.monotonic() + self._timeout
        with self._writing:
            return self._step(step, give_up_at)

    def _step(self, step: Callable[[sqlite3.Connection], _T], give_up_at: float) -> _T:
        """Does `step` with a connection, again while the file is locked. What fails has changed nothing."""
        pause = _FIRST_PAUSE
        while True:
            try:
                return self._attempt(step)
            except sqlite3.Error as error:
                # The code of the error is there since Python 3.11 only.
                if "is locked" not in str(error):
                    raise SessionStoreError(
                        f"the session database {self.path} cannot be used by the user with the id "
                        f"{os.geteuid()}: {error}"
                    ) from error
                if time.monotonic() >= give_up_at:
                    raise SessionStoreError(
                        f"the session database {self.path} was locked for {self._timeout:g} s: another "
                        "program keeps a transaction open, or the disk is too slow"
                    ) from error
            time.sleep(pause * random.uniform(0.5, 1.0))
            pause = min(pause * 2, _LONGEST_PAUSE)

    def _attempt(self, step: Callable[[sqlite3.Connection], _T]) -> _T:
        connection, file = self._take()
        try:
            result = step(connection)
        except BaseException:
            # An application may be interrupted anywhere. This ends a transaction that is open.
            connection.close()
            raise
        if len(self._idle) < _MOST_IDLE:
            self._idle.append((connection, file))
        else:
            connection.close()
        return result

    # --- connections ---

    def _take(self) -> tuple[sqlite3.Connection, _File]:
        """A connection to the file that nobody else uses."""
        file = self._find_file()
        while file is not None:
            try:
                connection, opened = self._idle.pop()
            except IndexError:
                break
            if opened == file:
                return connection, file
            # The file was removed or replaced. Whoever goes on with the old one lives apart from the others.
            connection.close()
        return self._open()

    def _find_file(self) -> _File | None:
        try:
            status = os.stat(self.path)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise SessionStoreError(
                f"cannot reach the session database {self.path}: {error.strerror}"
            ) from error
        if status.st_mode & (stat.S_IROTH | stat.S_IWOTH):
            raise SessionStoreError(
                f"every user of this machine may read or write the session database {self.path}: take that "
                f"away with 'chmod 600 {self.path}'"
            )
        return status.st_dev, status.st_ino

    def _open(self) -> tuple[sqlite3.Connection, _File]:
        # One thread at a time: to close any descriptor of a file drops the locks that the process has on it
        # (fcntl(2)), so the one that makes the file is closed before anybody opens it.
        with self._opening:
            file = self._find_file() or self._make_file()
        connection = sqlite3.connect(
            f"file:{quote(os.fsencode(self.path))}?mode=rw",
            uri=True,
            timeout=0,
            isolation_level=None,
            check_same_thread=False,
        )
        try:
            # Enough with WAL: a crash of the process loses nothing, one of the machine the last moments.
            connection.execute("PRAGMA synchronous = NORMAL")
            self._prepare(connection)
        except BaseException:
            connection.close()
            raise
        return connection, file

    def _make_file(self) -> _File:
        try:
            os.makedirs(os.path.dirname(self.path), mode=0o700, exist_ok=True)
            try:
                os.close(os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
            except FileExistsError:
                # Another process was faster.
                pass
            status = os.stat(self.path)
        except OSError as error:
            raise SessionStoreError(
                f"cannot make the session database {self.path}: {error.strerror}. Its folder must be "
                f"writable for the user with the id {os.geteuid()}; SESSION_DATABASE names another place"
            ) from error
        return status.st_dev, status.st_ino

    def _prepare(self, connection: sqlite3.Connection) -> None:
        """Makes the tables unless they are there."""
        if self._is_prepared(connection):
            return
        mode = connection.execute("PRAGMA journal_mode = WAL").fetchone()[0]
        if mode != "wal":
            raise SessionStoreError(
                f"the session database {self.path} cannot be in WAL mode, as it must: is it on a network's "
                "file system? SESSION_DATABASE names another place"
            )
        connection.execute("BEGIN IMMEDIATE")
        # Another process may have been first.
        if not self._is_prepared(connection):
            for statement in _SCHEMA:
                connection.execute(statement)
        connection.execute("COMMIT")

    def _is_prepared(self, connection: sqlite3.Connection) -> bool:
        if connection.execute("PRAGMA application_id").fetchone()[0] == _APPLICATION_ID:
            return True
        if connection.execute("SELECT 1 FROM sqlite_master").fetchone():
            raise SessionStoreError(
                f"{self.path} is a database of something else: SESSION_DATABASE must name a file of its own"
            )
        return False


def _put(connection: sqlite3.Connection, name: str, values: Mapping[str, str]) -> None:
    connection.executemany(
        "INSERT OR REPLACE INTO session_values VALUES (?, ?, ?)",
        [(name, key, value) for key, value in values.items()],
    )


def _delete(connection: sqlite3.Connection, names: list[str]) -> None:
    connection.executemany("DELETE FROM sessions WHERE name = ?", [(name,) for name in names])


def _purge(connection: sqlite3.Connection, limit: int) -> int:
    query = "SELECT name FROM sessions WHERE expires <= ? ORDER BY expires LIMIT ?"
    names = [name for (name,) in connection.execute(query, (time.time(), limit))]
    _delete(connection, names)
    return len(names)


def _before_fork() -> None:
    # SQLite remembers in the process's memory which locks it has. A child of one with open connections
    # believes that it has them too, and others then take away the log that it writes to.
    for store in list(_stores):
        store.close()


def _after_fork() -> None:
    for store in _stores:
        store._forget_parent()


os.register_at_fork(before=_before_fork, after_in_child=_after_fork)
