"""Why a worker died, and what it was doing: sentences for the error log, from evidence and never from a guess."""

from __future__ import annotations

import os
import re
import signal
import time
from pathlib import Path

from indrik.arbiter.roster import Member

_PROC = Path("/proc")

#: Letters of /proc/PID/stat that explain why a process cannot react (proc(5)).
_STATES = {"T": "stopped by a signal", "t": "stopped by a debugger", "D": "waiting in the kernel, uninterruptibly"}


def signal_name(number: int) -> str:
    """SIGSEGV for 11; real-time signals have numbers only."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def what_it_serves(member: Member, now: float) -> str:
    """Requests in progress, as the scoreboard has them."""
    slot = member.slot
    if not slot.in_progress:
        return "serving no request" if member.ready else "loading the application"
    text = f"serving {slot.request_text!r} for {now - slot.request_at:.1f} s"
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
        state = _PROC.joinpath(str(pid), "stat").read_text(encoding="latin-1").rpartition(")")[2].split()[0]
    except (OSError, IndexError):
        return ""
    if state not in _STATES:
        return ""
    try:
        channel = _PROC.joinpath(str(pid), "wchan").read_text(encoding="ascii").strip()
    except OSError:
        channel = ""
    return f"the process is {_STATES[state]}" + (f" in {channel}" if state == "D" and channel not in ("", "0") else "")


class OutOfMemoryWatch:
    """The kernel's own count of processes that it killed for want of memory, in this control group or, failing that, anywhere."""

    def __init__(self, proc: Path = _PROC, cgroups: Path = Path("/sys/fs/cgroup")) -> None:
        self._source = _find_counter(proc, cgroups)
        self._last = self._read()

    def took_one(self) -> str:
        """Evidence that the kernel has killed a process since the last call, or an empty text."""
        before, self._last = self._last, self._read()
        if before is None or self._last is None or self._last <= before:
            return ""
        assert self._source is not None
        return f"out of memory: the kernel's count of such kills rose from {before} to {self._last} ({self._source})"

    def _read(self) -> int | None:
        if self._source is None:
            return None
        try:
            found = re.search(r"^oom_kill (\d+)$", self._source.read_text(encoding="ascii"), re.MULTILINE)
        except OSError:
            return None
        return int(found[1]) if found else None


def _find_counter(proc: Path, cgroups: Path) -> Path | None:
    """memory.events (cgroup v2), memory.oom_control (v1), or the whole machine's counter in /proc/vmstat."""
    candidates = []
    try:
        memberships = proc.joinpath("self/cgroup").read_text(encoding="utf-8").splitlines()
    except OSError:
        memberships = []
    for line in memberships:
        _, controllers, path = line.split(":", 2)
        relative = path.lstrip("/")
        if not controllers:
            candidates += [cgroups / relative / "memory.events", cgroups / "memory.events"]
        elif "memory" in controllers.split(","):
            candidates += [cgroups / "memory" / relative / "memory.oom_control"]
    candidates.append(proc / "vmstat")
    for candidate in candidates:
        try:
            if re.search(r"^oom_kill \d+$", candidate.read_text(encoding="ascii"), re.MULTILINE):
                return candidate
        except OSError:
            continue
    return None


def resident_bytes(pid: int) -> int:
    """Resident set size (proc(5), statm) in bytes; 0 if the process is gone. Raises OSError where there is no /proc."""
    try:
        pages = int(_PROC.joinpath(str(pid), "statm").read_text(encoding="ascii").split()[1])
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")


def report(member: Member, code: int, out_of_memory: str, now: float | None = None) -> str:
    """One sentence on a death that nobody ordered."""
    at = time.monotonic() if now is None else now
    parts = [f"Worker (pid:{member.pid}) {how_it_ended(code)} {lifetime(member, at)}, while {what_it_serves(member, at)}"]
    if out_of_memory and code == -signal.SIGKILL:
        parts.append(out_of_memory)
    return "; ".join(parts)


