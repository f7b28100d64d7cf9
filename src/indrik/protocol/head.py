"""Parses a request head (RFC 9112 sections 2 to 5): one pass, strict, every deviation a refusal.

`HeadParser.parse` is the hottest code of the house together with the gateways. It decodes the head once and cuts it
by index, so that one source is quick both compiled and uncompiled.
"""

from __future__ import annotations

import re

import cython

from indrik.protocol.fields import (
    CONNECTION,
    CONTENT_LENGTH,
    CONTENT_TYPE,
    EXPECT,
    HOST,
    ORDINARY,
    TRANSFER_ENCODING,
    UNDERSCORE,
    FieldName,
    field_name,
    known_spellings,
)
from indrik.protocol.framing import body_length, keeps_alive, wants_continue
from indrik.protocol.limits import Limits
from indrik.protocol.octets import first_forbidden, is_token
from indrik.protocol.refusals import (
    ContentTooLarge,
    FieldsTooLarge,
    InvalidField,
    InvalidHost,
    InvalidMethod,
    InvalidRequestLine,
    InvalidTarget,
    TargetTooLong,
    UnsupportedVersion,
)
from indrik.protocol.request import Request

_COMMON_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "CONNECT"})

#: uri-host [ ":" port ] of RFC 9110 section 7.2; empty is allowed for a target without an authority.
_HOST = re.compile(
    r"(?:\[(?:[0-9A-Fa-f:.]+|v[0-9A-Fa-f]+\.[A-Za-z0-9\-._~!$&'()*+,;=:]+)\]|[A-Za-z0-9\-._~!$&'()*+,;=%]*)(?::[0-9]{0,5})?"
)
_VERSION = re.compile(r"HTTP/([0-9])\.([0-9])")
_ABSOLUTE = re.compile(r"([A-Za-z][A-Za-z0-9+\-.]*)://([^/?#]*)")

#: Validated Host values kept: a site has few names, a stranger many.
_HOSTS_KEPT = 256


