"""The workers, as the master looks after them: observe, let `plan` decide, act, and bury the dead.

How a worker is started stands in `nursery`, what is said of a dead one in `obituary`, when the next start is
allowed in `failures`.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterator
from typing import Any

from indrik.arbiter import plan
from indrik.arbiter.failures import Failures
from indrik.arbiter.generation import Generation
from indrik.arbiter.nursery import Nursery
from indrik.arbiter.obituary import (
    OutOfMemoryWatch,
    explain_abort,
    explain_death,
    signal_name,
    what_it_serves,
)
from indrik.arbiter.offspring import APP_LOAD_ERROR, WORKER_BOOT_ERROR
from indrik.arbiter.preloader import Preloader, PreloaderFailed, Preloaders
from indrik.arbiter.recycling import Recycling
from indrik.arbiter.roster import Member, Roster
from indrik.arbiter.stacks import take_stacks
from indrik.config.resolved import MOST_WORKERS
from indrik.errors import HaltServer
from indrik.scoreboard.board import Event
from indrik.scoreboard.layout import Order, Recycle
from indrik.signals import STACKS_SIGNAL

#: Those being replaced and those on trial included. A slot that is never used costs no memory.
SLOTS = MOST_WORKERS + 24

_STOPS = (signal.SIGTERM, signal.SIGQUIT, signal.SIGINT)


class Staff:
    """All worker processes of `server`. Master only."""

    def __init__(self, server: Any) -> None:
        self._server = server
        self.roster = Roster(SLOTS)
        self.failures = Failures()
        self.preloaders = Preloaders(server)
        self._nursery = Nursery(server, self.roster)
        self._recycling = Recycling()
        self._memory = OutOfMemoryWatch()
        #: Some worker has been ready: from then on no failing worker stops the server.
        self.has_served = False
        self._logged: int | None = None

    def manage(self, now: float, pardoned_at: float) -> float:
        """Look, decide, act. Returns the time of the next look."""
        server = self._server
        self._note_ready()
        if server.cfg.reload and server.stopping is None:
            self._follow_changes()
        wake_at = self._recycling.check(self.roster, server.log, now)
        if server.stopping is None:
            wake_at = min(wake_at, self._watch_preloaders(now))
        result = plan.plan(now, self.roster.seen(), self._goal(), self._limits(pardoned_at))
        self._steer()
        for action in result.actions:
            self._act(action)
        self._log_number()
        return now if result.actions else min(wake_at, result.wake_at)

    def _watch_preloaders(self, now: float) -> float:
        try:
            return self.preloaders.watch(now, self.failures.spawn_at)
        except OSError as error:
            self._server.log.exception("A preloader could not be started")
            self._count_boot_failure(
                self._server.current.number, f"a preloader could not be started: {error}"
            )
            return self.failures.spawn_at

    def _goal(self) -> plan.Goal:
        server = self._server
        candidate, rolling = server.reloading.candidate, server.reloading.rolling
        on_trial = candidate is not None and (rolling or candidate.can_spawn)
        source = candidate if rolling else server.current
        return plan.Goal(
            workers=server.num_workers,
            generation=server.current.number,
            candidate=candidate.number if on_trial else None,
            rolling=rolling,
            spawn_at=self.failures.spawn_at if source.can_spawn else float("inf"),
            cautious=self.failures.is_cautious,
            stopping=server.stopping is not None,
            strict_seats=server.cfg.reuse_port,
        )

    def _limits(self, pardoned_at: float) -> plan.Limits:
        boot = [generation.limits_boot() for generation in self._server.generations()]
        return plan.Limits(
            boot_timeout=0.0 if 0.0 in boot else max(boot),
            pardoned_at=pardoned_at,
        )

    def _steer(self) -> None:
        """With reuse_port: keep new connections away from seats without a ready worker, before one is told to
        leave.
        """
        server = self._server
        if server.cfg.reuse_port and server.stopping is None:
            ready = [member.seat for member in self.roster if member.ready and not member.was_told]
            server.seating.serve(ready, [member.seat for member in self.roster], server.num_workers)

    def _follow_changes(self) -> None:
        """A file of the application has changed: nobody goes on with old code. New workers are started at
        once; requests wait for them.
        """
        staying = [member for member in self.roster if not member.was_told]
        wishes = {member.slot.wants_replacement for member in staying}
        if not wishes & {Recycle.CHANGED_FILE, Recycle.CHANGED_WHILE_LOADING}:
            return
        if Recycle.CHANGED_FILE in wishes:
            self._nursery.changes_while_loading = 0
        else:
            self._nursery.changes_while_loading += 1
        for member in staying:
            self.send(member.pid, signal.SIGTERM, makes_way=True)

    def _log_number(self) -> None:
        number = len(self.roster)
        if self._server.stopping is None and number != self._logged:
            self._logged = number
            self._server.log.debug(
                "%s workers", number, extra={"metric": "indrik.workers", "value": number, "mtype": "gauge"}
            )

    def _note_ready(self) -> None:
        for member in self.roster:
            if not member.ready and member.slot.ready_at:
                member.ready = True
                self._server.scoreboard.note(Event.READY)
                self.failures.note_ready()
                self._server.reloading.note_ready(member.generation)
                self._server.log.debug(
                    "Worker is ready (pid: %s) after %.2f s",
                    member.pid,
                    member.slot.ready_at - member.spawned_at,
                )
                if not self.has_served:
                    self.has_served = True
                    self._server.report_serving()

    def _act(self, action: plan.Action) -> None:
        if isinstance(action, plan.Spawn):
            self._spawn(action.generation, action.seat)
        elif isinstance(action, plan.Retire):
            self.send(action.pid, signal.SIGTERM)
        elif isinstance(action, plan.Inspect):
            member = self.roster[action.pid]
            take_stacks(member.stacks_fd)
            member.asked_at = time.monotonic()
            self.send(action.pid, STACKS_SIGNAL)
        elif isinstance(action, plan.Abort):
            explain_abort(self._server.log, self.roster[action.pid], action.seconds, action.booting)
            self._server.scoreboard.note(Event.TIMED_OUT)
            self.send(action.pid, signal.SIGABRT)
        elif isinstance(action, plan.Kill):
            member = self.roster[action.pid]
            self._server.log.error(
                "Worker (pid:%s) did not end in time, %s: KILL",
                action.pid,
                what_it_serves(member, time.monotonic()),
            )
            self.send(action.pid, signal.SIGKILL)
        elif isinstance(action, plan.Confirm):
            self._server.reloading.confirm()
        else:
            self._server.reloading.complete()

    def spawn(self, generation: Generation, seat: int) -> Member:
        """Start a worker. Raises what stands in the way."""
        member = self._nursery.spawn(generation, seat)
        self._server.scoreboard.note(Event.SPAWNED)
        return member

    def _spawn(self, number: int, seat: int) -> None:
        candidate = self._server.reloading.candidate
        generation = (
            candidate if candidate is not None and candidate.number == number else self._server.current
        )
        try:
            self.spawn(generation, seat)
        except Exception as error:
            if not self.has_served and not isinstance(error, OSError | PreloaderFailed):
                raise
            self._server.log.exception("A worker could not be started")
            self._count_boot_failure(number, f"a worker could not be started: {error}")

    def send_all(self, sig: int) -> None:
        """Send `sig` to every worker."""
        for member in self.roster:
            self.send(member.pid, sig)

    def send(self, pid: int, sig: int, makes_way: bool = False) -> None:
        """Send `sig` to one worker and remember what that means for it. `makes_way`: to successors with other
        code, which also answer what comes on connections that are open.
        """
        now = time.monotonic()
        if pid in self.roster:
            member = self.roster[pid]
            if sig in _STOPS:
                quick = sig != signal.SIGTERM
                order = self._order_for(member)
                member.slot.order = Order.MAKE_WAY if makes_way and order == Order.LEAVE else order
                if member.leaving_at is None or (quick and not member.quick):
                    member.leaving_at = now
                member.quick = member.quick or quick
            elif sig == signal.SIGABRT:
                member.aborted_at = now
            elif sig == signal.SIGKILL:
                member.killed_at = now
        # A worker that has just died is reaped when the loop comes round; until then its pid cannot be
        # another's.
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, sig)

    def _order_for(self, member: Member) -> Order:
        """Whether others go on serving all the listeners that this worker has."""
        if self._server.reexec_pid:
            return Order.LEAVE
        if self._server.stopping is not None or self._server.num_workers == 0:
            return Order.DRAIN
        if self._server.cfg.reuse_port and not any(
            other.seat == member.seat and other.ready and not other.was_told
            for other in self.roster
            if other is not member
        ):
            return Order.DRAIN
        serving = self._server.reloading.candidate if self._server.reloading.rolling else self._server.current
        kept = serving.listeners if serving is not None else []
        kept = [listener for base in kept for listener in self._server.seating.family(base)]
        return Order.LEAVE if all(listener in kept for listener in member.worker.sockets) else Order.DRAIN

    def reap(self) -> Iterator[tuple[int, int]]:
        """Take leave of the children that have died. Yields pid and exit code of those that are not of the
        staff.
        """
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            code = os.waitstatus_to_exitcode(status)
            preloader = self.preloaders.find(pid)
            if pid in self.roster:
                self._bury(self.roster[pid], code)
            elif preloader is not None:
                self._bury_preloader(preloader, code)
            else:
                yield pid, code

    def _bury(self, member: Member, code: int) -> None:
        self._note_ready()
        out_of_memory = (
            self._memory.took_one() if code == -signal.SIGKILL and member.killed_at is None else ""
        )
        expected = member.was_told or member.aborted_at is not None or self._server.stopping is not None
        explain_death(self._server.log, member, code, expected, out_of_memory)
        ready_at = member.slot.ready_at
        self.roster.remove(member)
        self._server.scoreboard.note(Event.DIED)
        self._server.call_hook("child_exit", self._server, member.worker)
        if self._server.stopping is not None or member.was_told:
            return
        if not self.has_served and code in (WORKER_BOOT_ERROR, APP_LOAD_ERROR):
            raise HaltServer(
                "Worker failed to boot." if code == WORKER_BOOT_ERROR else "App failed to load.", code
            )
        how = f"exit code {code}" if code >= 0 else signal_name(-code)
        if not member.ready:
            if code in (WORKER_BOOT_ERROR, APP_LOAD_ERROR):
                how = f"{how}, its own lines above say why"
            self._count_boot_failure(
                member.generation, f"a new worker (pid {member.pid}) did not come up: {how}"
            )
        elif self.failures.note_death(time.monotonic(), ready_at, code):
            self._server.reloading.note_failure(
                member.generation, f"a new worker (pid {member.pid}) died at once: {how}"
            )

    def _count_boot_failure(self, generation: int, what: str) -> None:
        self._server.scoreboard.note(Event.FAILED_TO_BOOT)
        candidate = self._server.reloading.candidate
        if candidate is not None and generation == candidate.number:
            rolling = self._server.reloading.rolling
            self._server.reloading.note_failure(generation, what)
            if not rolling:
                return
        count, delay = self.failures.note_boot_failure(time.monotonic())
        self._server.log.warning(
            "Starts of workers that failed in a row: %d; the next try is in %.2f s", count, delay
        )

    def _bury_preloader(self, preloader: Preloader, code: int) -> None:
        """A preloader has ended. Workers that it has forked go on; what it had not loaded yet is a failed
        start.
        """
        pid, was_loaded = preloader.pid, preloader.is_loaded
        preloader.note_exit()
        if self._server.stopping is not None:
            return
        how = f"exit code {code}" if code >= 0 else signal_name(-code)
        what = f"the preloader (pid {pid}) did not come up: {how}"
        self._server.log.error("Preloader (pid:%s) ended: %s", pid, how)
        candidate = self._server.reloading.candidate
        if not was_loaded and candidate is not None and candidate.preloader is preloader:
            self._server.scoreboard.note(Event.FAILED_TO_BOOT)
            self._server.reloading.note_failure(candidate.number, what)
            return
        if not was_loaded:
            if not self.has_served and code >= 0:
                raise HaltServer("Application cannot be preloaded.", 1)
            self._count_boot_failure(self._server.current.number, what)
