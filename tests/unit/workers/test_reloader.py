"""Changed files are found, and only those."""

from __future__ import annotations

import os
import sys
import threading
import types
from pathlib import Path
from typing import Any

import pytest

from indrik.errors import ConfigError
from indrik.workers.reloader import Reloader, file_time, files_of, find_engine


def touch(path: Path, text: str) -> None:
    """Write, with a time of change that differs from the last one."""
    before = path.stat().st_mtime_ns if path.exists() else 0
    path.write_text(text)
    os.utime(path, ns=(before + 1_000_000_000, before + 1_000_000_000))


def test_finds_what_has_changed(tmp_path: Path) -> None:
    one, other = tmp_path / "one.txt", tmp_path / "two.txt"
    one.write_text("1")
    reloader = Reloader([str(tmp_path / "*.txt")], None, print)
    assert reloader.find_change() is None
    # New files of a pattern are watched from then on.
    other.write_text("2")
    assert reloader.find_change() is None
    touch(other, "3")
    assert reloader.find_change() == str(other)
    assert reloader.find_change() is None
    one.unlink()
    assert reloader.find_change() is None
    touch(one, "4")
    assert reloader.find_change() == str(one)


def test_watches_modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "shop.py"
    path.write_text("")
    module = types.ModuleType("shop")
    module.__file__ = str(path) + "c"
    monkeypatch.setitem(sys.modules, "shop", module)
    assert str(path) in set(Reloader([], None, print).files())


def test_watches_what_failed_to_load(tmp_path: Path) -> None:
    path = tmp_path / "broken.py"
    path.write_text("")
    reloader = Reloader([], None, print)
    reloader.also_watch([str(path)])
    reloader.find_change()
    touch(path, "x")
    assert reloader.find_change() == str(path)


def test_what_changes_while_it_is_loaded(tmp_path: Path) -> None:
    before, after, folder = tmp_path / "before", tmp_path / "after", tmp_path / "folder"
    before.write_text("1")
    since = file_time()
    # The file's clock has a tick of some milliseconds, in which both would have the same time; and the kernel
    # gives a file that was looked at meanwhile a time of the finer clock, which is ahead by less than a tick.
    while file_time() < since + 0.02:
        pass
    since = file_time()
    folder.mkdir()
    # Its own time says nothing: it may be that of an archive.
    after.write_text("1")
    os.utime(after, (1, 1))
    reloader = Reloader([str(before), str(folder), str(after), str(tmp_path / "none")], None, print)
    assert reloader.begin(since) == str(after)
    assert reloader.find_change() is None
    assert Reloader([str(before)], None, print).begin(since) is None


def test_files_that_may_cure_an_error(tmp_path: Path) -> None:
    (tmp_path / "wrong").mkdir()
    path = tmp_path / "wrong" / "syntax.py"
    path.write_text("NAME = \n")

    def load() -> None:
        try:
            compile(path.read_text(), str(path), "exec")
        except SyntaxError as error:
            raise RuntimeError("not loaded") from error

    with pytest.raises(RuntimeError) as caught:
        load()
    caught.value.__cause__.__context__ = caught.value  # type: ignore[union-attr]
    assert files_of(caught.value) >= {str(path), str(path.parent), __file__, os.getcwd()}


def test_thread_calls_once(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("")
    called = threading.Event()
    names: list[str] = []

    def on_change(name: str) -> None:
        names.append(name)
        called.set()

    reloader = Reloader([str(path)], None, on_change)
    reloader.find_change()
    reloader.start()
    touch(path, "x")
    assert called.wait(10)
    reloader.join(10)
    assert names == [str(path)]


def test_a_folder_that_vanishes_does_not_end_the_thread(tmp_path: Path) -> None:
    watchfiles = pytest.importorskip("watchfiles")
    gone = tmp_path / "gone"
    gone.mkdir()
    path = tmp_path / "file"
    path.write_text("")
    tried = threading.Event()
    called = threading.Event()

    class Engine:
        """watchfiles, with a folder that is there when it is looked up and not when it is to be watched."""

        @staticmethod
        def watch(*folders: str, **options: Any) -> Any:
            if gone.exists():
                assert str(gone) in folders
                gone.rmdir()
                tried.set()
            return watchfiles.watch(*folders, **options)

    reloader = Reloader([str(path), str(gone / "file")], Engine, lambda name: called.set())
    reloader.find_change()
    reloader.start()
    assert tried.wait(10)
    touch(path, "x")
    assert called.wait(10)
    reloader.join(10)


def test_thread_can_be_stopped() -> None:
    reloader = Reloader([], None, print)
    reloader.start()
    reloader.stop()
    reloader.join(10)
    assert not reloader.is_alive()


def test_engines(monkeypatch: pytest.MonkeyPatch) -> None:
    assert find_engine("poll") is None
    # None in sys.modules is how Python is told that a module does not exist.
    monkeypatch.setitem(sys.modules, "watchfiles", None)
    assert find_engine("auto") is None
    with pytest.raises(ConfigError, match="needs the package watchfiles"):
        find_engine("inotify")
