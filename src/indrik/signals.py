"""The signals that indrik answers to: one row each, for the master and for a worker.

The arbiter and the workers install their handlers from these rows and `SIGNALS.md` is written from them
(`python -m indrik.signals --write`), so neither can say something else than the other. A handler does nothing
but note the signal and wake the loop; what follows happens outside of it.
"""

from __future__ import annotations

import os
import signal
import sys
from typing import NamedTuple


class Row(NamedTuple):
    """One signal. An empty text: that process leaves the signal alone. `worker_action` names a Worker method,
    or is "default".
    """

    name: str
    master: str
    worker: str
    worker_action: str

    @property
    def number(self) -> signal.Signals:
        """The signal's number here."""
        return signal.Signals[f"SIG{self.name}"]


SIGNALS = (
    Row(
        "TERM",
        "Graceful stop: workers finish what they have and what the kernel has queued for them, within"
        " `graceful_timeout`; what is left then is killed. Ends with status 0. With `stop_delay` that begins"
        " so many seconds later, or with a second TERM.",
        "Graceful stop: requests in progress are finished, connections are told to close, the process"
        " ends with status 0. While the application is still loading it ends at once.",
        "handle_exit",
    ),
    Row(
        "INT",
        "Quick stop: workers get QUIT and a few seconds, then KILL. Ends with status 0. During a "
        "graceful stop: changes it to a quick one.",
        "Quick stop: the `worker_int` hook runs and the process ends with status 0; requests in "
        "progress are cut off.",
        "handle_quit",
    ),
    Row(
        "QUIT",
        "As INT.",
        "As INT.",
        "handle_quit",
    ),
    Row(
        "HUP",
        "Reload: configuration and application are loaded anew. Old workers go on until new ones are "
        "ready; if those fail, nothing changes and the log says why. During a reload: another one "
        "follows it.",
        "Ignored, so that a HUP sent to every process of the server does no harm.",
        "handle_ignored",
    ),
    Row(
        "USR1",
        "Log files are reopened, here and in every worker.",
        "Log files are reopened.",
        "handle_usr1",
    ),
    Row(
        "USR2",
        "Upgrade: a new master is started from the program on disk and inherits the listeners; both "
        "serve until one is stopped.",
        "Ignored.",
        "handle_ignored",
    ),
    Row(
        "TTIN",
        "One worker more. A reload keeps the difference to `workers`.",
        "",
        "",
    ),
    Row(
        "TTOU",
        "One worker less, but never fewer than one.",
        "",
        "",
    ),
    Row(
        "WINCH",
        "With `daemon`: all workers are stopped gracefully, the master stays; HUP or TTIN brings them"
        " back. Otherwise ignored (a terminal sends it when its size changes).",
        "Ignored.",
        "handle_winch",
    ),
    Row(
        "CHLD",
        "A child has died: it is reaped, its death explained in the log, and a successor started "
        "where one is due.",
        "Left to the application.",
        "default",
    ),
    Row(
        "ABRT",
        "",
        "Sent by the master to a worker that gave no sign of life for `timeout` seconds, after the "
        "stacks of its threads went to the error log: the `worker_abort` hook runs, the process ends "
        "with status 1.",
        "handle_abort",
    ),
)

#: They end a process, however far its start has come.
STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT)

MASTER_SIGNALS = tuple(row.number for row in SIGNALS if row.master)
WORKER_SIGNALS = tuple(row.number for row in SIGNALS if row.worker)

#: What the command keeps for the master that it becomes. CHLD by itself does nothing.
KEPT_SIGNALS = tuple(one for one in MASTER_SIGNALS if one not in (*STOP_SIGNALS, signal.SIGCHLD))

#: With it the arbiter asks a silent worker for its stacks, before ABRT. A real-time signal, because an
#: application may want any of the others; USR2 where there are none (macOS), which means nothing else to a
#: worker.
STACKS_SIGNAL: int = signal.SIGRTMIN + 5 if hasattr(signal, "SIGRTMIN") else signal.SIGUSR2

#: With it a worker whose application runs in the main thread ends a request that takes too long. A real-time
#: signal, because ALRM belongs to the application.
OVERDUE_SIGNAL: int = signal.SIGRTMIN + 6 if hasattr(signal, "SIGRTMIN") else signal.SIGALRM

_HEAD = """\
# Signals

<!-- Written by `python -m indrik.signals --write`; edit the table in src/indrik/signals.py. -->

Send them with `kill -SIGNAL PID`. The master's process id is in the pid file (`--pid`) and in its first log
lines. Handlers only note a signal and wake the loop, so none is lost while another is being handled, and none
interrupts application code except QUIT, INT and ABRT in a worker. While the server starts, TERM, INT and QUIT
end it at once; the others are kept until the master has its loop.
"""


def render() -> str:
    """The text of SIGNALS.md."""
    lines = [_HEAD]
    for title, column in (("To the master", 1), ("To a worker", 2)):
        lines.append(f"## {title}\n\n| signal | effect |\n|---|---|")
        lines.extend(f"| {row.name} | {row[column]} |" for row in SIGNALS if row[column])
        lines.append("")
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> int:
    """Write SIGNALS.md, or with --check fail if the one there is stale."""
    import argparse  # late: the command imports this module before anything else, and wants to be quick

    parser = argparse.ArgumentParser(prog="python -m indrik.signals", description=main.__doc__)
    parser.add_argument("--write", action="store_true", help="write the file")
    parser.add_argument(
        "--check", action="store_true", help="exit with 1 if the file is not what would be written"
    )
    parser.add_argument("path", nargs="?", default="SIGNALS.md")
    options = parser.parse_args(arguments)
    text = render()
    if options.write:
        with open(options.path, "w", encoding="utf-8") as file:
            file.write(text)
    elif options.check:
        if not os.path.exists(options.path) or _read(options.path) != text:
            print(f"{options.path} is stale: run python -m indrik.signals --write", file=sys.stderr)
            return 1
    else:
        print(text, end="")
    return 0


def _read(path: str) -> str:
    with open(path, encoding="utf-8") as file:
        return file.read()


if __name__ == "__main__":
    sys.exit(main())
