"""Requests that belong to another worker for what is in its memory, or for the code that it has loaded: rules
beside `sticky`, for development.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from indrik.engine.siblings import Sibling, Siblings, slot_number
from indrik.protocol.request import Request

if TYPE_CHECKING:
    from indrik.engine.context import Rule

#: In the query of every request of Werkzeug's debugger but the first, and of nothing else.
_MARK = "__debugger__=yes"


class DebuggerRule:
    """Requests of a traceback that is open in a browser belong to the worker that keeps its frames: the
    secret that they bring ends with the number of its slot. All others are `other`'s, the rule of `sticky`.
    Engine thread only.
    """

    def __init__(self, siblings: Siblings, other: Rule | None) -> None:
        self.siblings = siblings
        self._other = other
        self._by_number = {sibling.number: sibling for sibling in siblings.others}

    def find(self, request: Request, peer: tuple[str, int] | None) -> Sibling | None:
        """The worker that `request` belongs to; None: this one."""
        if _MARK not in request.query:
            return None if self._other is None else self._other.find(request, peer)
        for pair in request.query.split("&"):
            name, _, value = pair.partition("=")
            if name == "s":
                sibling = self._by_number.get(slot_number(value.rpartition("-")[2]))
                if sibling is not None and sibling.neighbour.is_serving(self.siblings.generation):
                    return sibling
                return None
        return None

    def new_cookie(self, request: Request) -> str:
        """As `Sticky.new_cookie`; what the debugger asks says nothing of where the client belongs."""
        return "" if self._other is None or _MARK in request.query else self._other.new_cookie(request)


class SuccessorsRule:
    """Every request belongs to a worker that has come, or is coming, after this one, which has old code.
    Engine thread only.
    """

    def __init__(self, siblings: Siblings) -> None:
        self.siblings = siblings

    def find(self, request: Request, peer: tuple[str, int] | None) -> Sibling | None:
        """As `best`, for any request."""
        return self.best()

    def best(self) -> Sibling | None:
        """The successor with the best prospects; None: there is none.

        One that leaves already knows where to pass it on to. Only such that have come later are asked, so
        nothing goes round in a circle.
        """
        found: Sibling | None = None
        best = (1, 0)
        for sibling in self.siblings.others:
            neighbour = sibling.neighbour
            prospect = neighbour.prospect(self.siblings.generation)
            if prospect > 1 or (prospect == 1 and neighbour.age() > self.siblings.slot.age):
                rank = (prospect, -sibling.under_way())
                if found is None or rank > best:
                    found, best = sibling, rank
        return found

    def new_cookie(self, request: Request) -> str:
        """None: the client stays nowhere."""
        return ""
