"""`indrik.werkzeug.run_simple` in programs of their own. Its reloader is tested by Werkzeug's own suite
(test_suites.py).
"""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.integration.served import BOOTING, DEADLINE, LISTENING, NO_TLS, Server

SCRIPT = Path(__file__).with_name("scripts.py")


@contextmanager
def program(folder: Path, **arguments: Any) -> Iterator[Server]:
    stdout, stderr = folder / "stdout", folder / "stderr"
    with open(stdout, "wb") as out, open(stderr, "wb") as err:
        process = subprocess.Popen(
            [sys.executable, str(SCRIPT), json.dumps(arguments)],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
        )
    server = Server(process, stdout, stderr)
    try:
        yield server
    finally:
        if process.poll() is None:
            server.stop()


def ask(server: Server, path: str = "/") -> httpx.Response:
    if not server.url:
        server.url = server.wait_until(lambda: LISTENING.search(server.error_log), "its address")[1]
    return httpx.get(server.url + path, timeout=DEADLINE, trust_env=False, verify=NO_TLS)


@pytest.mark.parametrize(
    ("arguments", "multithread", "multiprocess"),
    [({}, False, False), ({"threaded": True}, True, False), ({"processes": 2}, False, True)],
)
def test_serves(tmp_path: Path, arguments: dict[str, Any], multithread: bool, multiprocess: bool) -> None:
    with program(tmp_path, **arguments) as server:
        answer = ask(server, "//twice")
        assert answer.json() == {
            "wsgi.multithread": multithread,
            "wsgi.multiprocess": multiprocess,
            "PATH_INFO": "/twice",
        }
        workers = arguments.get("processes", 1)
        server.wait_until(lambda: len(BOOTING.findall(server.error_log)) == workers, "all workers")
        server.wait_until(lambda: "GET //twice HTTP/1.1" in server.access_log, "the access log")
        assert server.stop() == 0
    # As with Werkzeug's own: the program goes on, once.
    assert (tmp_path / "after").read_text() == "run_simple has returned"


def test_unix_socket(tmp_path: Path) -> None:
    path = tmp_path / "socket"
    with program(tmp_path, hostname=f"unix://{path}") as server:
        server.wait_until(lambda: "Listening at" in server.error_log, "the socket")
        transport = httpx.HTTPTransport(verify=NO_TLS, uds=str(path))
        with httpx.Client(transport=transport, timeout=DEADLINE) as client:
            assert client.get("http://x/").status_code == 200


def test_debugger(tmp_path: Path) -> None:
    with program(tmp_path, use_debugger=True) as server:
        assert "Werkzeug powered traceback interpreter" in ask(server, "/crash").text
        assert "Debugger PIN: " in server.error_log


def test_debugger_in_several_processes(tmp_path: Path) -> None:
    with program(tmp_path, use_debugger=True, processes=3) as server:
        page = ask(server, "/crash").text
        secret = re.search(r'SECRET = "([^"]+)"', page)
        frame = re.search(r'id="frame-(\d+)"', page)
        pin = re.search(r"Debugger PIN: (\S+)", server.error_log)
        assert secret
        assert frame
        assert pin
        server.wait_until(lambda: len(BOOTING.findall(server.error_log)) == 3, "all workers")
        query = {"__debugger__": "yes", "s": secret[1]}
        given = httpx.get(
            server.url,
            params={**query, "cmd": "pinauth", "pin": pin[1]},
            timeout=DEADLINE,
            trust_env=False,
            verify=NO_TLS,
        )
        assert given.json() == {"auth": True, "exhausted": False}
        query |= {"cmd": "environ['PATH_INFO']", "frm": frame[1]}
        # Each with a connection of its own, at once, so that every worker gets some.
        with ThreadPoolExecutor(12) as pool:

            def evaluate(_: int) -> str:
                cookies = dict(given.cookies)
                answer = httpx.get(
                    server.url,
                    params=query,
                    cookies=cookies,
                    timeout=DEADLINE,
                    trust_env=False,
                    verify=NO_TLS,
                )
                return answer.text

            answers = list(pool.map(evaluate, range(60)))
        assert all("/crash" in answer and "Load the page again" not in answer for answer in answers)
        assert server.error_log.count("Debugger PIN: ") == 1


