"""Which parts of a representation a Range field asks for (RFC 9110 section 14)."""

from __future__ import annotations

import re
from itertools import pairwise

#: More parts than this are an attack or a mistake; the field is ignored then (RFC 9110 section 14.2).
MOST_RANGES = 16

_SPEC = re.compile(r"(?P<first>\d+)-(?P<last>\d*)|-(?P<suffix>\d+)", re.ASCII)

#: Longer numbers are beyond every file, and Python takes no number of any length.
_MOST_DIGITS = 18


def parse_ranges(value: str, size: int) -> list[tuple[int, int]] | None:
    """The parts as (first byte, byte behind the last), in the client's order.

    None: the field is to be ignored, because it is malformed, of another unit, of too many parts or of parts
    that overlap. An empty list: no part of it lies within `size` bytes (416).
    """
    unit, equals, text = value.partition("=")
    if not equals or unit.strip().lower() != "bytes":
        return None
    specs = [spec for spec in (part.strip(" \t") for part in text.split(",")) if spec]
    if not specs or len(specs) > MOST_RANGES:
        return None
    found: list[tuple[int, int]] = []
    for spec in specs:
        match = _SPEC.fullmatch(spec)
        if match is None:
            return None
        if match["suffix"] is not None:
            length = min(_number(match["suffix"]), size)
            if length:
                found.append((size - length, size))
            elif size == 0 and _number(match["suffix"]):
                # The last bytes of nothing are nothing: satisfiable, and no part of it can be named.
                return None
            continue
        first = _number(match["first"])
        stop = _number(match["last"]) + 1 if match["last"] else size
        if match["last"] and stop <= first:
            return None
        if first < size:
            found.append((first, min(stop, size)))
    if any(one[1] > following[0] for one, following in pairwise(sorted(found))):
        return None
    return found


def _number(digits: str) -> int:
    digits = digits.lstrip("0")
    return int(digits or "0") if len(digits) <= _MOST_DIGITS else 10**_MOST_DIGITS
