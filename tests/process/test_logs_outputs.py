"""Where the logs of the running server go: rotation, reload, syslog, logging configurations."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.process.conftest import ServerFactory
from tests.process.logs import APPLICATION, DATE, STAMP, UNPRIVILEGED, get, lines_of, reopened
from tests.process.server import DEADLINE, wait_for


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the server runs, with an application that writes to many places."""
    (tmp_path / "app.py").write_text(APPLICATION)
    return tmp_path


class TestReopening:
    @pytest.mark.parametrize("rotation", ["rename", "delete"])
    def test_usr1_after_a_rotation(self, serve: ServerFactory, folder: Path, rotation: str) -> None:
        server = serve(
            *("--workers", "2", "--access-logfile", "access.log", "--error-logfile", "error.log"),
            *("--access-logformat", "%(U)s"),
        )
        server.log_path = folder / "error.log"
        wait_for(server.log_path.exists, "the error log")
        server.wait_ready(2)
        address = server.address
        get(address, "/old")
        assert lines_of(folder / "access.log") == ["/old"]
        for name in ("access.log", "error.log"):
            if rotation == "rename":
                (folder / name).rename(folder / f"{name}.1")
            else:
                (folder / name).unlink()
        server.send(signal.SIGUSR1)
        wait_for((folder / "access.log").exists, "a new access log")
        reopened(server)
        for number in range(20):  # both workers answer some
            get(address, f"/new/{number}")
        # A worker writes its line after the answer, so two workers may be out of step.
        expected = {f"/new/{number}" for number in range(20)}
        assert set(lines_of(folder / "access.log", 20)) == expected
        assert server.stop() == 0
        assert "Shutting down" in (folder / "error.log").read_text()
        if rotation == "rename":
            assert (folder / "access.log.1").read_text() == "/old\n"
            assert "Shutting down" not in (folder / "error.log.1").read_text()

    def test_a_file_that_cannot_be_opened_again_stays_in_use(
        self, serve: ServerFactory, folder: Path
    ) -> None:
        logs = folder / "logs"
        logs.mkdir()
        server = serve("--access-logfile", "logs/access.log", "--access-logformat", "%(U)s").wait_ready()
        logs.rename(folder / "elsewhere")
        server.send(signal.SIGUSR1)
        server.wait_for_log(r"Cannot reopen \S+/logs/access\.log: No such file or directory", 2)
        get(server, "/kept")
        assert lines_of(folder / "elsewhere" / "access.log") == ["/kept"]

    @pytest.mark.skipif(os.geteuid() != 0, reason="only root can change the workers' user")
    def test_workers_of_another_user_can_write_to_the_new_file(
        self, serve: ServerFactory, public_folder: Path
    ) -> None:
        server = serve(
            *("--user", str(UNPRIVILEGED), "--group", str(UNPRIVILEGED)),
            *("--access-logfile", str(public_folder / "access.log"), "--access-logformat", "%(U)s"),
            # The interpreter may lie where only root can read: all is imported before the change.
            *("--chdir", str(public_folder), "--preload"),
        ).wait_ready()
        get(server, "/old")
        assert lines_of(public_folder / "access.log") == ["/old"]
        (public_folder / "access.log").rename(public_folder / "access.log.1")
        server.send(signal.SIGUSR1)
        wait_for((public_folder / "access.log").exists, "a new access log")
        reopened(server)
        get(server, "/new")
        assert lines_of(public_folder / "access.log") == ["/new"]
        assert "Cannot reopen" not in server.log()

    @pytest.fixture
    def public_folder(self) -> Iterator[Path]:
        """A folder that every user may enter, which pytest's own folders are not."""
        made = Path(tempfile.mkdtemp(prefix="indrik-logs-"))
        made.chmod(0o755)
        (made / "app.py").write_text(APPLICATION)
        yield made
        shutil.rmtree(made)


