from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import pytest

from indrik.app.base import Application, BaseApplication
from indrik.errors import ConfigError


def wsgi_app(environ: Any, start_response: Any) -> list[bytes]:
    return []


class StandaloneApplication(BaseApplication):
    """The custom application of Gunicorn's documentation: options and a callable from a program."""

    def __init__(self, app: Any, options: dict[str, Any] | None = None) -> None:
        self.options = options or {}
        self.application = app
        self.loads = 0
        super().__init__()

    def load_config(self) -> None:
        for key, value in self.options.items():
            if key in self.cfg.settings and value is not None:
                self.cfg.set(key.lower(), value)

    def load(self) -> Any:
        self.loads += 1
        return self.application


class Framework(Application):
    """An application with settings of its own, below those of the operator."""

    settings: dict[str, Any] | None = None

    def init(self, parser: Any, opts: Any, args: list[str]) -> dict[str, Any] | None:
        return self.settings

    def load(self) -> Any:
        return wsgi_app


def failure(capsys: pytest.CaptureFixture[str]) -> str:
    """What construction prints before it exits with status 1."""
    with pytest.raises(SystemExit) as caught:
        Framework(prog="indrik")
    assert caught.value.code == 1
    return capsys.readouterr().err


def test_custom_application() -> None:
    def ready(server: Any) -> None: ...

    app = StandaloneApplication(wsgi_app, {"workers": "3", "when_ready": ready, "unknown": 1, "bind": None})
    assert app.cfg.workers == 3
    assert app.cfg.when_ready is ready
    assert app.cfg.bind == ["127.0.0.1:8000"]
    assert app.cfg.settings["workers"].source == "set by the application"
    assert app.wsgi() is wsgi_app
    assert app.wsgi() is wsgi_app
    assert app.loads == 1


