"""Limits on a worker's memory and lifetime, which the master sets and watches. A worker over one is replaced,
never cut off.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterable
from typing import Any

from indrik.arbiter.roster import Member

#: Seconds between two looks at the memory: one small read a worker.
MEMORY_INTERVAL = 1.0

_MIB = 1024 * 1024


def set_limits(member: Member, cfg: Any) -> None:
    """How old the worker may become, and how large: as the configuration says, and up to the jitter more."""
    import random  # late: most configurations have no such limit

    if cfg.max_worker_lifetime:
        member.expires_in = cfg.max_worker_lifetime + random.uniform(0.0, cfg.max_worker_lifetime_jitter)
    if cfg.max_worker_memory:
        member.memory_limit = (cfg.max_worker_memory + random.randint(0, cfg.max_worker_memory_jitter)) * _MIB


class Recycling:
    """Marks members as outworn. Master only."""

    def __init__(self) -> None:
        self._look_at = 0.0

    def check(self, members: Iterable[Member], log: Any, now: float) -> float:
        """Mark who is over a limit; returns when to look again."""
        wake_at = math.inf
        looks = now >= self._look_at
        if looks:
            self._look_at = now + MEMORY_INTERVAL
        for member in members:
            if not member.ready or member.outworn or member.was_told:
                continue
            if member.expires_in:
                expires_at = member.slot.ready_at + member.expires_in
                if now >= expires_at:
                    log.info(
                        "Worker (pid:%s) has served for %.0f s: replacing it",
                        member.pid,
                        now - member.slot.ready_at,
                    )
                    member.outworn = True
                    continue
                wake_at = min(wake_at, expires_at)
            if member.memory_limit:
                wake_at = min(wake_at, self._look_at)
                used = resident_bytes(member.pid) if looks else 0
                if used > member.memory_limit:
                    log.info(
                        "Worker (pid:%s) uses %d MiB of memory, its limit is %d: replacing it",
                        member.pid,
                        used // _MIB,
                        member.memory_limit // _MIB,
                    )
                    member.outworn = True
        return wake_at


def resident_bytes(pid: int) -> int:
    """Resident set size (proc(5), statm) in bytes; 0 if the process is gone. Raises OSError where there is no
    /proc.
    """
    try:
        with open(f"/proc/{pid}/statm", encoding="ascii") as file:
            pages = int(file.read().split()[1])
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")
