"""The setting `routes`, with real workers of each kind that serves WSGI: exact over all workers, nobody waits
in vain, and what a killed worker had is given back.
"""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.integration.served import DEADLINE, Server, command, serve
from tests.integration.wire import Answer, Wire, connect

FOLDER = Path(__file__).parent
LIMITED = "/limited/<int:number>"

KINDS = {
    "sync": ["-k", "sync"],
    "gthread": ["-k", "gthread", "--threads", "4"],
    "gevent": ["-k", "gevent"],
}

#: Where it makes no difference who has loaded the application: Flask is imported once then, not by each
#: worker.
#: `test_exactly_so_many` and `test_never_more_and_nobody_in_vain` have workers that load it themselves.
PRELOADED = ["--preload"]

#: Each worker says when it is about to serve, and at the end the server what its scoreboard has counted.
TELLING = """
def post_worker_init(worker):
    worker.log.info("worker is up")

def on_exit(server):
    total = server.scoreboard.total()
    counts = {kind: total.refused_as(kind) for kind in ("route-rate", "route-concurrency", "request-timeout")}
    server.log.info("counted %s", counts)
"""


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> list[str]:
    return KINDS[request.param]


@contextmanager
def limited(
    folder: Path, routes: dict[str, dict[str, Any]], *arguments: str, app: str = "create_app"
) -> Iterator[Server]:
    (folder / "conf.py").write_text(f"routes = {routes!r}\n{TELLING}")
    environment = {"VISITS": str(folder / "visits")}
    arguments = ("-c", str(folder / "conf.py"), *arguments, f"route_apps:{app}")
    with serve(arguments, FOLDER, folder, environment) as server:
        if "-w" in arguments:
            workers = int(arguments[arguments.index("-w") + 1])
            server.wait_until(lambda: server.error_log.count("worker is up") == workers, "all workers")
        yield server


def ask(server: Server, path: str, method: str = "GET", body: bytes = b"") -> Answer:
    with connect(server.url) as wire:
        send(wire, path, method, body)
        return wire.answer()


def send(wire: Wire, path: str, method: str = "GET", body: bytes = b"") -> None:
    head = f"{method} {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
    wire.send(head.encode() + body)


def ask_all(server: Server, paths: list[str], clients: int = 40) -> list[Answer]:
    with ThreadPoolExecutor(clients) as pool:
        return list(pool.map(lambda path: ask(server, path), paths))


def counted(server: Server) -> dict[str, int]:
    """What was refused, as the scoreboard has it. Stops the server."""
    server.stop()
    found = re.findall(r"counted \{(.*)\}", server.error_log)
    assert len(found) == 1, server.error_log
    return {name: int(number) for name, number in re.findall(r"'([\w-]+)': (\d+)", found[0])}


def visits(folder: Path, name: str = "limited") -> list[tuple[str, int, float]]:
    """Begins ("+") and ends ("-") of visits, with the worker's pid, in order of time."""
    path = folder / "visits"
    lines = path.read_text().splitlines() if path.exists() else []
    found = [(what, int(pid), float(at)) for what, of, pid, at in map(str.split, lines) if of == name]
    return sorted(found, key=lambda visit: visit[2])


def most_inside(folder: Path) -> int:
    inside = most = 0
    for what, _, _ in visits(folder):
        inside += 1 if what == "+" else -1
        most = max(most, inside)
    return most


def begun(folder: Path, count: int = 1) -> Callable[[], bool]:
    return lambda: sum(what == "+" for what, _, _ in visits(folder)) >= count


