"""Processes at their edges: daemon, users and groups, directories, titles, tracing, reloading on change."""

from __future__ import annotations

import ast
import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.process.conftest import ServerFactory
from tests.process.server import APP, children, is_alive, wait_for

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may change users")


@pytest.fixture
def daemons() -> Iterator[list[Path]]:
    """Pid files of daemons, which leave the session that the other fixtures clean up."""
    named: list[Path] = []
    yield named
    for path in named:
        if path.exists():
            pid = int(path.read_text())
            for one in [pid, *children(pid)]:
                os.kill(one, signal.SIGKILL)


class TestDaemon:
    def test_goes_on_in_the_background(self, serve: ServerFactory, folder: Path, daemons: list[Path]) -> None:
        daemons.append(folder / "pid")
        server = serve("--daemon", "--pid", "pid", "--error-logfile", "errors", bind=f"unix:{folder}/sock")
        assert server.wait_exit() == 0
        server.log_path = folder / "errors"
        server.wait_ready()
        pid = int((folder / "pid").read_text())
        assert pid != server.pid
        assert server.get_version() == "1"
        assert os.getsid(pid) != os.getsid(0)
        assert {os.readlink(f"/proc/{pid}/fd/{fd}") for fd in (0, 1, 2)} == {"/dev/null"}
        # WINCH means something only here.
        os.kill(pid, signal.SIGWINCH)
        wait_for(lambda: not children(pid), "the end of the workers")
        os.kill(pid, signal.SIGTTIN)
        wait_for(lambda: children(pid), "a worker")
        os.kill(pid, signal.SIGTERM)
        wait_for(lambda: not is_alive(pid), "the end of the daemon")
        assert not (folder / "pid").exists()

    def test_failed_start_is_seen(self, serve: ServerFactory, folder: Path) -> None:
        server = serve("--daemon", bind=f"unix:{folder}/no/such/folder/sock")
        assert server.wait_exit() == 1
        assert "Cannot start: cannot listen on unix:" in server.log()

    def test_keeps_output_if_told_to(self, serve: ServerFactory, folder: Path, daemons: list[Path]) -> None:
        daemons.append(folder / "pid")
        server = serve("--daemon", "-R", "--pid", "pid")
        assert server.wait_exit() == 0
        server.wait_ready()
        os.kill(int((folder / "pid").read_text()), signal.SIGTERM)
        server.wait_for_log("Shutting down")


@needs_root
class TestPrivileges:
    def ids(self, serve: ServerFactory, folder: Path, *arguments: str) -> tuple[object, ...]:
        # The application must be readable for the other user: pytest's folders are not.
        for path in [folder, *folder.parents]:
            if path.is_relative_to("/tmp") and path != Path("/tmp"):
                path.chmod(0o755)
        server = serve(*arguments).wait_ready()
        found: tuple[object, ...] = ast.literal_eval(server.get("/ids"))
        status = Path(f"/proc/{server.pid}/status").read_text()
        assert "Uid:\t0\t0\t0\t0" in status
        assert server.stop() == 0
        return found

    def test_user_and_group(self, serve: ServerFactory, folder: Path) -> None:
        users, groups, others, _ = self.ids(serve, folder, "--user", "65534", "--group", "65533")
        assert users == (65534,) * 3
        assert groups == (65533,) * 3
        assert others == [65533]

    def test_initgroups(self, serve: ServerFactory, folder: Path) -> None:
        users, groups, others, _ = self.ids(serve, folder, "-u", "nobody", "-g", "65533", "--initgroups")
        assert users == (65534,) * 3
        assert groups == (65533,) * 3
        assert isinstance(others, list)
        assert 65533 in others
        assert 0 not in others

    def test_nobody_changes_nothing(self, serve: ServerFactory, folder: Path) -> None:
        assert self.ids(serve, folder)[:2] == ((0, 0, 0), (0, 0, 0))


def test_chdir_and_pythonpath(serve: ServerFactory, folder: Path) -> None:
    inner, lib = folder / "inner", folder / "lib"
    inner.mkdir()
    lib.mkdir()
    (lib / "shop.py").write_text(APP)
    server = serve("--chdir", "inner", "--pythonpath", str(lib), app="shop:application").wait_ready()
    assert ast.literal_eval(server.get("/ids"))[3] == str(inner)
    server.send(signal.SIGHUP)
    server.wait_for_log("Reload complete")
    server.wait_for_log("exited with code 0")
    assert ast.literal_eval(server.get("/ids"))[3] == str(inner)


def test_environment_for_the_application(serve: ServerFactory) -> None:
    server = serve("--env", "COLOUR=blue", "--env", "EMPTY=").wait_ready()
    assert server.get("/env/COLOUR") == "'blue'"
    assert server.get("/env/EMPTY") == "''"
    assert server.get("/env/SERVER_SOFTWARE").startswith("'indrik/")


def test_worker_ids_are_small_and_unique(serve: ServerFactory, folder: Path) -> None:
    (folder / "conf.py").write_text(
        "import os\n"
        "def post_worker_init(worker):\n"
        "    worker.log.info('id of %s: %s', worker.pid, os.environ['INDRIK_WORKER_ID'])\n"
    )
    server = serve("--workers", "3", "-c", "conf.py").wait_ready(3)

    def ids() -> dict[int, str]:
        return {int(pid): number for pid, number in re.findall(r"id of (\d+): (\d+)", server.log())}

    assert sorted(ids().values()) == ["0", "1", "2"]
    victim = next(pid for pid, number in ids().items() if number == "1")
    os.kill(victim, signal.SIGKILL)
    server.wait_for_log("Worker is ready", 4)
    left = {number for pid, number in ids().items() if pid != victim}
    assert left == {"0", "1", "2"}


