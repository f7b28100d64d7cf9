"""The master process: its life, its loop and its signals. What to do is decided in `plan`, what a worker does first in `offspring`."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from typing import Any, NoReturn

from indrik import __version__
from indrik.arbiter import plan
from indrik.arbiter.offspring import APP_LOAD_ERROR, FORK_BLOCKED, WORKER_BOOT_ERROR, leave_master, live
from indrik.arbiter.pidfile import Pidfile
from indrik.arbiter.roster import Member, Roster
from indrik.arbiter.titles import set_title
from indrik.arbiter.wakeup import Wakeup
from indrik.errors import HaltServer, IndrikError
from indrik.net.listeners import Listener, create_sockets
from indrik.signals import MASTER_SIGNALS

#: Workers, those being replaced and those on trial included. A slot that is never used costs no memory.
MOST_WORKERS = 4096


class Arbiter:
    """The master of a group of workers. `run` never returns: it ends in SystemExit."""

    WORKER_BOOT_ERROR = WORKER_BOOT_ERROR
    APP_LOAD_ERROR = APP_LOAD_ERROR

    def __init__(self, app: Any) -> None:
        os.environ["SERVER_SOFTWARE"] = f"indrik/{__version__}"
        self.app = app
        self.cfg = app.cfg
        self.log = self.cfg.logger_class(self.cfg)
        self.pid: int | None = None
        self.master_name = "Master"
        self.proc_name: str = self.cfg.proc_name
        self.pidfile: Pidfile | None = None
        self.LISTENERS: list[Listener] = []
        self.worker_age = 0
        self.generation = 1
        self._roster = Roster(MOST_WORKERS)
        self.WORKERS = self._roster.workers
        self._wakeup = Wakeup()
        self._stopping: str | None = None
        #: Some worker has been ready: from then on no failing worker stops the server.
        self._has_served = False
        self._boot_failures = 0
        self._crashes = 0
        self._spawn_at = 0.0
        self._logged_workers: int | None = None
        self._num_workers: int | None = None
        self.num_workers = self.cfg.workers

    @property
    def num_workers(self) -> int:
        """How many workers are wanted."""
        return self._num_workers or 0

    @num_workers.setter
    def num_workers(self, value: int) -> None:
        old, self._num_workers = self._num_workers, value
        self._call_hook("nworkers_changed", self, value, old)

    @property
    def scoreboard(self) -> Any:
        """The shared mapping in which every worker has its slot."""
        return self._roster.scoreboard

    def _call_hook(self, name: str, *arguments: Any) -> bool:
        """Call a hook whose failure must not change what the arbiter is doing; it is logged with its name."""
        try:
            getattr(self.cfg, name)(*arguments)
        except Exception:
            self.log.exception("Hook %s failed", name)
            return False
        return True

    def start(self) -> None:
        """Everything before the first fork. Raises IndrikError, or what the hooks raise."""
        self.log.info("Starting indrik %s", __version__)
        self.pid = os.getpid()
        if self.cfg.pidfile is not None:
            pidfile = Pidfile(self.cfg.pidfile)
            pidfile.create(self.pid)
            self.pidfile = pidfile
        self.cfg.on_starting(self)
        self.init_signals()
        if not self.LISTENERS:
            self.LISTENERS = create_sockets(self.cfg, self.log)
        self.log.debug("Arbiter booted")
        self.log.info("Listening at: %s (%s)", ",".join(map(str, self.LISTENERS)), self.pid)
        self.log.info("Using worker: %s", self.cfg.worker_class_str)
        check_config = getattr(self.cfg.worker_class, "check_config", None)
        if check_config is not None:
            check_config(self.cfg, self.log)
        self.cfg.when_ready(self)

    def init_signals(self) -> None:
        """Queue the signals that the table gives the master."""
        self._wakeup.install(MASTER_SIGNALS)

    def run(self) -> NoReturn:
        """The master's life."""
        try:
            self.start()
        except IndrikError as error:
            self.log.error("Cannot start: %s", error)
            self._close_up()
            sys.exit(1)
        except Exception:
            self.log.exception("Cannot start")
            self._close_up()
            sys.exit(1)
        set_title(f"master [{self.proc_name}]")
        try:
            while True:
                self.maybe_promote_master()
                for number in self._wakeup.take():
                    self._dispatch(number)
                self.reap_workers()
                self._wakeup.sleep(self.manage_workers())
        except (StopIteration, KeyboardInterrupt):
            self.halt()
        except HaltServer as halt:
            self.halt(reason=halt.reason, exit_status=halt.exit_status)
        except SystemExit:
            raise
        except Exception:
            self.log.exception("Unhandled exception in the main loop")
            with contextlib.suppress(Exception):
                self.stop(graceful=False)
            self._close_up()
            sys.exit(-1)

    def _dispatch(self, number: int) -> None:
        name = signal.Signals(number).name[3:].lower()
        handler = getattr(self, f"handle_{name}", None)
        if handler is None:
            self.log.error("Unhandled signal: %s", name)
            return
        if name != "chld":
            self.log.info("Handling signal: %s", name)
        handler()

    def wakeup(self) -> None:
        """Make the loop go round now."""
        self._wakeup.wake()

    def maybe_promote_master(self) -> None:
        """Become the only master once the one that started this one is gone."""

    def halt(self, reason: str | None = None, exit_status: int = 0) -> NoReturn:
        """Stop everything and end with `exit_status`."""
        self.stop()
        if reason is None:
            self.log.info("Shutting down: %s", self.master_name)
        else:
            self.log.error("Shutting down: %s: %s", self.master_name, reason)
        self._close_up()
        self._call_hook("on_exit", self)
        sys.exit(exit_status)

    def _close_up(self) -> None:
        for listener in self.LISTENERS:
            listener.close(unlink=True)
        self.LISTENERS = []
        if self.pidfile is not None:
            self.pidfile.unlink()
            self.pidfile = None

    def stop(self, graceful: bool = True) -> None:
        """Tell all workers to leave and wait until they are gone; those that stay too long are killed.

        The workers are told first and the listeners closed here afterwards: as long as a worker holds a listener too, what
        the kernel has queued on it is served. INT or QUIT meanwhile turns a graceful stop into a quick one.
        """
        self._begin_stop(graceful)
        for listener in self.LISTENERS:
            listener.close(unlink=True)
        self.LISTENERS = []
        while len(self._roster):
            for number in self._wakeup.take():
                if number in (signal.SIGINT, signal.SIGQUIT) and self._stopping != "quick":
                    self._begin_stop(graceful=False)
                elif number == signal.SIGUSR1:
                    self.handle_usr1()
            self.reap_workers()
            if len(self._roster):
                self._wakeup.sleep(self.manage_workers())

    def _begin_stop(self, graceful: bool) -> None:
        self._stopping = "graceful" if graceful else "quick"
        self.kill_workers(signal.SIGTERM if graceful else signal.SIGQUIT)

    def kill_workers(self, sig: int) -> None:
        """Send `sig` to every worker."""
        for member in self._roster:
            self.kill_worker(member.pid, sig)

    def kill_worker(self, pid: int, sig: int) -> None:
        """Send `sig` to one worker and remember what that means for it."""
        now = time.monotonic()
        if pid in self._roster:
            member = self._roster[pid]
            if sig in (signal.SIGTERM, signal.SIGQUIT, signal.SIGINT):
                quick = sig != signal.SIGTERM
                if member.leaving_at is None or (quick and not member.quick):
                    member.leaving_at = now
                member.quick = member.quick or quick
            elif sig == signal.SIGABRT:
                member.aborted_at = now
            elif sig == signal.SIGKILL:
                member.killed_at = now
        # A worker that has just died is reaped when the loop comes round; until then its pid cannot be another's.
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, sig)

    def handle_chld(self) -> None:
        """A child died: the loop reaps after every wake-up."""

    def handle_term(self) -> None:
        """Graceful stop."""
        raise StopIteration

    def handle_int(self) -> None:
        """Quick stop."""
        self.stop(graceful=False)
        raise StopIteration

    def handle_quit(self) -> None:
        """Quick stop."""
        self.stop(graceful=False)
        raise StopIteration

    def handle_ttin(self) -> None:
        """One worker more."""
        self.num_workers += 1

    def handle_ttou(self) -> None:
        """One worker less."""
        if self.num_workers > 1:
            self.num_workers -= 1

    def handle_usr1(self) -> None:
        """Reopen the logs, everywhere."""
        self.log.reopen_files()
        self.kill_workers(signal.SIGUSR1)

    def manage_workers(self) -> float:
        """Do what the plan says. Returns the seconds until the next look is due."""
        self._note_ready()
        now = time.monotonic()
        cfg = self.cfg
        goal = plan.Goal(
            workers=self.num_workers,
            generation=self.generation,
            spawn_at=self._spawn_at,
            cautious=self._boot_failures > 0,
            stopping=self._stopping is not None,
        )
        limits = plan.Limits(cfg.timeout, max(cfg.timeout, 60.0) if cfg.timeout else 0.0, cfg.graceful_timeout)
        result = plan.plan(now, self._roster.seen(), goal, limits)
        for action in result.actions:
            self._act(action)
        if not self._stopping and len(self._roster) != self._logged_workers:
            self._logged_workers = len(self._roster)
            self.log.debug("%s workers", self._logged_workers,
                           extra={"metric": "indrik.workers", "value": self._logged_workers, "mtype": "gauge"})  # fmt: skip
        return 0.0 if result.actions else result.wake_at - time.monotonic()

    def _note_ready(self) -> None:
        for member in self._roster:
            if not member.ready and member.slot.ready_at:
                member.ready = True
                self._has_served = True
                self._boot_failures = 0
                self._spawn_at = 0.0
                self.log.debug("Worker is ready (pid: %s) after %.2f s", member.pid, member.slot.ready_at - member.spawned_at)

    def _act(self, action: plan.Action) -> None:
        if isinstance(action, plan.Spawn):
            self.spawn_worker(action.seat)
        elif isinstance(action, plan.Retire):
            self.kill_worker(action.pid, signal.SIGTERM)
        elif isinstance(action, plan.Abort):
            what = "has not become ready" if action.booting else "gave no sign of life"
            self.log.critical("WORKER TIMEOUT (pid:%s): %s for %.1f s", action.pid, what, action.seconds)
            self.kill_worker(action.pid, signal.SIGABRT)
        elif isinstance(action, plan.Kill):
            self.log.error("Worker (pid:%s) did not end in time: KILL", action.pid)
            self.kill_worker(action.pid, signal.SIGKILL)

    def spawn_workers(self) -> None:
        """Start the workers that are missing."""
        self.manage_workers()

    def spawn_worker(self, seat: int = 0) -> int:
        """Fork one worker; returns its pid. In the worker this never returns: it ends in SystemExit."""
        self.worker_age += 1
        now = time.monotonic()
        slot = self._roster.scoreboard.take(self.generation, self.worker_age, now)
        worker = self.cfg.worker_class(
            self.worker_age, self.pid, self.LISTENERS, self.app, self.cfg.timeout / 2.0, self.cfg, self.log
        )
        worker.slot = slot
        worker.arbiter_fd = self._wakeup.write_fd
        self.cfg.pre_fork(self, worker)
        before = signal.pthread_sigmask(signal.SIG_BLOCK, FORK_BLOCKED)
        pid = os.fork()
        if pid == 0:
            leave_master()
            os.environ["INDRIK_WORKER_ID"] = str(slot.number)
            live(self, worker, self.cfg, self.log)
        worker.pid = pid
        self._roster.add(Member(pid, worker, slot, self.generation, seat, now))
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        return pid

    def reap_workers(self) -> None:
        """Take leave of the workers that have died."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if pid in self._roster:
                self._bury(self._roster[pid], status)

    def _bury(self, member: Member, status: int) -> None:
        code = os.waitstatus_to_exitcode(status)
        self._note_ready()
        self._roster.remove(member)
        told = member.was_told or member.aborted_at is not None or self._stopping is not None
        if code < 0 and not told:
            self.log.error("Worker (pid:%s) was sent %s!", member.pid, signal.Signals(-code).name)
        elif code and not told:
            self.log.error("Worker (pid:%s) exited with code %s", member.pid, code)
        self._count_failure(member, code)
        halting = code in (WORKER_BOOT_ERROR, APP_LOAD_ERROR) and not self._has_served and self._stopping is None
        self._call_hook("child_exit", self, member.worker)
        if halting:
            raise HaltServer("Worker failed to boot." if code == WORKER_BOOT_ERROR else "App failed to load.", code)

    def _count_failure(self, member: Member, code: int) -> None:
        if member.was_told or self._stopping is not None:
            return
        now = time.monotonic()
        if not member.ready:
            self._boot_failures += 1
        elif now - member.slot.ready_at >= plan.STABLE_AFTER or code == 0:
            self._crashes = 0
        else:
            self._crashes += 1
        self._spawn_at = now + max(plan.back_off(self._boot_failures), plan.back_off(self._crashes - 1, cap=2.0))
