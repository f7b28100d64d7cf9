"""Which key of `routes` a request falls under."""

from __future__ import annotations

import logging
import sys
from typing import Any

import pytest
from flask import Blueprint, Flask, current_app
from werkzeug.debug import DebuggedApplication
from werkzeug.routing import BaseConverter
from werkzeug.test import create_environ

from indrik.errors import ConfigError
from indrik.gateway.route_rules import FlaskRules, PlainRules, find_rules

LOG = logging.getLogger("test")


class Contextual(BaseConverter):
    """Needs what exists only inside of Flask."""

    def to_python(self, value: str) -> str:
        return f"{current_app.name} {value}"


def make_app() -> Flask:
    app = Flask(__name__)
    app.url_map.converters["contextual"] = Contextual
    auth = Blueprint("auth", __name__)
    app.add_url_rule("/notes/<int:number>", "note", lambda number: "")
    app.add_url_rule("/tree/", "tree", lambda: "")
    app.add_url_rule("/posted", "posted", lambda: "", methods=["POST"])
    app.add_url_rule("/context/<contextual:name>", "context", lambda name: "")
    auth.add_url_rule("/login", "login", str)
    auth.add_url_rule("/sign-in", "login", str)
    app.register_blueprint(auth)
    return app


def find(rules: FlaskRules | PlainRules, path: str, method: str = "GET", **more: Any) -> str | None:
    """The key."""
    found = rules.find(create_environ(path, method=method, **more))
    return None if found is None else found[0]


class TestFlask:
    def test_by_rule_and_by_endpoint(self) -> None:
        rules = find_rules(make_app(), ["/notes/<int:number>", "auth.login", "tree", "posted"], LOG)
        assert find(rules, "/notes/7") == "/notes/<int:number>"
        assert find(rules, "/login") == find(rules, "/sign-in") == "auth.login"
        assert find(rules, "/tree/") == "tree"
        assert rules.find(create_environ("/sign-in")) == ("auth.login", "/sign-in")
        assert find(rules, "/posted", "POST") == "posted"
        assert find(rules, "/notes/7", base_url="http://other/prefix") == "/notes/<int:number>"

    def test_what_flask_will_not_call(self) -> None:
        rules = find_rules(make_app(), ["/notes/<int:number>", "tree", "posted"], LOG)
        for path in ("/notes/word", "/nowhere", "/tree", "/posted", "/login"):
            assert find(rules, path) is None

    def test_the_rule_goes_first(self) -> None:
        rules = find_rules(make_app(), ["/login", "auth.login"], LOG)
        assert find(rules, "/login") == "/login"
        assert find(rules, "/sign-in") == "auth.login"

    def test_behind_the_debugger(self) -> None:
        assert isinstance(find_rules(DebuggedApplication(make_app()), ["auth.login"], LOG), FlaskRules)

    def test_an_unknown_key(self) -> None:
        with pytest.raises(ConfigError, match=r"'/logni' is neither a rule .* \(did you mean '/login'\?\)"):
            find_rules(make_app(), ["/logni"], LOG)

    def test_a_converter_that_needs_a_context(self, caplog: pytest.LogCaptureFixture) -> None:
        rules = find_rules(make_app(), ["context"], LOG)
        assert find(rules, "/context/x") is None
        assert find(rules, "/context/y") is None
        assert [record.getMessage()[:36] for record in caplog.records] == [
            "The rule of '/context/x' cannot be f"
        ]


class TestPlain:
    @staticmethod
    def app(environ: Any, start_response: Any) -> list[bytes]:
        raise NotImplementedError

    def test_by_rule(self) -> None:
        rules = find_rules(self.app, ["/notes/<int:number>", "/files/<path:name>"], LOG)
        assert isinstance(rules, PlainRules)
        for method in ("GET", "POST", "STRANGE"):
            assert find(rules, "/notes/7", method) == "/notes/<int:number>"
        assert find(rules, "/files/a/b") == "/files/<path:name>"
        assert find(rules, "/notes/word") is None
        assert find(rules, "/nowhere") is None

    @pytest.mark.parametrize(
        ("key", "said"),
        [("login", "must begin with /"), ("/<", "Werkzeug's syntax"), ("/<odd:x>", "Werkzeug's syntax")],
    )
    def test_refused(self, key: str, said: str) -> None:
        with pytest.raises(ConfigError, match=said):
            find_rules(self.app, [key], LOG)

    def test_without_werkzeug(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "werkzeug.routing", None)
        with pytest.raises(ConfigError, match=r"pip install 'indrik\[routes\]'"):
            find_rules(self.app, ["/"], LOG)
