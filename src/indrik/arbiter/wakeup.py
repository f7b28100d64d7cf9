"""How the arbiter's loop is woken: signals are queued by their handlers, and one pipe makes the loop's sleep
end.

The write end is also what workers write a byte to when the scoreboard has news (ready, wants a successor).
"""

from __future__ import annotations

import math
import os
import select
import signal
from collections import deque
from collections.abc import Collection, Iterable, Iterator
from types import FrameType

from indrik import kept_signals

#: Seconds. Nothing needs it to be shorter; poll(2) counts milliseconds in a C int.
LONGEST_SLEEP = 3600.0


class Wakeup:
    """The queue and the pipe. Master only; a worker keeps nothing of it but `write_fd`."""

    def __init__(self) -> None:
        self.read_fd, self.write_fd = os.pipe()
        os.set_blocking(self.read_fd, False)
        os.set_blocking(self.write_fd, False)
        self._queue: deque[int] = deque()

    def install(self, signals: Collection[int]) -> None:
        """Queue these signals from now on, and before them those that the command has kept. Whoever started
        this process may have blocked some of them.
        """
        # The C handler writes to the pipe, so a signal between the look at the queue and the sleep is not
        # slept over.
        signal.set_wakeup_fd(self.write_fd, warn_on_full_buffer=False)
        for number in signals:
            signal.signal(number, self.enqueue)
        self.put_back(kept_signals.take())
        signal.pthread_sigmask(signal.SIG_UNBLOCK, signals)

    def enqueue(self, number: int, frame: FrameType | None = None) -> None:
        """The handler of every signal: deque's append is atomic, even where another handler interrupts it."""
        self._queue.append(number)

    def wake(self) -> None:
        """End the sleep, or the next one."""
        try:
            os.write(self.write_fd, b"\0")
        except BlockingIOError:
            pass  # full: it is going to wake anyway

    def take(self) -> Iterator[int]:
        """The signals that came in, oldest first. Those behind one that changes the caller's mind stay: QUIT
        after TERM is for the loop that stops.
        """
        while self._queue:
            yield self._queue.popleft()

    def put_back(self, numbers: Iterable[int]) -> None:
        """Queue again what was taken, as the first to be taken next."""
        self._queue.extendleft(reversed([*numbers]))

    def sleep(self, seconds: float, *also: int) -> None:
        """Wait until woken, until one of the descriptors `also` is readable, or for `seconds`."""
        if self._queue:
            seconds = 0.0
        poller = select.poll()
        for fd in (self.read_fd, *also):
            poller.register(fd, select.POLLIN)
        for fd, _ in poller.poll(math.ceil(min(max(0.0, seconds), LONGEST_SLEEP) * 1000.0)):
            if fd == self.read_fd:
                self._empty()

    def close(self) -> None:
        """Close both ends."""
        os.close(self.read_fd)
        os.close(self.write_fd)

    def _empty(self) -> None:
        try:
            while len(os.read(self.read_fd, 4096)) == 4096:
                pass
        except BlockingIOError:
            pass
