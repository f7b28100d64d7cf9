"""indrik for users of Flask: `flask indrik`, what Flask's configuration says, routes in the access log."""

from __future__ import annotations

import json
import os
import random
import re
import signal
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

import httpx
import pytest

from tests.integration.flask_apps import create_counting
from tests.integration.served import BOOTING, DEADLINE, NO_TLS, Server, serve
from tests.integration.wire import Answer, connect

FOLDER = Path(__file__).parent

#: Random paths that are asked for.
PATHS = 10_000 if os.environ.get("SLOW_TESTS") else 1_000

MODULE = """
from flask import Flask
app = Flask(__name__)
@app.get("/")
def index():
    return {answer!r}
if __name__ == "__main__":
    app.run()
"""
FACTORY = """
from flask import Flask
def create_app(name="nobody"):
    app = Flask(__name__)
    @app.get("/")
    def index():
        return "made for " + name
    return app
"""


def flask(
    arguments: Sequence[str],
    folder: Path,
    logs: Path,
    app: str | None = None,
    environment: dict[str, str] | None = None,
) -> AbstractContextManager[Server]:
    """`flask [--app APP] indrik ...`, the command."""
    named = [] if app is None else ["--app", app]
    return serve(arguments, folder, logs, environment, [sys.executable, "-m", "flask", *named, "indrik"])


def body_of(server: Server, path: str = "/") -> str:
    return httpx.get(server.url + path, timeout=DEADLINE, trust_env=False, verify=NO_TLS).text


def upload(server: Server, content: bytes | Iterator[bytes]) -> httpx.Response:
    return httpx.post(
        server.url + "/upload",
        content=content,
        headers={"Host": "x"},
        timeout=DEADLINE,
        trust_env=False,
        verify=NO_TLS,
    )


def configured(
    config: dict[str, object], logs: Path, *arguments: str, app: str = "app"
) -> AbstractContextManager[Server]:
    """The application of flask_apps with `config` in its configuration, on the command `indrik`."""
    return serve(
        [*arguments, f"flask_apps:{app}"], FOLDER, logs, {"FLASK_TEST_CONFIG": json.dumps(config)}
    )


def ask(server: Server, path: str = "/", host: str = "x", **fields: str) -> Answer:
    lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in fields.items())
    with connect(server.url) as wire:
        wire.send(f"GET {path} HTTP/1.1\r\nHost: {host}\r\n{lines}\r\n".encode())
        return wire.answer()