class TestRate:
    @pytest.mark.parametrize("more", [[], ["--preload"]])
    def test_exactly_so_many(self, tmp_path: Path, kind: list[str], more: list[str]) -> None:
        with limited(tmp_path, {LIMITED: {"rate": "20/minute"}}, *kind, "-w", "4", *more) as server:
            answers = ask_all(server, [f"/limited/{number}?seconds=0.05" for number in range(200)])
            assert Counter(answer.status for answer in answers) == {200: 20, 429: 180}
            for answer in answers:
                if answer.status == 429:
                    assert 1 <= int(answer.field("retry-after") or 0) <= 60
                    assert b"Traceback" not in answer.body
            # Nothing else is limited, and neither is what Flask does not call the view for.
            assert ask(server, "/other").status == 200
            assert ask(server, "/limited/word").status == 404
            assert ask(server, "/limited/1", "DELETE").status == 405
            assert counted(server) == {"route-rate": 180, "route-concurrency": 0, "request-timeout": 0}
        assert len({pid for _, pid, _ in visits(tmp_path)}) > 1

    def test_by_endpoint_and_several(self, tmp_path: Path) -> None:
        with limited(tmp_path, {"limited": {"rate": "100/second;3/hour"}}, *PRELOADED, "-w", "2") as server:
            answers = ask_all(server, ["/limited/1"] * 10, 5)
            assert Counter(answer.status for answer in answers) == {200: 3, 429: 7}

    def test_it_comes_back(self, tmp_path: Path) -> None:
        with limited(tmp_path, {LIMITED: {"rate": "2/second"}}, *PRELOADED, "-w", "2") as server:
            first = time.monotonic()
            while len(found := [at for what, _, at in visits(tmp_path) if what == "+"]) < 7:
                assert ask(server, "/limited/1").status in (200, 429)
                assert time.monotonic() < first + DEADLINE
            # A visit writes a little after it was let in.
            assert all(later - earlier > 0.9 for earlier, later in zip(found, found[2:], strict=False))

    def test_a_reload_forgets_nothing(self, tmp_path: Path) -> None:
        with limited(tmp_path, {LIMITED: {"rate": "3/hour"}}, "-w", "2") as server:
            assert [ask(server, "/limited/1").status for _ in range(2)] == [200, 200]
            server.process.send_signal(signal.SIGHUP)
            server.wait_until(lambda: "Reload complete" in server.error_log, "the reload")
            assert [ask(server, "/limited/1").status for _ in range(3)] == [200, 429, 429]

    def test_nor_does_the_death_of_a_worker(self, tmp_path: Path) -> None:
        with limited(tmp_path, {LIMITED: {"rate": "3/hour"}}, "-w", "1") as server:
            pid = int(ask(server, "/limited/1").body.split()[1])
            os.kill(pid, signal.SIGKILL)
            server.wait_until(lambda: server.error_log.count("worker is up") == 2, "the next worker")
            assert [ask(server, "/limited/1").status for _ in range(3)] == [200, 200, 429]


