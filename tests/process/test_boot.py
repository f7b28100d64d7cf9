"""Start, stop and exit statuses of the whole server."""

from __future__ import annotations

import os
import re
import signal
import socket
import time
from pathlib import Path

import pytest

from indrik.config.processors import usable_processors
from tests.process.conftest import ServerFactory
from tests.process.server import get_on, is_alive, read_answer, wait_for


def test_serves_and_stops(serve: ServerFactory) -> None:
    server = serve("--workers", "2").wait_ready(2)
    pids = server.workers()
    assert server.get_pid() in pids
    assert server.stop() == 0
    assert not any(map(is_alive, pids))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGQUIT])
def test_quick_stop_cuts_off_what_runs(serve: ServerFactory, number: int) -> None:
    server = serve().wait_ready()
    with server.connect() as sock:
        sock.sendall(b"GET /sleep/15 HTTP/1.1\r\nHost: test\r\n\r\n")
        wait_for(lambda: "sleep" not in server.log(), "nothing")
        begin = time.monotonic()
        assert server.stop(number) == 0
        assert time.monotonic() - begin < 5


def test_int_turns_a_graceful_stop_into_a_quick_one(serve: ServerFactory) -> None:
    server = serve().wait_ready()
    with server.connect() as sock:
        sock.sendall(b"GET /sleep/15 HTTP/1.1\r\nHost: test\r\n\r\n")
        server.send(signal.SIGTERM)
        server.wait_for_log("Handling signal: term")
        begin = time.monotonic()
        assert server.stop(signal.SIGINT) == 0
        assert time.monotonic() - begin < 5


def test_term_answers_what_runs_and_what_waits(serve: ServerFactory) -> None:
    server = serve().wait_ready()
    socks = [server.connect() for _ in range(10)]
    try:
        for sock in socks:
            sock.sendall(b"GET /sleep/0.2 HTTP/1.1\r\nHost: test\r\n\r\n")
        server.send(signal.SIGTERM)
        assert [read_answer(sock).split()[1] for sock in socks] == ["1"] * 10
        assert server.wait_exit() == 0
    finally:
        for sock in socks:
            sock.close()


def test_stop_delay(serve: ServerFactory) -> None:
    server = serve("--stop-delay", "2").wait_ready()
    with server.connect() as kept:
        pid = get_on(kept).split()[0]
        begin = time.monotonic()
        server.send(signal.SIGTERM)
        server.wait_for_log("Serving for another 2 s before the stop")
        assert server.get().split()[0] == pid
        # Its connection is not told to close, as it would be by a worker that leaves.
        assert get_on(kept).split()[0] == get_on(kept).split()[0] == pid
        assert server.wait_exit() == 0
        assert time.monotonic() - begin >= 2


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGQUIT])
def test_a_second_signal_ends_the_stop_delay(serve: ServerFactory, number: int) -> None:
    server = serve("--stop-delay", "300").wait_ready()
    server.send(signal.SIGTERM)
    server.wait_for_log("Serving for another 300 s")
    assert server.stop(number) == 0


def test_stop_delay_is_not_for_a_server_that_has_never_been_ready(
    serve: ServerFactory, folder: Path
) -> None:
    (folder / "app.py").write_text("import time\ntime.sleep(300)\n")
    server = serve("--stop-delay", "300")
    server.wait_for_log("Booting worker")
    assert server.stop() == 0


def test_stop_delay_is_not_for_a_master_with_a_successor(serve: ServerFactory) -> None:
    server = serve("--stop-delay", "300").wait_ready()
    server.send(signal.SIGUSR2)
    server.wait_for_log("Worker is ready", 2)
    new = int(server.wait_for_log(r"New master started \(pid: (\d+)\)")[1])
    os.kill(new, signal.SIGTERM)
    server.wait_for_log("The new master has stopped")
    server.send(signal.SIGUSR2)
    server.wait_for_log("Worker is ready", 3)
    assert server.stop() == 0


def test_a_worker_for_each_processor(serve: ServerFactory) -> None:
    server = serve("--workers", "auto").wait_ready(usable_processors())
    assert len(server.workers()) == usable_processors()


def test_term_does_not_wait_for_idle_silent_and_half_sent(serve: ServerFactory) -> None:
    server = serve("--keep-alive", "75").wait_ready()
    with server.connect() as idle, server.connect() as silent, server.connect() as half:
        get_on(idle)
        half.sendall(b"GET / HTTP/1.1\r\nHo")
        silent.setblocking(False)
        begin = time.monotonic()
        assert server.stop() == 0
        assert time.monotonic() - begin < 3


def test_graceful_timeout_ends_what_does_not(serve: ServerFactory) -> None:
    server = serve("--graceful-timeout", "1").wait_ready()
    with server.connect() as sock:
        sock.sendall(b"GET /sleep/15 HTTP/1.1\r\nHost: test\r\n\r\n")
        begin = time.monotonic()
        assert server.stop() == 0
        assert time.monotonic() - begin < 4


@pytest.mark.parametrize("workers", ["1", "3"])
@pytest.mark.parametrize(
    ("app", "code", "status"),
    [
        ("app:application", "raise ValueError('broken on purpose')", 3),
        ("app:application", "import no_such_module_anywhere", 3),
        ("app:application", "raise SystemExit(0)", 3),
        ("app:applcation", "def application(e, s): return []", 4),
        ("app:application", "application = 5", 4),
    ],
)
def test_failed_first_boot(
    serve: ServerFactory, folder: Path, workers: str, app: str, code: str, status: int
) -> None:
    (folder / "app.py").write_text(code)
    server = serve("--workers", workers, "--pid", "pid", bind="unix:sock", app=app)
    assert server.wait_exit() == status
    assert not (folder / "pid").exists()
    assert not (folder / "sock").exists()
    assert server.log().count("Shutting down: Master") == 1


