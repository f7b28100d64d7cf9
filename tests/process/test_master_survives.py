"""What goes wrong around the master, and must neither end it nor leave half of something done: directories
that a deployment removes, files that cannot be written or removed, descriptors that run out.
"""

from __future__ import annotations

import os
import resource
import shutil
import signal
import socket
import sys
import threading
import time
from pathlib import Path

import pytest

from tests.process.conftest import ServerFactory
from tests.process.server import APP, Server, get_on, is_alive, read_answer, wait_for


def release(folder: Path, name: str) -> Path:
    """A directory with the application, whose version is its name."""
    made = folder / name
    made.mkdir()
    (made / "app.py").write_text(APP.replace('os.environ.get("VERSION", "1")', repr(name)))
    return made


def reload(server: Server, pattern: str = "Reload complete", count: int = 1) -> None:
    server.send(signal.SIGHUP)
    server.wait_for_log(pattern, count)


class TestDirectories:
    def test_a_reload_after_the_old_release_was_removed(self, serve: ServerFactory, folder: Path) -> None:
        old = release(folder, "old")
        release(folder, "new")
        current = folder / "current"
        current.symlink_to("old")
        (folder / "app.py").unlink()
        server = serve("--chdir", str(current)).wait_ready()
        assert server.get_version() == "old"
        current.unlink()
        current.symlink_to("new")
        shutil.rmtree(old)
        reload(server)
        assert server.get_version() == "new"
        assert server.stop() == 0

    def test_an_abandoned_reload_after_the_directory_was_removed(
        self, serve: ServerFactory, folder: Path
    ) -> None:
        """And a worker that is started there afterwards: its code lies elsewhere."""
        old = release(folder, "old")
        configuration = folder / "conf.py"
        configuration.write_text(f"chdir = {str(old)!r}\npythonpath = {str(folder)!r}\n")
        server = serve("-c", str(configuration)).wait_ready()
        shutil.rmtree(old)
        reload(server, "Reload abandoned, nothing has changed: .* there is no such directory")
        os.kill(server.workers()[0], signal.SIGKILL)
        server.wait_for_log("The working directory .*old of generation 1 cannot be entered any more: No such")
        server.wait_for_log("Worker is ready", 2)
        assert server.get_version() == "1"
        # Nothing of it is lasting.
        old.mkdir()
        reload(server)
        assert server.get_version() == "1"

    def test_the_import_path_is_that_of_the_configuration_in_force(
        self, serve: ServerFactory, folder: Path
    ) -> None:
        """Blue, green and blue again; and the directories of `pythonpath` follow too."""
        (folder / "app.py").unlink()
        first, second = release(folder, "first"), release(folder, "second")
        configuration = folder / "conf.py"
        configuration.write_text(f"chdir = {str(first)!r}\n")
        server = serve("-c", str(configuration)).wait_ready()
        assert server.get_version() == "first"
        empty = folder / "empty"
        empty.mkdir()
        texts = {
            "second": [f"chdir = {str(second)!r}\n", f"chdir={str(empty)!r}\npythonpath = {str(second)!r}\n"],
            "first": [f"chdir = {str(first)!r}\n", f"chdir={str(empty)!r}\npythonpath = {str(first)!r}\n"],
        }
        count = 0
        for which in range(2):
            for version in ("second", "first"):
                count += 1
                configuration.write_text(texts[version][which])
                reload(server, count=count)
                assert server.get_version() == version

    def test_an_abandoned_reload_leaves_the_import_path(self, serve: ServerFactory, folder: Path) -> None:
        (folder / "app.py").unlink()
        first, second = release(folder, "first"), release(folder, "second")
        configuration = folder / "conf.py"
        configuration.write_text(f"chdir = {str(first)!r}\n")
        server = serve("-c", str(configuration)).wait_ready()
        configuration.write_text(f"chdir = {str(second)!r}\nworkers = 'many'\n")
        reload(server, "Reload abandoned")
        os.kill(server.workers()[0], signal.SIGKILL)
        server.wait_for_log("Worker is ready", 2)
        assert server.get_version() == "first"


