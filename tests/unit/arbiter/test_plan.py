"""The plan: its rules one by one, and what must hold for any sequence of boots, deaths and clock steps."""

from __future__ import annotations

import math
from typing import Any, TypeVar

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from indrik.arbiter.plan import (
    ABORT_GRACE,
    DRAIN_INTERVAL,
    INSPECT_GRACE,
    QUICK_TIMEOUT,
    SOAK,
    Abort,
    Action,
    Complete,
    Confirm,
    Goal,
    Inspect,
    Kill,
    Limits,
    Plan,
    Retire,
    Seen,
    Spawn,
    back_off,
    plan,
)

_T = TypeVar("_T")

NOW = 1000.0


def replace(old: _T, **values: Any) -> _T:
    """A copy of a named tuple with some values changed."""
    changed: _T = old._replace(**values)  # type: ignore[attr-defined]
    return changed


LIMITS = Limits(boot_timeout=60.0)


def worker(pid: int, *, generation: int = 1, ready: bool = True, seat: int = 0) -> Seen:
    return Seen(
        pid=pid,
        age=pid,
        generation=generation,
        spawned_at=NOW - 100,
        heartbeat=NOW,
        timeout=30.0,
        graceful_timeout=30.0,
        ready_at=NOW - 90 if ready else None,
        seat=seat,
    )


def booting(pid: int, generation: int = 1) -> Seen:
    return replace(worker(pid, generation=generation, ready=False), spawned_at=NOW - 1)


def actions(seen: list[Seen], goal: Goal, limits: Limits = LIMITS, now: float = NOW) -> list[Action]:
    return list(plan(now, seen, goal, limits).actions)


class TestStaffing:
    def test_starts_all_that_are_missing_at_once(self) -> None:
        assert actions([], Goal(3, 1)) == [Spawn(1, 0), Spawn(1, 1), Spawn(1, 2)]

    def test_does_nothing_when_all_are_there(self) -> None:
        assert actions([worker(1), worker(2)], Goal(2, 1)) == []

    def test_retires_the_oldest_of_too_many(self) -> None:
        assert actions([worker(3), worker(1), worker(2)], Goal(2, 1)) == [Retire(1)]

    def test_waits_out_the_pause_after_failures(self) -> None:
        assert plan(NOW, [], Goal(1, 1, spawn_at=NOW + 5), LIMITS) == Plan((), NOW + 5)

    def test_starts_one_at_a_time_while_starts_fail(self) -> None:
        assert actions([], Goal(3, 1, cautious=True)) == [Spawn(1, 0)]
        assert actions([booting(1)], Goal(3, 1, cautious=True)) == []

    def test_replaces_before_it_retires(self) -> None:
        wanting, other = replace(worker(1), wants_replacement=True), worker(2, seat=1)
        assert actions([wanting, other], Goal(2, 1)) == [Spawn(1, 0)]
        assert actions([wanting, other, booting(3)], Goal(2, 1)) == []
        assert actions([wanting, other, worker(3)], Goal(2, 1)) == [Retire(1)]

    def test_replaces_one_at_a_time(self) -> None:
        wanting = [replace(worker(pid), wants_replacement=True) for pid in (1, 2, 3)]
        assert len(actions(wanting, Goal(3, 1))) == 1

    def test_a_booting_worker_that_nobody_needs_any_more_leaves(self) -> None:
        assert actions([worker(1), booting(2)], Goal(1, 1)) == [Retire(2)]

    def test_a_leaving_worker_does_not_count(self) -> None:
        assert actions([replace(worker(1), leaving_at=NOW)], Goal(1, 1)) == [Spawn(1, 0)]

    def test_nobody_is_started_while_stopping(self) -> None:
        assert actions([], Goal(2, 1, stopping=True)) == []

    def test_fills_each_seat(self) -> None:
        seen = [worker(1, seat=0), worker(2, seat=2)]
        assert actions(seen, Goal(3, 1, strict_seats=True)) == [Spawn(1, 1)]

    def test_keeps_every_seat_held_when_it_retires(self) -> None:
        seen = [worker(1, seat=0), worker(2, seat=1), worker(3, seat=1)]
        assert actions(seen, Goal(2, 1, strict_seats=True)) == [Retire(2)]
        seen = [worker(1, seat=0), worker(2, seat=1), worker(3, seat=2)]
        assert actions(seen, Goal(2, 1, strict_seats=True)) == [Retire(3)]


