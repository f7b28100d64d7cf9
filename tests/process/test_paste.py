"""PasteDeploy with the real command: applications from an ini file, and indrik as such a file's server."""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.paste_files import SHOP, SHOP_INI, install_entry_points
from tests.process.conftest import ServerFactory
from tests.process.server import Server, is_alive, wait_for

#: What a program such as pserve does.
RUNNER = """\
import sys
from paste.deploy import loadapp, loadserver
uri = "config:" + sys.argv[1]
loadserver(uri, relative_to=".")(loadapp(uri, relative_to="."))
"""

LOGGING = """
[loggers]
keys = root, indrik.error
[handlers]
keys = file
[formatters]
keys = plain
[logger_root]
level = INFO
handlers = file
[logger_indrik.error]
level = DEBUG
handlers = file
qualname = gunicorn.error
propagate = 0
[handler_file]
class = FileHandler
args = (r"%(here)s/paste.log",)
formatter = plain
[formatter_plain]
format = from the ini: %(message)s
"""


@pytest.fixture
def ini(folder: Path) -> Path:
    (folder / "shop.py").write_text(SHOP)
    path = folder / "shop.ini"
    path.write_text(SHOP_INI)
    return path


def environment(folder: Path) -> dict[str, str]:
    """Where `egg:indrik#main` is found, also if the tests run without an installation."""
    install_entry_points(folder)
    return {"PYTHONPATH": os.pathsep.join([os.environ.get("PYTHONPATH", ""), str(folder)]).lstrip(os.pathsep)}


def ask(server: Server) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(server.get())
    return found


def test_section_and_global_settings(serve: ServerFactory, ini: Path) -> None:
    server = serve("--paste", "shop.ini#admin", "--paste-global", r"title=a\=b=c", app=None).wait_ready()
    found = ask(server)
    assert found["local"] == {"greeting": "at your service, a=b=c"}
    assert found["global"]["colour"] == "red"
    assert found["global"]["__file__"] == str(ini)
    assert server.stop() == 0


@pytest.mark.parametrize("preload", [(), ("--preload",)], ids=["", "preload"])
def test_reload_on_hup(serve: ServerFactory, ini: Path, folder: Path, preload: tuple[str, ...]) -> None:
    server = serve("--paste", "shop.ini", *preload, app=None).wait_ready()
    assert (ask(server)["version"], ask(server)["local"]["greeting"]) == ("1", "hello")
    ini.write_text("no ini file")
    server.send(signal.SIGHUP)
    server.wait_for_log(r"Reload abandoned, nothing has changed: .*shop.ini' is not an ini file")
    ini.write_text(SHOP_INI.replace("[app:main]", "[app:other]"))
    server.send(signal.SIGHUP)
    server.wait_for_log(r"No section 'main'")
    server.wait_for_log(r"Reload abandoned: ")
    assert ask(server)["local"]["greeting"] == "hello"
    ini.write_text(SHOP_INI.replace("hello", "good day"))
    (folder / "shop.py").write_text(SHOP.replace('VERSION = "1"', 'VERSION = "second"'))
    server.send(signal.SIGHUP)
    server.wait_for_log("Reload complete")
    assert (ask(server)["version"], ask(server)["local"]["greeting"]) == ("second", "good day")
    assert server.stop() == 0


def test_reload_on_change(serve: ServerFactory, ini: Path, folder: Path) -> None:
    server = serve("--paste", "shop.ini", "--reload", app=None).wait_ready()
    ini.write_text(SHOP_INI.replace("hello", "good day"))
    server.wait_for_log(r"Worker reloading: .*shop.ini modified")
    wait_for(lambda: ask(server)["local"]["greeting"] == "good day", "the new configuration")
    (folder / "shop.py").write_text(SHOP.replace('VERSION = "1"', 'VERSION = "second"'))
    server.wait_for_log(r"Worker reloading: .*shop.py modified")
    wait_for(lambda: ask(server)["version"] == "second", "the new code")


def test_own_server_section(serve: ServerFactory, ini: Path, folder: Path) -> None:
    ini.write_text(
        SHOP_INI + "[server:main]\nuse = egg:indrik#main\nhost = 127.0.0.1\nport = 0\nworkers = 2\n"
    )
    server = serve("--paste", "shop.ini", app=None, bind="", environment=environment(folder)).wait_ready(2)
    assert ask(server)["local"]["greeting"] == "hello"
    assert len(server.workers()) == 2


