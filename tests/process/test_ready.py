"""A worker is ready when all that may fail has been done: nobody may rely on it before."""

from __future__ import annotations

import os
import signal
import socket
from pathlib import Path

import pytest

from tests.process import gates
from tests.process.conftest import ServerFactory
from tests.process.server import Server, is_alive

#: The last that a hook sees of a worker. Its engine then finds no descriptor free.
NO_DESCRIPTORS = """\
import os, resource
def post_worker_init(worker):
    free = os.dup(0)
    os.close(free)
    resource.setrlimit(resource.RLIMIT_NOFILE, (free, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
"""

#: Worker kinds whose set-up takes as long as the test wants, or fails.
KINDS = """\
from indrik.workers.gthread import ThreadWorker
from indrik.workers.sync import SyncWorker
class Slow:
    def make_gateway(self, slot):
        if self.age > 1: gate("set-up")
        return super().make_gateway(slot)
class Failing:
    def make_gateway(self, slot):
        if self.age > 3: raise ValueError("broken on purpose")
        return super().make_gateway(slot)
class SlowSync(Slow, SyncWorker): ...
class SlowThreads(Slow, ThreadWorker): ...
class FailingSync(Failing, SyncWorker): ...
class FailingThreads(Failing, ThreadWorker): ...
"""


@pytest.mark.parametrize("kind", ["sync", "gthread", "gevent"])
def test_a_first_worker_that_cannot_be_set_up_ends_the_start(
    serve: ServerFactory, folder: Path, kind: str
) -> None:
    if kind == "gevent":
        pytest.importorskip("gevent")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as supervisor:
        supervisor.bind(str(folder / "notify"))
        supervisor.settimeout(20)
        (folder / "conf.py").write_text(NO_DESCRIPTORS)
        server = serve("-c", "conf.py", "-k", kind, environment={"NOTIFY_SOCKET": str(folder / "notify")})
        assert server.wait_exit() == 3
        server.wait_for_log("Too many open files")
        server.wait_for_log(r"Shutting down: Master: Worker failed to boot\.")
        assert "Worker is ready" not in server.log()
        assert supervisor.recv(4096).startswith(b"STOPPING=1")


def go_round(server: Server) -> None:
    """Have the master look at its workers."""
    before = server.log().count("SIGWINCH ignored")
    for count in (1, 2):
        server.send(signal.SIGWINCH)
        server.wait_for_log("SIGWINCH ignored", before + count)


@pytest.mark.parametrize("kind", ["kinds.SlowSync", "kinds.SlowThreads"])
def test_a_worker_that_is_being_set_up_is_not_ready(serve: ServerFactory, folder: Path, kind: str) -> None:
    gates.write(folder, "kinds.py", KINDS)
    server = serve("-k", kind).wait_ready()
    old = server.get_pid()
    server.send(signal.SIGHUP)
    new = gates.wait_at(folder, "set-up")
    go_round(server)
    assert server.log().count("Worker is ready") == 1
    assert server.get_pid() == old
    # Nothing has begun yet that TERM would have to let end.
    os.kill(new, signal.SIGTERM)
    server.wait_for_log(rf"Worker exiting \(pid: {new}\)")
    gates.open_gate(folder, "set-up")
    server.wait_for_log("Reload abandoned")
    assert server.get_pid() == old


@pytest.mark.parametrize("kind", ["kinds.FailingSync", "kinds.FailingThreads"])
def test_nobody_leaves_for_a_worker_that_cannot_be_set_up(
    serve: ServerFactory, folder: Path, kind: str
) -> None:
    gates.write(folder, "kinds.py", KINDS)
    server = serve("-k", kind, "--workers", "2").wait_ready(2)
    first, second = (
        int(server.wait_for_log(r"Worker is ready \(pid: (\d+)\)", count)[1]) for count in (1, 2)
    )
    server.send(signal.SIGHUP)
    server.wait_for_log("Reload abandoned")
    # One has left for the first new worker, which serves. The other one waits for its own successor.
    left = [pid for pid in (first, second) if f"Worker exiting (pid: {pid})" in server.log()]
    assert len(left) <= 1
    assert any(map(is_alive, (first, second)))
    assert server.log().count("Worker is ready") == 3
    assert server.get_version() == "1"
