"""Escaping of what clients send, so that no value can end a log line, leave its quotes or start a second
line."""

from __future__ import annotations

import re

_UNSAFE = re.compile(r"[^ !#-\[\]-~]")
_UNSAFE_UNQUOTED = re.compile(r"[^!#-\[\]-~]")


def needs_escape(text: str) -> bool:
    """Whether `escape` would change `text`; several times cheaper than a search with an expression."""
    return not (text.isascii() and text.isprintable()) or '"' in text or "\\" in text


def escape(text: str) -> str:
    r"""`text` with every double quote, backslash, control and non-ASCII character written as `\xhh`.

    WSGI strings carry bytes as latin-1 (PEP 3333), so a character up to U+00FF is one byte and one `\xhh`.
    A character beyond is written as the bytes of its UTF-8 form."""
    return _UNSAFE.sub(_hex, text) if needs_escape(text) else text


def escape_unquoted(text: str) -> str:
    """As `escape`, spaces included: for values that stand without quotes, where a space would add a
    column."""
    return _UNSAFE_UNQUOTED.sub(_hex, text)


def _hex(match: re.Match[str]) -> str:
    character = match.group()
    code = ord(character)
    if code <= 0xFF:
        return f"\\x{code:02x}"
    if 0xDC80 <= code <= 0xDCFF:  # PEP 383: an undecodable byte of the operating system
        return f"\\x{code - 0xDC00:02x}"
    return "".join(f"\\x{byte:02x}" for byte in character.encode("utf-8", "surrogatepass"))