class TestTrial:
    GOAL = Goal(2, 1, candidate=2)

    def test_starts_one_canary_beside_the_old_ones(self) -> None:
        assert actions([worker(1), worker(2)], self.GOAL) == [Spawn(2, 0)]
        assert actions([worker(1), worker(2), booting(3, 2)], self.GOAL) == []

    def test_the_canary_does_not_wait_for_a_pause(self) -> None:
        assert Spawn(2, 0) in actions([], replace(self.GOAL, spawn_at=NOW + 30))

    def test_confirms_after_the_soak(self) -> None:
        canary = replace(worker(3, generation=2), ready_at=NOW - SOAK / 2)
        result = plan(NOW, [worker(1), worker(2), canary], self.GOAL, LIMITS)
        assert result == Plan((), NOW + SOAK / 2)
        assert actions([worker(1), worker(2), canary], self.GOAL, now=NOW + SOAK) == [Confirm()]

    def test_a_lost_old_worker_is_replaced_by_an_old_one(self) -> None:
        assert actions([worker(1), booting(3, 2)], self.GOAL) == [Spawn(1, 1)]

    def test_rolls_one_by_one_and_completes(self) -> None:
        goal = replace(self.GOAL, rolling=True)
        old = [worker(1), worker(2, seat=1)]
        new = [worker(3, generation=2), worker(4, generation=2, seat=1)]
        assert actions([*old, new[0]], goal) == [Retire(1), Spawn(2, 1)]
        assert actions([old[1], new[0], booting(4, 2)], goal) == []
        assert actions([old[1], *new], goal) == [Retire(2)]
        leaving = replace(old[1], leaving_at=NOW)
        assert plan(NOW, [leaving, *new], goal, LIMITS) == Plan((), NOW + DRAIN_INTERVAL)
        assert actions([replace(leaving, is_draining=True), *new], goal) == [Complete()]
        assert actions(new, goal) == [Complete()]

    def test_going_back_is_a_roll_too(self) -> None:
        assert actions([worker(2, seat=1), worker(3, generation=2)], Goal(2, 1)) == [Spawn(1, 0)]
        assert actions([worker(2), worker(3, generation=2), worker(4)], Goal(2, 1)) == [Retire(3)]


class TestWatch:
    SILENT = replace(worker(1), heartbeat=NOW - 30)

    def test_asks_for_stacks_then_aborts_then_kills(self) -> None:
        goal = Goal(1, 1)
        assert actions([self.SILENT], goal) == [Inspect(1)]
        asked = replace(self.SILENT, asked_at=NOW)
        assert plan(NOW, [asked], goal, LIMITS) == Plan((), NOW + INSPECT_GRACE)
        later = NOW + INSPECT_GRACE
        abort, spawn = actions([asked], goal, now=later)
        assert isinstance(abort, Abort)
        assert abort.seconds == pytest.approx(30 + INSPECT_GRACE)
        assert spawn == Spawn(1, 0)
        aborted = replace(asked, aborted_at=later)
        assert Kill(1) in actions([aborted], goal, now=later + ABORT_GRACE)
        assert Kill(1) not in actions([replace(aborted, killed_at=later)], goal, now=later + 9)

    def test_a_sign_of_life_saves_it(self) -> None:
        assert (
            actions([replace(self.SILENT, asked_at=NOW, heartbeat=NOW + 0.1)], Goal(1, 1), now=NOW + 1) == []
        )

    def test_looks_again_when_it_would_be_silent_too_long(self) -> None:
        assert plan(NOW, [worker(1)], Goal(1, 1), LIMITS).wake_at == NOW + 30

    def test_no_timeout(self) -> None:
        limits = Limits(boot_timeout=0.0)
        assert plan(NOW, [replace(self.SILENT, timeout=0.0)], Goal(1, 1), limits) == Plan((), math.inf)
        assert plan(NOW + 1e6, [booting(1)], Goal(1, 1), limits) == Plan((), math.inf)

    def test_boot_timeout(self) -> None:
        old = replace(booting(1), spawned_at=NOW - 60)
        assert actions([old], Goal(1, 1)) == [Inspect(1)]

    def test_pardon_after_everything_stood_still(self) -> None:
        assert actions([self.SILENT], Goal(1, 1), replace(LIMITS, pardoned_at=NOW)) == []

    @pytest.mark.parametrize(("quick", "granted"), [(False, 30.0), (True, QUICK_TIMEOUT)])
    def test_kills_who_does_not_leave(self, quick: bool, granted: float) -> None:
        leaving = replace(worker(1), leaving_at=NOW, quick=quick, heartbeat=NOW + granted)
        goal = Goal(1, 1, stopping=True)
        assert plan(NOW, [leaving], goal, LIMITS).wake_at <= NOW + granted
        assert actions([leaving], goal, now=NOW + granted) == [Kill(1)]


def test_back_off_doubles_up_to_its_cap() -> None:
    assert [back_off(count) for count in range(-1, 5)] == [0.0, 0.0, 0.25, 0.5, 1.0, 2.0]
    assert back_off(1000) == 30.0
    assert back_off(9, cap=2.0) == 2.0


