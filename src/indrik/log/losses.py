"""What happens when an output takes no lines (disk full, syslog away): say so on stderr, seldom, and
count."""

from __future__ import annotations

import sys
import time

#: Seconds between two reports of one output: often enough for an operator, too seldom to fill another disk.
INTERVAL = 10.0


class LossReport:
    """Losses of one output of one process. Logging must not stop a request, so nothing here raises."""

    def __init__(self, what: str) -> None:
        self.what = what
        self.count = 0
        self._report_at = 0.0

    def lost(self, reason: BaseException) -> None:
        """One line was not written because of `reason`."""
        self.count += 1
        now = time.monotonic()
        if now >= self._report_at:
            self._report_at = now + INTERVAL
            self._say(f"{self.what}: {reason}; lines lost so far: {self.count}")

    def recovered(self) -> None:
        """Lines are taken again. Call it only when `count` is not 0."""
        self._say(f"{self.what}: written again; lines lost: {self.count}")
        self.count = 0
        self._report_at = 0.0

    def _say(self, text: str) -> None:
        try:
            sys.stderr.write(f"indrik: log: {text}\n")
            sys.stderr.flush()
        except (OSError, ValueError, AttributeError):
            # stderr is closed or is the very file that is full: no place is left to say it.
            pass
