"""Where a long run is, and how long it still takes."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import TextIO


def clock(seconds: float) -> str:
    """`m:ss`."""
    whole = max(round(seconds), 0)
    return f"{whole // 60}:{whole % 60:02d}"


class Progress:
    """A line on the terminal that is rewritten; elsewhere one line for each finished step.

    `guess` is how many seconds a step should take; what steps have really taken replaces it from the first
    one on.
    """

    def __init__(
        self,
        steps: int,
        guess: float,
        out: TextIO = sys.stderr,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self.steps = steps
        self.guess = guess
        self.done = 0
        self.out = out
        self.now = now
        self.began_at = now()

    def left(self) -> float:
        """Seconds until the last step ends, as far as can be told."""
        each = (self.now() - self.began_at) / self.done if self.done else self.guess
        return each * (self.steps - self.done)

    def begin(self, what: str) -> None:
        """A step starts."""
        if self.out.isatty():
            self.out.write(f"\r\x1b[K{self.bar()} {what}, {clock(self.left())} left")
            self.out.flush()

    def finish(self, what: str) -> None:
        """A step has ended; `what` says how."""
        self.done += 1
        if self.out.isatty():
            self.out.write(
                f"\r\x1b[K{what}\n" if self.done == self.steps else f"\r\x1b[K{what}\n{self.bar()}"
            )
        else:
            self.out.write(f"[{self.done}/{self.steps}, {clock(self.left())} left] {what}\n")
        self.out.flush()

    def bar(self) -> str:
        """A bar of twenty places."""
        full = 20 * self.done // self.steps if self.steps else 20
        return f"[{'#' * full}{'.' * (20 - full)}] {self.done}/{self.steps}"
