"""Signals that come before the master has its loop: those that stop do so at once, the others are kept."""

from __future__ import annotations

import os
import signal
import socket
import sys
from pathlib import Path

import pytest

from indrik.signals import KEPT_SIGNALS, STOP_SIGNALS
from tests.process import gates
from tests.process.conftest import ServerFactory
from tests.process.server import Server, children, is_alive, wait_for

#: Points of a start: before the command's own modules are imported, in the configuration file, in the hook
#: that is called before all others.
PLACES = ("start", "configuration", "on_starting")

#: Starts the command with the signals as a shell's foreground has them: in its background, INT and QUIT are
#: ignored, and so is what runs the tests there.
FOREGROUND = (
    "import os, signal, sys\n"
    "for number in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT):\n"
    "    signal.signal(number, signal.SIG_DFL)\n"
    "os.execv(sys.executable, [sys.executable, '-m', 'indrik', *sys.argv[1:]])\n"
)


def start_to(serve: ServerFactory, folder: Path, place: str, *arguments: str) -> Server:
    """A server that has come to one of the PLACES."""
    text = {
        "start": "",
        "configuration": "gate('configuration')\n",
        "on_starting": "def on_starting(server):\n    gate('on_starting')\n",
    }[place]
    gates.write(folder, "conf.py", text)
    server = serve(
        "-c",
        "conf.py",
        *arguments,
        command=(sys.executable, "-c", FOREGROUND),
        environment=gates.environment(folder, place),
    )
    assert gates.wait_at(folder, place) == server.pid
    return server


@pytest.mark.parametrize("place", PLACES)
def test_what_does_not_stop_is_kept(serve: ServerFactory, folder: Path, place: str) -> None:
    server = start_to(serve, folder, place, "--pid", "pid")
    kept = [number for number in KEPT_SIGNALS if number != signal.SIGUSR2]
    gates.send(server, *kept)
    gates.open_gate(folder, place)
    for number in kept:
        server.wait_for_log(f"Handling signal: {number.name[3:].lower()}\n")
    server.wait_for_log("Reload complete")
    assert server.get_version() == "1"
    assert server.stop() == 0


@pytest.mark.parametrize("place", PLACES)
def test_an_upgrade_is_kept(serve: ServerFactory, folder: Path, place: str) -> None:
    server = start_to(serve, folder, place)
    gates.send(server, signal.SIGUSR2)
    gates.open_gate(folder, place)
    new = int(server.wait_for_log(r"New master started \(pid: (\d+)\)")[1])
    server.wait_ready(2)
    os.kill(new, signal.SIGTERM)
    wait_for(lambda: not is_alive(new), "the end of the new master")
    assert server.stop() == 0


@pytest.mark.parametrize("number", STOP_SIGNALS)
@pytest.mark.parametrize("place", PLACES)
def test_what_stops_does_so_at_once(
    serve: ServerFactory, folder: Path, place: str, number: signal.Signals
) -> None:
    server = start_to(serve, folder, place)
    gates.send(server, signal.SIGHUP, number)
    assert server.process.wait(20) == -number


def test_a_start_that_fails_fails_in_spite_of_hup(serve: ServerFactory, folder: Path) -> None:
    (folder / "app.py").write_text("raise ValueError('broken on purpose')")
    server = start_to(serve, folder, "configuration", "--pid", "pid")
    gates.send(server, signal.SIGHUP)
    gates.open_gate(folder, "configuration")
    assert server.wait_exit() == 3
    assert not (folder / "pid").exists()


def test_hup_while_it_waits_for_its_address(serve: ServerFactory, folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        server = serve(bind=f"127.0.0.1:{taken.getsockname()[1]}")
        server.wait_for_log("trying again")
        server.send(signal.SIGHUP)
        server.wait_for_log("trying again", 2)
    server.wait_for_log("Reload complete")
    assert server.get_version() == "1"


def test_a_check_of_the_configuration_keeps_nothing(serve: ServerFactory, folder: Path) -> None:
    """Nobody would take it: whoever closes the terminal ends the check."""
    gates.write(folder, "app.py", "gate('app')\n")
    server = serve("--check-config")
    gates.wait_at(folder, "app")
    server.send(signal.SIGHUP)
    assert server.process.wait(20) == -signal.SIGHUP


def test_a_check_ends_by_what_came_before(serve: ServerFactory, folder: Path) -> None:
    server = start_to(serve, folder, "configuration", "--check-config")
    gates.send(server, signal.SIGHUP)
    gates.open_gate(folder, "configuration")
    assert server.process.wait(20) == -signal.SIGHUP


# --- the new master of an upgrade


def test_hup_to_a_new_master_that_has_just_been_started(serve: ServerFactory, folder: Path) -> None:
    server = serve(environment=gates.environment(folder, "upgrade")).wait_ready()
    server.send(signal.SIGUSR2)
    new = gates.wait_at(folder, "upgrade")
    os.kill(new, signal.SIGHUP)
    gates.open_gate(folder, "upgrade")
    server.wait_for_log("Reload complete")
    assert is_alive(new)
    assert server.stop() == 0
    assert server.get_pid() in children(new)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGQUIT])
