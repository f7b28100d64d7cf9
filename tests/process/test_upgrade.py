"""USR2: a new master beside the old one, promotion, roll-back, supervisors."""

from __future__ import annotations

import os
import signal
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.process import forks
from tests.process.activation import activated
from tests.process.conftest import ServerFactory
from tests.process.load import Load
from tests.process.server import Server, children, get_on, is_alive, wait_for


def new_master(server: Server, workers: int) -> int:
    """Upgrade, and wait until the new master serves; returns its pid."""
    before = server.log().count("Worker is ready")
    server.send(signal.SIGUSR2)
    pid = int(server.wait_for_log(r"New master started \(pid: (\d+)\)")[1])
    server.wait_for_log("Worker is ready", before + workers)
    return pid


def stop_pid(pid: int) -> None:
    os.kill(pid, signal.SIGTERM)
    wait_for(lambda: not is_alive(pid), f"the end of {pid}")


@pytest.mark.parametrize(
    "arguments", [(), ("--reuse-port",), ("--preload",)], ids=["", "reuse_port", "preload"]
)
def test_upgrade_loses_nothing(serve: ServerFactory, folder: Path, arguments: tuple[str, ...]) -> None:
    server = serve("--workers", "2", "--pid", "pid", *arguments).wait_ready(2)
    with Load(server) as load:
        new = new_master(server, 2)
        assert (folder / "pid").read_text() == f"{server.pid}\n"
        assert (folder / "pid.2").read_text() == f"{new}\n"
        assert server.stop() == 0
        server.wait_for_log("Master has been promoted")
        wait_for(lambda: (folder / "pid").exists(), "the pid file")
        assert (folder / "pid").read_text() == f"{new}\n"
        assert not (folder / "pid.2").exists()
        before = len(load.answers)
        wait_for(lambda: len(load.answers) > before + 20, "load")
    assert load.failures == []
    assert {int(answer.split()[0]) for answer in load.answers[before + 5 :]} <= set(children(new))
    stop_pid(new)
    assert not (folder / "pid").exists()


def test_roll_back(serve: ServerFactory, folder: Path) -> None:
    server = serve("--pid", "pid", bind=f"unix:{folder}/sock").wait_ready()
    with Load(server) as load:
        new = new_master(server, 1)
        os.kill(new, signal.SIGTERM)
        server.wait_for_log("The new master has stopped; this one goes on")
        before = len(load.answers)
        wait_for(lambda: len(load.answers) > before + 20, "load")
    assert load.failures == []
    assert (folder / "sock").exists()
    assert not (folder / "pid.2").exists()
    assert server.get_version() == "1"
    # And again, which must not be refused.
    second = new_master_again(server)
    stop_pid(second)


def new_master_again(server: Server) -> int:
    server.send(signal.SIGUSR2)
    pid = int(server.wait_for_log(r"New master started \(pid: (\d+)\)", 2)[1])
    server.wait_for_log("Worker is ready", 3)
    return pid


def test_new_master_that_cannot_boot_changes_nothing(serve: ServerFactory, folder: Path) -> None:
    server = serve().wait_ready()
    (folder / "app.py").write_text("raise ValueError('broken on purpose')")
    server.send(signal.SIGUSR2)
    server.wait_for_log(r"The new master exited with code 3; this one goes on")
    assert server.get_version() == "1"


def test_no_process_for_a_new_master(serve: ServerFactory, folder: Path) -> None:
    server = serve(command=forks.COMMAND).wait_ready()
    with forks.NoFork(folder):
        server.send(signal.SIGUSR2)
        server.wait_for_log(r"\[ERROR\] The new master cannot be started, this one goes on: .*unavailable")
    assert server.get_version() == "1"
    new = new_master(server, 1)
    stop_pid(new)


