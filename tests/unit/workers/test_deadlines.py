"""Who watches the time of a request in a kind with one thread."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

import pytest

from indrik.engine.exchange import Channel, Exchange, Handler, open_exchange
from indrik.engine.ownership import Ownership
from indrik.engine.timers import NEVER
from indrik.errors import RequestTimeout
from indrik.protocol.head import HeadParser
from indrik.protocol.limits import Limits
from indrik.protocol.request import Request
from indrik.signals import OVERDUE_SIGNAL
from indrik.workers.deadlines import GRACE, TimedHandler

DEADLINE = 20.0


class Closed(Channel):
    """A channel that takes anything."""

    def __init__(self) -> None:
        super().__init__(None, None, Ownership())  # type: ignore[arg-type]

    def refuse(self, refusal: Any) -> None:
        pass


class Calls(Handler):
    """Calls one function for each exchange."""

    def __init__(self, *functions: Callable[[Exchange], None]) -> None:
        self._functions = list(functions)

    def handle(self, exchange: Exchange) -> None:
        self._functions.pop(0)(exchange)


@pytest.fixture
def signals() -> Iterator[None]:
    before = signal.signal(OVERDUE_SIGNAL, lambda number, frame: None)
    yield
    signal.signal(OVERDUE_SIGNAL, before)


def new_exchange() -> Exchange:
    head = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
    request: Any = HeadParser(Limits()).parse(Request(), head, len(head), False)
    return open_exchange(Closed(), request, None, 0.0)


def watch_stopped_at(point: int, timed: TimedHandler, stands: threading.Event, goes: threading.Event) -> int:
    """Looks as the watching thread does, and stands still at its instruction number `point`. Instructions."""
    count = 0

    def trace(frame: FrameType, event: str, argument: Any) -> Any:
        nonlocal count
        if event == "call":
            if frame.f_code is not TimedHandler._look.__code__:
                return None
            frame.f_trace_opcodes = True
        elif event == "opcode":
            count += 1
            if count == point:
                stands.set()
                goes.wait(DEADLINE)
        return trace

    sys.settrace(trace)
    try:
        timed._look()
    finally:
        sys.settrace(None)
        stands.set()
    return count


def next_is_ended(point: int) -> tuple[bool, int]:
    """Whether the second of two requests is ended though it is in time, when the watching thread stands still
    at `point` from the first to the second; how many instructions it had.
    """
    stands = threading.Event()
    goes = threading.Event()
    counts: list[int] = []
    ended: list[bool] = []

    def first(exchange: Exchange) -> None:
        watcher.start()
        assert stands.wait(DEADLINE)

    def second(exchange: Exchange) -> None:
        exchange.deadline = NEVER
        goes.set()
        watcher.join(DEADLINE)
        exchange.shields = 0
        names: dict[str, Any] = {"__name__": "app", "sys": sys}
        exec("frame = sys._getframe()", names)
        try:
            timed._on_signal(OVERDUE_SIGNAL, names["frame"])
        except RequestTimeout:
            ended.append(True)

    def nothing(exchange: Exchange) -> None:
        pass

    timed = TimedHandler(Calls(first, second), -2 * GRACE, 1.0, nothing, nothing, lambda: None)
    timed._ownership = Ownership()
    watcher = threading.Thread(
        target=lambda: counts.append(watch_stopped_at(point, timed, stands, goes)), daemon=True
    )
    timed.handle(new_exchange())
    timed.handle(new_exchange())
    return bool(ended), counts[0]


def test_what_is_meant_for_one_request_never_hits_the_next(signals: None) -> None:
    """Wherever the watching thread is when the request that it looks at ends, and another begins."""
    point = 0
    count = 1
    while point <= count:
        point += 1
        is_ended, count = next_is_ended(point)
        assert not is_ended, f"because of instruction {point}"
    assert point > 50
