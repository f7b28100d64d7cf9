"""What many idle WebSockets cost, and whether many streams get their events in time.

`CROWD=1 pytest -s tests/process/test_asgi_crowd.py` asks for the whole crowd (10,000 WebSockets, 5,000
streams) and prints the figures; without it there is a tenth of it, whose bounds are wider.
"""

from __future__ import annotations

import os
import re
import selectors
import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.process import crowd_app
from tests.process.asgi import LOOPS, running
from tests.process.crowd import descriptors
from tests.process.websockets import opened

WHOLE = bool(os.environ.get("CROWD"))
WEBSOCKETS, STREAMS = (10_000, 5_000) if WHOLE else (1_000, 500)

#: Octets of the worker for each idle WebSocket, the application's coroutine and scope among them. With a
#: tenth of the crowd, what the allocator rounds up counts ten times as much; uncompiled objects are larger.
MOST_MEMORY = 4096 if WHOLE else 8192

#: Seconds that an event may be late. The machine may have other things to do than a tenth of the crowd.
MOST_LATE = 0.25 if WHOLE else 2.0


@pytest.mark.parametrize("loop", LOOPS)
def test_memory_of_idle_websockets(tmp_path: Path, loop: str) -> None:
    with descriptors(WEBSOCKETS) as number, ExitStack() as stack:
        arguments = ("--asgi-loop", loop, "--worker-connections", "20000")
        server = stack.enter_context(running(tmp_path, *arguments, module=crowd_app))
        with opened(server, "/") as first:
            del first
        before = int(server.get())
        for _ in range(number):
            stack.enter_context(opened(server, "/"))
        each = (int(server.get()) - before) / number
        print(f"{loop}: {each:.0f} octets for each of {number} idle WebSockets")
        assert each < MOST_MEMORY


@pytest.mark.parametrize("loop", LOOPS)
def test_events_come_in_time(tmp_path: Path, loop: str) -> None:
    with descriptors(STREAMS) as number, ExitStack() as stack, selectors.DefaultSelector() as selector:
        arguments = ("--asgi-loop", loop, "--worker-connections", "20000")
        server = stack.enter_context(running(tmp_path, *arguments, module=crowd_app))
        begin = time.monotonic()
        for index in range(number):
            # Spread over the second, as clients come.
            while time.monotonic() - begin < index / number:
                time.sleep(0.0005)
            sock = stack.enter_context(server.connect())
            sock.sendall(b"GET /events HTTP/1.1\r\nHost: a\r\n\r\n")
            selector.register(sock, selectors.EVENT_READ)
        worst = 0.0
        got = 0
        # The first two seconds are those of the connections.
        count_from = time.monotonic() + 2
        until = count_from + 5
        while (now := time.monotonic()) < until:
            for key, _ in selector.select(until - now):
                data = key.fileobj.recv(65536)  # type: ignore[union-attr]
                assert data
                now = time.monotonic()
                for due in re.findall(rb"data: ([\d.]+)", data):
                    if float(due) > count_from:
                        worst = max(worst, now - float(due))
                        got += 1
        print(f"{loop}: {got} events of {number} streams, the latest {worst * 1000:.0f} ms late")
        assert got > number * 3
        assert worst < MOST_LATE
