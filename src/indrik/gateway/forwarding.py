"""Puts what proxies say of the client into the WSGI environ: counted ones as Werkzeug's ProxyFix does,
trusted ones as uvicorn does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from indrik.protocol.forwarded import Hops, client_behind_trusted, find_origin
from indrik.protocol.request import Request

#: Where ProxyFix keeps what it has replaced, and what that is.
ORIGINALS = "werkzeug.proxy_fix.orig"
_REPLACED = ("REMOTE_ADDR", "wsgi.url_scheme", "HTTP_HOST", "SERVER_NAME", "SERVER_PORT", "SCRIPT_NAME")


#: X-Forwarded-Proto -> the scheme in WSGI. Some proxies write what the client's request becomes.
_SCHEMES = {"http": "http", "https": "https", "ws": "http", "wss": "https"}


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


class ProxyHeaders:
    """The setting `proxy_headers` at work: X-Forwarded-For and X-Forwarded-Proto as uvicorn reads them.

    trusts: whether an address is one of the trusted proxies; None for everyone.
    """

    def __init__(self, trusts: Callable[[str], bool] | None) -> None:
        self._trusts = trusts

    def apply(self, environ: dict[str, Any], request: Request) -> None:
        """Rewrites the environ of a request from a trusted peer."""
        scheme = None
        clients = []
        for record, value in zip(request.names, request.values, strict=True):
            if record[0] == "X-FORWARDED-PROTO":
                scheme = _SCHEMES.get(value.strip(), scheme)
            elif record[0] == "X-FORWARDED-FOR":
                clients.append(value)
        if scheme is not None:
            environ["wsgi.url_scheme"] = scheme
        if clients:
            address, port = client_behind_trusted(",".join(clients), self._trusts)
            if address:
                environ["REMOTE_ADDR"] = address
                environ["REMOTE_PORT"] = str(port)


def _split_port(host: str) -> tuple[str, str | None]:
    """Name and port of `host`; None for no port. An IPv6 address without one ends in a bracket."""
    name, colon, port = host.rpartition(":")
    return (name, port) if colon and not host.endswith("]") else (host, None)
