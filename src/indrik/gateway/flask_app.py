"""What the configuration of a Flask application asks of the server, and which rule each request matches.

Flask is imported by the application or not at all: it is known here by its name, and used by its public
interface only.
"""

from __future__ import annotations

import sys
from typing import Any

from indrik.protocol.refusals import UntrustedHost
from indrik.protocol.request import Request
from indrik.scoreboard.slot import Slot

#: What a request that no rule matches has as its route: one label for all, so that they cannot be told apart.
UNMATCHED = "<unmatched>"

#: By one of these a proxy shows itself.
_PROXIED = ("HTTP_X_FORWARDED_FOR", "HTTP_FORWARDED")
#: And by one of these, if not by a field of `secure_scheme_headers`, it has told the scheme.
_SCHEME_TOLD = ("HTTP_X_FORWARDED_PROTO", "HTTP_X_FORWARDED_PROTOCOL", "HTTP_X_FORWARDED_SSL")


def find_flask(application: Any) -> Any:
    """The Flask application that `application` is, or that Werkzeug's debugger in front of it holds; None if
    it is none. What any other middleware makes of a request is not known here.
    """
    if _is_a(application, "werkzeug.debug", "DebuggedApplication"):
        application = application.app
    return application if _is_a(application, "flask.app", "Flask") else None


def _is_a(thing: Any, module: str, name: str) -> bool:
    return any(base.__module__ == module and base.__name__ == name for base in type(thing).__mro__)


class FlaskFramework:
    """The part of one Flask application's configuration that the server enforces.

    body_limit: MAX_CONTENT_LENGTH in bytes, 0 without one. slot: of the worker; it is told the rules.
    """

    def __init__(self, flask: Any, log: Any, sends_files: bool, slot: Slot) -> None:
        config = flask.config
        self.body_limit: int = config.get("MAX_CONTENT_LENGTH") or 0
        hosts = config.get("TRUSTED_HOSTS")
        # A middleware around the application may change the host (ProxyFix does): then Flask judges it.
        judges = bool(hosts) and is_own_wsgi_app(flask, flask.wsgi_app)
        self._trusted_hosts: list[str] | None = list(hosts) if judges else None
        self._scheme: str = config.get("PREFERRED_URL_SCHEME") or "http"
        self._get_host: Any = None
        if self._trusted_hosts is not None:
            self._get_host = sys.modules["werkzeug"].sansio.utils.get_host
            self._security_error = sys.modules["werkzeug.exceptions"].SecurityError
        if config.get("USE_X_SENDFILE") and not sends_files:
            log.warning(
                "Flask's USE_X_SENDFILE is on, but x_sendfile_roots names no directory: downloads are empty "
                "unless a proxy in front reads X-Sendfile"
            )
        self._note_routes(flask, slot)

    def _note_routes(self, flask: Any, slot: Slot) -> None:
        """From now on each request's rule is in its environ and on the scoreboard."""
        flask_module = sys.modules["flask"]
        request = flask_module.request

        def note(sender: Any, **extra: Any) -> None:
            rule = request.url_rule
            route = UNMATCHED if rule is None else rule.rule
            request.environ["indrik.route"] = route
            slot.note_route(route)

        # Not by weak reference: nothing else holds it.
        flask_module.request_started.connect(note, sender=flask, weak=False)

    def prepare(self, request: Request, environ: dict[str, Any]) -> None:
        """Applies the configuration to one environ. Raises `UntrustedHost`."""
        environ["indrik.route"] = UNMATCHED
        if (
            self._scheme == "https"
            and request.is_trusted
            and environ["wsgi.url_scheme"] == "http"
            and not request.has_scheme
            and any(name in environ for name in _PROXIED)
            and not any(name in environ for name in _SCHEME_TOLD)
            and "proto=" not in environ.get("HTTP_FORWARDED", "").lower()
        ):
            # A proxy that says nothing of the scheme. Never for a client of our own: what it sent was plain.
            environ["wsgi.url_scheme"] = "https"
        if self._trusted_hosts is not None:
            server = (environ["SERVER_NAME"], int(environ["SERVER_PORT"]))
            scheme, host = environ["wsgi.url_scheme"], environ.get("HTTP_HOST")
            try:
                self._get_host(scheme, host, server, self._trusted_hosts)
            except self._security_error:
                raise UntrustedHost(f"host {host or server[0]!r} is not in Flask's TRUSTED_HOSTS") from None


def is_own_wsgi_app(flask: Any, application: Any) -> bool:
    """Whether `application` is the method `wsgi_app` of `flask` itself, and not a middleware."""
    method = getattr(application, "__func__", None)
    return method is not None and method is getattr(type(flask), "wsgi_app", None)
