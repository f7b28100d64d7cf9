"""What no application must ever see."""

from __future__ import annotations

from indrik.testing.bench import Bench
from indrik.testing.client import request
from indrik.testing.promises import check, equal, expect, sharing_check

_CHUNKS = b"5\r\nhello\r\n0\r\n\r\n"

#: What is wrong -> the bytes, and the status of the answer.
BAD: dict[str, tuple[bytes, int]] = {
    "length and chunked": (
        request("/called", "Content-Length: 5", "Transfer-Encoding: chunked", method="POST") + _CHUNKS,
        400,
    ),
    "two lengths": (
        request("/called", "Content-Length: 5", "Content-Length: 6", method="POST") + b"hello!",
        400,
    ),
    "a signed length": (request("/called", "Content-Length: +5", method="POST") + b"hello", 400),
    "chunked twice": (
        request("/called", "Transfer-Encoding: chunked, chunked", method="POST") + _CHUNKS,
        400,
    ),
    "an unknown coding": (request("/called", "Transfer-Encoding: xchunked", method="POST") + _CHUNKS, 501),
    "a chunk size that is none": (
        request("/digest", "Transfer-Encoding: chunked", method="POST") + b"0x5\r\nhello\r\n0\r\n\r\n",
        400,
    ),
    "a blank before the colon": (request("/called", "Transfer-Encoding : chunked", method="POST"), 400),
    "a folded field": (request("/called", "X-A: 1\r\n 2"), 400),
    "bare LF": (b"GET /called HTTP/1.1\nHost: a\n\n", 400),
    "a bare LF in a field": (request("/called", "X-A: 1\nX-B: 2"), 400),
    "a NUL": (request("/called", "X-A: 1\x002"), 400),
    "two hosts": (request("/called", "Host: b"), 400),
    "no host": (b"GET /called HTTP/1.1\r\n\r\n", 400),
    "no request": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),
    "a version to come": (b"GET /called HTTP/3.0\r\nHost: a\r\n\r\n", 505),
}


@sharing_check
def refuses_bad_bytes(bench: Bench) -> None:
    """What two parsers could read in two ways is refused, the connection is closed, and neither that request
    nor what follows it reaches the application.
    """
    server = bench.shared()
    for what, (data, status) in BAD.items():
        with server.connect() as client:
            client.send(request("/large/1") + data + request("/called"))
            equal(client.answer().body, b"x", f"the answer before {what}")
            equal(client.answer().status, status, f"the status for {what}")
            equal(client.rest(), b"", f"what follows the refusal of {what}")
    equal(server.notes("called", "GET", "/called"), [], "calls of the application with GET")
    equal(server.notes("called", "POST", "/called"), [], "calls of the application with POST")
    if bench.reads_bodies_first:
        equal(server.notes("called", "POST"), [], "calls of the application with POST")
    equal(server.get().status, 200, "the status of a good request after all that")


@check
def keeps_its_limits(bench: Bench) -> None:
    """A request beyond the configured limits is refused with the status for it."""
    server = bench.serve(
        *("--limit-request-line", "200", "--limit-request-fields", "10", "--limit-request-body", "100")
    )
    for what, data, status in (
        ("a long request line", request("/" + "a" * 300), 414),
        ("many fields", request("/", *(f"X-{number}: 1" for number in range(20))), 431),
        ("a large body", request("/", method="POST", body=b"x" * 101), 413),
        (
            "a large chunked body",
            request("/digest", "Transfer-Encoding: chunked", method="POST") + b"65\r\n" + b"x" * 101,
            413,
        ),
    ):
        with server.connect() as client:
            client.send(data)
            answer = client.answer()
            equal(answer.status, status, f"the status for {what}")
            expect(answer.says_close, f"the refusal of {what} does not announce the end")
    equal(server.notes("called", "GET"), [], "calls of the application with GET")
    if bench.reads_bodies_first:
        equal(server.notes("called", "POST"), [], "calls of the application with POST")
