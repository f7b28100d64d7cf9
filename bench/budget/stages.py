"""The stages of a request, and the functions that each of them begins with.

A function is called what it is called in Python, below `indrik`; its compiled names are found by Cython's
rules. A function is `inside` another one when it is only called from there, at whatever depth: the other's
stage then has what is left of it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from bench.budget.profile import Profile

ACCEPT, READ, PARSE, BUILD, CALL, RENDER, SEND, BOOKKEEPING = (
    "accept",
    "read",
    "parse",
    "build",
    "call",
    "render",
    "send",
    "bookkeeping",
)

# What a stage is, for the page.
MEANING: Mapping[str, str] = {
    ACCEPT: "accepting and closing: what a request on a connection of its own costs more",
    READ: "reading, the state of the connection",
    PARSE: "parsing the head",
    BUILD: "environ or scope",
    CALL: "the call, its context, the application itself, giving everything back",
    RENDER: "judging status and fields, framing, rendering",
    SEND: "sending",
    BOOKKEEPING: "the rest: waiting, the turn, the clock, scoreboard, timers, the end of the exchange",
}


class Renamed(Exception):
    """A function of the table is not in the compiled code that ran."""


@dataclass(frozen=True)
class Part:
    """One function, the stage that it belongs to, and the function that it is inside of."""

    function: str
    stage: str
    inside: str = ""


READING = "engine.connection.Connection.on_readable"
WSGI = "gateway.wsgi.WSGIGateway.handle"
RESULT = "gateway.wsgi.StartResponse.send_result"
ASGI = "gateway.asgi.ASGIGateway.handle"
MESSAGE = "gateway.http_cycle.HTTPCycle.send"
FINISH = "engine.connection.Connection.finish"

COMMON = (Part(READING, READ), Part("protocol.head.HeadParser.parse", PARSE, READING))
WSGI_PARTS = (
    *COMMON,
    Part(WSGI, CALL),
    Part("gateway.environ.EnvironBuilder.build", BUILD, WSGI),
    Part("gateway.wsgi.StartResponse.__call__", RENDER, WSGI),
    Part(RESULT, RENDER, WSGI),
    Part("engine.sender.Sender.send", SEND, RESULT),
    Part(FINISH, BOOKKEEPING, RESULT),
)
ASGI_PARTS = (
    *COMMON,
    Part(ASGI, CALL),
    Part("gateway.scope.ScopeBuilder.build", BUILD, ASGI),
    Part(MESSAGE, RENDER, ASGI),
    Part("engine.sender.Sender.send", SEND, MESSAGE),
    Part(FINISH, BOOKKEEPING, MESSAGE),
)


@dataclass(frozen=True)
class Kind:
    """A kind of worker: what the command line says of it, the application's module, and its parts.

    unsteady: stages that have no budget, because what they cost depends on time, and callgrind makes all take
    so many times longer on one machine and so many on another. The end of a connection comes with the next
    one, or by itself and takes a turn of the loop of its own.
    """

    name: str
    options: str
    module: str
    parts: Sequence[Part]
    unsteady: Sequence[str] = (ACCEPT,)

    def where(self, stage: str) -> list[str]:
        """The functions that a stage begins with."""
        return [part.function for part in self.parts if part.stage == stage]


KINDS: tuple[Kind, ...] = (
    Kind("sync", "-k sync", "apps", WSGI_PARTS),
    # A thread that has been in the application for long hands the loop over.
    Kind("gthread", "-k gthread --threads 4", "apps", WSGI_PARTS, unsteady=(ACCEPT, BOOKKEEPING)),
    Kind("asgi", "-k asgi --asgi-loop uvloop", "asgi_apps", ASGI_PARTS),
)

UNSTEADY = {kind.name: kind.unsteady for kind in KINDS}


def compiled_name(function: str) -> re.Pattern[str]:
    """What Cython and gcc call a function: C function, wrapper or body, the last two with a number before the
    name; gcc adds suffixes to what it has split or specialized.
    """
    *scopes, name = ["indrik", *function.split(".")]
    path = "".join(f"{len(scope)}{scope}_" for scope in scopes)
    return re.compile(rf"__pyx_(?:f|pw|pf)_{path}\d*{re.escape(name)}(?:\.\w+)*")


def found(function: str, names: Iterable[str]) -> set[str]:
    """The names that are this function's. Renamed if there are none."""
    pattern = compiled_name(function)
    matching = {name for name in names if pattern.fullmatch(name)}
    if not matching:
        raise Renamed(
            f"no function indrik.{function} ran: it was renamed, or is not called there any more, or the"
            " build has lost its symbols. Correct the table in bench/budget/stages.py"
        )
    return matching


def split(parts: Sequence[Part], profile: Profile) -> dict[str, int]:
    """The profile's instructions by stage; BOOKKEEPING has what belongs to no other. Renamed for a part
    that did not run.
    """
    names = profile.names()
    cost = {part.function: profile.inclusive(found(part.function, names)) for part in parts}
    stages = dict.fromkeys((part.stage for part in parts), 0)
    stages[BOOKKEEPING] = profile.total - sum(cost[part.function] for part in parts if not part.inside)
    for part in parts:
        inner = sum(cost[other.function] for other in parts if other.inside == part.function)
        stages[part.stage] = stages.get(part.stage, 0) + cost[part.function] - inner
    return stages
