"""The scoreboard: one writer a slot, readers anywhere, nothing forgotten when a worker goes."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indrik.refusals import KINDS
from indrik.scoreboard.board import Event, Scoreboard
from indrik.scoreboard.layout import (
    LATENCY_BUCKETS,
    MOST_KINDS,
    SLOT_BYTES,
    TEXT_BYTES,
    Order,
    Recycle,
    State,
)
from indrik.scoreboard.neighbour import Neighbour
from indrik.scoreboard.slot import Slot
from indrik.scoreboard.totals import NO_TOTALS


@pytest.fixture
def board() -> Scoreboard:
    return Scoreboard(3)


def test_slot_of_a_new_worker(board: Scoreboard) -> None:
    slot = board.take(2, 7, 100.0)
    assert (slot.number, slot.generation, slot.age, slot.pid) == (0, 2, 7, 0)
    assert (slot.started_at, slot.heartbeat, slot.ready_at) == (100.0, 100.0, 0.0)
    assert (slot.state, slot.order, slot.wants_replacement) == (State.STARTING, Order.NONE, Recycle.NO)
    assert slot.totals() == NO_TOTALS


def test_lowest_number_first(board: Scoreboard) -> None:
    slots = [board.take(1, age, 0.0) for age in (1, 2, 3)]
    assert [slot.number for slot in slots] == [0, 1, 2]
    with pytest.raises(IndexError, match="all 3 slots of the scoreboard are taken"):
        board.take(1, 4, 0.0)
    board.release(slots[2])
    board.release(slots[0])
    assert [board.take(1, age, 0.0).number for age in (5, 6)] == [0, 2]


def test_a_request(board: Scoreboard) -> None:
    slot = board.take(1, 1, 0.0)
    slot.state = State.IDLE
    slot.begin("GET", "/a", 10.0)
    assert (slot.state, slot.in_progress, slot.request_at, slot.heartbeat) == (State.BUSY, 1, 10.0, 10.0)
    assert slot.request_text == "GET /a"
    slot.begin("GET", "/b", 11.0)
    slot.end(12.0, 11.0)
    assert (slot.state, slot.in_progress, slot.heartbeat) == (State.BUSY, 1, 12.0)
    slot.end(13.0, 11.0)
    assert (slot.state, slot.in_progress) == (State.IDLE, 0)
    assert slot.totals().requests == 2
    assert sum(slot.totals().latency) == 2


def test_a_request_that_has_to_wait_again(board: Scoreboard) -> None:
    slot = board.take(1, 1, 0.0)
    slot.state = State.IDLE
    slot.begin("GET", "/a", 10.0)
    slot.waited(0.25)
    slot.defer(0.25)
    assert (slot.state, slot.in_progress) == (State.IDLE, 0)
    assert sum(slot.totals().queue_wait) == 0
    slot.defer(0.25)
    assert (slot.in_progress, sum(slot.totals().queue_wait)) == (0, 0)


def test_the_route_of_a_request(board: Scoreboard) -> None:
    slot = board.take(1, 1, 0.0)
    slot.begin("GET", "/notes/7", 10.0)
    assert slot.route == ""
    slot.note_route("/notes/<int:number>")
    assert slot.route == "/notes/<int:number>"
    slot.begin("GET", "/", 11.0)
    assert slot.route == ""
    slot.note_route("/é\n" + "x" * 1000)
    assert slot.route.startswith("/\\xe9\\nx")
    assert len(slot.route.encode().replace(b"\\xe9", b"..").replace(b"\\n", b".")) == TEXT_BYTES
    # Nothing beside it has changed.
    assert (slot.request_text, slot.totals().refused) == ("GET /", 0)


def test_draining_stays_draining(board: Scoreboard) -> None:
    slot = board.take(1, 1, 0.0)
    slot.state = State.DRAINING
    slot.begin("GET", "/", 1.0)
    slot.end(2.0, 1.0)
    assert slot.state == State.DRAINING


def test_long_and_strange_request_lines_are_cut_and_made_printable(board: Scoreboard) -> None:
    slot, neighbour = board.take(1, 1, 0.0), board.take(1, 2, 0.0)
    slot.begin("A" * 5000, "/", 1.0)
    assert slot.request_text == "A" * 100 + " /"
    slot.begin("GET", "/" + "a" * 5000, 1.0)
    assert slot.request_text == "GET /" + "a" * (TEXT_BYTES - 5)
    assert neighbour.request_text == ""
    slot.begin("GET", "/\x1b[31m", 1.0)
    assert slot.request_text == "GET /\\x1b[31m"


def test_totals_outlive_the_worker(board: Scoreboard) -> None:
    first, second = board.take(1, 1, 0.0), board.take(1, 2, 0.0)
    for slot in (first, second):
        slot.begin("GET", "/", 0.0)
        slot.end(0.5, 0.0)
        slot.count_accepted()
        slot.waited(0.001)
    second.count_refused(3)
    second.count_error()
    before = board.total()
    assert (before.requests, before.accepted, before.refused, before.errors) == (2, 2, 1, 1)
    assert before.refused_as(KINDS[3].name) == sum(before.refused_by_kind) == 1
    board.release(first)
    assert board.total() == before
    again = board.take(1, 3, 0.0)
    assert again.totals() == NO_TOTALS
    assert board.total() == before


@given(st.floats(0, 1e9, allow_nan=False))
def test_bucket_of_a_duration(seconds: float) -> None:
    slot = Scoreboard(1).take(1, 1, 0.0)
    slot.waited(seconds)
    (found,) = (index for index, count in enumerate(slot.totals().queue_wait) if count)
    micros = seconds * 1e6
    assert found == 0 if micros < 1 else micros >= 2.0 ** (found - 1)
    assert found == LATENCY_BUCKETS - 1 or micros < 2.0**found


def test_events(board: Scoreboard) -> None:
    board.note(Event.SPAWNED)
    board.note(Event.SPAWNED)
    board.note(Event.RELOAD_ABANDONED)
    assert [board.count(event) for event in Event] == [2, 0, 0, 0, 0, 0, 1]
    # The record lies behind the slots, not in one of them.
    assert all(slot.pid == 0 for slot in board.slots)


def test_kinds_of_refusals_fit_and_stay_inside(board: Scoreboard) -> None:
    assert len(KINDS) <= MOST_KINDS
    slot, neighbour = board.take(1, 1, 0.0), board.take(1, 2, 0.0)
    for kind in range(MOST_KINDS):
        slot.count_refused(kind)
    for kind in (-1, MOST_KINDS, 10**6):
        with pytest.raises(IndexError):
            slot.count_refused(kind)
    assert slot.totals().refused == MOST_KINDS
    assert slot.totals().refused_by_kind == (1,) * len(KINDS)
    assert neighbour.totals() == NO_TOTALS
    board.release(slot)
    assert board.total().refused_as("version") == 1
    assert board.take(1, 3, 0.0).totals() == NO_TOTALS


def test_slot_must_lie_inside() -> None:
    memory = bytearray(2 * SLOT_BYTES)
    Slot(memory, 1)
    for number in (-1, 2, 10**9):
        with pytest.raises(IndexError):
            Slot(memory, number)


def test_other_processes_see_it() -> None:
    script = """
