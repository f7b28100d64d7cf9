"""The first and last steps of a worker's process: what happens between the fork and `Worker.init_process`,
and its exit status.
"""

from __future__ import annotations

import os
import signal
import sys
from types import FrameType
from typing import Any, NoReturn

from indrik.arbiter.titles import set_title
from indrik.errors import AppImportError, IndrikError
from indrik.signals import MASTER_SIGNALS, STACKS_SIGNAL, WORKER_SIGNALS

#: Exit status of a worker that could not start, and of one whose application could not be found in its
#: module.
WORKER_BOOT_ERROR = 3
APP_LOAD_ERROR = 4

#: What is blocked around a fork: everything that has a handler in the master or gets one in the worker.
FORK_BLOCKED = frozenset({*MASTER_SIGNALS, *WORKER_SIGNALS})

_STOPPING = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT)


def leave_master() -> None:
    """Worker only, right after the fork, with FORK_BLOCKED blocked: forget the master's handlers.

    Signals that stop are let through, and end the process: nobody is served yet. The others wait, blocked,
    until the worker has installed its own handlers, so that a request to reopen the logs is not lost in
    between.
    """
    signal.set_wakeup_fd(-1)
    for number in FORK_BLOCKED:
        signal.signal(number, _leave_at_once if number in _STOPPING else signal.SIG_DFL)
    # Its default action would end the process; the worker registers its own handler later.
    signal.signal(STACKS_SIGNAL, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOPPING)


def _leave_at_once(number: int, frame: FrameType | None) -> None:
    raise SystemExit(0)


def live(server: Any, worker: Any, cfg: Any, log: Any) -> NoReturn:
    """Worker only: be `worker` from here to the end of the process, which is a SystemExit that the caller
    lets pass.

    Status 0 after a stop, WORKER_BOOT_ERROR or APP_LOAD_ERROR if it did not come up, 255 for anything
    unexpected later.
    """
    pid = os.getpid()
    status: object = 0
    try:
        worker.pid = pid
        if worker.slot is not None:
            worker.slot.pid = pid
        set_title(f"worker [{cfg.proc_name}]")
        log.info("Booting worker with pid: %s", pid)
        cfg.post_fork(server, worker)
        worker.init_process()
    except SystemExit as stop:
        status = stop.code
        if not worker.booted and worker.alive and not _is_ours(stop):
            log.error(
                "Worker failed to boot (pid: %s): the application called exit(%s) while it was loading",
                pid,
                stop.code,
            )
            status = WORKER_BOOT_ERROR
    except AppImportError as error:
        log.debug("Exception while loading the application", exc_info=True)
        log.error("Worker failed to boot (pid: %s): %s", pid, error)
        status = APP_LOAD_ERROR
    except IndrikError as error:
        log.error("Worker failed to boot (pid: %s): %s", pid, error)
        status = -1 if worker.booted else WORKER_BOOT_ERROR
    except Exception:
        log.exception("Exception in worker process (pid: %s)", pid)
        status = -1 if worker.booted else WORKER_BOOT_ERROR
    finally:
        log.info("Worker exiting (pid: %s)", pid)
        try:
            cfg.worker_exit(server, worker)
        except Exception:
            log.exception("Hook worker_exit failed (pid: %s)", pid)
    sys.exit(status)  # type: ignore[arg-type]


def _is_ours(stop: SystemExit) -> bool:
    """Whether a signal handler of the server raised it (the innermost frame is then a handler's)."""
    trace = stop.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return trace is not None and trace.tb_frame.f_code is _leave_at_once.__code__