class TestReload:
    def test_hup_changes_the_outputs(self, serve: ServerFactory, folder: Path) -> None:
        conf = folder / "conf.py"
        conf.write_text("accesslog = 'one.log'\naccess_log_format = '%(U)s'\n")
        server = serve("-c", "conf.py").wait_ready()
        get(server, "/one")
        assert lines_of(folder / "one.log") == ["/one"]
        conf.write_text("accesslog = 'two.log'\naccess_log_format = '%(m)s'\n")
        (old,) = server.workers()
        server.send(signal.SIGHUP)
        server.wait_ready(2)
        wait_for(lambda: old not in server.workers(), "the old worker's end")
        get(server, "/two")
        assert lines_of(folder / "two.log") == ["GET"]
        assert (folder / "one.log").read_text() == "/one\n"

    def test_hup_with_wrong_log_settings_changes_nothing(self, serve: ServerFactory, folder: Path) -> None:
        conf = folder / "conf.py"
        conf.write_text("accesslog = 'one.log'\naccess_log_format = '%(U)s'\n")
        server = serve("-c", "conf.py").wait_ready()
        before = server.workers()
        conf.write_text("accesslog = 'no/such/two.log'\n")
        server.send(signal.SIGHUP)
        server.wait_for_log(r"accesslog: cannot open 'no/such/two\.log'")
        get(server, "/still")
        assert lines_of(folder / "one.log") == ["/still"]
        assert server.workers() == before


class TestSyslog:
    @pytest.mark.parametrize("kind", ["udp", "unix"])
    def test_both_logs(self, serve: ServerFactory, folder: Path, kind: str) -> None:
        with socket.socket(socket.AF_INET if kind == "udp" else socket.AF_UNIX, socket.SOCK_DGRAM) as syslog:
            syslog.settimeout(DEADLINE)
            if kind == "udp":
                syslog.bind(("127.0.0.1", 0))
                address = f"udp://127.0.0.1:{syslog.getsockname()[1]}"
            else:
                syslog.bind(str(folder / "syslog"))
                address = f"unix://{folder / 'syslog'}#dgram"
            server = serve(
                *("--log-syslog", "--log-syslog-to", address, "--log-syslog-prefix", "shop"),
                *("--log-syslog-facility", "local3"),
            )
            messages = [syslog.recv(65536).decode()]
            assert re.fullmatch(r"<158>indrik\.shop\.error: \[\d+\] Starting indrik \S+", messages[0])
            server.wait_ready()
            get(server, "/to-syslog")
            while ".access: " not in messages[-1]:
                messages.append(syslog.recv(65536).decode())
            (worker,) = server.workers()
            assert re.fullmatch(
                rf"<158>indrik\.shop\.access: \[{worker}\] 127\.0\.0\.1 - - {DATE} "
                r'"GET /to-syslog HTTP/1\.1" 200 5 "-" "-"',
                messages[-1],
            )
            assert server.stop() == 0

    def test_only_errors(self, serve: ServerFactory, folder: Path) -> None:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as syslog:
            syslog.settimeout(DEADLINE)
            syslog.bind(str(folder / "syslog"))
            server = serve(
                *("--log-syslog", "--log-syslog-to", f"unix://{folder / 'syslog'}"),
                "--disable-redirect-access-to-syslog",
            ).wait_ready()
            get(server, "/not-to-syslog")
            assert server.stop() == 0
            messages = []
            syslog.setblocking(False)
            try:
                while True:
                    messages.append(syslog.recv(65536))
            except BlockingIOError:
                pass
        assert any(b"Starting indrik" in message for message in messages)
        assert not any(b"not-to-syslog" in message for message in messages)


INI = """
[loggers]
keys = root, error, access
[handlers]
keys = error, access
[formatters]
keys = short
[logger_root]
handlers =
[logger_error]
level = INFO
handlers = error
propagate = 0
qualname = gunicorn.error
[logger_access]
level = INFO
handlers = access
propagate = 0
qualname = gunicorn.access
[handler_error]
class = FileHandler
formatter = short
args = ("x-error.log",)
[handler_access]
class = FileHandler
formatter = short
args = ("x-access.log",)
[formatter_short]
format = %(levelname)s %(message)s
"""

DICT = """{
    "root": {"level": "INFO", "handlers": []},
    "formatters": {"short": {"format": "%(levelname)s %(message)s"}},
    "handlers": {
        "error": {"class": "logging.FileHandler", "filename": "x-error.log", "formatter": "short"},
        "access": {"class": "logging.FileHandler", "filename": "x-access.log", "formatter": "short"}
    },
    "loggers": {
        "gunicorn.error": {"level": "INFO", "handlers": ["error"], "propagate": false},
        "gunicorn.access": {"level": "INFO", "handlers": ["access"], "propagate": false}
    }
}"""


