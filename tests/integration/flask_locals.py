"""A Flask application that looks for what other requests have left behind: in `threading.local`, in context
variables, in `g` and in Flask's own locals.
"""

from __future__ import annotations

import contextvars
import gc
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from flask import (
    Flask,
    Response,
    copy_current_request_context,
    current_app,
    g,
    has_app_context,
    has_request_context,
    request,
    stream_with_context,
)

app = Flask(__name__)
local = threading.local()
variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="")

#: What was found where nothing may be, and how often each teardown ran.
leaks: list[str] = []
teardowns: Counter[str] = Counter()
stashed: list[Iterator[str]] = []
#: Seconds. What a request waits for comes at once, or never.
PATIENCE = 30.0


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Around Flask, where no request has begun yet."""
    if has_request_context() or has_app_context():
        leaks.append(f"a context before {environ['PATH_INFO']}")
    if variable.get():
        leaks.append(f"{variable.get()} in a variable before {environ['PATH_INFO']}")
    return app(environ, start_response)


@app.before_request
def look() -> None:
    found = list(g)
    if found:
        leaks.append(f"{found} in g of {request.full_path}")
    variable.set(request.full_path)
    g.path = request.full_path


@app.teardown_request
def tear_down(error: BaseException | None) -> None:
    teardowns[request.path] += 1


@app.teardown_appcontext
def tear_all_down(error: BaseException | None) -> None:
    teardowns["all"] += 1


def check() -> None:
    """What this request sees is its own."""
    seen = (g.path, variable.get())
    if seen != (request.full_path, request.full_path):
        leaks.append(f"{seen} in {request.full_path}")


@app.get("/report")
def report() -> dict[str, Any]:
    return {"leaks": leaks, "teardowns": teardowns}


@app.get("/plain")
def plain() -> str:
    check()
    return request.args.get("n", "plain")


@app.get("/local")
def thread_local() -> dict[str, Any]:
    """Leaves its number, lets others go on, and looks again. `before`: what was there."""
    before = getattr(local, "number", None)
    local.number = request.args["n"]
    # What others might do meanwhile; nothing is waited for.
    time.sleep(0.005)
    check()
    return {"before": before, "after": local.number, "thread": threading.get_native_id()}


@app.get("/stream")
def stream() -> Response:
    """Streams as many pieces as `pieces` says, and looks at each."""
    number = int(request.args["pieces"])

    def body() -> Iterator[str]:
        for _ in range(number):
            check()
            yield "x" * 1024
            time.sleep(0.0005)

    return Response(stream_with_context(body()))


@app.get("/stash")
def stash() -> str:
    """Begins a body, and neither returns nor ends it."""
    body = stream_with_context(iter(["a", "b"]))
    next(body)
    stashed.append(body)
    return "stashed"


@app.get("/collect")
def collect() -> str:
    """The bodies of others end in the middle of this request."""
    stashed.clear()
    gc.collect()
    check()
    return "collected"


@app.get("/spawn")
def spawn() -> str:
    """A thread, or greenlet, with a copy of the context that outlives the request."""
    entered = threading.Event()

    def work() -> None:
        g.later = "set by a thread"
        entered.set()
        time.sleep(0.02)

    threading.Thread(target=contextvars.copy_context().run, args=[work], daemon=True).start()
    assert entered.wait(PATIENCE)
    check()
    return "spawned"


@app.get("/copy")
def copied() -> dict[str, Any]:
    """Threads, or greenlets, with a copy of the request's context see the request, and a `g` of their own."""
    found: list[tuple[str, str, bool]] = []

    @copy_current_request_context
    def work() -> None:
        found.append((request.args["n"], current_app.name, "path" in g))

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    check()
    return {"found": found}


@app.post("/body")
def body_of() -> dict[str, Any]:
    return {"n": request.args["n"], "json": request.get_json(), "user": request.headers["X-User"]}
