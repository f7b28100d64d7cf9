"""The master process: its life, its loop and its signals.

The loop takes signals and time; `staff` looks after the workers, `reload` after a change of configuration and
code, `handover` after the change to another master.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from typing import Any, NoReturn

from indrik import __version__
from indrik.arbiter import handover, hooks, spew
from indrik.arbiter.daemon import Daemon
from indrik.arbiter.generation import Environment, Generation
from indrik.arbiter.offspring import APP_LOAD_ERROR, WORKER_BOOT_ERROR, status_of
from indrik.arbiter.pidfile import Pidfile
from indrik.arbiter.reload import Reload
from indrik.arbiter.seating import Seating
from indrik.arbiter.staff import Staff
from indrik.arbiter.streams import fill_streams
from indrik.arbiter.systemd import Supervisor
from indrik.arbiter.titles import set_title
from indrik.arbiter.wakeup import Wakeup
from indrik.config.resolved import MOST_WORKERS
from indrik.errors import HaltServer, IndrikError
from indrik.net.listeners import Listener
from indrik.scoreboard.board import Scoreboard
from indrik.signals import KEPT_SIGNALS, MASTER_SIGNALS, STOP_SIGNALS

#: Seconds between two looks at whether the old master (USR2) still lives: only a poll tells.
PARENT_INTERVAL = 1.0

#: The loop was this many seconds later than it wanted: everything stood still, workers' silence included.
STOOD_STILL = 2.0


class Arbiter:
    """The master of a group of workers. `run` never returns: it ends in SystemExit.

    Hooks get it as `server`. Attributes for them: `cfg`, `log`, `app`, `pid`, `master_pid`, `master_name`,
    `num_workers`, `WORKERS` (pid -> Worker), `LISTENERS`, `worker_age`, `scoreboard`, and as in Gunicorn
    `address`, `timeout`, `worker_class` and `proc_name`.
    """

    WORKER_BOOT_ERROR = WORKER_BOOT_ERROR
    APP_LOAD_ERROR = APP_LOAD_ERROR

    def __init__(self, app: Any) -> None:
        fill_streams()
        os.environ["SERVER_SOFTWARE"] = f"indrik/{__version__}"
        self.app = app
        self.cfg = app.cfg
        self.log = self.cfg.logger_class(self.cfg)
        self.pid: int | None = None
        #: The master that started this one by USR2, 0 if there is none (any more).
        self.master_pid = 0
        #: The master that this one has started, 0 if there is none.
        self.reexec_pid = 0
        self.master_name = "Master"
        self.proc_name: str = self.cfg.proc_name
        self.pidfile: Pidfile | None = None
        self.LISTENERS: list[Listener] = []
        #: The listeners come from a supervisor, so `bind` says nothing.
        self.is_activated = False
        self.seating = Seating()
        self.worker_age = 0
        self.environment = Environment()
        self.current: Generation
        self.start_directory = getattr(app, "start_directory", None) or os.getcwd()
        self.staff = Staff(self)
        self.WORKERS = self.staff.roster.workers
        self._wakeup = Wakeup()
        self.reloading = Reload(self)
        self.supervisor = Supervisor(self.log)
        self._handover = handover.Handover(self)
        self.stopping: str | None = None
        #: What a hook has asked for during the stop.
        self._exit_status: int | None = None
        #: When the stop begins that TERM has asked for (`stop_delay`).
        self._stop_at = float("inf")
        self._wanted_wake_at = float("inf")
        self._pardoned_at = float("-inf")
        #: What TTIN and TTOU have changed: it survives a reload.
        self._adjustment = 0
        self._num_workers: int | None = None
        self.num_workers = self.cfg.workers
        self.environment.apply(self.cfg.env)

    @property
    def num_workers(self) -> int:
        """How many workers are wanted."""
        return self._num_workers or 0

    @num_workers.setter
    def num_workers(self, value: int) -> None:
        old, self._num_workers = self._num_workers, value
        self.call_hook("nworkers_changed", self, value, old)

    @property
    def address(self) -> list[Any]:
        """The addresses to listen on, as `Config.address` has them."""
        return list(self.cfg.address)

    @property
    def timeout(self) -> float:
        """Seconds without a sign of life after which a worker is replaced, 0 for any time."""
        return float(self.cfg.timeout)

    @property
    def worker_class(self) -> Any:
        """The class of the workers."""
        return self.cfg.worker_class

    @property
    def scoreboard(self) -> Scoreboard:
        """The shared mapping in which every worker has its slot."""
        return self.staff.roster.scoreboard

    @property
    def wakeup_fd(self) -> int:
        """Write a byte to it, and the loop looks at the scoreboard."""
        return self._wakeup.write_fd

    def wakeup(self) -> None:
        """Make the loop go round now."""
        self._wakeup.wake()

    def report_serving(self, remark: str = "") -> None:
        """Tell the supervisor that all is well (again)."""
        self.supervisor.ready(f"serving, generation {self.current.number}{remark}")

    def call_hook(self, name: str, *arguments: Any) -> bool:
        """Call a hook whose failure must not change what the arbiter is doing; it is logged with its name. An
        exit that it asks for begins the stop; during the stop it only changes the status.
        """
        try:
            hooks.call(self, self.cfg, name, *arguments)
        except HaltServer as halt:
            if self.stopping is None:
                raise
            self.log.error("During the stop, %s", halt.reason)
            self._exit_status = halt.exit_status
            return False
        except BaseException as error:
            # Nothing breaks off a stop, but what a hook has forked may end.
            stops = self.stopping is not None and os.getpid() == self.pid
            if not stops and not isinstance(error, Exception):
                raise
            self.log.exception("Hook %s failed", name)
            return False
        return True

    # --- start

    def start(self) -> None:
        """Everything before the first fork. Raises IndrikError, or what a hook raises."""
        self.log.info("Starting indrik %s", __version__)
        self.pid = os.getpid()
        # The rest follows after on_starting, which TERM ends at once.
        self._wakeup.install(KEPT_SIGNALS)
        self.master_pid = handover.predecessor()
        if self.master_pid:
            self.proc_name += ".2"
            self.master_name = "Master.2"
        else:
            os.environ.pop(handover.PID_VARIABLE, None)
        self._create_pidfile()
        hooks.call(self, self.cfg, "on_starting", self)
        self.init_signals()
        if not self.LISTENERS:
            self.LISTENERS, self.is_activated = handover.open_listeners(
                self.cfg, self.log, self.seating, self._pause_start
            )
        self.log.debug("Arbiter booted")
        self.log.info("Listening at: %s (%s)", ",".join(map(str, self.LISTENERS)), self.pid)
        self.log.info("Using worker: %s", self.cfg.worker_class_str)
        check_config = getattr(self.cfg.worker_class, "check_config", None)
        if check_config is not None:
            check_config(self.cfg, self.log)
        self.current = Generation(1, self.cfg, self.log, self.LISTENERS)
        hooks.call(self, self.cfg, "when_ready", self)

    def init_signals(self) -> None:
        """Queue the signals that the table gives the master."""
        self._wakeup.install(MASTER_SIGNALS)

    def name_pidfile(self) -> str | None:
        """Where the pid file belongs now; None: nowhere."""
        name: str | None = self.cfg.pidfile
        return f"{name}.2" if name is not None and self.master_pid else name

    def _pause_start(self, seconds: float) -> None:
        """Wait for an address to become free. Raises HaltServer when the server is stopped meanwhile."""
        give_up_at = time.monotonic() + seconds
        for_later: list[int] = []
        while (left := give_up_at - time.monotonic()) > 0:
            self._wakeup.sleep(left)
            for number in self._wakeup.take():
                if number in STOP_SIGNALS:
                    raise HaltServer("stopped while it was waiting for its address", 0)
                for_later.append(number)
        self._wakeup.put_back(for_later)

    def _create_pidfile(self) -> None:
        name = self.name_pidfile()
        if name is not None:
            pidfile = Pidfile(name)
            pidfile.create(os.getpid())
            self.pidfile = pidfile

    # --- the loop

    def run(self) -> NoReturn:
        """The master's life."""
        daemon = None
        if self.cfg.spew:
            spew.install()
        if self.cfg.daemon and not handover.predecessor():
            daemon = Daemon(self.cfg.enable_stdio_inheritance)
            daemon.leave()
        try:
            self.start()
            if daemon is not None:
                daemon.detach()
            # Last, because it forks: the children must have nothing of the terminal.
            self.prepare(self.current)
        except HaltServer as halt:
            tell = self.log.error if halt.exit_status else self.log.info
            tell("Shutting down: %s", halt.reason)
            self._close_up()
            sys.exit(halt.exit_status)
        except IndrikError as error:
            self.log.error("Cannot start: %s", error)
            self._close_up()
            sys.exit(1)
        except Exception:
            self.log.exception("Cannot start")
            self._close_up()
            sys.exit(1)
        except BaseException:
            # INT, which is a KeyboardInterrupt until it has its handler.
            self._close_up()
            raise
        set_title(f"master [{self.proc_name}]")
        try:
            while True:
                self.maybe_promote_master()
                for number in self._wakeup.take():
                    self._dispatch(number)
                self.reap_workers()
                if time.monotonic() >= self._stop_at:
                    raise StopIteration
                pause = self.manage_workers()
                self._wakeup.sleep(pause, *self.staff.preloaders.awaited())
        except (StopIteration, KeyboardInterrupt):
            self.halt()
        except HaltServer as halt:
            self.halt(reason=halt.reason, exit_status=halt.exit_status)
        except SystemExit as stop:
            # The end of a worker passes here, and that of what a hook has forked: it is nobody else's.
            if os.getpid() != self.pid:
                raise
            self.log.exception("exit(%s) was called in the master", stop.code)
            self.halt(exit_status=status_of(stop))
        except BaseException:
            if os.getpid() != self.pid:
                raise
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

    def manage_workers(self) -> float:
        """Look, decide, act. Returns the seconds until the next look is due."""
        now = time.monotonic()
        if now > self._wanted_wake_at + STOOD_STILL:
            late = now - self._wanted_wake_at
            self.log.warning(
                "The master could not look after its workers for %.1f s (a slow hook or configuration, or "
                "the whole machine stood still); they get their time anew",
                late,
            )
            self._pardoned_at = now
        wake_at = min(self.staff.manage(now, self._pardoned_at), self.supervisor.ping(now), self._stop_at)
        if self.master_pid:
            wake_at = min(wake_at, now + PARENT_INTERVAL)
        self._wanted_wake_at = wake_at
        return wake_at - time.monotonic()

    def murder_workers(self) -> None:
        """Abort the silent, kill the overdue: `manage_workers` does it with the rest."""
        self.manage_workers()

    def spawn_workers(self) -> None:
        """Start the workers that are missing: `manage_workers` does it with the rest."""
        self.manage_workers()

    def spawn_worker(self) -> int:
        """Fork one worker of the generation in force; returns its pid."""
        return self.staff.spawn(self.current, 0).pid

    def kill_workers(self, sig: int) -> None:
        """Send `sig` to every worker."""
        self.staff.send_all(sig)

    def kill_worker(self, pid: int, sig: int) -> None:
        """Send `sig` to one worker."""
        self.staff.send(pid, sig)

    def reap_workers(self) -> None:
        """Take leave of the children that have died."""
        for pid, code in self.staff.reap():
            if pid == self.reexec_pid:
                self._handover.note_successor_gone(code)

    # --- generations (called by Reload)

    def generations(self) -> list[Generation]:
        """The one in force, and the one on trial if there is one."""
        both = (getattr(self, "current", None), self.reloading.candidate)
        return [generation for generation in both if generation is not None]

    def all_listeners(self) -> list[Listener]:
        """Those of every generation there is."""
        bases = dict.fromkeys(self.LISTENERS)
        for generation in self.generations():
            bases.update(dict.fromkeys(generation.listeners))
        return [listener for base in bases for listener in self.seating.family(base)]

    def prepare(self, generation: Generation) -> None:
        """Make and start what a generation needs before its first worker is forked."""
        try:
            self.staff.roster.open_mailboxes(generation.cfg.workers, generation.cfg.reload)
        except OSError as error:
            self.log.warning("No mailboxes for workers, which share no load therefore: %s", error)
        generation.quotas = self.staff.roster.quotas.of(generation.cfg.routes)
        self.staff.preloaders.prepare(generation)

    def discard(self, generation: Generation) -> None:
        """A generation is gone for good."""
        self.staff.preloaders.discard(generation)

    def adopt(self, generation: Generation) -> None:
        """Make a generation's configuration the one in force."""
        self.cfg = generation.cfg
        self.log = generation.log
        self.LISTENERS = generation.listeners
        name = self.cfg.proc_name + (".2" if self.master_pid else "")
        if name != self.proc_name:
            self.proc_name = name
            set_title(f"master [{name}]")
        if self.name_pidfile() != (self.pidfile.path if self.pidfile else None):
            self._remove_pidfile()
            try:
                self._create_pidfile()
            except IndrikError as error:
                self.log.error("%s", error)
        workers = self.cfg.workers
        self.num_workers = max(min(1, workers), workers + self._adjustment)
        self.staff.failures.forget()

    # --- signals

    def handle_chld(self) -> None:
        """A child died: the loop reaps after every wake-up."""

    def handle_hup(self) -> None:
        """Reload."""
        self.supervisor.reloading()
        self.reloading.begin()

    def handle_term(self) -> None:
        """Graceful stop, after `stop_delay`."""
        delay = self.cfg.stop_delay
        another_serves = self.reexec_pid or self.master_pid
        if not delay or not self.staff.has_served or another_serves or self._stop_at != float("inf"):
            raise StopIteration
        self._stop_at = time.monotonic() + delay
        self.log.info("Serving for another %g s before the stop; a second TERM ends the wait", delay)

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
        if self.num_workers >= MOST_WORKERS:
            self.log.warning("TTIN ignored: there are %d workers, as many as there can be", MOST_WORKERS)
            return
        self._adjustment += 1
        self.num_workers += 1

    def handle_ttou(self) -> None:
        """One worker less."""
        if self.num_workers > 1:
            self._adjustment -= 1
            self.num_workers -= 1

    def handle_usr1(self) -> None:
        """Reopen the logs, everywhere."""
        self.log.reopen_files()
        self.kill_workers(signal.SIGUSR1)
        self.staff.preloaders.reopen_logs()

    def handle_usr2(self) -> None:
        """Start a new master from the program on disk."""
        self.reexec()

    def handle_winch(self) -> None:
        """In a daemon: all workers leave, the master stays."""
        if self.cfg.daemon:
            self.log.info("Stopping all workers gracefully")
            self.num_workers = 0
        else:
            self.log.debug("SIGWINCH ignored. Not daemonized")

    def reexec(self) -> None:
        """Start a new master that inherits the listeners."""
        self._handover.start_successor()

    def maybe_promote_master(self) -> None:
        """Become the only master once the one that started this one is gone."""
        self._handover.maybe_promote()

    # --- the end

    def halt(self, reason: str | None = None, exit_status: int = 0) -> NoReturn:
        """Stop everything and end with `exit_status`."""
        self.stop()
        if reason is None:
            self.log.info("Shutting down: %s", self.master_name)
        else:
            self.log.error("Shutting down: %s: %s", self.master_name, reason)
        self._close_up()
        self.call_hook("on_exit", self)
        sys.exit(exit_status if self._exit_status is None else self._exit_status)

    def stop(self, graceful: bool = True) -> None:
        """Tell all workers to leave and wait until they are gone; those that stay too long are killed.

        The workers are told first and the listeners closed here afterwards: as long as a worker holds a
        listener too, what the kernel has queued on it is served. INT or QUIT meanwhile turns a graceful stop
        into a quick one.
        """
        if self.reexec_pid:
            self.supervisor.main_pid(self.reexec_pid)
        else:
            self.supervisor.stopping()
        self._begin_stop(graceful)
        for generation in self.generations():
            self.discard(generation)
        self._close_listeners()
        while len(self.staff.roster):
            for number in self._wakeup.take():
                if number in (signal.SIGINT, signal.SIGQUIT) and self.stopping != "quick":
                    self._begin_stop(graceful=False)
                elif number == signal.SIGUSR1:
                    self.handle_usr1()
            self.reap_workers()
            if len(self.staff.roster):
                self._wakeup.sleep(self.manage_workers())

    def _begin_stop(self, graceful: bool) -> None:
        self.stopping = "graceful" if graceful else "quick"
        self.kill_workers(signal.SIGTERM if graceful else signal.SIGQUIT)

    def _close_listeners(self) -> None:
        # While another master serves the same unix sockets, their files are not this one's to remove.
        alone = not self.reexec_pid and not self.master_pid
        for listener in self.all_listeners():
            listener.close(unlink=alone)
        self.LISTENERS = []

    def _close_up(self) -> None:
        if os.getpid() != self.pid:
            # A process that a hook has forked, or that preloads: none of it belongs to it.
            return
        self._close_listeners()
        self._remove_pidfile()

    def _remove_pidfile(self) -> None:
        pidfile, self.pidfile = self.pidfile, None
        if pidfile is not None:
            try:
                pidfile.unlink()
            except IndrikError as error:
                # One that is left behind is stale, which the next start sees; no reason to stop half-way.
                self.log.error("%s", error)
