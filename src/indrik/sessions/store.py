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
    """What one request has done to a session.

    added: values of keys that it did not find. removed: keys that it has taken out. changed: values of keys
    that it found; such a value is written only where the key still is, for another request may have taken it
    out meanwhile, a logout say.
    """

    added: Mapping[str, str] = field(default_factory=dict)
    removed: Collection[str] = frozenset()
    changed: Mapping[str, str] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.added or self.removed or self.changed)


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
        """Changes the keys of a session that `changes` has, and no other; of two that write a key the last
        one wins. With `new_name` it has that name from now on, and is not to be found by the old one.
        """

    def touch(self, name: str, expires: float, slack: float) -> bool:
        """Lets a session end at `expires`, or up to `slack` seconds before if that saves writing. Whether it
        is there.
        """

    def delete(self, name: str) -> None:
        """Ends a session, if it is there."""
