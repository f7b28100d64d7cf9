"""`preload_app` without a fat master: a process of its own imports the application once and forks the workers
of one generation.

    arbiter --fork--> preloader --fork--> (intermediate) --fork--> worker

The intermediate process ends at once; its orphan, the worker, becomes a child of the arbiter, which is a
subreaper. So a worker's memory is shared with its siblings, its death is seen by the arbiter as any other,
and the arbiter itself never imports the application: a reload loads the code anew, and code that does not
load is a failed reload and no outage.

The two talk over a socket pair, one message each way for a worker: which slot and age, with its stacks'
descriptor; then its pid, or the negative number of an error. The preloader ends when the arbiter's end is
closed.
"""

from __future__ import annotations

import contextlib
import errno
import gc
import os
import select
import signal
import socket
import threading
import time
from collections.abc import Callable, Sequence
from types import FrameType
from typing import Any

from indrik.arbiter.offspring import FORK_BLOCKED, guarded, leave_master, leave_relatives, live
from indrik.arbiter.plan import INSPECT_GRACE
from indrik.arbiter.stacks import open_stacks, take_stacks
from indrik.arbiter.streams import flush_streams
from indrik.arbiter.subreaper import become_subreaper
from indrik.arbiter.titles import set_title
from indrik.net.listeners import adopt
from indrik.signals import STACKS_SIGNAL

#: Seconds that a fork may take once the application is loaded. The arbiter's loop stands still meanwhile.
FORK_TIMEOUT = 5.0

_LOADED = b"loaded"

# As they are now: a worker class may replace them in the process that preloads, for the application's sake.
_fork = os.fork
_waitpid = os.waitpid
_sleep = time.sleep


class PreloaderFailed(Exception):
    """The preloader did not answer, or is gone."""


class Preloader:
    """The arbiter's view of one preloader process. Master only; the process itself is in `_Process`."""

    def __init__(self, server: Any, generation: Any, boot_timeout: float) -> None:
        self._server = server
        self._generation = generation
        self._boot_timeout = boot_timeout
        self._sock: socket.socket
        self._stacks = -1
        self._asked_at = 0.0
        self._started_at = 0.0
        self._killed = False
        self.pid = 0
        self.is_loaded = False

    def start(self) -> None:
        """Fork the process; it begins to load the application. Raises OSError if there can be none now."""
        self._sock, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            self._stacks = open_stacks()
            self.pid = self._fork(theirs)
        except OSError:
            self._sock.close()
            if self._stacks >= 0:
                os.close(self._stacks)
                self._stacks = -1
            raise
        finally:
            theirs.close()
        self._started_at = time.monotonic()
        self._asked_at = 0.0
        self._killed = False
        self.is_loaded = False
        self._server.log.info("Preloading the application (pid: %s)", self.pid)

    def _fork(self, theirs: socket.socket) -> int:
        flush_streams()
        before = signal.pthread_sigmask(signal.SIG_BLOCK, FORK_BLOCKED)
        try:
            pid = os.fork()
            if pid == 0:
                self._sock.close()
                # The process owns it from here: what it closes of the master's must not include it.
                stacks, self._stacks = self._stacks, -1
                _Process(self._server, self._generation, theirs, stacks).live()
        finally:
            if os.getpid() == self._server.pid:
                signal.pthread_sigmask(signal.SIG_SETMASK, before)
        return pid

    def _is_readable(self, seconds: float) -> bool:
        """Whether it says something within this time. Not by select(2), whose numbers end at 1023."""
        poller = select.poll()
        poller.register(self._sock, select.POLLIN)
        return bool(poller.poll(seconds * 1000.0))

    def fileno(self) -> int:
        """Readable when the application is loaded, or the process has ended."""
        return self._sock.fileno()

    @property
    def is_loading(self) -> bool:
        """Whether its next word is awaited."""
        return bool(self.pid) and not self.is_loaded and not self._killed

    def check(self, now: float) -> float:
        """Note that the application is loaded, or end a process that takes too long; returns when to look
        again.
        """
        if not self.is_loading:
            return float("inf")
        if self._is_readable(0.0) and self._sock.recv(64) == _LOADED:
            self.is_loaded = True
            self._server.log.info(
                "Application preloaded (pid: %s) after %.2f s", self.pid, now - self._started_at
            )
            return now
        if not self._boot_timeout:
            return float("inf")
        due = self._started_at + self._boot_timeout
        if now < due:
            return due
        if not self._asked_at:
            self._asked_at = now
            os.kill(self.pid, STACKS_SIGNAL)
        if now >= self._asked_at + INSPECT_GRACE:
            self._server.log.critical(
                "PRELOAD TIMEOUT (pid:%s): not loaded after %.1f s", self.pid, now - self._started_at
            )
            self._server.log.error(
                "Stacks of preloader (pid:%s):\n%s", self.pid, take_stacks(self._stacks) or "none"
            )
            self._kill()
            return float("inf")
        return self._asked_at + INSPECT_GRACE

    @property
    def can_fork(self) -> bool:
        """Whether the application is loaded and the process fit to be asked for a worker."""
        return self.is_loaded and not self._killed

    def fork_worker(self, age: int, slot: int, stacks: int, listeners: Sequence[int]) -> int:
        """Have a worker forked that becomes the arbiter's child; returns its pid. Raises PreloaderFailed."""
        import json

        message = json.dumps({"age": age, "slot": slot, "listeners": len(listeners)}).encode()
        try:
            socket.send_fds(self._sock, [message], [stacks, *listeners])
            answer = self._sock.recv(64) if self._is_readable(FORK_TIMEOUT) else b""
        except OSError as error:
            self._kill()
            raise PreloaderFailed(f"the preloader (pid {self.pid}) cannot be reached: {error}") from error
        if not answer:
            # A late answer would be taken for that to the next question.
            self._kill()
            raise PreloaderFailed(
                f"the preloader (pid {self.pid}) did not start a worker within {FORK_TIMEOUT:g} s"
            )
        pid = int(answer)
        if pid < 0:
            raise PreloaderFailed(f"the preloader (pid {self.pid}) cannot fork: {os.strerror(-pid)}")
        return pid

    def _kill(self) -> None:
        self._killed = True
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)

    def reopen_logs(self) -> None:
        """See Preloaders."""
        if self.pid:
            os.kill(self.pid, signal.SIGUSR1)

    def note_exit(self) -> None:
        """It was reaped."""
        self.pid = 0
        self.is_loaded = False
        self._close()

    def stop(self) -> None:
        """End it; it has nothing to finish. It is reaped as any other child."""
        if self.pid:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)
        self.pid = 0
        self.is_loaded = False
        self._close()

    def close_copies(self) -> None:
        """In a process forked from the arbiter: let go of what belongs to the arbiter, so that its end is
        seen.
        """
        self._close()

    def _close(self) -> None:
        if self._stacks >= 0:
            os.close(self._stacks)
            self._stacks = -1
            self._sock.close()


