"""The cookie of sessions on the server, beside that of Flask's own; how long they live, what they cost, and
what happens when they cannot be read or written.
"""

from __future__ import annotations

import datetime
import logging
import sqlite3
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from flask import Flask, Response, session, stream_with_context

from indrik.flask import Changes, Outcome, Session, SessionStore, SessionStoreError, SQLiteStore
from tests.unit.ext.browser import Client, View, clear, count, make_app, put, store_of


def make_permanent(**values: Any) -> None:
    session.permanent = True
    session.update(values)


class TestCookie:
    """As Flask sets the cookie of its own sessions, for the same requests."""

    REQUESTS: Mapping[str, list[View]] = {
        "nothing": [lambda: None],
        "looked at": [lambda: session.get("x")],
        "set": [put(x=1)],
        "set and looked at": [put(x=1), lambda: session["x"]],
        "set and not looked at": [put(x=1), lambda: None],
        "set twice": [put(x=1), put(x=2)],
        "cleared": [put(x=1), lambda: session.clear()],
        "cleared without a session": [lambda: session.clear()],
        "popped": [put(x=1), lambda: session.pop("x")],
        "permanent": [put(x=1, _permanent=True)],
        "permanent and looked at": [put(x=1, _permanent=True), lambda: session["x"]],
        "permanent and not looked at": [put(x=1, _permanent=True), lambda: None],
        "permanent by property": [lambda: make_permanent(x=1), lambda: session["x"]],
        "marked": [put(x=[1]), lambda: setattr(session, "modified", True)],
    }
    CONFIGS: Mapping[str, dict[str, Any]] = {
        "default": {},
        "not refreshed": {"SESSION_REFRESH_EACH_REQUEST": False},
        "all attributes": {
            "SESSION_COOKIE_NAME": "sid",
            "SESSION_COOKIE_DOMAIN": "localhost",
            "SESSION_COOKIE_PATH": "/run",
            "SESSION_COOKIE_HTTPONLY": False,
            "SESSION_COOKIE_SECURE": True,
            "SESSION_COOKIE_SAMESITE": "Lax",
            "SESSION_COOKIE_PARTITIONED": True,
            "PERMANENT_SESSION_LIFETIME": datetime.timedelta(days=1),
        },
    }

    @pytest.mark.parametrize("config", CONFIGS)
    @pytest.mark.parametrize("requests", REQUESTS)
    def test_same_as_flask(self, tmp_path: Path, config: str, requests: str) -> None:
        base = "https://localhost"
        seen = []
        for ours in (True, False):
            app = make_app(**self.CONFIGS[config], SESSION_DATABASE=str(tmp_path / "sessions"))
            if ours:
                Session(app)
            client = Client(app)
            fields = []
            for view in self.REQUESTS[requests]:
                client.run(view, base_url=base)
                cookies = [without_value(cookie) for cookie in client.set_cookies]
                fields.append((client.response.status_code, cookies, client.response.headers.get("Vary")))
            seen.append(fields)
            if ours:
                store_of(app).close()
        if requests == "cleared without a session":
            # Flask tells a client without a cookie to delete it.
            assert seen[0][0][1] == []
            assert seen[1][0][1] != []
        else:
            assert seen[0] == seen[1]


def without_value(cookie: str) -> str:
    """A Set-Cookie's name and attributes, with the day of its end at most."""
    name, _, rest = cookie.partition("=")
    value, _, attributes = rest.partition(";")
    parts = [part[:26] if part.startswith(" Expires=") else part for part in attributes.split(";")]
    return f"{name}={bool(value)};{';'.join(parts)}"


