"""Which key of the setting `routes` a request falls under, found before the application is called.

Werkzeug's own matcher decides: with the rules of the Flask application itself, or for another WSGI
application with rules made of the keys. Werkzeug and Flask are used by their public interface only.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Collection, Iterable
from typing import Any

from indrik.config.nearest import did_you_mean
from indrik.errors import ConfigError
from indrik.gateway.flask_app import find_flask
from indrik.protocol.request import Request


def find_rules(application: Any, keys: Collection[str], log: Any) -> FlaskRules | PlainRules:
    """What matches requests of `application` with `keys`. Raises `ConfigError` for a key that is none."""
    flask = find_flask(application)
    return PlainRules(keys) if flask is None else FlaskRules(flask, keys, log)


class FlaskRules:
    """The rules of a Flask application. `keys`: some of them, by rule or by endpoint; the rule goes first.

    Flask itself says how it would match a request (`create_url_adapter`, a method that applications
    override), so hosts, subdomains and converters of the application's own mean what they always do. What a
    converter raises is logged once, and such a request has no limit.
    """

    def __init__(self, flask: Any, keys: Collection[str], log: Any) -> None:
        rules = list(flask.url_map.iter_rules())
        known = {rule.rule for rule in rules} | {rule.endpoint for rule in rules}
        _check(keys, known, "is neither a rule nor an endpoint of the Flask application")
        self._flask = flask
        self._keys = frozenset(keys)
        self._log = log
        self._has_complained = False
        self._no_match: type[Exception] = sys.modules["werkzeug.exceptions"].HTTPException

    def find(self, environ: dict[str, Any]) -> tuple[str, str] | None:
        """The key that the request falls under and the rule that it matches; None for no key."""
        try:
            adapter = self._flask.create_url_adapter(self._flask.request_class(environ))
            rule, _ = adapter.match(return_rule=True)
        except self._no_match:
            # Flask will say it to the client: not found, another method, a redirect to the canonical URL.
            return None
        except Exception:
            if not self._has_complained:
                self._has_complained = True
                self._log.exception(
                    "The rule of %r cannot be found without an application context, so routes does not limit "
                    "it; this is said once",
                    environ.get("PATH_INFO"),
                )
            return None
        for key in (rule.rule, rule.endpoint):
            if key in self._keys:
                return key, rule.rule
        return None


class PlainRules:
    """Rules for an application that is not Flask's: `keys` in Werkzeug's syntax, for any host and method."""

    def __init__(self, keys: Collection[str]) -> None:
        for key in keys:
            if not key.startswith("/"):
                raise ConfigError(
                    f"routes: {key!r} must begin with /, for only a Flask application has endpoints, and "
                    "this is none (a middleware belongs around app.wsgi_app, not around app)"
                )
        try:
            routing = importlib.import_module("werkzeug.routing")
        except ImportError as error:
            raise ConfigError(
                "routes needs Werkzeug for the rules of an application that is not Flask's; install it with: "
                "pip install 'indrik[routes]'"
            ) from error
        try:
            self._map = routing.Map(
                [routing.Rule(key, endpoint=key) for key in keys],
                strict_slashes=False,
                merge_slashes=False,
                redirect_defaults=False,
            )
            self._map.update()
        except (LookupError, ValueError) as error:
            raise ConfigError(f"routes: a key is no rule in Werkzeug's syntax: {error}") from error
        self._no_match: type[Exception] = importlib.import_module("werkzeug.exceptions").HTTPException

    def find(self, environ: dict[str, Any]) -> tuple[str, str] | None:
        """The key that the request falls under, which is the rule that it matches; None for none."""
        try:
            endpoint, _ = self._map.bind_to_environ(environ).match()
        except self._no_match:
            return None
        return endpoint, endpoint

    def prepare(self, request: Request, environ: dict[str, Any]) -> None:
        """Says in the environ what was found, as Flask's own rules do when Flask has matched."""
        route = getattr(request, "route", None)
        if route is not None:
            environ["indrik.route"] = route


def _check(keys: Iterable[str], known: Collection[str], what: str) -> None:
    for key in keys:
        if key not in known:
            raise ConfigError(f"routes: {key!r} {what}{did_you_mean(key, known)}")
