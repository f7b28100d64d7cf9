"""Which content coding of a representation a client would rather have (RFC 9110 section 12.5.3)."""

from __future__ import annotations

import re
from collections.abc import Sequence

_ITEM = re.compile(
    r"(?P<coding>[!#$%&'*+\-.^_`|~0-9A-Za-z]+)"
    r"(?:[ \t]*;[ \t]*[qQ]=(?P<weight>0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?))?"
)

#: No coding: the representation as it is.
IDENTITY = ""


def choose_coding(accepted: str, available: Sequence[str]) -> str:
    """The one of `available` that `accepted`, the value of Accept-Encoding, weighs most; `IDENTITY` if none
    is acceptable or the client likes that better. Of equals the first of `available`.

    What is malformed in the list counts for nothing: plain octets are what every client understands, also one
    that refuses them.
    """
    weights: dict[str, float] = {}
    for item in accepted.split(","):
        found = _ITEM.fullmatch(item.strip(" \t"))
        if found is not None:
            coding = found["coding"].lower().removeprefix("x-")
            weights[coding] = float(found["weight"] or 1)
    others = weights.get("*", 0.0)
    best, chosen = weights.get("identity", 0.0), IDENTITY
    for coding in available:
        weight = weights.get(coding, others)
        if weight > best or (weight and weight == best and chosen == IDENTITY):
            best, chosen = weight, coding
    return chosen
