"""`sys.exit()` in a hook of the master: it leaves in order, with that status, and says which hook asked."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from tests.process.conftest import ServerFactory
from tests.process.server import Server, is_alive, wait_for

CONFIGURATION = """\
import os, sys
def note(name):
    with open("hooks", "a") as file:
        print(name, file=file)
def worker_exit(server, worker):
    note("worker_exit")
def on_exit(server):
    note("on_exit")
"""

#: Hook -> its arguments, when it raises, and what makes that true, once two workers are ready.
LATER: dict[str, tuple[str, str, str | int]] = {
    "pre_fork": ("server, worker", "worker.age == 3", "kill"),
    "child_exit": ("server, worker", "True", "kill"),
    "nworkers_changed": ("server, new, old", "new == 3", signal.SIGTTIN),
    "on_reload": ("server", "True", signal.SIGHUP),
}


def start(serve: ServerFactory, folder: Path, text: str) -> Server:
    (folder / "conf.py").write_text(CONFIGURATION + text)
    return serve("-c", "conf.py", "--pid", "pid", "--workers", "2", bind=f"unix:{folder}/sock")


def hooks(folder: Path) -> list[str]:
    path = folder / "hooks"
    return path.read_text().split() if path.exists() else []


def assert_nothing_left(folder: Path, workers: list[int]) -> None:
    assert not (folder / "pid").exists()
    assert not (folder / "sock").exists()
    # At once: the master has waited for them.
    assert not any(map(is_alive, workers))


def provoke(server: Server, how: str | int) -> None:
    if isinstance(how, int):
        server.send(how)
    else:
        os.kill(server.workers()[0], signal.SIGKILL)


@pytest.mark.parametrize("name", ["on_starting", "when_ready"])
def test_at_the_start(serve: ServerFactory, folder: Path, name: str) -> None:
    server = start(serve, folder, f"def {name}(server): sys.exit(7)\n")
    assert server.wait_exit() == 7
    server.wait_for_log(rf"\[ERROR\] Shutting down: hook {name} called exit\(7\)\n")
    assert_nothing_left(folder, [])
    # Nobody was started, and so nothing has come to its end.
    assert hooks(folder) == []


@pytest.mark.parametrize("name", ["on_starting", "when_ready"])
def test_exit_without_a_fault(serve: ServerFactory, folder: Path, name: str) -> None:
    server = start(serve, folder, f"def {name}(server): sys.exit()\n")
    assert server.wait_exit() == 0
    server.wait_for_log(rf"\[INFO\] Shutting down: hook {name} called exit\(None\)\n")
    assert_nothing_left(folder, [])


def test_before_the_start(serve: ServerFactory, folder: Path) -> None:
    server = start(serve, folder, "def nworkers_changed(server, new, old): sys.exit(7)\n")
    assert server.wait_exit() == 7
    assert_nothing_left(folder, [])


@pytest.mark.parametrize("name", LATER)
def test_later_on(serve: ServerFactory, folder: Path, name: str) -> None:
    arguments, condition, how = LATER[name]
    text = f"def {name}({arguments}):\n    if {condition}: sys.exit('no more')\n"
    server = start(serve, folder, text).wait_ready(2)
    workers = server.workers()
    provoke(server, how)
    assert server.wait_exit() == 1
    server.wait_for_log(rf"\[ERROR\] Shutting down: Master: hook {name} called exit\(no more\)\n")
    assert_nothing_left(folder, workers)
    left = 1 if how == "kill" else 2
    assert hooks(folder) == ["worker_exit"] * left + ["on_exit"]


@pytest.mark.parametrize(
    ("name", "arguments"), [("child_exit", "server, worker"), ("on_exit", "server")]
)
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_during_the_stop(
    serve: ServerFactory, folder: Path, name: str, arguments: str, number: int
) -> None:
    server = start(serve, folder, f"def {name}({arguments}): note('{name}'); sys.exit(7)\n").wait_ready(2)
    workers = server.workers()
    assert server.stop(number) == 7
    server.wait_for_log(rf"\[ERROR\] During the stop, hook {name} called exit\(7\)\n")
    assert_nothing_left(folder, workers)
    assert hooks(folder)[-1] == "on_exit"


def test_no_new_master(serve: ServerFactory, folder: Path) -> None:
    server = start(serve, folder, "def pre_exec(server): sys.exit(7)\n").wait_ready(2)
    server.send(signal.SIGUSR2)
    server.wait_for_log(r"\[ERROR\] No new master: hook pre_exec called exit\(7\)\n")
    server.wait_for_log("The new master exited with code 7; this one goes on")
    assert server.get_version() == "1"
    assert server.stop() == 0
    assert_nothing_left(folder, [])
    assert hooks(folder) == ["worker_exit"] * 2 + ["on_exit"]


def test_keyboard_interrupt_at_the_start(serve: ServerFactory, folder: Path) -> None:
    server = start(serve, folder, "def on_starting(server): raise KeyboardInterrupt\n")
    assert server.process.wait(20) == -signal.SIGINT
    server.wait_for_log(r"\[ERROR\] KeyboardInterrupt in hook on_starting\n")
    assert_nothing_left(folder, [])


@pytest.mark.parametrize("name", LATER)
def test_keyboard_interrupt_later_on(serve: ServerFactory, folder: Path, name: str) -> None:
    arguments, condition, how = LATER[name]
    text = f"def {name}({arguments}):\n    if {condition}: raise KeyboardInterrupt\n"
    server = start(serve, folder, text).wait_ready(2)
    workers = server.workers()
    provoke(server, how)
    assert server.wait_exit() == 0
    server.wait_for_log(rf"\[ERROR\] KeyboardInterrupt in hook {name}\n")
    assert_nothing_left(folder, workers)
    assert hooks(folder)[-1] == "on_exit"


@pytest.mark.parametrize("name", LATER)
def test_what_is_no_exception_ends_it_too(serve: ServerFactory, folder: Path, name: str) -> None:
    arguments, condition, how = LATER[name]
    text = f"def {name}({arguments}):\n    if {condition}: raise BaseException('broken on purpose')\n"
    server = start(serve, folder, text).wait_ready(2)
    workers = server.workers()
    provoke(server, how)
    assert server.wait_exit() == 255
    server.wait_for_log("Unhandled exception in the main loop\nTraceback")
    assert_nothing_left(folder, workers)


def test_exit_of_a_worker_class_in_the_master(serve: ServerFactory, folder: Path) -> None:
    (folder / "kinds.py").write_text(
        "import sys\nfrom indrik.workers.sync import SyncWorker\n"
        "class Kind(SyncWorker):\n"
        "    def __init__(self, age, *rest):\n"
        "        if age == 3: sys.exit(7)\n"
        "        super().__init__(age, *rest)\n"
    )
    server = start(serve, folder, "worker_class = 'kinds.Kind'\n").wait_ready(2)
    workers = server.workers()
    provoke(server, "kill")
    assert server.wait_exit() == 7
    server.wait_for_log(r"exit\(7\) was called in the master\nTraceback")
    assert_nothing_left(folder, workers)
    assert hooks(folder) == ["worker_exit", "on_exit"]


@pytest.mark.parametrize("name", ["on_starting", "when_ready", *LATER])
def test_process_that_a_hook_has_forked_ends_alone(serve: ServerFactory, folder: Path, name: str) -> None:
    arguments, condition, how = LATER.get(name, ("server", "True", ""))
    fork = (
        f"def {name}({arguments}):\n"
        f"    if {condition}:\n"
        "        pid = os.fork()\n"
        "        if not pid: sys.exit(9)\n"
        "        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])\n"
        "        note(f'forked-{status}')\n"
    )
    server = start(serve, folder, fork).wait_ready(2)
    if how:
        provoke(server, how)
    wait_for(lambda: "forked-9" in hooks(folder), "the end of what the hook has forked")
    assert (folder / "pid").read_text() == f"{server.pid}\n"
    assert server.get_version() == "1"
    assert server.stop() == 0
    assert_nothing_left(folder, [])
    assert "Shutting down: Master" in server.log()
    assert hooks(folder)[-1] == "on_exit"