class TestPidFile:
    def test_promotion_over_the_file_of_a_killed_master(self, serve: ServerFactory, folder: Path) -> None:
        """Killed, it leaves its file; its number lives for as long as nobody reaps it."""
        server = serve("--pid", "pid").wait_ready()
        new = upgrade(server)
        os.kill(server.pid, signal.SIGKILL)
        server.wait_for_log("Master has been promoted")
        os.kill(server.pid, 0)
        wait_for(lambda: (folder / "pid").read_text() == f"{new}\n", "the pid file")
        wait_for(lambda: not (folder / "pid.2").exists(), "the end of the other pid file")
        assert server.get_version() == "1"
        os.kill(new, signal.SIGTERM)
        wait_for(lambda: not is_alive(new), "the end of the new master")
        assert not (folder / "pid").exists()

    def test_promotion_without_a_pid_file(self, serve: ServerFactory, folder: Path) -> None:
        """Somebody else's number stands there by then: the only master that is left goes on."""
        server = serve("--pid", "pid").wait_ready()
        new = upgrade(server)
        (folder / "pid").write_text(f"{os.getpid()}\n")
        assert server.stop() == 0
        server.wait_for_log(
            f"pid file .*: a server with pid {os.getpid()} is running; .*; "
            r"the pid of this master stays in .*pid\.2"
        )
        assert (folder / "pid.2").read_text() == f"{new}\n"
        assert server.get_version() == "1"
        os.kill(new, signal.SIGTERM)
        wait_for(lambda: not is_alive(new), "the end of the new master")
        assert sorted(folder.glob("pid*")) == [folder / "pid"]


def upgrade(server: Server) -> int:
    """Start a new master, and wait until it serves; returns its pid."""
    server.send(signal.SIGUSR2)
    server.wait_for_log("Worker is ready", 2)
    return int(server.wait_for_log(r"New master started \(pid: (\d+)\)")[1])


#: What makes root a user like others where modes of files are concerned.
AS_ROOT = ("setpriv", "--bounding-set=-dac_override,-dac_read_search", "--inh-caps=-all")


@pytest.mark.skipif(os.geteuid() == 0 and shutil.which("setpriv") is None, reason="root may do everything")
def test_a_stop_where_no_file_can_be_removed(serve: ServerFactory, folder: Path) -> None:
    place = folder / "run"
    place.mkdir()
    command = (*(AS_ROOT if os.geteuid() == 0 else ()), sys.executable, "-m", "indrik")
    server = serve("--pid", f"{place}/pid", bind=f"unix:{place}/sock", command=command)
    server.wait_ready()
    place.chmod(0o555)
    with server.connect() as sock:
        sock.sendall(b"GET /sleep/1 HTTP/1.1\r\nHost: test\r\n\r\n")
        wait_for(lambda: get_pid_elsewhere(server) is None, "the worker to be busy", 20)
        assert server.stop() == 0
        read_answer(sock)
    server.wait_for_log("pid file .*: cannot be removed: Permission denied")
    server.wait_for_log("Shutting down: Master")


def get_pid_elsewhere(server: Server) -> int | None:
    """The worker that answers another client at once, None if it is busy."""
    with server.connect(0.2) as sock:
        try:
            return int(get_on(sock, close=True).split()[0])
        except TimeoutError:
            return None


class TestDescriptors:
    CROWDED = "import os\ndef on_starting(server):\n    server.kept = [os.dup(0) for _ in range(1100)]\n"

    @pytest.mark.skipif(
        resource.getrlimit(resource.RLIMIT_NOFILE)[0] < 2048, reason="needs more than 1,100 descriptors"
    )
    @pytest.mark.parametrize("arguments", [("--preload",), ("-k", "gthread")], ids=["preload", "gthread"])
    def test_numbers_beyond_1023(
        self, serve: ServerFactory, folder: Path, arguments: tuple[str, ...]
    ) -> None:
        (folder / "conf.py").write_text(self.CROWDED)
        server = serve("-c", "conf.py", *arguments).wait_ready()
        assert server.get_version() == "1"
        assert server.stop() == 0

    def test_none_left_while_a_supervisor_waits(self, serve: ServerFactory, folder: Path) -> None:
        """The watchdog's pings need one."""
        (folder / "conf.py").write_text(
            "import os, resource, signal\n"
            "resource.setrlimit(resource.RLIMIT_NOFILE, (200, 200))\n"
            "kept = []\n"
            "def nworkers_changed(server, new, old):\n"
            "    try:\n"
            "        while new == 2:\n"
            "            kept.append(os.dup(0))\n"
            "    except OSError:\n"
            "        pass\n"
            "    while new == 1 and kept:\n"
            "        os.close(kept.pop())\n"
        )
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as supervisor:
            supervisor.bind(str(folder / "notify"))
            supervisor.settimeout(20)
            environment = {"NOTIFY_SOCKET": str(folder / "notify"), "WATCHDOG_USEC": "400000"}
            server = serve("-c", "conf.py", environment=environment).wait_ready()
            server.send(signal.SIGTTIN)
            server.wait_for_log("Cannot notify the supervisor at NOTIFY_SOCKET=.*: .*Too many open files")
            assert server.get_version() == "1"
            server.send(signal.SIGTTOU)
            hear_anew(supervisor)
            assert server.get_version() == "1"

    def test_a_supervisor_that_was_away(self, serve: ServerFactory, folder: Path) -> None:
        """One lost message is no reason to let the watchdog end the server."""
        path = folder / "notify"
        environment = {"NOTIFY_SOCKET": str(path), "WATCHDOG_USEC": "400000"}
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as supervisor:
            supervisor.bind(str(path))
            server = serve(environment=environment).wait_ready()
        path.unlink()
        server.wait_for_log("Cannot notify the supervisor")
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as supervisor:
            supervisor.bind(str(path))
            supervisor.settimeout(20)
            assert supervisor.recv(4096) == b"WATCHDOG=1"
        assert server.log().count("Cannot notify the supervisor") == 1


