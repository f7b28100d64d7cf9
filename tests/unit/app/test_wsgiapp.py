from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from indrik.app.wsgiapp import WSGIApplication, run
from indrik.errors import ConfigError


@pytest.fixture(autouse=True)
def shop(workplace: Path) -> None:
    (workplace / "shop.py").write_text(
        "def app(environ, start_response): ...\ndef other(environ, start_response): ...\n"
    )


def make(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> WSGIApplication:
    monkeypatch.setattr(sys, "argv", ["indrik", *arguments])
    return WSGIApplication(prog="indrik")


def test_named_on_the_command_line(monkeypatch: pytest.MonkeyPatch, workplace: Path) -> None:
    (workplace / "indrik.conf.py").write_text("wsgi_app = 'shop:other'\n")
    app = make(monkeypatch, "shop:app")
    assert app.app_uri == "shop:app"
    assert app.wsgi().__name__ == "app"
    assert app.cfg.proc_name == "shop:app"


def test_named_in_the_file(monkeypatch: pytest.MonkeyPatch, workplace: Path) -> None:
    (workplace / "indrik.conf.py").write_text("wsgi_app = 'shop:other'\n")
    app = make(monkeypatch)
    assert app.wsgi().__name__ == "other"
    assert app.cfg.proc_name == "shop:other"


def test_named_nowhere(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        make(monkeypatch)
    assert caught.value.code == 1
    assert capsys.readouterr().err.startswith("Error: no application was named: give one on the command line")


def test_application_in_the_environment_is_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INDRIK_CMD_ARGS", "-w 2 shop:other")
    app = make(monkeypatch, "shop:app")
    assert (app.app_uri, app.cfg.workers) == ("shop:app", 2)


def test_further_arguments_are_warned_about(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    make(monkeypatch, "shop:app", "more", "words")
    assert capsys.readouterr().err == "Warning: arguments after the application are ignored: more words\n"


def test_reload_follows_the_file(monkeypatch: pytest.MonkeyPatch, workplace: Path) -> None:
    (workplace / "indrik.conf.py").write_text("wsgi_app = 'shop:other'\n")
    app = make(monkeypatch)
    old = app.cfg
    (workplace / "indrik.conf.py").write_text("wsgi_app = 'shop:app'\n")
    app.reload()
    assert app.app_uri == "shop:app"
    app.cfg = old  # as when a reload is abandoned later on
    assert app.app_uri == "shop:other"


def test_subclass_with_an_application_of_its_own() -> None:
    class Standalone(WSGIApplication):
        def __init__(self, app_uri: str, options: dict[str, Any]) -> None:
            self.options = options
            self.app_uri = app_uri
            super().__init__()

        def load_config(self) -> None:
            for key, value in self.options.items():
                self.cfg.set(key, value)

    app = Standalone("shop:app", {"workers": 2})
    assert app.cfg.workers == 2
    assert app.wsgi().__name__ == "app"


def test_nothing_to_load(monkeypatch: pytest.MonkeyPatch) -> None:
    app = make(monkeypatch, "shop:app")
    app.app_uri = None
    with pytest.raises(ConfigError, match="no application was named"):
        app.load()


@pytest.mark.parametrize(
    ("arguments", "status", "error"),
    [
        (["shop:app"], 0, ""),
        (["shop:ap"], 1, "Error: there is no 'ap' in module 'shop' (did you mean 'shop:app'?)"),
        (["shp:app"], 1, "Error: there is no module 'shp' (did you mean 'shop'?)"),
        (["shop:app", "--log-level", "deug"], 1, "Error: invalid value for loglevel: 'deug'"),
        (["shop:app", "-k", "no.such.Worker"], 1, "Error: invalid value for worker_class: 'no.such.Worker'"),
    ],
)
def test_check_config(
    arguments: list[str],
    status: int,
    error: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sys, "argv", ["indrik", "--check-config", *arguments])
    with pytest.raises(SystemExit) as caught:
        run(prog="indrik")
    assert caught.value.code == status
    text = capsys.readouterr().err
    assert error in text
    assert "Traceback" not in text


def test_check_config_shows_what_the_application_raised(
    monkeypatch: pytest.MonkeyPatch, workplace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (workplace / "faulty.py").write_text("import no_such_module_at_all\n")
    monkeypatch.setattr(sys, "argv", ["indrik", "--check-config", "faulty:app"])
    with pytest.raises(SystemExit) as caught:
        run(prog="indrik")
    assert caught.value.code == 1
    text = capsys.readouterr().err
    assert text.startswith("Error while loading the application:\nTraceback")
    assert text.endswith("ModuleNotFoundError: No module named 'no_such_module_at_all'\n")


def test_check_config_sees_the_python_path(monkeypatch: pytest.MonkeyPatch, workplace: Path) -> None:
    (workplace / "elsewhere").mkdir()
    (workplace / "elsewhere" / "far.py").write_text("def app(environ, start_response): ...\n")
    monkeypatch.setattr(sys, "argv", ["indrik", "--check-config", "--pythonpath", "elsewhere", "far:app"])
    with pytest.raises(SystemExit) as caught:
        run(prog="indrik")
    assert caught.value.code == 0


def test_print_config(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["indrik", "--print-config", "-w", "3", "shop:app"])
    with pytest.raises(SystemExit) as caught:
        run(prog="indrik")
    assert caught.value.code == 0
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert "workers = 3 # command line" in lines
    assert "backlog = 2048 # default" in lines


@pytest.mark.parametrize(
    ("module", "unwanted"),
    [
        ("indrik", {"argparse", "indrik.config", "indrik.app"}),
        ("indrik.app.wsgiapp", {"argparse", "indrik.config", "indrik.app.base"}),
        ("indrik.app.wsgi_application", {"ssl", "asyncio", "email"}),
    ],
)
def test_importing_is_cheap(module: str, unwanted: set[str]) -> None:
    # What the master imports, every worker has in its memory.
    program = f"import {module}, sys; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=30
    )
    assert not unwanted & set(done.stdout.split())
