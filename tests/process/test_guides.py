"""What the files in the operator's guides do, with a real server: sockets of systemd, containers, balancers.
The page on nginx is tested in test_guide_nginx.py, the files themselves in tests/repo.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import signal
import socket
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.process.activation import activated
from tests.process.conftest import ServerFactory
from tests.process.guides import FOLDER, adapted, block, dockerfile, free_port
from tests.process.server import DEADLINE, Server, children, get_on, is_alive, read_answer, wait_for

# --- systemd.md


@pytest.mark.skipif(
    shutil.which("systemd-socket-activate") is None, reason="no systemd-socket-activate: package systemd"
)
def test_socket_activation_by_hand(serve: ServerFactory) -> None:
    port = free_port()
    page = (FOLDER / "systemd.md").read_text(encoding="utf-8")
    [line] = re.findall(r"^systemd-socket-activate .*$", page, re.MULTILINE)
    line = adapted(line, {"127.0.0.1:8000": f"127.0.0.1:{port}", "indrik shop.wsgi:application": ""})
    # It passes on nothing of the environment that is not named.
    for name in ("PYTHONPATH", "PYTHONDONTWRITEBYTECODE"):
        if name in os.environ:
            line += f" -E {name}={shlex.quote(os.environ[name])}"
    words = [*shlex.split(line), sys.executable, "-m", "indrik"]
    server = serve("--bind", "127.0.0.1:1", command=words, bind="")
    server.wait_for_log("Listening on")
    with socket.create_connection(("127.0.0.1", port), DEADLINE) as sock:
        assert get_on(sock).split()[1] == "1"
    assert server.address == ("127.0.0.1", port)


def test_clients_wait_during_a_restart_of_an_activated_server(serve: ServerFactory, folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        command = activated(folder, listener)
        server = serve(bind="", command=command, pass_fds=[listener.fileno()]).wait_ready()
        assert server.stop() == 0
        with socket.create_connection(listener.getsockname(), DEADLINE) as sock:
            sock.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            serve(bind="", command=command, pass_fds=[listener.fileno()])
            assert read_answer(sock)


def test_deaths_are_told_as_the_page_has_them(serve: ServerFactory, folder: Path) -> None:
    (folder / "app.py").write_text(
        "import ctypes, os, time\n"
        "def application(environ, start_response):\n"
        "    deaths = {'/segv': lambda: ctypes.string_at(0), '/exit': lambda: os._exit(7),\n"
        "              '/kill': lambda: os.kill(os.getpid(), 9), '/hang': lambda: time.sleep(60)}\n"
        "    deaths[environ['PATH_INFO']]()\n"
    )
    server = serve("--timeout", "2").wait_ready()
    lines = block("systemd.md", "deaths.log").splitlines()
    for number, line in enumerate(lines, 1):
        path = re.search(r"GET (/\w+)", line)
        assert path is not None
        with server.connect() as sock:
            sock.sendall(f"GET {path[1]} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
            server.wait_for_log(re.sub(r"\\?\d+(\\\.\d+)?", r"\\d+(\\.\\d+)?", re.escape(line)))
        server.wait_ready(number + 1)
    assert len(lines) == 4


# --- docker.md


def test_health_check(serve: ServerFactory) -> None:
    server = serve().wait_ready()
    assert isinstance(server.address, tuple)
    [line] = dockerfile()["HEALTHCHECK"]
    _, _, command = line.partition("CMD ")
    words = json.loads(adapted(command, {"127.0.0.1:8000": f"127.0.0.1:{server.address[1]}"}))

    def status() -> int:
        return subprocess.run(
            [sys.executable, *words[1:]], capture_output=True, timeout=60, check=False
        ).returncode

    assert words[0] == "python"
    assert status() == 0
    server.stop()
    assert status() == 1


def can_unshare() -> bool:
    command = ["unshare", "--pid", "--fork", "--mount-proc", "true"]
    if shutil.which("unshare") is None:
        return False
    return subprocess.run(command, capture_output=True, timeout=60, check=False).returncode == 0


@pytest.mark.skipif(not can_unshare(), reason="unshare --pid needs root and CAP_SYS_ADMIN")
def test_as_process_1(serve: ServerFactory, folder: Path) -> None:
    """It gets TERM, reaps what is not its own child, and ends with 0."""
    (folder / "app.py").write_text(
        "import subprocess\n"
        "def application(environ, start_response):\n"
        "    # The shell ends before the program that it has started.\n"
        "    made = subprocess.run(['sh', '-c', 'sleep 1 & echo $!'], stdout=subprocess.PIPE)\n"
        "    start_response('200 OK', [])\n"
        "    return [made.stdout]\n"
    )
    command = ("unshare", "--pid", "--fork", "--mount-proc", sys.executable, "-m", "indrik")
    server = serve("--graceful-timeout", "8", command=command).wait_ready()
    server.wait_for_log(r"Listening at: \S+ \(1\)")
    [master] = children(server.pid)
    inside = server.get().strip()
    wait_for(lambda: not exists_inside(master, inside), "the reaping of the program that was left behind")
    os.kill(master, signal.SIGTERM)
    assert server.wait_exit() == 0
    assert not is_alive(master)


def exists_inside(master: int, number: str) -> bool:
    """Whether a process, dead ones that nobody has reaped included, has this number in the name space of
    `master`.
    """
    space = os.readlink(f"/proc/{master}/ns/pid")
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            found = re.search(r"^NSpid:\s.*\s(\d+)$", (entry / "status").read_text(), re.MULTILINE)
            if found is not None and found[1] == number and os.readlink(entry / "ns" / "pid") == space:
                return True
        except (FileNotFoundError, ProcessLookupError):
            continue
    return False


# --- behind-a-load-balancer.md


def told(server: Server, *fields: str, before: bytes = b"") -> tuple[str, str]:
    """Address and scheme, as the application is told them."""
    with server.connect() as sock:
        lines = ["GET / HTTP/1.1", "Host: a", "Connection: close", *fields, "", ""]
        sock.sendall(before + "\r\n".join(lines).encode())
        address, scheme = read_answer(sock).split(" ")
        return address, scheme


@pytest.fixture
def balanced(serve: ServerFactory, folder: Path) -> Any:
    """Starts a server with one of the page's files, whose balancers are then the loopback."""
    (folder / "app.py").write_text(
        "def application(environ, start_response):\n"
        "    text = f\"{environ['REMOTE_ADDR']} {environ['wsgi.url_scheme']}\"\n"
        "    start_response('200 OK', [('Content-Length', str(len(text)))])\n"
        "    return [text.encode()]\n"
    )

    def start(name: str) -> Server:
        changes = {"10.0.0.0/16": "127.0.0.0/8", "0.0.0.0:8000": "127.0.0.1:0"}
        (folder / "conf.py").write_text(block("behind-a-load-balancer.md", name, changes))
        return serve("--config", "conf.py", bind="").wait_ready()

    return start


