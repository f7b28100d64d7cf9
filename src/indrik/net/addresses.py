"""The grammar of `bind`: one text, one address.

    HOST  HOST:PORT  :PORT  [IPV6]  [IPV6]:PORT  tcp://...  unix:PATH  unix:\\0NAME (abstract, Linux)  fd://N

Nothing here resolves a name or touches a socket.
"""

from __future__ import annotations

import re
from typing import TypeAlias

from indrik.errors import ConfigError

#: (host, port) for TCP, a path for a unix socket (an abstract name begins with NUL), a number for an
#: inherited descriptor.
Address: TypeAlias = tuple[str, int] | str | int

_DEFAULT_PORT = 8000

_FD = re.compile(r"fd://(\d+)")


def parse_address(text: str) -> Address:
    """The address that `text` names. A host alone gets the port 8000, a port alone every IPv4 interface.

    Raises ConfigError, with the right spelling where one can be guessed.
    """
    if text.startswith("fd://"):
        match = _FD.fullmatch(text)
        if match is None:
            raise ConfigError(
                f"invalid address {text!r}: after fd:// a descriptor's number is expected, as in fd://3"
            )
        return int(match[1])
    if text.startswith("unix:"):
        return _parse_unix(text)
    scheme, mark, rest = text.partition("://")
    if mark and scheme.lower() != "tcp":
        raise ConfigError(
            f"invalid address {text!r}: known schemes are tcp://, unix: and fd://, not {scheme}://"
        )
    return _parse_tcp(text, rest if mark else text)


def format_address(address: Address) -> str:
    """The address as `parse_address` reads it."""
    if isinstance(address, int):
        return f"fd://{address}"
    if isinstance(address, str):
        return "unix:" + address.replace("\0", "\\0", 1)
    host, port = address
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def is_abstract(path: str) -> bool:
    """Whether a unix address lives in Linux's abstract name space: no file, no mode, gone with its last
    socket.
    """
    return path.startswith("\0")


def _parse_unix(text: str) -> str:
    path = text.removeprefix("unix:")
    if path.startswith("//"):
        path = path[2:]
    # A command line cannot hold a NUL, so there the two characters \0 stand for it.
    if path.startswith("\\0"):
        path = "\0" + path[2:]
    if not path or path == "\0":
        raise ConfigError(f"invalid address {text!r}: unix: needs a path, as in unix:/run/indrik.sock")
    return path


def _parse_tcp(text: str, netloc: str) -> tuple[str, int]:
    if netloc.startswith("["):
        host, bracket, rest = netloc[1:].partition("]")
        if not bracket or (rest and not rest.startswith(":")):
            raise ConfigError(f"invalid address {text!r}: an IPv6 address is written as in [::1]:8000")
        port_text = rest[1:] if rest else None
    elif netloc.count(":") > 1:
        raise ConfigError(f"invalid address {text!r}: an IPv6 address needs brackets, as in [::1]:8000")
    else:
        host, colon, after = netloc.partition(":")
        port_text = after if colon else None
        if colon and not host:
            host = "0.0.0.0"
    if not host:
        raise ConfigError(f"invalid address {text!r}: the host is missing")
    if host.isdigit() and port_text is None:
        raise ConfigError(f"invalid address {text!r}: a port alone is written :{host}")
    if port_text is None:
        return host.lower(), _DEFAULT_PORT
    if not (port_text.isascii() and port_text.isdigit()) or int(port_text) > 65535:
        raise ConfigError(f"invalid address {text!r}: {port_text!r} is not a port (0 to 65535)")
    return host.lower(), int(port_text)
