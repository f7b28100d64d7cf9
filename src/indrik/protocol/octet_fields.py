"""Response fields that an application gives as octets (ASGI), in the form in which `prepare` takes them."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import cython
else:
    from indrik import uncompiled as cython

from indrik.protocol.response import InvalidResponse

if cython.compiled:
    from cython.cimports.cpython.unicode import PyUnicode_DecodeLatin1

#: Names kept; a runaway application must not grow the table.
_KEPT = 1024
_names: dict[bytes, str] = {}

_PHRASES = {status.value: status.phrase for status in HTTPStatus}
_statuses: dict[int, str] = {}


def status_line(code: Any) -> str:
    """The status code and its reason phrase. Raises `InvalidResponse`."""
    known = _statuses.get(code) if type(code) is int else None
    if known is not None:
        return known
    if not isinstance(code, int) or not 200 <= code <= 999:
        raise InvalidResponse(f"ASGI: the status must be a number from 200 to 999, not {code!r}")
    known = f"{int(code)} {_PHRASES.get(code, '')}"
    _statuses[int(code)] = known
    return known


def decode_fields(headers: Any) -> list:
    """`headers`, an iterable of pairs of octets, as pairs of text. Raises `InvalidResponse`."""
    fields: list = []
    pair: Any
    name: Any
    value: Any
    if type(headers) is not list and (
        isinstance(headers, (str, bytes)) or not hasattr(headers, "__iter__")
    ):
        raise InvalidResponse(f"ASGI: headers are an iterable of pairs, not {type(headers).__name__}")
    for pair in headers:
        if len(pair) != 2:
            raise InvalidResponse(f"ASGI: a header is a pair of name and value, not {repr(pair)[:80]}")
        name, value = pair
        if type(name) is not bytes or type(value) is not bytes:
            name, value = _octets(name, value)
        known: str | None = _names.get(name)
        if known is None:
            known = name.decode("latin-1")
            if len(_names) < _KEPT:
                _names[name] = known
        if cython.compiled:
            octets: bytes = value
            fields.append((known, PyUnicode_DecodeLatin1(octets, len(octets), cython.NULL)))
        else:
            fields.append((known, value.decode("latin-1")))
    return fields


def _octets(name: Any, value: Any) -> tuple[bytes, bytes]:
    """bytearray and memoryview are no bytes to the specification, but harmless and in use."""
    for part in (name, value):
        if not isinstance(part, (bytes, bytearray, memoryview)):
            raise InvalidResponse(f"ASGI: header names and values are bytes, not {type(part).__name__}")
    return bytes(name), bytes(value)
