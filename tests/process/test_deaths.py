"""Workers that hang, crash or outlive their limits: what happens to the service, and what the log says."""

from __future__ import annotations

import os
import re
import signal
import time
from pathlib import Path

import pytest

from tests.process.conftest import ServerFactory
from tests.process.load import Load
from tests.process.server import get_on, is_alive, wait_for


def test_silent_worker_is_explained_and_replaced(serve: ServerFactory, folder: Path) -> None:
    (folder / "conf.py").write_text("def worker_abort(worker): worker.log.info('worker_abort ran')")
    server = serve("--timeout", "1", "-c", "conf.py").wait_ready()
    with server.connect() as sock:
        sock.sendall(b"GET /sleep/30?why HTTP/1.1\r\nHost: test\r\n\r\n")
        assert sock.recv(1000) == b""
    server.wait_for_log("Worker is ready", 2)
    assert server.get_version() == "1"
    log = server.log()
    assert re.search(
        r"WORKER TIMEOUT \(pid:\d+\): gave no sign of life for 1\.\d s, serving 'GET /sleep/30", log
    )
    assert re.search(r"; aborted after \d\.\d s and 0 requests\. Its stacks follow; .* raise timeout\n", log)
    assert log.index("WORKER TIMEOUT") < log.index("in application") < log.index("worker_abort ran")


def test_worker_that_ignores_abort_is_killed(serve: ServerFactory, folder: Path) -> None:
    (folder / "conf.py").write_text("import time\ndef worker_abort(worker): time.sleep(60)")
    server = serve("--timeout", "1", "-c", "conf.py").wait_ready()
    first = server.get_pid()
    with server.connect() as sock:
        sock.sendall(b"GET /sleep/30 HTTP/1.1\r\nHost: test\r\n\r\n")
        server.wait_for_log(r"did not end in time, serving 'GET /sleep/30' for .*: KILL")
    wait_for(lambda: not is_alive(first), "the worker's end")
    assert server.get_version() == "1"


def test_stopped_worker_is_called_stopped(serve: ServerFactory) -> None:
    server = serve("--timeout", "1").wait_ready()
    pid = server.get_pid()
    os.kill(pid, signal.SIGSTOP)
    server.wait_for_log(rf"WORKER TIMEOUT \(pid:{pid}\): .*; the process is stopped by a signal")
    server.wait_for_log("none: the process did not react")
    wait_for(lambda: not is_alive(pid), "the worker's end")
    assert server.get_version() == "1"


def test_crash_is_explained_with_its_stack(serve: ServerFactory) -> None:
    server = serve("--workers", "2").wait_ready(2)
    with server.connect() as sock:
        sock.sendall(b"GET /kill/11 HTTP/1.1\r\nHost: test\r\n\r\n")
        server.wait_for_log(
            r"was killed by SIGSEGV after \d+\.\d s and \d+ requests?, while serving 'GET /kill/11"
        )
    server.wait_for_log(r"Stacks of worker[^\0]*Segmentation fault[^\0]*in application")
    server.wait_workers(2)


def test_exit_in_the_application_is_explained(serve: ServerFactory) -> None:
    server = serve("--workers", "2").wait_ready(2)
    with server.connect() as sock:
        sock.sendall(b"GET /exit HTTP/1.1\r\nHost: test\r\n\r\n")
        server.wait_for_log("exited with code 7 after .* while serving 'GET /exit'")
    server.wait_workers(2)


