"""Changed files are found, and only those."""

from __future__ import annotations

import os
import sys
import threading
import types
from pathlib import Path

import pytest

from indrik.errors import ConfigError
from indrik.workers.reloader import Reloader, find_engine


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
