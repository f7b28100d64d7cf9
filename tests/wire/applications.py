"""The applications of the wire cases: one that echoes, and many that test the rules of PEP 3333."""

from __future__ import annotations

import io
import os
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from typing import Any

StartResponse = Callable[..., Any]
Application = Callable[[dict[str, Any], StartResponse], Any]

#: The applications by name.
BY_NAME: dict[str, Application] = {}

#: What applications note in passing, for example that `close` was called. Emptied before each run.
notes: list[str] = []

PLAIN = [("Content-Type", "text/plain")]


def application(function: Application) -> Application:
    """Makes `function` known by its name, blanks for underscores."""
    BY_NAME[function.__name__.replace("_", " ")] = function
    return function


@application
def echo(environ: dict[str, Any], start_response: StartResponse) -> list[bytes]:
    body = environ["wsgi.input"].read()
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]


class Closing:
    """An iterable of `items` that notes how often it was closed; an item may be an exception to raise."""

    def __init__(self, *items: Any, at_close: Callable[[], object] | None = None) -> None:
        self.items = items
        self.at_close = at_close

    def __iter__(self) -> Iterator[Any]:
        for item in self.items:
            if isinstance(item, BaseException):
                raise item
            yield item

    def close(self) -> None:
        notes.append("close")
        if self.at_close is not None:
            self.at_close()


def _answering(name: str, status: Any, headers: Any, result: Callable[[], Any]) -> None:
    def answer(environ: dict[str, Any], start_response: StartResponse) -> Any:
        start_response(status, headers)
        return result()

    BY_NAME[name] = answer


def with_headers(name: str, *headers: Any, body: bytes = b"hello") -> str:
    """An application of its own that answers 200 with `headers` and `body`; its name."""
    _answering(name, "200 OK", list(headers), lambda: [body])
    return name


def with_status(name: str, status: Any, *headers: Any, body: bytes = b"") -> str:
    """An application that answers with `status`; its name."""
    _answering(name, status, list(headers), lambda: [body])
    return name


def with_result(name: str, result: Callable[[], Any], *headers: Any, status: str = "200 OK") -> str:
    """An application that returns what `result()` gives; its name."""
    _answering(name, status, list(headers), result)
    return name


# --- start_response and write


@application
def no_start_response(environ: dict[str, Any], start_response: StartResponse) -> list[bytes]:
    return [b"hello"]


@application
def no_start_response_and_no_body(environ: dict[str, Any], start_response: StartResponse) -> list[bytes]:
    return []


@application
def start_response_twice(environ: dict[str, Any], start_response: StartResponse) -> list[bytes]:
    start_response("200 OK", PLAIN)
    start_response("200 OK", PLAIN)
    return [b"hello"]


@application
def start_response_with_exc_info(environ: dict[str, Any], start_response: StartResponse) -> list[bytes]:
    start_response("200 OK", [*PLAIN, ("Content-Length", "1"), ("X-First", "1")])
    try:
        raise KeyError("gone")
    except KeyError:
        start_response("503 Busy", [*PLAIN, ("X-Second", "2")], sys.exc_info())
    return [b"sorry"]


@application
def a_wrong_header_caught(environ: dict[str, Any], start_response: StartResponse) -> list[bytes]:
    try:
        start_response("200 OK", [("X-Note", "two\r\nlines")])
    except Exception as error:
        start_response("500 Oops", PLAIN)
        return [str(error).encode()]
    return [b"not noticed"]


@application
def exc_info_after_the_head(environ: dict[str, Any], start_response: StartResponse) -> list[bytes]:
    write = start_response("200 OK", PLAIN)
    write(b"hel")
    try:
        raise KeyError("gone")
    except KeyError:
        start_response("500 Oops", PLAIN, sys.exc_info())
    notes.append("not reached")
    return [b"lo"]


@application
def exc_info_first(environ: dict[str, Any], start_response: StartResponse) -> list[bytes]:
    try:
        raise KeyError("gone")
    except KeyError:
        start_response("503 Busy", PLAIN, sys.exc_info())
    return [b"sorry"]


@application
def start_response_in_the_generator(
    environ: dict[str, Any], start_response: StartResponse
) -> Iterator[bytes]:
    start_response("200 OK", PLAIN)
    yield b"hel"
    yield b"lo"


@application
def start_response_after_an_empty_string(
    environ: dict[str, Any], start_response: StartResponse
) -> Iterator[bytes]:
    yield b""
    start_response("200 OK", PLAIN)
    yield b"hello"


@application
def written(environ: dict[str, Any], start_response: StartResponse) -> list[bytes]:
    write = start_response("200 OK", PLAIN)
    write(b"hel")
    write(b"")
    write(b"lo")
    return []