@pytest.mark.parametrize(
    ("kind", "name"),
    [("sync", "KeyboardInterrupt"), ("gthread", "asyncio.CancelledError"), ("gevent", "KeyboardInterrupt")],
)
def test_what_ends_a_worker_ends_no_other(serve: ServerFactory, folder: Path, kind: str, name: str) -> None:
    (folder / "app.py").write_text(
        "import asyncio, os\n"
        "def application(environ, start_response):\n"
        "    if environ['PATH_INFO'] == '/raise':\n"
        f"        raise {name}('on purpose')\n"
        "    start_response('200 OK', [])\n"
        "    return [str(os.getpid()).encode()]\n"
    )
    (folder / "conf.py").write_text("def on_exit(server): open('on_exit', 'w').close()")
    server = serve("-k", kind, "-w", "2", "-p", "pid", "-c", "conf.py", bind=f"unix:{folder}/s").wait_ready(2)
    before = set(server.workers())
    with server.connect() as sock:
        sock.sendall(b"GET /raise HTTP/1.1\r\nHost: test\r\n\r\n")
        server.wait_for_log(r"Exception in worker process[^\0]*on purpose")
        server.wait_for_log("Worker is ready", 3)
    assert len(before & set(server.workers())) == 1
    assert server.get_pid() in server.workers()
    assert (folder / "pid").read_text().strip() == str(server.pid)
    assert not (folder / "on_exit").exists()
    assert server.stop() == 0
    assert (folder / "on_exit").exists()


@pytest.mark.parametrize("kind", ["sync", "gthread"])
def test_a_worker_without_descriptors_leaves_in_order(
    serve: ServerFactory, folder: Path, kind: str
) -> None:
    (folder / "app.py").write_text(
        "import os\n"
        "kept = []\n"
        "def application(environ, start_response):\n"
        "    try:\n"
        "        while environ['PATH_INFO'] == '/exhaust':\n"
        "            kept.append(os.dup(0))\n"
        "    except OSError:\n"
        "        pass\n"
        "    start_response('200 OK', [('Content-Length', '2')])\n"
        "    return [b'ok']\n"
    )
    server = serve("-k", kind, "-w", "2").wait_ready(2)
    with server.connect() as sock:
        assert get_on(sock, "/exhaust") == "ok"
        server.send(signal.SIGTERM)
        # Served to the end, and told that it is the end.
        server.wait_for_log("Handling signal: term")
    assert server.wait_exit() == 0
    assert "Traceback" not in server.log()


@pytest.mark.parametrize("kind", ["sync", "gthread"])
def test_exit_with_status_0_inside_a_request_is_told(serve: ServerFactory, folder: Path, kind: str) -> None:
    (folder / "app.py").write_text("import os\ndef application(environ, start_response): os._exit(0)\n")
    server = serve("--worker-class", kind, "--threads", "2" if kind == "gthread" else "1").wait_ready()
    with server.connect() as sock:
        sock.sendall(b"GET /leave HTTP/1.1\r\nHost: test\r\n\r\n")
        server.wait_for_log(
            r"\[ERROR\] Worker .* exited with code 0 after .*, while serving 'GET /leave'.*os\._exit"
        )


@pytest.mark.parametrize("kind", ["sync", "gthread"])
def test_system_exit_in_the_application_is_told(serve: ServerFactory, folder: Path, kind: str) -> None:
    (folder / "app.py").write_text("import sys\ndef application(environ, start_response):\n    sys.exit(0)\n")
    server = serve("--worker-class", kind, "--threads", "2" if kind == "gthread" else "1").wait_ready()
    with server.connect() as sock:
        sock.sendall(b"GET / HTTP/1.1\r\nHost: test\r\n\r\n")
        found = server.wait_for_log(
            r"ends with status 0 \(pid: \d+\): the application called exit\(0\) here\n"
            r"Traceback .*:\n  File \"(.*)\", line 3, in application\n"
        )
    assert found[1] == str(folder / "app.py")
    server.wait_for_log("Worker is ready", 2)
    assert server.stop() == 0
    assert server.log().count("called exit(") == 1


