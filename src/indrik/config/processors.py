"""How many processors this process may use: those that it may run on, and the share of time that its control
groups grant it.

Sources: sched_getaffinity(2); `cpu.max` of cgroup v2 and `cpu.cfs_quota_us` of v1 (the kernel's admin guide);
proc(5) for /proc/PID/cgroup.
"""

from __future__ import annotations

import math
import os

_PROC = "/proc"
_CGROUPS = "/sys/fs/cgroup"


def usable_processors(proc: str = _PROC, cgroups: str = _CGROUPS) -> int:
    """A whole number, 1 at least. A share of 1.5 processors counts as 2: the second one has work half of the
    time.
    """
    try:
        allowed = len(os.sched_getaffinity(0))
    except AttributeError:  # not on every system
        allowed = os.cpu_count() or 1
    return max(1, math.ceil(min(allowed, _granted_share(proc, cgroups))))


def _granted_share(proc: str, cgroups: str) -> float:
    """Processors that the control groups grant: the least of this process's group and all those above it."""
    try:
        memberships = _read(f"{proc}/self/cgroup").splitlines()
    except OSError:
        return math.inf
    share = math.inf
    for line in memberships:
        _, controllers, path = line.split(":", 2)
        if not controllers:
            # Beside v1's hierarchies that of v2 is mounted one level lower, and has no such file.
            share = min(share, *(_share_of_v2(f"{cgroups}{group}") for group in _upwards(path)))
        elif "cpu" in controllers.split(","):
            share = min(share, *(_share_of_v1(f"{cgroups}/cpu{group}") for group in _upwards(path)))
    return share


def _upwards(path: str) -> list[str]:
    """`/a/b`, `/a` and the root. A container may see the path that its group has outside, and only the root
    exists then.
    """
    names = [name for name in path.split("/") if name]
    return ["".join(f"/{name}" for name in names[:length]) for length in range(len(names), -1, -1)]


def _share_of_v2(group: str) -> float:
    try:
        quota, period = _read(f"{group}/cpu.max").split()
        return int(quota) / int(period)
    except (OSError, ValueError, ZeroDivisionError):  # no such file, or "max"
        return math.inf


def _share_of_v1(group: str) -> float:
    try:
        quota, period = int(_read(f"{group}/cpu.cfs_quota_us")), int(_read(f"{group}/cpu.cfs_period_us"))
        return quota / period if quota > 0 else math.inf
    except (OSError, ValueError, ZeroDivisionError):
        return math.inf


def _read(path: str) -> str:
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.read()
