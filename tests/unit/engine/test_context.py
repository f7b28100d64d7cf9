"""What all connections of an engine share."""

from __future__ import annotations

import time
from typing import Any

import pytest

from indrik.engine.context import Context
from indrik.engine.exchange import Handler
from indrik.engine.settings import EngineSettings
from indrik.engine.waiting import Waiting
from indrik.scoreboard.board import Scoreboard


def test_who_is_interrupted_leaves_no_half_of_the_fields(monkeypatch: pytest.MonkeyPatch) -> None:
    """The end of a request's time raises wherever its thread stands, and other threads look meanwhile."""

    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("no response has been refused")

    context = Context(EngineSettings(), Handler(), Scoreboard(1).slots[0], refuse, Waiting())

    def interrupted(moment: float) -> None:
        raise InterruptedError

    with monkeypatch.context() as patch:
        patch.setattr(time, "gmtime", interrupted)
        with pytest.raises(InterruptedError):
            context.response_tail()
    tail = context.response_tail()
    assert tail.startswith("\r\nDate: ")
    assert tail.endswith("\r\n\r\n")