def test_order_to_end_at_once_is_no_death(serve: ServerFactory, folder: Path) -> None:
    (folder / "app.py").write_text(
        "import time\ndef application(environ, start_response):\n"
        "    print('inside', flush=True)\n    time.sleep(60)\n"
    )
    server = serve().wait_ready()
    with server.connect() as sock:
        sock.sendall(b"GET / HTTP/1.1\r\nHost: test\r\n\r\n")
        server.wait_for_log("inside")
        os.kill(server.workers()[0], signal.SIGQUIT)
        server.wait_for_log(r"\[DEBUG\] Worker .* exited with code 0")
    server.wait_for_log("Worker is ready", 2)
    assert "[ERROR]" not in server.log()


def test_boot_failure_after_the_first_success_backs_off(serve: ServerFactory, folder: Path) -> None:
    server = serve("--workers", "2").wait_ready(2)
    (folder / "app.py").write_text("raise ValueError('broken on purpose')")
    begin = time.monotonic()
    os.kill(server.workers()[0], signal.SIGKILL)
    server.wait_for_log(r"failed in a row: 4; the next try is in 2\.00 s")
    assert time.monotonic() - begin > 1.5
    # The service goes on with the worker that lives.
    assert server.get_version() == "1"
    assert 4 <= len(re.findall("ValueError: broken on purpose", server.log())) <= 5
    assert server.stop() == 0


def test_crash_loop_does_not_spin(serve: ServerFactory, folder: Path) -> None:
    (folder / "app.py").write_text(
        "import os, threading\n"
        "def application(environ, start_response): raise SystemExit\n"
        "threading.Timer(0.05, os._exit, (5,)).start()\n"
    )
    server = serve().wait_ready()
    begin = time.monotonic()
    server.wait_for_log("exited with code 5", 5)
    # 0, 0.25, 0.5 and 1 second between the deaths.
    assert time.monotonic() - begin > 1.5
    assert server.stop() == 0


def test_max_requests_under_load(serve: ServerFactory) -> None:
    server = serve("--workers", "2", "--max-requests", "50", "--max-requests-jitter", "10").wait_ready(2)
    with Load(server) as load:
        server.wait_for_log("asks for a successor", 12)
    assert load.failures == []
    # Whoever waits in the queue of a socket that nobody serves gives up only after 20 s.
    assert load.longest < 5.0
    server.wait_workers(2)


def test_max_worker_memory(serve: ServerFactory) -> None:
    server = serve("--max-worker-memory", "100", "--max-worker-memory-jitter", "5").wait_ready()
    pid = server.get_pid()
    with Load(server, kept=1, fresh=1) as load:
        for _ in range(4):
            server.get("/grow")
        server.wait_for_log(rf"Worker \(pid:{pid}\) uses \d+ MiB of memory, its limit is 10\d: replacing it")
        wait_for(lambda: not is_alive(pid), "the worker's end")
    assert load.failures == []
    server.wait_workers(1)


def test_max_worker_lifetime(serve: ServerFactory) -> None:
    server = serve("--max-worker-lifetime", "0.5", "--max-worker-lifetime-jitter", "0.5").wait_ready()
    with Load(server, kept=1, fresh=1) as load:
        server.wait_for_log("replacing it", 3)
    assert load.failures == []


def test_fifty_mixed_signals_under_load(serve: ServerFactory) -> None:
    server = serve("--workers", "2").wait_ready(2)
    mixture = [signal.SIGHUP, signal.SIGTTIN, signal.SIGUSR1, signal.SIGTTOU, signal.SIGCHLD, signal.SIGWINCH]
    with Load(server) as load:
        for index in range(50):
            server.send(mixture[index % len(mixture)])
            before = len(load.answers)
            wait_for(lambda before=before: len(load.answers) > before + 5, "load")  # type: ignore[misc]
        server.wait_for_log("Reload complete", 2)
    assert load.failures == []
    wait_for(lambda: "queued" not in server.log()[server.log().rindex("Reload") :], "the last reload")
    # 9 TTIN, 8 TTOU.
    server.wait_workers(3)
    assert server.stop() == 0
