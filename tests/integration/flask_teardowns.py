"""A Flask application that writes down each request's begin, teardowns and end, as lines of the file in
TEARDOWNS.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any
from urllib.parse import parse_qs

from flask import Flask, g, request, stream_with_context

app = Flask(__name__)
# Errors are answered with 500 here as they are under a server.
app.config["PROPAGATE_EXCEPTIONS"] = False


def write_down(event: str, number: str) -> None:
    fd = os.open(os.environ["TEARDOWNS"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    try:
        os.write(fd, f"{event} {number}\n".encode())
    finally:
        os.close(fd)


@app.before_request
def remember() -> None:
    # Empty, or something of another request has survived.
    if list(g):
        write_down("dirty", request.args["id"])
    g.number = request.args["id"]


@app.teardown_request
def after_request(error: BaseException | None) -> None:
    write_down("request", g.number)


@app.teardown_appcontext
def after_everything(error: BaseException | None) -> None:
    write_down("appcontext", g.number)


def pieces() -> Iterator[bytes]:
    for _ in range(int(request.args["pieces"])):
        yield b"x" * 1024
        time.sleep(0.001)


@app.get("/plain")
def plain() -> str:
    return "plain"


@app.get("/error")
def error() -> str:
    raise RuntimeError("on purpose")


@app.get("/stream")
def stream() -> Any:
    number = int(request.args["pieces"])

    def body() -> Iterator[bytes]:
        for _ in range(number):
            yield b"x" * 1024
            time.sleep(0.001)

    return app.response_class(body())


@app.get("/context")
def context() -> Any:
    return app.response_class(stream_with_context(pieces()))


def wait_released() -> None:
    """Until the test says so, or for ever as far as a request is concerned."""
    give_up_at = time.monotonic() + 60
    while not os.path.exists(os.environ["TEARDOWNS"] + ".release"):
        assert time.monotonic() < give_up_at
        time.sleep(0.01)


@app.get("/slow")
def slow() -> str:
    write_down("view", g.number)
    wait_released()
    return "slow"


@app.get("/slow-context")
def slow_context() -> Any:
    number = g.number

    def body() -> Iterator[bytes]:
        yield b"first"
        write_down("view", number)
        wait_released()
        yield b"last"

    return app.response_class(stream_with_context(body()))


class Noted:
    """What the application returned, with its end written down behind close()."""

    def __init__(self, result: Iterable[bytes], number: str) -> None:
        self._result = result
        self._number = number

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._result)

    def close(self) -> None:
        try:
            if hasattr(self._result, "close"):
                self._result.close()
        finally:
            write_down("end", self._number)


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    number = parse_qs(environ["QUERY_STRING"])["id"][0]
    write_down("begin", number)
    return Noted(app(environ, start_response), number)
