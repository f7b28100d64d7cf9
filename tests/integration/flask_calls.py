"""A Flask application under `wsgiref.validate`, and a record of how the server has gone about each call: in
which thread and context it was called, iterated and closed.
"""

from __future__ import annotations

import contextvars
import io
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any
from wsgiref.validate import validator

from flask import Flask, Response, abort, request, send_file

app = Flask(__name__)
# Errors are answered with 500 here as they are under a server.
app.config["PROPAGATE_EXCEPTIONS"] = False

LARGE = b"0123456789abcdef" * 65536

mark: contextvars.ContextVar[str] = contextvars.ContextVar("mark")
#: What happened in the calls that have an id, in order; each with where it happened.
record: dict[str, list[tuple[str, bool]]] = {}


class Watched:
    """What the application returned, with each step written down: its name, and whether it came in the thread
    and the context of the call.
    """

    def __init__(self, result: Iterable[bytes], call: str) -> None:
        self._result = result
        self._pieces = iter(result)
        self._call = call
        self._thread = threading.get_ident()

    def _note(self, step: str) -> None:
        here = threading.get_ident() == self._thread and mark.get("") == self._call
        steps = record[self._call]
        # Of pieces that follow each other only the first.
        if (step, here) != steps[-1]:
            steps.append((step, here))

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        self._note("next")
        return next(self._pieces)

    def close(self) -> None:
        self._note("close")
        record[self._call].append(("closed", True))
        if hasattr(self._result, "close"):
            self._result.close()


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    if environ["PATH_INFO"] == "/record":
        return app(environ, start_response)
    call = environ["HTTP_X_CALL"]
    mark.set(call)
    record.setdefault(call, []).append(("call", True))
    # The validator refuses two things that Flask does: a Content-Type with 204, and read() without a size,
    # which PEP 3333 asks servers to allow.
    judged = app if environ["PATH_INFO"] == "/empty" or environ["REQUEST_METHOD"] == "POST" else validated
    return Watched(judged(environ, start_response), call)


validated = validator(app)


@app.get("/record")
def tell() -> dict[str, Any]:
    return record


@app.get("/text")
def text() -> str:
    return "hello"


@app.get("/empty")
def empty() -> tuple[str, int]:
    return "", 204


@app.get("/nothing-new")
def nothing_new() -> Response:
    answer = Response("hello")
    answer.set_etag("tag")
    answer.make_conditional(request)
    return answer


@app.get("/large")
def large() -> bytes:
    return LARGE


@app.get("/stream")
def stream() -> Response:
    return Response(LARGE[:65536] for _ in range(16))


@app.get("/endless")
def endless() -> Response:
    def body() -> Iterator[bytes]:
        while True:
            yield LARGE[:65536]

    return Response(body())


@app.get("/file")
def file() -> Response:
    return send_file(io.BytesIO(LARGE), "text/plain", download_name="x", etag="tag", conditional=True)


@app.get("/crash")
def crash() -> str:
    raise ValueError("on purpose")


@app.get("/late-crash")
def late_crash() -> Response:
    def body() -> Iterator[bytes]:
        yield b"hello"
        raise ValueError("on purpose")

    return Response(body())


@app.get("/abort")
def aborted() -> str:
    abort(418)


@app.post("/echo")
def echo() -> bytes:
    return request.get_data()


@app.post("/unread")
def unread() -> str:
    return "not read"


@app.post("/form")
def form() -> dict[str, Any]:
    files = {name: len(found.read()) for name, found in request.files.items()}
    return {"form": request.form.to_dict(), "files": files}


@app.get("/fields")
def fields() -> Response:
    answer = Response("", mimetype="text/x-ä" if "odd" in request.args else "text/plain")
    answer.headers.add("X-Twice", "1")
    answer.headers.add("X-Twice", "2")
    answer.set_cookie("a", "1")
    answer.set_cookie("b", "2")
    return answer