class World(RuleBasedStateMachine):
    """A world of workers that boot, die, wish and hang, run by nothing but the plan."""

    @initialize(workers=st.integers(0, 4))
    def begin(self, workers: int) -> None:
        self.now = NOW
        self.goal = Goal(workers, 1)
        self.seen: dict[int, Seen] = {}
        self.next_pid = 1
        self.turn()

    def turn(self) -> None:
        """What the arbiter does in one go. It must come to rest."""
        for _ in range(50):
            before = self.ready()
            result = plan(self.now, list(self.seen.values()), self.goal, LIMITS)
            if not result.actions:
                assert result.wake_at > self.now
                break
            for action in result.actions:
                self.act(action)
            if not any(isinstance(action, Abort | Inspect | Kill) for action in result.actions):
                # A decision never costs a ready worker that is wanted.
                assert self.ready() >= min(before, self.goal.workers)
        else:
            raise AssertionError("the plan does not come to rest")

    def act(self, action: Action) -> None:
        if isinstance(action, Spawn):
            pid, times = self.next_pid, (self.now, self.now, 30.0, 30.0)
            self.seen[pid] = Seen(pid, pid, action.generation, *times, seat=action.seat)
            self.next_pid += 1
        elif isinstance(action, Retire):
            self.change(action.pid, leaving_at=self.now)
        elif isinstance(action, Inspect):
            self.change(action.pid, asked_at=self.now)
        elif isinstance(action, Abort):
            self.change(action.pid, aborted_at=self.now)
        elif isinstance(action, Kill):
            del self.seen[action.pid]
        elif isinstance(action, Confirm):
            self.goal = replace(self.goal, rolling=True)
        else:
            assert self.goal.candidate is not None
            self.goal = Goal(self.goal.workers, self.goal.candidate)

    def change(self, pid: int, **values: Any) -> None:
        self.seen[pid] = replace(self.seen[pid], **values)

    def ready(self) -> int:
        return sum(one.is_active and one.ready_at is not None for one in self.seen.values())

    def pick(self, number: int, *, ready: bool | None = None) -> Seen | None:
        fit = [one for one in self.seen.values() if ready is None or (one.ready_at is not None) == ready]
        return fit[number % len(fit)] if fit else None

    @rule(number=st.integers(0, 99))
    def comes_up(self, number: int) -> None:
        one = self.pick(number, ready=False)
        if one is not None and one.is_active:
            self.change(one.pid, ready_at=self.now, heartbeat=self.now)
        self.turn()

    @rule(number=st.integers(0, 99))
    def dies(self, number: int) -> None:
        one = self.pick(number)
        if one is not None:
            del self.seen[one.pid]
            if self.goal.candidate == one.generation and one.is_active and not self.goal.rolling:
                self.goal = Goal(self.goal.workers, self.goal.generation)
        self.turn()

    @rule(number=st.integers(0, 99))
    def wants_replacement(self, number: int) -> None:
        one = self.pick(number, ready=True)
        if one is not None:
            self.change(one.pid, wants_replacement=True)
        self.turn()

    @rule(step=st.floats(0.01, 40.0), beats=st.booleans())
    def time_passes(self, step: float, beats: bool) -> None:
        self.now += step
        if beats:
            for one in list(self.seen.values()):
                self.change(one.pid, heartbeat=self.now)
        self.turn()

    @rule(workers=st.integers(0, 5))
    def other_number(self, workers: int) -> None:
        self.goal = replace(self.goal, workers=workers)
        self.turn()

    @precondition(lambda self: self.goal.candidate is None)
    @rule()
    def reload(self) -> None:
        newest = max([self.goal.generation, *(one.generation for one in self.seen.values())])
        self.goal = replace(self.goal, candidate=newest + 1)
        self.turn()

    @precondition(lambda self: self.goal.candidate is not None)
    @rule()
    def abandon(self) -> None:
        self.goal = Goal(self.goal.workers, self.goal.generation)
        self.turn()

    @rule()
    def all_goes_well(self) -> None:
        """Everybody boots, beats and leaves when told: the wanted state is reached and kept."""
        for _ in range(30):
            self.now += 0.5
            for one in list(self.seen.values()):
                if not one.is_active:
                    del self.seen[one.pid]
                else:
                    self.change(one.pid, ready_at=one.ready_at or self.now, heartbeat=self.now)
            self.turn()
        active = list(self.seen.values())
        assert len(active) == self.goal.workers
        assert all(one.generation == self.goal.generation and not one.wants_replacement for one in active)
        assert self.goal.candidate is None

    @invariant()
    def never_more_than_two_over(self) -> None:
        """One successor and one canary; whoever leaves does not count."""
        if hasattr(self, "seen"):
            active = [one for one in self.seen.values() if one.is_active]
            assert len(active) <= self.goal.workers + 2


TestWorld = World.TestCase
TestWorld.settings = settings(max_examples=150, stateful_step_count=25)