class TestShapes:
    @pytest.fixture
    def project(self, tmp_path: Path) -> Path:
        folder = tmp_path / "project"
        (folder / "shop").mkdir(parents=True)
        (folder / "shop" / "__init__.py").write_text(FACTORY)
        (folder / "hello.py").write_text(MODULE.format(answer="a module"))
        return folder

    @pytest.mark.parametrize(
        ("app", "answer"),
        [
            ("hello", "a module"),
            ("hello:app", "a module"),
            ("shop", "made for nobody"),
            ("shop:create_app", "made for nobody"),
            ("shop:create_app('you')", "made for you"),
            ("shop:create_app(name='you')", "made for you"),
            ("shop.wsgi", "made for wsgi"),
        ],
    )
    @pytest.mark.parametrize("program", ["flask indrik", "indrik"])
    def test_named(self, project: Path, tmp_path: Path, app: str, answer: str, program: str) -> None:
        (project / "shop" / "wsgi.py").write_text("from shop import create_app\napp = create_app('wsgi')\n")
        running = (
            serve([app], project, tmp_path) if program == "indrik" else flask([], project, tmp_path, app)
        )
        with running as server:
            assert body_of(server) == answer
            assert "[ERROR]" not in server.error_log

    @pytest.mark.parametrize("name", ["wsgi.py", "app.py"])
    def test_found(self, project: Path, tmp_path: Path, name: str) -> None:
        (project / name).write_text(MODULE.format(answer=name))
        with flask([], project, tmp_path) as server:
            assert body_of(server) == name

    def test_flaskenv(self, project: Path, tmp_path: Path) -> None:
        (project / ".flaskenv").write_text("FLASK_APP=\"shop:create_app('dotenv')\"\nGREETING=hello\n")
        with flask(["--workers", "2"], project, tmp_path) as server:
            assert body_of(server) == "made for dotenv"
            server.wait_until(lambda: len(BOOTING.findall(server.error_log)) == 2, "two workers")

    def test_environment_variable(self, project: Path, tmp_path: Path) -> None:
        with flask([], project, tmp_path, environment={"FLASK_APP": "hello"}) as server:
            assert body_of(server) == "a module"

    def test_options_pass_through(self, project: Path, tmp_path: Path) -> None:
        arguments = ["-w", "2", "--threads=2", "--access-logfile", "-", "--access-logformat", "%({route}x)s"]
        with flask(arguments, project, tmp_path, "hello") as server:
            body_of(server)
            server.wait_until(lambda: server.access_log == "/\n", "the access log")
            assert "gthread" in server.error_log

    def test_a_configuration_file(self, project: Path, tmp_path: Path) -> None:
        (project / "indrik.conf.py").write_text("workers = 2\n")
        with flask([], project, tmp_path, "hello") as server:
            server.wait_until(lambda: len(BOOTING.findall(server.error_log)) == 2, "two workers")

    def test_signals(self, project: Path, tmp_path: Path) -> None:
        """HUP loads the code anew, USR2 starts the same command as a second master."""
        with flask([f"--pid={tmp_path / 'pid'}"], project, tmp_path, "hello") as server:
            assert body_of(server) == "a module"
            (project / "hello.py").write_text(MODULE.format(answer="changed").replace("app.run()", "pass  #"))
            server.process.send_signal(signal.SIGHUP)
            server.wait_until(lambda: body_of(server) == "changed", "the new code")
            server.process.send_signal(signal.SIGUSR2)
            server.wait_until(lambda: server.error_log.count("Starting indrik") == 2, "the second master")
            server.wait_until(lambda: (tmp_path / "pid.2").exists(), "its pid file")
            second = int((tmp_path / "pid.2").read_text())
            assert "flask" in Path(f"/proc/{second}/cmdline").read_text()
            os.kill(second, signal.SIGTERM)
            server.wait_until(lambda: not (tmp_path / "pid.2").exists(), "its end")
            assert body_of(server) == "changed"

    @pytest.mark.parametrize("app", ["nothing", "hello:nothing", "shop:create_app(1, 2, 3)"])
    def test_not_found(self, project: Path, tmp_path: Path, app: str) -> None:
        with (
            pytest.raises(AssertionError, match=r"ended with status [34]"),
            flask([], project, tmp_path, app) as server,
        ):
            server.wait_until(lambda: False, "its end")
        log = (tmp_path / "stderr").read_text()
        assert "Could not import 'nothing'" in log or app.partition(":")[2] in log

    def test_an_application_among_the_options(self, project: Path, tmp_path: Path) -> None:
        with pytest.raises(AssertionError, match="ended with status 1"), flask(["hello"], project, tmp_path):
            pass
        assert "name it as in 'flask --app hello indrik'" in (tmp_path / "stderr").read_text()