def test_logging_sections(serve: ServerFactory, ini: Path, folder: Path) -> None:
    ini.write_text(SHOP_INI + LOGGING)
    server = serve("--paste", "shop.ini", app=None)
    server.log_path = folder / "paste.log"
    server.wait_ready()
    assert ask(server)["version"] == "1"
    assert all(line.startswith("from the ini: ") for line in server.log().splitlines())


@pytest.mark.parametrize(
    ("name", "status", "text"),
    [
        ("nowhere.ini", 1, "nowhere.ini' not found"),
        ("shop.ini#nowhere", 4, "No section 'nowhere'"),
        ("shop.ini#broken", 3, "ZeroDivisionError"),
    ],
)
def test_what_cannot_be_loaded(serve: ServerFactory, ini: Path, name: str, status: int, text: str) -> None:
    ini.write_text(SHOP_INI + "[app:broken]\nuse = call:broken:factory\n")
    (ini.parent / "broken.py").write_text("def factory(global_conf): 1 / 0\n")
    server = serve("--paste", name, app=None)
    assert server.wait_exit() == status
    assert text in server.log()


def test_without_the_library(serve: ServerFactory, ini: Path, folder: Path) -> None:
    (folder / "bare.py").write_text(
        "import sys\nsys.modules['paste.deploy'] = None  # as good as not installed\n"
        "from indrik.app.wsgiapp import run\nrun(prog='indrik')\n"
    )
    server = serve("--paste", "shop.ini", app=None, command=(sys.executable, "bare.py"))
    assert server.wait_exit() == 1
    assert server.log() == (
        "Error: a PasteDeploy file needs the package PasteDeploy: pip install 'indrik[paste]'\n"
    )


class TestServerOfAnotherProgram:
    """`use = egg:indrik#main`, with a program that loads application and server from the file."""

    def start(self, serve: ServerFactory, folder: Path, keys: str) -> Server:
        (folder / "run.py").write_text(RUNNER)
        section = "[server:main]\nuse = egg:indrik#main\nhost = 127.0.0.1\nport = 0\nloglevel = debug\n"
        (folder / "shop.ini").write_text(SHOP_INI + section + keys)
        # The helper's own arguments are that program's, and it does not read them.
        command = (sys.executable, "run.py", "shop.ini")
        return serve(command=command, environment=environment(folder))

    def test_serves_reloads_and_stops(self, serve: ServerFactory, ini: Path, folder: Path) -> None:
        (folder / "conf.py").write_text("workers = 3\nraw_env = ['MOOD=calm']\n")
        server = self.start(serve, folder, "workers = 2\nconfig = conf.py\n").wait_ready(2)
        assert ask(server)["local"]["greeting"] == "hello"
        first = server.workers()
        assert len(first) == 2
        (folder / "conf.py").write_text("timeout = 17\n")
        server.send(signal.SIGHUP)
        server.wait_for_log("Warning: this reload changes settings and not code")
        server.wait_for_log("Reload complete")
        wait_for(lambda: not any(map(is_alive, first)), "the end of the old workers")
        assert ask(server)["version"] == "1"
        assert server.stop() == 0

    def test_upgrade(self, serve: ServerFactory, ini: Path, folder: Path) -> None:
        server = self.start(serve, folder, "").wait_ready()
        address = server.address
        (folder / "shop.py").write_text(SHOP.replace('VERSION = "1"', 'VERSION = "second"'))
        server.send(signal.SIGUSR2)
        new = int(server.wait_for_log(r"New master started \(pid: (\d+)\)")[1])
        server.wait_for_log("Worker is ready", 2)
        assert server.stop() == 0
        assert server.address == address
        assert ask(server)["version"] == "second"
        os.kill(new, signal.SIGTERM)
        wait_for(lambda: not is_alive(new), "the end of the new master")

    def test_wrong_key(self, serve: ServerFactory, ini: Path, folder: Path) -> None:
        server = self.start(serve, folder, "worker = 2\n")
        assert server.wait_exit() == 1
        assert "Error: unknown key 'worker' in the server's section in " in server.log()
