"""Many clients at once, polite and hostile, and what they cost the server."""

from __future__ import annotations

import resource
import selectors
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.process.server import DEADLINE, Server, get_on

#: Descriptors that the test and the server need beside the crowd.
_SPARE = 200

#: So small that the kernel takes next to nothing of an answer that is not read.
_SMALL_BUFFER = 4096


@contextmanager
def descriptors(wanted: int) -> Iterator[int]:
    """Lets this process, and what it starts, open `wanted` sockets, or as many as the system allows."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = wanted + _SPARE if hard == resource.RLIM_INFINITY else min(wanted + _SPARE, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, most), hard))
    try:
        yield min(wanted, most - _SPARE)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def gather(
    stack: ExitStack, server: Server, number: int, data: bytes, slow: bool = False
) -> list[socket.socket]:
    """`number` clients that have sent `data` and read nothing; `slow` ones have no room for an answer."""
    clients = []
    for _ in range(number):
        client = stack.enter_context(socket.socket())
        if slow:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _SMALL_BUFFER)
        client.settimeout(DEADLINE)
        assert isinstance(server.address, tuple)
        client.connect(server.address)
        if data:
            client.sendall(data)
        clients.append(client)
    return clients


def ended(clients: Sequence[socket.socket], seconds: float) -> list[bytes]:
    """What each client gets up to the end of its connection; the test fails if one is still open then."""
    answers = dict.fromkeys(clients, b"")
    give_up_at = time.monotonic() + seconds
    with selectors.DefaultSelector() as selector:
        for client in clients:
            client.setblocking(False)
            selector.register(client, selectors.EVENT_READ)
        while selector.get_map():
            left = give_up_at - time.monotonic()
            assert left > 0, f"{len(selector.get_map())} of {len(clients)} connections are still open"
            for key, _ in selector.select(left):
                assert isinstance(key.fileobj, socket.socket)
                try:
                    data = key.fileobj.recv(1 << 20)
                except ConnectionResetError:
                    data = b""
                answers[key.fileobj] += data
                if not data:
                    selector.unregister(key.fileobj)
    return list(answers.values())


def waits(server: Server, number: int, path: str = "/") -> list[float]:
    """Seconds that each of `number` requests took, two on each connection, the least first."""
    found = []
    for _ in range(number // 2):
        started = time.monotonic()
        with server.connect() as sock:
            get_on(sock, path)
            found.append(time.monotonic() - started)
            started = time.monotonic()
            get_on(sock, path)
            found.append(time.monotonic() - started)
    return sorted(found)


def resident(pid: int) -> int:
    """Bytes of memory that the process has to itself or shares, as the kernel counts them."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise AssertionError(f"no VmRSS of {pid}")


def open_files(pid: int) -> int:
    """How many descriptors the process has open."""
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))
