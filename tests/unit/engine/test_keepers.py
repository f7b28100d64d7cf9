"""Rules for development: who keeps a traceback's frames, and who has the new code."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from indrik.engine.keepers import DebuggerRule, SuccessorsRule
from indrik.engine.siblings import Siblings
from indrik.scoreboard.layout import Order, State
from tests.unit.engine.test_sticky import PEER, WORKERS, Family, request

MARKED = "/any?__debugger__=yes&cmd=x&frm=1&s="


@pytest.fixture
def workers() -> Iterator[Family]:
    one = Family()
    yield one
    for mailbox in one.mailboxes:
        mailbox.close()


def siblings(workers: Family, number: int) -> Siblings:
    neighbours = workers.board.neighbours(len(workers.mailboxes))
    return Siblings(workers.slots[number], neighbours, workers.mailboxes, 100)


def found(rule: DebuggerRule | SuccessorsRule, target: str) -> int | None:
    sibling = rule.find(request(target), PEER)
    return None if sibling is None else sibling.number


class TestDebugger:
    @pytest.mark.parametrize(
        ("target", "number"),
        [
            (f"{MARKED}abc-0", 0),
            (f"{MARKED}abc-3", 3),
            (f"{MARKED}a-b-2", 2),
            ("/?s=abc-3&__debugger__=yes", 3),
            # This one's own, nobody's, and what no debugger sends.
            (f"{MARKED}abc-1", None),
            (f"{MARKED}abc-7", None),
            (f"{MARKED}abc-03", None),
            (f"{MARKED}abc", None),
            (MARKED, None),
            ("/?__debugger__=yes&cmd=resource&f=style.css", None),
            ("/?s=abc-3", None),
            ("/?__debugger__=no&s=abc-3", None),
            ("/", None),
        ],
    )
    def test_the_secret_tells(self, workers: Family, target: str, number: int | None) -> None:
        assert found(DebuggerRule(siblings(workers, 1), None), target) == number

    def test_one_that_leaves_is_not_asked(self, workers: Family) -> None:
        workers.slots[3].state = State.DRAINING
        assert found(DebuggerRule(siblings(workers, 1), None), f"{MARKED}abc-3") is None

    def test_all_else_is_the_other_rules(self, workers: Family) -> None:
        rule = DebuggerRule(siblings(workers, 1), workers.sticky(1, "cookie", "io"))
        plain, marked = request("/", "Cookie: io=2"), request(f"{MARKED}abc-3", "Cookie: io=2")
        sibling = rule.find(plain, PEER)
        assert sibling is not None
        assert sibling.number == 2
        sibling = rule.find(marked, PEER)
        assert sibling is not None
        assert sibling.number == 3
        assert "io=1" in rule.new_cookie(request("/"))
        assert rule.new_cookie(request(f"{MARKED}abc-1", "Cookie: io=2")) == ""
        assert DebuggerRule(siblings(workers, 1), None).new_cookie(plain) == ""


class TestSuccessors:
    def test_one_that_serves_before_one_that_starts(self, workers: Family) -> None:
        for slot in workers.slots:
            slot.order = Order.MAKE_WAY
        rule = SuccessorsRule(siblings(workers, 0))
        first, second = workers.board.take(1, 5, 0.0), workers.board.take(1, 6, 0.0)
        assert found(rule, "/") == first.number
        second.state = State.IDLE
        assert found(rule, "/") == second.number
        first.state = State.BUSY
        second.order = Order.LEAVE
        assert found(rule, "/") == first.number
        assert rule.new_cookie(request("/")) == ""

    def test_where_all_leave_the_youngest_keeps_it(self, workers: Family) -> None:
        for slot in workers.slots:
            slot.order = Order.MAKE_WAY
        # From hand to hand, and never back.
        at, way = 0, [0]
        while (to := found(SuccessorsRule(siblings(workers, at)), "/")) is not None:
            at = to
            way.append(at)
        assert way == sorted(set(way))
        assert at == WORKERS - 1

    def test_nobody_of_another_generation(self, workers: Family) -> None:
        workers.slots[0].order = Order.MAKE_WAY
        for slot in workers.slots[1:]:
            slot.clear(0, 2, slot.age, 0.0)
        assert found(SuccessorsRule(siblings(workers, 0)), "/") is None
        for slot in workers.slots[1:]:
            slot.clear(0, 1, slot.age, 0.0)
            slot.state = State.EXITING
        assert found(SuccessorsRule(siblings(workers, 0)), "/") is None
