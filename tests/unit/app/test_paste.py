"""PasteDeploy files: the real library reads real files."""

from __future__ import annotations

import os
import sys
from argparse import Namespace
from pathlib import Path
from typing import Any

import pytest

from indrik.app.pastefile import PasteFile, settings_of_server
from indrik.app.pasterapp import (
    PasterServerApplication,
    get_wsgi_app,
    has_logging_config,
    paste_server,
    serve,
)
from indrik.app.wsgiapp import WSGIApplication, run
from indrik.errors import AppImportError, ConfigError
from tests.paste_files import SHOP, SHOP_INI, install_entry_points


@pytest.fixture(autouse=True)
def ini(workplace: Path) -> Path:
    (workplace / "shop.py").write_text(SHOP)
    install_entry_points(workplace)
    path = workplace / "shop.ini"
    path.write_text(SHOP_INI)
    return path


def make(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> WSGIApplication:
    monkeypatch.setattr(sys, "argv", ["indrik", *arguments])
    return WSGIApplication(prog="indrik")


def ask(application: Any) -> str:
    body: str = b"".join(application({}, lambda status, headers: None)).decode()
    return body


def failure(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """What is printed before the process ends with status 1."""
    with pytest.raises(SystemExit) as caught:
        make(monkeypatch, *arguments)
    assert caught.value.code == 1
    return capsys.readouterr().err


# --- the application


@pytest.mark.parametrize(
    ("text", "section"), [("shop.ini", "main"), ("shop.ini#", "main"), ("shop.ini#a", "a")]
)
def test_section_after_the_mark(text: str, section: str) -> None:
    assert PasteFile.parse(text).section == section


def test_section_main_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    assert '"greeting": "hello"' in ask(make(monkeypatch, "--paste", "shop.ini").wsgi())


def test_another_section_with_global_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    app = make(
        monkeypatch,
        *("--paste", "shop.ini#admin", "--paste-global", "title=madam"),
        *("--paste-global", r"a\=b=c", "--paste-global", "colour=blue"),
    )
    body = ask(app.wsgi())
    assert '"greeting": "at your service, madam"' in body
    assert '"a=b": "c"' in body
    # As the key stands in [DEFAULT]: for interpolation that wins, the factory is given ours.
    assert '"colour": "blue"' in body


def test_path_is_made_absolute_from_where_the_server_starts(
    workplace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (workplace / "site").mkdir()
    (workplace / "conf").mkdir()
    (workplace / "shop.ini").rename(workplace / "conf" / "my shop.ini")
    app = make(monkeypatch, "--chdir", "site", "--paste", "site/../conf//my shop.ini#admin")
    path = str(workplace / "conf" / "my shop.ini")
    assert app.app_uri == app.cfg.paste == f"{path}#admin"
    assert app.cfgurl == f"config:{path.replace(' ', '%20')}#admin"
    assert app.relpath == str(workplace / "conf")
    assert app.cfg.proc_name == path
    assert os.getcwd() == str(workplace / "site")


def test_link_in_the_path_is_kept(workplace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (workplace / "one").mkdir()
    (workplace / "shop.ini").rename(workplace / "one" / "shop.ini")
    (workplace / "current").symlink_to("one")
    monkeypatch.chdir(workplace / "current")
    monkeypatch.setenv("PWD", str(workplace / "current"))
    assert make(monkeypatch, "--paste", "shop.ini").cfg.paste == str(workplace / "current" / "shop.ini")


def test_missing_file(
    workplace: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    error = failure(monkeypatch, capsys, "--paste", "nowhere.ini#admin")
    path = workplace / "nowhere.ini"
    asked = "Error: invalid value for paste: 'nowhere.ini#admin' (command line): "
    assert error == f"{asked}'{path}' not found\n"


def test_init_by_itself(workplace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = make(monkeypatch, "--paste", "shop.ini")
    parser = app.cfg.parser()
    with pytest.raises(ConfigError, match="not found"):
        app.init(parser, Namespace(paste="nowhere.ini", raw_paste_global_conf=None), [])
    found = app.init(parser, Namespace(paste="shop.ini", raw_paste_global_conf=None), [])
    assert found == {"default_proc_name": str(workplace / "shop.ini")}


def test_file_that_is_no_ini_file(
    ini: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ini.write_text("no section\n")
    assert "shop.ini' is not an ini file: " in failure(monkeypatch, capsys, "--paste", "shop.ini")


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ("[app:main]\n", "No loader given in section 'app:main'"),
        ("[app:other]\nuse = call:shop:factory\n", "No section 'main'"),
        ("[app:main]\nuse = egg:indrik#shop\n", "Entry point 'shop' not found in egg 'indrik'"),
    ],
)
def test_faults_in_the_section(ini: Path, section: str, message: str) -> None:
    ini.write_text(section)
    with pytest.raises(AppImportError, match=message):
        PasteFile(str(ini)).load({})


def test_what_is_no_application(ini: Path, workplace: Path) -> None:
    (workplace / "shop.py").write_text("def factory(global_conf, **local_conf): return 5\n")
    with pytest.raises(AppImportError, match=r"'main' in .*shop.ini is of type int, which cannot be called"):
        PasteFile(str(ini)).load({})


def test_faults_of_the_application_are_its_own(ini: Path, workplace: Path) -> None:
    (workplace / "shop.py").write_text("{}['a key']\n")
    with pytest.raises(KeyError, match="a key"):
        PasteFile(str(ini)).load({})


def test_paste_goes_before_the_argument(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    app = make(monkeypatch, "--paste", "shop.ini", "other:app")
    assert "hello" in ask(app.load())
    assert capsys.readouterr().err == "Warning: application 'other:app' is ignored: paste names another\n"


@pytest.mark.parametrize("where", ["file", "environment"])
def test_named_elsewhere(
    where: str,
    ini: Path,
    workplace: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    if where == "file":
        (workplace / "indrik.conf.py").write_text("paste = 'shop.ini'\nworkers = 3\n")
    else:
        monkeypatch.setenv("INDRIK_CMD_ARGS", "--paste shop.ini --workers 3")
    monkeypatch.setenv("WEB_CONCURRENCY", "5")
    ini.write_text(SHOP_INI + "[server:main]\nuse = egg:indrik\nworkers = 2\ntimeout = 7\nconfig = x.py\n")
    app = make(monkeypatch, "other:app")
    assert "hello" in ask(app.wsgi())
    # Whatever names the file stands above what is in it.
    assert (app.cfg.workers, app.cfg.timeout) == (3, 7)
    assert app.cfg.proc_name == str(ini)
    text = capsys.readouterr().err
    assert "'config' in" in text
    assert "'other:app' is ignored" in text


def test_environment_of_a_setting_stands_below_the_file(ini: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INDRIK_CMD_ARGS", "--paste shop.ini")
    monkeypatch.setenv("WEB_CONCURRENCY", "5")
    ini.write_text(SHOP_INI + "[server:main]\nuse = egg:indrik\nworkers = 2\n")
    assert make(monkeypatch).cfg.workers == 2


def test_nothing_to_load(monkeypatch: pytest.MonkeyPatch) -> None:
    app = make(monkeypatch, "shop:factory")
    assert (app.paste_file, app.cfgurl, app.relpath) == (None, None, None)
    with pytest.raises(ConfigError, match="no PasteDeploy file was named"):
        app.load_pasteapp()


def test_without_the_library(
    workplace: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "paste"]:
        monkeypatch.delitem(sys.modules, name)
    (workplace / "paste.py").write_text("")
    error = failure(monkeypatch, capsys, "--paste", "shop.ini")
    assert error == "Error: a PasteDeploy file needs the package PasteDeploy: pip install 'indrik[paste]'\n"


def test_check_config(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    for section, status in (("admin", 0), ("nowhere", 1)):
        arguments = ["--check-config", "--paste-global", "title=x", "--paste", f"shop.ini#{section}"]
        monkeypatch.setattr(sys, "argv", ["indrik", *arguments])
        with pytest.raises(SystemExit) as caught:
            run(prog="indrik")
        assert caught.value.code == status
    assert "No section 'nowhere'" in capsys.readouterr().err


# --- what else the file says


def test_own_server_section(ini: Path, workplace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ini.write_text(
        "[server:main]\nuse = egg:indrik#main\nhost = 127.0.0.2\nport = %(port_number)s\nworkers = 4\n"
        "TimeOut = 9\nkeepalive = 3\nconfig = conf.py\n" + SHOP_INI
    )
    (workplace / "conf.py").write_text("timeout = 11\nbacklog = 12\n")
    app = make(monkeypatch, "--paste", "shop.ini", "--paste-global", "port_number=8123", "--keep-alive", "4")
    cfg = app.cfg
    assert cfg.bind == ["127.0.0.2:8123"]
    assert (cfg.workers, cfg.timeout, cfg.backlog, cfg.keepalive) == (4, 11, 12, 4)
    assert cfg.settings["workers"].source == str(ini)
    assert cfg.config == "conf.py"


def test_wrong_value_in_the_server_section(
    ini: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ini.write_text(SHOP_INI + "[server:main]\nuse = egg:indrik#main\nworkers = many\n")
    error = failure(monkeypatch, capsys, "--paste", "shop.ini")
    assert error.startswith(f"Error: invalid value for workers: 'many' ({ini}): ")


@pytest.mark.parametrize(
    "key", ["use = egg:waitress#main", "use = egg:gunicorn#main", "paste.server_runner = no.such:thing"]
)
def test_section_of_another_server_is_left_alone(
    key: str, ini: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ini.write_text(SHOP_INI + f"[server:main]\n{key}\nhost = 0.0.0.0\nport = 80\nthreads = 8\n")
    cfg = make(monkeypatch, "--paste", "shop.ini").cfg
    assert (cfg.bind, cfg.threads) == (["127.0.0.1:8000"], 1)
    warning = f"Warning: [server:main] in {ini} is for Gunicorn and is not read; "
    assert capsys.readouterr().err.startswith(warning) == ("gunicorn" in key)


def test_fault_in_the_server_section(
    ini: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ini.write_text(SHOP_INI + "[server:main]\nuse = egg:indrik#main\nport = %(nowhere)s\n")
    error = failure(monkeypatch, capsys, "--paste", "shop.ini")
    assert error.startswith(f"Error: [server:main] in {ini} cannot be read: ")
    assert "nowhere" in error


@pytest.mark.parametrize(("section", "used"), [("[loggers]\nkeys = root\n", True), ("", False)])
def test_logging_sections(section: str, used: bool, ini: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ini.write_text(SHOP_INI + section)
    assert has_logging_config(str(ini)) is used
    assert make(monkeypatch, "--paste", "shop.ini").cfg.logconfig == (str(ini) if used else None)
    assert make(monkeypatch, "--paste", "shop.ini", "--log-config", "x").cfg.logconfig == "x"


def test_reload_watches_the_file_too(ini: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = make(monkeypatch, "--paste", "shop.ini", "--reload", "--reload-extra-file", "shop.py")
    assert app.cfg.reload_extra_files == ["shop.py", str(ini)]
    assert make(monkeypatch, "--paste", "shop.ini").cfg.reload_extra_files == []


def test_reading_again(ini: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    section = "[server:main]\nuse = egg:indrik#main\nworkers = 2\n"
    ini.write_text(SHOP_INI + section)
    app = make(monkeypatch, "--paste", "shop.ini")
    old = app.cfg
    ini.write_text(SHOP_INI + section.replace("2", "3"))
    app.reload()
    assert (old.workers, app.cfg.workers) == (2, 3)
    ini.unlink()
    with pytest.raises(ConfigError, match="not found"):
        app.reload()
    assert app.cfg.workers == 3


@pytest.mark.parametrize(
    ("keys", "bind"),
    [
        ({"host": "127.0.0.1", "port": "80"}, ["127.0.0.1:80"]),
        ({"host": "127.0.0.1"}, ["127.0.0.1"]),
        ({"port": "81"}, ["127.0.0.1:81"]),
        ({"host": "a, b", "port": "82"}, ["a:82", "b:82"]),
        ({"host": "::1", "port": "83"}, ["[::1]:83"]),
        ({"host": "[::1]", "port": "84"}, ["[::1]:84"]),
        ({"host": "unix:/run/shop.sock", "port": "85"}, ["unix:/run/shop.sock"]),
        ({"host": "a:1,b:2"}, ["a:1", "b:2"]),
        ({"bind": "c:3"}, "c:3"),
        ({"bind": "c:3", "host": "d", "port": "4"}, ["d:4"]),
    ],
)
def test_host_and_port(keys: dict[str, str], bind: Any) -> None:
    found = settings_of_server(keys, "[server:main]")
    assert found.settings == {"bind": bind}
    assert bool(found.warnings) == ("bind" in keys and "host" in keys)


def test_keys_of_a_server_section() -> None:
    keys = {"Workers": "2", "timeout": None, "dirty_workers": "3"}
    assert settings_of_server(keys, "here").settings == {"workers": "2"}
    with pytest.raises(ConfigError, match=r"unknown key 'worker' in here \(did you mean 'workers'\?\)"):
        settings_of_server({"worker": "2"}, "here")
    with pytest.raises(ConfigError, match="'wsgi_app' cannot be set by here"):
        settings_of_server({"wsgi_app": "a:b"}, "here")


# --- as the server of another program


def application(environ: Any, start_response: Any) -> list[bytes]:
    return []


def served(ini: Path | None = None, **keys: str | None) -> PasterServerApplication:
    return PasterServerApplication(application, {"__file__": str(ini)} if ini else {}, **keys)


def test_runner_sets_what_the_keys_say(ini: Path, workplace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Both belong to the program that has loaded the application.
    monkeypatch.setattr(sys, "argv", ["pserve", "shop.ini", "--wrong"])
    monkeypatch.setenv("INDRIK_CMD_ARGS", "--wrong")
    (workplace / "conf.py").write_text("workers = 5\ntimeout = 6\n")
    app = served(ini, host="127.0.0.1", port="0", workers="3", reload="true", config="conf.py")
    assert (app.cfg.bind, app.cfg.workers, app.cfg.timeout) == (["127.0.0.1:0"], 3, 6)
    assert app.cfg.config == "conf.py"
    assert (app.cfg.proc_name, app.cfg.logconfig) == (str(ini), None)
    assert app.wsgi() is application


def test_runner_reads_the_file_in_the_directory(workplace: Path) -> None:
    (workplace / "gunicorn.conf.py").write_text("workers = 5\n")
    assert served().cfg.workers == 5


def test_runner_uses_the_logging_sections(ini: Path) -> None:
    ini.write_text(SHOP_INI + "[loggers]\nkeys = root\n")
    assert served(ini).cfg.logconfig == str(ini)
    assert served(ini, logconfig="other.ini").cfg.logconfig == "other.ini"


def test_runner_leaves_out_what_cannot_work(capsys: pytest.CaptureFixture[str]) -> None:
    app = served(reload="true")
    assert app.cfg.reload is False
    assert capsys.readouterr().err.startswith("Warning: reload is left out: the program that starts")
    app.reload()
    assert "this reload changes settings and not code" in capsys.readouterr().err


def test_runner_with_a_wrong_key(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        served(worker="3")
    assert caught.value.code == 1
    assert capsys.readouterr().err.startswith("Error: unknown key 'worker' in the server's section (did you")


@pytest.mark.parametrize("runner", [serve, paste_server])
def test_both_names_run_the_arbiter(runner: Any, ini: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Any] = []

    class Arbiter:
        def __init__(self, app: Any) -> None:
            seen.append(app)

        def run(self) -> None:
            raise SystemExit(0)

    monkeypatch.setattr("indrik.arbiter.Arbiter", Arbiter)
    with pytest.raises(SystemExit):
        runner(application, {"__file__": str(ini)}, host="a", port="1", workers="2")
    assert (seen[0].cfg.bind, seen[0].cfg.workers, seen[0].wsgi()) == (["a:1"], 2, application)


def test_entry_point_is_found_by_the_library(ini: Path) -> None:
    from paste.deploy.loadwsgi import SERVER, loadcontext  # type: ignore[import-untyped]

    ini.write_text(SHOP_INI + "[server:main]\nuse = egg:indrik#main\nhost = here\n")
    context = loadcontext(SERVER, f"config:{ini}")
    assert context.object is serve
    assert context.protocol == "paste.server_runner"
    assert context.local_conf == {"host": "here"}


@pytest.mark.parametrize("uri", ["shop.ini#admin", "config:shop.ini#admin"])
def test_get_wsgi_app(uri: str) -> None:
    assert "at your service, you" in ask(get_wsgi_app(uri, defaults={"title": "you"}))
    assert "hello" in ask(get_wsgi_app(uri, name="main"))