def test_failing_hooks_in_the_master_end_the_start(serve: ServerFactory, folder: Path) -> None:
    for hook in ("on_starting", "when_ready"):
        (folder / "conf.py").write_text(f"def {hook}(server): raise ValueError('broken {hook}')")
        server = serve("-c", "conf.py")
        assert server.wait_exit() == 1
        assert f"broken {hook}" in server.log()


def test_failing_pre_fork_ends_the_first_start(serve: ServerFactory, folder: Path) -> None:
    (folder / "conf.py").write_text("def pre_fork(server, worker): raise ValueError('broken on purpose')")
    assert serve("-c", "conf.py").wait_exit() == 255


def test_address_in_use(serve: ServerFactory) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        server = serve(bind=f"127.0.0.1:{port}")
        assert server.wait_exit() == 1
    assert f"Cannot start: cannot listen on 127.0.0.1:{port}: Address already in use" in server.log()
    assert len(re.findall("trying again", server.log())) == 4


def test_address_becomes_free(serve: ServerFactory) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        server = serve(bind=f"127.0.0.1:{port}")
        server.wait_for_log("trying again")
    server.wait_ready()
    assert server.get_version() == "1"


def test_stop_while_waiting_for_the_address(serve: ServerFactory, folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        took: list[float] = []
        # Again when the machine was busy. The next attempt comes after a second; nobody is to wait for it.
        while len(took) < 5 and min(took, default=9.0) > 0.5:
            server = serve("--pid", "pid", bind=f"127.0.0.1:{taken.getsockname()[1]}")
            server.wait_for_log("trying again")
            begin = time.monotonic()
            assert server.stop() == 0
            took.append(time.monotonic() - begin)
            assert not (folder / "pid").exists()
            server.log_path.unlink()
    assert min(took) <= 0.5


def test_pidfile_of_a_living_server_is_respected(serve: ServerFactory, folder: Path) -> None:
    first = serve("--pid", "pid").wait_ready()
    assert (folder / "pid").read_text() == f"{first.pid}\n"
    second = serve("--pid", "pid")
    assert second.wait_exit() == 1
    assert f"a server with pid {first.pid} is running" in second.log()
    assert first.stop() == 0
    assert not (folder / "pid").exists()


def test_stale_pidfile_is_overwritten(serve: ServerFactory, folder: Path) -> None:
    (folder / "pid").write_text("garbage")
    server = serve("--pid", "pid").wait_ready()
    assert (folder / "pid").read_text() == f"{server.pid}\n"


def test_unix_socket_has_the_mode_of_the_umask_and_goes_with_the_server(
    serve: ServerFactory, folder: Path
) -> None:
    server = serve("--umask", "027", bind=f"unix:{folder}/sock").wait_ready()
    assert (folder / "sock").stat().st_mode & 0o777 == 0o750
    assert server.get_version() == "1"
    assert server.stop() == 0
    assert not (folder / "sock").exists()


def test_unix_socket_of_a_killed_server_is_replaced(serve: ServerFactory, folder: Path) -> None:
    first = serve(bind=f"unix:{folder}/sock").wait_ready()
    first.kill_all()
    assert (folder / "sock").exists()
    second = serve(bind=f"unix:{folder}/sock")
    second.wait_for_log("Worker is ready", 2)
    assert second.get_version() == "1"


def test_workers_end_when_the_master_is_killed(serve: ServerFactory) -> None:
    server = serve("--workers", "2").wait_ready(2)
    pids = server.workers()
    os.kill(server.pid, signal.SIGKILL)
    wait_for(lambda: not any(map(is_alive, pids)), "the end of the workers")


def test_inherited_descriptor(serve: ServerFactory) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = serve(bind=f"fd://{listener.fileno()}", pass_fds=[listener.fileno()]).wait_ready()
        assert server.address == listener.getsockname()
        assert server.get_version() == "1"


@pytest.mark.parametrize("preload", [(), ("--preload",)], ids=["", "preload"])
def test_stop_while_the_application_loads(
    serve: ServerFactory, folder: Path, preload: tuple[str, ...]
) -> None:
    (folder / "app.py").write_text("import time\ntime.sleep(60)")
    server = serve("--workers", "2", *preload)
    server.wait_for_log("Preloading" if preload else "Booting worker", 1 if preload else 2)
    begin = time.monotonic()
    assert server.stop() == 0
    assert time.monotonic() - begin < 3


def test_first_boot_that_hangs_is_explained(serve: ServerFactory, folder: Path) -> None:
    (folder / "app.py").write_text("import time\ntime.sleep(60)")
    server = serve("--boot-timeout", "0.5")
    server.wait_for_log(r"has not become ready for \d\.\d s, loading the application")
    server.wait_for_log(r'app.py", line 2')
    server.wait_for_log("Booting worker", 2)
    assert server.stop() == 0


@pytest.mark.parametrize("preload", [(), ("--preload",)], ids=["", "preload"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signal_to_the_whole_group(serve: ServerFactory, number: int, preload: tuple[str, ...]) -> None:
    # ^C in a terminal, or a supervisor that signals every process it knows of.
    server = serve("--workers", "2", *preload).wait_ready(2)
    with server.connect() as sock:
        sock.sendall(b"GET /sleep/0.5 HTTP/1.1\r\nHost: test\r\n\r\n")
        os.killpg(server.pid, number)
        if number == signal.SIGTERM:
            assert read_answer(sock)
    assert server.wait_exit() == 0
    assert "ERROR" not in server.log()
    assert "CRITICAL" not in server.log()
