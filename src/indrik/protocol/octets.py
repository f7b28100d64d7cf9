"""Octet classes of RFC 9110 section 5.6 and the scans that use them."""

from __future__ import annotations

import re

import cython

#: RFC 9110 section 5.6.2.
TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")

#: What never stands in a head: every control but HTAB, CR and LF (RFC 9110 section 5.5); DEL too.
FORBIDDEN = bytes(octet for octet in (*range(32), 127) if octet not in b"\t\r\n")

#: 1: forbidden, 2: CR or LF, 0: anything else. Looked up by the compiled scan.
_CLASS = bytes(1 if octet in FORBIDDEN else 2 if octet in b"\r\n" else 0 for octet in range(256))


def first_forbidden(data: bytes, start: cython.Py_ssize_t, end: cython.Py_ssize_t) -> cython.Py_ssize_t:
    """Index of the first octet in `data[start:end]` that no head may hold, or -1.

    That is a control other than HTAB, a CR without LF behind it, or an LF without CR before it (RFC 9112 section 2.2
    lets a server take a bare LF for a line end; doing so is how requests get smuggled, so it is refused). `start` must
    be the first octet of a line and `end` stand behind a CRLF.
    """
    if cython.compiled:
        # 0 <= start <= end <= len(data) is checked here, so no index below leaves `data`.
        if start < 0 or end > len(data):
            raise IndexError("scan outside of the data")
        octets: cython.p_uchar = data
        classes: cython.p_uchar = _CLASS
        index: cython.Py_ssize_t = start
        while index < end:
            if octets[index] < 128 and classes[octets[index]] != 0:
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


def is_plain(text: str) -> cython.bint:
    """Whether `text` is printable ASCII throughout: a field value that needs no closer look."""
    if cython.compiled:
        letter: cython.Py_UCS4
        for letter in text:
            if letter < 32 or letter > 126:
                return False
        return True
    return text.isascii() and text.isprintable()


def is_token(text: str) -> bool:
    """Whether `text` is a token of RFC 9110 section 5.6.2."""
    return TOKEN.fullmatch(text) is not None
