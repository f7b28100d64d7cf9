"""What workers have counted: of one, or of many together."""

from __future__ import annotations

from typing import NamedTuple

from indrik.refusals import KINDS, number_of
from indrik.scoreboard.layout import LATENCY_BUCKETS


class Totals(NamedTuple):
    """Counters of one worker, or summed over many."""

    requests: int
    accepted: int
    refused: int
    errors: int
    latency: tuple[int, ...]
    queue_wait: tuple[int, ...]
    refused_by_kind: tuple[int, ...]

    def refused_as(self, kind: str) -> int:
        """How many were refused for this reason, a name of `refusals.KINDS`."""
        return self.refused_by_kind[number_of(kind)]

    def plus(self, other: Totals) -> Totals:
        """The sum, counter by counter and bucket by bucket."""
        return Totals(
            self.requests + other.requests,
            self.accepted + other.accepted,
            self.refused + other.refused,
            self.errors + other.errors,
            tuple(a + b for a, b in zip(self.latency, other.latency, strict=True)),
            tuple(a + b for a, b in zip(self.queue_wait, other.queue_wait, strict=True)),
            tuple(a + b for a, b in zip(self.refused_by_kind, other.refused_by_kind, strict=True)),
        )


NO_TOTALS = Totals(0, 0, 0, 0, (0,) * LATENCY_BUCKETS, (0,) * LATENCY_BUCKETS, (0,) * len(KINDS))
