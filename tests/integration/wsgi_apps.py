"""WSGI applications for the tests: by the book (under `validator`), and each breaking one rule of PEP
3333."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import Any
from wsgiref.validate import validator

Environ = dict[str, Any]
Start = Callable[..., Callable[[bytes], object]]
Page = Callable[[Environ, Start], Any]

PLAIN = [("Content-Type", "text/plain")]
LARGE = b"0123456789abcdef" * 65536  # 1 MiB: more than a socket takes at once


class Closing:
    """An iterable of the given pieces that says on `wsgi.errors` that it was closed."""

    def __init__(self, environ: Environ, pieces: Iterable[bytes]) -> None:
        self._errors = environ["wsgi.errors"]
        self._name = environ["PATH_INFO"]
        self._pieces = iter(pieces)

    def __iter__(self) -> Iterator[bytes]:
        return self._pieces

    def close(self) -> None:
        self._errors.write(f"closed {self._name}\n")
        self._errors.flush()


def page_list(environ: Environ, start: Start) -> Any:
    start("200 OK", [*PLAIN, ("Content-Length", "10")])
    return [b"hello", b"", b"world"]


def page_generator(environ: Environ, start: Start) -> Any:
    def pieces() -> Iterator[bytes]:
        start("200 OK", PLAIN[:])  # PEP 3333 lets it wait until the first piece
        yield b"hello"
        yield b""
        yield b"world"

    return pieces()


def page_write(environ: Environ, start: Start) -> Any:
    write = start("200 OK", PLAIN[:])
    write(b"hello")
    write(b"")
    return [b"world"]


def page_empty(environ: Environ, start: Start) -> Any:
    start("204 No Content", [])
    return []


def page_recovered(environ: Environ, start: Start) -> Any:
    start("200 OK", PLAIN[:])
    try:
        raise ValueError("changed my mind")
    except ValueError:
        start("503 Service Unavailable", PLAIN[:], sys.exc_info())
    return [b"sorry"]


def page_file(environ: Environ, start: Start) -> Any:
    start("200 OK", [*PLAIN, ("Content-Length", str(os.path.getsize(__file__)))])
    return environ["wsgi.file_wrapper"](open(__file__, "rb"), 1000)


def page_large(environ: Environ, start: Start) -> Any:
    start("200 OK", PLAIN[:])
    return (LARGE for _ in range(5))


def page_closing(environ: Environ, start: Start) -> Any:
    start("200 OK", PLAIN[:])
    return Closing(environ, [b"hello", b"world"])


def page_endless(environ: Environ, start: Start) -> Any:
    start("200 OK", PLAIN[:])

    def pieces() -> Iterator[bytes]:
        while True:
            yield LARGE

    return Closing(environ, pieces())


def page_errors(environ: Environ, start: Start) -> Any:
    environ["wsgi.errors"].write("one line\n")
    environ["wsgi.errors"].writelines(["two\n", "three\n"])
    environ["wsgi.errors"].flush()
    start("200 OK", PLAIN[:])
    return [b""]


def read_all(stream: Any) -> bytes:
    return b"".join(iter(lambda: stream.read(1000), b""))


def read_lines(stream: Any) -> bytes:
    return b"".join(iter(stream.readline, b""))


def read_short_lines(stream: Any) -> bytes:
    return b"".join(iter(lambda: stream.readline(7), b""))


READERS: dict[str, Callable[[Any], bytes]] = {
    "read": read_all,
    "read-once": lambda stream: bytes(stream.read(1 << 30)),
    "readline": read_lines,
    "readline-short": read_short_lines,
    "readlines": lambda stream: b"".join(stream.readlines()),
    "iter": lambda stream: b"".join(stream),
    "nothing": lambda stream: b"",
}


def page_echo(environ: Environ, start: Start) -> Any:
    body = READERS[environ["QUERY_STRING"]](environ["wsgi.input"])
    start("200 OK", [*PLAIN, ("Content-Length", str(len(body)))])
    return [body]


def page_environ(environ: Environ, start: Start) -> Any:
    start("200 OK", [("Content-Type", "application/json")])
    return [json.dumps({key: value for key, value in environ.items() if isinstance(value, str)}).encode()]


def pages(prefix: str) -> dict[str, Page]:
    """Path -> function, for the functions of this module that begin with `prefix`."""
    return {
        "/" + name.removeprefix(prefix).replace("_", "-"): value
        for name, value in globals().items()
        if name.startswith(prefix)
    }


@validator
def validated(environ: Environ, start: Start) -> Any:
    """Serves the pages above; `validator` raises when either side breaks a rule."""
    return pages("page_")[environ["PATH_INFO"]](environ, start)


def bad_none(environ: Environ, start: Start) -> Any:
    start("200 OK", PLAIN[:])


def bad_number(environ: Environ, start: Start) -> Any:
    start("200 OK", PLAIN[:])
    return 7


def bad_text(environ: Environ, start: Start) -> Any:
    start("200 OK", PLAIN[:])
    return "hello"


def bad_text_item(environ: Environ, start: Start) -> Any:
    start("200 OK", PLAIN[:])
    return ["hello"]


def bad_text_second_item(environ: Environ, start: Start) -> Any:
    start("200 OK", PLAIN[:])
    return [b"hello", "world"]


def bad_text_generated(environ: Environ, start: Start) -> Any:
    start("200 OK", PLAIN[:])
    yield "hello"


def bad_none_item(environ: Environ, start: Start) -> Any:
    start("200 OK", PLAIN[:])
    return [None]


def bad_bytearray_item(environ: Environ, start: Start) -> Any:
    start("200 OK", PLAIN[:])
    return [bytearray(b"hello")]


def bad_text_written(environ: Environ, start: Start) -> Any:
    start("200 OK", PLAIN[:])("hello")  # type: ignore[arg-type]
    return []


def bad_no_start(environ: Environ, start: Start) -> Any:
    return [b"hello"]


def bad_no_start_empty(environ: Environ, start: Start) -> Any:
    return []


def bad_no_start_generated(environ: Environ, start: Start) -> Any:
    yield b"hello"


def bad_two_starts(environ: Environ, start: Start) -> Any:
    start("200 OK", PLAIN[:])
    start("404 Not Found", PLAIN[:])
    return [b"hello"]


def bad_status_number(environ: Environ, start: Start) -> Any:
    start(200, PLAIN[:])
    return [b"hello"]


def bad_status_bytes(environ: Environ, start: Start) -> Any:
    start(b"200 OK", PLAIN[:])
    return [b"hello"]


def bad_status_words(environ: Environ, start: Start) -> Any:
    start("OK", PLAIN[:])
    return [b"hello"]


def bad_status_line(environ: Environ, start: Start) -> Any:
    start("200 OK\r\nX-Injected: yes", PLAIN[:])
    return [b"hello"]


def bad_status_interim(environ: Environ, start: Start) -> Any:
    start("103 Early Hints", PLAIN[:])
    return [b"hello"]


def bad_headers_tuple(environ: Environ, start: Start) -> Any:
    start("200 OK", tuple(PLAIN))
    return [b"hello"]


def bad_headers_dict(environ: Environ, start: Start) -> Any:
    start("200 OK", dict(PLAIN))
    return [b"hello"]


def bad_header_text(environ: Environ, start: Start) -> Any:
    start("200 OK", ["Content-Type: text/plain"])
    return [b"hello"]


def bad_header_triple(environ: Environ, start: Start) -> Any:
    start("200 OK", [("Content-Type", "text/plain", "really")])
    return [b"hello"]


def bad_header_name_bytes(environ: Environ, start: Start) -> Any:
    start("200 OK", [(b"Content-Type", "text/plain")])
    return [b"hello"]


def bad_header_name_colon(environ: Environ, start: Start) -> Any:
    start("200 OK", [("Content-Type:", "text/plain")])
    return [b"hello"]


def bad_header_value_number(environ: Environ, start: Start) -> Any:
    start("200 OK", [("Content-Length", 5)])
    return [b"hello"]


def bad_header_value_none(environ: Environ, start: Start) -> Any:
    start("200 OK", [("X-Nothing", None)])
    return [b"hello"]


def bad_header_value_lines(environ: Environ, start: Start) -> Any:
    start("200 OK", [("X-Split", "a\r\nX-Injected: yes")])
    return [b"hello"]


def bad_header_value_unicode(environ: Environ, start: Start) -> Any:
    start("200 OK", [("X-Text", "\u20ac")])
    return [b"hello"]


def bad_length_words(environ: Environ, start: Start) -> Any:
    start("200 OK", [("Content-Length", "five")])
    return [b"hello"]


def bad_length_twice(environ: Environ, start: Start) -> Any:
    start("200 OK", [("Content-Length", "5"), ("Content-Length", "6")])
    return [b"hello"]


def odd_hop_by_hop(environ: Environ, start: Start) -> Any:
    start("200 OK", [*PLAIN, ("Transfer-Encoding", "chunked"), ("Keep-Alive", "timeout=5")])
    return [b"hello"]


def odd_too_long(environ: Environ, start: Start) -> Any:
    start("200 OK", [*PLAIN, ("Content-Length", "5")])
    return [b"hello", b"world"]


def odd_too_short(environ: Environ, start: Start) -> Any:
    start("200 OK", [*PLAIN, ("Content-Length", "50")])
    return [b"hello"]


def odd_body_of_204(environ: Environ, start: Start) -> Any:
    start("204 No Content", [])
    return [b"hello"]


def odd_raises(environ: Environ, start: Start) -> Any:
    raise RuntimeError("the secret reason")


def odd_raises_late(environ: Environ, start: Start) -> Any:
    start("200 OK", PLAIN[:])
    yield b"hello"
    raise RuntimeError("the secret reason")


def odd_raises_in_close(environ: Environ, start: Start) -> Any:
    class Raising(Closing):
        def close(self) -> None:
            raise RuntimeError("the secret reason")

    start("200 OK", [*PLAIN, ("Content-Length", "5")])
    return Raising(environ, [b"hello"])


def odd_restart_too_late(environ: Environ, start: Start) -> Any:
    start("200 OK", PLAIN[:])(b"hello")
    try:
        raise RuntimeError("the secret reason")
    except RuntimeError:
        start("500 Internal Server Error", PLAIN[:], sys.exc_info())
    return []


def unchecked(environ: Environ, start: Start) -> Any:
    """Serves every page, without `validator` in between."""
    path = environ["PATH_INFO"]
    for prefix in ("page_", "bad_", "odd_"):
        if path in pages(prefix):
            return pages(prefix)[path](environ, start)
    start("404 Not Found", PLAIN[:])
    return [b"no such page"]
