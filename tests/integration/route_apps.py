"""Applications for the tests of `routes`. Each visit writes when it begins and ends into the file VISITS."""

from __future__ import annotations

import gc
import os
import time
from collections.abc import Callable, Iterable
from typing import Any

from flask import Flask, request


def _note(what: str, name: str) -> None:
    line = f"{what} {name} {os.getpid()} {time.monotonic()}\n"
    fd = os.open(os.environ["VISITS"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(fd, line.encode())
    os.close(fd)


def _visit(name: str, seconds: float, until: str) -> str:
    """Stays for so many seconds, or until there is a file of this name."""
    _note("+", name)
    time.sleep(seconds)
    while until and not os.path.exists(until):
        time.sleep(0.01)
    _note("-", name)
    return f"{name} {os.getpid()}"


def create_app() -> Flask:
    app = Flask(__name__)

    @app.route("/limited/<int:number>", methods=["GET", "POST"])
    def limited(number: int) -> str:
        text = _visit("limited", float(request.args.get("seconds", 0)), request.args.get("until", ""))
        return f"{text} {request.get_data(as_text=True)}"

    @app.get("/other")
    def other() -> str:
        return _visit("other", float(request.args.get("seconds", 0)), "")

    @app.get("/deadline")
    def deadline() -> str:
        return repr("indrik.deadline" in request.environ)

    @app.get("/machinery")
    def machinery() -> list[str]:
        """What stands between the engine and the application, or watches."""
        # What the master has made is kept from the collector in its workers.
        gc.unfreeze()
        names = {type(thing).__name__ for thing in gc.get_objects()}
        return sorted(names & {"RouteLimits", "WaitingRoom", "TimedHandler", "Gate", "Rates", "FlaskRules"})

    return app


def plain(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Not Flask's."""
    start_response("200 OK", [])
    return [environ["PATH_INFO"].encode()]


async def asynchronous(scope: Any, receive: Any, send: Any) -> None:
    """An ASGI application, which is never called here."""
