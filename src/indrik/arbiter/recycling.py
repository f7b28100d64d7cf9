"""Which workers have had their day: limits on memory and lifetime that the master watches. A worker over one
is replaced, never cut off.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from indrik.arbiter.nursery import MIB
from indrik.arbiter.obituary import resident_bytes
from indrik.arbiter.roster import Member

#: Seconds between two looks at the memory: one small read a worker.
MEMORY_INTERVAL = 1.0


class Recycling:
    """Marks members as outworn. Master only."""

    def __init__(self) -> None:
        self._look_at = 0.0

    def check(self, members: Iterable[Member], log: Any, now: float) -> float:
        """Mark who is over a limit; returns when to look again. A jitter has been added to each worker's own
        limits.
        """
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
                        used // MIB,
                        member.memory_limit // MIB,
                    )
                    member.outworn = True
        return wake_at
