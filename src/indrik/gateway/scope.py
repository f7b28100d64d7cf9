"""Builds the ASGI scope: a prepared template for each listener, and what the request adds to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote

if TYPE_CHECKING:
    import cython
else:
    from indrik import uncompiled as cython

from indrik.engine.exchange import Exchange
from indrik.gateway.environ import EnvironBuilder, grown
from indrik.net.listeners import Listener
from indrik.protocol.fields import HOST
from indrik.protocol.request import Request

#: Versions of ASGI, and of its HTTP and WebSocket specifications.
_ASGI: dict[str, Any] = {"version": "3.0", "spec_version": "2.5"}

_WEBSOCKET_EXTENSIONS: dict[str, dict[str, Any]] = {"websocket.http.response": {}}


class ScopeBuilder:
    """Makes scopes for one worker.

    environs: knows what proxies may say of the client. state: what lifespan start-up has left, None without
    lifespan; each request gets a copy.
    """

    def __init__(self, environs: EnvironBuilder, root_path: str, state: dict[str, Any] | None) -> None:
        self._environs = environs
        self._root_path = root_path.rstrip("/")
        self._raw_root_path = _raw(self._root_path)
        self._state = state
        self._extensions: dict[str, dict[str, Any]] = {
            "http.response.early_hint": {},
            "http.response.pathsend": {},
            "http.response.zerocopysend": {},
            "http.response.trailers": {},
        }
        self._templates: dict[Listener, dict[str, Any]] = {}

    def _template(self, listener: Listener) -> dict[str, Any]:
        address = listener.address
        template: dict[str, Any] = {
            "type": "http",
            "asgi": _ASGI,
            "http_version": "1.1",
            "server": (address, None) if isinstance(address, str) else (address[0], address[1]),
            "client": None,
            "scheme": listener.scheme,
            "method": "GET",
            "root_path": self._root_path,
            "path": "/",
            "raw_path": b"/",
            "query_string": b"",
            "headers": [],
            "extensions": {},
            "state": {},
        }
        if self._state is None:
            del template["state"]
        template = grown(template)
        self._templates[listener] = template
        return template

    def build(self, exchange: Exchange) -> dict:
        """The scope of `exchange`. Raises what `EnvironBuilder.build` raises."""
        request: Request = exchange.request
        template: dict | None = self._templates.get(exchange.channel.listener)
        if template is None:
            template = self._template(exchange.channel.listener)
        scope: dict = template.copy()
        scope["asgi"] = _ASGI.copy()
        path: str = request.path
        names: list = request.names
        values: list = request.values
        headers: list = []
        record: tuple
        value: str
        index: cython.Py_ssize_t

        scope["method"] = request.method
        raw: bytes = path.encode("ascii")
        if "%" in path:
            path = unquote(path)
        if self._root_path:
            path = self._root_path + path
            raw = self._raw_root_path + raw
        scope["path"] = path
        scope["raw_path"] = raw
        if request.query:
            scope["query_string"] = request.query.encode("ascii")
        if request.minor_version == 0:
            scope["http_version"] = "1.0"
        scope["client"] = exchange.channel.peer
        for index in range(len(names)):
            record = names[index]
            value = values[index]
            headers.append((record[2], value.encode("latin-1")))
        scope["headers"] = headers
        scope["extensions"] = self._extensions.copy()
        if self._state is not None:
            scope["state"] = self._state.copy()
        if request.is_trusted and (request.has_scheme or self._environs.forwards):
            self._apply_proxies(scope, exchange)
        return scope

    def build_websocket(self, exchange: Exchange, subprotocols: list[str]) -> dict:
        """The scope of `exchange`, which asks for a WebSocket. Raises as `build`."""
        scope: dict = self.build(exchange)
        scope["type"] = "websocket"
        scope["scheme"] = "wss" if scope["scheme"] == "https" else "ws"
        scope["subprotocols"] = subprotocols
        scope["extensions"] = _WEBSOCKET_EXTENSIONS.copy()
        del scope["method"]
        return scope

    def _apply_proxies(self, scope: dict[str, Any], exchange: Exchange) -> None:
        """What a trusted proxy says of its client: the WSGI environ knows all the rules."""
        environ = self._environs.build(exchange)
        scope["scheme"] = environ["wsgi.url_scheme"]
        if not self._environs.forwards:
            return
        client = environ["REMOTE_ADDR"]
        if client and self._environs.finds_ports:
            scope["client"] = (client, int(environ.get("REMOTE_PORT") or 0))
        elif client and (exchange.channel.peer is None or client != exchange.channel.peer[0]):
            # A forwarded address comes without its port.
            scope["client"] = (client, 0)
        host = environ.get("HTTP_HOST")
        if host is not None:
            octets = host.encode("latin-1")
            for index, record in enumerate(exchange.request.names):
                if record[3] == HOST:
                    scope["headers"][index] = (record[2], octets)
        prefix = environ["SCRIPT_NAME"]
        if prefix and prefix != scope["root_path"]:
            scope["root_path"] = prefix
            scope["path"] = prefix + unquote(exchange.request.path)
            scope["raw_path"] = _raw(prefix) + exchange.request.path.encode("ascii")


def _raw(path: str) -> bytes:
    """`path`, which is not encoded, as a client would have sent it."""
    return quote(path, safe="/:@!$&'()*+,;=~").encode("ascii")
