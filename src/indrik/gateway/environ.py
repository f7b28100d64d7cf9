"""Builds the WSGI environ: a prepared template for each listener, and what the request adds to it."""

from __future__ import annotations

import io
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_to_bytes

if TYPE_CHECKING:
    import cython
else:
    from indrik import uncompiled as cython

from indrik.engine.body import NO_BODY
from indrik.engine.exchange import Exchange
from indrik.errors import ConfigError
from indrik.gateway.file_wrapper import FileWrapper
from indrik.net.listeners import Listener
from indrik.protocol.fields import FieldName, mark_scheme
from indrik.protocol.framing import CHUNKED
from indrik.protocol.refusals import InvalidScheme
from indrik.protocol.request import Request

if TYPE_CHECKING:
    from indrik.gateway.forwarding import ProxyHeaders
    from indrik.protocol.proxy_header import ProxyHeader


@dataclass(frozen=True, eq=False)
class EnvironSettings:
    """What the environ says besides the request.

    script_name: the default SCRIPT_NAME. secure_scheme_headers: upper-case field name to the value that
    means https. forwarded: the setting of that name. proxy_headers: None unless the setting is on.
    """

    software: str
    errors: io.TextIOBase
    multithread: bool
    multiprocess: bool
    script_name: str = ""
    secure_scheme_headers: dict[str, str] = field(default_factory=dict)
    forwarded: Mapping[str, Any] | None = None
    proxy_headers: ProxyHeaders | None = None


