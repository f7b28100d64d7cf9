"""Sticky requests: to which worker a request belongs that must meet what an earlier one has left in memory.

`cookie`: the worker that answers a client first has it keep a cookie with its slot's number. `query`,
`header` and `ip`: the value itself chooses among the workers that serve now, by rendezvous hashing, so that
when one is gone only its own clients are given to others. A request that came to the wrong worker goes on to
the right one with its connection and everything that was read, before anything of its body is looked at.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import cython
else:
    from indrik import uncompiled as cython

from indrik.engine.siblings import Sibling, Siblings, slot_number
from indrik.protocol.request import Request


class Sticky:
    """One rule. Engine thread only.

    kind: cookie, query, header or ip; name: of the cookie, the parameter or the field.
    """

    def __init__(self, kind: str, name: str, siblings: Siblings) -> None:
        self.kind = kind
        self.name = name.upper() if kind == "header" else name
        self.siblings = siblings
        self._by_number = {sibling.number: sibling for sibling in siblings.others}
        self._number = siblings.slot.number
        self._cookie = f"\r\nSet-Cookie: {name}={self._number}; Path=/; HttpOnly; SameSite=Lax"

    def find(self, request: Request, peer: tuple[str, int] | None) -> Sibling | None:
        """The worker that `request` belongs to; None: this one."""
        if self.kind == "cookie":
            return self._serving(self._number_in(request))
        value = self._value_of(request, peer)
        return None if not value else self._chosen_by(value)

    def new_cookie(self, request: Request) -> str:
        """The line break and the field that the response to `request`, which stays here, must have; empty for
        none.
        """
        if self.kind != "cookie" or self._number_in(request) == self._number:
            return ""
        return self._cookie if self.siblings.is_serving() else ""

    def _serving(self, number: int) -> Sibling | None:
        sibling = self._by_number.get(number)
        if sibling is None or not sibling.neighbour.is_serving(self.siblings.generation):
            return None
        return sibling

    # --- what the client has sent

    def _number_in(self, request: Request) -> int:
        """The slot in the first cookie of the name, -1 for none."""
        for field, value in zip(request.names, request.values, strict=True):
            if field[0] != "COOKIE":
                continue
            for pair in value.split(";"):
                name, _, text = pair.partition("=")
                if name.strip(" \t") == self.name:
                    return slot_number(text.strip(" \t"))
        return -1

    def _value_of(self, request: Request, peer: tuple[str, int] | None) -> str:
        if self.kind == "ip":
            return "" if peer is None else peer[0]
        if self.kind == "header":
            for field, value in zip(request.names, request.values, strict=True):
                if field[0] == self.name:
                    return str(value)
            return ""
        for pair in request.query.split("&"):
            name, _, value = pair.partition("=")
            if name == self.name:
                return str(value)
        return ""

    # --- the choice

    def _chosen_by(self, value: str) -> Sibling | None:
        """The sibling with the highest score for `value`; None if it is this worker."""
        best = _score(value, self._number) if self.siblings.is_serving() else b""
        found: Sibling | None = None
        for number in self._by_number:
            sibling = self._serving(number)
            if sibling is not None:
                score = _score(value, number)
                if score > best:
                    best, found = score, sibling
        return found


def _score(value: str, number: cython.int) -> bytes:
    """Of slot `number` for `value`: the same in every process, unlike `hash`."""
    import hashlib  # late: it loads OpenSSL, and most servers do without

    return hashlib.blake2b(value.encode("latin-1", "replace"), digest_size=8, salt=b"%d" % number).digest()
