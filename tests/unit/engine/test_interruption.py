from __future__ import annotations

import logging
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from indrik.engine import interruption
from indrik.engine.exchange import Channel, Exchange, open_exchange
from indrik.engine.interruption import interrupt, interrupt_application, is_interruptible_at, take_back
from indrik.engine.ownership import Ownership
from indrik.protocol.head import HeadParser
from indrik.protocol.limits import Limits
from indrik.protocol.request import Request

DEADLINE = 20.0


class Told(BaseException):
    pass


@pytest.fixture
def exchange() -> Exchange:
    """One whose thread is in the application."""
    head = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
    request: Any = HeadParser(Limits()).parse(Request(), head, len(head), False)
    channel = Channel(None, None, Ownership())  # type: ignore[arg-type]
    made = open_exchange(channel, request, None, 0.0)
    made.shields = 0
    return made


def is_compiled() -> bool:
    return not str(interruption.__file__).endswith(".py")


def started(function: Callable[[threading.Event], None]) -> threading.Thread:
    """A thread that has come as far as `function` says."""
    there = threading.Event()
    thread = threading.Thread(target=function, args=(there,), daemon=True)
    thread.start()
    assert there.wait(DEADLINE)
    return thread


def test_raises_in_python_code(exchange: Exchange) -> None:
    caught: list[BaseException] = []

    def spin(there: threading.Event) -> None:
        try:
            there.set()
            while True:
                pass
        except Told as error:
            caught.append(error)

    thread = started(spin)
    assert thread.ident is not None
    assert interrupt_application(exchange, thread.ident, Told)
    assert exchange.is_told
    thread.join(DEADLINE)
    assert len(caught) == 1


def test_not_while_the_server_is_at_work(exchange: Exchange) -> None:
    ends = threading.Event()

    def wait(there: threading.Event) -> None:
        there.set()
        ends.wait(DEADLINE)

    thread = started(wait)
    assert thread.ident is not None
    exchange.shields = 1
    assert not interrupt_application(exchange, thread.ident, Told)
    assert not exchange.is_told
    ends.set()
    thread.join(DEADLINE)


def test_the_thread_takes_back_what_was_not_raised(exchange: Exchange) -> None:
    ends = threading.Lock()
    ends.acquire()
    caught: list[BaseException] = []

    def wait(there: threading.Event) -> None:
        there.set()
        try:
            # In C until it is let go; CPython does not look behind this before the next call.
            with ends:
                take_back(exchange)
            for _ in range(1000):
                is_interruptible_at(sys._getframe())
        except Told as error:
            caught.append(error)

    thread = started(wait)
    assert thread.ident is not None
    give_up_at = time.monotonic() + DEADLINE
    while not interrupt_application(exchange, thread.ident, Told):
        assert time.monotonic() < give_up_at
    ends.release()
    thread.join(DEADLINE)
    # Uncompiled, the call of `take_back` is where it is raised: before its first line.
    assert len(caught) == (0 if is_compiled() else 1)
    assert exchange.is_told == bool(caught)


def test_can_be_taken_back() -> None:
    ends = threading.Event()
    survived: list[bool] = []

    def wait(there: threading.Event) -> None:
        there.set()
        # In C until it is let go: nothing is raised before.
        ends.wait(DEADLINE)
        survived.append(True)

    thread = started(wait)
    assert thread.ident is not None
    interrupt(thread.ident, Told)
    interrupt(thread.ident, None)
    ends.set()
    thread.join(DEADLINE)
    assert survived


TRACED = """\
import _thread, sys
if sys.argv[1:] == ["patched"]:
    import gevent.monkey
    gevent.monkey.patch_all()
from indrik.engine.interruption import interrupt
from indrik.engine.originals import original
interrupt(original(_thread, "get_ident")(), None)
sys.settrace(lambda *_: None)
(lambda: None)()
print("done")
"""


@pytest.mark.parametrize("process", ["plain", "patched"])
def test_what_was_taken_back_does_not_hang_who_traces(process: str) -> None:
    if process == "patched":
        pytest.importorskip("gevent")
    command = [sys.executable, "-c", TRACED, process]
    made = subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE, check=False)
    assert (made.stdout, made.stderr) == ("done\n", "")


def test_a_thread_that_has_ended_is_left_alone(exchange: Exchange) -> None:
    thread = started(lambda there: there.set())
    thread.join(DEADLINE)
    assert thread.ident is not None
    assert not interrupt_application(exchange, thread.ident, Told)
    interrupt(thread.ident, Told)


def test_not_while_a_log_is_written(exchange: Exchange) -> None:
    """A handler's lock would stay held."""
    ends = threading.Event()

    class Slow(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            pass

    handler = Slow()
    handler.acquire()
    logger = logging.getLogger("tests.slow")
    logger.propagate = False
    logger.addHandler(handler)

    def write(there: threading.Event) -> None:
        there.set()
        logger.warning("waits for the handler's lock")
        ends.set()

    thread = started(write)
    assert thread.ident is not None
    give_up_at = time.monotonic() + DEADLINE
    while sys._current_frames()[thread.ident].f_globals["__name__"] != "logging":
        assert time.monotonic() < give_up_at
        time.sleep(0.001)
    assert not interrupt_application(exchange, thread.ident, Told)
    handler.release()
    assert ends.wait(DEADLINE)
    logger.removeHandler(handler)


@pytest.mark.parametrize(
    ("module", "may"),
    [
        ("app", True),
        ("indriks", True),
        ("loggings", True),
        ("indrik.testing.wsgi", True),
        ("indrik.engine.waiting", True),
        ("indrik.engine.waiting_room", False),
        ("indrik.engine.ownership", False),
        ("indrik.gateway.wsgi", False),
        ("indrik.log.logger", False),
        ("indrik.log.errors_stream", False),
        ("indrik.quotas", False),
        ("indrik.scoreboard", False),
        ("importlib._bootstrap", False),
        ("importlib", True),
        ("logging", False),
        ("logging.handlers", False),
    ],
)
def test_whose_code(module: str, may: bool) -> None:
    names: dict[str, object] = {"__name__": module, "sys": sys}
    exec("frame = sys._getframe()", names)
    frame = names["frame"]
    assert is_interruptible_at(frame) is may  # type: ignore[arg-type]
