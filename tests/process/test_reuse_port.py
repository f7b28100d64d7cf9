"""`reuse_port`: sockets for each worker, and still no connection lost when workers come and go."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from tests.process.conftest import ServerFactory
from tests.process.load import Load
from tests.process.server import Server, read_answer, wait_for


def sockets_of(server: Server) -> int:
    """How many sockets listen on the server's port, from the kernel's table."""
    port = f":{server.address[1]:04X}"
    lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return sum(line[1].endswith(port) and line[3] == "0A" for line in lines)


@pytest.mark.parametrize("preload", [(), ("--preload",)], ids=["", "preload"])
def test_each_worker_has_its_own(serve: ServerFactory, preload: tuple[str, ...]) -> None:
    server = serve("--workers", "3", "--reuse-port", *preload).wait_ready(3)
    assert sockets_of(server) == 3
    pids = {server.get_pid() for _ in range(60)}
    assert len(pids) == 3


@pytest.mark.parametrize("preload", [(), ("--preload",)], ids=["", "preload"])
def test_nothing_is_lost(serve: ServerFactory, preload: tuple[str, ...]) -> None:
    arguments = ("--workers", "2", "--reuse-port", "--max-requests", "100", *preload)
    server = serve(*arguments).wait_ready(2)
    with Load(server) as load:
        server.send(signal.SIGTTIN)
        wait_for(lambda: sockets_of(server) == 3, "a third socket")
        server.send(signal.SIGHUP)
        server.wait_for_log("Reload complete")
        server.send(signal.SIGTTOU)
        wait_for(lambda: sockets_of(server) == 2, "the end of the third socket")
        before = len(load.answers)
        wait_for(lambda: len(load.answers) > before + 200, "load")
    assert load.failures == []
    # Whoever waits in the queue of a socket that nobody serves gives up only after 20 s.
    assert load.longest < 5.0


def test_successor_serves_what_was_queued_for_a_dead_worker(serve: ServerFactory) -> None:
    server = serve("--reuse-port").wait_ready()
    pid = server.get_pid()
    os.kill(pid, signal.SIGSTOP)
    socks = [server.connect() for _ in range(5)]
    try:
        for sock in socks:
            sock.sendall(b"GET / HTTP/1.1\r\nHost: test\r\n\r\n")
        os.kill(pid, signal.SIGKILL)
        assert all(int(read_answer(sock).split()[0]) != pid for sock in socks)
    finally:
        for sock in socks:
            sock.close()


def test_cannot_be_changed_by_a_reload(serve: ServerFactory, folder: Path) -> None:
    (folder / "conf.py").write_text("")
    server = serve("-c", "conf.py").wait_ready()
    (folder / "conf.py").write_text("reuse_port = True")
    server.send(signal.SIGHUP)
    server.wait_for_log("reuse_port cannot be changed by a reload")
    assert server.get_version() == "1"
