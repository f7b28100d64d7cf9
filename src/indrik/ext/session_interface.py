"""Flask's session interface (flask.sessions.SessionInterface) on a store: which session a request has, what
is written at its end, and which cookie the client gets.

The cookie holds 256 random bits and nothing else; the store knows only their SHA-256, so that who reads a
copy of it cannot take over a session. An id that the store does not know is never taken on. Every cookie is
decided by the store's answer: a request whose session has ended meanwhile sends none, for it could overwrite
that of a new login.
"""

from __future__ import annotations

import enum
import hashlib
import re
import secrets
import time
from typing import TYPE_CHECKING, Any

from flask.sessions import SessionInterface, session_json_serializer

from indrik.ext.server_session import ServerSession, logger
from indrik.sessions.store import Changes, Outcome, SessionStore, SessionStoreError

if TYPE_CHECKING:
    from flask import Flask, Request, Response
    from flask.sessions import SessionMixin

#: What `secrets.token_urlsafe(32)` looks like.
_ID = re.compile(r"[A-Za-z0-9_-]{43}")

#: A session may end this much before its time, as a part of its life and in seconds, so that not each request
#: writes.
_SLACK_PART, _MOST_SLACK = 0.01, 60.0


class _Cookie(enum.Enum):
    """What the response does with the client's cookie."""

    LEAVE = "leave"
    SET = "set"
    DELETE = "delete"


class ServerSessionInterface(SessionInterface):
    """Sessions in `store`. All about the cookie and a session's life comes from Flask's own configuration."""

    serializer = session_json_serializer
    session_class = ServerSession

    def __init__(self, store: SessionStore) -> None:
        self.store = store

    def open_session(self, app: Flask, request: Request) -> ServerSession:
        """The session of a request. The store is not asked yet."""
        id = request.cookies.get(self.get_cookie_name(app), "")
        name = _name_of(id) if _ID.fullmatch(id) else None
        return self.session_class(self.store, self.serializer, id if name else None, name)

    def should_set_cookie(self, app: Flask, session: SessionMixin) -> bool:
        """As Flask's own, but a session that is not looked at is not read where that changes nothing."""
        refreshes = app.config["SESSION_REFRESH_EACH_REQUEST"]
        return session.modified or bool(refreshes and session.permanent)

    def save_session(self, app: Flask, session: SessionMixin, response: Response) -> None:
        """Writes what the request has changed, and sets the cookie. Before the response begins.

        Raises `SessionStoreError` when something has changed and cannot be written: Flask answers with 500,
        and the client is never told that what it did was kept.
        """
        # None: the request has failed before it had a session. Saved: it fails a second time, on its way to
        # 500.
        if not isinstance(session, ServerSession) or session.is_saved:
            return
        if session.accessed:
            response.vary.add("Cookie")
        session.is_saved = True
        changes = session.changes()
        if changes or session.renewed or session.ended is not None:
            cookie = self._write(app, session, changes)
        else:
            cookie = self._prolong(app, session)
        if cookie is not _Cookie.LEAVE:
            self._set_cookie(app, session, response, cookie)

    def _write(self, app: Flask, session: ServerSession, changes: Changes) -> _Cookie:
        expires = time.time() + app.permanent_session_lifetime.total_seconds()
        if session.ended is not None:
            self.store.delete(session.ended)
        old = session.name
        if old is None:
            # Many an application makes every session permanent; a row for each passing robot is of no use.
            if not set(changes.added) - {"_permanent"}:
                return _Cookie.LEAVE if session.ended is None else _Cookie.DELETE
            self.store.create(self._rename(session), changes.added, expires)
            return _Cookie.SET
        outcome = self.store.update(old, changes, expires, self._rename(session) if session.renewed else None)
        if outcome is Outcome.GONE:
            logger.info("what a request has changed in a session that ended meanwhile was dropped")
            return _Cookie.LEAVE
        return _Cookie.SET if outcome is Outcome.KEPT else _Cookie.DELETE

    def _prolong(self, app: Flask, session: ServerSession) -> _Cookie:
        name = session.name
        if name is None:
            return _Cookie.LEAVE
        life = app.permanent_session_lifetime.total_seconds()
        try:
            if self.should_set_cookie(app, session) and self.store.touch(
                name, time.time() + life, min(life * _SLACK_PART, _MOST_SLACK)
            ):
                return _Cookie.SET
        except SessionStoreError as error:
            # Nothing is lost that anybody was told of, and the application may not even have looked.
            logger.warning("a session was not prolonged: %s", error)
        return _Cookie.LEAVE

    def _rename(self, session: ServerSession) -> str:
        session.id = secrets.token_urlsafe(32)
        session.name = _name_of(session.id)
        return session.name

    def _set_cookie(
        self, app: Flask, session: ServerSession, response: Response, cookie: _Cookie
    ) -> None:
        name = self.get_cookie_name(app)
        attributes: dict[str, Any] = {
            "domain": self.get_cookie_domain(app),
            "path": self.get_cookie_path(app),
            "secure": self.get_cookie_secure(app),
            "httponly": self.get_cookie_httponly(app),
            "samesite": self.get_cookie_samesite(app),
            "partitioned": self.get_cookie_partitioned(app),
        }
        if cookie is _Cookie.DELETE:
            response.delete_cookie(name, **attributes)
        else:
            assert session.id is not None
            expires = self.get_expiration_time(app, session)
            response.set_cookie(name, session.id, expires=expires, **attributes)
        response.vary.add("Cookie")


def _name_of(id: str) -> str:
    """What the store calls the session with this id."""
    return hashlib.sha256(id.encode("ascii")).hexdigest()