def hear_anew(supervisor: socket.socket) -> None:
    """Forget what was said, and wait for the next ping."""
    supervisor.setblocking(False)
    try:
        while True:
            supervisor.recv(4096)
    except BlockingIOError:
        pass
    supervisor.settimeout(20)
    while supervisor.recv(4096) != b"WATCHDOG=1":
        pass


def test_a_logger_class_that_raises_anything(serve: ServerFactory, folder: Path) -> None:
    (folder / "conf.py").write_text(
        "import os\n"
        "from indrik.log.logger import Logger\n"
        "class Own(Logger):\n"
        "    def setup(self, cfg):\n"
        "        super().setup(cfg)\n"
        "        if os.path.exists('broken'):\n"
        "            raise ValueError('on purpose')\n"
        "logger_class = Own\n"
    )
    server = serve("-c", "conf.py").wait_ready()
    (folder / "broken").touch()
    reload(server, "Reload abandoned")
    server.wait_for_log("The log outputs from before the reload cannot be opened again: on purpose")
    assert server.get_version() == "1"
    (folder / "broken").unlink()
    reload(server)


def test_a_quick_stop_right_behind_a_graceful_one(serve: ServerFactory, folder: Path) -> None:
    """Both have arrived before the master comes to look: the second counts too."""
    (folder / "conf.py").write_text(
        "import os, time\n"
        "if os.path.exists('wait'):\n"
        "    os.rename('wait', 'waits')\n"
        "    while not os.path.exists('go'):\n"
        "        time.sleep(0.01)\n"
    )
    server = serve("-c", "conf.py", "--graceful-timeout", "60").wait_ready()
    with server.connect() as sock:
        sock.sendall(b"GET /sleep/60 HTTP/1.1\r\nHost: test\r\n\r\n")
        wait_for(lambda: get_pid_elsewhere(server) is None, "the worker to be busy")
        (folder / "wait").touch()
        server.send(signal.SIGHUP)
        wait_for((folder / "waits").exists, "the reload to begin")
        server.send(signal.SIGTERM)
        # Python calls the handlers that are due in the order of the numbers, and QUIT has the lower one.
        wait_for(lambda: signals_pending(server.pid) == 0, "the handler of TERM")
        server.send(signal.SIGQUIT)
        began = time.monotonic()
        threading.Timer(0.2, (folder / "go").touch).start()
        assert server.wait_exit(30) == 0
        assert time.monotonic() - began < 30


def signals_pending(pid: int) -> int:
    """Those that the kernel has not delivered yet."""
    status = Path(f"/proc/{pid}/status").read_text().splitlines()
    return sum(int(line.split()[1], 16) for line in status if line.startswith(("SigPnd", "ShdPnd")))


#: A server that may have three workers.
FEW = (
    "import indrik.config.resolved as resolved\n"
    "resolved.MOST_WORKERS = 3\n"
    "from indrik.app.wsgiapp import run\n"
    "run()\n"
)


def test_no_more_workers_than_there_is_room_for(serve: ServerFactory) -> None:
    server = serve("--workers", "2", command=(sys.executable, "-c", FEW)).wait_ready(2)
    for count in range(1, 4):
        server.send(signal.SIGTTIN)
        server.wait_for_log("Handling signal: ttin", count)
    server.wait_for_log("TTIN ignored: there are 3 workers, as many as there can be", 2)
    server.wait_workers(3)
    reload(server)
    assert server.get_version() == "1"


def test_too_many_workers(serve: ServerFactory) -> None:
    server = serve("--workers", "1001")
    assert server.wait_exit() == 1
    assert "must be a whole number from 0 to 1000, or auto" in server.log()


def test_a_slow_hook_is_not_called_an_outage(serve: ServerFactory, folder: Path) -> None:
    """Workers have served all the time, and the log must not say otherwise."""
    (folder / "conf.py").write_text("import time\ndef on_reload(server):\n    time.sleep(4)\n")
    # So short, because it would have looked at the worker then.
    server = serve("-c", "conf.py", "--timeout", "1").wait_ready()
    reload(server)
    server.wait_for_log(r"The master could not look after its workers for \d\.\d s \(a slow hook")
