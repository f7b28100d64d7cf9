"""The pid file: live, stale, garbled, foreign."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from indrik.arbiter.pidfile import Pidfile
from indrik.errors import ConfigError


@pytest.fixture
def other_pid() -> Iterator[int]:
    """A living process that is not this one."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        yield process.pid
        assert process.stdin is not None
        process.stdin.close()


def test_write_and_remove(tmp_path: Path) -> None:
    path = tmp_path / "pid"
    file = Pidfile(str(path))
    file.create(os.getpid())
    assert path.read_text() == f"{os.getpid()}\n"
    assert path.stat().st_mode & 0o777 == 0o644
    assert os.listdir(tmp_path) == ["pid"]
    file.unlink()
    assert not path.exists()
    file.unlink()


@pytest.mark.parametrize("text", ["", "garbage", "-1", "0", "99999999", "12 34"])
def test_what_names_no_living_process_is_overwritten(tmp_path: Path, text: str) -> None:
    path = tmp_path / "pid"
    path.write_text(text)
    Pidfile(str(path)).create(os.getpid())
    assert path.read_text() == f"{os.getpid()}\n"


def test_living_process_is_respected(tmp_path: Path, other_pid: int) -> None:
    path = tmp_path / "pid"
    path.write_text(f"{other_pid}\n")
    with pytest.raises(ConfigError, match=f"a server with pid {other_pid} is running"):
        Pidfile(str(path)).create(os.getpid())
    assert path.read_text() == f"{other_pid}\n"


def test_own_pid_is_no_obstacle(tmp_path: Path) -> None:
    file = Pidfile(str(tmp_path / "pid"))
    file.create(os.getpid())
    file.create(os.getpid())


def test_file_of_a_successor_is_left_alone(tmp_path: Path, other_pid: int) -> None:
    path = tmp_path / "pid"
    file = Pidfile(str(path))
    file.create(os.getpid())
    path.write_text(f"{other_pid}\n")
    file.unlink()
    assert path.exists()


def test_rename(tmp_path: Path) -> None:
    file = Pidfile(str(tmp_path / "pid.2"))
    file.create(os.getpid())
    file.rename(str(tmp_path / "pid"))
    assert os.listdir(tmp_path) == ["pid"]


def test_folder_that_does_not_exist(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be written"):
        Pidfile(str(tmp_path / "no" / "pid")).create(1)


def test_path_that_is_a_folder(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        Pidfile(str(tmp_path)).create(1)
