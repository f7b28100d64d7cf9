"""Sec-WebSocket-Extensions (RFC 6455 section 9.1) and the negotiation of permessage-deflate (RFC 7692).

What is agreed upon bounds the memory of a connection. zlib keeps, in octets:

- to compress with a window of `bits` and `memory` as its memLevel: `(1 << bits + 2) + (1 << memory + 9)` and
  about 6 KiB. With 12 and 5, the defaults here: 38 KiB; with zlib's own 15 and 8: 262 KiB.
- to decompress with a window of `bits`: `1 << bits` and about 8 KiB. With 12: 12 KiB; with 15: 40 KiB.

Neither exists before the first compressed message of its direction, and nothing is kept between messages
in a direction without context takeover.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from indrik.protocol.refusals import InvalidHandshake

#: The bits of zlib's largest window, which is meant where nobody says otherwise.
MOST_BITS = 15
#: zlib cannot compress without its header in a window of 8 bits.
LEAST_BITS = 9

_NAME = "permessage-deflate"

_TOKEN = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_BLANK = r"[ \t]*"
# One parameter: its name and, if there is one, its value, plain or quoted. Each alternative begins with
# another octet, so there is one way to match only.
_PARAMETER = re.compile(
    rf"({_TOKEN})(?:{_BLANK}={_BLANK}(?:({_TOKEN})|\"((?:[\t !#-\[\]-~]|\\[\t -~])*)\"))?{_BLANK}"
)
_SPACE = re.compile(_BLANK)
_WHOLE_TOKEN = re.compile(_TOKEN)
_ESCAPED = re.compile(r"\\(.)")
_BITS = re.compile(r"[89]|1[0-5]")

#: One offered extension: its name, and its parameters as (name, value), the value None where there is none.
Extension = tuple[str, tuple[tuple[str, "str | None"], ...]]


def parse_extensions(text: str) -> tuple[Extension, ...]:
    """The extensions that the field value `text` offers, in their order.

    Raises `InvalidHandshake` where it does not follow the grammar. Empty members of the list are allowed, as
    in every list (RFC 9110 section 5.6.1); a quoted value must be a token when unquoted.
    """
    found: list[Extension] = []
    at = 0
    while True:
        at = _skip(text, at)
        if at < len(text) and text[at] != ",":
            name, value, at = _parameter(text, at)
            if value is not None:
                raise InvalidHandshake(f"an extension's name with a value in {text[:120]!r}")
            parameters: list[tuple[str, str | None]] = []
            while text.startswith(";", at):
                key, value, at = _parameter(text, _skip(text, at + 1))
                parameters.append((key, value))
            found.append((name, tuple(parameters)))
        if at == len(text):
            return tuple(found)
        if text[at] != ",":
            raise InvalidHandshake(f"Sec-WebSocket-Extensions {text[:120]!r} at character {at}")
        at += 1


def _skip(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    return found.end() if found else at


def _parameter(text: str, at: int) -> tuple[str, str | None, int]:
    """Name, value and end, with the white space behind it, of what begins at `at`."""
    found = _PARAMETER.match(text, at)
    if found is None:
        raise InvalidHandshake(f"Sec-WebSocket-Extensions {text[:120]!r} at character {at}")
    name, plain, quoted = found.groups()
    if quoted is not None:
        plain = _ESCAPED.sub(r"\1", quoted)
        if not _WHOLE_TOKEN.fullmatch(plain):
            raise InvalidHandshake(f"the extension parameter {quoted[:60]!r} is no token")
    return name, plain, found.end()


@dataclass(frozen=True)
class DeflateSettings:
    """What this server agrees to at most, and how it compresses.

    server_bits, client_bits: windows, 9 to 15. server_no_context_takeover, client_no_context_takeover:
    whether each message is compressed by itself even where the client does not ask for it. level: zlib's, 0
    to 9. memory: zlib's memLevel, 1 to 9. threshold: octets; a shorter message is sent as it is.
    """

    server_bits: int = 12
    client_bits: int = 12
    server_no_context_takeover: bool = False
    client_no_context_takeover: bool = False
    level: int = 6
    memory: int = 5
    threshold: int = 256

    def __post_init__(self) -> None:
        for name, least, most in (
            ("server_bits", LEAST_BITS, MOST_BITS),
            ("client_bits", LEAST_BITS, MOST_BITS),
            ("level", 0, 9),
            ("memory", 1, 9),
            ("threshold", 1, 1 << 62),
        ):
            if not least <= getattr(self, name) <= most:
                raise ValueError(f"{name} must be from {least} to {most}, not {getattr(self, name)}")


@dataclass(frozen=True)
class Deflate:
    """permessage-deflate as it was agreed upon.

    extension: the value of Sec-WebSocket-Extensions in the answer. server_bits, client_bits: the windows of
    what the server and the client compress. server_takeover, client_takeover: whether a message may refer to
    those before it. level, memory and threshold: see `DeflateSettings`.
    """

    extension: str
    server_bits: int
    client_bits: int
    server_takeover: bool
    client_takeover: bool
    level: int
    memory: int
    threshold: int


def negotiate_deflate(
    extensions: tuple[Extension, ...], settings: DeflateSettings | None
) -> Deflate | None:
    """The first offer of permessage-deflate that can be accepted; None without one or without `settings`.

    An offer with a parameter that is unknown, repeated or has a wrong value is declined, not refused (RFC
    7692 section 7).
    """
    if settings is not None:
        for name, parameters in extensions:
            if name == _NAME and (agreed := _accept(parameters, settings)):
                return agreed
    return None


def _accept(parameters: tuple[tuple[str, str | None], ...], settings: DeflateSettings) -> Deflate | None:
    offered = dict(parameters)
    if len(offered) < len(parameters):
        return None
    server_takeover = not settings.server_no_context_takeover
    client_takeover = not settings.client_no_context_takeover
    server_bits = settings.server_bits
    client_bits = MOST_BITS
    for name, value in parameters:
        if name in ("server_no_context_takeover", "client_no_context_takeover"):
            if value is not None:
                return None
            if name.startswith("server"):
                server_takeover = False
            else:
                client_takeover = False
        elif name == "server_max_window_bits":
            if value is None or not _BITS.fullmatch(value) or int(value) < LEAST_BITS:
                return None
            server_bits = min(server_bits, int(value))
        elif name == "client_max_window_bits":
            if value is not None and not _BITS.fullmatch(value):
                return None
            client_bits = min(settings.client_bits, int(value or MOST_BITS))
        else:
            return None
    if client_bits > settings.client_bits:
        # The client cannot be told to use a smaller window (section 7.1.2.2). It can be told to begin anew
        # with each message (section 7.1.1.2), so that the large one is not kept.
        client_takeover = False

    words = [_NAME]
    if not server_takeover:
        words.append("server_no_context_takeover")
    if not client_takeover:
        words.append("client_no_context_takeover")
    if "server_max_window_bits" in offered:
        words.append(f"server_max_window_bits={server_bits}")
    if "client_max_window_bits" in offered and client_bits < MOST_BITS:
        words.append(f"client_max_window_bits={client_bits}")
    return Deflate(
        "; ".join(words),
        server_bits,
        client_bits,
        server_takeover,
        client_takeover,
        settings.level,
        settings.memory,
        settings.threshold,
    )
