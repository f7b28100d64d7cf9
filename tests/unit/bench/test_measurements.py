"""The measurements against a real server of few virtues: what they start, ask, count and refuse."""

from __future__ import annotations

import os
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

from bench import compare, doze, environment, exchange, hostile, idle, mix, naps, startup
from bench.apps import GREETING
from bench.cases import WSGI_CASES, Case, select
from bench.load import Load
from bench.process import StartFailed, serve
from bench.proctree import CpuTime, read_stat
from bench.serverrow import GREENLETS, LOOP, SINGLE, THREADS, Server

PEER = Path(__file__).with_name("peer.py")
PEER_COMMAND = "{python} {peer} {app} {host} {port}"
CPU = min(os.sched_getaffinity(0))
PLACES = {**environment.places(), "python": sys.executable, "peer": str(PEER)}

threaded = Server("threaded", PEER_COMMAND, "", "none")


@pytest.mark.parametrize("case", WSGI_CASES, ids=lambda case: case.name)
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


def sample_of(load: Load) -> dict[str, object]:
    answer = exchange.Answer(200, "HTTP/1.1 200 OK", GREETING, 130)
    return compare.sample(threaded, WSGI_CASES[0], 1, answer, load, CpuTime(3.0, 1.5))


def test_a_sample_divides_cpu_by_requests() -> None:
    one = sample_of(Load(500_000, 5_000_000, 65_000_000, 0, 0, 1, 2, 3))
    assert (one["us"], one["us_user"], one["us_system"]) == (9.0, 6.0, 3.0)
    assert one["rate"] == 100_000.0
    assert one["busy"] == 0.9
    assert one["failures"] == 0
    assert one["keeps_alive"] is True


def test_bad_answers_short_answers_and_none_are_failures() -> None:
    assert sample_of(Load(100, 1, 13_000, 4, 3, 0, 0, 0))["failures"] == 7
    assert sample_of(Load(100, 1, 4_000, 0, 0, 0, 0, 0))["failures"] == 100
    assert sample_of(Load(0, 0, 0, 0, 0, 0, 0, 0))["failures"] == 1


def test_quick_requests_do_not_wait_for_slow_ones_where_threads_are_free() -> None:
    sample = mix.take_turn(threaded, PLACES, CPU, 1, seconds=0.5)
    assert sample["failures"] == 0
    # The pace of half a second; a busy machine asks late, but asks.
    assert 0 < sample["quick"] <= mix.QUICK_PACE / 2 + 1
    # The first one began when the window did, which lasts for a second and a half.
    assert 1 <= sample["slow"] <= mix.SLOW_IN_PROGRESS
    assert 0 < sample["p50_ms"] <= sample["p95_ms"] <= sample["p99_ms"] <= sample["worst_ms"]
    assert sample["slow_worst_ms"] >= 1000


def test_quick_requests_wait_for_slow_ones_where_no_thread_is_free() -> None:
    alone = Server("alone", PEER_COMMAND + " single", "", "none")
    monkey = pytest.MonkeyPatch()
    with monkey.context() as patch:
        patch.setattr(mix, "PATIENCE", 0.1)
        patch.setattr(mix, "SLOW_IN_PROGRESS", 2)
        sample = mix.take_turn(alone, PLACES, CPU, 1, seconds=0.5)
    assert sample["failures"] > 0


def test_slow_requests_never_take_every_thread() -> None:
    assert mix.SLOW_IN_PROGRESS < mix.POOL
    share = mix.QUICK_PACE / (mix.QUICK_PACE + mix.SLOW_IN_PROGRESS)
    assert share == pytest.approx(0.95)


def test_sleeping_requests_are_counted_by_the_application(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doze, "NEWCOMERS", 3)
    sample = doze.take_turn(threaded, PLACES, CPU, count=60)
    assert sample["asleep"] == 60
    assert sample["growth"] > 0
    assert sample["bytes_each"] == round(sample["growth"] / 60)
    assert sample["newcomer_ms"] > 0


def test_requests_that_cannot_sleep_together_are_not_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doze, "FALL_ASLEEP_TIMEOUT", 0.0)
    sample = doze.take_turn(threaded, PLACES, CPU, count=5)
    assert (sample["asleep"], sample["bytes_each"]) == (0, None)


@pytest.mark.parametrize(("kind", "ceiling"), [(THREADS, 6400.0), (GREENLETS, 25_600.0), (LOOP, 25_600.0)])
def test_arithmetic_bounds_the_rate_of_naps(kind: str, ceiling: float) -> None:
    assert naps.ceiling(kind) == pytest.approx(ceiling)


def test_who_is_measured_with_waiting_requests() -> None:
    assert SINGLE not in naps.KINDS
    assert mix.KINDS == (THREADS,)
    assert THREADS not in doze.KINDS
