"""Who gets a new connection, and what becomes of one that was passed on."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator

import pytest

from indrik.engine.siblings import Passed, Siblings
from indrik.net.mailbox import Mailbox
from indrik.scoreboard.board import Scoreboard
from indrik.scoreboard.layout import State
from indrik.scoreboard.slot import Slot

NOW = 1000.0
GENERATION = 3
MOST = 500

PASSED = Passed(0, ("192.0.2.1", 12345), "12345", False, None, False, 0, False, b"")


class Family:
    """Workers 0 to 3, all ready and idle; the tests look with the eyes of 0."""

    def __init__(self) -> None:
        self.board = Scoreboard(8)
        self.mailboxes = [Mailbox() for _ in range(6)]
        self.slots = [self.board.take(GENERATION, age, NOW) for age in range(1, 5)]
        for slot in self.slots:
            slot.state = State.IDLE
            slot.beat(NOW)
        self.siblings = self.seen_by(0)
        self.ours, self.theirs = socket.socketpair()
        self.closed = self.ending = 0

    def seen_by(self, number: int) -> Siblings:
        return Siblings(
            self.slots[number], self.board.neighbours(len(self.mailboxes)), self.mailboxes, MOST
        )

    def have_open(self, *counts: int) -> None:
        for slot, count in zip(self.slots, counts, strict=True):
            slot.note_open(count)

    def choice(self, here: int, now: float = NOW, is_full: bool = False) -> int | None:
        """Where one goes that was accepted while `here` are open; after `churn` each one ends another."""
        self.closed += self.ending
        found = self.siblings.better_place(here, self.closed, now, is_full)
        return None if found is None else found.number

    def churn(self) -> None:
        """From now on a connection ends for each that is accepted, and the ration is used up."""
        self.ending = 1
        self.have_open(8, 2, 2, 2)
        while self.choice(8) is not None:
            pass

    def pass_on(self, number: int, passed: Passed = PASSED, now: float = NOW) -> bool:
        sibling = next(one for one in self.siblings.others if one.number == number)
        return self.siblings.pass_on(sibling, self.theirs.fileno(), passed, now)

    def recall(self, now: float, is_last: bool = False) -> list[Passed]:
        found = []
        for passed, fd in self.siblings.recall(now, is_last):
            os.close(fd)
            found.append(passed)
        return found

    def close(self) -> None:
        for mailbox in self.mailboxes:
            mailbox.close()
        self.ours.close()
        self.theirs.close()


@pytest.fixture
def family() -> Iterator[Family]:
    one = Family()
    yield one
    one.close()


def leave(slot: Slot) -> None:
    slot.state = State.DRAINING


# --- who gets it


def test_the_emptiest_gets_it(family: Family) -> None:
    family.have_open(5, 4, 2, 3)
    assert family.choice(5) == 2


def test_it_stays_where_nobody_has_fewer(family: Family) -> None:
    family.have_open(4, 4, 5, 6)
    assert family.choice(4) is None


def test_one_more_in_thirty_two_is_even(family: Family) -> None:
    family.have_open(103, 100, 100, 100)
    assert family.choice(103) is None
    family.have_open(104, 100, 100, 100)
    assert family.choice(104) == 1


def test_while_connections_last_all_is_exact(family: Family) -> None:
    family.have_open(3, 2, 2, 2)
    assert [family.choice(3) for _ in range(1000)] == [1] * 1000


def test_short_connections_are_passed_on_a_few_times_a_second_only(family: Family) -> None:
    family.churn()
    family.have_open(3, 2, 2, 2)
    assert [family.choice(3) for _ in range(100)] == [None] * 100
    assert not family.siblings.is_crowded
    assert [family.choice(3, NOW + 1.01) for _ in range(100)] == [1] * 4 + [None] * 96


def test_of_far_too_many_short_ones_a_part_is_passed_on(family: Family) -> None:
    """And otherwise the worker steps back in the kernel's line."""
    family.churn()
    family.have_open(30, 2, 2, 2)
    for _ in range(100):
        family.choice(30)
    assert 9 <= [family.choice(30) for _ in range(640)].count(1) <= 11
    assert family.siblings.is_crowded


def test_connections_that_last_are_noticed_behind_short_ones(family: Family) -> None:
    family.churn()
    family.ending = 0
    family.have_open(3, 2, 2, 2)
    choices = [family.choice(3) for _ in range(100)]
    assert choices[-50:] == [1] * 50


def test_those_on_their_way_count(family: Family) -> None:
    """Whoever has passed them on."""
    family.have_open(4, 0, 1, 9)
    for _ in range(2):
        assert family.pass_on(1)
    assert family.choice(4) == 2
    other = family.seen_by(3)
    found = other.better_place(9, 0, NOW, False)
    assert found is not None
    assert found.number == 2