@pytest.mark.parametrize("arguments", [{"hostname": "0.0.0.0"}, {"processes": 33}])
def test_no_debugger_for_strangers(tmp_path: Path, arguments: dict[str, Any]) -> None:
    if "hostname" in arguments:
        with socket.create_server(("127.0.0.1", 0)) as found:
            arguments["port"] = found.getsockname()[1]
    with program(tmp_path, use_debugger=True, **arguments) as server:
        if "port" in arguments:
            server.wait_until(lambda: "Listening at" in server.error_log, "the socket")
            server.url = f"http://127.0.0.1:{arguments['port']}"
        answer = ask(server, "/crash")
        assert answer.status_code == 500
        assert "Werkzeug" not in answer.text
        assert "debugger is off" in server.error_log


def test_static_files(tmp_path: Path) -> None:
    (tmp_path / "static").mkdir()
    (tmp_path / "static" / "style.css").write_text("body {}")
    with program(tmp_path, static_files={"/static": str(tmp_path / "static")}) as server:
        assert ask(server, "/static/style.css").text == "body {}"
        assert ask(server, "/static/none.css").json()["PATH_INFO"] == "/static/none.css"


def test_reload_keeps_the_socket(tmp_path: Path) -> None:
    """No request is refused while the program starts anew: the parent holds the socket."""
    (tmp_path / "module.py").write_text("")
    with socket.create_server(("127.0.0.1", 0)) as found:
        port = found.getsockname()[1]
    arguments = {"port": port, "use_reloader": True, "reloader_type": "stat", "reloader_interval": 0.1}
    with program(tmp_path, extra_files=[str(tmp_path / "module.py")], **arguments) as server:
        server.wait_until(lambda: "Restarting with indrik" in server.error_log, "the first start")
        server.url = f"http://127.0.0.1:{port}"
        assert ask(server).status_code == 200
        for times in (2, 3):
            os.utime(tmp_path / "module.py", (times, times))
            server.wait_until(lambda: server.error_log.count("Restarting with") == times, "the restart")  # noqa: B023
            assert ask(server).status_code == 200
        assert server.stop() == 0


def test_a_signal_between_two_starts_is_not_lost(tmp_path: Path) -> None:
    (tmp_path / "module.py").write_text("")
    arguments = {"use_reloader": True, "reloader_type": "stat", "reloader_interval": 0.1}
    with program(tmp_path, extra_files=[str(tmp_path / "module.py")], **arguments) as server:
        parent = server.process.pid
        # Who answers has looked at the file.
        assert ask(server).status_code == 200
        child = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()[0]
        os.kill(parent, signal.SIGSTOP)
        os.utime(tmp_path / "module.py", (2, 2))
        server.wait_until(lambda: ") Z " in Path(f"/proc/{child}/stat").read_text(), "the child's end")
        os.kill(parent, signal.SIGTERM)
        os.kill(parent, signal.SIGCONT)
        assert server.process.wait(DEADLINE) == 128 + signal.SIGTERM
        assert server.error_log.count("Restarting with indrik") == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"port": "5000"}, "TypeError: port must be an integer"),
        ({"threaded": True, "processes": 2}, "ValueError: threaded and processes exclude each other"),
        ({"ssl_context": "adhoc"}, "ConfigError: indrik's run_simple does not support ssl_context"),
        ({"passthrough_errors": True}, "does not support passthrough_errors"),
        ({"request_handler": "any"}, "does not support request_handler"),
    ],
)
def test_refused(tmp_path: Path, arguments: dict[str, Any], message: str) -> None:
    with program(tmp_path, **arguments) as server:
        assert server.process.wait(DEADLINE) == 1
        assert message in server.error_log
