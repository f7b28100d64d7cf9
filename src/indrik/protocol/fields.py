"""Header field names: each spelling is validated once and then known by its record.

A name is looked up for every field of every request, so the record holds the forms that the gateways need:
the upper-case name for hooks and logs, the key of the WSGI environ, the lower-case bytes of ASGI.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    import cython
else:
    from indrik import uncompiled as cython

from indrik.protocol.octets import is_token
from indrik.protocol.refusals import InvalidField

if cython.compiled:
    from cython.cimports.libc.string import memcmp

ORDINARY = 0
HOST = 1
CONTENT_LENGTH = 2
TRANSFER_ENCODING = 3
CONNECTION = 4
EXPECT = 5
CONTENT_TYPE = 6
COOKIE = 7
UNDERSCORE = 8
SCHEME = 9
UPGRADE = 10

_MEANINGS = {
    "HOST": HOST,
    "CONTENT-LENGTH": CONTENT_LENGTH,
    "TRANSFER-ENCODING": TRANSFER_ENCODING,
    "CONNECTION": CONNECTION,
    "EXPECT": EXPECT,
    "CONTENT-TYPE": CONTENT_TYPE,
    "COOKIE": COOKIE,
    "UPGRADE": UPGRADE,
}

#: RFC 3875 section 4.1.18 and PEP 3333: these two have no HTTP_ prefix in the environ.
_BARE_KEYS = ("CONTENT-LENGTH", "CONTENT-TYPE")

#: Spellings kept at most. A stranger can fill the table with names of his own; later unknown names are then
#: validated each time, which costs about a microsecond and no memory.
_KEPT = 2048


#: One validated field name: (upper-case name, key of the WSGI environ, lower-case bytes, meaning). A plain
#: tuple, because compiled code reads its items without a call: `record[0]` is the name, `record[1]` the key,
#: `record[3]` the meaning.
FieldName: TypeAlias = tuple[str, str, bytes, int]


_known: dict[bytes, FieldName] = {}

# The same for compiled code, which finds a spelling without making an object of it: chains of (spelling,
# record) by `_slot`. A chain that strangers have made long stays at this length; further names in it are
# validated each time.
_SLOTS = 1024
_LONGEST_CHAIN = 4
_table: list[list[tuple[bytes, FieldName]] | None] = [None] * _SLOTS


def field_name(text: str) -> FieldName:
    """The record of the field name `text` as it was sent.

    Raises `InvalidField` when it is not a token (RFC 9110 section 5.1).
    """
    spelling = text.encode("latin-1")
    known = _known.get(spelling)
    if known is not None:
        return known
    if not is_token(text):
        raise InvalidField(f"{text[:60]!r} is not a header field name")
    upper = text.upper()
    key = upper.replace("-", "_")
    record = (
        upper,
        key if upper in _BARE_KEYS else "HTTP_" + key,
        text.lower().encode("ascii"),
        UNDERSCORE if "_" in text else _MEANINGS.get(upper, ORDINARY),
    )
    if len(_known) < _KEPT:
        _known[spelling] = record
        number = _slot(spelling, 0, len(spelling))
        chain = _table[number]
        if chain is None:
            _table[number] = chain = []
        if len(chain) < _LONGEST_CHAIN:
            chain.append((spelling, record))
    return record


def mark_scheme(name: str) -> None:
    """Makes the parser note requests that have the field `name`, by which a proxy tells its client's
    scheme.
    """
    upper = name.upper()
    if _MEANINGS.get(upper, SCHEME) == SCHEME:
        _MEANINGS[upper] = SCHEME
        for spelling in [known for known in _known if known.upper() == upper.encode("latin-1")]:
            _forget(spelling)


def _forget(spelling: bytes) -> None:
    del _known[spelling]
    number = _slot(spelling, 0, len(spelling))
    _table[number] = [entry for entry in _table[number] or () if entry[0] != spelling] or None


def _slot(data: bytes, start: cython.Py_ssize_t, end: cython.Py_ssize_t) -> cython.Py_ssize_t:
    """A hash of five octets and the length: neither names that browsers and proxies send, nor those of one
    family, which differ at their end, often collide.
    """
    # 0 <= start < end <= len(data) is checked here, so that no index below leaves `data`.
    if start < 0 or end <= start or end > len(data):
        raise IndexError("a name outside of the data")
    # Not p_uchar, which costs a call. An octet above 127 is negative, but the mask makes an index of it.
    octets: cython.p_char = data
    last: cython.Py_ssize_t = end - 1
    before: cython.Py_ssize_t = end - 2 if end - start > 1 else start
    middle: cython.Py_ssize_t = (start + end) >> 1
    late: cython.Py_ssize_t = (start + 3 * end) >> 2
    return (
        octets[start] * 31
        + octets[middle] * 7
        + octets[late] * 101
        + octets[before] * 37
        + octets[last] * 3
        + (end - start) * 61
    ) & 1023


def known_field(data: bytes, start: cython.Py_ssize_t, end: cython.Py_ssize_t) -> FieldName | None:
    """The record of the field name `data[start:end]`, which must not be empty; None if it was not seen
    before.
    """
    if cython.compiled:
        chain: list = _table[_slot(data, start, end)]
        if chain is None:
            return None
        entry: tuple
        spelling: bytes
        size: cython.Py_ssize_t = end - start
        # _slot has shown that the name is inside of `data`.
        octets: cython.p_char = data
        octets += start
        for entry in chain:
            spelling = entry[0]
            if len(spelling) == size and memcmp(cython.cast(cython.p_char, spelling), octets, size) == 0:
                return entry[1]
        return None
    return _known.get(data[start:end])


# Both common spellings of what browsers and proxies send, so that a flood of odd names cannot keep them out.
_COMMON = (
    "Accept", "Accept-Charset", "Accept-Encoding", "Accept-Language", "Authorization", "Cache-Control",
    "Connection", "Content-Encoding", "Content-Length", "Content-Type", "Cookie", "Date", "DNT", "Expect",
    "Forwarded", "From", "Host", "If-Match", "If-Modified-Since", "If-None-Match", "If-Range",
    "If-Unmodified-Since", "Keep-Alive", "Origin", "Pragma", "Priority", "Proxy-Authorization", "Range",
    "Referer", "Sec-CH-UA", "Sec-CH-UA-Mobile", "Sec-CH-UA-Platform", "Sec-Fetch-Dest", "Sec-Fetch-Mode",
    "Sec-Fetch-Site", "Sec-Fetch-User", "Sec-GPC", "Sec-WebSocket-Extensions", "Sec-WebSocket-Key",
    "Sec-WebSocket-Protocol", "Sec-WebSocket-Version", "TE", "Trailer", "Transfer-Encoding", "Upgrade",
    "Upgrade-Insecure-Requests", "User-Agent", "Via", "X-Forwarded-For", "X-Forwarded-Host",
    "X-Forwarded-Port", "X-Forwarded-Proto", "X-Real-IP", "X-Request-ID", "X-Requested-With", "X-CSRFToken",
    "Traceparent", "Tracestate",
)  # fmt: skip
for _name in _COMMON:
    field_name(_name)
    field_name(_name.lower())
