"""A Flask application with sessions on the server, whose requests can be held up in the middle.

In the folder SESSION_FOLDER are its database and the files by which a test tells a request to go on.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from flask import Flask, Response, request, session, stream_with_context

from indrik.flask import Session, SQLiteStore

FOLDER = Path(os.environ["SESSION_FOLDER"])
#: Seconds. A request that nobody releases fails; it does not wait for ever.
PATIENCE = 30.0

app = Flask(__name__)
# Longer than any test holds the database locked.
Session(app, SQLiteStore(FOLDER / "sessions.sqlite3", timeout=60))


def wait_for(file: Path) -> None:
    give_up_at = time.monotonic() + PATIENCE
    while not file.exists():
        assert time.monotonic() < give_up_at, f"{file} did not come"
        time.sleep(0.001)


@app.get("/set/<key>/<value>")
def put(key: str, value: str) -> str:
    session[key] = value
    return "set"


@app.get("/append/<key>/<value>")
def append(key: str, value: str) -> str:
    session.setdefault(key, []).append(value)
    return "appended"


@app.get("/all")
def tell() -> dict[str, Any]:
    return dict(session)


@app.get("/plain")
def plain() -> str:
    return "plain"


@app.get("/login/<user>")
def login(user: str) -> str:
    session.clear()
    session["user"] = {"name": user}
    session["theme"] = "dark"
    return "in"


@app.get("/logout")
def logout() -> str:
    if "pop" in request.args:
        session.pop("user")
    else:
        session.clear()
    return "out"


@app.get("/slow/<name>")
def slow(name: str) -> str:
    """Looks at the session, waits until it is told to go on, and writes."""
    user = session["user"]["name"]
    (FOLDER / f"{name}.begun").touch()
    wait_for(FOLDER / f"{name}.release")
    session["user"]["seen"] = name
    session["late"] = name
    return str(user)


@app.get("/stream")
def stream() -> Response:
    session["before"] = "1"

    def body() -> Iterator[str]:
        yield session["before"]
        # The client has read the session's cookie, and asks for it elsewhere.
        wait_for(FOLDER / "stream.release")
        yield session["before"]

    return Response(stream_with_context(body()))