class TestDebugging:
    @pytest.fixture
    def project(self, tmp_path: Path) -> Path:
        folder = tmp_path / "project"
        folder.mkdir()
        text = MODULE + '@app.get("/crash")\ndef crash():\n    raise ValueError("crash requested")\n'
        (folder / "app.py").write_text(text.replace("{answer!r}", "str(app.debug)"))
        return folder

    def test_off_by_default(self, project: Path, tmp_path: Path) -> None:
        with flask([], project, tmp_path) as server:
            assert body_of(server) == "False"
            assert "ValueError" not in body_of(server, "/crash")

    def test_debugger_and_reload(self, project: Path, tmp_path: Path) -> None:
        with flask(["--debug", "--reload-engine=poll"], project, tmp_path) as server:
            assert body_of(server) == "True"
            page = body_of(server, "/crash")
            assert "Werkzeug powered traceback interpreter" in page
            assert "crash requested" in page
            assert "Debugger PIN: " in server.error_log
            file = project / "app.py"
            file.write_text(file.read_text().replace("str(app.debug)", "'changed'"))
            server.wait_until(lambda: body_of(server) == "changed", "the new code")

    def test_by_environment_variable(self, project: Path, tmp_path: Path) -> None:
        with flask([], project, tmp_path, environment={"FLASK_DEBUG": "1"}) as server:
            assert body_of(server) == "True"
            assert "Debugger PIN: " in server.error_log

    def test_on_a_unix_socket(self, project: Path, tmp_path: Path) -> None:
        with flask(["--debug", f"--bind=unix:{tmp_path / 'socket'}"], project, tmp_path) as server:
            assert "Werkzeug powered" in body_of(server, "/crash")

    @pytest.mark.parametrize("argument", ["--bind=0.0.0.0:0", "--bind=[::]:0", "--workers=33"])
    def test_no_debugger_for_strangers(self, project: Path, tmp_path: Path, argument: str) -> None:
        # 33 workers that each import Flask take a slow machine half a minute.
        (project / "indrik.conf.py").write_text("reload = False\npreload_app = True\n")
        with flask(["--debug", argument], project, tmp_path) as server:
            assert body_of(server) == "True"
            page = body_of(server, "/crash")
            assert "Werkzeug" not in page
            assert "crash requested" not in page
            assert "debugger is off" in server.error_log
            assert "PIN" not in server.error_log


