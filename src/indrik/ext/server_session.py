"""The session of one request, as Flask's views see it: a mapping that knows what the request has changed.

It is read from its store when the application first asks for something in it, and each value is parsed when
it is asked for. Whether a value has changed is judged by its text at the end, so that changes inside of lists
and dictionaries count, and whatever was only looked at does not.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any, Protocol

from flask.sessions import SessionMixin

from indrik.sessions.store import Changes, SessionStore

logger = logging.getLogger("indrik.sessions")


class Serializer(Protocol):
    """Flask's `TaggedJSONSerializer`, or what does the same."""

    def dumps(self, value: Any) -> str: ...

    def loads(self, value: str) -> Any: ...


class ServerSession(SessionMixin):
    """The values of one user's session. For the thread or greenlet of one request.

    id: what the client has of it, None without one.
    name: what the store calls it. None if the client has brought none, once the store knows no such session,
    and after `clear`.
    ended: the name of the session that `clear` has ended.
    renewed: whether it is to have a new name.
    is_saved: whether the request's changes were written; what comes later has no effect, and the log says so.
    """

    # Flask sets it as well, since 3.1.3.
    accessed = False

    def __init__(
        self, store: SessionStore, serializer: Serializer, id: str | None = None, name: str | None = None
    ) -> None:
        self._store = store
        self._serializer = serializer
        self.id = id
        self.name = name
        self.ended: str | None = None
        self.renewed = False
        self.is_saved = False
        self._is_marked = False
        # What is in the store; None until it was asked.
        self._stored: dict[str, str] | None = None if name else {}
        # Values that the application has seen or set, and the texts of those seen before it could change
        # them.
        self._values: dict[str, Any] = {}
        self._seen: dict[str, str] = {}
        self._removed: set[str] = set()

    # --- the mapping ---

    def __getitem__(self, key: str) -> Any:
        stored = self._load()
        if key in self._values:
            return self._values[key]
        if key in self._removed:
            raise KeyError(key)
        value = self._values[key] = self._serializer.loads(stored[key])
        # Not the stored text: the application's JSON may have been set up differently when that was written.
        self._seen[key] = self._serializer.dumps(value)
        return value

    def __setitem__(self, key: str, value: Any) -> None:
        if not isinstance(key, str):
            raise TypeError(f"the keys of a session are of type str, not {type(key).__name__}: {key!r}")
        self._check_unsaved(f"session[{key!r}] is set")
        self._load()
        self._values[key] = value
        self._removed.discard(key)

    def __delitem__(self, key: str) -> None:
        if key not in self:
            raise KeyError(key)
        self._check_unsaved(f"session[{key!r}] is deleted")
        self._values.pop(key, None)
        if key in self._load():
            self._removed.add(key)

    def __contains__(self, key: object) -> bool:
        stored = self._load()
        return key in self._values or (key in stored and key not in self._removed)

    def __iter__(self) -> Iterator[str]:
        stored = self._load()
        yield from [key for key in stored if key not in self._removed]
        yield from [key for key in self._values if key not in stored]

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {dict(self)!r}>"

    def clear(self) -> None:
        """Ends the session: for everybody who has it, now and later. What is set afterwards belongs to a new
        one.

        So a logout by `clear` cannot be undone by a slower request, and a login that begins with it is safe
        from session fixation.
        """
        self._check_unsaved("the session is cleared")
        self.accessed = True
        self.ended = self.name or self.ended
        self.name = None
        self.renewed = False
        self._stored = {}
        self._values.clear()
        self._seen.clear()
        self._removed.clear()

    # --- beyond a mapping ---

    def regenerate(self) -> None:
        """Gives the session a new id and keeps its values: to be called where a user gets more rights,
        against session fixation. The old id is worth nothing from then on, also for requests in progress.
        """
        self._check_unsaved("the session gets a new id")
        self.accessed = True
        self.renewed = True

    @property
    def new(self) -> bool:  # type: ignore[override]
        """Whether the client has brought no session, or one that has ended."""
        self._load()
        return self.name is None

    @property
    def modified(self) -> bool:
        """Whether the request has changed something. To set it is never needed; it sends the cookie again."""
        return self._is_marked or self.renewed or self.ended is not None or bool(self.changes())

    @modified.setter
    def modified(self, value: bool) -> None:
        self._is_marked = bool(value)

    def changes(self) -> Changes:
        """What the request has changed so far. Raises `TypeError` for a value that cannot be serialised."""
        stored = self._stored or {}
        added, changed = {}, {}
        for key, value in self._values.items():
            try:
                text = self._serializer.dumps(value)
            except (TypeError, ValueError) as error:
                raise TypeError(f"session[{key!r}] cannot be kept as JSON: {error}") from error
            if key not in stored:
                added[key] = text
            elif text != self._seen.get(key, stored[key]):
                changed[key] = text
        return Changes(added, frozenset(self._removed), changed)

    def _load(self) -> dict[str, str]:
        self.accessed = True
        if self._stored is None:
            assert self.name is not None
            found = self._store.load(self.name)
            if found is None:
                self.name = None
            self._stored = found or {}
        return self._stored

    def _check_unsaved(self, what: str) -> None:
        if self.is_saved:
            logger.warning(
                "%s, which has no effect: sessions are saved before the response begins",
                what,
                stack_info=True,
            )
