"""environ["indrik.deadline"], in ASGI scope["extensions"]["indrik.deadline"]: when a request must be
answered, and moving it (the setting `request_timeout`, or the `timeout` of its route).
"""

from __future__ import annotations

import time

from indrik.engine.exchange import Exchange


class Deadline:
    """The deadline of one request. For the code that answers it, in any thread."""

    __slots__ = ("_exchange",)

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    def __repr__(self) -> str:
        return f"<Deadline in {self.remaining():.1f} s>"

    @property
    def at(self) -> float:
        """The deadline in seconds of `time.monotonic()`."""
        return self._exchange.deadline

    def remaining(self) -> float:
        """Seconds left; negative when it has passed."""
        return self._exchange.deadline - time.monotonic()

    def extend(self, seconds: float) -> None:
        """Moves the deadline `seconds` later. Raises `ValueError` unless it is still to come and `seconds` is
        positive.
        """
        if not seconds > 0:
            raise ValueError(f"a deadline can only be moved later, not by {seconds!r} s")
        if self.remaining() <= 0:
            raise ValueError("the deadline has passed already")
        self._exchange.deadline += seconds