import os, time
from indrik.scoreboard.board import Scoreboard
from indrik.scoreboard.layout import State
board = Scoreboard(2)
slot = board.take(1, 1, time.monotonic())
pid = os.fork()
if pid == 0:
    slot.pid = os.getpid()
    slot.state = State.IDLE
    slot.begin("GET", "/child", 5.0)
    os._exit(0)
assert os.waitpid(pid, 0)[1] == 0
assert (slot.pid, slot.state) == (pid, State.BUSY)
assert (slot.request_text, slot.request_at) == ("GET /child", 5.0)
assert board.slots[1].pid == 0
"""
    subprocess.run([sys.executable, "-c", script], check=True, env=os.environ)


def test_a_neighbour_can_only_look() -> None:
    board = Scoreboard(3)
    slot = board.take(4, 1, 100.0)
    other = board.neighbours(9)[slot.number]
    assert len(board.neighbours(9)) == 3
    assert not other.is_serving(4)
    slot.state = State.IDLE
    slot.note_open(12)
    slot.count_taken()
    assert other.is_serving(4)
    assert not other.is_serving(5)
    assert (other.room(4, 100.0), other.taken(), other.heartbeat(), other.age()) == (12, 1, 100.0, 1)
    assert [name for name in dir(other) if name.startswith(("note_", "count_", "begin", "clear"))] == []


def test_a_neighbour_outside_of_the_board_is_refused() -> None:
    board = Scoreboard(1)
    with pytest.raises(IndexError, match="slot 5"):
        Neighbour(board._map, 5)
