"""The worker kinds as tests go through them: what a kind calls, and the ways to run it."""

from __future__ import annotations

from indrik.workers import SUPPORTED_WORKERS

#: Interface of the kinds that do not call WSGI applications.
INTERFACES = {"asgi": "asgi"}

#: More ways to run a kind than as it comes.
VARIANTS: dict[str, tuple[tuple[str, ...], ...]] = {"gthread": (("--threads", "4"),)}

#: One name for each class: several may stand for the same.
NAMES = list({path: kind for kind, path in reversed(SUPPORTED_WORKERS.items())}.values())[::-1]

#: Kind and options of every way.
KINDS = [(kind, options) for kind in NAMES for options in ((), *VARIANTS.get(kind, ()))]


def name_of(way: tuple[str, tuple[str, ...]]) -> str:
    """The name of one way in the name of a test."""
    kind, options = way
    return " ".join((kind, *options))


def interface_of(kind: str) -> str:
    """What the kind calls."""
    return INTERFACES.get(kind, "wsgi")