class HeadParser:
    """Parses heads under one set of limits. Holds no state of a connection, so one serves all of a worker's."""

    def __init__(self, limits: Limits) -> None:
        self._line_limit = limits.line
        self._fields_limit = limits.fields
        self._field_size_limit = limits.field_size
        self._body_limit = limits.body
        self._header_map = limits.header_map
        self._forwarder_names = limits.forwarder_names
        self._folding = limits.permit_obsolete_folding
        self._space_before_colon = limits.permit_space_before_colon
        self._any_method = limits.permit_unconventional_method
        self._any_version = limits.permit_unconventional_version
        self._casefold = limits.casefold_method
        self._common_methods = _COMMON_METHODS
        self._spellings = known_spellings()
        self._hosts: set[str] = set()
        self.head_limit = limits.head

    def check_incomplete(self, data: bytes) -> None:
        """Refuses what cannot become a valid head any more, while its end has not arrived yet.

        Raises `TargetTooLong`, `FieldsTooLarge` or `InvalidRequestLine`.
        """
        line = data.find(b"\r\n")
        if (line if line >= 0 else len(data)) > self._line_limit:
            raise TargetTooLong("the request line is too long")
        if len(data) > self.head_limit:
            raise FieldsTooLarge("the request head is too large")
        # The last octet may be a CR whose LF is still under way.
        end = len(data) - 1 if data.endswith(b"\r") else len(data)
        forbidden = first_forbidden(data + b"\r\n", 0, end)
        if forbidden >= 0:
            raise InvalidRequestLine(f"octet {data[forbidden : forbidden + 1]!r} in the request head")

    def parse(self, data: bytes, start: cython.Py_ssize_t, end: cython.Py_ssize_t, is_trusted: cython.bint) -> Request:
        """The request whose head is `data[start:end]`, with the empty line that ends it.

        `is_trusted` says that the peer is a proxy in `forwarded_allow_ips`. Raises a `RequestRefused`.
        """
        size: cython.Py_ssize_t
        eol: cython.Py_ssize_t
        at: cython.Py_ssize_t
        colon: cython.Py_ssize_t
        last: cython.Py_ssize_t
        meaning: cython.int
        hosts: cython.int = 0
        types: cython.int = 0
        dropped: cython.int = 0
        text: str
        name: str
        value: str
        record: tuple[str, str, bytes, int] | None
        names: list[FieldName] = []
        values: list[str] = []
        special: cython.bint = False

        size = end - start
        if size > self.head_limit:
            raise FieldsTooLarge("the request head is too large")
        bad: cython.Py_ssize_t = first_forbidden(data, start, end)
        if bad >= 0:
            raise InvalidRequestLine(f"octet {data[bad : bad + 1]!r} in the request head")
        text = data[start:end].decode("latin-1")

        eol = text.find("\r")
        request = Request()
        self._request_line(request, text[:eol])
        request.is_trusted = is_trusted

        at = eol + 2
        while True:
            eol = text.find("\r", at)
            if eol == at:
                break
            if eol - at + 2 > self._field_size_limit:
                raise FieldsTooLarge("a header field is too large")
            colon = text.find(":", at, eol)
            if colon <= at or text[at] == " " or text[at] == "\t":
                self._fold(text[at:eol], values)
                at = eol + 2
                continue
            name = text[at:colon]
            record = self._spellings.get(name)
            if record is None:
                record = self._name(name)
            at = colon + 1
            if text[at] == " ":
                at += 1
            last = eol
            while at < last and (text[at] == " " or text[at] == "\t"):
                at += 1
            while last > at and (text[last - 1] == " " or text[last - 1] == "\t"):
                last -= 1
            value = text[at:last]
            at = eol + 2

            meaning = record[3]
            if meaning != ORDINARY:
                if meaning == HOST:
                    hosts += 1
                    request.host = value
                elif meaning == UNDERSCORE:
                    if not self._maps_underscore(record[0], is_trusted):
                        dropped += 1
                        continue
                elif meaning == CONTENT_TYPE:
                    types += 1
                else:
                    special = True
            names.append(record)
            values.append(value)
        if len(names) + dropped > self._fields_limit:
            raise FieldsTooLarge("too many header fields")

        request.names = names
        request.values = values
        if types > 1:
            raise InvalidField("Content-Type was sent more than once")
        if hosts != 1 and (hosts or request.minor_version >= 1):
            raise InvalidHost("Host was sent more than once" if hosts else "Host is missing")
        if hosts and request.host not in self._hosts:
            self._check_host(request.host)
        if request.uri[0] != "/" and request.uri != "*":
            self._authority(request)
        if special:
            self._frame(request)
        else:
            request.content_length = 0
            request.keep_alive = request.minor_version >= 1
            request.expects_continue = False
        if request.method == "CONNECT":
            request.keep_alive = False
        return request

    def _request_line(self, request: Request, line: str) -> None:
        if len(line) > self._line_limit:
            raise TargetTooLong("the request line is too long")
        space: cython.Py_ssize_t = line.find(" ")
        last: cython.Py_ssize_t = line.rfind(" ")
        if space <= 0 or last == space:
            raise InvalidRequestLine(f"{line[:120]!r} is not METHOD SP target SP version")
        method: str = line[:space]
        uri: str = line[space + 1 : last]
        version: str = line[last + 1 :]
        if version == "HTTP/1.1":
            request.minor_version = 1
        elif version == "HTTP/1.0":
            request.minor_version = 0
        else:
            request.minor_version = self._version(version)
        if method not in self._common_methods:
            method = self._method(method)
        if not uri.isascii() or " " in uri or "\t" in uri or "#" in uri or not uri:
            raise InvalidTarget(f"request target {uri[:120]!r}")
        request.line = line
        request.method = method
        request.uri = uri
        request.host = ""
        path: str = uri
        if uri[0] != "/":
            path = self._path(method, uri)
        mark: cython.Py_ssize_t = path.find("?")
        if mark < 0:
            request.path = path
            request.query = ""
        else:
            request.path = path[:mark]
            request.query = path[mark + 1 :]

    def _path(self, method: str, uri: str) -> str:
        """The path and query of a target that is not in origin form (RFC 9112 section 3.2)."""
        if method == "CONNECT":
            if not uri or not _HOST.fullmatch(uri) or ":" not in uri:
                raise InvalidTarget(f"CONNECT needs host:port, not {uri[:120]!r}")
            return ""
        if uri == "*":
            if method != "OPTIONS":
                raise InvalidTarget(f"the target * is for OPTIONS, not for {method}")
            return "*"
        absolute = _ABSOLUTE.match(uri)
        if absolute is None or absolute[1].lower() not in ("http", "https"):
            raise InvalidTarget(f"request target {uri[:120]!r}")
        rest: str = uri[absolute.end() :]
        if not absolute[2] or not _HOST.fullmatch(absolute[2]):
            raise InvalidTarget(f"the authority of {uri[:120]!r}")
        return rest if rest.startswith("/") else "/" + rest

    def _authority(self, request: Request) -> None:
        """RFC 9112 section 3.2.2: the authority of an absolute target replaces Host."""
        if request.method == "CONNECT":
            return
        absolute = _ABSOLUTE.match(request.uri)
        if absolute is None:
            return
        request.host = absolute[2]
        for index, record in enumerate(request.names):
            if record[3] == HOST:
                request.values[index] = absolute[2]

    def _version(self, version: str) -> int:
        found = _VERSION.fullmatch(version)
        if found is None:
            raise InvalidRequestLine(f"HTTP version {version[:40]!r}")
        if not self._any_version:
            raise UnsupportedVersion(f"HTTP version {version!r}")
        return 0 if version == "HTTP/0.9" else 1

    def _method(self, method: str) -> str:
        if not is_token(method):
            raise InvalidMethod(f"method {method[:60]!r}")
        if self._casefold:
            method = method.upper()
        if not self._any_method and (
            not 3 <= len(method) <= 20 or "#" in method or any("a" <= letter <= "z" for letter in method)
        ):
            raise InvalidMethod(f"method {method[:60]!r} is unconventional")
        return method

    def _name(self, name: str) -> FieldName:
        if self._space_before_colon:
            name = name.rstrip(" \t")
        return field_name(name)

    def _maps_underscore(self, name: str, is_trusted: bool) -> bool:
        """Whether a field whose name has an underscore reaches the application; refuses it if it must be."""
        if is_trusted and (name in self._forwarder_names or "*" in self._forwarder_names):
            return True
        if self._header_map == "refuse":
            raise InvalidField(f"header field name {name!r} has an underscore")
        return self._header_map == "dangerous"

    def _fold(self, line: str, values: list[str]) -> None:
        """A line that is not a field: obsolete folding (RFC 9112 section 5.2) where permitted, else a refusal."""
        if line[0] not in " \t":
            raise InvalidField(f"{line[:60]!r} is not a header field")
        if not self._folding or not values:
            raise InvalidField("a header field is folded over several lines")
        values[-1] = f"{values[-1]} {line.strip(' ' + chr(9))}".strip(" ")
        if len(values[-1]) > self._field_size_limit:
            raise FieldsTooLarge("a header field is too large")

    def _check_host(self, host: str) -> None:
        if not _HOST.fullmatch(host):
            raise InvalidHost(f"Host {host[:120]!r}")
        if len(self._hosts) < _HOSTS_KEPT:
            self._hosts.add(host)

    def _frame(self, request: Request) -> None:
        lengths: list[str] = []
        codings: list[str] = []
        connection: list[str] = []
        expect: list[str] = []
        for record, value in zip(request.names, request.values, strict=True):
            meaning = record[3]
            if meaning == CONTENT_LENGTH:
                lengths.append(value)
            elif meaning == TRANSFER_ENCODING:
                codings.append(value)
            elif meaning == CONNECTION:
                connection.append(value)
            elif meaning == EXPECT:
                expect.append(value)
        request.content_length = body_length(lengths, codings, request.minor_version)
        if self._body_limit and request.content_length > self._body_limit:
            raise ContentTooLarge(f"a body of {request.content_length} bytes was announced")
        request.keep_alive = keeps_alive(connection, request.minor_version)
        request.expects_continue = wants_continue(expect, request.minor_version) and request.content_length != 0
