"""The programs in C: the floor of the tables, and the loads of messages and at a pace of their own."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from bench import compare, environment, exchange, halfload, servers, websocket
from bench.cases import CASES, Case, select
from bench.process import serve
from bench.serverrow import FLOOR, Server

pytestmark = pytest.mark.skipif(not shutil.which("gcc"), reason="needs gcc")

CPU = min(os.sched_getaffinity(0))
ECHO = Path(__file__).with_name("echopeer.py")
MESSAGE = b"x" * 100
echoing = Server("echoing", f"{{python}} {ECHO} {{host}} {{port}}", "", "none", interface="asgi")


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("programs")
    environment.compile_programs(folder)
    return {**environment.places(), "peers": str(folder), "python": sys.executable}


def behaving(behaviour: str) -> Server:
    return Server("odd", f"{echoing.command} {behaviour}", "", "none", interface="asgi")


def test_programs_are_compiled_when_their_source_is_newer(tmp_path: Path) -> None:
    environment.compile_programs(tmp_path)
    program = tmp_path / "floor"
    first = program.stat().st_mtime_ns
    environment.compile_programs(tmp_path)
    assert program.stat().st_mtime_ns == first
    os.utime(program, (1, 1))
    environment.compile_programs(tmp_path)
    assert program.stat().st_mtime_ns > 10**9


def on_the_floor(case: Case, places: dict[str, str], folder: Path) -> dict[str, str]:
    return {**places, **compare.floor_places(case, folder)}


@pytest.mark.parametrize("case", [case for case in CASES if case.has_floor], ids=lambda case: case.name)
def test_the_floor_answers_as_a_server_does(case: Case, places: dict[str, str], tmp_path: Path) -> None:
    (floor,) = servers.select([FLOOR])
    with serve(floor, case.app, on_the_floor(case, places, tmp_path), CPU) as running:
        answer = compare.check(running, case)
    assert answer.body == case.answer
    assert answer.keeps_alive


def test_the_floor_waits_for_a_body_and_for_a_slow_reader(places: dict[str, str], tmp_path: Path) -> None:
    (floor,) = servers.select([FLOOR])
    case = Case("big", "", "", b"y" * 4_000_000, method="POST", body=b"z" * 100)
    request = case.request("h")
    with (
        serve(floor, "", on_the_floor(case, places, tmp_path), CPU) as running,
        exchange.connect(running.port, receive_buffer=4096) as connection,
    ):
        connection.sendall(request[:-1])
        connection.settimeout(0.05)
        with pytest.raises(TimeoutError):
            connection.recv(1)
        connection.settimeout(10.0)
        connection.sendall(request[-1:])
        exchange.expect(exchange.read_answer(connection), case.answer)
        exchange.expect(exchange.ask(connection, request), case.answer)


def test_the_floor_closes_what_is_no_head(places: dict[str, str], tmp_path: Path) -> None:
    (floor,) = servers.select([FLOOR])
    (case,) = select("hello")
    with (
        serve(floor, "", on_the_floor(case, places, tmp_path), CPU) as running,
        exchange.connect(running.port) as connection,
    ):
        connection.sendall(b"GET / HTTP/1.1\r\n")
        assert connection.recv(1) == b""


@pytest.mark.parametrize("behaviour", ["honest", "pings"])
def test_echoes_are_counted_and_timed(behaviour: str, places: dict[str, str]) -> None:
    with serve(behaving(behaviour), "echo", places, CPU) as running:
        one = websocket.run(f"{places['peers']}/wsload", running.port, 1, 4, CPU, MESSAGE)
    assert one.requests > 50
    assert one.failures == 0
    assert 900_000 < one.microseconds < 5_000_000
    each = 102 + (2 if behaviour == "pings" else 0)
    assert one.requests * each <= one.bytes <= one.requests * each + 4 * 2
    assert 0 < one.p50 <= one.p99 <= one.p999


def test_a_long_message_has_a_longer_head(places: dict[str, str]) -> None:
    with serve(echoing, "echo", places, CPU) as running:
        one = websocket.run(f"{places['peers']}/wsload", running.port, 1, 2, CPU, b"x" * 1000)
    assert one.failures == 0
    assert one.bytes == one.requests * 1004


@pytest.mark.parametrize(
    ("behaviour", "bad", "lost"), [("garbles", None, 0), ("refuses", 4, 0), ("hangs-up", 0, 4)]
)
def test_what_is_no_echo_is_a_failure(
    behaviour: str, bad: int | None, lost: int, places: dict[str, str]
) -> None:
    with serve(behaving(behaviour), "echo", places, CPU) as running:
        one = websocket.run(f"{places['peers']}/wsload", running.port, 1, 4, CPU, MESSAGE)
    assert one.bad_status == (one.requests if bad is None else bad)
    assert one.bad_status + one.socket_errors > 0
    assert one.socket_errors == lost


def test_nobody_listens(places: dict[str, str]) -> None:
    with socket.socket() as held:
        held.bind((exchange.HOST, 0))  # not listening
        one = websocket.run(f"{places['peers']}/wsload", held.getsockname()[1], 1, 3, CPU, MESSAGE)
    assert (one.requests, one.socket_errors) == (0, 3)


@pytest.mark.parametrize("program", ["floor", "paceload", "wsload"])
def test_wrong_arguments_are_told(program: str, places: dict[str, str]) -> None:
    done = subprocess.run([f"{places['peers']}/{program}"], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert f"usage: {program} HOST PORT" in done.stderr


def test_a_careful_exchange_passes_an_honest_server(places: dict[str, str]) -> None:
    with serve(echoing, "echo", places, CPU) as running:
        answer = websocket.check(running.port, MESSAGE)
    assert answer.size == 102


@pytest.mark.parametrize(
    ("behaviour", "complaint"),
    [
        ("garbles", "expected the echo of"),
        ("forges", "does not upgrade to WebSocket"),
        ("refuses", "does not upgrade to WebSocket"),
        ("hangs-up", "closed the connection"),
        ("pings", "expected the echo of"),
    ],
)
def test_a_careful_exchange_finds_what_is_wrong(
    behaviour: str, complaint: str, places: dict[str, str]
) -> None:
    with (
        pytest.raises(exchange.WrongAnswer, match=complaint),
        serve(behaving(behaviour), "echo", places, CPU) as running,
    ):
        websocket.check(running.port, b"abcdef")


def test_a_message_must_fit_into_a_short_frame() -> None:
    assert len(websocket.masked(b"x" * 125)) == 131
    with pytest.raises(ValueError, match="126 bytes"):
        websocket.masked(b"x" * 126)


def test_a_websocket_case_is_compared_like_another(places: dict[str, str]) -> None:
    (case,) = select("asgi-websocket")
    plan = compare.Plan([echoing], places, CPU, CPU, rounds=1, cases=[case], seconds=1, connections=2)
    (one,) = compare.compare(plan)
    assert (one["case"], one["server"], one["round"], one["failures"]) == ("asgi-websocket", "echoing", 1, 0)
    assert one["us"] > 0
    assert one["requests"] > 50


def test_a_pace_is_kept_whatever_the_answers(places: dict[str, str], tmp_path: Path) -> None:
    (floor,) = servers.select([FLOOR])
    (case,) = select("hello")
    program = Path(places["peers"], halfload.PROGRAM)
    with serve(floor, "", on_the_floor(case, places, tmp_path), CPU) as running:
        one = halfload.pace(program, case, running.port, 2000.0, 1000, CPU, tmp_path)
    assert one.failures == 0
    # Of 2,000 exponential gaps; the moments are always the same.
    assert 1800 < one.requests < 2200
    assert 0 < one.p50 <= one.p99 <= one.p999


def test_waiting_for_a_connection_counts(places: dict[str, str], tmp_path: Path) -> None:
    """Who answers nothing has all of his requests unanswered, not only those that were sent."""
    (case,) = select("hello")
    program = Path(places["peers"], halfload.PROGRAM)
    with socket.create_server((exchange.HOST, 0)) as held:
        one = halfload.pace(program, case, held.getsockname()[1], 1000.0, 500, CPU, tmp_path)
    assert one.requests == 0
    assert one.socket_errors > 400


def test_a_wrong_answer_to_a_pace_is_a_failure(places: dict[str, str], tmp_path: Path) -> None:
    (floor,) = servers.select([FLOOR])
    (case,) = select("hello")
    program = Path(places["peers"], halfload.PROGRAM)
    wrong = replace(case, answer=b"Hello, World?")
    with serve(floor, "", on_the_floor(case, places, tmp_path), CPU) as running:
        one = halfload.pace(program, wrong, running.port, 1000.0, 200, CPU, tmp_path)
    assert one.requests > 100
    assert one.bad_status == one.requests
