"""HUP: a reload that works, loses nothing; one that does not work, changes nothing."""

from __future__ import annotations

import os
import signal
import socket
import time
from pathlib import Path

import pytest

from tests.process.conftest import ServerFactory
from tests.process.load import Load
from tests.process.server import APP, Server, get_on, is_alive, read_answer, wait_for

RELOADED = "Reload complete"
ABANDONED = "Reload abandoned"


def change(folder: Path, version: str, extra: str = "") -> None:
    """Another version of the application, on disk."""
    text = APP.replace('os.environ.get("VERSION", "1")', repr(version))
    (folder / "app.py").write_text(f"import time\n{extra}\n{text}")
    # A byte-code file is taken for current when size and second of the source are the same.
    for cached in folder.glob("__pycache__/app.*"):
        cached.unlink()


def reload(server: Server, pattern: str = RELOADED, count: int = 1) -> None:
    server.send(signal.SIGHUP)
    server.wait_for_log(pattern, count)


@pytest.mark.parametrize("preload", [(), ("--preload",)], ids=["", "preload"])
def test_new_code_without_a_failed_or_stalled_request(
    serve: ServerFactory, folder: Path, preload: tuple[str, ...]
) -> None:
    server = serve("--workers", "2", *preload).wait_ready(2)
    old = set(server.workers())
    change(folder, "2", "time.sleep(3)")
    with Load(server) as load:
        wait_for(lambda: len(load.answers) > 20, "load")
        reload(server)
        before = len(load.answers)
        wait_for(lambda: len(load.answers) > before + 50, "load")
    assert load.failures == []
    # Far less than a worker takes to come up.
    assert load.longest < 2.5
    assert {answer.split()[1] for answer in load.answers[before + 10 :]} == {"2"}
    wait_for(lambda: not old & set(server.workers()), "the end of the old workers")
    assert len([pid for pid in server.workers() if f"Booting worker with pid: {pid}\n" in server.log()]) == 2


@pytest.mark.parametrize("preload", [(), ("--preload",)], ids=["", "preload"])
@pytest.mark.parametrize(
    ("broken", "said"),
    [
        ("raise ValueError('broken on purpose')", "did not come up: exit code 3"),
        ("import os; os._exit(9)", "did not come up: exit code 9"),
        ("raise SystemExit(0)", "did not come up: exit code 3"),
        ("this is no Python", "did not come up: exit code 3"),
        ("time.sleep(60)", "did not come up"),
    ],
    ids=["raises", "exits", "sys.exit", "syntax", "hangs"],
)
def test_broken_code_changes_nothing(
    serve: ServerFactory, folder: Path, broken: str, said: str, preload: tuple[str, ...]
) -> None:
    server = serve("--workers", "2", "--boot-timeout", "1", *preload).wait_ready(2)
    pids = set(server.workers())
    change(folder, "2", broken)
    with Load(server) as load:
        reload(server, ABANDONED)
        before = len(load.answers)
        wait_for(lambda: len(load.answers) > before + 50, "load")
    assert load.failures == []
    assert load.versions == {"1"}
    assert pids <= set(server.workers())
    assert said in server.log()
    if "exit code 3" in said and not preload:
        assert f"{said}, its own lines above say why. " in server.log()
        # From the application's first line on, not from the server's.
        assert f"{os.sep}indrik{os.sep}" not in server.log()
    change(folder, "3")
    reload(server)
    wait_for(lambda: server.get_version() == "3", "the next version")


def test_broken_configuration_changes_nothing(serve: ServerFactory, folder: Path) -> None:
    conf = folder / "conf.py"
    bind = f"bind = 'unix:{folder}/sock'"
    conf.write_text(f"{bind}\nworkers = 2")
    server = serve("-c", "conf.py", bind="").wait_ready(2)
    pids = server.workers()
    for count, text in enumerate(
        [
            "workers = = 3",
            "workers = 'many'",
            "raise RuntimeError('broken on purpose')",
            "raise SystemExit(2)",
            "bind = 'nowhere.invalid:80'",
            "worker_class = 'no.such.Class'",
            "loglevel = 'loud'\nerrorlog = '/no/such/folder/log'",
            "def on_reload(server): raise ValueError('broken hook')",
        ],
        1,
    ):
        conf.write_text(f"{bind}\n{text}\n")
        server.send(signal.SIGHUP)
        server.wait_for_log(ABANDONED, count)
        assert server.get_version() == "1", text
        assert server.workers() == pids, text
    conf.write_text(f"{bind}\nworkers = 3")
    reload(server)
    server.wait_workers(3)