def test_upgrade_of_a_unix_socket_keeps_its_file(serve: ServerFactory, folder: Path) -> None:
    server = serve(bind=f"unix:{folder}/sock").wait_ready()
    new = new_master(server, 1)
    assert server.stop() == 0
    assert (folder / "sock").exists()
    assert server.get_version() == "1"
    server.wait_for_log("Master has been promoted")
    stop_pid(new)
    assert not (folder / "sock").exists()


def test_only_one_new_master(serve: ServerFactory) -> None:
    server = serve().wait_ready()
    new = new_master(server, 1)
    server.send(signal.SIGUSR2)
    server.wait_for_log(r"USR2 ignored: a new master is running already")
    os.kill(new, signal.SIGUSR2)
    server.wait_for_log(r"USR2 ignored: the old master is still running")
    stop_pid(new)


def test_upgrade_of_a_console_script(serve: ServerFactory, folder: Path) -> None:
    script = folder / "run-indrik"
    # The script itself counts its runs: with setproctitle, /proc/PID/cmdline shows the title instead.
    script.write_text(
        "import os, sys\nos.mkdir(f'run-{os.getpid()}')\n"
        "from indrik.app.wsgiapp import run\nsys.exit(run())\n"
    )
    server = serve(command=(sys.executable, str(script))).wait_ready()
    new = new_master(server, 1)
    assert (folder / f"run-{server.pid}").is_dir()
    assert (folder / f"run-{new}").is_dir()
    assert server.stop() == 0
    assert server.get_version() == "1"
    stop_pid(new)


class Supervisor:
    """The end of NOTIFY_SOCKET."""

    def __init__(self, folder: Path) -> None:
        self.path = str(folder / "notify")
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.sock.bind(self.path)
        self.sock.settimeout(20)
        self.heard: list[str] = []

    def wait_for(self, *lines: str) -> list[str]:
        """The next message that has all these lines."""
        while True:
            said = self.sock.recv(4096).decode().splitlines()
            self.heard += said
            if all(line in said for line in lines):
                return said


@pytest.fixture
def supervisor(folder: Path) -> Iterator[Supervisor]:
    made = Supervisor(folder)
    yield made
    made.sock.close()


def test_supervisor_is_told(serve: ServerFactory, supervisor: Supervisor) -> None:
    environment = {"NOTIFY_SOCKET": supervisor.path, "WATCHDOG_USEC": "400000"}
    server = serve("--workers", "1", environment=environment)
    supervisor.wait_for("READY=1", f"MAINPID={server.pid}")
    supervisor.wait_for("WATCHDOG=1")
    supervisor.wait_for("WATCHDOG=1")
    server.send(signal.SIGHUP)
    assert supervisor.wait_for("RELOADING=1")[1].startswith("MONOTONIC_USEC=")
    supervisor.wait_for("READY=1")
    server.send(signal.SIGUSR2)
    supervisor.wait_for("RELOADING=1")
    new = int(server.wait_for_log(r"New master started \(pid: (\d+)\)")[1])
    supervisor.wait_for("READY=1", f"MAINPID={new}")
    server.stop()
    supervisor.wait_for("READY=1", f"MAINPID={new}")
    os.kill(new, signal.SIGTERM)
    supervisor.wait_for("STOPPING=1")
    wait_for(lambda: not is_alive(new), "the end of the new master")


def test_failed_start_is_not_ready(serve: ServerFactory, supervisor: Supervisor, folder: Path) -> None:
    (folder / "app.py").write_text("raise ValueError('broken on purpose')")
    server = serve(environment={"NOTIFY_SOCKET": supervisor.path})
    assert server.wait_exit() == 3
    supervisor.wait_for("STOPPING=1")
    assert "READY=1" not in supervisor.heard


def test_socket_activation(serve: ServerFactory, folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        command = activated(folder, listener)
        server = serve(bind="", command=command, pass_fds=[listener.fileno()]).wait_ready()
        assert server.address == listener.getsockname()
        assert server.get("/env/LISTEN_FDS") == "None"
        new = new_master(server, 1)
        assert server.stop() == 0
        with server.connect() as sock:
            assert get_on(sock)
        stop_pid(new)
