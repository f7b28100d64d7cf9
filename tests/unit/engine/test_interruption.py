from __future__ import annotations

import logging
import subprocess
import sys
import threading
import time
from collections.abc import Callable

import pytest

from indrik.engine.interruption import interrupt, is_interruptible, is_interruptible_at

DEADLINE = 20.0


class Told(BaseException):
    pass


def started(function: Callable[[threading.Event], None]) -> threading.Thread:
    """A thread that has come as far as `function` says."""
    there = threading.Event()
    thread = threading.Thread(target=function, args=(there,), daemon=True)
    thread.start()
    assert there.wait(DEADLINE)
    return thread


def test_raises_in_python_code() -> None:
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
    assert is_interruptible(thread.ident)
    interrupt(thread.ident, Told)
    thread.join(DEADLINE)
    assert len(caught) == 1


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


def test_a_thread_that_has_ended_is_left_alone() -> None:
    thread = started(lambda there: there.set())
    thread.join(DEADLINE)
    assert thread.ident is not None
    assert not is_interruptible(thread.ident)
    interrupt(thread.ident, Told)


def test_not_while_a_log_is_written() -> None:
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
    assert not is_interruptible(thread.ident)
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
        ("logging", False),
        ("logging.handlers", False),
    ],
)
def test_whose_code(module: str, may: bool) -> None:
    names: dict[str, object] = {"__name__": module, "sys": sys}
    exec("frame = sys._getframe()", names)
    frame = names["frame"]
    assert is_interruptible_at(frame) is may  # type: ignore[arg-type]
