"""The worker kinds as tests go through them: what a kind calls, the ways to run it, and which checks have a
server together.
"""

from __future__ import annotations

from indrik.testing import check_names, sharing_names
from indrik.workers import SUPPORTED_WORKERS

#: Interface of the kinds that do not call WSGI applications.
INTERFACES = {"asgi": "asgi"}

#: More ways to run a kind than as it comes.
VARIANTS: dict[str, tuple[tuple[str, ...], ...]] = {"gthread": (("--threads", "4"),)}

#: One name for each class: several may stand for the same.
NAMES = list({path: kind for kind, path in reversed(SUPPORTED_WORKERS.items())}.values())[::-1]

#: Kind and options of every way.
KINDS = [(kind, options) for kind in NAMES for options in ((), *VARIANTS.get(kind, ()))]

#: Checks for one test: those that have one server, and those that ask it what the kind is able to do.
TOGETHER = (*sharing_names(), "is_aborted_when_silent", "beats_beside_a_request")

#: Checks for a test each, because they have a server of their own.
ALONE = tuple(name for name in check_names() if name not in TOGETHER)


def name_of(way: tuple[str, tuple[str, ...]]) -> str:
    """The name of one way in the name of a test."""
    kind, options = way
    return " ".join((kind, *options))


def interface_of(kind: str) -> str:
    """What the kind calls."""
    return INTERFACES.get(kind, "wsgi")