class EnvironBuilder:
    """Makes environs for one worker. forwards: whether proxies may name the client;
    finds_ports: and REMOTE_PORT is that client's, 0 if unknown."""

    def __init__(self, settings: EnvironSettings) -> None:
        self._settings = settings
        self._templates: dict[Listener, dict[str, Any]] = {}
        self._schemes = [
            ("HTTP_" + name.upper().replace("-", "_"), value)
            for name, value in settings.secure_scheme_headers.items()
        ]
        for name in settings.secure_scheme_headers:
            mark_scheme(name)
        self._script_name = settings.script_name
        self.forwards = settings.forwarded is not None or settings.proxy_headers is not None
        self._proxy_headers = settings.proxy_headers
        self.finds_ports = settings.proxy_headers is not None
        self._forwarding = None
        if settings.forwarded is not None:
            # Late: most servers do without.
            from indrik.gateway.forwarding import Forwarding

            self._forwarding = Forwarding(settings.forwarded)

    def _template(self, listener: Listener) -> dict[str, Any]:
        settings = self._settings
        template: dict[str, Any] = {
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": listener.scheme,
            "wsgi.errors": settings.errors,
            "wsgi.multithread": settings.multithread,
            "wsgi.multiprocess": settings.multiprocess,
            "wsgi.run_once": False,
            "wsgi.file_wrapper": FileWrapper,
            # The body is complete before the application is called, so reading to the end is safe.
            "wsgi.input_terminated": True,
            "SERVER_SOFTWARE": settings.software,
            "SCRIPT_NAME": "",
            "REMOTE_ADDR": "",
            # What is set anew: a copy of a dictionary that has the keys has the room for them too.
            "wsgi.early_hints": None,
            "RAW_URI": "",
            "PATH_INFO": "",
            "wsgi.input": NO_BODY,
            "indrik.disconnected": None,
            "gunicorn.socket": None,
            # And what most requests have.
            "REQUEST_METHOD": "GET",
            "QUERY_STRING": "",
            "SERVER_PROTOCOL": "HTTP/1.1",
        }
        if not isinstance(listener.address, str):
            template["SERVER_NAME"] = listener.address[0]
            template["SERVER_PORT"] = str(listener.address[1])
            template["REMOTE_PORT"] = ""
        template = grown(template)
        self._templates[listener] = template
        return template

    def build(self, exchange: Exchange) -> dict:
        """The environ of `exchange`.

        Raises `InvalidScheme` when a trusted proxy contradicts itself, `InvalidForwarded` when it cannot be
        understood, `ConfigError` when the path does not begin with the configured SCRIPT_NAME.
        """
        request: Request = exchange.request
        listener = exchange.channel.listener
        template: dict | None = self._templates.get(listener)
        if template is None:
            template = self._template(listener)
        environ: dict = template.copy()
        path: str = request.path
        names: list = request.names
        values: list = request.values
        record: tuple
        index: cython.Py_ssize_t
        count: cython.Py_ssize_t = len(names)
        expected: cython.Py_ssize_t

        if "%" in path:
            path = unquote_to_bytes(path).decode("latin-1")
        environ["RAW_URI"] = request.uri
        environ["PATH_INFO"] = path
        if request.method != "GET":
            environ["REQUEST_METHOD"] = request.method
        if request.query:
            environ["QUERY_STRING"] = request.query
        if request.minor_version == 0:
            environ["SERVER_PROTOCOL"] = "HTTP/1.0"
        peer: tuple | None = exchange.channel.peer
        if peer is not None:
            environ["REMOTE_ADDR"] = peer[0]
            environ["REMOTE_PORT"] = exchange.channel.peer_port
        announced = exchange.channel.proxy_header
        if announced is not None:
            self._set_proxy(environ, announced)
        if request.content_length != 0:
            environ["wsgi.input"] = exchange.open_body()

        expected = len(environ) + count
        for index in range(count):
            record = names[index]
            environ[record[1]] = values[index]
        if len(environ) != expected:
            self._join_repeated(environ, names, values)
        if request.content_length == CHUNKED:
            self._set_length(environ)
        if self._script_name or request.has_underscore:
            self._split_path(environ, path, request)
        if request.has_scheme and request.is_trusted:
            self._set_scheme(environ)
        if peer is None or announced is not None:
            self._set_server(environ)
        if self._forwarding is not None and request.is_trusted:
            self._forwarding.apply(environ)
        if self._proxy_headers is not None and request.is_trusted:
            self._proxy_headers.apply(environ, request)
        return environ

    def _set_proxy(self, environ: dict[str, Any], header: ProxyHeader) -> None:
        """The proxy's own words, under Gunicorn's names; the client is in REMOTE_ADDR already."""
        environ["PROXY_PROTOCOL"] = header.protocol
        if header.destination is not None:
            environ["PROXY_ADDR"], port = header.destination
            environ["PROXY_PORT"] = str(port)

    def _join_repeated(self, environ: dict[str, Any], names: list[FieldName], values: list[str]) -> None:
        """A field sent more than once is one list (RFC 9110 section 5.3); Cookie joins with "; " (RFC 6265
        section 5.4).
        """
        joined: dict[str, str] = {}
        for record, value in zip(names, values, strict=True):
            key = record[1]
            known = joined.get(key)
            if known is None:
                joined[key] = value
            else:
                joined[key] = known + ("; " if key == "HTTP_COOKIE" else ",") + value
        environ.update(joined)

    def _set_length(self, environ: dict[str, Any]) -> None:
        """A chunked body is whole here, so it has a length like any other (RFC 9112 section 7.1.3)."""
        body = environ["wsgi.input"]
        if not hasattr(body, "seek"):
            # It is still on its way, for an interface that streams.
            return
        environ["CONTENT_LENGTH"] = str(body.seek(0, os.SEEK_END))
        body.seek(0)
        del environ["HTTP_TRANSFER_ENCODING"]

    def _split_path(self, environ: dict[str, Any], path: str, request: Request) -> None:
        """Divides the path between SCRIPT_NAME and PATH_INFO, at the end of a segment."""
        script_name: str = self._script_name
        # Spelled with an underscore, the parser lets it through for proxies that may send it, and where
        # underscores are mapped for everybody; with a dash it is a field like any other.
        if request.is_trusted and any(record[0] == "SCRIPT_NAME" for record in request.names):
            script_name = environ.pop("HTTP_SCRIPT_NAME")
        if not script_name:
            return
        if path != script_name and not path.startswith(script_name.rstrip("/") + "/"):
            raise ConfigError(f"the request path {path!r} is not below SCRIPT_NAME {script_name!r}")
        environ["SCRIPT_NAME"] = script_name
        environ["PATH_INFO"] = path[len(script_name) :]

    def _set_scheme(self, environ: dict) -> None:
        """What a trusted proxy says of its client's scheme goes before the listener's own."""
        says_secure: cython.bint = False
        says_plain: cython.bint = False
        rule: tuple
        for rule in self._schemes:
            value = environ.get(rule[0])
            if value is not None:
                if value == rule[1]:
                    says_secure = True
                else:
                    says_plain = True
        if says_secure and says_plain:
            raise InvalidScheme("the proxy's scheme header fields contradict one another")
        if says_secure:
            environ["wsgi.url_scheme"] = "https"
        elif says_plain:
            environ["wsgi.url_scheme"] = "http"

    def _set_server(self, environ: dict[str, Any]) -> None:
        """A unix socket has no name and port; the client's Host is the best that is known."""
        if "SERVER_NAME" in environ:
            return
        host: str = environ.get("HTTP_HOST", "")
        name, colon, port = host.rpartition(":")
        if not colon or "]" in port:
            name, port = host, ""
        environ["SERVER_NAME"] = name or "localhost"
        environ["SERVER_PORT"] = port or ("443" if environ["wsgi.url_scheme"] == "https" else "80")


def grown(template: dict[str, Any]) -> dict[str, Any]:
    """A copy of `template` that was filled key by key.

    Compiled, a dictionary that is written down has its room made at once, and CPython then takes it for one
    whose keys may be anything: slower to search and half as large again. One that grows is not, and a copy is
    what its original was.
    """
    filled: dict[str, Any] = {}
    for key, value in template.items():
        filled[key] = value
    return filled


def default_script_name() -> str:
    """SCRIPT_NAME of the process's environment, as WSGI servers take it from there."""
    return os.environ.get("SCRIPT_NAME", "")
