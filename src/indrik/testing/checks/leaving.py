"""How a worker leaves: nothing is lost when it is asked to, and it is quick when it is told to."""

from __future__ import annotations

import os
import signal
import time
from contextlib import ExitStack

from indrik.testing.bench import Bench
from indrik.testing.client import Client, ClosedEarly
from indrik.testing.promises import check, equal, expect, wait_for

#: Clients that wait to be accepted: more than a worker takes at a time.
_WAITING = 50


@check
def finishes_on_term(bench: Bench) -> None:
    """TERM: the request in progress is answered, its client is told that the connection ends, an idle client
    is let go, and the status is 0.
    """
    server = bench.serve("--keep-alive", "60")
    with server.connect() as held, server.connect() as idle:
        idle.get()
        held.get()
        held.ask("/gate/held")
        server.wait_for_note("inside", "held")
        server.send_signal(signal.SIGTERM)
        server.wait_for_log("Handling signal: term")
        server.open_gate("held")
        answer = held.answer()
        equal((answer.status, answer.text.split()[1]), (200, "held"), "the answer")
        equal(held.rest(), b"", "what follows the answer")
        equal(idle.rest(), b"", "what an idle client gets")
    equal(server.wait_exit(), 0, "the exit status")


@check
def finishes_a_stream_on_term(bench: Bench) -> None:
    """TERM: a response that has begun is sent to its end."""
    server = bench.serve()
    with server.connect() as client:
        client.ask("/stream/a")
        client.head()
        chunks = client.chunks()
        equal(next(chunks), b"first", "the first piece")
        server.send_signal(signal.SIGTERM)
        server.wait_for_log("Handling signal: term")
        server.open_gate("a")
        equal(list(chunks), [b"second"], "the rest")
    equal(server.wait_exit(), 0, "the exit status")


@check
def serves_its_backlog_on_term(bench: Bench) -> None:
    """TERM, when nobody else listens: clients that have connected already are served."""
    server = bench.serve()
    with ExitStack() as stack:
        held = stack.enter_context(server.connect())
        held.ask("/gate/held")
        server.wait_for_note("inside", "held")
        waiting = [stack.enter_context(server.connect()) for _ in range(_WAITING)]
        for client in waiting:
            client.ask("/gate/held")
        server.send_signal(signal.SIGTERM)
        server.wait_for_log("Handling signal: term")
        server.open_gate("held")
        for number, client in enumerate([held, *waiting]):
            answer = client.answer()
            equal(answer.status, 200, f"the status of client {number}")
            equal(client.rest(), b"", f"what follows the answer of client {number}")
    equal(server.wait_exit(), 0, "the exit status")
    equal(len(server.notes("called")), 1 + _WAITING, "requests served")


@check
def ends_at_once_on_quit(bench: Bench) -> None:
    """QUIT: a worker ends although a request is inside the application."""
    server = bench.serve("--graceful-timeout", "60", "--timeout", "60")
    (pid,) = server.workers()
    with server.connect() as client:
        client.ask("/gate/never")
        server.wait_for_note("inside", "never")
        # Not by the master, which helps with KILL after a while.
        os.kill(pid, signal.SIGQUIT)
        wait_for(lambda: not _is_running(pid), "the end of the worker")
        equal(client.rest(), b"", "what the client gets")
    server.wait_for_log(rf"Worker exiting \(pid: {pid}\)")


@check
def gives_up_after_the_grace(bench: Bench) -> None:
    """TERM: a request that is not answered within `graceful_timeout` is cut."""
    server = bench.serve("--graceful-timeout", "2")
    with server.connect() as client:
        client.ask("/gate/never")
        server.wait_for_note("inside", "never")
        begun = time.monotonic()
        server.stop()
        took = time.monotonic() - begun
        expect(took < 10, f"it took {took:.1f} s with a graceful_timeout of 2 s")


@check
def honours_max_requests(bench: Bench) -> None:
    """A worker that has served `max_requests` is replaced, and no request is lost by it."""
    server = bench.serve("--max-requests", "10")
    pids: list[str] = []
    client = server.connect()

    def ask() -> bool:
        """One request on a fresh connection and one on a kept one; whether four workers have answered."""
        nonlocal client
        pids.append(server.get().text)
        try:
            answer = client.get()
        except (ClosedEarly, BrokenPipeError, ConnectionResetError) as error:
            # A connection that ends between two answers is asked again on a new one (RFC 9112 section 9.3.1).
            expect(not getattr(error, "got", b""), f"an answer broke off: {error}")
            client.close()
            client = server.connect()
            answer = client.get()
        if answer.says_close:
            client.close()
            client = server.connect()
        pids.append(answer.text)
        return len(set(pids)) >= 4

    try:
        wait_for(ask, "four workers, each after 10 requests")
    finally:
        client.close()
    first = pids.count(pids[0])
    expect(first >= 10, f"the first worker was replaced after {first} requests")


@check
def loses_nothing_by_a_reload(bench: Bench) -> None:
    """HUP: the old worker answers what it has, the new one serves whoever comes, and nobody is left out."""
    server = bench.serve()
    (old,) = server.workers()
    with ExitStack() as stack:
        held = stack.enter_context(server.connect())
        held.ask("/gate/held")
        server.wait_for_note("inside", "held")
        server.send_signal(signal.SIGHUP)
        wait_for(lambda: server.log().count("Worker is ready") >= 2, "a new worker")
        waiting: list[Client] = []

        def ask() -> bool:
            """Whether the new worker answers. Who is with the old one waits behind the request held there."""
            client = stack.enter_context(server.connect())
            client.ask()
            if client.is_silent(1.0):
                waiting.append(client)
                return False
            return client.answer().text != str(old)

        wait_for(ask, "an answer of the new worker")
        server.open_gate("held")
        equal(held.answer().text.split()[0], str(old), "the worker that answers the old request")
        for client in waiting:
            equal(client.answer().status, 200, "the status of a request that waited")
    wait_for(lambda: old not in server.workers(), "the end of the old worker")


@check
def leaves_when_the_master_is_gone(bench: Bench) -> None:
    """A worker whose master is gone ends by itself."""
    server = bench.serve()
    (pid,) = server.workers()
    server.process.kill()
    server.process.wait()
    wait_for(lambda: not _is_running(pid), "the end of the worker")


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rpartition(")")[2].split()[0] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False
