"""`request_timeout` where the application runs in the main thread: who watches the time, and how a call is
ended.

A thread watches, so that the client gets its 504 in time even when the application is in C code. It sleeps
until the next deadline there can be, so a request costs neither a system call nor a switch of threads. The
main thread is told by a signal, which also ends a system call that it waits in. The signal is a real-time
one: `signal.alarm` and `setitimer` stay the application's.
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable
from types import FrameType

from indrik.engine.exchange import Exchange, Handler
from indrik.engine.interruption import is_interruptible_at
from indrik.engine.ownership import Ownership
from indrik.errors import RequestTimeout
from indrik.signals import OVERDUE_SIGNAL

#: Seconds that the application has to end after it was told to, before it counts as stuck.
GRACE = 5.0

#: Seconds between one signal and the next: one that comes while the server's own code is at work is not
#: heeded.
_AGAIN = 0.05

# What has become of the call in progress.
_IN_TIME = 0
_TOLD = 1
_RAISED = 2
_STUCK = 3


class _Call:
    """One call of the handler, and what has become of it."""

    __slots__ = ("exchange", "stage")

    def __init__(self, exchange: Exchange) -> None:
        self.exchange = exchange
        self.stage = _IN_TIME


class TimedHandler(Handler):
    """Has another handler answer, `seconds` for each request. It may give one another deadline when it
    begins, `shortest` seconds later or more.

    on_overdue: called by the watching thread, with the ownership held, before the main thread is told;
    on_stuck: when it is still inside `GRACE` seconds later. Both get the exchange. behind: called when the
    client has its answer and the main thread was told, for what may wait. `start` and `stop` are the main
    thread's.
    """

    def __init__(
        self,
        handler: Handler,
        seconds: float,
        shortest: float,
        on_overdue: Callable[[Exchange], None],
        on_stuck: Callable[[Exchange], None],
        behind: Callable[[], None],
    ) -> None:
        self._handler = handler
        self._seconds = seconds
        self._shortest = shortest
        self._on_overdue = on_overdue
        self._on_stuck = on_stuck
        self._behind = behind
        self._call: _Call | None = None
        self._stop = threading.Event()
        self._main = threading.get_ident()
        self._ownership: Ownership

    def start(self, ownership: Ownership) -> None:
        """Watches from now on. `ownership`: that of the engine which calls `handle`."""
        self._ownership = ownership
        signal.signal(OVERDUE_SIGNAL, self._on_signal)
        threading.Thread(target=self._watch, name="indrik-deadlines", daemon=True).start()

    def stop(self) -> None:
        """Watches no more."""
        self._stop.set()

    def handle(self, exchange: Exchange) -> None:
        exchange.deadline = time.monotonic() + self._seconds
        self._call = _Call(exchange)
        try:
            self._handler.handle(exchange)
        except RequestTimeout:
            # It came in a hook behind the application; the client has its answer.
            pass
        finally:
            self._call = None

    def client_left(self, exchange: Exchange) -> None:
        self._handler.client_left(exchange)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        """In the main thread, wherever it is: perhaps in the application."""
        call = self._call
        if call is None or call.stage not in (_TOLD, _STUCK):
            return
        if call.exchange.shields or frame is None or not is_interruptible_at(frame):
            # In code of ours, which it leaves soon. There is another signal then.
            return
        if self._ownership.is_held:
            # Sending, or waiting to: compiled code has no frame, and system calls see to signals.
            return
        call.stage = _RAISED
        raise RequestTimeout

    # --- the watching thread ---

    def _watch(self) -> None:
        while not self._stop.wait(self._look()):
            pass

    def _look(self) -> float:
        """Does what is due; seconds until there can be something again."""
        call = self._call
        if call is None:
            # Whatever begins after this has its whole time still.
            return self._shortest
        exchange = call.exchange
        left = exchange.deadline - time.monotonic()
        if left > 0:
            return min(left, self._shortest)
        if call.stage == _IN_TIME:
            self._ownership.acquire()
            try:
                if self._call is not call:
                    return 0.0
                call.stage = _TOLD
                self._on_overdue(exchange)
                exchange.end_overdue()
            finally:
                self._ownership.release()
        if call.stage == _STUCK:
            return self._shortest
        if left <= -GRACE:
            call.stage = _STUCK
            self._on_stuck(exchange)
        if call.stage != _RAISED:
            signal.pthread_kill(self._main, OVERDUE_SIGNAL)
        self._behind()
        return _AGAIN
