"""What hooks and logs are told."""

from __future__ import annotations

import os
import signal

from indrik.testing.bench import Bench
from indrik.testing.promises import check, equal, expect, wait_for
from indrik.testing.server import Server

_HOOKS = ("-c", "python:indrik.testing.hooks")


@check
def calls_request_hooks(bench: Bench) -> None:
    """pre_request is called before the application and post_request behind it, once a request, with the
    status, also when the application raises.
    """
    server = bench.serve(*_HOOKS)
    (pid,) = server.workers()
    server.get("/large/5")
    server.wait_for_note("post_request", count=1)
    server.get("/raise/before")
    server.wait_for_note("post_request", count=2)
    equal(
        server.notes()[2:],
        [
            f"pre_request {pid} GET /large/5",
            "called GET /large/5",
            f"post_request {pid} GET /large/5 200",
            f"pre_request {pid} GET /raise/before",
            "called GET /raise/before",
            f"post_request {pid} GET /raise/before 500",
        ],
        "what happened around two requests",
    )


@check
def calls_worker_hooks(bench: Bench) -> None:
    """post_fork and post_worker_init are called before the first request, worker_exit at the end."""
    server = bench.serve(*_HOOKS)
    (pid,) = server.workers()
    server.get()
    equal(server.stop(), 0, "the exit status")
    hooks = [line for line in server.notes() if not line.startswith("called")]
    wanted = ["post_fork", "post_worker_init", "pre_request", "post_request", "worker_exit", "child_exit"]
    equal([line.split()[0] for line in hooks], wanted, "the order of the hooks")
    equal({line.split()[1] for line in hooks}, {str(pid)}, "the worker that they were called with")


@check
def calls_worker_int(bench: Bench) -> None:
    """worker_int is called when a worker is told to end at once, and worker_exit after it."""
    server = bench.serve(*_HOOKS)
    (pid,) = server.workers()
    os.kill(pid, signal.SIGQUIT)
    server.wait_for_note("worker_exit", str(pid))
    equal([line for line in server.notes() if "worker_" in line and str(pid) in line][1:],
          [f"worker_int {pid}", f"worker_exit {pid}"], "the hooks of a worker that ends")  # fmt: skip
    wait_for(lambda: server.workers() not in ([], [pid]), "another worker")


@check
def writes_access_lines(bench: Bench) -> None:
    """Every request has one line in the access log, with its status, its length, and the time that the
    application took; a refused one has one too, with what of its request line could be read.
    """
    server = bench.serve("--access-logfile", "access.log", "--access-logformat", "%(s)s %(B)s %(D)s %(r)s")
    server.get("/large/1234?x")
    server.get("/spin/0.2")
    server.get("/raise/before")
    for refused in (b"GET /refused HTTP/1.1\r\nNo colon\r\n\r\n", b"No request line\r\n\r\n"):
        with server.connect() as client:
            client.send(refused)
            client.rest()
    lines = _access_lines(server, 5)
    found = [line.split(" ", 3) for line in lines]
    equal([(line[0], line[3]) for line in found], [
        ("200", "GET /large/1234?x HTTP/1.1"),
        ("200", "GET /spin/0.2 HTTP/1.1"),
        ("500", "GET /raise/before HTTP/1.1"),
        ("400", "GET /refused HTTP/1.1"),
        ("400", "- - -"),
    ], "statuses and request lines")  # fmt: skip
    equal(found[0][1], "1234", "the length of the first")
    took = int(found[1][2])
    expect(200_000 <= took < 5_000_000, f"a request of 0.2 s is said to have taken {took} µs")


@check
def writes_one_line_for_a_cut_stream(bench: Bench) -> None:
    """A request whose client leaves in the middle has one line in the access log all the same."""
    server = bench.serve("--access-logfile", "access.log", "--access-logformat", "%(s)s %(r)s")
    with server.connect() as client:
        client.ask("/endless/cut")
        client.head()
    server.wait_for_note("closed", "cut")
    server.get("/after")
    equal(_access_lines(server, 2), ["200 GET /endless/cut HTTP/1.1", "200 GET /after HTTP/1.1"], "the lines")


def _access_lines(server: Server, count: int) -> list[str]:
    path = server.log_path.with_name("access.log")

    def read() -> list[str]:
        lines = path.read_text().splitlines() if path.exists() else []
        return lines if len(lines) >= count else []

    return wait_for(read, f"{count} lines in the access log")
