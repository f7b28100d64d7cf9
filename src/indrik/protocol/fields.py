"""Header field names: each spelling is validated once and then known by its record.

A name is looked up for every field of every request, so the record holds the forms that the gateways need: the
upper-case name for hooks and logs, the key of the WSGI environ, the lower-case bytes of ASGI.
"""

from __future__ import annotations

from typing import TypeAlias

from indrik.protocol.octets import is_token
from indrik.protocol.refusals import InvalidField

ORDINARY = 0
HOST = 1
CONTENT_LENGTH = 2
TRANSFER_ENCODING = 3
CONNECTION = 4
EXPECT = 5
CONTENT_TYPE = 6
COOKIE = 7
UNDERSCORE = 8

_MEANINGS = {
    "HOST": HOST,
    "CONTENT-LENGTH": CONTENT_LENGTH,
    "TRANSFER-ENCODING": TRANSFER_ENCODING,
    "CONNECTION": CONNECTION,
    "EXPECT": EXPECT,
    "CONTENT-TYPE": CONTENT_TYPE,
    "COOKIE": COOKIE,
}

#: RFC 3875 section 4.1.18 and PEP 3333: these two have no HTTP_ prefix in the environ.
_BARE_KEYS = ("CONTENT-LENGTH", "CONTENT-TYPE")

#: Spellings kept at most. A stranger can fill the table with names of his own; later unknown names are then validated
#: each time, which costs about a microsecond and no memory.
_KEPT = 2048


#: One validated field name: (upper-case name, key of the WSGI environ, lower-case bytes, meaning). A plain tuple, because
#: compiled code reads its items without a call: `record[0]` is the name, `record[1]` the key, `record[3]` the meaning.
FieldName: TypeAlias = tuple[str, str, bytes, int]


_known: dict[str, FieldName] = {}


def field_name(text: str) -> FieldName:
    """The record of the field name `text` as it was sent.

    Raises `InvalidField` when it is not a token (RFC 9110 section 5.1).
    """
    known = _known.get(text)
    if known is not None:
        return known
    if not is_token(text):
        raise InvalidField(f"{text!r} is not a header field name")
    upper = text.upper()
    key = upper.replace("-", "_")
    record = (
        upper,
        key if upper in _BARE_KEYS else "HTTP_" + key,
        text.lower().encode("ascii"),
        UNDERSCORE if "_" in text else _MEANINGS.get(upper, ORDINARY),
    )
    if len(_known) < _KEPT:
        _known[text] = record
    return record


def known_spellings() -> dict[str, FieldName]:
    """The table itself; the head parser reads it without a call."""
    return _known


# Both common spellings of what browsers and proxies send, so that a flood of odd names cannot keep them out.
for _name in (
    "Accept,Accept-Charset,Accept-Encoding,Accept-Language,Authorization,Cache-Control,Connection,Content-Encoding,"
    "Content-Length,Content-Type,Cookie,Date,DNT,Expect,Forwarded,From,Host,If-Match,If-Modified-Since,If-None-Match,"
    "If-Range,If-Unmodified-Since,Keep-Alive,Origin,Pragma,Priority,Proxy-Authorization,Range,Referer,Sec-CH-UA,"
    "Sec-CH-UA-Mobile,Sec-CH-UA-Platform,Sec-Fetch-Dest,Sec-Fetch-Mode,Sec-Fetch-Site,Sec-Fetch-User,Sec-GPC,"
    "Sec-WebSocket-Extensions,Sec-WebSocket-Key,Sec-WebSocket-Protocol,Sec-WebSocket-Version,TE,Trailer,"
    "Transfer-Encoding,Upgrade,Upgrade-Insecure-Requests,User-Agent,Via,X-Forwarded-For,X-Forwarded-Host,"
    "X-Forwarded-Port,X-Forwarded-Proto,X-Real-IP,X-Request-ID,X-Requested-With,X-CSRFToken,Traceparent,Tracestate"
).split(","):
    field_name(_name)
    field_name(_name.lower())
