"""Parses a request head (RFC 9112 sections 2 to 5): one pass, strict, every deviation a refusal.

`HeadParser.parse` is the hottest code of the house together with the gateways. It decodes the head once and
cuts it by index, so that one source is quick both compiled and uncompiled.
"""

from __future__ import annotations

import ipaddress
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import cython
else:
    from indrik import uncompiled as cython

from indrik.protocol.fields import (
    CONNECTION,
    CONTENT_LENGTH,
    CONTENT_TYPE,
    EXPECT,
    HOST,
    ORDINARY,
    SCHEME,
    TRANSFER_ENCODING,
    UNDERSCORE,
    UPGRADE,
    FieldName,
    field_name,
    known_field,
)
from indrik.protocol.framing import body_length, keeps_alive, wants_continue
from indrik.protocol.limits import Limits
from indrik.protocol.octets import cut, decode, find, has_at, is_field_text, is_target, is_token
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

_TAB = 9
_LF = 10
_CR = 13
_SPACE = 32
_SLASH = 47
_COLON = 58
_QUESTION = 63

_COMMON_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "CONNECT"})

#: uri-host [ ":" port ] of RFC 9110 section 7.2: an IPv6 address, IPvFuture or a registered name, and the
#: port; empty is allowed for a target without an authority.
_AUTHORITY = re.compile(
    r"(?:\[([0-9A-Fa-f:.]+)\]|\[v[0-9A-Fa-f]+\.[A-Za-z0-9\-._~!$&'()*+,;=:]+\]"
    r"|(?:[A-Za-z0-9\-._~!$&'()*+,;=]|%[0-9A-Fa-f]{2})*)(?::([0-9]{0,5}))?"
)
_VERSION = re.compile(r"HTTP/([0-9])\.([0-9])")
_ABSOLUTE = re.compile(r"([A-Za-z][A-Za-z0-9+\-.]*)://([^/?#]*)")
_FOLD = re.compile(rb"[ \t]*(?:\r\n[ \t]+)+")


def _is_authority(text: str) -> bool:
    """Whether `text` is a host with or without a port, as Host and targets have it."""
    found = _AUTHORITY.fullmatch(text)
    if found is None or (found[2] and int(found[2]) > 65535):
        return False
    if found[1] is not None:
        try:
            ipaddress.IPv6Address(found[1])
        except ValueError:
            return False
    return True


