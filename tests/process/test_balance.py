"""The load is even between workers, whichever of them the kernel wakes, and nobody waits for a stuck one."""

from __future__ import annotations

import os
import signal
import socket
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.process.conftest import ServerFactory
from tests.process.crowd import descriptors
from tests.process.server import DEADLINE, Server, get_on, wait_for
from tests.workers.kinds import NAMES

WORKERS = 4

#: Arguments for the kinds that need some.
ARGUMENTS: dict[str, Sequence[str]] = {"gthread": ("--threads", "4")}

BOTH_KINDS_APP = """\
import os
TEXT = b"%d 1 %s" % (os.getpid(), os.environ["INDRIK_WORKER_ID"].encode())
HEADERS = [("Content-Type", "text/plain"), ("Content-Length", str(len(TEXT)))]
def wsgi(environ, start_response):
    start_response("200 OK", HEADERS)
    return [TEXT]
async def asgi(scope, receive, send):
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            await send({"type": message["type"] + ".complete"})
            if message["type"] == "lifespan.shutdown":
                return
    headers = [(name.lower().encode(), value.encode()) for name, value in HEADERS]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": TEXT})
"""

STREAMS_APP = """\
import os, time
def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/event-stream")])
    def body():
        yield os.environ["INDRIK_WORKER_ID"].encode() + b"\\n"
        while True:
            time.sleep(0.05)
            yield b":\\n"
    return body()
"""


def worker_of(answer: str) -> str:
    """The slot of the worker that gave the answer of `APP`."""
    return answer.split()[2]


@pytest.fixture
def open_connections() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def asked_at_once(server: Server, number: int, stack: ExitStack) -> Counter[str]:
    """Connections for each worker, when each has asked before the next is opened."""
    found: Counter[str] = Counter()
    for _ in range(number):
        found[worker_of(get_on(stack.enter_context(server.connect())))] += 1
    return found


def asked_later(server: Server, number: int, stack: ExitStack) -> Counter[str]:
    """The same when they come 40 at once, and none asks before all of these are open."""
    found: Counter[str] = Counter()
    for begin in range(0, number, 40):
        clients = [stack.enter_context(server.connect()) for _ in range(min(40, number - begin))]
        found.update(worker_of(get_on(client)) for client in clients)
    return found


def is_read(client: socket.socket) -> bool:
    """Whether the server has read everything that the kernel has for it (proc(5), /proc/net/tcp)."""
    ours, theirs = client.getsockname()[1], client.getpeername()[1]
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        _, local, remote, _, queues, *_ = line.split()
        if local.endswith(f":{theirs:04X}") and remote.endswith(f":{ours:04X}"):
            return int(queues.partition(":")[2], 16) == 0
    return False


def is_even(found: Counter[str]) -> bool:
    """Whether 16 connections are 4 for each worker, or one more or less."""
    return sum(found.values()) == 16 and all(3 <= found[str(slot)] <= 5 for slot in range(WORKERS))


@pytest.mark.parametrize("ask", [asked_at_once, asked_later])
@pytest.mark.parametrize("kind", NAMES)
def test_every_worker_gets_its_share(
    kind: str,
    ask: Callable[[Server, int, ExitStack], Counter[str]],
    folder: Path,
    serve: ServerFactory,
    open_connections: ExitStack,
) -> None:
    (folder / "app.py").write_text(BOTH_KINDS_APP)
    application = "app:asgi" if "asgi" in kind else "app:wsgi"
    tries: list[Counter[str]] = []
    with descriptors(1016):
        # A worker that does not get the processor for long counts as stuck: not every time on any machine.
        while not any(map(is_even, tries)):
            assert len(tries) < 5, tries
            open_connections.close()
            (folder / "log").unlink(missing_ok=True)
            server = serve(
                *("--workers", str(WORKERS), "--worker-class", kind, "--keep-alive", "60"),
                *ARGUMENTS.get(kind, ()),
                app=application,
            ).wait_ready(WORKERS)
            tries.append(ask(server, 16, open_connections))
        open_connections.close()
        many = ask(server, 1000, open_connections)
    counts = [many[str(slot)] for slot in range(WORKERS)]
    assert sum(counts) == 1000, many
    assert max(counts) - min(counts) <= 25, many


def test_preloaded_workers_share_too(folder: Path, serve: ServerFactory, open_connections: ExitStack) -> None:
    tries: list[Counter[str]] = []
    while not any(map(is_even, tries)):
        assert len(tries) < 5, tries
        open_connections.close()
        (folder / "log").unlink(missing_ok=True)
        server = serve("--workers", "4", "--preload", "--keep-alive", "60").wait_ready(4)
        tries.append(asked_at_once(server, 16, open_connections))


def test_streams_are_shared_out(folder: Path, serve: ServerFactory, open_connections: ExitStack) -> None:
    (folder / "app.py").write_text(STREAMS_APP)
    tries: list[Counter[str]] = []
    # As above: a worker that does not get the processor for long counts as stuck.
    while not any(map(is_even, tries)):
        assert len(tries) < 5, tries
        open_connections.close()
        (folder / "log").unlink(missing_ok=True)
        server = serve("--workers", "4", "--threads", "8").wait_ready(4)
        found: Counter[str] = Counter()
        for _ in range(16):
            client = open_connections.enter_context(server.connect())
            client.sendall(b"GET / HTTP/1.0\r\n\r\n")
            with client.makefile("rb") as lines:
                while lines.readline() != b"\r\n":
                    pass
                found[lines.readline().decode().strip()] += 1
        tries.append(found)


