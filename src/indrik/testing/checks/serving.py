"""Requests and responses: what comes in reaches the application, what it answers reaches the client."""

from __future__ import annotations

import hashlib
import json
import time

from indrik.testing.bench import Bench
from indrik.testing.client import Client, request
from indrik.testing.promises import check, equal, expect, sharing_check
from indrik.testing.server import Server

_LARGE = 3_000_000
_SLOW_CLIENTS = 20


def digest(body: bytes) -> str:
    """What `/digest` answers to `body`."""
    return f"{len(body)} {hashlib.sha256(body).hexdigest()}"


@sharing_check
def serves(bench: Bench) -> None:
    """A request is answered by the application, in a worker process."""
    server = bench.shared()
    answer = server.get()
    equal(answer.status, 200, "the status")
    equal(int(answer.text), server.workers()[0], "the process that answered")
    expect(answer.field("date"), "Date is missing (RFC 9110 section 6.6.1)")


@sharing_check
def hands_over_the_request(bench: Bench) -> None:
    """Method, path, query, fields and body reach the application as they were sent."""
    server = bench.shared()
    with server.connect() as client:
        client.ask("/environ/a%20b?c=d%20e", "X-One: 1", "X-One: 2", method="PUT", body=b"\x00\xff body")
        seen = json.loads(client.answer().body)
    wanted = {
        "REQUEST_METHOD": "PUT",
        "PATH_INFO": "/environ/a b",
        "RAW_URI": "/environ/a%20b?c=d%20e",
        "QUERY_STRING": "c=d%20e",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "HTTP_HOST": "check",
        "HTTP_X_ONE": "1,2",
        "CONTENT_LENGTH": "7",
        "REMOTE_ADDR": "127.0.0.1",
        "wsgi.url_scheme": "http",
        "body": "\x00\xff body",
    }
    equal({key: seen.get(key) for key in wanted}, wanted, "the environ")


@sharing_check
def says_what_it_is(bench: Bench) -> None:
    """The environ says truly what kind of server calls (PEP 3333)."""
    bench.need_interface("wsgi")
    seen = json.loads(bench.shared().get("/environ").body)
    wanted = {"wsgi.version": [1, 0], "wsgi.run_once": False, "wsgi.multiprocess": False}
    equal({key: seen.get(key) for key in wanted}, wanted, "the environ")
    if bench.is_concurrent:
        equal(seen.get("wsgi.multithread"), True, "wsgi.multithread, with two requests inside at once")


@sharing_check
def keeps_alive(bench: Bench) -> None:
    """A connection serves one request after the other, until the client or its version says otherwise."""
    server = bench.shared()
    with server.connect() as client:
        for number in range(50):
            equal(client.get(f"/large/{number}").body, b"x" * number, f"answer {number} of a connection")
        answer = client.get("/", "Connection: close")
        expect(answer.says_close, "the answer to 'Connection: close' does not announce the end")
        equal(client.rest(), b"", "what follows the last answer")
    with server.connect() as client:
        client.send(request(version="1.0"))
        equal(client.answer().status, 200, "the status for HTTP/1.0")
        equal(client.rest(), b"", "what follows the answer to HTTP/1.0")


@sharing_check
def pipelines(bench: Bench) -> None:
    """Requests sent without waiting are answered in their order, however the bytes are split."""
    server = bench.shared()
    body = b"GET /none HTTP/1.1\r\nHost: a\r\n\r\n"
    data = (
        request("/large/1")
        + request("/digest", method="POST", body=body)
        + request("/digest", "Transfer-Encoding: chunked", method="POST")
        + b"5\r\nhello\r\n0\r\n\r\n"
        + request("/large/2", "Connection: close")
    )
    wanted = ["x", digest(body), digest(b"hello"), "xx"]
    splits = [[data[:at], data[at:]] for at in range(1, len(data))]
    splits.append([data[at : at + 1] for at in range(len(data))])
    for pieces in splits:
        with server.connect() as client:
            for piece in pieces:
                client.send(piece)
            found = [client.answer().text for _ in wanted]
            equal(found, wanted, f"the answers when {pieces[0][-20:]!r} was sent first")
            equal(client.rest(), b"", "what follows the answers")


@sharing_check
def continues(bench: Bench) -> None:
    """A client that expects 100-continue is told to go on before it sends its body (RFC 9110 section 10.1.1).
    """
    server = bench.shared()
    with server.connect() as client:
        head = request("/digest", "Expect: 100-continue", "Content-Length: 5", method="POST")
        client.send(head)
        equal(client.any_answer().status, 100, "the interim status")
        if bench.reads_bodies_first:
            equal(server.notes("called"), [], "calls of the application before the body")
        client.send(b"hello")
        equal(client.answer().text, digest(b"hello"), "the answer")