class HeadParser:
    """Parses heads under one set of limits. Holds no state of a connection, so one serves all of a
    worker's.
    """

    def __init__(self, limits: Limits) -> None:
        self.line_limit = limits.line
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
        self._last_host = ""
        self._last_octets = b""
        self.head_limit = limits.head

    def parse(
        self, request: Request, data: bytes, end: cython.Py_ssize_t, is_trusted: cython.bint
    ) -> Request:
        """Fills `request`, which is new, with the head `data[:end]`, with the empty line that ends it
        (`octets.head_end`), and returns it.

        `is_trusted` says that the peer is a proxy in `forwarded_allow_ips`. Raises a `RequestRefused`; then
        `Request.as_far_as_read` tells what stood before that.
        """
        eol: cython.Py_ssize_t
        at: cython.Py_ssize_t
        colon: cython.Py_ssize_t
        last: cython.Py_ssize_t
        meaning: cython.int
        hosts: cython.int = 0
        types: cython.int = 0
        dropped: cython.int = 0
        octet: cython.uchar
        text: str
        value: str
        record: tuple | None
        names: list = []
        values: list = []
        host: str = ""
        connection: str | None = None
        length: str | None = None
        codings: str | None = None
        expect: str | None = None

        if end > self.head_limit:
            raise FieldsTooLarge("the request head is too large")
        if self._folding:
            # Before anything is read: framing must be decided by the whole value. Not behind the request line
            # (RFC 9112 section 2.2).
            eol = data.find(b"\r\n") + 2
            data = data[:eol] + _FOLD.sub(b" ", data[eol:end])
            end = len(data)
        # Latin-1 is one character an octet, so an index into `data` is one into `text` too (see `decode`).
        text = ""
        if not cython.compiled:
            text = data[:end].decode("latin-1")

        eol = find(data, _CR, 0, end)
        self._check_line(data, 0, eol)
        self._request_line(request, data, text, eol)
        request.is_trusted = is_trusted
        request.has_scheme = False
        request.has_upgrade = False
        request.has_underscore = False
        request.content_length = 0
        request.keep_alive = False
        request.expects_continue = False

        at = eol + 2
        while True:
            eol = find(data, _CR, at, end)
            self._check_line(data, at, eol)
            if eol == at:
                break
            if eol - at + 2 > self._field_size_limit:
                raise FieldsTooLarge("a header field is too large")
            colon = find(data, _COLON, at, eol)
            octet = data[at]
            if colon <= at or octet == _SPACE or octet == _TAB:
                self._refuse_line(decode(data, text, at, eol))
            record = known_field(data, at, colon)
            if record is None:
                record = self._name(decode(data, text, at, colon))
            # The CR at `eol` ends the first of these loops.
            at = colon + 1
            octet = data[at]
            while octet == _SPACE or octet == _TAB:
                at += 1
                octet = data[at]
            last = eol
            octet = data[last - 1]
            while last > at and (octet == _SPACE or octet == _TAB):
                last -= 1
                octet = data[last - 1]
            meaning = record[3]
            # Most requests are for the host of the one before.
            if (
                meaning == HOST
                and last - at == len(self._last_octets)
                and has_at(data, self._last_octets, at)
            ):
                value = self._last_host
            else:
                value = decode(data, text, at, last)
            at = eol + 2

            if meaning != ORDINARY:
                if meaning == HOST:
                    hosts += 1
                    host = value
                elif meaning == CONNECTION:
                    connection = value if connection is None else f"{connection},{value}"
                elif meaning == CONTENT_LENGTH:
                    length = value if length is None else f"{length},{value}"
                elif meaning == TRANSFER_ENCODING:
                    codings = value if codings is None else f"{codings},{value}"
                elif meaning == EXPECT:
                    expect = value if expect is None else f"{expect},{value}"
                elif meaning == CONTENT_TYPE:
                    types += 1
                elif meaning == SCHEME:
                    request.has_scheme = True
                elif meaning == UPGRADE:
                    request.has_upgrade = True
                elif meaning == UNDERSCORE:
                    if not self._maps_underscore(record[0], is_trusted):
                        dropped += 1
                        continue
                    request.has_underscore = True
            names.append(record)
            values.append(value)
        # A dropped field counts against the number of fields all the same.
        if len(names) + dropped > self._fields_limit:
            raise FieldsTooLarge("too many header fields")
        # Behind what bounds their number, and before they are judged: the log of a refusal shows them.
        request.host = host
        request.names = names
        request.values = values
        if types > 1:
            raise InvalidField("Content-Type was sent more than once")
        if hosts != 1 and (hosts or request.minor_version >= 1):
            raise InvalidHost("Host was sent more than once" if hosts else "Host is missing")
        if hosts and host != self._last_host:
            self._check_host(host)
        if request.uri[0] != "/":
            self._authority(request)

        if length is not None or codings is not None:
            request.content_length = body_length(length, codings, request.minor_version)
            if self._body_limit and request.content_length > self._body_limit:
                raise ContentTooLarge(f"a body of {request.content_length} bytes was announced")
        if expect is not None:
            waits = wants_continue(expect, request.minor_version)
            request.expects_continue = waits and request.content_length != 0
        if connection is None:
            request.keep_alive = request.minor_version >= 1
        else:
            request.keep_alive = keeps_alive(connection, request.minor_version)
        # The length first: it is at hand, comparing is a call.
        if len(request.method) == 7 and request.method == "CONNECT":
            if request.uri[0] == "/":
                raise InvalidTarget(f"CONNECT needs host:port, not {request.uri[:120]!r}")
            request.keep_alive = False
        return request

    def _check_line(self, data: bytes, start: cython.Py_ssize_t, end: cython.Py_ssize_t) -> None:
        """Refuses a line with a control in it, and a CR that does not end it.

        RFC 9112 section 2.2 lets a server take a bare LF for a line end; doing so is how requests get
        smuggled.
        """
        if not is_field_text(data, start, end) or data[end + 1] != _LF:
            raise InvalidRequestLine(f"a control octet in {data[start : min(end + 2, start + 80)]!r}")

    def _request_line(self, request: Request, data: bytes, text: str, end: cython.Py_ssize_t) -> None:
        """The request line is the first `end` octets of `data`, and characters of `text`."""
        space: cython.Py_ssize_t
        last: cython.Py_ssize_t
        mark: cython.Py_ssize_t
        method: str
        uri: str
        path: str
        if end > self.line_limit:
            raise TargetTooLong("the request line is too long")
        space = find(data, _SPACE, 0, end)
        last = end - 9
        if space < last and has_at(data, b" HTTP/1.1", last):
            request.minor_version = 1
        elif space < last and has_at(data, b" HTTP/1.0", last):
            request.minor_version = 0
        else:
            last = data.rfind(b" ", 0, end)
            if last == space:
                shown = decode(data, text, 0, min(end, 120))
                raise InvalidRequestLine(f"{shown!r} is not METHOD SP target SP version")
            request.minor_version = self._version(decode(data, text, last + 1, end))
        if space == 3 and has_at(data, b"GET", 0):
            method = "GET"
        elif space == 4 and has_at(data, b"POST", 0):
            method = "POST"
        else:
            method = decode(data, text, 0, space) if space > 0 else ""
            if method not in self._common_methods:
                method = self._method(method)
        uri = decode(data, text, space + 1, last)
        if not is_target(uri):
            raise InvalidTarget(f"request target {uri[:120]!r}")
        request.uri = uri
        path = uri if data[space + 1] == _SLASH else self._path(method, uri)
        mark = find(data, _QUESTION, space + 1, last)
        if mark < 0:
            request.path = path
            request.query = ""
        else:
            mark = path.find("?")
            request.path = cut(path, 0, mark) if mark >= 0 else path
            request.query = cut(path, mark + 1, len(path)) if mark >= 0 else ""
        # Last: where it stands, the whole line was read.
        request.method = method

    def _path(self, method: str, uri: str) -> str:
        """The path and query of a target that is not in origin form (RFC 9112 section 3.2)."""
        if method == "CONNECT":
            # RFC 9110 section 9.3.6: there is no default port.
            host, _, port = uri.rpartition(":")
            if not host or not port.isdigit() or int(port) == 0 or not _is_authority(uri):
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
        if not absolute[2] or not _is_authority(absolute[2]):
            raise InvalidTarget(f"the authority of {uri[:120]!r}")
        return rest if rest.startswith("/") else "/" + rest

    def _authority(self, request: Request) -> None:
        """RFC 9112 section 3.2.2: the authority of an absolute target replaces Host."""
        if request.method == "CONNECT" or request.uri == "*":
            return
        absolute = _ABSOLUTE.match(request.uri)
        if absolute is None:
            return
        request.host = absolute[2]
        for index, record in enumerate(request.names):
            if record[3] == HOST:
                request.values[index] = absolute[2]
                return
        # HTTP/1.0 may do without Host.
        request.names.append(field_name("Host"))
        request.values.append(absolute[2])

    def _version(self, version: str) -> int:
        """The minor version that a request of another version than 1.0 and 1.1 is answered as."""
        found = _VERSION.fullmatch(version)
        if found is None:
            raise InvalidRequestLine(f"HTTP version {version[:40]!r}")
        # RFC 9110 section 6.2: a higher minor version is taken for the highest one that is conformed to.
        if found[1] != "1" and not self._any_version:
            raise UnsupportedVersion(f"HTTP version {version!r}")
        return 0 if found[1] == "0" else 1

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

    def _refuse_line(self, line: str) -> None:
        """Refuses a line that is not a field; obsolete folding (RFC 9112 section 5.2) is undone before."""
        if line[0] in " \t":
            raise InvalidField("a header field is folded over several lines")
        raise InvalidField(f"{line[:60]!r} is not a header field")

    def _check_host(self, host: str) -> None:
        if not _is_authority(host):
            raise InvalidHost(f"Host {host[:120]!r}")
        self._last_host = host
        self._last_octets = host.encode("latin-1")
