"""Signals are queued in order, and no sleep outlasts one."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator

import pytest

from indrik import kept_signals
from indrik.arbiter.wakeup import Wakeup


@pytest.fixture
def wakeup() -> Iterator[Wakeup]:
    before = {number: signal.getsignal(number) for number in (signal.SIGUSR1, signal.SIGUSR2)}
    made = Wakeup()
    made.install(before)
    yield made
    signal.set_wakeup_fd(-1)
    for number, handler in before.items():
        signal.signal(number, handler)
    made.close()


def slept(wakeup: Wakeup, seconds: float, *also: int) -> float:
    begin = time.monotonic()
    wakeup.sleep(seconds, *also)
    return time.monotonic() - begin


def test_signals_come_out_in_order(wakeup: Wakeup) -> None:
    for number in (signal.SIGUSR2, signal.SIGUSR1, signal.SIGUSR2):
        signal.raise_signal(number)
    assert list(wakeup.take()) == [signal.SIGUSR2, signal.SIGUSR1, signal.SIGUSR2]
    assert list(wakeup.take()) == []


def test_what_the_command_has_kept_comes_first(wakeup: Wakeup) -> None:
    kept_signals.keep()
    try:
        signal.raise_signal(signal.SIGUSR2)
        signal.raise_signal(signal.SIGUSR1)
        wakeup.install((signal.SIGUSR1, signal.SIGUSR2))
        signal.raise_signal(signal.SIGUSR2)
        assert list(wakeup.take()) == [signal.SIGUSR2, signal.SIGUSR1, signal.SIGUSR2]
    finally:
        kept_signals.let_go()


def test_what_is_put_back_comes_first(wakeup: Wakeup) -> None:
    signal.raise_signal(signal.SIGUSR2)
    wakeup.put_back([signal.SIGUSR1, signal.SIGUSR2])
    assert list(wakeup.take()) == [signal.SIGUSR1, signal.SIGUSR2, signal.SIGUSR2]


def test_a_signal_before_the_sleep_is_not_slept_over(wakeup: Wakeup) -> None:
    signal.raise_signal(signal.SIGUSR1)
    assert slept(wakeup, 30) < 10
    list(wakeup.take())
    assert slept(wakeup, 0.01) >= 0.01


def test_a_signal_ends_the_sleep(wakeup: Wakeup) -> None:
    timer = threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGUSR1))
    timer.start()
    assert slept(wakeup, 30) < 10
    timer.join()
    assert list(wakeup.take()) == [signal.SIGUSR1]


def test_wake_and_a_full_pipe(wakeup: Wakeup) -> None:
    for _ in range(100_000):
        wakeup.wake()
    assert slept(wakeup, 30) < 10
    assert slept(wakeup, 0.01) >= 0.01


def test_another_descriptor_ends_the_sleep(wakeup: Wakeup) -> None:
    reader, writer = os.pipe()
    os.write(writer, b"x")
    assert slept(wakeup, 30, reader) < 10
    os.close(reader)
    os.close(writer)


def test_endless_sleep_is_possible(wakeup: Wakeup) -> None:
    wakeup.wake()
    assert slept(wakeup, float("inf")) < 10
