"""The master's view of its workers. The worker's body lives in its own process; here is what the master knows
and has done.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from indrik.arbiter.plan import Seen
from indrik.net.mailbox import Mailbox
from indrik.quotas import Quotas
from indrik.scoreboard.board import Scoreboard
from indrik.scoreboard.layout import State
from indrik.scoreboard.slot import Slot

#: For workers that TTIN adds to those of the configuration. Each mailbox costs every process two descriptors;
#: workers beyond the last one share no load.
_SPARE_MAILBOXES = 2
_MOST_MAILBOXES = 128

#: With `reload`: so many times the workers may live at once. One that has served its last request takes a
#: second for its end on a busy machine, and whoever develops saves again meanwhile.
_RELOAD_ROUNDS = 6


@dataclass(slots=True, eq=False)
class Member:
    """One worker process, from the fork until it is reaped."""

    pid: int
    worker: Any
    slot: Slot
    generation: int
    seat: int
    spawned_at: float
    #: Seconds, see `Seen`.
    timeout: float
    graceful_timeout: float
    #: The master has seen it ready.
    ready: bool = False
    #: The master wants it renewed (memory, lifetime).
    outworn: bool = False
    leaving_at: float | None = None
    quick: bool = False
    aborted_at: float | None = None
    killed_at: float | None = None
    #: When the master asked for its stacks, before aborting it.
    asked_at: float | None = None
    #: File to which it writes its stacks when it is asked to, or crashes.
    stacks_fd: int = -1
    #: Seconds of service and bytes of memory after which it is replaced; 0: no limit.
    expires_in: float = 0.0
    memory_limit: int = 0

    def forget(self) -> None:
        """Close the file for its stacks."""
        if self.stacks_fd >= 0:
            os.close(self.stacks_fd)
            self.stacks_fd = -1

    @property
    def was_told(self) -> bool:
        """Whether the master has asked it to end: then its end is no failure."""
        return self.leaving_at is not None

    def seen(self) -> Seen:
        """What `plan` needs to know."""
        ready_at = self.slot.ready_at
        return Seen(
            pid=self.pid,
            age=self.worker.age,
            generation=self.generation,
            spawned_at=self.spawned_at,
            heartbeat=self.slot.heartbeat,
            timeout=self.timeout,
            graceful_timeout=self.graceful_timeout,
            ready_at=ready_at or None,
            wants_replacement=self.outworn or bool(self.slot.wants_replacement),
            leaving_at=self.leaving_at,
            quick=self.quick,
            asked_at=self.asked_at,
            aborted_at=self.aborted_at,
            killed_at=self.killed_at,
            seat=self.seat,
            is_draining=self.slot.state >= State.DRAINING,
        )


class Roster:
    """The living workers by pid, and the scoreboard that they write to."""

    def __init__(self, slots: int) -> None:
        self.scoreboard = Scoreboard(slots)
        self.quotas = Quotas(slots)
        #: Those of the first slots.
        self.mailboxes: list[Mailbox] = []
        self._members: dict[int, Member] = {}
        #: pid -> Worker, as hooks written for Gunicorn expect it in `server.WORKERS`.
        self.workers: dict[int, Any] = {}

    def __iter__(self) -> Iterator[Member]:
        return iter(list(self._members.values()))

    def __len__(self) -> int:
        return len(self._members)

    def __contains__(self, pid: int) -> bool:
        return pid in self._members

    def __getitem__(self, pid: int) -> Member:
        return self._members[pid]

    def open_mailboxes(self, workers: int, reloads: bool) -> None:
        """Before a worker or a preloader of a generation is forked: mailboxes for twice its workers, because
        successors come before their predecessors leave, and for more where files may change any moment
        (`reloads`). Raises OSError when no descriptors are left.
        """
        rounds = _RELOAD_ROUNDS if reloads else 2
        while len(self.mailboxes) < min(rounds * workers + _SPARE_MAILBOXES, _MOST_MAILBOXES):
            self.mailboxes.append(Mailbox())

    def equip(self, worker: Any, slot: Slot) -> None:
        """Give a worker its slot, and what it needs of its siblings."""
        worker.slot = slot
        worker.mailboxes = tuple(self.mailboxes)
        worker.neighbours = self.scoreboard.neighbours(len(self.mailboxes))

    def add(self, member: Member) -> None:
        """A worker was started."""
        self._members[member.pid] = member
        self.workers[member.pid] = member.worker

    def remove(self, member: Member) -> None:
        """A worker was reaped; its counters are kept in the scoreboard's total."""
        self._members.pop(member.pid, None)
        self.workers.pop(member.pid, None)
        member.forget()
        # Before the slot is another's.
        self.quotas.forget(member.slot.number)
        self.scoreboard.release(member.slot)

    def seen(self) -> list[Seen]:
        """All of them, as `plan` sees them."""
        return [member.seen() for member in self._members.values()]
