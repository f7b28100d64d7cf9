"""All slow attacks at once against one sync worker; docs/reference/limits.md says what they may cost."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.process.conftest import ServerFactory
from tests.process.crowd import descriptors, ended, gather, open_files, resident, waits
from tests.process.server import wait_for

APP = """\
def application(environ, start_response):
    environ["wsgi.input"].read()
    # Anew for each request: what everybody is given would be in memory only once.
    body = b"x" * 10_000_000 if environ["PATH_INFO"] == "/large" else b"hello"
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]
"""

HEADS, BODIES, READERS = 1000, 200, 100
HALF_HEAD = b"GET / HTTP/1.1\r\nHost: a\r\nUser-Agent: slow"
HALF_BODY = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n"
LARGE = b"GET /large HTTP/1.1\r\nHost: a\r\n\r\n"

#: Bytes, as the page states it: what is on its way into temporary files, one response in the application's
#: hands, 16 KiB for each connection, and as much again for what the allocator keeps.
MOST_MEMORY = 2 * ((64 << 20) + 10_000_000 + 16384 * (HEADS + BODIES + READERS))


@contextmanager
def trickle(clients: Sequence[socket.socket]) -> Iterator[None]:
    """Each client sends ten bytes a second, as long as it is let."""
    done = threading.Event()

    def run() -> None:
        while not done.wait(1.0):
            for client in clients:
                try:
                    client.send(b"x" * 10)
                except OSError:
                    # It was sent away.
                    pass

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def test_all_slow_attacks_at_once(serve: ServerFactory, folder: Path) -> None:
    (folder / "app.py").write_text(APP)
    with ExitStack() as stack:
        stack.enter_context(descriptors(HEADS + BODIES + 2 * READERS))
        times = [word for name in ("header", "body", "write") for word in (f"--{name}-timeout", "12")]
        server = serve(*times, "--worker-connections", "2000").wait_ready()
        server.get("/")
        (worker,) = server.workers()
        files, memory = open_files(worker), resident(worker)

        heads = gather(stack, server, HEADS, HALF_HEAD)
        bodies = gather(stack, server, BODIES, HALF_BODY)
        readers = gather(stack, server, READERS, LARGE, slow=True)
        with trickle(bodies):
            server.get("/")
            assert open_files(worker) > files + HEADS + BODIES + READERS
            highest = resident(worker)
            for _ in range(4):
                found = waits(server, 300)
                highest = max(highest, resident(worker))
                slowest = found[int(len(found) * 0.99)]
                # Again: the machine may have been busy with something else.
                if slowest < 0.1:
                    break
            assert slowest < 0.1, f"one request of a hundred took {slowest * 1000:.0f} ms or longer"
            assert highest - memory < MOST_MEMORY, f"{(highest - memory) >> 20} MB"
            # They were there all the time.
            assert open_files(worker) > files + HEADS + BODIES + READERS

            for answer in ended([*heads, *bodies], 30):
                assert answer.startswith(b"HTTP/1.1 408 "), answer
        wait_for(lambda: open_files(worker) <= files, "the descriptors of all of them")
        for client in readers:
            client.close()
        assert server.get("/") == "hello"
        assert server.workers() == [worker]
        assert resident(worker) - memory < MOST_MEMORY // 2
