"""Limits in shared memory: exact between processes, and none of it is lost or stuck when one dies."""

from __future__ import annotations

import contextlib
import fcntl
import gc
import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from indrik.quotas import Gate, Quotas, Rates


@dataclass
class Limit:
    concurrency: int = 0
    rates: tuple[tuple[int, float], ...] = ()


def in_processes(count: int, work: Callable[[int], int]) -> list[int]:
    """What `work(number)`, at most 255, returns in each of so many forked processes, all at work at once."""
    ready, go = os.pipe()
    pids = []
    for number in range(count):
        pid = os.fork()
        if pid == 0:
            result = 255
            with contextlib.suppress(BaseException):
                os.close(go)
                os.read(ready, 1)
                result = work(number)
            os._exit(result)
        pids.append(pid)
    os.close(ready)
    os.close(go)
    return [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids]


class TestGate:
    def test_counts_over_all_slots(self) -> None:
        gate = Gate(10)
        assert gate.enter(3, 2)
        assert gate.enter(9, 2)
        assert not gate.enter(0, 2)
        assert gate.in_progress() == 2
        gate.leave(9)
        assert gate.enter(0, 2)
        assert not gate.enter(3, 2)

    def test_nobody_leaves_who_is_not_inside(self) -> None:
        gate = Gate(2)
        gate.leave(1)
        assert gate.in_progress() == 0

    def test_what_a_dead_worker_had_is_given_back(self) -> None:
        gate = Gate(4)
        assert gate.enter(1, 3)
        assert gate.enter(1, 3)
        assert gate.enter(2, 3)
        gate.forget(1)
        assert gate.in_progress() == 1

    def test_exact_between_processes(self) -> None:
        """Some pass in one process and some in another, and never more than there is room for."""
        gate = Gate(4)
        passed = in_processes(4, lambda slot: sum(gate.enter(slot, 100) for _ in range(80)))
        assert sum(passed) == 100
        assert gate.in_progress() == 100

    def test_never_more_inside(self) -> None:
        gate, inside = Gate(4), Gate(4)

        def work(slot: int) -> int:
            seen = 0
            for _ in range(500):
                if gate.enter(slot, 2):
                    # A count of its own: how many hold the gate at this moment.
                    inside.enter(slot, 1000)
                    seen = max(seen, inside.in_progress())
                    inside.leave(slot)
                    gate.leave(slot)
            return seen

        assert max(in_processes(4, work)) in (1, 2)
        assert gate.in_progress() == 0

    def test_a_process_that_dies_deciding_stops_nobody(self) -> None:
        gate = Gate(2)
        held, holds = os.pipe()
        pid = os.fork()
        if pid == 0:
            with gate:
                os.write(holds, b"x")
                signal.pause()
            os._exit(1)
        os.read(held, 1)
        with pytest.raises(BlockingIOError):
            fcntl.lockf(gate._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        assert gate.enter(0, 1)
        os.close(held)
        os.close(holds)


class TestRates:
    def test_as_many_as_there_may_be_in_any_stretch(self) -> None:
        rates = Rates([(3, 10.0)])
        assert [rates.admit(now) for now in (100.0, 104.0, 105.0)] == [0.0, 0.0, 0.0]
        assert rates.admit(106.0) == 4.0
        # What was refused counts for nothing; the oldest is 10 s ago.
        assert rates.admit(110.0) == 0.0
        assert rates.admit(110.0) == 4.0
        assert rates.admit(114.0) == 0.0

    def test_all_of_several(self) -> None:
        rates = Rates([(1, 1.0), (3, 60.0)])
        assert rates.admit(100.0) == 0.0
        assert rates.admit(100.5) == 0.5
        assert rates.admit(101.0) == 0.0
        assert rates.admit(102.0) == 0.0
        assert rates.admit(103.0) == 57.0

    @pytest.mark.parametrize("amount", [1, 20, 150])
    def test_exact_between_processes(self, amount: int) -> None:
        rates = Rates([(amount, 60.0)])

        def work(number: int) -> int:
            return sum(not rates.admit(time.monotonic()) for _ in range(60))

        assert sum(in_processes(4, work)) == amount


class TestQuotas:
    def test_a_reload_goes_on_counting(self) -> None:
        quotas = Quotas(4)
        first = quotas.of({"/a": Limit(2, ((5, 60.0),)), "/b": Limit(1)})
        second = quotas.of({"/a": Limit(3, ((5, 60.0),)), "/c": Limit(1)})
        assert second["/a"].gate is first["/a"].gate
        assert second["/a"].rates is first["/a"].rates
        third = quotas.of({"/a": Limit(3, ((6, 60.0),))})
        assert third["/a"].rates is not first["/a"].rates

    def test_nothing_for_what_has_no_limit(self) -> None:
        quotas = Quotas(4)
        assert quotas.of({}) == {}
        found = quotas.of({"/a": Limit()})["/a"]
        assert found.gate is None
        assert found.rates is None

    def test_a_dead_worker_has_left_every_gate(self) -> None:
        quotas = Quotas(4)
        made = quotas.of({"/a": Limit(1), "/b": Limit(1)})
        gates = [quota.gate for quota in made.values() if quota.gate is not None]
        assert [gate.enter(2, 1) for gate in gates] == [True, True]
        quotas.forget(2)
        assert [gate.enter(1, 1) for gate in gates] == [True, True]

    def test_descriptors_are_given_back(self) -> None:
        quotas = Quotas(4)
        gc.collect()
        before = len(os.listdir("/proc/self/fd"))
        made = quotas.of({str(number): Limit(1, ((1, 1.0),)) for number in range(10)})
        assert len(os.listdir("/proc/self/fd")) > before
        del made
        gc.collect()
        assert len(os.listdir("/proc/self/fd")) == before
