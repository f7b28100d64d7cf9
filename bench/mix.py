"""Quick requests beside slow ones on 16 threads: whether the quick ones wait although threads are free.

Twelve slow requests of a second are in progress all the time, each on a connection of its own, so that four
threads are free. Beside them quick requests come at a fixed pace, nineteen for each slow one, over
connections that take turns. The pace does not depend on the answers: a quick request that finds every
connection busy waits, and its wait counts.
"""

from __future__ import annotations

import selectors
import socket
import time
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

from bench import exchange
from bench.apps import GREETING, SLOW
from bench.process import serve
from bench.progress import Progress
from bench.serverrow import THREADS, Server
from bench.summary import percentile

KINDS = (THREADS,)
POOL = 16
SLOW_IN_PROGRESS = 12
QUICK_SHARE = 0.95
QUICK_PACE = SLOW_IN_PROGRESS / SLOW * QUICK_SHARE / (1 - QUICK_SHARE)  # a second
QUICK_CONNECTIONS = 32
PATIENCE = 5.0  # seconds for what is in progress when the window ends

QUICK = b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
SLOWLY = b"GET /slow HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"


class Client:
    """A kept connection with at most one request in progress, counted from `since`.

    It connects when it has something to ask, so that no server keeps a thread ready for it before.
    """

    def __init__(self, port: int, selector: selectors.BaseSelector, request: bytes) -> None:
        self.port = port
        self.selector = selector
        self.request = request
        self.since = 0.0
        self.data = b""
        self.connection: socket.socket | None = None

    def close(self) -> None:
        """Leave the connection; the next request gets another one."""
        self.data = b""
        if self.connection is not None:
            self.selector.unregister(self.connection)
            self.connection.close()
            self.connection = None

    def send(self, since: float) -> None:
        """Ask. A request is smaller than any socket's buffer, which is empty."""
        self.since = since
        if self.connection is None:
            self.connection = exchange.connect(self.port)
            self.connection.setblocking(False)
            self.selector.register(self.connection, selectors.EVENT_READ, self)
        self.connection.send(self.request)

    def take(self) -> bool:
        """Read what came; True when the answer is whole. WrongAnswer for a wrong one, ConnectionError when
        the server closed.
        """
        some = self.connection.recv(65536) if self.connection else b""
        if not some:
            raise ConnectionResetError("closed by the server")
        self.data += some
        head, blank, body = self.data.partition(b"\r\n\r\n")
        if not blank or len(body) < len(GREETING):
            return False
        if body != GREETING or head.split()[1] != b"200":
            raise exchange.WrongAnswer(f"expected 200 and {GREETING!r}, got {self.data[:80]!r}")
        if not exchange.Answer(200, head.decode("latin-1"), body, len(self.data)).keeps_alive:
            self.close()
        self.data = b""
        return True


@dataclass
class Tally:
    """Milliseconds of each answered request, and how many connections were lost with a request on them."""

    quick: list[float] = field(default_factory=list)
    slow: list[float] = field(default_factory=list)
    lost: int = 0
    unanswered: int = 0