def test_a_worker_inside_the_application_is_not_counted_on(
    serve: ServerFactory, open_connections: ExitStack
) -> None:
    """It has fewer connections than its sibling all the time, and gets none."""
    server = serve("--workers", "2", "--keep-alive", "60").wait_ready(2)
    stuck = open_connections.enter_context(server.connect())
    busy = worker_of(get_on(stuck))
    stuck.sendall(b"GET /sleep/4 HTTP/1.1\r\nHost: test\r\n\r\n")
    wait_for(lambda: is_read(stuck), "the request in the application")
    began = time.monotonic()
    answers = asked_at_once(server, 16, open_connections)
    assert busy not in answers
    assert time.monotonic() - began < 3.0


def test_what_a_worker_does_not_take_is_taken_back(
    serve: ServerFactory, open_connections: ExitStack
) -> None:
    """A worker that is stopped looks as if it only waited, to its siblings and to the kernel."""
    server = serve("--workers", "3", "--timeout", "0", "--keep-alive", "60").wait_ready(3)
    stopped = int(get_on(open_connections.enter_context(server.connect())).split()[0])
    os.kill(stopped, signal.SIGSTOP)
    try:
        pids = [
            int(get_on(open_connections.enter_context(server.connect())).split()[0]) for _ in range(20)
        ]
    finally:
        os.kill(stopped, signal.SIGCONT)
    assert stopped not in pids
    assert len(set(pids)) == 2


def test_a_worker_that_dies_loses_no_connection_passed_on_to_it(
    serve: ServerFactory, open_connections: ExitStack
) -> None:
    server = serve("--workers", "2", "--timeout", "0", "--keep-alive", "60").wait_ready(2)
    victim = int(get_on(open_connections.enter_context(server.connect())).split()[0])
    os.kill(victim, signal.SIGSTOP)
    clients = [open_connections.enter_context(server.connect()) for _ in range(8)]
    os.kill(victim, signal.SIGKILL)
    for client in clients:
        assert int(get_on(client).split()[0]) != victim


def test_a_worker_with_waiting_requests_takes_no_more(
    serve: ServerFactory, open_connections: ExitStack
) -> None:
    """While whole requests wait for its only thread, a sibling without any gets all that is new."""
    server = serve("--workers", "2", "-k", "gthread", "--keep-alive", "60").wait_ready(2)
    clients: dict[str, list[socket.socket]] = {}
    while not any(len(found) == 2 for found in clients.values()):
        client = open_connections.enter_context(server.connect())
        clients.setdefault(worker_of(get_on(client)), []).append(client)
    busy = next(slot for slot, found in clients.items() if len(found) == 2)
    for client in clients[busy]:
        client.sendall(b"GET /sleep/4 HTTP/1.1\r\nHost: test\r\n\r\n")
    wait_for(lambda: all(map(is_read, clients[busy])), "both requests read")
    began = time.monotonic()
    answers = asked_at_once(server, 12, open_connections)
    assert time.monotonic() - began < 3.0
    assert busy not in answers


def test_a_worker_without_a_free_thread_takes_no_more(
    serve: ServerFactory, open_connections: ExitStack
) -> None:
    """Also when nobody waits there yet, and clients come one by one and do not stay."""
    server = serve("--workers", "2", "-k", "gthread").wait_ready(2)
    for _ in range(200):
        server.get()
    slow = open_connections.enter_context(server.connect())
    slow.sendall(b"GET /sleep/6 HTTP/1.1\r\nHost: test\r\n\r\n")
    wait_for(lambda: is_read(slow), "the slow one read")
    began = time.monotonic()
    for _ in range(100):
        server.get()
    assert time.monotonic() - began < 5.0


def test_a_leaving_worker_serves_what_was_passed_on_to_it(
    serve: ServerFactory, open_connections: ExitStack
) -> None:
    """Everybody who has connected before TERM is answered, wherever the connection is on its way."""
    server = serve("--workers", "4").wait_ready(4)
    clients = [open_connections.enter_context(server.connect()) for _ in range(60)]
    for client in clients:
        client.sendall(b"GET / HTTP/1.1\r\nHost: test\r\n\r\n")
    server.send(signal.SIGTERM)
    for client in clients:
        client.settimeout(DEADLINE)
        assert b"200 OK" in client.recv(4096)
    assert server.wait_exit() == 0


def test_a_newcomer_takes_part(serve: ServerFactory, open_connections: ExitStack) -> None:
    server = serve("--workers", "1", "--keep-alive", "60").wait_ready(1)
    asked_at_once(server, 4, open_connections)
    server.send(signal.SIGTTIN)
    server.wait_ready(2)
    found = asked_at_once(server, 4, open_connections)
    assert found["1"] >= 3, found
