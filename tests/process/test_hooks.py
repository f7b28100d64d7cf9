"""The hooks: which run, in which process, in which order, with what; and one that fails."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from tests.process.conftest import ServerFactory
from tests.process.server import Server, is_alive, wait_for

HOOKS = {
    "nworkers_changed": ("server", "new", "old"),
    "on_starting": ("server",),
    "when_ready": ("server",),
    "pre_fork": ("server", "worker"),
    "post_fork": ("server", "worker"),
    "post_worker_init": ("worker",),
    "pre_request": ("worker", "req"),
    "post_request": ("worker", "req", "environ", "resp"),
    "worker_int": ("worker",),
    "worker_abort": ("worker",),
    "worker_exit": ("server", "worker"),
    "child_exit": ("server", "worker"),
    "on_reload": ("server",),
    "pre_exec": ("server",),
    "on_exit": ("server",),
}

NOTE = """\
import os
def note(name, *details):
    with open("hooks", "a") as file:
        print(name, os.getpid(), *details, file=file)
"""

DETAILS = {
    "nworkers_changed": "new, old",
    "on_starting": "len(server.LISTENERS), server.pid",
    "when_ready": "len(server.LISTENERS), len(server.WORKERS), server.timeout, server.worker_class.__name__, "
    "len(server.address)",
    "pre_fork": "worker.pid, worker.age",
    "post_fork": "worker.pid, worker.age",
    "post_worker_init": "worker.booted",
    "pre_request": "req.method, req.path",
    "post_request": "req.path, environ['PATH_INFO'], resp.status_code",
    "child_exit": "worker.pid, worker.pid in server.WORKERS",
}


def configuration(fails: str = "", quiet: tuple[str, ...] = ()) -> str:
    parts = [NOTE]
    for name, arguments in HOOKS.items():
        if name in quiet:
            continue
        body = f"note({name!r}, {DETAILS.get(name, '')})"
        if name == fails:
            body += "; raise ValueError('broken hook')"
        parts.append(f"def {name}({', '.join(arguments)}): {body}\n")
    return "".join(parts)


def hooks(folder: Path) -> list[list[str]]:
    path = folder / "hooks"
    return [line.split() for line in path.read_text().splitlines()] if path.exists() else []


def start(serve: ServerFactory, folder: Path, text: str, *arguments: str) -> Server:
    (folder / "conf.py").write_text(text)
    return serve("-c", "conf.py", *arguments)


def test_order_process_and_arguments(serve: ServerFactory, folder: Path) -> None:
    server = start(serve, folder, configuration()).wait_ready()
    master, worker = str(server.pid), str(server.get_pid())
    # It runs when the answer has gone out already.
    wait_for(lambda: hooks(folder)[-1][0] == "post_request", "the end of the request")
    server.send(signal.SIGTTIN)
    server.wait_for_log("Worker is ready", 2)
    second = next(str(pid) for pid in server.workers() if str(pid) != worker)
    server.send(signal.SIGTTOU)
    wait_for(lambda: ["child_exit", master, worker, "False"] in hooks(folder), "the first worker's end")
    assert hooks(folder) == [
        ["nworkers_changed", master, "1", "None"],
        ["on_starting", master, "0", master],
        ["when_ready", master, "1", "0", "30.0", "SyncWorker", "1"],
        ["pre_fork", master, "[booting]", "1"],
        ["post_fork", worker, worker, "1"],
        ["post_worker_init", worker, "False"],
        ["pre_request", worker, "GET", "/"],
        ["post_request", worker, "/", "/", "200"],
        ["nworkers_changed", master, "2", "1"],
        ["pre_fork", master, "[booting]", "2"],
        ["post_fork", second, second, "2"],
        ["post_worker_init", second, "False"],
        ["nworkers_changed", master, "1", "2"],
        ["worker_exit", worker],
        ["child_exit", master, worker, "False"],
    ]
    before = len(hooks(folder))
    server.send(signal.SIGHUP)
    server.wait_for_log("Reload complete")
    wait_for(lambda: ["child_exit", master, second, "False"] in hooks(folder), "the second worker's end")
    third = str(server.get_pid())
    wait_for(lambda: hooks(folder)[-1][0] == "post_request", "the end of the request")
    assert [line[:2] for line in hooks(folder)[before:]] == [
        ["on_reload", master],
        ["pre_fork", master],
        ["post_fork", third],
        ["post_worker_init", third],
        ["nworkers_changed", master],
        ["worker_exit", second],
        ["child_exit", master],
        ["pre_request", third],
        ["post_request", third],
    ]
    before = len(hooks(folder))
    assert server.stop(signal.SIGINT) == 0
    assert [line[:2] for line in hooks(folder)[before:]] == [
        ["worker_int", third],
        ["worker_exit", third],
        ["child_exit", master],
        ["on_exit", master],
    ]


def test_pre_exec_runs_in_what_becomes_the_new_master(serve: ServerFactory, folder: Path) -> None:
    server = start(serve, folder, configuration()).wait_ready()
    server.send(signal.SIGUSR2)
    new = server.wait_for_log(r"New master started \(pid: (\d+)\)")[1]
    server.wait_for_log("Worker is ready", 2)
    assert ["pre_exec", new] in hooks(folder)
    os.kill(int(new), signal.SIGTERM)
    wait_for(lambda: not is_alive(int(new)), "the end of the new master")


@pytest.mark.parametrize("name", ["nworkers_changed", "child_exit", "on_exit", "worker_exit", "post_request"])
def test_failing_hook_is_logged_and_changes_nothing(serve: ServerFactory, folder: Path, name: str) -> None:
    server = start(serve, folder, configuration(fails=name), "--workers", "2").wait_ready(2)
    os.kill(server.get_pid(), signal.SIGTERM)
    server.wait_for_log("Worker is ready", 3)
    assert server.get_version() == "1"
    assert server.stop() == 0
    assert "broken hook" in server.log()
    assert name in server.log()


def test_failing_pre_fork_later_on_backs_off(serve: ServerFactory, folder: Path) -> None:
    text = "def pre_fork(server, worker):\n    if worker.age > 2: raise ValueError('broken hook')\n"
    server = start(serve, folder, text, "--workers", "2").wait_ready(2)
    os.kill(server.workers()[0], signal.SIGKILL)
    server.wait_for_log(r"failed in a row: 3; the next try is in 1\.00 s")
    assert server.get_version() == "1"
    assert server.stop() == 0


@pytest.mark.parametrize("name", ["post_fork", "post_worker_init"])
def test_failing_hook_of_a_booting_worker_is_a_failed_boot(
    serve: ServerFactory, folder: Path, name: str
) -> None:
    server = start(serve, folder, configuration(fails=name), "--workers", "3")
    assert server.wait_exit() == 3


def test_failing_pre_exec_leaves_the_master_alone(serve: ServerFactory, folder: Path) -> None:
    server = start(serve, folder, configuration(fails="pre_exec")).wait_ready()
    server.send(signal.SIGUSR2)
    server.wait_for_log("The new master exited with code 127; this one goes on")
    assert server.get_version() == "1"
