"""Sessions on the server as views see them: values, requests beside each other, ids."""

from __future__ import annotations

import datetime
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from flask import Flask, flash, get_flashed_messages, session
from markupsafe import Markup

from tests.unit.ext.browser import Client, View, clear, count, put, store_of, the_session


class TestValues:
    VALUES: Mapping[str, Any] = {
        "text": "é",
        "number": 1.5,
        "none": None,
        "tuple": (1, (2,)),
        "bytes": b"\0\xff",
        "markup": Markup("<b>"),
        "uuid": uuid.UUID(int=7),
        "time": datetime.datetime(2020, 1, 2, 3, 4, 5, tzinfo=datetime.timezone.utc),
        "nested": {"list": [1, {"a": (1,)}], " t": "looks like a tag"},
    }

    def test_come_back(self, client: Client) -> None:
        client.run(put(**self.VALUES))
        assert client.run(lambda: dict(session)) == self.VALUES
        assert client.run(lambda: session["tuple"]) == (1, (2,))

    def test_are_not_in_the_cookie_nor_is_the_cookie_in_the_store(self, client: Client) -> None:
        client.run(put(secret="swordfish"))
        assert client.cookie
        assert len(client.cookie) == 43
        data = b"".join(file.read_bytes() for file in Path(store_of(client.app).path).parent.iterdir())
        assert b"swordfish" in data
        assert client.cookie.encode() not in data

    def test_need_no_secret_key(self, app: Flask) -> None:
        app.secret_key = None
        client = Client(app)
        client.run(put(x=1))
        assert client.run(lambda: session["x"]) == 1

    def test_a_mapping(self, client: Client) -> None:
        def use() -> None:
            assert (len(session), list(session), "a" in session, session.get("a")) == (0, [], False, None)
            session["a"] = [1]
            session.setdefault("b", 2)
            assert session.pop("a") == [1]
            session["c"] = 3
            assert dict(session) == {"b": 2, "c": 3}

        def use_again() -> None:
            assert session == {"b": 2, "c": 3}
            assert session.pop("nothing", 1) == 1
            with pytest.raises(KeyError):
                del session["nothing"]
            del session["b"]
            assert "b" not in session
            with pytest.raises(KeyError):
                session["b"]
            session["d"] = 4
            assert list(session) == ["c", "d"]
            assert "'d': 4" in repr(session)

        client.run(use)
        client.run(use_again)
        assert client.run(lambda: dict(session)) == {"c": 3, "d": 4}

    def test_changes_inside_of_values(self, client: Client) -> None:
        client.run(put(cart=[1], deep={"a": {"b": []}}))

        def change() -> bool:
            session["cart"].append(2)
            session["deep"]["a"]["b"].append({"c": 1})
            return session.modified

        assert client.run(change) is True
        assert client.run(lambda: dict(session)) == {"cart": [1, 2], "deep": {"a": {"b": [{"c": 1}]}}}

    def test_flashes(self, client: Client) -> None:
        client.run(lambda: flash("hello"))
        assert client.run(get_flashed_messages) == ["hello"]
        assert client.run(get_flashed_messages) == []

    @pytest.mark.parametrize(("key", "value"), [(1, 1), ("x", object())])
    def test_what_cannot_be_kept(self, app: Flask, client: Client, key: Any, value: Any) -> None:
        app.testing = True
        with pytest.raises(TypeError, match=r"keys of a session.*int|session\['x'\] cannot be kept as JSON"):
            client.run(lambda: session.update({key: value}))