@pytest.mark.parametrize("state", [State.STARTING, State.DRAINING, State.EXITING])
def test_nobody_who_starts_or_leaves_gets_it(family: Family, state: State) -> None:
    family.have_open(5, 0, 4, 5)
    family.slots[1].state = state
    assert family.choice(5) == 2


def test_nobody_of_another_generation_gets_it(family: Family) -> None:
    newcomer = family.board.take(GENERATION + 1, 9, NOW)
    newcomer.state = State.IDLE
    family.have_open(5, 5, 5, 5)
    assert family.choice(5) is None


def test_nobody_inside_the_application_gets_it(family: Family) -> None:
    family.have_open(5, 0, 4, 5)
    family.slots[1].note_turning(True)
    family.slots[1].begin("GET", "/", NOW)
    assert family.choice(5, NOW + 0.005) == 1
    assert family.choice(5, NOW + 0.05) == 2
    family.slots[1].note_turning(False)
    assert family.choice(5, NOW + 0.05) == 1, "its loop waits: it has other threads for the application"


def test_nobody_who_is_full_gets_it(family: Family) -> None:
    family.have_open(900, MOST, MOST + 1, MOST)
    assert family.choice(900) is None


def test_requests_that_wait_here_go_before_numbers(family: Family) -> None:
    family.have_open(2, 9, 8, 7)
    family.slots[0].note_queued(1)
    family.slots[3].note_queued(2)
    assert family.choice(2) == 2


def test_without_anybody_free_here_it_goes_to_another(family: Family) -> None:
    family.have_open(1, 1, 0, 2)
    family.churn()
    family.have_open(1, 1, 0, 2)
    assert family.choice(1) is None
    assert family.choice(1, is_full=True) == 2


def test_with_requests_waiting_everywhere_it_stays(family: Family) -> None:
    family.have_open(9, 0, 0, 0)
    for slot in family.slots:
        slot.note_queued(1)
    assert family.choice(9) is None


# --- what becomes of it


def test_it_arrives_as_it_was_sent(family: Family) -> None:
    passed = Passed(
        1, None, "", True, ("TCP4", ("192.0.2.1", 1), ("192.0.2.2", 80), 40), False, 7, True, b"GET / HTTP"
    )
    assert family.pass_on(2, passed)
    taken = family.seen_by(2).take()
    assert taken is not None
    assert taken[0] == passed
    with socket.socket(fileno=taken[1]) as sock:
        sock.sendall(b"hello")
    assert family.ours.recv(10) == b"hello"
    assert family.seen_by(2).take() is None


def test_what_was_taken_is_not_recalled(family: Family) -> None:
    family.pass_on(1)
    taken = family.seen_by(1).take()
    assert taken is not None
    os.close(taken[1])
    assert family.siblings.recall_at == pytest.approx(NOW + 0.1)
    assert family.recall(NOW + 0.1) == []
    assert family.siblings.recall_at == 0.0


def test_what_nobody_takes_comes_back_and_is_not_sent_there_again(family: Family) -> None:
    family.have_open(5, 0, 4, 5)
    family.pass_on(1)
    assert family.recall(NOW + 0.05) == []
    assert family.recall(NOW + 0.1) == [PASSED]
    assert family.choice(5) == 2
    family.slots[1].beat(NOW + 0.2)
    assert family.choice(5) == 1


def test_a_sibling_that_takes_others_gets_more_time(family: Family) -> None:
    family.pass_on(1)
    family.pass_on(1)
    taken = family.seen_by(1).take()
    assert taken is not None
    os.close(taken[1])
    assert family.recall(NOW + 0.1) == []
    assert family.siblings.recall_at == pytest.approx(NOW + 0.2)
    assert family.recall(NOW + 0.2) == [PASSED]


def test_what_belongs_there_waits_as_long_as_the_worker_serves(family: Family) -> None:
    belongs = PASSED._replace(stays=True)
    family.pass_on(1, belongs)
    family.pass_on(1)
    assert family.recall(NOW + 0.1) == [PASSED]
    assert family.recall(NOW + 10.0) == []
    leave(family.slots[1])
    assert family.recall(NOW + 20.0) == [PASSED], "its place is looked for anew"


def test_whoever_leaves_takes_back_at_once(family: Family) -> None:
    family.pass_on(1)
    family.pass_on(2)
    assert family.recall(NOW, is_last=True) == [PASSED, PASSED]


def test_a_successor_finds_what_the_dead_has_left(family: Family) -> None:
    family.pass_on(1)
    family.board.release(family.slots[1])
    successor = family.board.take(GENERATION, 7, NOW)
    assert successor.number == 1
    found = Siblings(
        successor, family.board.neighbours(6), family.mailboxes, MOST
    ).take()
    assert found is not None
    os.close(found[1])


def test_a_full_mailbox_is_no_place(family: Family) -> None:
    while family.pass_on(1):
        pass
    assert family.recall(NOW + 1.0)
    assert family.pass_on(1)
