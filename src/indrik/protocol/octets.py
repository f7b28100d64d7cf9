"""Octet classes of RFC 9110 section 5.6 and the scans that use them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import cython
else:
    from indrik import uncompiled as cython

if cython.compiled:
    from cython.cimports.cpython.bytes import PyBytes_FromStringAndSize
    from cython.cimports.cpython.unicode import (
        PyUnicode_1BYTE_DATA,
        PyUnicode_1BYTE_KIND,
        PyUnicode_DecodeLatin1,
        PyUnicode_KIND,
        PyUnicode_Substring,
    )
    from cython.cimports.libc.string import memchr, memcmp, memcpy

#: RFC 9110 section 5.6.2.
TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")

_TARGET = re.compile(r"[\x21\x22\x24-\x7e]+")
_DIGITS = re.compile(r"[0-9]{1,18}")

#: What never stands in a head: every control but HTAB, CR and LF (RFC 9110 section 5.5); DEL too.
FORBIDDEN = bytes(octet for octet in (*range(32), 127) if octet not in b"\t\r\n")
_CONTROLS = FORBIDDEN + b"\r\n"

#: 1: forbidden, 2: CR or LF, 0: anything else. Looked up by the compiled scan.
_CLASS = bytes(1 if octet in FORBIDDEN else 2 if octet in b"\r\n" else 0 for octet in range(256))

_SPACES = 0x2020202020202020
_AFTER_SPACE = 0x2121212121212121
_HASHES = 0x2323232323232323
_DELETES = 0x7F7F7F7F7F7F7F7F
_ONES = 0x0101010101010101
_HIGH_BITS = 0x8080808080808080


def first_forbidden(data: bytes, start: cython.Py_ssize_t, end: cython.Py_ssize_t) -> cython.Py_ssize_t:
    """Index of the first octet in `data[start:end]` that no head may hold, or -1.

    That is a control other than HTAB, a CR without LF behind it, or an LF without CR before it (RFC 9112
    section 2.2 lets a server take a bare LF for a line end; doing so is how requests get smuggled, so it is
    refused). Neither `start` nor `end` may stand between a CR and its LF.
    """
    if cython.compiled:
        # 0 <= start <= end <= len(data) is checked here, so no index below leaves `data`.
        if start < 0 or end > len(data):
            raise IndexError("scan outside of the data")
        octets: cython.p_uchar = cython.cast(cython.p_uchar, cython.cast(cython.p_char, data))
        classes: cython.p_uchar = cython.cast(cython.p_uchar, cython.cast(cython.p_char, _CLASS))
        index: cython.Py_ssize_t = start
        while index < end:
            if classes[octets[index]] != 0:
                if classes[octets[index]] == 1 or octets[index] == 10:
                    return index
                index += 1
                if index >= end or octets[index] != 10:
                    return index - 1
            index += 1
        return -1
    part = data[start:end]
    pairs = part.count(b"\r\n")
    if part.count(b"\r") == pairs == part.count(b"\n") and len(part.translate(None, FORBIDDEN)) == len(part):
        return -1
    found = re.search(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]|\r(?!\n)|(?<!\r)\n", part)
    return start + (found.start() if found else 0)


def is_field_text(data: bytes, start: cython.Py_ssize_t, end: cython.Py_ssize_t) -> cython.bint:
    """Whether `data[start:end]` holds no control but HTAB (RFC 9110 section 5.5); obs-text is allowed."""
    if cython.compiled:
        # 0 <= start <= end <= len(data) is checked here, so no index below leaves `data`.
        if start < 0 or end > len(data):
            raise IndexError("scan outside of the data")
        # By way of p_char, which costs nothing for bytes; any other pointer is asked for by a call.
        octets: cython.p_uchar = cython.cast(cython.p_uchar, cython.cast(cython.p_char, data))
        classes: cython.p_uchar = cython.cast(cython.p_uchar, cython.cast(cython.p_char, _CLASS))
        word: cython.ulonglong
        first: cython.Py_ssize_t = start
        while start + 8 <= end:
            # Eight octets at once: no high bit is set below unless an octet is under 0x20, DEL or obs-text.
            memcpy(cython.address(word), octets + start, 8)
            if ((word - _SPACES) | ((word ^ _DELETES) - _ONES) | word) & _HIGH_BITS:
                break
            start += 8
        if start + 8 > end and first + 8 <= end:
            # The rest together with octets before it, which are known already.
            memcpy(cython.address(word), octets + end - 8, 8)
            if not ((word - _SPACES) | ((word ^ _DELETES) - _ONES) | word) & _HIGH_BITS:
                return True
        while start < end:
            if classes[octets[start]] != 0:
                return False
            start += 1
        return True
    part = data[start:end]
    return len(part.translate(None, _CONTROLS)) == len(part)


def find(
    data: bytes, octet: cython.int, start: cython.Py_ssize_t, end: cython.Py_ssize_t
) -> cython.Py_ssize_t:
    """Index of the first `octet` in `data[start:end]`, or -1."""
    if cython.compiled:
        if start < 0 or end > len(data):
            raise IndexError("scan outside of the data")
        if start >= end:
            return -1
        octets: cython.p_char = data
        found: cython.p_char = cython.cast(cython.p_char, memchr(octets + start, octet, end - start))
        return found - octets if found != cython.NULL else -1
    return data.find(octet, start, end)


def has_at(data: bytes, piece: bytes, start: cython.Py_ssize_t) -> cython.bint:
    """Whether `piece` stands in `data` at `start`."""
    if cython.compiled:
        size: cython.Py_ssize_t = len(piece)
        if start < 0 or start + size > len(data):
            return False
        octets: cython.p_char = data
        return memcmp(octets + start, cython.cast(cython.p_char, piece), size) == 0
    return data.startswith(piece, start)


def section(data: bytes, start: cython.Py_ssize_t, end: cython.Py_ssize_t) -> bytes:
    """`data[start:end]` for indexes inside of it, without objects for the indexes."""
    if cython.compiled:
        if start < 0 or end < start or end > len(data):
            raise IndexError("a section outside of the data")
        if end - start == len(data):
            return data
        octets: cython.p_char = data
        return PyBytes_FromStringAndSize(octets + start, end - start)
    return data[start:end]


def head_end(data: bytes, start: cython.Py_ssize_t) -> cython.Py_ssize_t:
    """Index behind the first empty line at or after `start`, or -1: where a head that begins before it
    ends.
    """
    if cython.compiled:
        octets: cython.p_char = data
        last: cython.Py_ssize_t = len(data) - 4
        at: cython.Py_ssize_t = start
        found: cython.p_char
        if start < 0:
            raise IndexError("scan outside of the data")
        while at <= last:
            # at <= last leaves three octets behind every CR that is found before the last three.
            found = cython.cast(cython.p_char, memchr(octets + at, 13, last - at + 1))
            if found == cython.NULL:
                return -1
            if found[1] == 10 and found[2] == 13 and found[3] == 10:
                return found - octets + 4
            at = found - octets + 1
        return -1
    end = data.find(b"\r\n\r\n", start)
    return end + 4 if end >= 0 else -1


def is_target(text: str) -> cython.bint:
    """Whether `text` may be a request target: visible ASCII without a fragment (RFC 9112 section 3.2)."""
    if cython.compiled:
        length: cython.Py_ssize_t = len(text)
        # CPython stores a text in octets if and only if all of it is Latin-1 (PEP 393).
        if length == 0 or PyUnicode_KIND(text) != PyUnicode_1BYTE_KIND:
            return False
        octets: cython.p_uchar = cython.cast(cython.p_uchar, PyUnicode_1BYTE_DATA(text))
        word: cython.ulonglong
        hashes: cython.ulonglong
        index: cython.Py_ssize_t = 0
        while index + 8 <= length:
            # Eight octets at once: no high bit is set below unless an octet is under 0x21, "#", DEL or above.
            memcpy(cython.address(word), octets + index, 8)
            hashes = word ^ _HASHES
            if ((word - _AFTER_SPACE) | ((word ^ _DELETES) - _ONES) | (hashes - _ONES) | word) & _HIGH_BITS:
                break
            index += 8
        while index < length:
            if octets[index] <= 32 or octets[index] > 126 or octets[index] == 35:
                return False
            index += 1
        return True
    return _TARGET.fullmatch(text) is not None


def digits(text: str) -> cython.longlong:
    """The number that `text` is in decimal digits, at most 18 of them; -1 if it is anything else."""
    if cython.compiled:
        letter: cython.Py_UCS4
        number: cython.longlong = 0
        if len(text) == 0 or len(text) > 18:
            return -1
        for letter in text:
            if letter < 48 or letter > 57:
                return -1
            number = number * 10 + (cython.cast(cython.int, letter) - 48)
        return number
    return int(text) if _DIGITS.fullmatch(text) else -1


def is_plain(text: str) -> cython.bint:
    """Whether `text` is printable ASCII throughout: a field value that needs no closer look."""
    if cython.compiled:
        length: cython.Py_ssize_t = len(text)
        # CPython stores a text in octets if and only if all of it is Latin-1 (PEP 393).
        if PyUnicode_KIND(text) != PyUnicode_1BYTE_KIND:
            return False
        octets: cython.p_uchar = cython.cast(cython.p_uchar, PyUnicode_1BYTE_DATA(text))
        word: cython.ulonglong
        index: cython.Py_ssize_t = 0
        while index + 8 <= length:
            # As in is_field_text.
            memcpy(cython.address(word), octets + index, 8)
            if ((word - _SPACES) | ((word ^ _DELETES) - _ONES) | word) & _HIGH_BITS:
                return False
            index += 8
        while index < length:
            if octets[index] < 32 or octets[index] > 126:
                return False
            index += 1
        return True
    return text.isascii() and text.isprintable()


def decode(data: bytes, text: str, start: cython.Py_ssize_t, end: cython.Py_ssize_t) -> str:
    """`data[start:end]` as Latin-1; `text` is all of `data` in this way, which only an uncompiled run needs:
    there a second slice is cheaper than a second decoding.
    """
    if cython.compiled:
        if start < 0 or end < start or end > len(data):
            raise IndexError("decoding outside of the data")
        octets: cython.p_char = data
        return PyUnicode_DecodeLatin1(octets + start, end - start, cython.NULL)
    return text[start:end]


def cut(text: str, start: cython.Py_ssize_t, end: cython.Py_ssize_t) -> str:
    """`text[start:end]` for indexes inside of it, without a second look at the width of its characters."""
    if cython.compiled:
        return PyUnicode_Substring(text, start, end)
    return text[start:end]


def assemble(parts: list, tail: bytes) -> bytes:
    """The Latin-1 octets of all `parts`, and `tail` behind them: "".join() and encode() without what lies
    between.
    """
    if cython.compiled:
        part: str
        size: cython.Py_ssize_t = len(tail)
        for part in parts:
            # CPython stores a text in octets if and only if all of it is Latin-1 (PEP 393).
            if PyUnicode_KIND(part) != PyUnicode_1BYTE_KIND:
                return "".join(parts).encode("latin-1") + tail
            size += len(part)
        made: bytes = PyBytes_FromStringAndSize(cython.NULL, size)
        # The room was summed up above from the same strings, and nobody else has `made` yet.
        to: cython.p_char = made
        for part in parts:
            memcpy(to, PyUnicode_1BYTE_DATA(part), len(part))
            to += len(part)
        memcpy(to, cython.cast(cython.p_char, tail), len(tail))
        return made
    return "".join(parts).encode("latin-1") + tail


def is_token(text: str) -> bool:
    """Whether `text` is a token of RFC 9110 section 5.6.2."""
    return TOKEN.fullmatch(text) is not None