class TestConfiguration:
    def test_max_content_length(self, tmp_path: Path) -> None:
        with configured({"MAX_CONTENT_LENGTH": 1000}, tmp_path) as server:
            for limit, status in ((1000, 200), (1001, 413)):
                answer = upload(server, b"x" * limit)
                assert answer.status_code == status
            with connect(server.url) as wire:
                # Nothing of the body is ever sent.
                wire.send(b"POST /upload HTTP/1.1\r\nHost: x\r\nContent-Length: 1073741824\r\n\r\n")
                answer_ = wire.answer()
                assert answer_.status == 413
                assert answer_.body.startswith(b"413 Content Too Large: ")
                assert wire.rest() == b""
            chunks = (b"x" * 100 for _ in range(100))
            try:
                status = upload(server, chunks).status_code
            except httpx.WriteError:
                status = 413  # the server has closed while the client was writing
            assert status == 413

    @pytest.mark.parametrize(
        ("own", "flasks", "limit"), [(500, 1000, 500), (1000, 500, 500), (500, None, 500)]
    )
    def test_the_smaller_limit_counts(
        self, tmp_path: Path, own: int, flasks: int | None, limit: int
    ) -> None:
        arguments = [f"--limit-request-body={own}"]
        with configured({"MAX_CONTENT_LENGTH": flasks}, tmp_path, *arguments) as server:
            for length, status in ((limit, 200), (limit + 1, 413)):
                answer = upload(server, b"x" * length)
                assert answer.status_code == status

    def test_left_to_flask(self, tmp_path: Path) -> None:
        config: dict[str, object] = {"MAX_CONTENT_LENGTH": 1000, "TRUSTED_HOSTS": ["x"]}
        with configured(config, tmp_path, "--no-framework-config") as server:
            answer = upload(server, b"x" * 1001)
            assert answer.status_code == 413
            assert "<title>413" in answer.text
            assert b"<title>400" in ask(server, host="evil").body

    @pytest.mark.parametrize(
        ("host", "status"),
        [
            ("shop.example", 200),
            ("shop.example:8000", 200),
            ("a.shop.example", 400),
            ("sub.example", 200),
            ("a.sub.example", 200),
            ("evil.example", 400),
            ("shop.example.evil", 400),
        ],
    )
    def test_trusted_hosts(self, trusting: Server, host: str, status: int) -> None:
        answer = ask(trusting, "/host", host)
        assert answer.status == status
        if status == 400:
            assert answer.body == b"400 Bad Request: This host is not served here.\n"

    @pytest.fixture(scope="class")
    @classmethod
    def trusting(cls, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
        logs = tmp_path_factory.mktemp("trusting")
        with configured({"TRUSTED_HOSTS": ["shop.example", ".sub.example"]}, logs) as server:
            yield server

    @pytest.mark.parametrize("app", ["app", "wrapped"])
    def test_a_middleware_may_change_the_host(self, tmp_path: Path, app: str) -> None:
        """The host that counts is the one behind ProxyFix, so it is Flask that judges."""
        config: dict[str, object] = {"TRUSTED_HOSTS": ["shop.example"], "BEHIND_PROXY": app == "app"}
        with configured(config, tmp_path, app=app) as server:
            answer = ask(server, "/host", "internal:80", X_Forwarded_Host="shop.example")
            assert (answer.status, answer.body) == (200, b"shop.example")
            assert ask(server, "/host", "shop.example", X_Forwarded_Host="evil").status == 400

    def test_preferred_url_scheme(self, tmp_path: Path) -> None:
        with configured({"PREFERRED_URL_SCHEME": "https"}, tmp_path) as server:
            # A client of our own has come by http.
            assert ask(server, "/link").body == b"http://x/"
            # A proxy that tells for whom it speaks, and nothing of the scheme.
            assert ask(server, "/link", X_Forwarded_For="192.0.2.1").body == b"https://x/"
            assert ask(server, "/link", Forwarded="for=192.0.2.1").body == b"https://x/"
            for told in (
                {"X_Forwarded_For": "192.0.2.1", "X_Forwarded_Proto": "http"},
                {"X_Forwarded_For": "192.0.2.1", "X_Forwarded_Ssl": "off"},
                {"Forwarded": "for=192.0.2.1;Proto=http"},
            ):
                assert ask(server, "/link", **told).body == b"http://x/"

    def test_preferred_url_scheme_where_a_field_of_ones_own_tells(self, tmp_path: Path) -> None:
        (tmp_path / "conf.py").write_text("secure_scheme_headers = {'X-Own': 'tls'}\n")
        config: dict[str, object] = {"PREFERRED_URL_SCHEME": "https"}
        with configured(config, tmp_path, f"--config={tmp_path / 'conf.py'}") as server:
            answer = ask(server, "/link", X_Forwarded_For="192.0.2.1", X_Own="plain")
            assert answer.body == b"http://x/"
            assert ask(server, "/link", X_Forwarded_For="192.0.2.1").body == b"https://x/"

    def test_preferred_url_scheme_of_nobody_in_particular(self, tmp_path: Path) -> None:
        with configured({"PREFERRED_URL_SCHEME": "https"}, tmp_path, "--forwarded-allow-ips=") as server:
            assert ask(server, "/link", X_Forwarded_For="192.0.2.1").body == b"http://x/"


class TestRoutes:
    @pytest.mark.parametrize("kind", [[], ["--threads=2"], ["--worker-class=gevent"]])
    def test_access_log(self, tmp_path: Path, kind: list[str]) -> None:
        arguments = ["--access-logfile=-", "--access-logformat=%({route}x)s %({indrik.route}e)s %(s)s"]
        with configured({}, tmp_path, *arguments, *kind) as server:
            with httpx.Client(
                base_url=server.url, timeout=DEADLINE, trust_env=False, verify=NO_TLS
            ) as client:
                client.get("/notes/7")
                client.get("/notes/8?x=1")
                client.get("/notes/word")
                client.post("/notes/7")
                client.get("/crash")
                for number in range(20):
                    client.get(f"/nowhere/{number}")
            lines = server.wait_until(
                lambda: found if len(found := server.access_log.splitlines()) == 25 else None, "25 lines"
            )
        note = "/notes/<int:number> /notes/<int:number> "
        unmatched = "<unmatched> <unmatched> "
        assert lines[:5] == [
            note + "200",
            note + "200",
            unmatched + "404",
            unmatched + "405",
            "/crash /crash 500",
        ]
        assert set(lines[5:]) == {unmatched + "404"}

    @pytest.mark.parametrize("kind", [[], ["--threads=2"], ["--worker-class=gevent"]])
    def test_strangers_cannot_make_labels(self, tmp_path: Path, kind: list[str]) -> None:
        """Whatever paths they ask for, one label: in the environ, in the access log, on the scoreboard."""
        (tmp_path / "conf.py").write_text(
            "def post_request(worker, request, environ, response):\n"
            "    worker.log.info('routes %s %s', environ['indrik.route'], worker.slot.route)\n"
        )
        arguments = ["-c", str(tmp_path / "conf.py"), "--access-logfile=-", "--access-logformat=%({route}x)s"]
        with configured({}, tmp_path, *arguments, *kind) as server:
            with connect(server.url) as wire:
                for number in range(0, PATHS, 100):
                    paths = [f"/{random.randbytes(6).hex()}/{number + one}" for one in range(100)]
                    requests = [f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n" for path in paths]
                    wire.send("".join(requests).encode())
                    assert {wire.answer().status for _ in paths} == {404}
                wire.send(b"GET /notes/7 HTTP/1.1\r\nHost: x\r\n\r\n")
                assert wire.answer().status == 200
            lines = server.wait_until(
                lambda: found if len(found := server.access_log.splitlines()) == PATHS + 1 else None, "all"
            )
            rule = "/notes/<int:number>"
            server.wait_until(lambda: f"routes {rule} {rule}" in server.error_log, "the last")
            said = re.findall(r"routes (\S+) (\S*)\n", server.error_log)
        assert Counter(lines) == {"<unmatched>": PATHS, rule: 1}
        assert Counter(route for route, _ in said) == {"<unmatched>": PATHS, rule: 1}
        # The scoreboard is about the request that began last, which may be another thread's, not matched yet.
        assert {route for _, route in said} <= {"<unmatched>", rule, ""}
        assert said[-1] == (rule, rule)

    def test_other_applications_import_nothing_and_may_set_it(self, tmp_path: Path) -> None:
        (tmp_path / "plain.py").write_text(
            "import sys\n"
            "def app(environ, start_response):\n"
            "    if environ['PATH_INFO'] == '/set':\n"
            "        environ['indrik.route'] = '/<anything>'\n"
            "    start_response('200 OK', [])\n"
            "    return [repr('flask' in sys.modules).encode()]\n"
        )
        arguments = ["--access-logfile=-", "--access-logformat=%({route}x)s", "plain:app"]
        with serve(arguments, tmp_path, tmp_path) as server:
            assert body_of(server) == "False"
            body_of(server, "/set")
            server.wait_until(lambda: server.access_log == "-\n/<anything>\n", "two lines")


@pytest.mark.parametrize("kind", [[], ["--threads=4"], ["--worker-class=gevent"]])
def test_teardown_runs_for_every_request(tmp_path: Path, kind: list[str]) -> None:
    """As often as with Flask's own test client: once, and once more for a stream that holds the context.
    Clients that leave in the middle change nothing, and nothing of a request is there in the next.
    """
    own = create_counting().test_client()
    own.get("/plain")
    own.get("/stream").get_data()
    once: dict[str, int] = own.get("/count").get_json()
    rounds = 100
    with serve([*kind, "flask_apps:create_counting()"], FOLDER, tmp_path) as server:
        for number in range(rounds):
            with connect(server.url) as wire:
                wire.send(b"GET /stream HTTP/1.1\r\nHost: x\r\n\r\n")
                if number % 10:
                    assert len(wire.answer().body) == 32 * 65536
                # Else the client has left before it has read anything.
            with connect(server.url) as wire:
                wire.send(b"GET /plain HTTP/1.1\r\nHost: x\r\n\r\n")
                assert wire.answer().body == b"plain"

        def counts() -> dict[str, int]:
            return json.loads(body_of(server, "/count"))  # type: ignore[no-any-return]

        expected = {path: once[path] * rounds for path in ("/plain", "/stream")}
        server.wait_until(lambda: {path: counts()[path] for path in expected} == expected, "all teardowns")
        assert counts()["leaks"] == 0
        assert once["/stream"] == 2
