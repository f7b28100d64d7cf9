"""The objects a command runs, as the description of a pre-fork server has them, where no other test looks."""

from __future__ import annotations

import importlib
import os
import sys
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest

from indrik.app import wsgiapp
from indrik.app.base import Application, BaseApplication
from indrik.app.wsgiapp import WSGIApplication
from indrik.config import Config
from tests.repo.source import ROOT

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


class Bare(BaseApplication):
    """What a subclass must bring, and no more."""

    def load_config(self) -> None: ...


class Plain(Application):
    def init(self, parser: Any, opts: Any, args: list[str]) -> dict[str, Any] | None:
        return None


def test_console_script() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["scripts"] == {"indrik": "indrik.app.wsgiapp:run"}
    for name, value in project["scripts"].items():
        assert EntryPoint(name, value, "console_scripts").load() is wsgiapp.run
    runner = project["entry-points"]["paste.server_runner"]["main"]
    pasterapp = importlib.import_module("indrik.app.pasterapp")
    assert EntryPoint("main", runner, "paste.server_runner").load() is pasterapp.serve


def test_run_makes_and_runs_an_application(monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[WSGIApplication] = []
    monkeypatch.setattr(WSGIApplication, "run", lambda app: ran.append(app))
    monkeypatch.setattr(sys, "argv", ["indrik", "shop:app"])
    wsgiapp.run(prog="shop")
    (app,) = ran
    assert type(app) is WSGIApplication
    assert (app.usage, app.prog) == ("%(prog)s [OPTIONS] [APP_MODULE]", "shop")


def test_attributes_of_an_application() -> None:
    app = Bare("%(prog)s USAGE", prog="shop")
    assert (app.usage, app.prog, app.callable, app.logger) == ("%(prog)s USAGE", "shop", None, None)
    assert type(app.cfg) is Config
    assert (app.cfg.usage, app.cfg.prog) == ("%(prog)s USAGE", "shop")


def test_default_configuration_is_made_before_the_own_one() -> None:
    seen: list[Config] = []

    class Steps(BaseApplication):
        def load_default_config(self) -> None:
            super().load_default_config()
            seen.append(self.cfg)

        def load_config(self) -> None:
            seen.append(self.cfg)

    app = Steps()
    assert seen == [app.cfg, app.cfg]
    app.reload()
    assert len(seen) == 4
    assert seen[2] is seen[3] is app.cfg is not seen[0]


def test_directory_is_entered_and_found_first_once(workplace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (workplace / "site").mkdir()
    monkeypatch.setattr(sys, "argv", ["indrik", "--chdir", "site"])
    app = Plain(prog="indrik")
    app.chdir()
    assert os.getcwd() == sys.path[0] == str(workplace / "site")
    assert sys.path.count(str(workplace / "site")) == 1


def test_names_that_a_configuration_file_sees(workplace: Path) -> None:
    (workplace / "conf.py").write_text(
        "seen = [__name__, __file__, __doc__, __package__]\nworkers = max(2, 3)\n"
    )
    values = Plain().get_config_from_filename("conf.py")
    assert values["seen"] == ["__config__", "conf.py", None, None]
    assert values["workers"] == 3
    assert "__builtins__" in values


@pytest.mark.parametrize("method", ["load_config_from_file", "load_config_from_module_name_or_filename"])
def test_both_names_load_a_file(method: str, workplace: Path) -> None:
    (workplace / "conf.py").write_text("workers = 3\nWorkers = 4\nhelper = 5\n")
    app = Plain()
    getattr(app, method)("conf.py")
    assert app.cfg.workers == 3


def test_python_path_is_not_repeated(monkeypatch: pytest.MonkeyPatch, workplace: Path) -> None:
    monkeypatch.setattr(sys, "argv", ["indrik", "--pythonpath", "lib"])
    app = Plain()
    app.add_python_path()
    app.add_python_path()
    assert sys.path.count(str(workplace / "lib")) == 1


@pytest.mark.parametrize(("flag", "name"), [("check_config", "loaded"), ("daemon", "ran")])
def test_run_checks_or_serves(flag: str, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []

    class Arbiter:
        def __init__(self, app: Any) -> None: ...

        def run(self) -> None:
            done.append("ran")

    class Steps(Plain):
        def load(self) -> Any:
            done.append("loaded")
            return lambda environ, start_response: []

    monkeypatch.setattr("indrik.arbiter.Arbiter", Arbiter)
    app = Steps()
    app.cfg.set(flag, True)
    if flag == "check_config":
        with pytest.raises(SystemExit) as caught:
            app.run()
        assert caught.value.code == 0
    else:
        app.run()
    assert done == [name]
