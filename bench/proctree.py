"""What a process and all its descendants have used: CPU time and memory, read from /proc (proc(5)) and
from the processes' clocks.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")

# Fields of /proc/PID/stat counted from the first one behind the command's name, which stands in brackets and
# may hold anything.
PPID, UTIME, STIME, CUTIME, CSTIME = 1, 11, 12, 13, 14


@dataclass(frozen=True)
class CpuTime:
    """CPU seconds."""

    user: float
    system: float

    @property
    def total(self) -> float:
        return self.user + self.system

    def __sub__(self, earlier: CpuTime) -> CpuTime:
        return CpuTime(self.user - earlier.user, self.system - earlier.system)


def parse_stat(text: str) -> list[int]:
    """The numbers behind the command's name in a /proc/PID/stat line; the state, a letter, becomes 0."""
    fields = text.rpartition(")")[2].split()
    return [0, *(int(field) for field in fields[1:])]


def read_stat(pid: int) -> list[int] | None:
    """The numbers of a process, None when it is gone."""
    try:
        return parse_stat(Path(f"/proc/{pid}/stat").read_text(encoding="latin-1"))
    except (FileNotFoundError, ProcessLookupError):
        return None


def walk(root: int) -> Iterator[tuple[int, list[int]]]:
    """The process and its descendants, each with its numbers."""
    everyone = {
        int(entry): stat
        for entry in os.listdir("/proc")
        if entry.isdigit() and (stat := read_stat(int(entry)))
    }
    children: dict[int, list[int]] = {}
    for pid, stat in everyone.items():
        children.setdefault(stat[PPID], []).append(pid)
    waiting = [root]
    while waiting:
        pid = waiting.pop()
        if pid in everyone:
            yield pid, everyone[pid]
            waiting += children.get(pid, [])


def cpu_time(root: int) -> CpuTime:
    """CPU time of the tree since each of its processes began, every thread and every reaped child included.

    A child that ends between two readings is not lost: the kernel adds its time to its parent's when the
    parent reaps it. The kernel counts in nanoseconds and shows ticks (10 ms), so a difference of two readings
    is right to two ticks a process.
    """
    user = system = 0
    for _, stat in walk(root):
        user += stat[UTIME] + stat[CUTIME]
        system += stat[STIME] + stat[CSTIME]
    return CpuTime(user / TICKS_A_SECOND, system / TICKS_A_SECOND)


def cpu_nanoseconds(root: int) -> int:
    """CPU time of the tree as its processes' own clocks count it (clock_getcpuclockid(3)), exact where a
    tick is too long. Every thread is included, a child that has ended is not: for windows in which no
    process ends.
    """
    total = 0
    for pid, _ in walk(root):
        # The kernel's number for "the CPU time of this process" (its CPUCLOCK_SCHED is 2).
        try:
            total += time.clock_gettime_ns(~pid << 3 | 2)
        except OSError:
            continue  # it ended since it was listed
    return total


def parse_kilobytes(text: str, name: str) -> int:
    """Bytes of the line `name:` in a /proc file of lines such as `Rss: 123 kB`. ValueError when there is
    none.
    """
    for line in text.splitlines():
        key, _, value = line.partition(":")
        if key == name:
            return int(value.split()[0]) * 1024
    raise ValueError(f"no line {name!r}")


def memory(root: int, name: str = "Rss") -> int:
    """Bytes of the tree by a line of smaps_rollup: "Rss" counts a page shared by two processes twice, "Pss"
    once.
    """
    total = 0
    for pid, _ in walk(root):
        try:
            total += parse_kilobytes(Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii"), name)
        except (FileNotFoundError, ProcessLookupError):
            continue  # it ended since it was listed
    return total
