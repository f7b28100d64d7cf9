"""CPU time and memory of a process tree."""

from __future__ import annotations

import subprocess
import sys

import pytest

from bench import proctree
from bench.proctree import CpuTime

# Burns CPU in the main thread, in a second one, in a child that it reaps and in one that lives on.
BURN = """
import os, sys, threading, time
def burn():
    end = time.thread_time() + 0.1
    while time.thread_time() < end:
        pass
burn()
thread = threading.Thread(target=burn)
thread.start()
thread.join()
reaped = os.fork()
if reaped == 0:
    burn()
    os._exit(0)
os.waitpid(reaped, 0)
r, w = os.pipe()
if os.fork() == 0:
    burn()
    os.write(w, b"x")
    sys.stdin.read()
    os._exit(0)
os.read(r, 1)
print("burnt", flush=True)
sys.stdin.read()
"""


def test_a_command_name_may_hold_anything() -> None:
    stat = proctree.parse_stat("42 (a) (b c) S 7 42 42 0 -1 4194304 1 2 3 4 50 60 70 80 20 0 1 0\n")
    assert stat[proctree.PPID] == 7
    assert [stat[field] for field in (proctree.UTIME, proctree.STIME)] == [50, 60]
    assert [stat[field] for field in (proctree.CUTIME, proctree.CSTIME)] == [70, 80]


def test_a_process_that_is_gone_has_no_numbers() -> None:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    assert proctree.read_stat(process.pid) is None
    assert list(proctree.walk(process.pid)) == []


def test_threads_and_children_dead_and_alive_are_counted_once() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", BURN], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "burnt\n"
        used = proctree.cpu_time(process.pid)
        alive = [pid for pid, _ in proctree.walk(process.pid)]
        rss, pss = proctree.memory(process.pid), proctree.memory(process.pid, "Pss")
        process.communicate("")
    assert len(alive) == 2
    # Four burns of 0.1 s, less the ticks that rounding down each kind of each process's time may lose.
    assert 0.34 <= used.total <= 0.8
    assert 0 < pss < rss


def test_a_difference_is_taken_for_each_kind() -> None:
    difference = CpuTime(3.5, 2.25) - CpuTime(1.0, 2.0)
    assert (difference.user, difference.system, difference.total) == (2.5, 0.25, 2.75)


def test_kilobytes() -> None:
    text = "55d0-7ffc ---p 00000000 00:00 0    [rollup]\nRss:       1234 kB\nPss:        567 kB\n"
    assert proctree.parse_kilobytes(text, "Rss") == 1234 * 1024
    assert proctree.parse_kilobytes(text, "Pss") == 567 * 1024
    with pytest.raises(ValueError, match="Swap"):
        proctree.parse_kilobytes(text, "Swap")
