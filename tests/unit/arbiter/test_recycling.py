"""Limits on memory and lifetime mark a worker, they do not end it."""

from __future__ import annotations

import math
import os
from types import SimpleNamespace
from typing import Any

from indrik.arbiter.recycling import MEMORY_INTERVAL, Recycling, resident_bytes
from indrik.arbiter.roster import Member
from indrik.scoreboard.board import Scoreboard

NOW = 100.0


def member(**values: Any) -> Member:
    slot = Scoreboard(1).take(1, 1, NOW - 60)
    slot.ready_at = NOW - 50
    return Member(os.getpid(), SimpleNamespace(age=1), slot, 1, 0, NOW - 60, 30.0, 30.0, ready=True, **values)


def test_no_limits_no_look(log: Any) -> None:
    assert Recycling().check([member()], log, NOW) == math.inf


def test_lifetime(log: Any) -> None:
    one = member(expires_in=60.0)
    recycling = Recycling()
    assert recycling.check([one], log, NOW) == NOW + 10
    assert log.lines == []
    recycling.check([one], log, NOW + 10)
    assert one.outworn
    assert "has served for 60 s" in log.texts("info")[0]
    assert recycling.check([one], log, NOW + 20) == math.inf


def test_memory(log: Any) -> None:
    small, great = member(memory_limit=1 << 40), member(memory_limit=1 << 20)
    recycling = Recycling()
    assert recycling.check([small, great], log, NOW) == NOW + MEMORY_INTERVAL
    assert (small.outworn, great.outworn) == (False, True)


def test_memory_is_not_looked_at_every_time(log: Any) -> None:
    recycling = Recycling()
    recycling.check([], log, NOW)
    one = member(memory_limit=1)
    recycling.check([one], log, NOW + MEMORY_INTERVAL / 2)
    assert not one.outworn
    recycling.check([one], log, NOW + MEMORY_INTERVAL)
    assert one.outworn


def test_who_leaves_or_boots_is_left_alone(log: Any) -> None:
    leaving, booting = member(memory_limit=1, leaving_at=NOW), member(memory_limit=1)
    booting.ready = False
    Recycling().check([leaving, booting], log, NOW)
    assert not leaving.outworn
    assert not booting.outworn


def test_resident_bytes() -> None:
    assert resident_bytes(os.getpid()) > 1024 * 1024
    assert resident_bytes(2**22 + 1) == 0
