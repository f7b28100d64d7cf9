"""A browser in front of an application with sessions on the server, for their tests."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import Any

from flask import Flask, Response, session
from flask.testing import FlaskClient

from indrik.flask import ServerSession

View = Callable[[], Any]


class Client:
    """A browser with the application's test client: `run` calls a view in a request and gives what it
    returns.
    """

    def __init__(self, app: Flask) -> None:
        self.app = app
        self.web: FlaskClient = app.test_client()
        self.response: Any = None

    def run(self, view: View, **options: Any) -> Any:
        found: list[Any] = []

        def called() -> Any:
            found.append(view())
            return found[0] if isinstance(found[0], Response) else ""

        self.app.view_functions["run"] = called
        self.response = self.web.get("/run", **options)
        return found[0] if found else None

    def run_beside(self, view: View) -> None:
        """Another request with the same cookie, in a context of its own, as in another worker."""
        other = Client(self.app)
        other.web.set_cookie("session", self.cookie or "")
        view_of_this = self.app.view_functions["run"]
        other.run(view)
        self.app.view_functions["run"] = view_of_this

    @property
    def cookie(self) -> str | None:
        found = self.web.get_cookie(self.app.config["SESSION_COOKIE_NAME"])
        return None if found is None else found.value

    @property
    def set_cookies(self) -> list[str]:
        return list(self.response.headers.getlist("Set-Cookie"))


def make_app(**config: Any) -> Flask:
    app = Flask(__name__)
    app.config.update(SECRET_KEY="for Flask's own sessions", **config)
    app.add_url_rule("/run", "run", lambda: "")
    app.add_url_rule("/nothing", "nothing", lambda: "nothing")
    return app


def store_of(app: Flask) -> Any:
    return app.session_interface.store  # type: ignore[attr-defined]


def the_session() -> ServerSession:
    found = session._get_current_object()  # type: ignore[attr-defined]
    assert isinstance(found, ServerSession)
    return found


def put(**values: Any) -> View:
    return lambda: session.update(values)


def clear() -> None:
    session.clear()


def count(app: Flask) -> int:
    connection = sqlite3.connect(store_of(app).path)
    (found,) = connection.execute("SELECT count(*) FROM sessions").fetchone()
    connection.close()
    return int(found)
