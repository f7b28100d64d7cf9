"""What a store of sessions promises: `SessionStore`, the only thing that whoever keeps sessions calls.

A session is there or it is not. `create` alone makes one, under a name that nobody has used before; every
other step changes only what is there. So the absence of a session is the mark that it has ended: what a slow
request writes to one that was ended, or renamed, meanwhile is dropped, and no order of steps brings it back.
"""

from __future__ import annotations

import enum
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from indrik.errors import IndrikError


class SessionStoreError(IndrikError):
    """Sessions cannot be read or written now: the store is locked for too long, unwritable, full or no
    store.
    """


class Outcome(enum.Enum):
    """What became of a session that was to be changed."""

    KEPT = "kept"
    #: The change took its last value away, and it has ended.
    EMPTIED = "emptied"
    #: It had ended before, and nothing was written.
    GONE = "gone"


@dataclass(frozen=True)
class Changes:
    """What one request has changed: the values of these keys, and keys that it has taken out."""

    values: Mapping[str, str] = field(default_factory=dict)
    removed: Collection[str] = frozenset()

    def __bool__(self) -> bool:
        return bool(self.values or self.removed)


class SessionStore(Protocol):
    """Sessions by name. For every thread, greenlet and process at once; each method is one atomic step.

    name: text of the letters and digits of ASCII, nothing that a client knows. expires: seconds since the
    epoch; a session whose time has come counts as ended. Every method raises `SessionStoreError`, and has
    changed nothing then.
    """

    def load(self, name: str) -> dict[str, str] | None:
        """The values of a session by their keys; None if it is not there."""

    def create(self, name: str, values: Mapping[str, str], expires: float) -> None:
        """Makes a session under a name that is new."""

    def update(self, name: str, changes: Changes, expires: float, new_name: str | None = None) -> Outcome:
        """Changes the keys of a session that `changes` has, and no other; the last writer of a key wins. With
        `new_name` it has that name from now on, and none of the old one's.
        """

    def touch(self, name: str, expires: float, slack: float) -> bool:
        """Lets a session end at `expires`, or up to `slack` seconds before if that saves writing. Whether it
        is there.
        """

    def delete(self, name: str) -> None:
        """Ends a session, if it is there."""
