"""How often workers have failed lately, and so when the next one may be started.

Two kinds are told apart: workers that do not come up (nothing is lost by waiting longer and longer), and
workers that come up but crash soon (they serve in between, so the pause stays short).
"""

from __future__ import annotations

from indrik.arbiter.plan import SOAK, STABLE_AFTER, back_off

#: Seconds that the pause reaches at most for workers that come up but crash.
CRASH_CAP = 2.0


class Failures:
    """The count, and the pause that follows from it. Times are of the monotonic clock."""

    def __init__(self) -> None:
        self._boots = 0
        self._crashes = 0
        #: No start before this.
        self.spawn_at = 0.0

    @property
    def is_cautious(self) -> bool:
        """Whether one worker at a time is enough until one comes up."""
        return self._boots > 0

    def forget(self) -> None:
        """What failed is replaced by something new."""
        self._boots = self._crashes = 0
        self.spawn_at = 0.0

    def note_ready(self) -> None:
        """A worker has come up."""
        self._boots = 0
        self.spawn_at = 0.0

    def note_boot_failure(self, now: float) -> tuple[int, float]:
        """A worker did not come up. Returns how many in a row, and the pause in seconds."""
        self._boots += 1
        delay = back_off(self._boots)
        self.spawn_at = now + delay
        return self._boots, delay

    def note_death(self, now: float, ready_at: float, code: int) -> bool:
        """A worker that had come up has ended by itself. Returns whether that counts as dying at once.

        Leaving with status 0 after some service is a worker's right. The first crash costs no pause: it may
        be one bad request.
        """
        served_for = now - ready_at
        if served_for >= STABLE_AFTER:
            self._crashes = 0
            return False
        if code == 0 and served_for >= SOAK:
            return False
        self._crashes += 1
        self.spawn_at = max(self.spawn_at, now + back_off(self._crashes - 1, CRASH_CAP))
        return True
