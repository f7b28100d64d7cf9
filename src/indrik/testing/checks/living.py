"""Signs of life, and one request's independence of another."""

from __future__ import annotations

from indrik.testing.bench import Bench
from indrik.testing.promises import NotPromised, check, equal, expect, sharing_check, wait_for

#: Seconds of `timeout`, and of watching that nothing happens.
_TIMEOUT = 1
_WATCHED = 3.5


@check
def beats_while_idle(bench: Bench) -> None:
    """A worker without requests says that it is alive: it is not aborted."""
    server = bench.serve("--timeout", str(_TIMEOUT), "--keep-alive", "60")
    with server.connect() as client:
        pid = client.get().text
        expect(client.is_silent(_WATCHED), "the connection of an idle client ended")
        equal(client.get().text, pid, "the worker that answers after a while")


@check
def is_aborted_when_silent(bench: Bench) -> None:
    """A worker that gives no sign of life while a request is inside is aborted after `timeout`; the log says
    in which request and where, and another one serves.
    """
    if bench.is_attentive:
        raise NotPromised("it gives signs of life while one request is silent")
    server = bench.serve("--timeout", str(_TIMEOUT))
    old = server.workers()
    with server.connect() as client:
        client.ask("/gate/silent?why")
        equal(client.rest(), b"", "what the client of the silent request gets")
    wait_for(lambda: server.workers() and server.workers() != old, "another worker")
    expect("GET /gate/silent?why" in server.log(), "the log does not name the request")
    expect("pass_gate" in server.log(), "the log does not show where the application was")
    equal(server.get().status, 200, "the status of the next request")


@check
def beats_beside_a_request(bench: Bench) -> None:
    """A worker that goes on reading beside a long request is not aborted for it."""
    if not bench.is_attentive:
        raise NotPromised("a request that is silent for `timeout` costs the worker its life")
    server = bench.serve("--timeout", str(_TIMEOUT))
    with server.connect() as client:
        client.ask("/gate/long")
        server.wait_for_note("inside", "long")
        expect(client.is_silent(_WATCHED), "the connection of the long request ended")
        server.open_gate("long")
        equal(client.answer().text.split()[0], str(server.workers()[0]), "the worker that answers")


@sharing_check
def notices_departures(bench: Bench) -> None:
    """environ["indrik.disconnected"] tells the application that its client has left."""
    server = bench.shared()
    with server.connect() as client:
        client.ask("/departure/a")
        server.wait_for_note("inside", "a")
    equal(server.wait_for_note("left", "a"), "left a True True", "what the application was told")
    equal(server.get().status, 200, "the status of the next request")


@sharing_check
def ends_abandoned_streams(bench: Bench) -> None:
    """The iteration of an answer whose client has left ends, and close() is called once."""
    server = bench.shared()
    for number in range(3):
        name = f"abandoned-{number}"
        with server.connect() as client:
            client.ask(f"/endless/{name}")
            client.head()
        server.wait_for_note("ended", name)
        server.wait_for_note("closed", name)
    server.get()
    for number in range(3):
        equal(len(server.notes("closed", f"abandoned-{number}")), 1, f"calls of close() for stream {number}")


@sharing_check
def isolates_contexts(bench: Bench) -> None:
    """What a request leaves in a context variable is visible in no other, also when its stream is abandoned,
    and an iteration ends in the context that it began in.
    """
    server = bench.shared()
    count = 10
    for number in range(count):
        equal(server.get("/context").text, "nothing", "what an earlier request has left")
        with server.connect() as client:
            client.ask("/context/stream")
            found = dict(client.head()[1]).get("x-found")
            equal(found, "nothing", "what an earlier request has left")
        server.wait_for_note("ended", "context", count=number + 1)
    with server.connect() as client:
        for _ in range(count):
            equal(client.get("/context").text, "nothing", "what a request has left on one connection")
    expect("Traceback" not in server.log(), "an error in the log")
