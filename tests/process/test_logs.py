"""What the running server writes to its logs, where, and what happens to the files on signals."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.process.conftest import ServerFactory
from tests.process.server import DEADLINE, Server, get_on, wait_for

DATE = r"\[\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4}\]"
STAMP = r"\[\d{4}-\d\d-\d\d \d\d:\d\d:\d\d [+-]\d{4}\]"
UNPRIVILEGED = 65534

APPLICATION = """\
import logging, os, subprocess, sys
LOGGER = logging.getLogger("gunicorn.error")
application_log = logging.Logger("application")
application_log.handlers = LOGGER.handlers
def application(environ, start_response):
    path = environ["PATH_INFO"]
    if path == "/raise":
        raise RuntimeError("the reason")
    if path == "/print":
        print("printed by the application")
        print("printed to stderr", file=sys.stderr)
        subprocess.run(["echo", "by a child"], check=True)
    if path == "/log":
        LOGGER.warning("to gunicorn.error")
        application_log.error("with its handlers")
    headers = [("Content-Type", "text/plain"), ("X-Request-Id", 'id"1')]
    if path == "/stream":
        start_response("200 OK", headers)
        return iter([b"a" * 1000] * 3)
    start_response("200 OK", [*headers, ("Content-Length", "5")])
    return [b"hello"]
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the server runs, with an application that writes to many places."""
    (tmp_path / "app.py").write_text(APPLICATION)
    return tmp_path


Address = tuple[str, int] | str


def request(where: Server | Address, data: bytes | str) -> bytes:
    """Send raw bytes on a connection of their own; all that comes back."""
    address = where.address if isinstance(where, Server) else where
    assert isinstance(address, tuple)
    with socket.create_connection(address, DEADLINE) as sock:
        sock.sendall(data if isinstance(data, bytes) else data.encode())
        return b"".join(iter(lambda: sock.recv(65536), b""))


def get(where: Server | Address, path: str = "/", *fields: str, method: str = "GET") -> bytes:
    """`where` is the address when the log that tells it may be gone."""
    lines = [f"{method} {path} HTTP/1.1", "Host: x", "Connection: close", *fields]
    return request(where, "\r\n".join([*lines, "", ""]))


def lines_of(path: Path, count: int = 1) -> list[str]:
    """The lines of a file, once it holds so many."""

    def read() -> list[str]:
        found = path.read_text().splitlines() if path.exists() else []
        return found if len(found) >= count else []

    return wait_for(read, f"{count} lines in {path}")


class TestAccessLog:
    def test_off_by_default(self, serve: ServerFactory) -> None:
        server = serve().wait_ready()
        get(server, "/nothing-of-this")
        assert server.stop() == 0
        assert "nothing-of-this" not in server.log()

    def test_standard_output(self, serve: ServerFactory) -> None:
        server = serve("--access-logfile", "-").wait_ready()
        get(server, "/path?a=b", "User-Agent: test", "Referer: http://example.org/")
        server.wait_for_log(
            rf'\n127\.0\.0\.1 - - {DATE} "GET /path\?a=b HTTP/1\.1" 200 5 "http://example\.org/" "test"\n'
        )

    @pytest.mark.parametrize(
        ("path", "method", "status", "sent"),
        [
            ("/", "GET", 200, 5),
            ("/", "HEAD", 200, 0),
            ("/stream", "GET", 200, 3000),
            ("/raise", "GET", 500, None),
        ],
    )
    def test_status_and_length(
        self, serve: ServerFactory, folder: Path, path: str, method: str, status: int, sent: int | None
    ) -> None:
        server = serve(
            *("--access-logfile", "access.log"), *("--access-logformat", "%(m)s %(U)s %(s)s %(b)s %(B)d")
        ).wait_ready()
        body = get(server, path, method=method).partition(b"\r\n\r\n")[2]
        expected = len(body) if sent is None else sent
        assert lines_of(folder / "access.log") == [f"{method} {path} {status} {expected} {expected}"]

    def test_every_kind_of_atom(self, serve: ServerFactory, folder: Path) -> None:
        text = (
            "%(h)s|%(u)s|%(q)s|%(H)s|%(p)s|%(T)d|%(M)d|%(D)d|%(L)s|"
            '"%({x-one}i)s"|"%({x-request-id}o)s"|%({SERVER_SOFTWARE}e)s'
        )
        server = serve("--access-logfile", "access.log", "--access-logformat", text).wait_ready()
        (worker,) = server.workers()
        get(server, "/?q=1", "X-One: a", "Authorization: Basic YWRhOng=", "X-One: b")
        (line,) = lines_of(folder / "access.log")
        found = re.fullmatch(
            rf"127\.0\.0\.1\|ada\|q=1\|HTTP/1\.1\|<{worker}>\|0\|\d+\|(\d+)\|(0\.\d{{6}})\|"
            r'"a, b"\|"id\\x221"\|indrik/\S+',
            line,
        )
        assert found, line
        assert int(found[1]) == round(float(found[2]) * 1_000_000) > 0

    def test_json(self, serve: ServerFactory, folder: Path) -> None:
        server = serve("--access-logfile", "access.log", "--access-logformat", "json").wait_ready()
        get(server, "/caf%C3%A9?x", 'User-Agent: say "hi" \\ \xe9')
        (line,) = lines_of(folder / "access.log")
        value = json.loads(line)
        assert value["path"] == "/caf\u00e9"
        assert value["user_agent"] == 'say "hi" \\ \u00e9'
        assert (value["status"], value["bytes"], value["pid"]) == (200, 5, server.workers()[0])

    def test_a_client_cannot_forge_a_line(self, serve: ServerFactory, folder: Path) -> None:
        server = serve("--access-logfile", "access.log").wait_ready()
        get(
            server,
            "/%0a1.2.3.4%22",
            'User-Agent: x" 200 5 "-" "\\',
            "Referer: \xff\x80",
            "Authorization: Basic eCAtIFtub3ddICJHRVQgLyBIVFRQLzEuMSI6eA==",  # x - [now] "GET / HTTP/1.1":x
        )
        (line,) = lines_of(folder / "access.log")
        assert line.isascii()
        assert re.fullmatch(
            r"127\.0\.0\.1 - x\\x20-\\x20\[now\]\\x20\\x22GET\\x20/\\x20HTTP/1\.1\\x22 "
            rf'{DATE} "GET /%0a1\.2\.3\.4%22 HTTP/1\.1" 200 5 '
            r'"(?:\\x[0-9a-f]{2})+" "x\\x22 200 5 \\x22-\\x22 \\x22\\x5c"',
            line,
        ), line

    def test_100_requests_on_one_connection_are_100_lines(self, serve: ServerFactory, folder: Path) -> None:
        server = serve("--access-logfile", "access.log", "--access-logformat", "%(U)s").wait_ready()
        with server.connect() as sock:
            for number in range(100):
                get_on(sock, f"/{number}")
        assert lines_of(folder / "access.log", 100) == [f"/{number}" for number in range(100)]

    def test_a_refused_request_has_a_line(self, serve: ServerFactory, folder: Path) -> None:
        """Whoever counts statuses in the access log counts the refused requests too, as under Gunicorn."""
        server = serve("--access-logfile", "access.log", "--access-logformat", "%(h)s %(s)s").wait_ready()
        assert request(server, "GET / HTTP/1.1\r\nNo colon\r\n\r\n").startswith(b"HTTP/1.1 400 ")
        assert lines_of(folder / "access.log") == ["127.0.0.1 400"]

    def test_the_line_is_there_before_post_request(self, serve: ServerFactory, folder: Path) -> None:
        (folder / "conf.py").write_text(
            "accesslog = 'access.log'\n"
            "access_log_format = '%(U)s'\n"
            "def post_request(worker, req, environ, resp):\n"
            "    worker.log.info('lines so far: %r', open('access.log').read())\n"
        )
        server = serve("-c", "conf.py").wait_ready()
        get(server, "/first")
        server.wait_for_log(r"lines so far: '/first\\n'")


class TestErrorLog:
    def test_every_line_has_the_form(self, serve: ServerFactory) -> None:
        server = serve("--workers", "2").wait_ready(2)
        get(server)
        assert server.stop() == 0
        for line in server.log().splitlines():
            assert re.fullmatch(rf"{STAMP} \[\d+\] \[(DEBUG|INFO)\] .+", line), line

    def test_a_traceback_is_in_the_log_and_not_in_the_answer(self, serve: ServerFactory) -> None:
        server = serve().wait_ready()
        answer = get(server, "/raise")
        assert answer.startswith(b"HTTP/1.1 500 ")
        assert b"reason" not in answer.partition(b"\r\n\r\n")[2].replace(
            b"the reason is in the server's log", b""
        )
        server.wait_for_log(r"RuntimeError: the reason")

    def test_a_file(self, serve: ServerFactory, folder: Path) -> None:
        server = serve("--error-logfile", "error.log")
        server.log_path = folder / "error.log"
        wait_for(server.log_path.exists, "the error log")
        server.wait_ready()
        assert server.stop() == 0
        assert (folder / "log").read_text() == ""
        assert "Shutting down" in server.log()

    def test_applications_may_use_gunicorns_names(self, serve: ServerFactory) -> None:
        server = serve().wait_ready()
        get(server, "/log")
        server.wait_for_log(rf"{STAMP} \[\d+\] \[WARNING\] to gunicorn\.error\n")
        server.wait_for_log(rf"{STAMP} \[\d+\] \[ERROR\] with its handlers\n")

    def test_output_of_the_application_is_captured(self, serve: ServerFactory, folder: Path) -> None:
        server = serve("--capture-output", "--error-logfile", "error.log")
        server.log_path = folder / "error.log"
        wait_for(server.log_path.exists, "the error log")
        server.wait_ready()
        address = server.address
        for number in range(2):
            get(address, "/print")
            for text in ("printed by the application", "printed to stderr", "by a child"):
                server.wait_for_log(rf"(?m)^{text}$")
            if number == 0:
                server.log_path.rename(folder / "error.log.1")
                server.send(signal.SIGUSR1)
                wait_for(server.log_path.exists, "a new error log")
                reopened(server)
        assert (folder / "log").read_text() == ""

    def test_without_capture_it_goes_where_it_went(self, serve: ServerFactory, folder: Path) -> None:
        server = serve("--error-logfile", "error.log")
        server.log_path = folder / "error.log"
        wait_for(server.log_path.exists, "the error log")
        server.wait_ready()
        get(server, "/print")
        wait_for(lambda: "printed to stderr" in (folder / "log").read_text(), "the application's words")
        assert "printed" not in server.log()


class TestWrongSettings:
    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (
                ["--error-logfile", "no/e.log"],
                r"errorlog: cannot open 'no/e\.log' for writing: No such file or directory",
            ),
            (
                ["--access-logfile", "no/a.log"],
                r"accesslog: cannot open 'no/a\.log' for writing: No such file or dir",
            ),
            (["--access-logfile", "."], r"accesslog: cannot open '\.' for writing: Is a directory"),
            (["--log-config", "no.ini"], r"logconfig: 'no\.ini' does not exist"),
            (["--log-config-json", "no.json"], r"logconfig_json: cannot read 'no\.json'"),
            (["--log-syslog", "--log-syslog-to", "nowhere"], r"syslog_addr: 'nowhere' is no syslog address"),
            (
                ["--log-syslog", "--log-syslog-to", "unix://none"],
                r"syslog_addr: cannot connect to unix://none",
            ),
            (["--log-syslog", "--log-syslog-facility", "usr"], r"syslog_facility: 'usr' is unknown"),
            (["--access-logfile", "-", "--access-logformat", "%(h"], r"access_log_format: column 1"),
        ],
    )
    def test_one_clear_line_and_status_1(
        self, serve: ServerFactory, arguments: list[str], message: str
    ) -> None:
        server = serve(*arguments)
        assert server.wait_exit() == 1
        (line,) = [line for line in server.log().splitlines() if line]
        assert re.search(message, line), line

    @pytest.mark.parametrize("setting", ["command line", "file"])
    def test_an_unknown_level(self, folder: Path, setting: str) -> None:
        (folder / "conf.py").write_text("loglevel = 'waring'\n")
        given = ["--log-level", "waring"] if setting == "command line" else ["-c", "conf.py"]
        ended = subprocess.run(
            [sys.executable, "-m", "indrik", "--bind", "127.0.0.1:0", *given, "app:application"],
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=DEADLINE,
        )
        assert ended.returncode == 1
        (line,) = [line for line in ended.stderr.splitlines() if line]
        assert "'waring'" in line
        assert "'warning'" in line


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


class TestRefusals:
    MALFORMED = b"GET / HTTP/1.1\r\nHost: x\r\nBad Name: 1\r\n\r\n"

    def test_one_line_for_a_malformed_request(self, serve: ServerFactory) -> None:
        server = serve().wait_ready()
        assert request(server, self.MALFORMED).startswith(b"HTTP/1.1 400 ")
        server.wait_for_log(rf"{STAMP} \[\d+\] \[WARNING\] Invalid request from ip=127\.0\.0\.1: .+\n")
        assert server.stop() == 0
        assert len(re.findall("Invalid request", server.log())) == 1

    def test_the_line_cannot_be_forged(self, serve: ServerFactory) -> None:
        server = serve().wait_ready()
        request(server, b"GET /\x0b\x1b[31m\nX HTTP/1.1\r\nHost: x\r\n\r\n")
        server.wait_for_log("Invalid request")
        assert server.stop() == 0
        assert "\x1b" not in server.log()
        for line in server.log().splitlines():
            assert re.match(STAMP, line), line

    def test_an_attack_does_not_fill_the_log(self, serve: ServerFactory) -> None:
        server = serve().wait_ready()
        for _ in range(300):
            request(server, self.MALFORMED)
        assert server.stop() == 0
        single = re.findall(r"Invalid request from", server.log())
        more = re.findall(r"Invalid requests not logged: (\d+) more", server.log())
        assert len(single) + sum(map(int, more)) == 300
        assert len(single) < 300
        # Five a second and one summary a second; the attack above took as many seconds as there are
        # summaries.
        assert len(single) <= 5 * (len(more) + 1)


def reopened(server: Server) -> None:
    """Until no process of the server has a file of the old name open."""

    def holders() -> list[str]:
        return [
            name
            for pid in (server.pid, *server.workers())
            for link in Path(f"/proc/{pid}/fd").iterdir()
            if (name := _target(link)).endswith((".log.1", ".log (deleted)"))
        ]

    wait_for(lambda: not holders(), "every process to let go of the old files")


def _target(link: Path) -> str:
    try:
        return os.readlink(link)
    except FileNotFoundError:
        return ""
