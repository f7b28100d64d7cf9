"""The worker's side of the contract with the arbiter: life, signals, heartbeat. What serves requests is in
the subclasses.

A Worker is made in the master (`__init__` touches nothing of the process), then the fork happens, and from
`init_process` on it is alone in its process. What a subclass's `run` needs to know:

- `alive`: serve while it is true. TERM makes it false.
- `wakeup_fd`: readable whenever a signal has arrived; read it empty and look at `alive`.
- `notify()`: at least every `timeout` seconds (half of the setting), or the arbiter takes the worker for
  dead.
- `must_drain_backlog`: after `alive` is false, whether connections in the kernel's queue must still be
  accepted.
- `drain_timeout`: seconds for finishing after that. Then `run` returns and the process ends.
- `count_request()` after each request; `request_replacement()` when the worker should be renewed, while it
  goes on serving.
"""

from __future__ import annotations

import contextlib
import faulthandler
import os
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from types import FrameType
from typing import Any, ClassVar

from indrik.errors import ConfigError
from indrik.log.tracebacks import from_application
from indrik.net.listeners import Listener
from indrik.net.mailbox import Mailbox
from indrik.quotas import Quota
from indrik.scoreboard.layout import Order, Recycle, State
from indrik.scoreboard.neighbour import Neighbour
from indrik.scoreboard.slot import Slot
from indrik.signals import SIGNALS as SIGNAL_ROWS
from indrik.signals import STACKS_SIGNAL, WORKER_SIGNALS
from indrik.workers.interface import ASGI, fitting_class
from indrik.workers.privileges import drop_privileges

_BODY_500 = b"The application could not be loaded; the error log says why.\n"
_HEADERS_500 = [(b"Content-Type", b"text/plain"), (b"Content-Length", str(len(_BODY_500)).encode())]

_LEAVE_REQUESTS_ALONE = ("handle_exit", "handle_usr1", "handle_winch", "handle_ignored")