class Preloaders:
    """The preloaders of all generations there are. Master only."""

    def __init__(self, server: Any) -> None:
        self._server = server

    def _all(self) -> list[Preloader]:
        found = [generation.preloader for generation in self._server.generations()]
        return [preloader for preloader in found if preloader is not None]

    def prepare(self, generation: Any) -> None:
        """Start one for `generation` if it wants one."""
        if not generation.cfg.preload_app:
            return
        if generation.cfg.reload:
            self._server.log.warning(
                "preload_app is left out: with reload, every worker loads the application itself"
            )
            return
        if not become_subreaper():
            self._server.log.warning(
                "preload_app needs Linux: here every worker loads the application itself"
            )
            return
        generation.preloader = Preloader(self._server, generation, generation.limits_boot())
        generation.preloader.start()

    def discard(self, generation: Any) -> None:
        """The generation needs it no more."""
        if generation.preloader is not None:
            generation.preloader.stop()
            generation.preloader = None

    def watch(self, now: float, spawn_at: float) -> float:
        """Look how they fare, start one anew that has died (not before `spawn_at`); returns when to look
        again.
        """
        wake_at = float("inf")
        for preloader in self._all():
            if not preloader.pid:
                if now < spawn_at:
                    wake_at = min(wake_at, spawn_at)
                    continue
                preloader.start()
            wake_at = min(wake_at, preloader.check(now))
        return wake_at

    def awaited(self) -> list[int]:
        """Descriptors that become readable when one has something to say."""
        return [preloader.fileno() for preloader in self._all() if preloader.is_loading]

    def find(self, pid: int) -> Preloader | None:
        """The one with this pid."""
        return next((preloader for preloader in self._all() if preloader.pid == pid), None)

    def reopen_logs(self) -> None:
        """Workers forked from now on must not inherit log files that were moved away."""
        for preloader in self._all():
            preloader.reopen_logs()

    def close_copies(self) -> None:
        """Child only: let go of the arbiter's ends."""
        for preloader in self._all():
            preloader.close_copies()


