"""Puts what counted proxies say of the client into the WSGI environ, as Werkzeug's ProxyFix does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from indrik.protocol.forwarded import Hops, find_origin

#: Where ProxyFix keeps what it has replaced, and what that is.
ORIGINALS = "werkzeug.proxy_fix.orig"
_REPLACED = ("REMOTE_ADDR", "wsgi.url_scheme", "HTTP_HOST", "SERVER_NAME", "SERVER_PORT", "SCRIPT_NAME")


class Forwarding:
    """The setting `forwarded` at work: `rules` is its value."""

    def __init__(self, rules: Mapping[str, Any]) -> None:
        self._hops = Hops(
            client=rules.get("for", 0),
            scheme=rules.get("proto", 0),
            host=rules.get("host", 0),
            port=rules.get("port", 0),
            prefix=rules.get("prefix", 0),
            uses_forwarded=rules.get("field") == "Forwarded",
        )

    def apply(self, environ: dict[str, Any]) -> None:
        """Rewrites the environ of a request from a trusted peer. Doing it again, here or in ProxyFix, changes
        nothing more.

        Raises `InvalidForwarded`.
        """
        get = environ.get
        origin = find_origin(
            self._hops,
            get("HTTP_FORWARDED"),
            get("HTTP_X_FORWARDED_FOR"),
            get("HTTP_X_FORWARDED_PROTO"),
            get("HTTP_X_FORWARDED_HOST"),
            get("HTTP_X_FORWARDED_PORT"),
            get("HTTP_X_FORWARDED_PREFIX"),
        )
        environ[ORIGINALS] = {key: get(key) for key in _REPLACED}
        if origin.client:
            environ["REMOTE_ADDR"] = origin.client
        if origin.scheme:
            environ["wsgi.url_scheme"] = origin.scheme
        if origin.host:
            name, port = _split_port(origin.host)
            environ["HTTP_HOST"] = origin.host
            environ["SERVER_NAME"] = name
            if port is not None:
                environ["SERVER_PORT"] = port
        if origin.port:
            host = get("HTTP_HOST")
            if host:
                environ["HTTP_HOST"] = f"{_split_port(host)[0]}:{origin.port}"
            environ["SERVER_PORT"] = origin.port
        if origin.prefix:
            environ["SCRIPT_NAME"] = origin.prefix


def _split_port(host: str) -> tuple[str, str | None]:
    """Name and port of `host`; None for no port. An IPv6 address without one ends in a bracket."""
    name, colon, port = host.rpartition(":")
    return (name, port) if colon and not host.endswith("]") else (host, None)
