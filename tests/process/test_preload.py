"""`preload_app`: a process of its own loads the application, and the workers are forked from it."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from tests.process import forks
from tests.process.conftest import ServerFactory
from tests.process.load import Load
from tests.process.server import APP, Server, is_alive, wait_for

LOADS_ONCE = "import os\nwith open('loaded', 'a') as file: file.write(f'{os.getpid()}\\n')\n" + APP


def preloader_of(server: Server, count: int = 1) -> int:
    return int(server.wait_for_log(r"Application preloaded \(pid: (\d+)\)", count)[1])


def test_loads_once_outside_of_the_arbiter(serve: ServerFactory, folder: Path) -> None:
    (folder / "app.py").write_text(LOADS_ONCE)
    server = serve("--workers", "3", "--preload").wait_ready(3)
    preloader = preloader_of(server)
    assert (folder / "loaded").read_text() == f"{preloader}\n"
    # The preloader and the workers: children of the arbiter, all of them.
    assert len(server.wait_workers(4)) == 4
    assert server.get_pid() in server.workers()
    # Nothing of the application is in the arbiter.
    assert "app.py" not in Path(f"/proc/{server.pid}/maps").read_text()
    assert server.stop() == 0
    wait_for(lambda: not is_alive(preloader), "the end of the preloader")


def test_worker_that_dies_is_replaced_from_the_preloader(serve: ServerFactory, folder: Path) -> None:
    (folder / "app.py").write_text(LOADS_ONCE)
    server = serve("--workers", "2", "--preload").wait_ready(2)
    victim = server.get_pid()
    os.kill(victim, signal.SIGKILL)
    server.wait_for_log("Worker is ready", 3)
    assert f"Worker (pid:{victim}) was killed by SIGKILL" in server.log()
    assert len((folder / "loaded").read_text().splitlines()) == 1


def test_dead_preloader_is_started_again(serve: ServerFactory) -> None:
    server = serve("--workers", "1", "--preload").wait_ready()
    with Load(server) as load:
        os.kill(preloader_of(server), signal.SIGKILL)
        preloader_of(server, 2)
    assert load.failures == []
    os.kill(server.get_pid(), signal.SIGKILL)
    server.wait_for_log("Worker is ready", 2)
    assert server.get_version() == "1"


@pytest.mark.parametrize("who", ["preloader", "intermediate"])
def test_no_process_for_a_worker(serve: ServerFactory, folder: Path, who: str) -> None:
    server = serve("--workers", "2", "--pid", "pid", "--preload", command=forks.COMMAND).wait_ready(2)
    preloader = preloader_of(server)
    with forks.NoFork(folder, server.pid if who == "preloader" else preloader):
        os.kill(server.get_pid(), signal.SIGKILL)
        server.wait_for_log(rf"the preloader \(pid {preloader}\) cannot fork: Resource temporarily unavail")
        assert server.get_version() == "1"
    server.wait_for_log("Worker is ready", 3)
    assert preloader_of(server) == preloader
    assert is_alive(preloader)
    assert (folder / "pid").exists()
    assert server.stop() == 0


def test_no_process_for_a_preloader(serve: ServerFactory, folder: Path) -> None:
    server = serve("--preload", command=forks.COMMAND).wait_ready()
    with forks.NoFork(folder):
        os.kill(preloader_of(server), signal.SIGKILL)
        server.wait_for_log("A preloader could not be started")
        assert server.get_version() == "1"
    preloader_of(server, 2)
    # No signal is blocked for good.
    assert server.stop() == 0


@pytest.mark.parametrize(
    "broken", ["raise ValueError('broken on purpose')", "import os; os._exit(9)", "raise SystemExit(0)"]
)
def test_failed_first_load(serve: ServerFactory, folder: Path, broken: str) -> None:
    (folder / "app.py").write_text(broken)
    server = serve("--preload", "--pid", "pid")
    assert server.wait_exit() == 1
    assert not (folder / "pid").exists()


def test_hooks_run_where_they_should(serve: ServerFactory, folder: Path) -> None:
    (folder / "conf.py").write_text(
        "import os\n"
        "def note(name): open('hooks', 'a').write(f'{name} {os.getpid()}\\n')\n"
        "def pre_fork(server, worker): note('pre_fork')\n"
        "def post_fork(server, worker): note('post_fork')\n"
        "def post_worker_init(worker): note('post_worker_init')\n"
        "def worker_exit(server, worker): note('worker_exit')\n"
        "def child_exit(server, worker): note('child_exit')\n"
    )
    server = serve("--preload", "-c", "conf.py").wait_ready()
    worker = server.get_pid()
    assert server.stop() == 0
    ran = [line.split() for line in (folder / "hooks").read_text().splitlines()]
    assert ran == [
        ["pre_fork", str(server.pid)],
        ["post_fork", str(worker)],
        ["post_worker_init", str(worker)],
        ["worker_exit", str(worker)],
        ["child_exit", str(server.pid)],
    ]


def test_preloader_ends_with_a_killed_arbiter(serve: ServerFactory) -> None:
    server = serve("--workers", "2", "--preload").wait_ready(2)
    pids = server.workers()
    os.kill(server.pid, signal.SIGKILL)
    wait_for(lambda: not any(map(is_alive, pids)), "the end of all processes")


def test_signal_to_the_whole_group_does_not_end_the_preloader(serve: ServerFactory) -> None:
    server = serve("--preload").wait_ready()
    preloader = preloader_of(server)
    for number in (signal.SIGHUP, signal.SIGUSR2, signal.SIGINT):
        os.kill(preloader, number)
    os.kill(server.get_pid(), signal.SIGKILL)
    server.wait_for_log("Worker is ready", 2)
    assert is_alive(preloader)


def test_preloader_that_does_not_answer_is_replaced(serve: ServerFactory) -> None:
    server = serve("--workers", "2", "--preload").wait_ready(2)
    stopped = preloader_of(server)
    os.kill(stopped, signal.SIGSTOP)
    os.kill(server.get_pid(), signal.SIGKILL)
    with Load(server) as load:
        server.wait_for_log("did not start a worker within 5 s")
        server.wait_for_log("Worker is ready", 3)
    assert load.failures == []
    assert not is_alive(stopped)
    assert preloader_of(server, 2) != stopped