def test_a_new_master_that_has_just_been_started_is_stopped(
    serve: ServerFactory, folder: Path, number: signal.Signals
) -> None:
    command = (sys.executable, "-c", FOREGROUND)
    server = serve(command=command, environment=gates.environment(folder, "upgrade")).wait_ready()
    server.send(signal.SIGUSR2)
    os.kill(gates.wait_at(folder, "upgrade"), number)
    server.wait_for_log(f"The new master exited with code -{number.value}; this one goes on")
    assert server.get_version() == "1"


def test_a_new_master_is_stopped_before_it_is_one(serve: ServerFactory, folder: Path) -> None:
    gates.write(folder, "conf.py", "def pre_exec(server):\n    gate('pre_exec')\n")
    server = serve("-c", "conf.py").wait_ready()
    server.send(signal.SIGUSR2)
    os.kill(gates.wait_at(folder, "pre_exec"), signal.SIGTERM)
    gates.open_gate(folder, "pre_exec")
    server.wait_for_log("The new master exited with code -15; this one goes on")
    assert server.get_version() == "1"


# --- what is inherited

#: Writes which process has which signals blocked, as the kernel shows it.
MASKS = """\
import os, subprocess
def note_masks(who):
    for what, command in ((who, None), (who + "'s child", ["cat", "/proc/self/status"])):
        if command is None:
            status = open("/proc/self/status").read()
        else:
            status = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True).stdout
        mask = next(line.split()[1] for line in status.splitlines() if line.startswith("SigBlk"))
        with open("masks", "a") as file:
            print(mask, what, file=file)
"""
CONFIGURATION = """\
note_masks("configuration")
def when_ready(server):
    note_masks("master")
"""
#: Starts the command as a program does that has blocked signals for itself.
BLOCKING = (
    "import os, signal, sys\n"
    "signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())\n"
    "os.execv(sys.executable, [sys.executable, '-m', 'indrik', *sys.argv[1:]])\n"
)


def masks(folder: Path) -> dict[str, set[int]]:
    found: dict[str, set[int]] = {}
    for line in (folder / "masks").read_text().splitlines():
        mask, who = line.split(maxsplit=1)
        found.setdefault(who, set()).add(int(mask, 16))
    return found


def test_nobody_inherits_a_mask_from_an_upgrade(serve: ServerFactory, folder: Path) -> None:
    (folder / "conf.py").write_text(MASKS + CONFIGURATION)
    (folder / "app.py").write_text(MASKS + "note_masks('worker')\n" + (folder / "app.py").read_text())
    server = serve("-c", "conf.py").wait_ready()
    server.send(signal.SIGUSR2)
    server.wait_ready(2)
    processes = ("configuration", "master", "worker")
    assert masks(folder) == {
        who: {0} for name in processes for who in (name, f"{name}'s child")
    }


@pytest.mark.parametrize("preload", [(), ("--preload",)], ids=["", "preload"])
def test_what_is_meant_for_the_master_stops_no_worker(serve: ServerFactory, preload: tuple[str, ...]) -> None:
    server = serve(*preload).wait_ready()
    (worker,) = server.workers()[-1:]
    os.kill(worker, signal.SIGTTIN)
    os.kill(worker, signal.SIGTTOU)
    assert server.get_pid() == worker
    assert gates.blocked(worker) == set()


def test_a_mask_from_outside_keeps_no_signal_from_the_master(serve: ServerFactory) -> None:
    server = serve(command=(sys.executable, "-c", BLOCKING)).wait_ready()
    server.send(signal.SIGHUP)
    server.wait_for_log("Reload complete")
    assert server.stop() == 0