class TestLife:
    def test_ends_on_the_server_as_well(self, tmp_path: Path) -> None:
        app = make_app(SESSION_DATABASE=str(tmp_path / "sessions"), PERMANENT_SESSION_LIFETIME=0)
        Session(app)
        client = Client(app)
        client.run(put(x=1))
        assert client.cookie
        assert client.run(lambda: (dict(session), session.new)) == ({}, True)
        store_of(app).close()

    def test_of_a_permanent_session_is_prolonged_by_each_request(self, app: Flask, client: Client) -> None:
        client.run(put(_permanent=True, x=1))
        connection = sqlite3.connect(store_of(app).path, isolation_level=None)
        connection.execute("UPDATE sessions SET expires = expires - 1000")
        (before,) = connection.execute("SELECT expires FROM sessions").fetchone()
        client.web.get("/nothing")
        (after,) = connection.execute("SELECT expires FROM sessions").fetchone()
        connection.close()
        assert after >= before + 1000

    def test_of_another_is_not(self, app: Flask, client: Client) -> None:
        client.run(put(x=1))
        connection = sqlite3.connect(store_of(app).path, isolation_level=None)
        connection.execute("UPDATE sessions SET expires = expires - 1000")
        before = connection.execute("SELECT expires FROM sessions").fetchall()
        assert client.run(lambda: session["x"]) == 1
        assert connection.execute("SELECT expires FROM sessions").fetchall() == before
        connection.close()


    def test_that_is_permanent_and_holds_nothing_is_not_kept(self, app: Flask, client: Client) -> None:
        """As with `session.permanent = True` before each request."""
        app.before_request(make_permanent)
        client.run(lambda: None)
        assert client.set_cookies == []
        client.run(put(x=1))
        assert len(client.set_cookies) == 1
        client.run(clear)
        assert client.cookie is None
        assert count(app) == 0


class Recording:
    """A store that writes down what it is asked."""

    def __init__(self, store: SessionStore) -> None:
        self.store = store
        self.asked: list[str] = []

    def __getattr__(self, name: str) -> Any:
        self.asked.append(name)
        return getattr(self.store, name)


class TestCost:
    @pytest.mark.parametrize(
        ("config", "values", "view", "asked"),
        [
            ({}, {}, lambda: None, []),
            ({}, {}, lambda: session.get("x"), []),
            ({}, {"x": 1}, lambda: session["x"], ["load"]),
            ({}, {"x": 1}, put(x=1), ["load"]),
            ({}, {"x": 1}, put(x=2), ["load", "update"]),
            ({}, {"x": 1}, lambda: None, ["load"]),
            ({"SESSION_REFRESH_EACH_REQUEST": False}, {"x": 1}, lambda: None, []),
            ({}, {"x": 1, "_permanent": True}, lambda: None, ["load", "touch"]),
            ({}, {}, make_permanent, []),
            ({}, {"x": 1}, lambda: session.clear(), ["delete"]),
        ],
    )
    def test_a_request_asks_for_no_more_than_it_needs(
        self, tmp_path: Path, config: dict[str, Any], values: dict[str, Any], view: View, asked: list[str]
    ) -> None:
        app = make_app(**config)
        store = SQLiteStore(tmp_path / "sessions")
        recording = Recording(store)
        Session(app, recording)
        client = Client(app)
        if values:
            client.run(put(**values))
        recording.asked.clear()
        client.run(view)
        assert recording.asked == asked
        store.close()


