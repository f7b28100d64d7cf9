"""Deadlines pass in their order, each once, whatever was armed, moved and disarmed before."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from indrik.engine.timers import NEVER, Timer, TimerQueue, Timers, disarm


class Noting(Timer):
    """Writes down when it was told."""

    def __init__(self, name: int, told: list[tuple[int, str]]) -> None:
        Timer.__init__(self)
        self.name = name
        self.told = told

    def on_timeout(self, queue: TimerQueue) -> None:
        assert self.queue is None
        self.told.append((self.name, queue.name))


STEPS = st.lists(
    st.tuples(st.sampled_from(["arm", "disarm", "pass"]), st.integers(0, 4), st.integers(0, 2)), max_size=40
)


@given(STEPS)
def test_as_a_table_of_deadlines_would_have_it(steps: list[tuple[str, int, int]]) -> None:
    told: list[tuple[int, str]] = []
    timers = [Noting(number, told) for number in range(5)]
    queues = [TimerQueue("short", 1.0), TimerQueue("long", 3.0), TimerQueue("endless", 0.0)]
    now = 100.0
    model: dict[int, tuple[float, int]] = {}
    for what, number, which in steps:
        if what == "arm":
            queues[which].arm(timers[number], now)
            model[number] = (now + queues[which].delay, which)
        elif what == "disarm":
            disarm(timers[number])
            model.pop(number, None)
        else:
            now += which * 0.75
            told.clear()
            due = {number for number, (deadline, place) in model.items() if deadline <= now and place != 2}
            for queue in queues:
                queue.expire(now)
            assert {number for number, _ in told} == due
            assert len(told) == len(due)
            for name, queue in zip(("short", "long"), queues, strict=False):
                deadlines = [model[number][0] for number, place in told if place == name]
                assert deadlines == sorted(deadlines), queue
            for number in due:
                del model[number]
        for place, queue in enumerate(queues):
            members = [number for number, (_, where) in model.items() if where == place]
            assert queue.length == len(members)
            assert (queue.oldest is None) == (not members)


def test_one_that_is_told_may_arm_itself_again() -> None:
    queue = TimerQueue("again", 1.0)

    class Again(Timer):
        times = 0

        def on_timeout(self, queue: TimerQueue) -> None:
            self.times += 1
            queue.arm(self, 1.0)

    timer = Again()
    queue.arm(timer, 0.0)
    queue.expire(1.0)
    assert timer.times == 1
    assert queue.length == 1


def test_one_that_is_told_may_disarm_the_next() -> None:
    queue = TimerQueue("two", 1.0)
    told: list[tuple[int, str]] = []
    second = Noting(2, told)

    class First(Timer):
        def on_timeout(self, queue: TimerQueue) -> None:
            disarm(second)

    queue.arm(First(), 0.0)
    queue.arm(second, 0.0)
    queue.expire(5.0)
    assert told == []
    assert queue.length == 0


def test_next_deadline_is_the_earliest_of_all() -> None:
    timers = Timers(30.0, 10.0, 0.0, 2.0, 60.0)
    assert timers.next_deadline() == NEVER
    one, two, three = (Noting(number, []) for number in range(3))
    timers.body.arm(one, 0.0)
    assert timers.next_deadline() == NEVER
    timers.write.arm(two, 5.0)
    timers.keep_alive.arm(three, 100.0)
    assert timers.next_deadline() == 65.0
    timers.head.arm(two, 6.0)
    assert timers.next_deadline() == 16.0
    disarm(two)
    assert timers.next_deadline() == 102.0
