"""What the arbiter should do next: a pure function from what it sees to what it should do and when to look
again.

No clock, process or log is touched here. The rules, for one generation of code and configuration (`fresh`):

- As many workers as wanted; one that is missing is started at once, unless starts have just failed
  (back-off).
- A worker that should be renewed (another generation, or one that asked for it: `stale`) serves until its
  successor is ready. One successor is booted at a time, so there is never more than one worker over the
  wanted number.
- Nobody is told to leave while that would bring the number of ready workers below the wanted one.
- A new generation is on trial until one worker of it, the canary, has been ready for SOAK seconds; before
  that it replaces nobody.
- A worker that gives no sign of life is aborted, one that outlives its time to leave is killed.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias

#: Seconds that the first worker of a new generation must live, ready, before old ones are replaced: long
#: enough to see one that dies as soon as it serves.
SOAK = 1.0

#: Seconds between the request for stacks and ABRT: they are written by a C-level handler, at once if at all.
INSPECT_GRACE = 0.2

#: Seconds between ABRT and KILL. In them the worker_abort hook runs.
ABORT_GRACE = 1.0

#: Seconds that a quick stop (INT, QUIT) grants before KILL.
QUICK_TIMEOUT = 3.0

#: Seconds between two looks at whether a worker that was told to leave has stopped accepting.
DRAIN_INTERVAL = 0.05

#: A worker that lived this long after it was ready has not crashed "at once".
STABLE_AFTER = 5.0


class Seen(NamedTuple):
    """One living worker as the arbiter sees it. Points in time are of the monotonic clock; None: has not
    happened.
    """

    pid: int
    age: int
    generation: int
    spawned_at: float
    heartbeat: float
    #: Seconds of silence, and seconds for leaving, that it was promised at its fork: what a reload has
    #: changed since does not cut its requests. `timeout` 0: any time.
    timeout: float
    graceful_timeout: float
    ready_at: float | None = None
    wants_replacement: bool = False
    leaving_at: float | None = None
    quick: bool = False
    asked_at: float | None = None
    aborted_at: float | None = None
    killed_at: float | None = None
    seat: int = 0
    #: It has been told to leave and has stopped accepting connections.
    is_draining: bool = False

    @property
    def is_active(self) -> bool:
        """Whether it serves or is going to."""
        return self.leaving_at is None and self.aborted_at is None and self.killed_at is None


class Limits(NamedTuple):
    """What holds for all workers. Seconds; 0 switches a limit off."""

    boot_timeout: float
    #: Silence counts from here at the earliest: when everything had been stopped (a debugger, a frozen
    #: machine), workers get their time anew before they are taken for dead.
    pardoned_at: float = -math.inf


class Goal(NamedTuple):
    """What is wanted. `candidate` is a generation on trial, `rolling` says that it has passed and replaces
    the others.
    """

    workers: int
    generation: int
    candidate: int | None = None
    rolling: bool = False
    #: No start before this time, and only one at a time while `cautious`: starts have failed.
    spawn_at: float = 0.0
    cautious: bool = False
    stopping: bool = False
    #: Each seat below `workers` must be held (listeners that belong to one seat each).
    strict_seats: bool = False


@dataclass
class Spawn:
    """Start a worker."""

    generation: int
    seat: int


@dataclass
class Retire:
    """Tell a worker to leave gracefully."""

    pid: int


@dataclass
class Inspect:
    """Ask a silent worker for its stacks, before it is aborted."""

    pid: int


@dataclass
class Abort:
    """End a worker that is silent (`seconds` without a sign of life, or without becoming ready when
    `booting`).
    """

    pid: int
    seconds: float
    booting: bool


@dataclass
class Kill:
    """End a worker that did not go."""

    pid: int


@dataclass
class Confirm:
    """The generation on trial has proved itself: let it replace the others."""


@dataclass
class Complete:
    """Every worker is of the new generation."""


Action: TypeAlias = Spawn | Retire | Inspect | Abort | Kill | Confirm | Complete


class Plan(NamedTuple):
    """Actions in the order in which to do them, and the time at which to look again if nothing happens
    before.
    """

    actions: tuple[Action, ...] = ()
    wake_at: float = math.inf


@dataclass
class _Draft:
    now: float
    actions: list[Action] = field(default_factory=list)
    wake_at: float = math.inf

    def is_due(self, at: float) -> bool:
        if at <= self.now:
            return True
        self.wake_at = min(self.wake_at, at)
        return False


def plan(now: float, seen: Sequence[Seen], goal: Goal, limits: Limits) -> Plan:
    """The next actions."""
    draft = _Draft(now)
    _watch(draft, seen, limits)
    if not goal.stopping:
        aborted = {action.pid for action in draft.actions if isinstance(action, Abort)}
        active = [worker for worker in seen if worker.is_active and worker.pid not in aborted]
        if goal.candidate is not None and not goal.rolling:
            _try_candidate(
                draft, [worker for worker in active if worker.generation == goal.candidate], goal.candidate
            )
            active = [worker for worker in active if worker.generation != goal.candidate]
        _staff(draft, active, goal, [worker for worker in seen if not worker.is_active])
    return Plan(tuple(draft.actions), draft.wake_at)


def back_off(failures: int, cap: float = 30.0) -> float:
    """Seconds to wait before the next start after so many failed ones in a row."""
    return 0.0 if failures <= 0 else min(cap, 0.25 * 2.0 ** min(failures - 1, 20))


def _watch(draft: _Draft, seen: Iterable[Seen], limits: Limits) -> None:
    """Abort the silent, kill the overdue."""
    for worker in seen:
        if worker.killed_at is not None:
            continue
        if worker.aborted_at is not None:
            if draft.is_due(worker.aborted_at + ABORT_GRACE):
                draft.actions.append(Kill(worker.pid))
            continue
        if worker.leaving_at is not None:
            granted = min(worker.graceful_timeout, QUICK_TIMEOUT) if worker.quick else worker.graceful_timeout
            if draft.is_due(worker.leaving_at + granted):
                draft.actions.append(Kill(worker.pid))
                continue
        booting = worker.ready_at is None
        since, timeout = (
            (worker.spawned_at, limits.boot_timeout) if booting else (worker.heartbeat, worker.timeout)
        )
        since = max(since, limits.pardoned_at)
        if not timeout or not draft.is_due(since + timeout):
            continue
        if worker.asked_at is None or worker.asked_at < since:
            draft.actions.append(Inspect(worker.pid))
        elif draft.is_due(worker.asked_at + INSPECT_GRACE):
            draft.actions.append(Abort(worker.pid, draft.now - since, booting))


def _try_candidate(draft: _Draft, canaries: Sequence[Seen], generation: int) -> None:
    """See one worker of the new generation through its trial. Its failure is an event, not a state: the
    arbiter acts on it.
    """
    if not canaries:
        draft.actions.append(Spawn(generation, 0))
        return
    ready = [worker.ready_at for worker in canaries if worker.ready_at is not None]
    if ready and draft.is_due(min(ready) + SOAK):
        draft.actions.append(Confirm())


def _staff(draft: _Draft, active: list[Seen], goal: Goal, leaving_already: Sequence[Seen]) -> None:
    """Bring number and generation of the workers to what is wanted, never losing a ready one too early."""
    generation = goal.candidate if goal.rolling and goal.candidate is not None else goal.generation

    def is_stale(worker: Seen) -> bool:
        return worker.generation != generation or worker.wants_replacement

    leaving = _superfluous(active, goal, is_stale_pid={worker.pid for worker in active if is_stale(worker)})
    draft.actions.extend(Retire(worker.pid) for worker in leaving)
    staying = [worker for worker in active if worker not in leaving]
    stale = [worker for worker in staying if is_stale(worker)]
    missing = goal.workers - len(staying)
    if missing <= 0 and stale and len(staying) == goal.workers:
        missing = 1
    if missing > 0:
        if goal.cautious:
            missing = 0 if any(worker.ready_at is None for worker in staying) else 1
        if missing and draft.is_due(goal.spawn_at):
            draft.actions.extend(
                Spawn(generation, seat) for seat in _seats_for(missing, staying, stale, goal)
            )
    elif goal.rolling and not stale and all(worker.ready_at is not None for worker in staying):
        # Old code must not answer any more when the reload is called complete.
        if leaving or any(is_stale(worker) and not worker.is_draining for worker in leaving_already):
            draft.wake_at = min(draft.wake_at, draft.now + DRAIN_INTERVAL)
        else:
            draft.actions.append(Complete())


def _superfluous(active: Sequence[Seen], goal: Goal, is_stale_pid: set[int]) -> list[Seen]:
    """Who may leave now: the ready ones beyond the wanted number, and the booting ones that nobody needs any
    more.
    """
    ready = [worker for worker in active if worker.ready_at is not None]
    booting = [worker for worker in active if worker.ready_at is None]
    fresh_ready = sum(worker.pid not in is_stale_pid for worker in ready)
    # Booting workers of another generation would be replaced as soon as they are ready.
    leaving = [worker for worker in booting if worker.pid in is_stale_pid]
    useful = sorted(
        (worker for worker in booting if worker.pid not in is_stale_pid), key=lambda worker: worker.age
    )
    leaving.extend(useful[max(0, goal.workers - fresh_ready) :])
    held: dict[int, int] = {}
    for worker in ready:
        held[worker.seat] = held.get(worker.seat, 0) + 1

    def order(worker: Seen) -> tuple[bool, bool, int]:
        needed_there = goal.strict_seats and worker.seat < goal.workers and held[worker.seat] == 1
        return needed_there, worker.pid not in is_stale_pid, worker.age

    for _ in range(len(ready) - goal.workers):
        gone = min(ready, key=order)
        ready.remove(gone)
        held[gone.seat] -= 1
        leaving.append(gone)
    return leaving


def _seats_for(number: int, staying: Sequence[Seen], stale: Sequence[Seen], goal: Goal) -> list[int]:
    """A seat for each of `number` new workers: the empty ones first, then that of the worker to be replaced
    next.
    """
    held = {worker.seat for worker in staying}
    seats = [seat for seat in range(goal.workers) if seat not in held]
    fresh_seats = {worker.seat for worker in staying if worker not in stale}
    succeeding = [
        worker.seat
        for worker in sorted(stale, key=lambda worker: worker.age)
        if worker.seat not in fresh_seats
    ]
    return [*seats, *succeeding, *range(number)][:number]