def test_a_balancer(balanced: Any) -> None:
    server = balanced("http.conf.py")
    proto = "X-Forwarded-Proto: https"
    assert told(server, "X-Forwarded-For: 192.0.2.1", proto) == ("192.0.2.1", "https")
    assert told(server, "X-Forwarded-For: 203.0.113.9, 192.0.2.1", proto) == ("192.0.2.1", "https")
    assert told(server) == ("127.0.0.1", "http")


def test_two_proxies(balanced: Any) -> None:
    server = balanced("two-proxies.conf.py")
    fields = ("X-Forwarded-For: 203.0.113.9, 192.0.2.1, 198.51.100.7", "X-Forwarded-Proto: https")
    assert told(server, *fields) == ("192.0.2.1", "https")


def header(command: int, addresses: bytes = b"") -> bytes:
    """A PROXY header of version 2; command 0 is LOCAL, 1 is PROXY."""
    family = 0x11 if addresses else 0
    start = struct.pack("!BBH", 0x20 | command, family, len(addresses))
    return b"\r\n\r\n\0\r\nQUIT\n" + start + addresses


def test_a_balancer_of_tcp(balanced: Any) -> None:
    server = balanced("tcp.conf.py")
    client = struct.pack("!4B4BHH", 192, 0, 2, 1, 198, 51, 100, 2, 40000, 443)
    # The client's own word on the scheme is not believed.
    assert told(server, "X-Forwarded-Proto: https", before=header(1, client)) == ("192.0.2.1", "http")
    assert told(server, before=header(0)) == ("127.0.0.1", "http")
    with server.connect() as sock:
        sock.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert sock.recv(4096).startswith(b"HTTP/1.1 400 ")
