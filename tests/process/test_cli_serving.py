"""The command when it serves, and its exit statuses as Gunicorn's users know them."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

import pytest

from tests.process.conftest import ServerFactory

PROGRAM = """
import os
from indrik.app.base import BaseApplication

class Standalone(BaseApplication):
    def __init__(self, application, options):
        self.application, self.options = application, options
        super().__init__()

    def load_config(self):
        for name, value in self.options.items():
            if name in self.cfg.settings and value is not None:
                self.cfg.set(name, value)

    def load(self):
        return self.application

def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "5")])
    return [b"whole"]

def when_ready(server):
    server.log.info("hook: ready with %s", server.cfg.workers)

if __name__ == "__main__":
    options = {"bind": "127.0.0.1:0", "workers": 2, "loglevel": "debug", "when_ready": when_ready, "other": 1}
    Standalone(application, options).run()
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGQUIT])
def test_stopped(serve: ServerFactory, number: int) -> None:
    assert serve().wait_ready().stop(number) == 0


def test_configured_by_a_file(serve: ServerFactory, folder: Path) -> None:
    (folder / "gunicorn.conf.py").write_text(
        "import multiprocessing\n"
        "workers = min(2, multiprocessing.cpu_count() + 1)\n"
        "bind = '127.0.0.1:0'\n"
        "worker_class = 'gunicorn.workers.sync.SyncWorker'\n"
        "control_socket_disable = True\n"
        "raw_env = ['VERSION=from the file']\n"
        "def when_ready(server):\n    server.log.info('hook: ready')\n"
    )
    server = serve(bind="").wait_ready(2)
    assert "hook: ready" in server.log()
    assert "from the file" in server.get()
    assert server.stop() == 0


def test_configured_by_pyproject(serve: ServerFactory, folder: Path) -> None:
    (folder / "pyproject.toml").write_text(
        '[tool.indrik]\nworkers = 2\nbind = ["127.0.0.1:0"]\n'
        'wsgi_app = "app:application"\nwhen_ready = "hooks.ready"\n'
    )
    (folder / "hooks.py").write_text("def ready(server):\n    server.log.info('hook: ready')\n")
    server = serve(bind="", app=None).wait_ready(2)
    assert "hook: ready" in server.log()
    assert server.get()
    assert server.stop() == 0


def test_directory_and_python_path(serve: ServerFactory, folder: Path) -> None:
    for name in ("site", "lib"):
        (folder / name).mkdir()
    (folder / "lib" / "answers.py").write_text("ANSWER = b'from lib'\n")
    (folder / "site" / "shop.py").write_text(
        "import answers\ndef application(environ, start_response):\n"
        "    start_response('200 OK', [('Content-Length', '8')])\n    return [answers.ANSWER]\n"
    )
    server = serve("--chdir", "site", "--pythonpath", str(folder / "lib"), app="shop")
    assert server.get() == "from lib"


def test_custom_application(serve: ServerFactory, folder: Path) -> None:
    (folder / "program.py").write_text(PROGRAM)
    server = serve(bind="", app=None, command=(sys.executable, "program.py"))
    server.wait_ready(2)
    assert "hook: ready with 2" in server.log()
    assert server.get() == "whole"
    assert server.stop() == 0


@pytest.mark.parametrize(
    ("text", "application", "status"),
    [
        ("raise LookupError('no such luck')", "site_app", 3),
        ("import no_such_module_at_all", "site_app", 3),
        ("", "no_such_module_at_all", 3),
        ("", "site_app:nothing", 4),
        ("application = 3", "site_app", 4),
        ("def make(one): ...", "site_app:make()", 4),
        ("", "site_app:make(x)", 4),
    ],
)
def test_application_that_cannot_be_loaded(
    serve: ServerFactory, folder: Path, text: str, application: str, status: int
) -> None:
    (folder / "site_app.py").write_text(f"{text}\n")
    assert serve(app=application).wait_exit() == status


@pytest.mark.parametrize(
    ("file", "arguments"),
    [
        ("def on_starting(server): 1 / 0", []),
        ("def when_ready(server): 1 / 0", []),
        ("", ["--preload", "--pid", "no/such/place/pid"]),
        ("", ["--access-logfile", "no/such/place/log"]),
    ],
)
def test_master_that_cannot_start(
    serve: ServerFactory, folder: Path, file: str, arguments: list[str]
) -> None:
    (folder / "indrik.conf.py").write_text(f"{file}\n")
    assert serve(*arguments).wait_exit() == 1