@application
def written_and_returned(environ: dict[str, Any], start_response: StartResponse) -> list[bytes]:
    write = start_response("200 OK", [*PLAIN, ("Content-Length", "10")])
    write(b"hello")
    return [b"", b"wor", b"ld"]


@application
def written_nothing(environ: dict[str, Any], start_response: StartResponse) -> list[bytes]:
    start_response("200 OK", PLAIN)(b"")
    return []


@application
def written_text(environ: dict[str, Any], start_response: StartResponse) -> list[bytes]:
    start_response("200 OK", PLAIN)("hello")
    return []


@application
def written_while_closing(environ: dict[str, Any], start_response: StartResponse) -> Any:
    write = start_response("200 OK", PLAIN)
    return Closing(b"hello", at_close=lambda: write(b"too late"))


@application
def headers_changed_later(environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
    headers = [("Content-Type", "text/plain"), ("Content-Length", "5")]
    start_response("200 OK", headers)
    return [b"hello"]


# --- exceptions


@application
def raises(environ: dict[str, Any], start_response: StartResponse) -> list[bytes]:
    raise ValueError("secret")


@application
def raises_after_start_response(environ: dict[str, Any], start_response: StartResponse) -> list[bytes]:
    start_response("200 OK", [*PLAIN, ("X-Half", "1")])
    raise ValueError("secret")


@application
def raises_at_the_first_item(environ: dict[str, Any], start_response: StartResponse) -> Any:
    start_response("200 OK", PLAIN)
    return Closing(ValueError("secret"))


@application
def raises_in_the_body(environ: dict[str, Any], start_response: StartResponse) -> Any:
    start_response("200 OK", PLAIN)
    return Closing(b"hel", ValueError("secret"))


@application
def raises_in_a_body_of_known_length(environ: dict[str, Any], start_response: StartResponse) -> Any:
    start_response("200 OK", [*PLAIN, ("Content-Length", "5")])
    return Closing(b"hel", ValueError("secret"))


def _fail() -> None:
    raise ValueError("secret")


@application
def raises_at_close(environ: dict[str, Any], start_response: StartResponse) -> Any:
    start_response("200 OK", PLAIN)
    return Closing(b"hello", at_close=_fail)


@application
def reads_nothing(environ: dict[str, Any], start_response: StartResponse) -> list[bytes]:
    start_response("200 OK", [*PLAIN, ("Content-Length", "2")])
    return [b"ok"]


# --- reading the body


@application
def reads_oddly(environ: dict[str, Any], start_response: StartResponse) -> list[bytes]:
    """Everything that PEP 3333 lets an application do with wsgi.input, on the body b"one\\ntwo\\nthree"."""
    stream = environ["wsgi.input"]
    found = [
        stream.read(0),
        stream.read(2),
        stream.readline(),
        stream.readline(2),
        *stream.readlines(1),
        next(iter(stream)),
        stream.read(-1),
        stream.read(),
        stream.readline(),
        *stream.readlines(),
    ]
    start_response("200 OK", PLAIN)
    return [repr(found).encode()]


# --- files


class Named(io.BytesIO):
    """A file-like object without a descriptor."""


def _file(content: bytes, position: int = 0) -> Any:
    file = tempfile.TemporaryFile()  # noqa: SIM115
    file.write(content)
    file.flush()
    file.seek(position)
    return file


def wrapped(name: str, make: Callable[[], Any], *headers: tuple[str, str], block: int | None = None) -> str:
    """An application that returns `make()` in wsgi.file_wrapper; its name."""

    def answer(environ: dict[str, Any], start_response: StartResponse) -> Any:
        start_response("200 OK", [*PLAIN, *headers])
        wrapper = environ["wsgi.file_wrapper"]
        return wrapper(make()) if block is None else wrapper(make(), block)

    BY_NAME[name] = answer
    return name


@application
def file_partly_read(environ: dict[str, Any], start_response: StartResponse) -> Any:
    file = _file(b"0123456789")
    file.read(4)
    start_response("200 OK", PLAIN)
    return environ["wsgi.file_wrapper"](file)


@application
def file_behind_written_text(environ: dict[str, Any], start_response: StartResponse) -> Any:
    start_response("200 OK", PLAIN)(b"first ")
    return environ["wsgi.file_wrapper"](_file(b"0123456789"))


@application
def file_that_notes_its_end(environ: dict[str, Any], start_response: StartResponse) -> Any:
    class Noting(io.FileIO):
        def close(self) -> None:
            if not self.closed:
                notes.append("close")
            super().close()

    fd, path = tempfile.mkstemp()
    os.write(fd, b"hello")
    os.close(fd)
    file = Noting(path)
    os.unlink(path)
    start_response("200 OK", PLAIN)
    return environ["wsgi.file_wrapper"](file)