def test_title(serve: ServerFactory) -> None:
    pytest.importorskip("setproctitle")
    server = serve("--name", "shop").wait_ready()

    def title(pid: int) -> str:
        return Path(f"/proc/{pid}/cmdline").read_bytes().rstrip(b"\0").decode()

    assert title(server.pid) == "indrik: master [shop]"
    assert title(server.get_pid()) == "indrik: worker [shop]"


def test_spew_prints_lines(serve: ServerFactory) -> None:
    server = serve("--spew").wait_ready()
    assert server.get_version() == "1"
    server.wait_for_log(r'app:\d+:     path = environ\["PATH_INFO"\]')


def test_usr1_reopens_logs_everywhere(serve: ServerFactory, folder: Path) -> None:
    (folder / "conf.py").write_text(
        "def post_request(worker, req): worker.log.info('served by %s', worker.pid)"
    )
    server = serve("-c", "conf.py", "--error-logfile", "errors", "--preload")
    server.log_path = folder / "errors"
    server.wait_ready()
    assert server.address
    (folder / "errors").rename(folder / "errors.1")
    server.send(signal.SIGUSR1)
    wait_for((folder / "errors").exists, "the new log")
    first = server.get_pid()
    server.wait_for_log(f"served by {first}")
    # The next worker comes from the preloader, whose log was reopened too.
    os.kill(first, signal.SIGKILL)
    server.wait_for_log("Worker is ready")
    server.wait_for_log(f"served by {server.get_pid()}")


class TestSignalsToWorkers:
    @pytest.mark.parametrize(
        "number", [signal.SIGHUP, signal.SIGUSR2, signal.SIGCHLD, signal.SIGWINCH, signal.SIGUSR1]
    )
    def test_harmless(self, serve: ServerFactory, number: int) -> None:
        server = serve().wait_ready()
        pid = server.get_pid()
        os.kill(pid, number)
        assert server.get_pid() == pid

    @pytest.mark.parametrize(
        ("number", "hook"),
        [(signal.SIGTERM, ""), (signal.SIGQUIT, "int"), (signal.SIGINT, "int"), (signal.SIGABRT, "abort")],
    )
    def test_stopping(self, serve: ServerFactory, folder: Path, number: int, hook: str) -> None:
        (folder / "conf.py").write_text(
            "def worker_int(worker): worker.log.info('hook int')\n"
            "def worker_abort(worker): worker.log.info('hook abort')\n"
        )
        server = serve("-c", "conf.py").wait_ready()
        pid = server.get_pid()
        os.kill(pid, number)
        server.wait_for_log("Worker is ready", 2)
        wait_for(lambda: not is_alive(pid), "its end")
        assert server.log().count("hook ") == bool(hook)
        assert f"hook {hook}" in server.log() or not hook
        assert server.get_pid() != pid


@pytest.mark.parametrize("engine", ["poll", "inotify"])
class TestReload:
    def start(self, serve: ServerFactory, engine: str) -> None:
        if engine == "inotify":
            pytest.importorskip("watchfiles")
        self.server = serve(
            "--reload", "--reload-engine", engine, "--reload-extra-file", "*.txt"
        ).wait_ready()

    def test_changed_code_is_served(self, serve: ServerFactory, folder: Path, engine: str) -> None:
        self.start(serve, engine)
        assert self.server.get_version() == "1"
        (folder / "app.py").write_text(APP.replace('"VERSION", "1"', '"VERSION", "two"'))
        self.server.wait_for_log(r"Worker reloading: .*app.py modified")
        self.server.wait_for_log("Worker is ready", 2)
        assert self.server.get_version() == "two"

    def test_extra_file(self, serve: ServerFactory, folder: Path, engine: str) -> None:
        (folder / "words.txt").write_text("one")
        self.start(serve, engine)
        (folder / "words.txt").write_text("three")
        self.server.wait_for_log(r"Worker reloading: words.txt modified")
        self.server.wait_for_log("Worker is ready", 2)

    def test_mistake_does_not_stop_the_server(self, serve: ServerFactory, folder: Path, engine: str) -> None:
        self.start(serve, engine)
        (folder / "app.py").write_text("def application(environ, start_response:\n")
        self.server.wait_for_log("the answer is 500 until a file changes")
        with pytest.raises(AssertionError, match="500"):
            self.server.get()
        assert "SyntaxError" in self.server.log()
        (folder / "app.py").write_text(APP.replace('"VERSION", "1"', '"VERSION", "mended"'))
        wait_for(self.mended, "the cure")

    def mended(self) -> bool:
        try:
            return self.server.get_version() == "mended"
        except AssertionError:
            return False


def test_reload_engine_that_is_not_there(serve: ServerFactory, folder: Path) -> None:
    (folder / "watchfiles.py").write_text("raise ImportError('hidden by a test')")
    path = os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")])
    server = serve("--reload", "--reload-engine", "inotify", environment={"PYTHONPATH": path})
    assert server.wait_exit() == 1
    assert "needs the package watchfiles" in server.log()
