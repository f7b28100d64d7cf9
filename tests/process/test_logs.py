"""What the running server writes to its logs."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.process.conftest import ServerFactory
from tests.process.logs import APPLICATION, DATE, STAMP, get, lines_of, reopened, request
from tests.process.server import DEADLINE, get_on, wait_for


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the server runs, with an application that writes to many places."""
    (tmp_path / "app.py").write_text(APPLICATION)
    return tmp_path


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

    def test_a_refused_request_is_named(self, serve: ServerFactory, folder: Path) -> None:
        """Where the head could be read, the line says what was refused."""
        server = serve(
            "--access-logfile", "access.log", "--access-logformat", "%(s)s %(r)s %(U)s %({x-id}i)s",
            "--limit-request-body", "10",
        ).wait_ready()  # fmt: skip
        head = "POST /a%20b?c HTTP/1.1\r\nHost: x\r\nX-Id: 7\r\nTransfer-Encoding: chunked\r\n\r\nb\r\n"
        assert request(server, head + "a" * 11).startswith(b"HTTP/1.1 413 ")
        assert lines_of(folder / "access.log") == ["413 POST /a%20b?c HTTP/1.1 /a b 7"]

    @pytest.mark.parametrize(
        ("status", "field"), [(413, "Content-Length: 11"), (417, "Expect: tea"), (400, "Content-Length: x")]
    )
    def test_a_request_refused_for_its_head_is_named(
        self, serve: ServerFactory, folder: Path, status: int, field: str
    ) -> None:
        """By what was read of it, from which a client cannot forge a line either."""
        server = serve(
            "--access-logfile", "access.log",
            "--access-logformat", '%(s)s "%(r)s" "%(U)s" %(q)s "%(a)s"',
            "--limit-request-body", "10",
        ).wait_ready()  # fmt: skip
        head = 'POST /%0a1"?c HTTP/1.1\r\nHost: x\r\nUser-Agent: y" \xff\r\n'
        data = f"{head}{field}\r\n\r\n".encode("latin-1")
        assert request(server, data).startswith(f"HTTP/1.1 {status} ".encode())
        assert lines_of(folder / "access.log") == [
            rf'{status} "POST /%0a1\x22?c HTTP/1.1" "/\x0a1\x22" c "y\x22 \xff"'
        ]

    def test_json_knows_only_what_was_read(self, serve: ServerFactory, folder: Path) -> None:
        server = serve("--access-logfile", "access.log", "--access-logformat", "json").wait_ready()
        request(server, "GET /a HTTP/1.1\r\nUser-Agent: b\r\nNo colon\r\n\r\n")
        request(server, "GET / HTTP/7.1\r\nUser-Agent: b\r\n\r\n")
        lines = [json.loads(line) for line in lines_of(folder / "access.log", 2)]
        assert [tuple(line[key] for key in ("method", "path", "user_agent", "status")) for line in lines] == [
            ("GET", "/a", None, 400),
            (None, None, None, 505),
        ]

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
