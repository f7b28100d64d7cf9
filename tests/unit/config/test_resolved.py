from __future__ import annotations

import functools
import grp
import os
import pwd
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from indrik.config.kinds import Kind, RejectedValue
from indrik.config.processors import usable_processors
from indrik.config.resolved import (
    ClassName,
    DeployFile,
    Directory,
    Files,
    Group,
    Hook,
    StatsdAddress,
    TrimmedHook,
    User,
    WorkerCount,
    current_directory,
    no_hook,
)

ME = pwd.getpwuid(os.geteuid())
MY_GROUP = grp.getgrgid(os.getegid())
ALIASES = {"theirs.Class": "ours"}


class Sample:
    """Something to name, and a callable of one argument."""

    def method(self, server: Any) -> None: ...

    def __call__(self, server: Any) -> None: ...


def sample_hook(server: Any) -> None: ...


@pytest.mark.parametrize(
    ("kind", "written", "value"),
    [
        (User(), None, os.geteuid()),
        (User(), ME.pw_name, ME.pw_uid),
        (User(), "12345", 12345),
        (User(), 12345, 12345),
        (Group(), None, os.getegid()),
        (Group(), MY_GROUP.gr_name, MY_GROUP.gr_gid),
        (Group(), "12345", 12345),
        (Group(), 12345, 12345),
        (StatsdAddress(), None, None),
        (StatsdAddress(), "localhost:8125", ("localhost", 8125)),
        (StatsdAddress(), "[::1]:8125", ("::1", 8125)),
        (StatsdAddress(), "unix:///run/statsd", "/run/statsd"),
        (ClassName(ALIASES), " sync ", "sync"),
        (ClassName(ALIASES), "theirs.Class", "ours"),
        (ClassName(ALIASES), Sample, Sample),
        (ClassName(ALIASES), lambda: Sample, Sample),
        (Hook(("server",)), "tests.unit.config.test_resolved.sample_hook", sample_hook),
    ],
)
def test_accepted(kind: Kind, written: Any, value: Any) -> None:
    assert kind.parse(written) == value


@pytest.mark.parametrize(
    ("kind", "written", "text"),
    [
        (User(), "no-such-user", "there is no such user"),
        (User(), True, "there is no such user"),
        (Group(), "no-such-group", "there is no such group"),
        (Group(), ["wheel"], "there is no such group"),
        (Directory(), "no/such/directory", "there is no such directory"),
        (Directory(), None, "must be a directory"),
        (Files(), ["no-such-file"], "there is no file 'no-such-file'"),
        (StatsdAddress(), "localhost", "must be HOST:PORT or unix://PATH"),
        (StatsdAddress(), "localhost:http", "must be HOST:PORT or unix://PATH"),
        (StatsdAddress(), "localhost:65536", "must be HOST:PORT or unix://PATH"),
        (StatsdAddress(), "unix://", "must be HOST:PORT or unix://PATH"),
        (StatsdAddress(), 8125, "must be HOST:PORT or unix://PATH"),
        (ClassName(ALIASES), 3, "must be the name of a class"),
        (ClassName(ALIASES), "", "must be the name of a class"),
        (Hook(("server",)), 3, "must be callable"),
        (Hook(("server",)), "nodots", "must be a dotted path"),
        (Hook(("server",)), "no_such_module.hook", "cannot be imported: No module named 'no_such_module'"),
        (Hook(("server",)), "os.path.no_such_hook", "cannot be imported"),
        (Hook(("server", "worker")), sample_hook, r"must take 2 arguments: \(server, worker\)"),
        (Hook(("server",)), lambda: None, r"must take 1 arguments: \(server\)"),
        (Hook(("server",)), lambda *, server: None, "must take 1 arguments"),
    ],
)
def test_rejected(kind: Kind, written: Any, text: str) -> None:
    with pytest.raises(RejectedValue, match=text):
        kind.parse(written)


@pytest.mark.parametrize(
    "hook",
    [
        sample_hook,
        Sample().method,
        Sample(),
        lambda *everything: None,
        lambda server, extra=None: None,
        functools.partial(lambda extra, server: None, 1),
        print,
        no_hook,
    ],
)
def test_any_callable_that_can_take_the_arguments_is_a_hook(hook: Callable[..., Any]) -> None:
    assert Hook(("server",)).parse(hook) is hook


@pytest.mark.parametrize(
    ("hook", "count"),
    [
        (lambda worker, req: (worker, req), 2),
        (lambda worker, req, environ: (worker, req, environ), 3),
        (lambda worker, req, environ=None: (worker, req, environ), 3),
        (lambda worker, req, environ, resp: (worker, req, environ, resp), 4),
        (lambda *everything: everything, 4),
    ],
)
def test_a_trimmed_hook_gets_what_it_takes(hook: Callable[..., Any], count: int) -> None:
    parsed = TrimmedHook(("worker", "req", "environ", "resp"), fewest=2).parse(hook)
    assert parsed(1, 2, 3, 4) == (1, 2, 3, 4)[:count]


@pytest.mark.parametrize("hook", [lambda worker: None, lambda a, b, c, d, e: None])
def test_a_trimmed_hook_has_bounds(hook: Callable[..., Any]) -> None:
    with pytest.raises(RejectedValue, match="must take 2 to 4 arguments"):
        TrimmedHook(("worker", "req", "environ", "resp"), fewest=2).parse(hook)


def test_directory_is_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "inner").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PWD", raising=False)
    assert Directory().parse("inner/../inner") == str(tmp_path / "inner")


def test_file_of_paste_deploy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "shop.ini").write_text("")
    (tmp_path / "folder").mkdir()
    kind = DeployFile()
    assert kind.parse(" folder/../shop.ini#admin ") == f"{tmp_path}/shop.ini#admin"
    assert kind.parse(None) is None
    for wrong in ("nowhere.ini", "folder", ""):
        with pytest.raises(RejectedValue, match="' not found"):
            kind.parse(wrong)


def test_files_may_be_patterns(tmp_path: Path) -> None:
    (tmp_path / "there").touch()
    wanted = [str(tmp_path / "there"), str(tmp_path / "*.not-yet")]
    assert Files().parse(wanted) == wanted


def test_current_directory_is_named_as_the_shell_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "release").mkdir()
    (tmp_path / "current").symlink_to("release")
    monkeypatch.chdir(tmp_path / "release")
    monkeypatch.setenv("PWD", str(tmp_path / "current"))
    assert current_directory() == str(tmp_path / "current")
    monkeypatch.setenv("PWD", str(tmp_path))  # a lie
    assert current_directory() == str(tmp_path / "release")
    monkeypatch.setenv("PWD", str(tmp_path / "gone"))
    assert current_directory() == str(tmp_path / "release")


def test_worker_count() -> None:
    kind = WorkerCount()
    assert kind.parse(" auto ") == kind.argument()["type"]("auto") == usable_processors()
    assert (kind.parse(3), kind.parse("0x3"), kind.argument()["type"]("3")) == (3, 3, 3)
    for wrong in (-1, "automatic", None, 1.5):
        with pytest.raises(RejectedValue, match=r"^must be a whole number, 0 or more, or auto$"):
            kind.parse(wrong)