def test_worker_that_dies_at_once_is_no_success(serve: ServerFactory, folder: Path) -> None:
    server = serve("--workers", "2").wait_ready(2)
    (folder / "app.py").write_text(
        "import os, threading\n"
        "def application(environ, start_response): raise SystemExit\n"
        "threading.Timer(0.2, os._exit, (5,)).start()\n"
    )
    reload(server, ABANDONED)
    assert "died at once: exit code 5" in server.log()
    assert server.get_version() == "1"


def test_second_reload_is_queued(serve: ServerFactory, folder: Path) -> None:
    server = serve().wait_ready()
    change(folder, "2", "time.sleep(0.5)")
    server.send(signal.SIGHUP)
    server.wait_for_log("Handling signal: hup")
    server.send(signal.SIGHUP)
    server.wait_for_log("Reload queued")
    change(folder, "3")
    server.wait_for_log(RELOADED, 2)
    wait_for(lambda: server.get_version() == "3", "the last version")


def test_ttin_and_ttou_survive(serve: ServerFactory, folder: Path) -> None:
    (folder / "conf.py").write_text("workers = 2")
    server = serve("-c", "conf.py").wait_ready(2)
    server.send(signal.SIGTTIN)
    server.wait_workers(3)
    (folder / "conf.py").write_text("workers = 3")
    reload(server)
    server.wait_workers(4)
    for number in (3, 2):
        server.send(signal.SIGTTOU)
        server.wait_workers(number)
    reload(server, count=2)
    server.wait_workers(2)


def test_ttou_stops_at_one_worker_and_loses_nothing(serve: ServerFactory) -> None:
    server = serve("--workers", "3").wait_ready(3)
    oldest = min(server.workers())
    with Load(server) as load:
        server.send(signal.SIGTTOU)
        assert oldest not in server.wait_workers(2)
        server.send(signal.SIGTTOU)
        server.wait_workers(1)
        server.send(signal.SIGTTOU)
        server.wait_for_log("Handling signal: ttou", 3)
    assert load.failures == []
    assert len(server.workers()) == 1


def test_changed_listeners_are_opened_before_old_ones_are_closed(serve: ServerFactory, folder: Path) -> None:
    conf = folder / "conf.py"
    first, second = folder / "first", folder / "second"
    conf.write_text(f"bind = ['unix:{first}']")
    server = serve("-c", "conf.py", bind="").wait_ready()
    conf.write_text(f"bind = ['unix:{second}', 'unix:{first}']")
    with Load(server) as load:
        reload(server)
    assert load.failures == []
    conf.write_text(f"bind = ['unix:{second}']")
    reload(server, count=2)
    assert second.exists()
    wait_for(lambda: not first.exists(), "the end of the first socket's file")
    with socket.socket(socket.AF_UNIX) as sock:
        sock.connect(str(second))


def test_listener_that_cannot_be_opened_changes_nothing(serve: ServerFactory, folder: Path) -> None:
    conf = folder / "conf.py"
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        conf.write_text(f"bind = 'unix:{folder}/sock'")
        server = serve("-c", "conf.py", bind="").wait_ready()
        conf.write_text(f"bind = ['unix:{folder}/sock', '127.0.0.1:{port}']")
        reload(server, ABANDONED)
        assert server.get_version() == "1"
        assert (folder / "sock").exists()