class TestConcurrency:
    def test_never_more_and_nobody_in_vain(self, tmp_path: Path, kind: list[str]) -> None:
        with limited(tmp_path, {LIMITED: {"concurrency": 2}}, *kind, "-w", "4") as server:
            answers = ask_all(server, ["/limited/1?seconds=0.03"] * 60, 20)
            assert Counter(answer.status for answer in answers) == {200: 60}
            assert sum(counted(server).values()) == 0
        assert most_inside(tmp_path) == 2
        assert len({pid for _, pid, _ in visits(tmp_path)}) > 1

    def test_those_that_wait_hold_nobody_up(self, tmp_path: Path, kind: list[str]) -> None:
        """With more of them than the worker has threads, it answers everybody else."""
        release = tmp_path / "release"
        with (
            limited(tmp_path, {LIMITED: {"concurrency": 1}}, *kind, *PRELOADED, "-w", "2") as server,
            ExitStack() as stack,
        ):
            waiting = [stack.enter_context(connect(server.url)) for _ in range(13)]
            send(waiting[0], f"/limited/1?until={release}")
            server.wait_until(begun(tmp_path), "the first")
            for number, wire in enumerate(waiting[1:]):
                send(wire, "/limited/1", "POST", f"body {number}".encode())
            for _ in range(20):
                assert ask(server, "/other").status == 200
            assert len(visits(tmp_path)) == 1
            # One of them leaves; it is not missed.
            waiting[5].socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            waiting[5].socket.close()
            release.touch()
            for number, wire in enumerate(waiting):
                if number != 5:
                    answer = wire.answer()
                    assert answer.status == 200
                    assert answer.body.decode().endswith(f"body {number - 1}" if number else " ")
        assert most_inside(tmp_path) == 1

    def test_503_after_queue_timeout(self, tmp_path: Path, kind: list[str]) -> None:
        release = tmp_path / "release"
        arguments = (*kind, *PRELOADED, "-w", "2", "--queue-timeout", "0.4")
        with (
            limited(tmp_path, {LIMITED: {"concurrency": 1}}, *arguments) as server,
            connect(server.url) as first,
        ):
            send(first, f"/limited/1?until={release}")
            server.wait_until(begun(tmp_path), "the first")
            asked = time.monotonic()
            answer = ask(server, "/limited/1")
            assert (answer.status, answer.field("retry-after")) == (503, "1")
            assert 0.4 <= time.monotonic() - asked < 0.4 + DEADLINE
            release.touch()
            assert first.answer().status == 200
            assert ask(server, "/limited/1").status == 200
            assert counted(server) == {"route-rate": 0, "route-concurrency": 1, "request-timeout": 0}

    def test_a_killed_worker_gives_back(self, tmp_path: Path, kind: list[str]) -> None:
        with (
            limited(tmp_path, {LIMITED: {"concurrency": 1}}, *kind, *PRELOADED, "-w", "4") as server,
            connect(server.url) as first,
            connect(server.url) as second,
        ):
            for _ in range(8):
                # So that some worker which is not killed has taken a connection by now.
                assert ask(server, "/other").status == 200
            send(first, f"/limited/7?until={tmp_path / 'never'}")
            server.wait_until(begun(tmp_path), "the first")
            pid = visits(tmp_path)[0][1]
            send(second, "/limited/8")
            assert len(visits(tmp_path)) == 1
            os.kill(pid, signal.SIGKILL)
            with pytest.raises((EOFError, ConnectionError)):
                first.answer()
            # Where the killed one had accepted it already, it is gone with it.
            try:
                answer = second.answer()
            except (EOFError, ConnectionError):
                answer = ask(server, "/limited/8")
            assert answer.status == 200
            assert ask(server, "/limited/9").status == 200
            # Where several are in progress at once, it is the one that began last.
            said = re.compile(r"was killed by SIGKILL .* while serving 'GET (/\w+)\S*' for .* \(route '\1")
            server.wait_until(lambda: said.search(server.error_log), "why it died")

    def test_a_stop_lets_those_finish_that_wait(self, tmp_path: Path, kind: list[str]) -> None:
        with (
            limited(tmp_path, {LIMITED: {"concurrency": 1}}, *kind, *PRELOADED, "-w", "2") as server,
            ExitStack() as stack,
        ):
            waiting = [stack.enter_context(connect(server.url)) for _ in range(6)]
            for wire in waiting:
                send(wire, "/limited/1?seconds=0.1")
            server.wait_until(begun(tmp_path), "the first")
            server.process.send_signal(signal.SIGTERM)
            assert [wire.answer().status for wire in waiting] == [200] * 6
            assert server.process.wait(DEADLINE) == 0
        assert most_inside(tmp_path) == 1

    def test_a_request_that_is_cut_gives_back(self, tmp_path: Path, kind: list[str]) -> None:
        limits = {LIMITED: {"concurrency": 1, "timeout": 0.3}}
        with limited(tmp_path, limits, *kind, *PRELOADED, "-w", "2") as server:
            for _ in range(2):
                # Only Python code, so that every kind can end it.
                assert ask(server, f"/limited/1?until={tmp_path / 'never'}").status == 504
            assert ask(server, "/limited/1").status == 200