class _Process:
    """The preloader's own process."""

    def __init__(self, server: Any, generation: Any, sock: socket.socket, stacks: int) -> None:
        self._server = server
        self._generation = generation
        self._sock = sock
        self._stacks = stacks
        self._pid = os.getpid()

    def live(self) -> None:
        """Load, then fork a worker for every message. Ends the process, or in a worker raises SystemExit at
        its end.
        """
        generation = self._generation
        status = 255
        try:
            leave_master()
            # With reuse_port each worker gets the listeners of its seat with the order to fork it.
            kept = [] if generation.cfg.reuse_port else generation.listeners
            leave_relatives(self._server, generation, kept)
            self._install_signals()
            set_title(f"preloader [{generation.cfg.proc_name}]")
            status = guarded(
                self._load, generation.log, "Preloader", is_up=lambda: False, is_excused=lambda: False
            )
            if status == 0:
                gc.collect()
                # What is alive now stays for good: the collector must not write to pages that workers share.
                gc.freeze()
                self._sock.send(_LOADED)
                self._serve()
        except (BrokenPipeError, ConnectionError):
            status = 0
        finally:
            if os.getpid() == self._pid:
                flush_streams()
                # No atexit handler: those that the application registered are the workers' to run.
                os._exit(status)

    def _install_signals(self) -> None:
        import faulthandler

        faulthandler.register(STACKS_SIGNAL, self._stacks, all_threads=True)
        for number in FORK_BLOCKED:
            signal.signal(number, signal.SIG_DFL if number == signal.SIGCHLD else _ignore)
        # Stopped with the arbiter, never by itself: a signal to the whole group must not take the workers'
        # source away.
        signal.signal(signal.SIGUSR1, self._reopen)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, FORK_BLOCKED)

    def _reopen(self, number: int, frame: FrameType | None) -> None:
        self._generation.log.reopen_files()

    def _load(self) -> None:
        generation = self._generation
        generation.enter(self._server.app, self._server.environment)
        prepare = getattr(generation.cfg.worker_class, "prepare_process", None)
        if prepare is not None:
            prepare(generation.cfg, generation.log, self._server)
        self._server.app.wsgi()
        extra = threading.active_count() - 1
        if extra:
            self._generation.log.warning(
                "Loading the application has started %d thread(s), which workers forked from it do not have: "
                "start them in the hook post_fork",
                extra,
            )

    def _serve(self) -> None:
        while True:
            message, fds, _, _ = socket.recv_fds(self._sock, 4096, 64)
            if not message:
                return
            import json

            order = json.loads(message)
            flush_streams()
            before = signal.pthread_sigmask(signal.SIG_BLOCK, FORK_BLOCKED)
            try:
                intermediate = _fork()
            except OSError as error:
                self._refuse(error)
            else:
                if intermediate == 0:
                    self._fork_worker(order, fds)
                _waitpid(intermediate, 0)
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
            for fd in fds:
                os.close(fd)

    def _refuse(self, error: OSError) -> None:
        """Tell the arbiter, in place of a pid, why there is no worker."""
        self._sock.send(str(-(error.errno or errno.EAGAIN)).encode())

    def _fork_worker(self, order: dict[str, int], fds: list[int]) -> None:
        """In the intermediate process, and then in the worker."""
        try:
            pid = _fork()
        except OSError as error:
            self._refuse(error)
            # Not by an exception: above this lies the master's own code.
            os._exit(1)
        if pid:
            self._sock.send(str(pid).encode())
            os._exit(0)
        server, generation = self._server, self._generation
        _wait_for(lambda: os.getppid() == server.pid)
        leave_master()
        live(server, lambda: self._make_worker(order, fds), generation.cfg, generation.log)

    def _make_worker(self, order: dict[str, int], fds: list[int]) -> Any:
        server, generation = self._server, self._generation
        self._sock.close()
        os.close(self._stacks)
        listeners = generation.listeners
        if order["listeners"]:
            listeners = [adopt(fd) for fd in fds[1:]]
        slot = server.scoreboard.slots[order["slot"]]
        if slot.age != order["age"]:
            # The arbiter has stopped waiting for this worker and given its slot back.
            os._exit(1)
        cfg = generation.cfg
        log = generation.log
        worker = cfg.worker_class(
            order["age"], server.pid, listeners, server.app, cfg.timeout / 2.0, cfg, log
        )
        server.staff.roster.equip(worker, slot)
        worker.quotas = generation.quotas
        worker.arbiter_fd = server.wakeup_fd
        worker.stacks_fd = fds[0]
        server.LISTENERS = listeners
        return worker


def _ignore(number: int, frame: FrameType | None) -> None:
    pass


def _wait_for(condition: Callable[[], bool]) -> None:
    """The moment until the kernel has given the orphan its new parent. Ends the process if that does not
    come: the arbiter is gone.
    """
    give_up_at = time.monotonic() + FORK_TIMEOUT
    while not condition():
        if time.monotonic() > give_up_at:
            os._exit(1)
        _sleep(0.0005)
