"""Applications that raise."""

from __future__ import annotations

from indrik.testing.bench import Bench
from indrik.testing.client import ClosedEarly
from indrik.testing.promises import Broken, check, equal, expect, sharing_check, wait_for


@sharing_check
def survives_raising_before(bench: Bench) -> None:
    """An application that raises before its response: 500 without a word of why, the reason in the log with
    the request, and the worker lives.
    """
    server = bench.shared()
    pid = server.get().text
    answer = server.get("/raise/before?which")
    equal(answer.status, 500, "the status")
    expect(b"RuntimeError" not in answer.body and b"Traceback" not in answer.body, "the client is told why")
    server.wait_for_log("RuntimeError: raised before the response")
    expect("GET /raise/before?which HTTP/1.1" in server.log(), "the log does not name the request")
    equal(server.get().text, pid, "the worker that serves the next request")


@sharing_check
def survives_raising_in_the_middle(bench: Bench) -> None:
    """An application that raises in its response: the client cannot take it for whole, close() is called
    once, and the worker lives.
    """
    server = bench.shared()
    pid = server.get().text
    with server.connect() as client:
        client.ask("/raise/middle")
        try:
            answer = client.answer()
        except ClosedEarly:
            pass
        else:
            raise Broken(f"the client got a whole response: {answer.body!r}")
    server.wait_for_log("RuntimeError: raised in the middle of the response")
    equal(server.get().text, pid, "the worker that serves the next request")
    equal(len(server.notes("closed", "middle")), 1, "calls of close()")


@sharing_check
def survives_raising_after(bench: Bench) -> None:
    """An application that raises in close(): the response is whole, close() is called once, the log has the
    reason, and the worker lives.
    """
    server = bench.shared()
    pid = server.get().text
    equal(server.get("/raise/after").body, b"begun", "the body")
    server.wait_for_log("RuntimeError: raised after the response")
    equal(server.get().text, pid, "the worker that serves the next request")
    equal(len(server.notes("closed", "after")), 1, "calls of close()")


@check
def closes_once(bench: Bench) -> None:
    """close() is called exactly once for a response that went well (PEP 3333)."""
    server = bench.serve()
    server.open_gate("a")
    for number in range(1, 4):
        equal(server.get("/stream/a").body, b"firstsecond", "the body")
        server.wait_for_note("closed", "a", count=number)
    equal(server.stop(), 0, "the exit status")
    equal(len(server.notes("closed", "a")), 3, "calls of close() for three responses")


@check
def ends_on_system_exit(bench: Bench) -> None:
    """An application that raises SystemExit ends its worker, and another one serves."""
    server = bench.serve()
    old = server.get().text
    with server.connect() as client:
        client.ask("/exit")
        client.rest()
    wait_for(lambda: str(server.workers()[:1]) not in (f"[{old}]", "[]"), "another worker")
    expect(server.get().text != old, "the worker that was to end answers")
