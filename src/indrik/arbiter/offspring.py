"""The first and last steps of a worker's process: what happens between the fork and `Worker.init_process`,
and its exit status.
"""

from __future__ import annotations

import gc
import os
import signal
import sys
from collections.abc import Callable, Sequence
from types import FrameType, TracebackType
from typing import Any, NoReturn

from indrik.arbiter.titles import set_title
from indrik.errors import AppImportError, IndrikError
from indrik.log.tracebacks import from_application
from indrik.net.listeners import Listener
from indrik.signals import MASTER_SIGNALS, STACKS_SIGNAL, STOP_SIGNALS, WORKER_SIGNALS

#: Exit status of a worker that could not start, and of one whose application could not be found in its
#: module.
WORKER_BOOT_ERROR = 3
APP_LOAD_ERROR = 4

#: What is blocked around a fork: everything that has a handler in the master or gets one in the worker.
FORK_BLOCKED = frozenset({*MASTER_SIGNALS, *WORKER_SIGNALS})

_OF_MASTER_ALONE = frozenset(MASTER_SIGNALS) - frozenset(WORKER_SIGNALS)


def leave_master() -> None:
    """Worker only, right after the fork, with FORK_BLOCKED blocked: forget the master's handlers.

    Signals that stop are let through, and end the process: nobody is served yet. The master's alone are let
    through and do nothing. The others wait, blocked, until the worker has installed its own handlers, so that
    a request to reopen the logs is not lost in between.
    """
    signal.set_wakeup_fd(-1)
    for number in FORK_BLOCKED:
        signal.signal(number, signal.SIG_DFL)
    for number in STOP_SIGNALS:
        signal.signal(number, _leave_at_once)
    # By default they would stop it, when they are sent to the whole group. Neither blocked nor SIG_IGN, which
    # what the application starts would inherit.
    for number in _OF_MASTER_ALONE:
        signal.signal(number, _ignore)
    # Its default action would end the process; the worker registers its own handler later.
    signal.signal(STACKS_SIGNAL, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {*STOP_SIGNALS, *_OF_MASTER_ALONE})


def _leave_at_once(number: int, frame: FrameType | None) -> None:
    raise SystemExit(0)


def _ignore(number: int, frame: FrameType | None) -> None:
    pass


def leave_relatives(server: Any, generation: Any, listeners: Sequence[Listener]) -> None:
    """Child only: close what the master holds for others, and look like a process of `generation`."""
    server.log = generation.log
    server.cfg = generation.cfg
    for listener in server.all_listeners():
        if listener not in listeners:
            listener.close(unlink=False)
    server.LISTENERS = list(listeners)
    for member in server.staff.roster:
        member.forget()
    server.staff.preloaders.close_copies()


def live(server: Any, make: Callable[[], Any], cfg: Any, log: Any) -> NoReturn:
    """Worker only: be the worker that `make` returns, to the end of the process: a SystemExit for the caller
    to let pass.

    Status 0 after a stop, WORKER_BOOT_ERROR or APP_LOAD_ERROR if it did not come up, 255 for anything
    unexpected later.
    """
    # What is alive now is shared with the master. The collector, which runs many times while an application
    # is imported, would write to each page of it.
    gc.freeze()
    pid = os.getpid()
    worker: Any = None

    def body() -> None:
        nonlocal worker
        worker = make()
        worker.pid = pid
        worker.slot.pid = pid
        os.environ["INDRIK_WORKER_ID"] = str(worker.slot.number)
        set_title(f"worker [{cfg.proc_name}]")
        log.info("Booting worker with pid: %s", pid)
        cfg.post_fork(server, worker)
        worker.init_process()

    try:
        status = guarded(
            body,
            log,
            "Worker",
            is_up=lambda: worker is not None and bool(worker.booted),
            is_excused=lambda: worker is not None and not worker.alive,
        )
    finally:
        log.info("Worker exiting (pid: %s)", pid)
        try:
            if worker is not None:
                cfg.worker_exit(server, worker)
        except SystemExit:
            raise
        except BaseException:
            log.exception("Hook worker_exit failed (pid: %s)", pid)
    sys.exit(status)


def guarded(
    body: Callable[[], None], log: Any, who: str, *, is_up: Callable[[], bool], is_excused: Callable[[], bool]
) -> int:
    """Run `body` and turn whatever it ends with into an exit status, with what there is to say about it in
    the log.

    `is_up` tells whether the application has been loaded, `is_excused` whether an exit before that was
    ordered.
    """
    pid = os.getpid()
    try:
        body()
    except SystemExit as stop:
        if not is_up() and not is_excused() and not _is_ours(stop):
            text = "%s failed to boot (pid: %s): the application called exit(%s) while it was loading"
            log.error(text, who, pid, stop.code)
            return WORKER_BOOT_ERROR
        status = status_of(stop)
        if is_up() and not is_excused():
            text = "%s ends with status %s (pid: %s): the application called exit(%s) here"
            log.error(text, who, status, pid, stop.code, exc_info=_shown(stop))
        return status
    except AppImportError as error:
        log.debug("Exception while loading the application", exc_info=True)
        log.error("%s failed to boot (pid: %s): %s", who, pid, error)
        return APP_LOAD_ERROR
    except IndrikError as error:
        log.error("%s failed to boot (pid: %s): %s", who, pid, error)
        return 255 if is_up() else WORKER_BOOT_ERROR
    except BaseException as error:
        # What is no Exception too (KeyboardInterrupt, CancelledError): above this lies the master's own code,
        # which would take it for its own end and stop everything.
        log.error("Exception in %s process (pid: %s)", who.lower(), pid, exc_info=_shown(error))
        return 255 if is_up() else WORKER_BOOT_ERROR
    return 0


def _shown(error: BaseException) -> tuple[type[BaseException], BaseException, TracebackType | None]:
    """`error` for the log, without the frames between the server's start and the application."""
    return type(error), error, from_application(error)


def status_of(stop: SystemExit) -> int:
    """What the interpreter would make of it: None is 0, a text is 1."""
    if stop.code is None:
        return 0
    return stop.code & 0xFF if isinstance(stop.code, int) else 1


def _is_ours(stop: SystemExit) -> bool:
    """Whether a signal handler of the server raised it (the innermost frame is then a handler's)."""
    trace = stop.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return trace is not None and trace.tb_frame.f_code is _leave_at_once.__code__
