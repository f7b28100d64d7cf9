"""What proxies say of the client in X-Forwarded-* or in Forwarded (RFC 7239), counted from the server's end.

Each proxy appends what it knows to what it was sent, so a value is worth something only if a known number of
proxies has written behind it. Of the two ways to say the same only one is believed: a proxy that writes one
of them passes the other on as the client wrote it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

from indrik.protocol.refusals import InvalidForwarded

#: One member of a list, whatever is in its quoted strings. The alternatives begin with different characters,
#: so no text makes the search slow.
_MEMBER = {mark: rf'(?:[^"{mark}]|"(?:[^"\\]|\\.)*")*' for mark in ",;"}

#: forwarded-pair of RFC 7239 section 4; ":", "[" and "]" also outside of quotes, where many put them.
_PAIR = (
    r"([!#$%&'*+\-.^_`|~0-9A-Za-z]+)="
    r"(?:([!#$%&'*+\-.^_`|~0-9A-Za-z:\[\]]+)|\"((?:[^\"\\]|\\.)*)\")"
)

#: node of RFC 7239 section 6: what stands for the client, and a port that nobody needs.
_NODE = (
    r"(?:\[([0-9A-Fa-f:.]{2,45})\]|([0-9]{1,3}(?:\.[0-9]{1,3}){3}|unknown|_[0-9A-Za-z._\-]+))"
    r"(?::(?:[0-9]{1,5}|_[0-9A-Za-z._\-]+))?"
)
_SCHEME = r"[A-Za-z][A-Za-z0-9+\-.]*"
_HOST = r"[A-Za-z0-9\-._~!$&'()*+,;=%:\[\]]+"
_ESCAPED = r"\\(.)"


@cache
def _compiled(form: str, flags: int = 0) -> re.Pattern[str]:
    """When it is needed for the first time: compiling all of them is a twentieth of what a server's start
    takes, and most servers need none.
    """
    return re.compile(form, flags)


@dataclass(frozen=True)
class Hops:
    """How many proxies, counted from the server, have written each value; 0: none, so it is not believed.

    uses_forwarded: client, scheme and host are parameters of Forwarded, not in X-Forwarded-For, -Proto and
    -Host. Port and prefix, for which RFC 7239 has none, stay in X-Forwarded-Port and -Prefix.
    """

    client: int = 0
    scheme: int = 0
    host: int = 0
    port: int = 0
    prefix: int = 0
    uses_forwarded: bool = False


@dataclass(frozen=True)
class Origin:
    """A request as the farthest counted proxy got it; None for what was not said.

    client: its address, or what the proxy calls it instead ("unknown"). host: with its port, if one was said.
    """

    client: str | None = None
    scheme: str | None = None
    host: str | None = None
    port: str | None = None
    prefix: str | None = None


def find_origin(
    hops: Hops,
    forwarded: str | None,
    x_for: str | None,
    x_proto: str | None,
    x_host: str | None,
    x_port: str | None,
    x_prefix: str | None,
) -> Origin:
    """Counts back in the values of Forwarded and of the X-Forwarded-* fields; None for a field that is
    absent, repeated ones joined by commas.

    Raises `InvalidForwarded` when Forwarded is counted on and cannot be read.
    """
    port = count_back(x_port, hops.port)
    prefix = count_back(x_prefix, hops.prefix)
    if hops.uses_forwarded:
        elements = _elements(forwarded)
        return Origin(
            _client(_parameter(elements, "for", hops.client)),
            _checked(_parameter(elements, "proto", hops.scheme), _SCHEME),
            _checked(_parameter(elements, "host", hops.host), _HOST),
            port,
            prefix,
        )
    return Origin(
        count_back(x_for, hops.client),
        count_back(x_proto, hops.scheme),
        count_back(x_host, hops.host),
        port,
        prefix,
    )


def count_back(value: str | None, hops: int) -> str | None:
    """The member of the list `value` that the proxy `hops` steps from the server has written.

    None when there are fewer members, or when a quoted string is not closed: then nobody knows what the
    members are. These are the rules of Werkzeug's ProxyFix, so that an application sees the same of both.
    """
    if not hops or not value:
        return None
    members = _split(value, ",") or []
    return _unquoted(members[-hops]) if len(members) >= hops else None


def client_behind_trusted(x_for: str, trusts: Callable[[str], bool] | None) -> tuple[str, int]:
    """The client in the value of X-Forwarded-For: the last address that `trusts` does not know, the first if
    it knows all of them, or if everyone is trusted (None). With its port, 0 if there is none.

    These are the rules of uvicorn's middleware, so that an application sees the same of both. An address may
    be followed by a port, one of IPv6 only in brackets; what looks otherwise is taken as it is.
    """
    nodes = [node.strip() for node in x_for.split(",")]
    if trusts is not None:
        for node in reversed(nodes):
            address, port = _address_and_port(node)
            if not trusts(address):
                return address, port
    return _address_and_port(nodes[0])


_ADDRESS_AND_PORT = r"\[([^\]]*)\](?::([0-9]{1,5}))?|([^:\[]*):([0-9]{1,5})"


def _address_and_port(node: str) -> tuple[str, int]:
    found = _compiled(_ADDRESS_AND_PORT).fullmatch(node)
    if found is None:
        return node, 0
    if found[3] is not None:
        return found[3], int(found[4])
    return found[1], int(found[2] or 0)


def _split(text: str, mark: str) -> list[str] | None:
    """The non-empty parts of `text` between the `mark`s outside of quoted strings, without the blanks around
    them; None when a quoted string does not end.
    """
    parts = []
    at = 0
    while True:
        found = _compiled(_MEMBER[mark], re.DOTALL).match(text, at)
        assert found is not None  # it matches the empty string
        parts.append(found[0].strip(" \t"))
        at = found.end()
        if at == len(text):
            return [part for part in parts if part]
        if text[at] != mark:
            return None
        at += 1


def _unquoted(text: str) -> str:
    if len(text) >= 2 and text[0] == text[-1] == '"':
        return _unescaped(text[1:-1])
    return text


def _unescaped(text: str) -> str:
    return _compiled(_ESCAPED, re.DOTALL).sub(r"\1", text)


def _elements(value: str | None) -> list[str]:
    elements = _split(value, ",") if value else []
    if elements is None:
        raise InvalidForwarded(f"a quoted string in Forwarded does not end: {value!r}")
    return elements


def _parameter(elements: list[str], name: str, hops: int) -> str | None:
    """The parameter `name` of the element `hops` from the end. Elements that nobody vouches for are not
    read.
    """
    if not hops or len(elements) < hops:
        return None
    element = elements[-hops]
    values = {}
    for text in _split(element, ";") or ():
        pair = _compiled(_PAIR).fullmatch(text)
        if pair is None or pair[1].lower() in values:
            raise InvalidForwarded(f"the element {element!r} of Forwarded")
        values[pair[1].lower()] = _unescaped(pair[3]) if pair[2] is None else pair[2]
    return values.get(name)


def _client(node: str | None) -> str | None:
    if node is None:
        return None
    found = _compiled(_NODE, re.IGNORECASE).fullmatch(node)
    if found is None:
        raise InvalidForwarded(f"the node {node!r} in Forwarded")
    return found[1] or found[2]


def _checked(value: str | None, form: str) -> str | None:
    if value is not None and not _compiled(form).fullmatch(value):
        raise InvalidForwarded(f"the value {value!r} in Forwarded")
    return value
