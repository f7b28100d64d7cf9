"""Whom the server waits for, and how long."""

from __future__ import annotations

import time

from indrik.testing.bench import Bench
from indrik.testing.client import request
from indrik.testing.promises import NotPromised, check, equal, expect, wait_for

#: Seconds by which a limit of one second may be passed on a busy machine.
_SLACK = 5.0


def _in_time(begun: float, what: str) -> None:
    took = time.monotonic() - begun
    expect(0.9 <= took < 1 + _SLACK, f"{what} came after {took:.1f} s; the limit is 1 s")


@check
def times_out_heads(bench: Bench) -> None:
    """A head that is not whole after `header_timeout` is answered with 408."""
    server = bench.serve("--header-timeout", "1")
    with server.connect() as client:
        begun = time.monotonic()
        client.send(b"GET / HTTP/1.1\r\nHost:")
        equal(client.answer().status, 408, "the status")
        _in_time(begun, "408")
        equal(client.rest(), b"", "what follows")


@check
def times_out_bodies(bench: Bench) -> None:
    """A body that stalls for `body_timeout` is answered with 408; a WSGI application is not called."""
    server = bench.serve("--body-timeout", "1")
    with server.connect() as client:
        begun = time.monotonic()
        client.send(request("/digest", "Content-Length: 10", method="POST") + b"half")
        equal(client.answer().status, 408, "the status")
        _in_time(begun, "408")
    if bench.reads_bodies_first:
        equal(server.notes("called"), [], "calls of the application")


@check
def times_out_idle_clients(bench: Bench) -> None:
    """A client that is idle for `keepalive` after an answer is let go."""
    server = bench.serve("--keep-alive", "1")
    with server.connect() as client:
        client.get()
        begun = time.monotonic()
        equal(client.rest(), b"", "what comes without a request")
        _in_time(begun, "the end")


@check
def times_out_readers(bench: Bench) -> None:
    """A client that reads nothing for `write_timeout` is cut off, and does not get the answer as if it were
    whole.
    """
    server = bench.serve("--write-timeout", "1")
    size = 20_000_000
    with server.connect(4096) as client:
        client.ask(f"/large/{size}")
        server.wait_for_note("called")
        server.wait_for_log("stopped reading")
        expect(len(client.rest()) < size, "the whole answer, although nothing was read for longer than 1 s")
    equal(server.get().status, 200, "the status of the next request")


@check
def times_out_requests(bench: Bench) -> None:
    """With `request_timeout`, the client of a request that takes too long gets 504, the log has the request
    and its stack, the application is interrupted, and the next request is served by the same worker.
    """
    server = bench.start("--request-timeout", "1")
    wait_for(
        lambda: "Worker is ready" in server.log() or server.process.poll() is not None, "the worker or an end"
    )
    if server.process.poll() is not None:
        expect("request_timeout" in server.log(), "it refuses request_timeout without naming it")
        raise NotPromised("it refuses request_timeout")
    pid = server.get().text
    with server.connect() as client:
        begun = time.monotonic()
        client.ask("/spin/30?slow")
        equal(client.answer().status, 504, "the status")
        _in_time(begun, "504")
    server.wait_for_note("ended", "spin")
    log = server.log()
    expect("GET /spin/30?slow HTTP/1.1" in log, "the log does not name the request")
    expect("in _spin" in log, "the log does not show the stack")
    equal(server.get().text, pid, "the worker that serves the next request")
