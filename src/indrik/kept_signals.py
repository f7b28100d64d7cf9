"""Signals that reach the command before there is a master: kept for it, from the command's first line on.

HUP right after the start (a deploy script, a supervisor) would otherwise end the process by its default
action, and TTIN and TTOU would stop it. TERM, INT and QUIT are left alone: they end a start at once.

Handlers keep them, and not a blocked mask: what the configuration starts would inherit that.
"""

from __future__ import annotations

import os
import signal
from types import FrameType
from typing import Any

from indrik.signals import KEPT_SIGNALS

_arrived: list[int] = []

#: The handlers from before, once `keep` was called.
_former: dict[int, Any] = {}


def keep() -> None:
    """Keep `KEPT_SIGNALS` from now on, those included that were blocked until here. In the main thread."""
    for number in KEPT_SIGNALS:
        _former.setdefault(number, signal.signal(number, _note))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, KEPT_SIGNALS)


def is_used() -> bool:
    """Whether this program begins with `keep`, as the `indrik` command does. It will when it is run again."""
    return bool(_former)


def take() -> list[int]:
    """What has arrived, in order. For who has handlers of its own by now."""
    arrived = _arrived.copy()
    _arrived.clear()
    return arrived


def let_go() -> None:
    """There will be no master: the signals do what they did before `keep`, also those that have arrived."""
    for number, handler in _former.items():
        # None: it was not set from Python, so Python cannot put it back.
        signal.signal(number, signal.SIG_DFL if handler is None else handler)
    _former.clear()
    for number in take():
        os.kill(os.getpid(), number)


def _note(number: int, frame: FrameType | None) -> None:
    _arrived.append(number)
