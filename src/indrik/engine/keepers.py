"""Requests that belong to another worker for what is in its memory, or for the code that it has loaded: rules
beside `sticky`, for development.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from indrik.engine.siblings import Sibling, Siblings
from indrik.engine.sticky import slot_number
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
        """The successor with the least to do; None: this worker, for there is no other."""
        generation = self.siblings.generation
        coming = [one for one in self.siblings.others if one.neighbour.is_coming(generation)]
        return min(coming, key=self._wait, default=None)

    def new_cookie(self, request: Request) -> str:
        """None: the client stays nowhere."""
        return ""

    def _wait(self, sibling: Sibling) -> tuple[bool, int]:
        return not sibling.neighbour.is_serving(self.siblings.generation), sibling.under_way()
