"""Sessions in a file of SQLite: one process, many, a locked file, a wrong one."""

from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from indrik.sessions.sqlite import SQLiteStore
from indrik.sessions.store import Changes, Outcome, SessionStore, SessionStoreError

LATER = time.time() + 3600


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "folder" / "sessions.sqlite3"


@pytest.fixture
def store(path: Path) -> Iterator[SQLiteStore]:
    made = SQLiteStore(path)
    yield made
    made.close()


def run_python(code: str, *arguments: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def output_of(process: subprocess.Popen[str]) -> str:
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    return out


class TestOneSession:
    def test_keeps_values(self, store: SessionStore) -> None:
        assert store.load("a") is None
        store.create("a", {"x": "1", "schlüssel": "\0☃"}, LATER)
        assert store.load("a") == {"x": "1", "schlüssel": "\0☃"}
        assert store.load("b") is None

    def test_an_update_touches_only_its_keys(self, store: SessionStore) -> None:
        store.create("a", {"x": "1", "y": "1", "z": "1"}, LATER)
        assert store.update("a", Changes({"x": "2", "new": "2"}, {"y", "never"}), LATER) is Outcome.KEPT
        assert store.load("a") == {"x": "2", "z": "1", "new": "2"}

    def test_a_change_of_a_key_that_was_taken_out_is_dropped(self, store: SessionStore) -> None:
        store.create("a", {"x": "1", "y": "1"}, LATER)
        store.update("a", Changes(removed={"x"}), LATER)
        assert store.update("a", Changes(changed={"x": "2", "y": "2"}), LATER) is Outcome.KEPT
        assert store.load("a") == {"y": "2"}
        assert store.update("a", Changes(added={"x": "3"}), LATER, "b") is Outcome.KEPT
        assert store.load("b") == {"x": "3", "y": "2"}

    def test_what_has_ended_stays_so(self, store: SessionStore) -> None:
        store.create("a", {"x": "1"}, LATER)
        store.delete("a")
        assert store.update("a", Changes({"x": "2"}), LATER) is Outcome.GONE
        assert store.update("a", Changes({"x": "2"}), LATER, "b") is Outcome.GONE
        assert not store.touch("a", LATER, 0)
        assert store.load("a") is None
        assert store.load("b") is None
        store.delete("a")

    def test_the_last_value_that_is_taken_out_ends_it(self, store: SessionStore) -> None:
        store.create("a", {"x": "1", "y": "1"}, LATER)
        assert store.update("a", Changes({}, {"x"}), LATER) is Outcome.KEPT
        assert store.update("a", Changes({}, {"y"}), LATER) is Outcome.EMPTIED
        assert store.update("a", Changes({"x": "2"}), LATER) is Outcome.GONE

    def test_a_new_name_takes_all_along(self, store: SessionStore) -> None:
        store.create("a", {"x": "1", "y": "1"}, LATER)
        assert store.update("a", Changes({"x": "2"}), LATER, "b") is Outcome.KEPT
        assert store.load("b") == {"x": "2", "y": "1"}
        assert store.load("a") is None
        assert store.update("a", Changes({"x": "3"}), LATER) is Outcome.GONE
        assert store.load("b") == {"x": "2", "y": "1"}

    def test_a_name_is_used_once(self, store: SessionStore) -> None:
        store.create("a", {"x": "1"}, LATER)
        with pytest.raises(SessionStoreError):
            store.create("a", {"x": "2"}, LATER)
        assert store.load("a") == {"x": "1"}

    def test_its_time_ends_it(self, store: SessionStore) -> None:
        store.create("a", {"x": "1"}, time.time() - 1)
        assert store.load("a") is None
        assert store.update("a", Changes({"x": "2"}), LATER) is Outcome.GONE
        assert not store.touch("a", LATER, 0)
        assert store.load("a") is None

    def test_each_write_moves_its_end(self, store: SessionStore) -> None:
        store.create("a", {"x": "1"}, LATER)
        store.update("a", Changes({"x": "2"}), time.time() - 1)
        assert store.load("a") is None

    def test_touch_writes_no_more_than_it_must(self, store: SQLiteStore, path: Path) -> None:
        store.create("a", {"x": "1"}, LATER)

        def end() -> float:
            connection = sqlite3.connect(path)
            try:
                return float(connection.execute("SELECT expires FROM sessions").fetchone()[0])
            finally:
                connection.close()

        assert store.touch("a", LATER + 10, 10)
        assert end() == LATER
        assert store.touch("a", LATER + 11, 10)
        assert end() == LATER + 11
        # A life that was made shorter counts at once.
        assert store.touch("a", LATER, 10)
        assert end() == LATER


class TestPurge:
    def test_new_sessions_take_old_ones_away(self, store: SQLiteStore, path: Path) -> None:
        for number in range(25):
            store.create(f"old{number}", {"x": "1"}, time.time() + 3600)
        connection = sqlite3.connect(path, isolation_level=None)
        connection.execute("UPDATE sessions SET expires = 1")
        for number in range(3):
            (count,) = connection.execute("SELECT count(*) FROM sessions").fetchone()
            # Ten at most for each, so that no request pays for many.
            assert count == 25 - 10 * number + number
            store.create(f"new{number}", {"x": "1"}, LATER)
        rows = {table: connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in TABLES}
        connection.close()
        assert rows == {"sessions": 3, "session_values": 3}

    def test_a_session_deleted_by_hand_takes_its_values_along(self, store: SQLiteStore, path: Path) -> None:
        for name in "abc":
            store.create(name, {"x": "1", "y": "2"}, LATER)
        connection = sqlite3.connect(path, isolation_level=None)
        connection.execute("DELETE FROM sessions WHERE name <> 'b'")
        rows = connection.execute("SELECT name, key FROM session_values").fetchall()
        connection.close()
        assert rows == [("b", "x"), ("b", "y")]
        assert store.load("a") is None

    def test_by_hand(self, store: SQLiteStore) -> None:
        store.create("new", {"x": "1"}, LATER)
        for number in range(5):
            store.update("new", Changes({"y": str(number)}), LATER)
        assert store.purge() == 0
        store.create("old", {"x": "1"}, time.time() - 1)
        # Whoever makes a session takes old ones away, its own as well.
        assert store.purge(limit=10) == 0
        assert store.load("new") == {"x": "1", "y": "4"}


TABLES = ("sessions", "session_values")

WRITER = """
import sys, time
from concurrent.futures import ThreadPoolExecutor
from indrik.sessions.sqlite import SQLiteStore
from indrik.sessions.store import Changes, Outcome
store = SQLiteStore(sys.argv[1], timeout=60)
def write(number):
    changes = Changes({f"{sys.argv[2]}-{number}": "1"}, {"never"})
    assert store.update("a", changes, time.time() + 60) is Outcome.KEPT
    store.create(f"{sys.argv[2]}-{number}", {"x": "1"}, time.time() + 60)
with ThreadPoolExecutor(4) as pool:
    list(pool.map(write, range(50)))
"""


class TestManyAtOnce:
    def test_threads_and_processes_lose_nothing(self, store: SQLiteStore, path: Path) -> None:
        store.create("a", {"x": "1"}, LATER)
        for process in [run_python(WRITER, path, name) for name in "pqr"]:
            output_of(process)
        expected = {f"{name}-{number}" for name in "pqr" for number in range(50)}
        assert set(store.load("a") or ()) == expected | {"x"}
        assert all(store.load(name) for name in expected)

    def test_processes_make_the_file_together(self, path: Path) -> None:
        code = "import sys; from indrik.sessions.sqlite import SQLiteStore\n"
        code += "SQLiteStore(sys.argv[1], timeout=60).create(sys.argv[2], {'x': '1'}, 1e12)"
        for process in [run_python(code, path, name) for name in "pqr"]:
            output_of(process)
        store = SQLiteStore(path)
        assert [store.load(name) for name in "pqr"] == [{"x": "1"}] * 3
        store.close()

    def test_an_end_wins_over_writers(self, store: SQLiteStore) -> None:
        for number in range(20):
            name = str(number)
            store.create(name, {"x": "1"}, LATER)
            with ThreadPoolExecutor(8) as pool:
                steps = [pool.submit(store.update, name, Changes({"x": "2"}), LATER) for _ in range(10)]
                steps.append(pool.submit(store.delete, name))  # type: ignore[arg-type]
                steps += [pool.submit(store.update, name, Changes({"x": "3"}), LATER) for _ in range(10)]
            for step in steps:
                step.result()
            assert store.load(name) is None

    def test_a_child_process_opens_its_own(self, path: Path) -> None:
        code = """
import os, sys
from indrik.sessions.sqlite import SQLiteStore
from indrik.sessions.store import Changes, Outcome
store = SQLiteStore(sys.argv[1])
store.create("parent", {"x": "1"}, 1e12)
opened, closed = os.pipe(), os.pipe()
child = os.fork()
if not child:
    assert store.load("parent") == {"x": "1"}
    store.create("child", {"x": "2"}, 1e12)
    os.write(opened[1], b"x")
    os.read(closed[0], 1)
    assert store.update("parent", Changes(changed={"x": "3"}), 1e12) is Outcome.KEPT
    os._exit(0)
os.read(opened[0], 1)
assert store.load("child") == {"x": "2"}
# The last one that closes takes the log away. This is not the last, and SQLite has to know it.
store.close()
os.write(closed[1], b"x")
assert os.waitpid(child, 0)[1] == 0
assert store.load("parent") == {"x": "3"}
print("done")
"""
        assert output_of(run_python(code, path)) == "done\n"


#: Root may write everything, so it becomes another user of the file's group.
BY_ANOTHER = """
import os, sys
from indrik.sessions.sqlite import SQLiteStore
from indrik.sessions.store import SessionStoreError
if os.geteuid() == 0:
    os.setgroups([])
    os.setegid(os.stat(sys.argv[1]).st_gid)
    os.seteuid(65534)
for path in sys.argv[1:]:
    try:
        SQLiteStore(path).create("b", {"x": "1"}, 1e12)
    except SessionStoreError as error:
        print(error)
"""


#: No file may grow beyond a size: as on a disk that is full.
ON_A_FULL_DISK = """
import resource, sys
from indrik.sessions.sqlite import SQLiteStore
from indrik.sessions.store import Changes, Outcome, SessionStoreError
store = SQLiteStore(sys.argv[1])
store.create("first", {"x": "1"}, 1e12)
resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, resource.RLIM_INFINITY))
made = 0
try:
    while made < 1000:
        store.create(f"n{made}", {"x": "1" * 10_000}, 1e12)
        made += 1
except SessionStoreError as error:
    print(error)
assert 0 < made < 1000
assert store.load("first") == {"x": "1"}
assert store.load(f"n{made - 1}") and store.load(f"n{made}") is None
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
assert store.update("first", Changes({"x": "2"}), 1e12) is Outcome.KEPT
assert store.load("first") == {"x": "2"} and store.load(f"n{made - 1}")
"""


class Interrupting(Mapping[str, str]):
    """Values that end in the middle of a transaction, as RequestTimeout would end it."""

    def __getitem__(self, key: str) -> str:
        if key == "second":
            raise KeyboardInterrupt
        return "2"

    def __iter__(self) -> Iterator[str]:
        return iter(["first", "second"])

    def __len__(self) -> int:
        return 2


class TestTrouble:
    def test_an_interruption_leaves_nothing_half_done(self, store: SQLiteStore, path: Path) -> None:
        store.create("a", {"x": "1"}, LATER)
        with pytest.raises(KeyboardInterrupt):
            store.update("a", Changes(Interrupting()), LATER, "b")
        assert store.load("a") == {"x": "1"}
        assert store.load("b") is None
        other = SQLiteStore(path, timeout=0)
        assert other.update("a", Changes({"x": "2"}), LATER) is Outcome.KEPT
        other.close()

    def test_locked_for_too_long(self, path: Path) -> None:
        store = SQLiteStore(path, timeout=0.2)
        store.create("a", {"x": "1"}, LATER)
        holder = sqlite3.connect(path, isolation_level=None)
        holder.execute("BEGIN IMMEDIATE")
        begun = time.monotonic()
        with ThreadPoolExecutor(4) as pool:
            writes = [pool.submit(store.update, "a", Changes({"x": "2"}), LATER) for _ in range(4)]
            problems = [str(write.exception()) for write in writes]
        # All four together, not one after the other.
        assert 0.2 <= time.monotonic() - begun < 0.2 * 4
        assert all(f"{path} was locked for 0.2 s" in problem for problem in problems)
        # Readers are not held up.
        assert store.load("a") == {"x": "1"}
        holder.execute("ROLLBACK")
        holder.close()
        assert store.update("a", Changes({"x": "3"}), LATER) is Outcome.KEPT
        assert store.load("a") == {"x": "3"}
        store.close()

    def test_locked_for_a_while(self, store: SQLiteStore, path: Path) -> None:
        store.create("a", {"x": "1"}, LATER)
        holder = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        holder.execute("BEGIN IMMEDIATE")
        holder.execute("UPDATE sessions SET expires = expires + 1")
        timer = threading.Timer(0.1, holder.execute, ["COMMIT"])
        timer.start()
        assert store.update("a", Changes({"x": "2"}), LATER) is Outcome.KEPT
        timer.join()
        holder.close()

    def test_only_its_owner_reads_it(self, store: SQLiteStore, path: Path) -> None:
        store.create("a", {"x": "1"}, LATER)
        modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}
        assert modes == {f"sessions.sqlite3{end}": 0o600 for end in ("", "-wal", "-shm")}
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700

    def test_a_file_that_others_may_read(self, store: SQLiteStore, path: Path) -> None:
        store.create("a", {"x": "1"}, LATER)
        path.chmod(0o644)
        with pytest.raises(SessionStoreError, match=f"chmod 600 {path}"):
            store.load("a")
        path.chmod(0o640)
        assert store.load("a") == {"x": "1"}

    def test_a_file_that_was_removed(self, store: SQLiteStore, path: Path) -> None:
        store.create("a", {"x": "1"}, LATER)
        for file in path.parent.iterdir():
            file.unlink()
        assert store.load("a") is None
        store.create("b", {"x": "2"}, LATER)
        other = SQLiteStore(path)
        assert other.load("b") == {"x": "2"}
        other.close()

    def test_a_database_of_something_else(self, store: SQLiteStore, path: Path) -> None:
        path.parent.mkdir()
        connection = sqlite3.connect(path)
        connection.execute("CREATE TABLE sessions (mine)")
        connection.close()
        path.chmod(0o600)
        before = path.read_bytes()
        with pytest.raises(SessionStoreError, match="is a database of something else"):
            store.create("a", {"x": "1"}, LATER)
        assert path.read_bytes() == before

    def test_no_database(self, store: SQLiteStore, path: Path) -> None:
        path.parent.mkdir()
        path.write_bytes(b"a text that is no database" * 100)
        path.chmod(0o600)
        with pytest.raises(SessionStoreError, match=r"sessions\.sqlite3 cannot be used .*not a database"):
            store.load("a")

    def test_no_folder(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("")
        store = SQLiteStore(tmp_path / "file" / "sessions.sqlite3")
        with pytest.raises(SessionStoreError, match=r"(?i)cannot reach .* not a directory"):
            store.load("a")

    def test_a_full_disk(self, path: Path) -> None:
        message = output_of(run_python(ON_A_FULL_DISK, path))
        assert message.startswith(f"the session database {path} cannot be used by the user with the id ")

    def test_not_writable(self) -> None:
        with tempfile.TemporaryDirectory() as name:  # not below tmp_path, which nobody else may enter
            folder = Path(name)
            store = SQLiteStore(folder / "there")
            store.create("a", {"x": "1"}, LATER)
            store.close()
            (folder / "there").chmod(0o440)
            folder.chmod(0o555)
            there, missing = output_of(run_python(BY_ANOTHER, folder / "there", folder / "new")).splitlines()
            folder.chmod(0o700)
        user = 65534 if os.geteuid() == 0 else os.geteuid()
        assert f"{folder / 'there'} cannot be used by the user with the id {user}: " in there
        assert f"cannot make the session database {folder / 'new'}: Permission denied" in missing
        assert f"writable for the user with the id {user}; SESSION_DATABASE" in missing


@pytest.mark.parametrize("name", ["a b?mode=ro#x%41", "ä", os.fsdecode(b"\xff")])
def test_any_name_of_a_file(tmp_path: Path, name: str) -> None:
    store = SQLiteStore(tmp_path / name)
    store.create("a", {"x": "1"}, LATER)
    assert store.load("a") == {"x": "1"}
    store.close()
    assert os.listdir(tmp_path) == [name]


def test_nothing_is_made_before_the_first_use(path: Path) -> None:
    SQLiteStore(path).close()
    assert not path.parent.exists()
