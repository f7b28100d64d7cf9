"""How a worker comes into being: its object, its slot, its fork."""

from __future__ import annotations

import os
import signal
import time
from typing import Any

from indrik.arbiter import hooks
from indrik.arbiter.generation import Generation
from indrik.arbiter.offspring import FORK_BLOCKED, leave_master, leave_relatives, live
from indrik.arbiter.recycling import set_limits
from indrik.arbiter.roster import Member, Roster
from indrik.arbiter.stacks import open_stacks
from indrik.arbiter.streams import flush_streams

#: So often in a row a file that changes while the application is loaded was saved by somebody; from then on
#: the application itself writes it.
_MOST_CHANGES = 3


class Nursery:
    """Starts the workers of `server`. Master only, up to the fork."""

    def __init__(self, server: Any, roster: Roster) -> None:
        self._server = server
        self._roster = roster
        #: Times in a row that files have changed while the application was loaded.
        self.changes_while_loading = 0

    def spawn(self, generation: Generation, seat: int) -> Member:
        """Fork a worker of `generation`. Raises what the pre_fork hook raises, or OSError if there can be no
        more processes.

        In the worker this never returns: it ends in SystemExit.
        """
        server, cfg = self._server, generation.cfg
        server.worker_age += 1
        age = server.worker_age
        now = time.monotonic()
        listeners = server.seating.listeners_for(generation.listeners, seat, cfg)
        worker = cfg.worker_class(
            age, server.pid, listeners, server.app, cfg.timeout / 2.0, cfg, generation.log
        )
        slot = self._roster.scoreboard.take(generation.number, age, now)
        stacks = -1
        try:
            stacks = open_stacks()
            self._roster.equip(worker, slot)
            worker.quotas = generation.quotas
            worker.arbiter_fd = server.wakeup_fd
            worker.stacks_fd = stacks
            worker.minds_changes_while_loading = self.changes_while_loading < _MOST_CHANGES
            hooks.call(server, cfg, "pre_fork", server, worker)
            pid = self._fork(worker, generation)
        except BaseException:
            # In the child, too, SystemExit passes here; but there the slot is its own by now, and the
            # master's to free.
            if os.getpid() == server.pid:
                self._roster.scoreboard.release(slot)
                if stacks >= 0:
                    os.close(stacks)
            raise
        worker.pid = pid
        times = (now, float(cfg.timeout), float(cfg.graceful_timeout))
        member = Member(pid, worker, slot, generation.number, seat, *times, stacks_fd=stacks)
        if cfg.max_worker_lifetime or cfg.max_worker_memory:
            set_limits(member, cfg)
        self._roster.add(member)
        return member

    def _fork(self, worker: Any, generation: Generation) -> int:
        if generation.preloader is not None:
            own = [listener.fileno() for listener in worker.sockets] if generation.cfg.reuse_port else []
            return int(
                generation.preloader.fork_worker(worker.age, worker.slot.number, worker.stacks_fd, own)
            )
        # Blocked in between: a signal meets either the master's handlers in the master or the worker's in the
        # worker.
        flush_streams()
        before = signal.pthread_sigmask(signal.SIG_BLOCK, FORK_BLOCKED)
        try:
            pid = os.fork()
            if pid == 0:
                self._become(worker, generation)
        finally:
            if os.getpid() == self._server.pid:
                signal.pthread_sigmask(signal.SIG_SETMASK, before)
        return pid

    def _become(self, worker: Any, generation: Generation) -> None:
        leave_master()

        def make() -> Any:
            leave_relatives(self._server, generation, worker.sockets)
            generation.enter(self._server.app, self._server.environment)
            return worker

        live(self._server, make, generation.cfg, generation.log)
