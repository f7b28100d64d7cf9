"""What checks are made of: the registry, how one fails, and waiting for a condition with a deadline."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from indrik.testing.bench import Bench

_T = TypeVar("_T")

#: Seconds that anything may take before it counts as not happening: far more than it should take on a busy
#: machine.
DEADLINE = 20.0


class Broken(AssertionError):
    """A promise is not kept. The text says what was found instead of what."""


class NotPromised(Exception):
    """The check does not concern this kind. The text says why."""


@dataclass(frozen=True)
class Check:
    """One registered check: a function of one `Bench`. Its docstring is the promise that it proves. shares:
    whether it asks nothing but `Bench.shared` for a server.
    """

    name: str
    run: Callable[[Bench], None]
    promise: str
    shares: bool = False


#: In the order of the modules in `checks`, by name.
CHECKS: dict[str, Check] = {}


def check(run: Callable[[Bench], None]) -> Callable[[Bench], None]:
    """Registers a check under its function's name."""
    return _register(run, shares=False)


def sharing_check(run: Callable[[Bench], None]) -> Callable[[Bench], None]:
    """Registers a check that leaves a server as it found it, with its requests answered or noted as ended:
    the next one of its sort has the same server.
    """
    return _register(run, shares=True)


def _register(run: Callable[[Bench], None], shares: bool) -> Callable[[Bench], None]:
    name = run.__name__
    if name in CHECKS:
        raise ValueError(f"there is a check {name!r} already")
    CHECKS[name] = Check(name, run, " ".join((run.__doc__ or "").split()), shares)
    return run


def expect(condition: object, otherwise: str) -> None:
    """Fails with the text `otherwise` unless `condition` is true. (Not `assert`: `python -O` drops that.)"""
    if not condition:
        raise Broken(otherwise)


def equal(found: Any, wanted: Any, what: str) -> None:
    """Fails unless both are equal; `what` names what was looked at."""
    if found != wanted:
        raise Broken(f"{what}: found {_shorten(found)}, not {_shorten(wanted)}")


def wait_for(condition: Callable[[], _T], what: str, seconds: float = DEADLINE) -> _T:
    """The first true value of `condition`; fails if there is none within `seconds`."""
    give_up_at = time.monotonic() + seconds
    pause = 0.01
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > give_up_at:
            raise Broken(f"not within {seconds:g} s: {what}")
        time.sleep(pause)
        # Whoever waits long looks less often: looking takes the processor from what is waited for.
        pause = min(pause * 1.2, 0.05)


def _shorten(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 300 else f"{text[:200]} ... {text[-80:]}"
