"""What to do about a worker's death: the last words of the line in the log that tells of it."""

from __future__ import annotations

import signal

from indrik.arbiter.offspring import APP_LOAD_ERROR, WORKER_BOOT_ERROR

#: Signals that the kernel sends to a process for what its own machine code did.
_CRASHES = (signal.SIGSEGV, signal.SIGBUS, signal.SIGILL, signal.SIGFPE, signal.SIGSYS)

#: Exit status of a worker that an exception has ended which nobody caught (`offspring.guarded`).
_UNEXPECTED = 255


def advise(code: int, was_ready: bool, out_of_memory: bool) -> str:
    """For a worker that nobody told to end.

    `code` is its exit status as os.waitstatus_to_exitcode gives it, `was_ready` whether it had loaded the
    application, `out_of_memory` whether the kernel has said that it killed for want of memory.
    """
    if code in (WORKER_BOOT_ERROR, APP_LOAD_ERROR) and not was_ready:
        return "its own lines above say why"
    if code == _UNEXPECTED:
        return "if the server has ended it, the exception above says why"
    if code >= 0:
        return "it has ended itself: look for os._exit, sys.exit or a library's exit() in what it was running"
    number = -code
    if number == signal.SIGKILL and out_of_memory:
        return "have fewer workers or more memory, or bound a worker with max_worker_memory"
    if number == signal.SIGKILL:
        return "it was not the server: somebody else sent it, or the kernel when memory ran out (dmesg tells)"
    if number in _CRASHES:
        return "C code has crashed, most often an extension module's: the first lines of its stacks say where"
    if number == signal.SIGABRT:
        return "C code has given up (abort): what it has written before, and its stacks, say where"
    return "it was not the server that sent it: look for who did"
