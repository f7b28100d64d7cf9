"""Why a worker died, and what it was doing: sentences for the error log, from evidence and never from a
guess.
"""

from __future__ import annotations

import re
import signal
import time
from typing import Any

from indrik.arbiter.advice import advise
from indrik.arbiter.roster import Member
from indrik.arbiter.stacks import take_stacks
from indrik.scoreboard.layout import State

_PROC = "/proc"

#: Letters of /proc/PID/stat that explain why a process cannot react (proc(5)).
_STATES = {
    "T": "stopped by a signal",
    "t": "stopped by a debugger",
    "D": "waiting in the kernel, uninterruptibly",
}


def signal_name(number: int) -> str:
    """SIGSEGV for 11; real-time signals have numbers only."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def what_it_serves(member: Member, now: float, names_last: bool = True) -> str:
    """Requests in progress, as the scoreboard has them; without one, the last that there was if
    `names_last`.
    """
    slot = member.slot
    if not member.ready and not slot.in_progress:
        return "loading the application"
    if not slot.in_progress:
        if not slot.request_text or not names_last:
            return "serving no request"
        last = f"{slot.request_text!r}, began {now - slot.request_at:.1f} s before"
        return f"serving no request (the last, {last})"
    text = f"serving {slot.request_text!r} for {now - slot.request_at:.1f} s"
    if slot.in_progress == 1 and slot.route:
        text = f"{text} (route {slot.route!r})"
    return text if slot.in_progress == 1 else f"{text}, and {slot.in_progress - 1} more"


def lifetime(member: Member, now: float) -> str:
    """How long it lived and what it did in that time."""
    requests = member.slot.totals().requests
    return f"after {now - member.spawned_at:.1f} s and {requests} request{'' if requests == 1 else 's'}"


def how_it_ended(code: int) -> str:
    """Exit status as os.waitstatus_to_exitcode gives it, in words."""
    if code < 0:
        return f"was killed by {signal_name(-code)}"
    return f"exited with code {code}"


def why_it_cannot_react(pid: int) -> str:
    """What the kernel says of a process that does not answer; empty if nothing is remarkable."""
    try:
        # The command's name stands in parentheses and may hold anything.
        state = _read(f"{_PROC}/{pid}/stat").rpartition(")")[2].split()[0]
    except (OSError, IndexError):
        return ""
    if state not in _STATES:
        return ""
    try:
        channel = _read(f"{_PROC}/{pid}/wchan").strip()
    except OSError:
        channel = ""
    return f"the process is {_STATES[state]}" + (
        f" in {channel}" if state == "D" and channel not in ("", "0") else ""
    )


def _read(path: str) -> str:
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.read()


class OutOfMemoryWatch:
    """The kernel's count of processes that it killed for want of memory, in this control group or,
    failing that, anywhere.
    """

    def __init__(self, proc: str = _PROC, cgroups: str = "/sys/fs/cgroup") -> None:
        self._source = _find_counter(proc, cgroups)
        self._last = self._read()

    def took_one(self) -> str:
        """Evidence that the kernel has killed a process since the last call, or an empty text."""
        before, self._last = self._last, self._read()
        if before is None or self._last is None or self._last <= before:
            return ""
        assert self._source is not None
        rise = f"from {before} to {self._last} ({self._source})"
        return f"out of memory: the kernel's count of such kills rose {rise}"

    def _read(self) -> int | None:
        if self._source is None:
            return None
        try:
            found = re.search(r"^oom_kill (\d+)$", _read(self._source), re.MULTILINE)
        except OSError:
            return None
        return int(found[1]) if found else None


def _find_counter(proc: str, cgroups: str) -> str | None:
    """memory.events (cgroup v2), memory.oom_control (v1), or the whole machine's counter in /proc/vmstat."""
    candidates = []
    try:
        memberships = _read(f"{proc}/self/cgroup").splitlines()
    except OSError:
        memberships = []
    for line in memberships:
        _, controllers, path = line.split(":", 2)
        if not controllers:
            candidates += [f"{cgroups}{path}/memory.events", f"{cgroups}/memory.events"]
        elif "memory" in controllers.split(","):
            candidates += [f"{cgroups}/memory{path}/memory.oom_control"]
    candidates.append(f"{proc}/vmstat")
    for candidate in candidates:
        try:
            if re.search(r"^oom_kill \d+$", _read(candidate), re.MULTILINE):
                return candidate
        except OSError:
            continue
    return None


def report(
    member: Member, code: int, out_of_memory: str, now: float | None = None, names_last: bool = True
) -> str:
    """One sentence on a death: how, after which life, during which request (or behind which, if
    `names_last`), on which evidence.
    """
    at = time.monotonic() if now is None else now
    ended = f"Worker (pid:{member.pid}) {how_it_ended(code)} {lifetime(member, at)}"
    cause = f"; {out_of_memory}" if out_of_memory and code == -signal.SIGKILL else ""
    return f"{ended}, while {what_it_serves(member, at, names_last)}{cause}"


def was_in_order(member: Member, code: int) -> bool:
    """Whether a worker that the master has not told to end has left with status 0, and either owes no client
    an answer or was leaving.

    Otherwise the application has ended it in the middle of a request (os._exit).
    """
    return code == 0 and (not member.slot.in_progress or member.slot.state >= State.DRAINING)


def explain_abort(log: Any, member: Member, seconds: float, booting: bool) -> None:
    """Into the log, before a silent worker is aborted: for how long it has been silent, what it is serving,
    how long it has lived, what to do, and its stacks.
    """
    now = time.monotonic()
    setting = "boot_timeout" if booting else "timeout"
    what = "has not become ready for" if booting else "gave no sign of life for"
    reason = why_it_cannot_react(member.pid)
    serving = what_it_serves(member, now)
    log.critical(
        "WORKER TIMEOUT (pid:%s): %s %.1f s, %s%s; aborted %s. "
        "Its stacks follow; if it only needs longer, raise %s",
        member.pid,
        what,
        seconds,
        serving,
        f"; {reason}" if reason else "",
        lifetime(member, now),
        setting,
    )
    stacks = take_stacks(member.stacks_fd)
    log.error("Stacks of worker (pid:%s):\n%s", member.pid, stacks or "none: the process did not react")


def explain_death(log: Any, member: Member, code: int, expected: bool, out_of_memory: str) -> None:
    """Into the log, when a worker was reaped: how it ended, and if that was unexpected, where it was (after a
    crash).
    """
    if expected or was_in_order(member, code):
        # A request that had nothing to do with it has no business in the log.
        log.debug("%s", report(member, code, out_of_memory, names_last=False))
        return
    log.error("%s; %s", report(member, code, out_of_memory), advise(code, member.ready, bool(out_of_memory)))
    stacks = take_stacks(member.stacks_fd)
    if stacks:
        log.error("Stacks of worker (pid:%s):\n%s", member.pid, stacks)
