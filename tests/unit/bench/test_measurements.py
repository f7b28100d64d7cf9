"""The measurements against a real server of few virtues: what they start, ask, count and refuse."""

from __future__ import annotations

import os
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

from bench import compare, environment, exchange, hostile, idle, startup, wrk
from bench.apps import GREETING
from bench.cases import CASES, Case, select
from bench.process import StartFailed, serve
from bench.proctree import CpuTime, read_stat
from bench.servers import Server

PEER = Path(__file__).with_name("peer.py")
PEER_COMMAND = "{python} {peer} {app} {host} {port}"
CPU = min(os.sched_getaffinity(0))
PLACES = {**environment.places(), "python": sys.executable, "peer": str(PEER)}

threaded = Server("threaded", PEER_COMMAND, "", "none")


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_right_answer_passes_the_check(case: Case) -> None:
    with serve(threaded, case.app, PLACES, CPU) as running:
        answer = compare.check(running, case)
        assert os.sched_getaffinity(running.pid) == {CPU}
    assert answer.body == case.answer
    assert answer.size > len(case.answer)
    # wsgiref speaks HTTP/1.0.
    assert not answer.keeps_alive


def test_a_wrong_answer_comes_with_the_servers_name_and_log() -> None:
    (case,) = select("post10k")
    complaint = r"(?s)threaded: case post10k: expected 200 and b'10000', got 200.*Its log ends:"
    with (
        pytest.raises(exchange.WrongAnswer, match=complaint),
        serve(threaded, "hello", PLACES, CPU) as running,
    ):
        compare.check(running, case)


def test_a_server_is_gone_when_the_block_ends() -> None:
    with serve(threaded, "hello", PLACES, CPU) as running:
        assert read_stat(running.pid) is not None
    assert read_stat(running.pid) is None
    with pytest.raises(ConnectionRefusedError):
        exchange.connect(running.port)


def test_a_server_that_does_not_come_up_shows_its_log() -> None:
    shut = Server("shut", PEER_COMMAND + " shut", "", "none")
    with (
        pytest.raises(StartFailed, match=r"(?s)shut does not listen.*this peer never listens"),
        serve(shut, "hello", PLACES, CPU),
    ):
        pass


def test_start_up_is_measured() -> None:
    samples = startup.measure([threaded], PLACES, CPU, rounds=2)
    assert [sample["round"] for sample in samples] == [1, 2]
    for sample in samples:
        assert 10 < sample["milliseconds"] < 20_000
        assert sample["cpu_milliseconds"] > 0
        assert sample["memory"] > 2**20


def test_connections_that_the_server_closes_are_not_called_idle() -> None:
    with serve(threaded, "hello", PLACES, CPU) as running, ExitStack() as stack:
        (connection,) = idle.settle(running, stack, 1)
        connection.settimeout(5.0)
        assert connection.recv(1) == b""
        assert not idle.is_open(connection)
        assert idle.wake([connection]) == 0
        held = stack.enter_context(exchange.connect(running.port))
        assert idle.is_open(held)


def test_hostile_clients_are_let_in_and_others_timed_beside_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hostile, "VISITS", 10)
    sample = hostile.siege(threaded, PLACES, CPU, heads=5, readers=2)
    assert sample["failed"] == 0
    assert 0 < sample["alone_p50_ms"] <= sample["alone_p99_ms"] <= sample["alone_worst_ms"]
    assert sample["first_ms"] > 0
    assert isinstance(sample["growth"], int)


def test_a_besieged_server_that_stops_answering_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hostile, "PATIENCE", 0.05)
    with serve(threaded, "hello", PLACES, CPU) as running:
        pass
    took, failed = hostile.ordinary(running)  # nobody listens there any more
    assert took == []
    assert failed == hostile.GIVE_UP_AFTER


def test_a_server_that_answers_nobody_is_not_besieged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hostile, "APP", "length")  # fails on a request without a body
    with pytest.raises(exchange.WrongAnswer, match="before any hostile client came"):
        hostile.siege(threaded, PLACES, CPU, heads=1, readers=1)


def sample_of(load: wrk.Load) -> dict[str, object]:
    answer = exchange.Answer(200, "HTTP/1.1 200 OK", GREETING, 130)
    return compare.sample(threaded, CASES[0], 1, answer, load, CpuTime(3.0, 1.5))


def test_a_sample_divides_cpu_by_requests() -> None:
    one = sample_of(wrk.Load(500_000, 5_000_000, 65_000_000, 0, 0, 1, 2, 3))
    assert (one["us"], one["us_user"], one["us_system"]) == (9.0, 6.0, 3.0)
    assert one["rate"] == 100_000.0
    assert one["busy"] == 0.9
    assert one["failures"] == 0
    assert one["keeps_alive"] is True


def test_bad_answers_short_answers_and_none_are_failures() -> None:
    assert sample_of(wrk.Load(100, 1, 13_000, 4, 3, 0, 0, 0))["failures"] == 7
    assert sample_of(wrk.Load(100, 1, 4_000, 0, 0, 0, 0, 0))["failures"] == 100
    assert sample_of(wrk.Load(0, 0, 0, 0, 0, 0, 0, 0))["failures"] == 1