class Mix:
    """The load of one window."""

    def __init__(self, port: int, stack: ExitStack) -> None:
        # Its timeout is exact to microseconds; epoll's is to a millisecond.
        self.selector = stack.enter_context(selectors.SelectSelector())
        self.tally = Tally()
        self.slow = [Client(port, self.selector, SLOWLY) for _ in range(SLOW_IN_PROGRESS)]
        quick = [Client(port, self.selector, QUICK) for _ in range(QUICK_CONNECTIONS)]
        self.free = deque(quick)
        self.busy: set[Client] = set()
        self.waiting: deque[float] = deque()
        for client in [*self.slow, *quick]:
            stack.callback(client.close)

    def run(self, seconds: float) -> Tally:
        """Load for so long, then read the answers to what was asked."""
        began_at = time.monotonic()
        ends_at = began_at + seconds
        # Slow requests are spread over the second that each lasts, then each follows its predecessor.
        starts = deque(
            (began_at + place * SLOW / SLOW_IN_PROGRESS, client) for place, client in enumerate(self.slow)
        )
        asked = 0
        while (now := time.monotonic()) < ends_at:
            while starts and starts[0][0] <= now:
                _, client = starts.popleft()
                self.ask(client, now)
            due_at = began_at + SLOW + asked / QUICK_PACE  # from when on all slow ones are there
            if due_at <= now:
                asked += 1
                self.quick(now)
                continue
            self.listen(min([due_at, ends_at, *(at for at, _ in starts)]) - now, again=True)
        deadline = time.monotonic() + PATIENCE
        while self.busy and (left := deadline - time.monotonic()) > 0:
            self.listen(left, again=False)
        self.tally.unanswered = len(self.busy) + len(self.waiting)
        return self.tally

    def quick(self, now: float) -> None:
        """A quick request is due."""
        if self.free:
            client = self.free.popleft()
            self.busy.add(client)
            self.ask(client, now)
        else:
            self.waiting.append(now)

    def ask(self, client: Client, since: float) -> None:
        """Send on a connection, or on a fresh one if the server closed it while it was idle."""
        try:
            client.send(since)
        except OSError:
            client.close()
            client.send(since)

    def listen(self, timeout: float, again: bool) -> None:
        """Take the answers that come within `timeout` seconds, or the first of them. `again` says that slow
        requests follow each other.
        """
        for key, _ in self.selector.select(max(timeout, 0)):
            client = key.data
            in_progress = client in self.busy or client in self.slow
            try:
                if not client.take():
                    continue
            except ConnectionError:
                self.tally.lost += in_progress
                client.close()
                if not in_progress:
                    continue
            else:
                took = (time.monotonic() - client.since) * 1000
                (self.tally.quick if client.request is QUICK else self.tally.slow).append(took)
            if client in self.busy:
                self.busy.discard(client)
                self.free.append(client)
                if self.waiting:
                    self.busy.add(self.free.popleft())
                    self.ask(client, self.waiting.popleft())
            elif again:
                self.ask(client, time.monotonic())


def take_turn(
    server: Server, places: Mapping[str, str], cpu: int, number: int, seconds: float
) -> dict[str, Any]:
    """One server's turn."""
    with (
        serve(server, "mixed", places, cpu, crowded=True, threads=POOL) as running,
        ExitStack() as stack,
    ):
        with exchange.connect(running.port) as connection:
            exchange.expect(exchange.ask(connection, QUICK), GREETING)
        tally = Mix(running.port, stack).run(SLOW + seconds)
    return {
        "server": server.name,
        "round": number,
        "quick": len(tally.quick),
        "slow": len(tally.slow),
        **{
            f"p{percent}_ms": round(percentile(tally.quick, percent), 3) if tally.quick else None
            for percent in (50, 95, 99)
        },
        "worst_ms": round(max(tally.quick), 3) if tally.quick else None,
        "slow_worst_ms": round(max(tally.slow), 1) if tally.slow else None,
        "failures": tally.lost + tally.unanswered,
    }


def measure(
    servers: Sequence[Server], places: Mapping[str, str], cpu: int, rounds: int, seconds: float
) -> list[dict[str, Any]]:
    """Every server with threads, in turns."""
    able = [server for server in servers if server.kind in KINDS]
    progress = Progress(rounds * len(able), seconds + 2.0)
    samples = []
    for number in range(1, rounds + 1):
        for server in able:
            progress.begin(f"round {number}, quick beside slow, {server.name}")
            one = take_turn(server, places, cpu, number, seconds)
            samples.append(one)
            progress.finish(
                f"mix {number}  {server.name:20s} quick p50 {one['p50_ms']} ms, p99 {one['p99_ms']} ms,"
                f" {one['failures']} failed"
            )
    return samples