class TestTrouble:
    @pytest.fixture
    def broken(self, tmp_path: Path) -> Client:
        """A client whose store is a folder."""
        app = make_app(SESSION_DATABASE=str(tmp_path))
        Session(app)
        client = Client(app)
        client.web.set_cookie("session", "x" * 43)
        return client

    @pytest.mark.parametrize("view", [lambda: session.get("x"), lambda: session.clear()])
    def test_who_needs_the_session_gets_500(
        self, broken: Client, view: View, caplog: pytest.LogCaptureFixture
    ) -> None:
        broken.run(view)
        assert broken.response.status_code == 500
        assert broken.set_cookies == []
        assert b"SessionStoreError" not in broken.response.data
        assert "SessionStoreError" in caplog.text
        assert caplog.text.count("Traceback (most recent call last)") >= 1

    def test_who_does_not_need_it_is_served(
        self, broken: Client, caplog: pytest.LogCaptureFixture
    ) -> None:
        assert broken.web.get("/nothing").status_code == 200
        assert "a session was not prolonged: the session database" in caplog.text

    def test_the_application_may_answer_itself(self, broken: Client) -> None:
        broken.app.register_error_handler(SessionStoreError, lambda error: ("later", 503))
        broken.run(lambda: session.get("x"))
        assert (broken.response.status_code, broken.response.data) == (503, b"later")

    def test_a_request_that_cannot_write_waits_once(self, app: Flask, client: Client) -> None:
        store = SQLiteStore(store_of(app).path, timeout=0.1)
        Session(app, store)
        client.run(put(x=1))
        holder = sqlite3.connect(store.path, isolation_level=None)
        holder.execute("BEGIN IMMEDIATE")
        recording = Recording(store)
        Session(app, recording)
        client.run(put(x=2))
        assert client.response.status_code == 500
        assert recording.asked == ["load", "update"]
        assert client.run(lambda: session["x"]) == 1
        assert client.response.status_code == 200
        holder.close()
        client.run(put(x=3))
        assert client.run(lambda: session["x"]) == 3

    def test_a_view_that_fails_keeps_what_it_has_set(self, client: Client) -> None:
        """As with Flask's own sessions: the answer of an error has the cookie as well."""

        def fail() -> None:
            session["x"] = 1
            raise ValueError

        client.run(fail)
        assert client.response.status_code == 500
        assert client.run(lambda: session["x"]) == 1

    def test_a_stream_changes_nothing_and_is_told(
        self, client: Client, caplog: pytest.LogCaptureFixture
    ) -> None:
        def stream() -> Response:
            session["before"] = 1

            def body() -> Iterator[str]:
                yield str(session["before"])
                session["within"] = 2
                session.clear()

            return Response(stream_with_context(body()))

        client.run(stream)
        assert client.response.data == b"1"
        assert client.run(lambda: dict(session)) == {"before": 1}
        messages = [record.message for record in caplog.records if record.name == "indrik.sessions"]
        assert len(messages) == 2
        assert messages[0].startswith("session['within'] is set, which has no effect")

    def test_what_is_dropped_is_told(self, client: Client, caplog: pytest.LogCaptureFixture) -> None:
        client.run(put(x=1))

        def slow() -> None:
            session["x"] = 2
            client.run_beside(lambda: session.clear())

        caplog.set_level(logging.INFO, "indrik.sessions")
        client.run(slow)
        assert "in a session that ended meanwhile was dropped" in caplog.text


class TestExtension:
    def test_session_transaction(self, client: Client) -> None:
        """Flask's way for tests to look into a session and to prepare one."""
        with client.web.session_transaction() as prepared:
            prepared["x"] = [1]
        assert client.run(lambda: session["x"]) == [1]
        with client.web.session_transaction() as prepared:
            assert prepared["x"] == [1]
            prepared["x"].append(2)
        assert client.run(lambda: session["x"]) == [1, 2]

    def test_in_the_instance_folder(self, tmp_path: Path) -> None:
        apps = [
            Flask("one", instance_path=str(tmp_path)),
            Flask("two", instance_path=str(tmp_path / "two")),
            Flask("three", instance_path=str(tmp_path)),
        ]
        apps[2].config["SESSION_DATABASE"] = "below/s"
        extension = Session()
        for app in apps:
            extension.init_app(app)
        places = [str(tmp_path / name) for name in ("sessions.sqlite3", "two/sessions.sqlite3", "below/s")]
        assert [store_of(app).path for app in apps] == places
        assert list(tmp_path.iterdir()) == []

    def test_a_store_of_ones_own(self) -> None:
        class Memory:
            """The least that a store can be."""

            def __init__(self) -> None:
                self.kept: dict[str, dict[str, str]] = {}

            def load(self, name: str) -> dict[str, str] | None:
                return self.kept.get(name)

            def create(self, name: str, values: Mapping[str, str], expires: float) -> None:
                self.kept[name] = dict(values)

            def update(
                self, name: str, changes: Changes, expires: float, new_name: str | None = None
            ) -> Outcome:
                if name not in self.kept:
                    return Outcome.GONE
                self.kept[name].update(changes.added)
                self.kept[name].update(changes.changed)
                return Outcome.KEPT

            def touch(self, name: str, expires: float, slack: float) -> bool:
                return name in self.kept

            def delete(self, name: str) -> None:
                self.kept.pop(name, None)

        app = make_app()
        store: SessionStore = Memory()
        Session(app, store)
        client = Client(app)
        client.run(put(x=1))
        client.run(put(y=2))
        assert client.run(lambda: dict(session)) == {"x": 1, "y": 2}
        assert client.run(lambda: session.clear()) is None
        assert client.run(lambda: dict(session)) == {}