class TestLoggingConfiguration:
    @pytest.mark.parametrize("form", ["ini", "json", "dict"])
    def test_a_file_for_gunicorn_works(self, serve: ServerFactory, folder: Path, form: str) -> None:
        (folder / "log.ini").write_text(INI)
        (folder / "log.json").write_text(DICT)
        (folder / "conf.py").write_text(f"logconfig_dict = {DICT.replace('false', 'False')}")
        given = {"ini": ["--log-config", "log.ini"], "json": ["--log-config-json", "log.json"]}
        server = serve(*given.get(form, ["-c", "conf.py"]), "--access-logformat", "%(U)s")
        server.log_path = folder / "x-error.log"
        wait_for(server.log_path.exists, "the configured error log")
        server.wait_for_log(r"(?m)^INFO Booting worker with pid: \d+$")
        get(server, "/path")
        assert lines_of(folder / "x-access.log") == ["INFO /path"]
        # Files of such a configuration follow a rotation as ours do.
        (folder / "x-access.log").rename(folder / "x-access.log.1")
        server.send(signal.SIGUSR1)
        wait_for((folder / "x-access.log").exists, "a new access log")
        reopened(server)
        get(server, "/new")
        assert lines_of(folder / "x-access.log") == ["INFO /new"]

    def test_names_of_gunicorn_in_the_configuration_file_itself(
        self, serve: ServerFactory, folder: Path
    ) -> None:
        """The logger is taken before the server has made its own, and a class and a filter hang on the other
        name."""
        (folder / "conf.py").write_text(
            "import logging\n"
            "log = logging.getLogger('gunicorn.error')\n"
            "accesslog = '-'\n"
            "access_log_format = 'line of %(U)s'\n"
            "class NoHealth(logging.Filter):\n"
            "    def filter(self, record):\n"
            "        return record.args['U'] != '/health'\n"
            "logging.getLogger('gunicorn.access').addFilter(NoHealth())\n"
            "def when_ready(server):\n"
            "    log.warning('said by the hook')\n"
        )
        server = serve("-c", "conf.py").wait_ready()
        assert re.search(rf"{STAMP} \[{server.pid}\] \[WARNING\] said by the hook", server.log())
        get(server, "/health")
        get(server, "/other")
        server.wait_for_log(r"(?m)^line of /other$")
        assert "line of /health" not in server.log()

    def test_a_logger_class(self, serve: ServerFactory, folder: Path) -> None:
        (folder / "conf.py").write_text(
            "from indrik.log import Logger\n"
            "accesslog = '-'\n"
            "access_log_format = '%(m)s %(path)s %(t)s'\n"
            "class Own(Logger):\n"
            "    error_fmt = 'own: %(message)s'\n"
            "    def atoms(self, resp, req, environ, request_time):\n"
            "        known = super().atoms(resp, req, environ, request_time)\n"
            "        return known | {'path': environ['PATH_INFO'] * 2}\n"
            "    def now(self):\n"
            "        return 'now'\n"
            "logger_class = Own\n"
        )
        server = serve("-c", "conf.py")
        server.wait_for_log(r"(?m)^own: Booting worker")
        get(server, "/x")
        server.wait_for_log(r"(?m)^GET /x/x now$")

    def test_a_logger_class_that_is_not_based_on_ours(self, serve: ServerFactory, folder: Path) -> None:
        """As Gunicorn's Logger is, which configuration files import while it is still installed."""
        (folder / "conf.py").write_text(
            "import logging\n"
            "class Foreign:\n"
            "    def __init__(self, cfg):\n"
            "        self.error_log = logging.getLogger('foreign')\n"
            "        self.error_log.addHandler(logging.StreamHandler())\n"
            "        self.setup(cfg)\n"
            "    def setup(self, cfg):\n"
            "        self.error_log.setLevel(cfg.loglevel.upper())\n"
            "    def access(self, resp, req, environ, request_time):\n"
            "        self.info('%s %s %s %s', req.method, environ['PATH_INFO'], resp.status, resp.sent)\n"
            "    def reopen_files(self): pass\n"
            "    def close_on_exec(self): pass\n"
            "    def __getattr__(self, name):\n"
            "        if name not in ('critical', 'error', 'warning', 'info', 'debug', 'exception', 'log'):\n"
            "            raise AttributeError(name)\n"
            "        return getattr(self.error_log, name)\n"
            "logger_class = Foreign\n"
        )
        server = serve("-c", "conf.py").wait_ready()
        assert b"hello" in get(server)
        server.wait_for_log("GET / 200 OK 5")
        server.send(signal.SIGHUP)
        server.wait_for_log("Reload complete")
        assert b"hello" in get(server)
        server.wait_for_log("GET / 200 OK 5", 2)
