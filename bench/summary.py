"""A handful of measurements as one number with its spread."""

from __future__ import annotations

import statistics
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Summary:
    """The median of some values, and the least and the greatest of them."""

    median: float
    least: float
    greatest: float

    def text(self, digits: int = 0) -> str:
        """`12.3 (12.1-12.6)`."""
        return f"{self.median:,.{digits}f} ({self.least:,.{digits}f}-{self.greatest:,.{digits}f})"


def summarize(values: Iterable[float]) -> Summary:
    """ValueError for no values."""
    numbers = list(values)
    if not numbers:
        raise ValueError("nothing to summarize")
    return Summary(statistics.median(numbers), min(numbers), max(numbers))


def percentile(values: Iterable[float], percent: float) -> float:
    """The least value that at least `percent` of a hundred of the values do not exceed. ValueError for no
    values.
    """
    numbers = sorted(values)
    if not numbers:
        raise ValueError("no percentile of nothing")
    rank = -(-len(numbers) * percent // 100)
    return numbers[max(int(rank), 1) - 1]
