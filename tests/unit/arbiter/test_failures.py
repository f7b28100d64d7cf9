"""The pause before the next start, after workers that did not come up or died soon."""

from __future__ import annotations

from indrik.arbiter.failures import CRASH_CAP, Failures
from indrik.arbiter.plan import SOAK, STABLE_AFTER


def test_boot_failures_wait_longer_and_longer() -> None:
    failures = Failures()
    assert [failures.note_boot_failure(100.0) for _ in range(3)] == [(1, 0.25), (2, 0.5), (3, 1.0)]
    assert failures.is_cautious
    assert failures.spawn_at == 101.0


def test_a_worker_that_comes_up_ends_the_pause() -> None:
    failures = Failures()
    failures.note_boot_failure(100.0)
    failures.note_ready()
    assert (failures.is_cautious, failures.spawn_at) == (False, 0.0)
    assert failures.note_boot_failure(100.0) == (1, 0.25)


def test_first_crash_costs_nothing_further_ones_a_little() -> None:
    failures = Failures()
    pauses = []
    for _ in range(9):
        assert failures.note_death(now=100.0, ready_at=99.9, code=-11)
        pauses.append(failures.spawn_at - 100.0)
    assert pauses[:4] == [0.0, 0.25, 0.5, 1.0]
    assert max(pauses) == CRASH_CAP


def test_death_after_a_while_is_no_crash_loop() -> None:
    failures = Failures()
    failures.note_death(100.0, 99.9, 1)
    failures.note_death(100.0, 99.9, 1)
    assert not failures.note_death(now=200.0, ready_at=200.0 - STABLE_AFTER, code=1)
    assert failures.note_death(200.0, 199.9, 1)
    assert failures.spawn_at < 200.1


def test_leaving_by_itself_is_no_crash_unless_at_once() -> None:
    failures = Failures()
    assert not failures.note_death(now=100.0, ready_at=100.0 - SOAK, code=0)
    assert failures.note_death(now=100.0, ready_at=100.0 - SOAK / 2, code=0)


def test_forget() -> None:
    failures = Failures()
    failures.note_boot_failure(100.0)
    failures.note_death(100.0, 99.9, 1)
    failures.forget()
    assert (failures.is_cautious, failures.spawn_at) == (False, 0.0)