def test_custom_application_ignores_command_line_and_files(
    workplace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (workplace / "indrik.conf.py").write_text("workers = 7\n")
    monkeypatch.setattr(sys, "argv", ["program", "--workers", "8"])
    assert StandaloneApplication(wsgi_app).cfg.workers == 1


def test_custom_application_with_a_wrong_value(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        StandaloneApplication(wsgi_app, {"workers": -1})
    assert caught.value.code == 1
    text = "workers: -1 (set by the application): must be a whole number from 0 to 1000, or auto"
    assert capsys.readouterr().err == f"Error: invalid value for {text}\n"


def test_a_fault_in_a_subclass_has_a_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    class Faulty(BaseApplication):
        def load_config(self) -> None:
            raise KeyError("a slip of the subclass")

    with pytest.raises(SystemExit) as caught:
        Faulty()
    assert caught.value.code == 1
    text = capsys.readouterr().err
    assert text.startswith("Traceback")
    assert text.endswith("KeyError: 'a slip of the subclass'\n")
    assert "/indrik/app/base.py" not in text


@pytest.mark.parametrize("missing", ["init", "load", "load_config"])
def test_what_a_subclass_must_bring(missing: str) -> None:
    class Bare(BaseApplication):
        def do_load_config(self) -> None: ...

    arguments: list[Any] = [None, None, []] if missing == "init" else []
    with pytest.raises(NotImplementedError):
        getattr(Bare(), missing)(*arguments)


def test_later_sources_win(workplace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = ["workers", "timeout", "backlog", "keepalive", "max_requests"]
    monkeypatch.setenv("WEB_CONCURRENCY", "11")
    monkeypatch.setattr(Framework, "settings", dict.fromkeys(names[1:], 12))
    (workplace / "indrik.conf.py").write_text("".join(f"{name} = 13\n" for name in names[2:]))
    monkeypatch.setenv("INDRIK_CMD_ARGS", "--keep-alive 14 --max-requests 14")
    monkeypatch.setenv("GUNICORN_CMD_ARGS", "--max-requests 99 --wrong")
    monkeypatch.setattr(sys, "argv", ["indrik", "--max-requests", "15"])
    cfg = Framework(prog="indrik").cfg
    assert [getattr(cfg, name) for name in names] == [11, 12, 13, 14, 15]
    assert [cfg.settings[name].source for name in names] == [
        "environment variable WEB_CONCURRENCY",
        "Framework.init",
        "./indrik.conf.py",
        "INDRIK_CMD_ARGS",
        "command line",
    ]


def test_gunicorns_variable_is_a_fallback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GUNICORN_CMD_ARGS", "-w 5 ignored:app")
    cfg = Framework(prog="indrik").cfg
    assert (cfg.workers, cfg.settings["workers"].source) == (5, "GUNICORN_CMD_ARGS")


def test_found_file(workplace: Path) -> None:
    (workplace / "gunicorn.conf.py").write_text("workers = 5\n")
    cfg = Framework(prog="indrik").cfg
    assert cfg.workers == 5
    assert (cfg.config, cfg.settings["config"].source) == ("./gunicorn.conf.py", "found in the directory")


@pytest.mark.parametrize("location", ["other.py", "file:other.py", "python:other", "other.toml"])
def test_named_file(workplace: Path, location: str, monkeypatch: pytest.MonkeyPatch) -> None:
    (workplace / "indrik.conf.py").write_text("workers = 1 / 0  # not even looked at\n")
    (workplace / "other.py").write_text("workers = 5\n")
    (workplace / "other.toml").write_text("workers = 5\n")
    monkeypatch.setenv("INDRIK_CMD_ARGS", "--config nowhere.py")
    monkeypatch.setattr(sys, "argv", ["indrik", "-c", location])
    cfg = Framework(prog="indrik").cfg
    assert (cfg.workers, cfg.settings["workers"].source) == (5, location)
    assert (cfg.config, cfg.settings["config"].source) == (location, "command line")


def test_pyproject(workplace: Path) -> None:
    text = '[tool.indrik]\nworkers = 5\nbind = ["a:1"]\nwhen_ready = "conf_hooks.ready"\n'
    (workplace / "pyproject.toml").write_text(text)
    (workplace / "conf_hooks.py").write_text("def ready(server): ...\n")
    cfg = Framework(prog="indrik").cfg
    assert (cfg.workers, cfg.bind, cfg.when_ready.__name__) == (5, ["a:1"], "ready")


def test_chdir(workplace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (workplace / "site").mkdir()
    (workplace / "site" / "indrik.conf.py").write_text("workers = 99\n")
    (workplace / "indrik.conf.py").write_text("workers = 5\n")
    monkeypatch.setattr(sys, "argv", ["indrik", "--chdir", "site"])
    app = Framework(prog="indrik")
    # The file is sought where the server was started.
    assert app.cfg.workers == 5
    assert os.getcwd() == str(workplace / "site")
    assert sys.path[0] == str(workplace / "site")


def test_slips_are_warned_about(workplace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (workplace / "indrik.conf.py").write_text("worker = 5\nhelper = 3\n")
    Framework(prog="indrik")
    text = "Warning: 'worker' in ./indrik.conf.py is not a setting and is ignored (did you mean 'workers'?)\n"
    assert capsys.readouterr().err == text


def test_a_file_without_python_s_ending_is_warned_about(
    workplace: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (workplace / "conf").write_text("workers = 5\n")
    monkeypatch.setattr(sys, "argv", ["indrik", "-c", "conf"])
    assert Framework(prog="indrik").cfg.workers == 5
    assert "'conf' is run as Python, but is not named .py" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("workers = -1\n", "Error: invalid value for workers: -1 (./indrik.conf.py): must be a whole"),
        ("keyfile = 'x'\n", "Error: invalid value for keyfile: 'x' (./indrik.conf.py): not supported yet"),
        ("bind = 'a:b'\n", "a:b"),
    ],
)
def test_wrong_value_in_a_file(
    text: str, message: str, workplace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (workplace / "indrik.conf.py").write_text(text)
    error = failure(capsys)
    assert message in error
    assert len(error.splitlines()) == 1


def test_broken_file_has_a_traceback(workplace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (workplace / "indrik.conf.py").write_text("workers = 1 / 0\n")
    error = failure(capsys)
    assert error.startswith("Traceback")
    assert 'File "./indrik.conf.py", line 1, in <module>' in error
    assert "/indrik/config/files.py" not in error
    last = "Error: configuration file './indrik.conf.py' failed: ZeroDivisionError: division by zero"
    assert error.splitlines()[-1] == last


def test_missing_file(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["indrik", "-c", "nowhere.py"])
    assert failure(capsys) == "Error: configuration file 'nowhere.py' doesn't exist\n"


def test_reload_reads_everything_again(workplace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (workplace / "site").mkdir()
    (workplace / "conf.py").write_text("workers = 5\n")
    monkeypatch.setattr(sys, "argv", ["indrik", "-c", "conf.py", "--chdir", "site"])
    app = Framework(prog="indrik")
    before = app.cfg
    (workplace / "conf.py").write_text("workers = 6\n")
    app.reload()  # finds the file although the process is in another directory by now
    assert app.cfg.workers == 6
    assert before.workers == 5
    assert os.getcwd() == str(workplace / "site")


def test_reload_of_a_module(workplace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (workplace / "conf_again.py").write_text("workers = 5\n")
    monkeypatch.setattr(sys, "argv", ["indrik", "-c", "python:conf_again"])
    app = Framework(prog="indrik")
    (workplace / "conf_again.py").write_text("workers = 60\n")
    app.reload()
    assert app.cfg.workers == 60


def test_reload_follows_a_switched_link(workplace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for release in ("one", "two"):
        (workplace / release).mkdir()
    (workplace / "two" / "indrik.conf.py").write_text("workers = 2\n")
    (workplace / "current").symlink_to("one")
    monkeypatch.chdir(workplace / "current")
    monkeypatch.setenv("PWD", str(workplace / "current"))
    app = Framework(prog="indrik")
    assert app.cfg.workers == 1
    (workplace / "next").symlink_to("two")
    (workplace / "next").rename(workplace / "current")
    app.reload()
    assert app.cfg.workers == 2
    assert os.getcwd() == str(workplace / "two")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("workers = -1\n", "invalid value for workers"),
        ("1 / 0\n", "ZeroDivisionError"),
        ("raise SystemExit(3)\n", "ended with an exit"),
    ],
)
def test_a_failed_reload_changes_nothing(workplace: Path, text: str, message: str) -> None:
    (workplace / "indrik.conf.py").write_text("workers = 5\n")
    app = Framework(prog="indrik")
    before, path = app.cfg, list(sys.path)
    (workplace / "indrik.conf.py").write_text(text)
    with pytest.raises(ConfigError, match=message):
        app.reload()
    assert app.cfg is before
    assert app.cfg.workers == 5
    assert sys.path == path


def test_python_path(workplace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["indrik", "--pythonpath", "one, two,"])
    Framework(prog="indrik").add_python_path()
    assert sys.path[:2] == [str(workplace / "two"), str(workplace / "one")]


class Arbiter:
    """Stands for the arbiter: ends as it is told."""

    error: BaseException | None = None

    def __init__(self, app: Any) -> None: ...

    def run(self) -> None:
        if self.error is not None:
            raise self.error


@pytest.mark.parametrize("error", [RuntimeError("cannot go on"), ConfigError("cannot go on")])
def test_run_ends_with_one_line(
    error: Exception, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("indrik.arbiter.Arbiter", Arbiter)
    monkeypatch.setattr(Arbiter, "error", error)
    with pytest.raises(SystemExit) as caught:
        StandaloneApplication(wsgi_app).run()
    assert caught.value.code == 1
    assert capsys.readouterr().err == "Error: cannot go on\n"


def test_run_hands_over_to_the_arbiter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("indrik.arbiter.Arbiter", Arbiter)
    monkeypatch.setattr(Arbiter, "error", SystemExit(7))
    with pytest.raises(SystemExit) as caught:
        Framework(prog="indrik").run()
    assert caught.value.code == 7


def test_reload_without_its_directory(workplace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (workplace / "start").mkdir()
    (workplace / "site").mkdir()
    monkeypatch.chdir(workplace / "start")
    monkeypatch.setattr(sys, "argv", ["indrik", "--chdir", "../site"])
    app = Framework(prog="indrik")
    before = app.cfg
    (workplace / "start").rmdir()
    with pytest.raises(ConfigError, match=r"configuration again: .*No such file or directory"):
        app.reload()
    assert app.cfg is before
    assert os.getcwd() == str(workplace / "site")
