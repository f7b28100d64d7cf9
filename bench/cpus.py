"""Which CPU runs the server and which the load."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path


class TooFewCpus(Exception):
    """The comparison needs two CPUs."""


def parse_cpu_list(text: str) -> set[int]:
    """The CPUs of a kernel list such as "0-2,8" (sysfs, cpuset(7))."""
    cpus: set[int] = set()
    for part in text.strip().split(","):
        first, _, last = part.partition("-")
        cpus.update(range(int(first), int(last or first) + 1))
    return cpus


def siblings(cpu: int) -> set[int]:
    """The CPUs that share a core with this one, itself included."""
    try:
        return parse_cpu_list(
            Path(f"/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list").read_text("ascii")
        )
    except FileNotFoundError:
        return {cpu}


def choose(
    allowed: Iterable[int] | None = None, siblings_of: Callable[[int], set[int]] = siblings
) -> tuple[int, int]:
    """One CPU for the server and one for the load, of different cores where the machine has them. TooFewCpus
    for one CPU.
    """
    cpus = sorted(os.sched_getaffinity(0) if allowed is None else allowed)
    if len(cpus) < 2:
        raise TooFewCpus("the server and the load need a CPU each, and this process may use only one")
    server = cpus[0]
    apart = [cpu for cpu in cpus[1:] if cpu not in siblings_of(server)]
    return server, (apart or cpus[1:])[0]