def test_shorter_times_are_for_new_workers(serve: ServerFactory, folder: Path) -> None:
    """A request that was begun under the old `timeout` and `graceful_timeout` has the time they gave it."""
    (folder / "conf.py").write_text("timeout = 60\ngraceful_timeout = 60\n")
    server = serve("-c", "conf.py").wait_ready()
    with server.connect() as sock:
        # An answer, so that the old worker has the connection.
        get_on(sock)
        sock.sendall(b"GET /sleep/6 HTTP/1.1\r\nHost: test\r\n\r\n")
        (folder / "conf.py").write_text("timeout = 1\ngraceful_timeout = 1\n")
        reload(server)
        assert read_answer(sock).split()[1] == "1"
    assert "did not end in time" not in server.log()
    # And the new ones have the new times.
    with server.connect() as sock:
        sock.sendall(b"GET /sleep/60 HTTP/1.1\r\nHost: test\r\n\r\n")
        server.wait_for_log("WORKER TIMEOUT")


def test_environment_follows_the_configuration(serve: ServerFactory, folder: Path) -> None:
    conf = folder / "conf.py"
    conf.write_text("raw_env = ['VERSION=a', 'GONE=x']")
    server = serve("-c", "conf.py").wait_ready()
    assert server.get_version() == "a"
    conf.write_text("raw_env = ['VERSION=b']")
    reload(server)
    wait_for(lambda: server.get_version() == "b", "the new environment")
    assert server.get("/env/GONE") == "None"


def test_thirty_reloads_leave_nothing_behind(serve: ServerFactory, folder: Path) -> None:
    conf = folder / "conf.py"
    conf.write_text("workers = 1")
    server = serve("-c", "conf.py").wait_ready()

    def weight() -> tuple[int, int, int]:
        fds = len(os.listdir(f"/proc/{server.pid}/fd"))
        pages = int(Path(f"/proc/{server.pid}/statm").read_text().split()[1])
        return fds, len(server.workers()), pages

    # Two to warm up, because allocators and caches must settle; then good and bad ones.
    for count in (1, 2):
        reload(server, count=count)
    server.wait_for_log("exited with code 0", 2)
    before = weight()
    for count in range(1, 21):
        conf.write_text("workers = 'many'")
        reload(server, ABANDONED, count)
        if count % 3 == 0:
            conf.write_text("workers = 1")
            reload(server, count=2 + count // 3)
    server.wait_for_log("exited with code 0", 8)
    after = weight()
    assert after[:2] == before[:2]
    assert after[2] - before[2] < 256


def test_failures_in_the_middle_of_the_roll_turn_it_back(serve: ServerFactory, folder: Path) -> None:
    server = serve("--workers", "3").wait_ready(3)
    # Comes up once, then never again.
    change(folder, "2", "import os\nos.mkdir('once')")
    with Load(server) as load:
        reload(server, ABANDONED)
        before = len(load.answers)
        wait_for(lambda: len(load.answers) > before + 100, "load")
    assert load.failures == []
    assert "is up, replacing the workers" in server.log()
    # Two old ones and the one new one that came up, until the old code can be started again.
    change(folder, "1")
    wait_for(
        lambda: "Worker is ready" in server.log().rpartition(ABANDONED)[2], "a worker to replace the new one"
    )
    wait_for(lambda: len(server.workers()) == 3, "the wanted number")
    with Load(server) as load:
        wait_for(lambda: len(load.answers) > 100, "load")
    assert load.versions == {"1"}


def test_stop_during_a_reload(serve: ServerFactory, folder: Path) -> None:
    server = serve("--workers", "2").wait_ready(2)
    change(folder, "2", "time.sleep(30)")
    server.send(signal.SIGHUP)
    server.wait_for_log("Booting worker", 3)
    pids = server.workers()
    begin = time.monotonic()
    assert server.stop() == 0
    assert time.monotonic() - begin < 3
    assert not any(map(is_alive, pids))


@pytest.mark.parametrize("arguments", [("--preload",), ()], ids=["preload", ""])
def test_reload_turns_preloading_on_and_off(
    serve: ServerFactory, folder: Path, arguments: tuple[str, ...]
) -> None:
    conf = folder / "conf.py"
    conf.write_text(f"preload_app = {bool(arguments)}")
    server = serve("-c", "conf.py").wait_ready()
    number = len(server.workers())
    conf.write_text(f"preload_app = {not arguments}")
    change(folder, "2")
    reload(server)
    wait_for(lambda: server.get_version() == "2", "the new version")
    server.wait_workers(3 - number)