@check
def receives_large_bodies(bench: Bench) -> None:
    """A body far larger than any buffer reaches the application whole, with a length and chunked."""
    server = bench.serve("--limit-request-body", "0")
    body = bytes(range(251)) * (_LARGE // 251)
    with server.connect() as client:
        client.ask("/digest", method="POST", body=body)
        equal(client.answer().text, digest(body), "a body with Content-Length")
        client.send(request("/digest", "Transfer-Encoding: chunked", method="POST"))
        for at in range(0, len(body), 70_000):
            piece = body[at : at + 70_000]
            client.send(b"%x\r\n%b\r\n" % (len(piece), piece))
        client.send(b"0\r\n\r\n")
        equal(client.answer().text, digest(body), "a chunked body")


@sharing_check
def answers_large_bodies(bench: Bench) -> None:
    """An answer larger than every buffer arrives whole, also at a client that begins to read late."""
    server = bench.shared()
    with server.connect(4096) as late, server.connect() as other:
        late.ask(f"/large/{_LARGE}")
        server.wait_for_note("called", "GET", f"/large/{_LARGE}")
        equal(len(other.get(f"/large/{_LARGE}").body), _LARGE, "the length for a client that reads")
        equal(len(late.answer().body), _LARGE, "the length for a client that reads late")
        equal(late.get().status, 200, "the next answer on that connection")


@sharing_check
def streams(bench: Bench) -> None:
    """A piece of an answer goes out when the application gives it, before the next one is there."""
    server = bench.shared()
    with server.connect() as client:
        client.ask("/stream/a")
        status, fields = client.head()
        equal((status, dict(fields).get("transfer-encoding")), (200, "chunked"), "status and framing")
        chunks = client.chunks()
        equal(next(chunks), b"first", "the first piece, while the application still works")
        server.open_gate("a")
        equal(list(chunks), [b"second"], "the rest")
        equal(client.get().status, 200, "the next answer on that connection")
    with server.connect() as client:
        client.send(request("/stream/a", version="1.0"))
        equal(client.answer().body, b"firstsecond", "a stream to HTTP/1.0, which ends with the connection")


@sharing_check
def answers_head_without_a_body(bench: Bench) -> None:
    """The answer to HEAD has the fields of GET and no body (RFC 9110 section 9.3.2)."""
    server = bench.shared()
    with server.connect() as client:
        client.ask("/large/7", method="HEAD")
        answer = client.answer("HEAD")
        equal((answer.status, answer.field("content-length")), (200, "7"), "status and Content-Length")
        equal(client.get("/large/3").body, b"xxx", "the next answer on that connection")


@sharing_check
def is_not_held_up_by_slow_clients(bench: Bench) -> None:
    """Clients that send half a head, half a body, or do not read, hold up nobody else."""
    server = bench.shared()
    clients: list[Client] = []
    try:
        for data in (
            b"GET / HTTP/1.1\r\nHos",
            request("/digest", "Content-Length: 10", method="POST") + b"half",
            request("/large/1000000"),
        ):
            for _ in range(_SLOW_CLIENTS):
                clients.append(server.connect(4096))
                clients[-1].send(data)
        server.wait_for_note("called", "GET", "/large/1000000", count=_SLOW_CLIENTS)
        begun = time.monotonic()
        with server.connect() as client:
            for _ in range(20):
                equal(client.get().status, 200, "an answer beside slow clients")
        took = time.monotonic() - begun
        expect(took < 5, f"20 answers beside slow clients took {took:.1f} s")
        equal(len(clients[-1].answer().body), 1_000_000, "the answer of a slow reader, at last")
    finally:
        for slow in clients:
            slow.close()


@sharing_check
def lets_others_in_beside_a_request(bench: Bench) -> None:
    """While one request is inside the application, others are answered."""
    bench.need_concurrency()
    server = bench.shared()
    with server.connect() as held:
        held.ask("/gate/held")
        server.wait_for_note("inside", "held")
        _answers(server, 20)
        server.open_gate("held")
        equal(held.answer().text.split()[1], "held", "the answer of the request that was held")


def _answers(server: Server, number: int) -> None:
    for _ in range(number):
        equal(server.get().status, 200, "an answer beside a request that is held")
