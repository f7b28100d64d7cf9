"""What a row of the page is: a point of a specification, its probe, and what indrik does and why."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TypeAlias

from conformance.outcome import Outcome

#: Between two pieces of a probe: wait until an answer has come, or for long enough to know that none does.
PAUSE = "pause"
#: The client ends its sending side.
END = "end"

Step: TypeAlias = "bytes | str"


@dataclass(frozen=True)
class Row:
    """One point, measured by one conversation on a connection of its own.

    key: the row's name in the file of measurements. point: what is probed, in words. source: where it is
    written. steps: what the client does. indrik: what must come of it, which the test suite verifies.
    why: the reason, with the setting that changes it if there is one. shows: what is looked at, as
    `conversation.view` names it. answers: final answers to wait for. head: the request is a HEAD.
    shows_end: whether the page tells what becomes of the connection. options: a set of `servers.OPTIONS`.
    only_wsgi: whether the probe needs an interface that is WSGI.
    """

    key: str
    point: str
    source: str
    steps: tuple[Step, ...]
    indrik: Outcome
    why: str
    shows: tuple[str, ...] = ()
    answers: int = 1
    head: bool = False
    shows_end: bool = False
    options: str = ""
    only_wsgi: bool = False

    @property
    def is_response(self) -> bool:
        """Whether the point is about what the application answers."""
        return any(b"/respond/" in step for step in self.steps if isinstance(step, bytes))

    def digest(self) -> str:
        """Changes when what is measured changes, so that a measurement of something else is noticed."""
        measured = (self.steps, self.shows, self.answers, self.head, self.options, self.only_wsgi)
        return hashlib.sha256(repr(measured).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Patience:
    """One point about time: how long a server waits when the client does not go on.

    steps: what the client does before it falls silent. setting: indrik's, in seconds. status: indrik's
    answer when the time is up, None if it only closes. answers: final answers that come before the silence.
    drip: what the client goes on to send, again and again, instead of falling silent.
    """

    key: str
    point: str
    source: str
    steps: tuple[Step, ...]
    setting: str
    status: int | None
    why: str
    answers: int = 0
    drip: bytes = b""

    @property
    def flag(self) -> str:
        """The setting's flag on the command line."""
        return {"keepalive": "--keep-alive"}.get(self.setting, "--" + self.setting.replace("_", "-"))

    def digest(self) -> str:
        """As for a `Row`."""
        return hashlib.sha256(repr((self.steps, self.answers, self.drip)).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Topic:
    """A section of the page."""

    title: str
    rows: tuple[Row, ...]
    introduction: str = ""