class Worker:
    """Base of every worker kind. `SIGNALS` are those that `init_signals` sets."""

    SIGNALS: ClassVar[tuple[signal.Signals, ...]] = WORKER_SIGNALS

    #: True in a kind that calls `report_ready` itself, later than the base class would (an event loop's
    #: start-up, say).
    reports_ready_itself: ClassVar[bool] = False

    #: The interface of the applications that the kind serves, as `workers.interface` names it; "" where that
    #: is the kind's own business.
    interface: ClassVar[str] = ""

    #: Whether the kind does what `routes` says; one that does not refuses the setting.
    limits_routes: ClassVar[bool] = False

    def __init__(
        self, age: int, ppid: int, sockets: Sequence[Listener], app: Any, timeout: float, cfg: Any, log: Any
    ) -> None:
        self.age = age
        self.pid: int | str = "[booting]"
        self.ppid = ppid
        self.sockets = list(sockets)
        self.app = app
        self.timeout = timeout
        self.cfg = cfg
        self.log = log
        self.booted = False
        self.aborted = False
        self.alive = True
        self.reloader: Any = None
        self.wsgi: Any = None
        #: `wsgi` stands in for an application that cannot be loaded.
        self.is_stand_in = False
        self.nr = 0
        self.max_requests = sys.maxsize
        if cfg.max_requests > 0:
            self.max_requests = cfg.max_requests + _up_to(cfg.max_requests_jitter)
        #: Set by the arbiter before the fork; None for a worker without an arbiter.
        self.slot: Slot | None = None
        #: The first slots as this worker may see them, and their mailboxes, its own included; none without an
        #: arbiter.
        self.neighbours: Sequence[Neighbour] = ()
        self.mailboxes: Sequence[Mailbox] = ()
        #: What it shares with its siblings for the limits of routes; None without an arbiter.
        self.quotas: Mapping[str, Quota] | None = None
        #: Whether a file that has changed while the application was loaded is a change (`reload`). Not when
        #: it happens each time: an application may write some of its own files.
        self.minds_changes_while_loading = True
        #: Write end of the arbiter's wake-up pipe, -1 without an arbiter.
        self.arbiter_fd = -1
        #: Where a dying worker's stacks go; the arbiter reads them. -1 without an arbiter.
        self.stacks_fd = -1
        self.wakeup_fd = -1
        self.PIPE: list[int] = []

    def __str__(self) -> str:
        return f"<Worker {self.pid}>"

    @classmethod
    def check_config(cls, cfg: Any, log: Any) -> None:
        """Master only, before the first fork. Raise ConfigError if this kind cannot work with `cfg`."""
        if cfg.reload:
            from indrik.workers.reloader import find_engine

            find_engine(cfg.reload_engine)
        cls.check_routes(cfg)

    @classmethod
    def check_routes(cls, cfg: Any) -> None:
        """Raise `ConfigError` if `cfg` has limits of routes and this kind does nothing for them."""
        if cfg.routes and not cls.limits_routes:
            raise ConfigError(
                f"routes is set, but the worker kind {cls.__name__} cannot limit routes: use sync, gthread "
                "or gevent, which serve WSGI applications, or remove the setting"
            )

    @classmethod
    def prepare_process(cls, cfg: Any, log: Any, owner: Any) -> None:
        """Make a process ready for this kind, before anything of the application is imported.

        Called in each worker, and before that in the process that preloads for it (`preload_app`). `owner` is
        the worker, or there the arbiter.
        """

    def notify(self) -> None:
        """Say that this worker is alive."""
        if self.slot is not None:
            self.slot.beat(time.monotonic())

    def run(self) -> None:
        """Serve until `alive` is false, then drain and return."""
        raise NotImplementedError(f"{type(self).__name__} does not say how it serves: run() is missing")

    @property
    def is_orphaned(self) -> bool:
        """Whether the master is gone. Then nobody will ever stop this worker but itself."""
        return os.getppid() != self.ppid

    @property
    def must_drain_backlog(self) -> bool:
        """Whether the connections that the kernel has queued are lost if this worker closes its listeners
        now.

        False only when the arbiter has said that others serve the same listeners.
        """
        return self.slot is None or self.slot.order not in (Order.LEAVE, Order.MAKE_WAY)

    @property
    def drain_timeout(self) -> float:
        """Seconds for finishing after TERM: a little less than what the arbiter grants before it kills."""
        granted = float(self.cfg.graceful_timeout)
        return granted - min(0.5, granted * 0.1)

    def count_request(self) -> None:
        """Count one request; at `max_requests` ask for a successor."""
        self.nr += 1
        if self.nr >= self.max_requests:
            self.request_replacement(Recycle.MAX_REQUESTS)

    def request_replacement(self, why: Recycle = Recycle.OWN_WISH) -> None:
        """Ask the arbiter for a successor and go on serving until it sends TERM. Without an arbiter: stop."""
        if self.slot is None:
            self.alive = False
        elif not self.slot.wants_replacement:
            self.log.info(
                "Worker asks for a successor (pid: %s): %s", self.pid, why.name.lower().replace("_", " ")
            )
            self.slot.wants_replacement = why
            self.wake_arbiter()

    def wake_arbiter(self) -> None:
        """Make the arbiter look at the scoreboard now."""
        if self.arbiter_fd >= 0:
            # A full pipe wakes it just as well; a broken one means there is no arbiter any more.
            with contextlib.suppress(BlockingIOError, BrokenPipeError):
                os.write(self.arbiter_fd, b"\0")

    def init_process(self) -> None:
        """Make this process a worker and serve. A subclass that overrides it ends with
        `super().init_process()`.
        """
        for name, value in self.cfg.env.items():
            os.environ[name] = value
        drop_privileges(self.cfg.uid, self.cfg.gid, self.cfg.initgroups)
        if "random" in sys.modules:
            # What was seeded before the fork, by a hook or an application, is the same in every worker.
            sys.modules["random"].seed()
        self.prepare_process(self.cfg, self.log, self)
        self._open_wakeup()
        self._set_close_on_exec()
        self.init_signals()
        self.load_wsgi()
        self.cfg.post_worker_init(self)
        self.booted = True
        if not self.reports_ready_itself:
            self.report_ready()
        self.run()

    def load_wsgi(self) -> None:
        """Load the application into `wsgi`. Whatever its import raises passes through, except with `reload`.

        There the worker answers with 500 until a file changes: a mistake that was just saved does not stop
        the server.
        """
        if not self.cfg.reload:
            self.wsgi = self._load_fitting()
            return
        # Imported late: only while developing.
        from indrik.workers.reloader import Reloader, file_time, files_of, find_engine

        # A byte-code file counts as current if second and size of the source are the same: too coarse for an
        # editor.
        sys.dont_write_bytecode = True
        engine = find_engine(self.cfg.reload_engine)
        self.reloader = Reloader(self.cfg.reload_extra_files, engine, self._note_change)
        began_at = file_time()
        try:
            self.wsgi = self._load_fitting()
        except Exception as error:
            self.log.error(
                "The application cannot be loaded; the answer is 500 until a file changes",
                exc_info=(type(error), error, from_application(error)),
            )
            self.reloader.also_watch(files_of(error))
            self.is_stand_in = True
            self.wsgi = self._page_of(error) or (
                _answer_500_asgi if self.interface == ASGI else _answer_500
            )
        # Before the worker says that it is ready: whoever changes a file after that must be noticed.
        changed = self.reloader.begin(began_at)
        if changed is not None and self.minds_changes_while_loading:
            self._note_change(changed, Recycle.CHANGED_WHILE_LOADING)
        else:
            self.start_reloader()

    def _page_of(self, error: Exception) -> Any:
        """What the application's own object has to show for `error`, None for nothing."""
        make = getattr(self.app, "page_of", None)
        return None if make is None or self.interface == ASGI else make(error)

    def start_reloader(self) -> None:
        """Have `reloader` run in a thread of its own."""
        self.reloader.start()

    def _load_fitting(self) -> Any:
        """The application; this worker becomes one of the kind that serves it, if nobody has chosen a
        kind.

        Raises `AppImportError` when the chosen kind cannot serve it.
        """
        application = self.app.wsgi()
        kind = fitting_class(application, type(self), self.cfg)
        if kind is not type(self):
            self.log.info("The application speaks ASGI: this worker is of the kind asgi (pid: %s)", self.pid)
            kind.check_config(self.cfg, self.log)
            self.__class__ = kind
            # Its handlers are other functions.
            self.init_signals()
        return application

    def _note_change(self, name: str, how: Recycle = Recycle.CHANGED_FILE) -> None:
        """From the reloader's thread. The arbiter has all workers leave, and starts new ones meanwhile."""
        self.log.info("Worker reloading: %s modified", name)
        if self.slot is None or self.arbiter_fd < 0:
            os.kill(os.getpid(), signal.SIGTERM)
        else:
            self.slot.wants_replacement = how
            self.wake_arbiter()

    def report_ready(self) -> None:
        """Tell the arbiter that this worker serves from now on."""
        if self.slot is not None:
            now = time.monotonic()
            self.slot.beat(now)
            self.slot.ready_at = now
            self.slot.state = State.IDLE
            self.wake_arbiter()

    def init_signals(self) -> None:
        """Install the handlers that the table of signals names for a worker."""
        for row in SIGNAL_ROWS:
            if row.number not in self.SIGNALS:
                continue
            if row.worker_action == "default":
                signal.signal(row.number, signal.SIG_DFL)
            else:
                signal.signal(row.number, getattr(self, row.worker_action))
                if row.worker_action in _LEAVE_REQUESTS_ALONE:
                    # The application's system calls are restarted, not interrupted.
                    signal.siginterrupt(row.number, False)
        if self.wakeup_fd >= 0:
            signal.set_wakeup_fd(self.PIPE[1], warn_on_full_buffer=False)
        if self.stacks_fd >= 0:
            # Both write the stacks of all threads from C, so also when no Python code gets to run any more:
            # the first when the arbiter asks for them, the second at a crash (SEGV, BUS...), before the
            # handler that was there has its turn.
            faulthandler.register(STACKS_SIGNAL, self.stacks_fd, all_threads=True)
            faulthandler.enable(self.stacks_fd, all_threads=True)
        # The arbiter has blocked all of these before the fork, so that none arrives while nobody would
        # understand it.
        signal.pthread_sigmask(signal.SIG_UNBLOCK, self.SIGNALS)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """TERM: leave the loop after the request in progress. Nothing to finish while booting."""
        self.alive = False
        if not self.booted:
            raise SystemExit(0)

    def handle_quit(self, sig: int, frame: FrameType | None) -> None:
        """QUIT and INT: end now."""
        self.alive = False
        if self.slot is not None:
            # Requests that are cut now are nobody's fault.
            self.slot.state = State.EXITING
        self.cfg.worker_int(self)
        # Threads that are about to write their answer get this long.
        time.sleep(0.1)
        raise SystemExit(0)

    def handle_abort(self, sig: int, frame: FrameType | None) -> None:
        """ABRT: the arbiter has given this worker up."""
        self.alive = False
        self.aborted = True
        self.cfg.worker_abort(self)
        raise SystemExit(1)

    def handle_usr1(self, sig: int, frame: FrameType | None) -> None:
        """USR1: reopen log files."""
        self.log.reopen_files()

    def handle_ignored(self, sig: int, frame: FrameType | None) -> None:
        """HUP, USR2: meant for the master. Not SIG_IGN, which programs that the application starts would
        inherit.
        """

    def handle_winch(self, sig: int, frame: FrameType | None) -> None:
        """WINCH: the size of a terminal is nothing to a worker."""
        self.log.debug("worker: SIGWINCH ignored.")

    def _open_wakeup(self) -> None:
        self.PIPE = list(os.pipe())
        for fd in self.PIPE:
            os.set_blocking(fd, False)
        self.wakeup_fd = self.PIPE[0]

    def _set_close_on_exec(self) -> None:
        # What the application runs with subprocess or exec must not hold a listener open, nor keep a log
        # file.
        for listener in self.sockets:
            os.set_inheritable(listener.fileno(), False)
        self.log.close_on_exec()


def _up_to(jitter: int) -> int:
    """A whole number from 0 to `jitter`, by chance."""
    if not jitter:
        return 0
    import random  # late: a start without jitter does not need it

    return random.randint(0, jitter)


def _answer_500(environ: Any, start_response: Any) -> list[bytes]:
    """In place of an application that cannot be loaded. The traceback is in the log, not on the wire."""
    fields = [(name.decode(), value.decode()) for name, value in _HEADERS_500]
    start_response("500 Internal Server Error", fields)
    return [_BODY_500]


async def _answer_500_asgi(scope: Any, receive: Any, send: Any) -> None:
    """The same in ASGI. To lifespan and WebSocket it says nothing, which they understand."""
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 500, "headers": _HEADERS_500})
        await send({"type": "http.response.body", "body": _BODY_500})
