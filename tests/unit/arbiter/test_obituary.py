"""What is said of dying workers, from what evidence."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from indrik.arbiter.obituary import (
    OutOfMemoryWatch,
    explain_abort,
    explain_death,
    report,
    signal_name,
    what_it_serves,
    why_it_cannot_react,
)
from indrik.arbiter.roster import Member
from indrik.arbiter.stacks import open_stacks, take_stacks
from indrik.scoreboard.board import Scoreboard
from indrik.scoreboard.layout import State

NOW = 100.0


def member(ready: bool = True) -> Member:
    board = Scoreboard(1)
    slot = board.take(1, 1, NOW - 60)
    times = (NOW - 60, 30.0, 30.0)
    return Member(4242, SimpleNamespace(age=1), slot, 1, 0, *times, ready=ready, stacks_fd=open_stacks())


def test_what_it_serves() -> None:
    one = member()
    assert what_it_serves(one, NOW) == "serving no request"
    assert what_it_serves(member(ready=False), NOW) == "loading the application"
    one.slot.begin("GET", "/slow", NOW - 3)
    assert what_it_serves(one, NOW) == "serving 'GET /slow' for 3.0 s"
    one.slot.begin("POST", "/x", NOW - 1)
    assert what_it_serves(one, NOW) == "serving 'POST /x' for 1.0 s, and 1 more"
    one.slot.end(NOW, NOW - 1)
    one.slot.end(NOW, NOW - 3)
    assert what_it_serves(one, NOW) == "serving no request (the last, 'POST /x', began 1.0 s before)"


def test_report() -> None:
    one = member()
    one.slot.begin("GET", "/", NOW - 3)
    one.slot.end(NOW - 2, NOW - 3)
    expected = (
        "Worker (pid:4242) was killed by SIGSEGV after 60.0 s and 1 request, "
        "while serving no request (the last, 'GET /', began 3.0 s before)"
    )
    assert report(one, -signal.SIGSEGV, "out of memory", NOW) == expected
    assert report(one, -signal.SIGKILL, "the evidence", NOW).endswith("; the evidence")
    assert "exited with code 7" in report(one, 7, "", NOW)


def test_signal_names() -> None:
    assert signal_name(9) == "SIGKILL"
    assert signal_name(45) == "signal 45"


def test_stacks_come_with_a_crash_only(log: Any) -> None:
    one = member()
    os.write(one.stacks_fd, b"File x.py")
    explain_death(log, one, 0, False, "")
    explain_death(log, one, -9, True, "")
    assert log.texts("error") == []
    explain_death(log, one, -11, False, "")
    assert log.texts("error")[1] == "Stacks of worker (pid:4242):\nFile x.py"


@pytest.mark.parametrize("state", [State.BUSY, State.DRAINING, State.EXITING])
def test_status_0_inside_a_request_is_a_death(log: Any, state: State) -> None:
    one = member()
    one.slot.begin("GET", "/", NOW - 3)
    one.slot.state = state
    explain_death(log, one, 0, False, "")
    # A worker that was leaving, because somebody has sent it a signal, may be cut off.
    assert len(log.texts("error")) == (state == State.BUSY)


@pytest.mark.parametrize(
    ("code", "ready", "out_of_memory", "said"),
    [
        (3, False, "", "; its own lines above say why"),
        (4, False, "", "; its own lines above say why"),
        (3, True, "", "look for os._exit, sys.exit"),
        (255, True, "", "the exception above says why"),
        (-signal.SIGKILL, True, "", "it was not the server"),
        (-signal.SIGKILL, True, "the evidence", "; the evidence; have fewer workers"),
        (-signal.SIGSEGV, True, "", "C code has crashed"),
        (-signal.SIGABRT, True, "", "C code has given up"),
        (-signal.SIGHUP, True, "", "it was not the server that sent it"),
    ],
)
def test_what_to_do(log: Any, code: int, ready: bool, out_of_memory: str, said: str) -> None:
    explain_death(log, member(ready), code, False, out_of_memory)
    assert said in log.texts("error")[0]


def test_abort_without_stacks_says_so(log: Any) -> None:
    explain_abort(log, member(), 30.0, False)
    [line] = log.texts("critical")
    assert "gave no sign of life for 30.0 s, serving no request; aborted after " in line
    assert line.endswith("if it only needs longer, raise timeout")
    assert log.texts("error") == ["Stacks of worker (pid:4242):\nnone: the process did not react"]


def test_abort_of_one_that_loads_names_its_limit(log: Any) -> None:
    explain_abort(log, member(ready=False), 60.0, True)
    [line] = log.texts("critical")
    assert "has not become ready for 60.0 s, loading the application" in line
    assert line.endswith("raise boot_timeout")


def test_stacks_are_taken_once() -> None:
    fd = open_stacks()
    os.write(fd, b"first")
    assert take_stacks(fd) == "first"
    assert take_stacks(fd) == ""
    os.write(fd, b"second")
    assert take_stacks(fd) == "second"
    assert take_stacks(-1) == ""
    assert not os.get_inheritable(fd)


def test_own_process_can_react() -> None:
    assert why_it_cannot_react(os.getpid()) == ""
    assert why_it_cannot_react(2**22 + 1) == ""


class TestOutOfMemory:
    @pytest.fixture
    def proc(self, tmp_path: Path) -> Path:
        (tmp_path / "proc" / "self").mkdir(parents=True)
        return tmp_path / "proc"

    def watch(self, proc: Path) -> OutOfMemoryWatch:
        return OutOfMemoryWatch(str(proc), str(proc.parent / "cgroup"))

    def put(self, path: Path, text: str) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def test_cgroup_v2(self, proc: Path) -> None:
        self.put(proc / "self" / "cgroup", "0::/app.slice/web\n")
        events = proc.parent / "cgroup" / "app.slice" / "web" / "memory.events"
        self.put(events, "low 0\noom 3\noom_kill 2\noom_group_kill 0\n")
        watch = self.watch(proc)
        assert watch.took_one() == ""
        events.write_text("low 0\noom 4\noom_kill 3\n")
        said = "out of memory: the kernel's count of such kills rose from 2 to 3"
        assert watch.took_one() == f"{said} ({events})"
        assert watch.took_one() == ""

    def test_cgroup_v1(self, proc: Path) -> None:
        self.put(proc / "self" / "cgroup", "9:name=systemd:/x\n5:memory:/box\n")
        control = proc.parent / "cgroup" / "memory" / "box" / "memory.oom_control"
        self.put(control, "oom_kill_disable 0\nunder_oom 0\noom_kill 0\n")
        watch = self.watch(proc)
        control.write_text("oom_kill_disable 0\nunder_oom 0\noom_kill 1\n")
        assert "from 0 to 1" in watch.took_one()

    def test_whole_machine(self, proc: Path) -> None:
        self.put(proc / "self" / "cgroup", "0::/gone\n")
        counters = self.put(proc / "vmstat", "nr_free_pages 5\noom_kill 7\n")
        watch = self.watch(proc)
        counters.write_text("oom_kill 8\n")
        assert "from 7 to 8" in watch.took_one()

    def test_no_evidence_no_claim(self, proc: Path) -> None:
        assert self.watch(proc).took_one() == ""