class TestMerging:
    """What a request does while another one of the same client goes through from begin to end."""

    def test_different_keys(self, app: Flask, client: Client) -> None:
        client.run(put(a=1, b=1, c=1))

        def slow() -> None:
            session["a"] = 2
            assert session["b"] == 1
            client.run_beside(put(b=3, d=3))
            client.run_beside(lambda: session.pop("c"))

        client.run(slow)
        assert client.run(lambda: dict(session)) == {"a": 2, "b": 3, "d": 3}

    def test_a_value_that_was_only_looked_at_is_not_written(self, client: Client) -> None:
        client.run(put(cart={"z": 1, "a": 2}, gone=[1]))

        def slow() -> None:
            assert session["cart"]
            assert session["gone"]
            session["gone"] = [1]
            session.modified = True
            client.run_beside(lambda: (session["cart"].update(a=3), session.pop("gone")))

        client.run(slow)
        assert client.run(lambda: dict(session)) == {"cart": {"z": 1, "a": 3}}

    def test_a_value_that_another_has_deleted_stays_deleted(self, client: Client) -> None:
        """Whatever is done to it, unless it is a new one for who sets it."""
        client.run(put(user={"name": "me"}, theme="dark", cart=[1]))

        def slow() -> None:
            session["user"]["seen"] = "now"
            session["theme"] = "light"
            session.pop("cart")
            session["cart"] = [2]
            session["late"] = 1
            client.run_beside(lambda: [session.pop(key) for key in ("user", "cart")])

        client.run(slow)
        assert client.run(lambda: dict(session)) == {"theme": "light", "late": 1}
        client.run(put(user={"name": "you"}))
        assert client.run(lambda: session["user"]) == {"name": "you"}

    def test_also_where_json_is_set_up_anew(self, app: Flask, client: Client) -> None:
        app.json.sort_keys = False  # type: ignore[attr-defined]
        client.run(put(cart={"z": 1, "a": 2}))
        app.json.sort_keys = True  # type: ignore[attr-defined]
        assert client.run(lambda: (session["cart"], session.modified)) == ({"z": 1, "a": 2}, False)

    @pytest.mark.parametrize("end", ["clear", "pop", "regenerate"])
    @pytest.mark.parametrize("late", ["set", "change", "delete", "regenerate", "refresh"])
    def test_what_has_ended_does_not_come_back(self, app: Flask, client: Client, end: str, late: str) -> None:
        client.run(lambda: session.update(user=["you"], _permanent=late == "refresh"))
        old = client.cookie
        ends: dict[str, View] = {
            "clear": clear,
            "pop": lambda: [session.pop(key) for key in list(session)],
            "regenerate": lambda: the_session().regenerate(),
        }
        lates: dict[str, View] = {
            "set": put(x=1),
            "change": lambda: session["user"].append("me"),
            "delete": lambda: session.pop("user"),
            "regenerate": lambda: the_session().regenerate(),
            "refresh": lambda: session["user"],
        }

        def slow() -> None:
            assert session["user"] == ["you"]
            lates[late]()
            client.run_beside(ends[end])

        client.run(slow)
        # It says nothing of the cookie: that may be another one meanwhile.
        assert client.set_cookies == []
        client.web.set_cookie("session", old or "")
        assert client.run(lambda: dict(session)) == {}
        assert count(app) == (1 if end == "regenerate" else 0)

    def test_the_last_value_taken_out_beside_a_new_one(self, client: Client) -> None:
        client.run(put(a=1))

        def slow() -> None:
            session.pop("a")
            client.run_beside(put(b=2))

        client.run(slow)
        assert client.run(lambda: dict(session)) == {"b": 2}


class TestIds:
    def test_one_that_the_store_does_not_know_is_not_taken_on(self, client: Client) -> None:
        chosen = "x" * 43
        client.web.set_cookie("session", chosen)
        assert client.run(lambda: the_session().new) is True
        assert client.set_cookies == []
        client.run(put(x=1))
        assert client.cookie != chosen

    @pytest.mark.parametrize("value", ["", "short", "x" * 44, "ä" * 43, "../" * 14 + "x", "x" * 43 + "\n"])
    def test_one_that_is_none(self, client: Client, value: str) -> None:
        client.run(put(x=1))
        client.web.set_cookie("session", value)
        assert client.run(lambda: dict(session)) == {}
        assert client.response.status_code == 200

    def test_regenerate(self, app: Flask, client: Client) -> None:
        client.run(put(x=1, y=1))
        old = client.cookie

        def login() -> None:
            the_session().regenerate()
            session["x"] = 2

        client.run(login)
        assert client.cookie not in (old, None)
        assert client.run(lambda: dict(session)) == {"x": 2, "y": 1}
        assert count(app) == 1
        client.web.set_cookie("session", old or "")
        assert client.run(lambda: dict(session)) == {}

    def test_clear_and_set_is_a_new_session(self, app: Flask, client: Client) -> None:
        client.run(put(x=1))
        old = client.cookie

        def login() -> None:
            session.clear()
            session["user"] = 7

        client.run(login)
        assert client.cookie not in (old, None)
        assert client.run(lambda: dict(session)) == {"user": 7}
        assert count(app) == 1

    def test_new(self, client: Client) -> None:
        assert client.run(lambda: (session.new, session.update(x=1))) == (True, None)
        assert client.run(lambda: (session.new, session.modified)) == (False, False)
