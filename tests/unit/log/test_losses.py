from __future__ import annotations

import sys
import time

import pytest

from indrik.log import losses
from indrik.log.losses import LossReport


def test_the_first_loss_is_told_at_once_and_the_next_ones_are_counted(
    capsys: pytest.CaptureFixture[str],
) -> None:
    report = LossReport("access.log")
    for _ in range(1000):
        report.lost(OSError("no space left"))
    assert report.count == 1000
    assert capsys.readouterr().err == "indrik: log: access.log: no space left; lines lost so far: 1\n"


def test_a_later_interval_is_told_again(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1000.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    report = LossReport("x")
    report.lost(OSError("a"))
    now += losses.INTERVAL
    report.lost(OSError("b"))
    assert [line.rpartition(" ")[2] for line in capsys.readouterr().err.splitlines()] == ["1", "2"]


def test_recovery_tells_the_whole_number(capsys: pytest.CaptureFixture[str]) -> None:
    report = LossReport("x")
    report.lost(OSError("a"))
    report.lost(OSError("a"))
    report.recovered()
    assert capsys.readouterr().err.endswith("x: written again; lines lost: 2\n")
    assert report.count == 0


def test_a_closed_stderr_is_survived(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", None)
    LossReport("x").lost(OSError("a"))