class TestTimeout:
    def test_of_one_route(self, tmp_path: Path, kind: list[str]) -> None:
        with limited(tmp_path, {LIMITED: {"timeout": 0.4}}, *kind) as server:
            asked = time.monotonic()
            assert ask(server, f"/limited/1?until={tmp_path / 'never'}").status == 504
            assert 0.4 <= time.monotonic() - asked < 0.4 + DEADLINE
            server.wait_until(
                lambda: f"took longer than the timeout of its route {LIMITED!r} (0.4 s)" in server.error_log,
                "the line in the log",
            )
            assert ask(server, "/other?seconds=1").status == 200
            assert ask(server, "/deadline").body == b"False"
            assert counted(server)["request-timeout"] == 1

    def test_goes_before_request_timeout(self, tmp_path: Path, kind: list[str]) -> None:
        arguments = (*kind, "--request-timeout", "0.4")
        with limited(tmp_path, {LIMITED: {"timeout": 60}}, *arguments) as server:
            assert ask(server, "/limited/1?seconds=1").status == 200
            assert ask(server, "/other?seconds=1").status == 504
            server.wait_until(lambda: "than request_timeout (0.4 s)" in server.error_log, "the log")
            assert ask(server, "/deadline").body == b"True"

    def test_many_at_once(self, tmp_path: Path) -> None:
        """Each has its own deadline, whatever the others do."""
        with limited(tmp_path, {LIMITED: {"timeout": 0.5}}, *KINDS["gevent"]) as server:
            never = f"/limited/1?until={tmp_path / 'never'}"
            answers = ask_all(server, [never, "/limited/1?seconds=0.1", "/other?seconds=1"] * 10, 30)
            assert [answer.status for answer in answers] == [504, 200, 200] * 10
            assert server.error_log.count("REQUEST TIMEOUT") == 10


class TestUnlimited:
    """Without the setting there is nothing in the way."""

    def test_nothing_is_installed(self, tmp_path: Path, kind: list[str]) -> None:
        with limited(tmp_path, {}, *kind) as server:
            assert ask(server, "/machinery").body == b"[]\n"
        with limited(tmp_path, {LIMITED: {"concurrency": 1, "rate": "1/second"}}, *kind) as server:
            found = ask(server, "/machinery").body
            assert found == b'["FlaskRules","Gate","Rates","RouteLimits","WaitingRoom"]\n'


class TestOtherApplications:
    def test_rules_in_werkzeugs_syntax(self, tmp_path: Path) -> None:
        logs = ["--access-logfile=-", "--access-logformat=%(s)s %({route}x)s"]
        with limited(tmp_path, {"/a/<int:n>": {"rate": "2/hour"}}, *logs, app="plain") as server:
            statuses = [ask(server, f"/a/{number}").status for number in range(4)]
            assert statuses == [200, 200, 429, 429]
            assert ask(server, "/a/b").status == 200
            # Also of those that never reached the application.
            lines = [*["200 /a/<int:n>"] * 2, *["429 /a/<int:n>"] * 2, "200 -", ""]
            server.wait_until(lambda: server.access_log.split("\n") == lines, "the access log")

    def test_a_slip_does_not_stop_development(self, tmp_path: Path) -> None:
        with limited(tmp_path, {"/limitde": {"rate": "1/hour"}}, "--reload", "-w", "1") as server:
            assert [ask(server, "/limited/1").status for _ in range(2)] == [200, 200]
            assert "[ERROR] routes: '/limitde' is neither a rule" in server.error_log

    @pytest.mark.parametrize(
        ("app", "arguments", "said"),
        [
            ("create_app", [], r"'/nowhere' is neither a rule nor an endpoint of the Flask application"),
            ("plain", [], r"must begin with /"),
            ("asynchronous", [], r"the worker kind ASGIWorker cannot limit routes"),
            ("asynchronous", ["-k", "asgi"], r"the worker kind ASGIWorker cannot limit routes"),
        ],
    )
    def test_what_cannot_be_limited(
        self, tmp_path: Path, app: str, arguments: list[str], said: str
    ) -> None:
        key = "endpoint" if app == "plain" else "/nowhere"
        (tmp_path / "conf.py").write_text(f"routes = {{{key!r}: {{'concurrency': 1}}}}")
        ended = subprocess.run(
            [*command(), "-b", "127.0.0.1:0", "-c", tmp_path / "conf.py", *arguments, f"route_apps:{app}"],
            cwd=FOLDER,
            env={**os.environ, "VISITS": str(tmp_path / "visits")},
            capture_output=True,
            text=True,
            timeout=DEADLINE,
        )
        assert ended.returncode != 0
        assert re.search(said, ended.stderr), ended.stderr
