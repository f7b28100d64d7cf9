"""For applications of Flask: sessions that are kept on the server.

    from indrik.flask import Session
    Session(app)

Views use `flask.session` as before. Parallel requests of one user lose nothing: each writes only the keys
that it has changed. A session that has ended stays so, whatever a slower request writes.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from indrik.ext.server_session import ServerSession
from indrik.ext.session_interface import ServerSessionInterface
from indrik.sessions.sqlite import SQLiteStore
from indrik.sessions.store import Changes, Outcome, SessionStore, SessionStoreError

if TYPE_CHECKING:
    from flask import Flask

__all__ = [
    "Session",
    "ServerSession",
    "ServerSessionInterface",
    "SessionStoreError",
    "SessionStore",
    "SQLiteStore",
    "Changes",
    "Outcome",
]


class Session:
    """The extension: Flask applications whose sessions are kept in a store.

    store: where; without one, for each application a file of SQLite. Its name is the configuration's
    SESSION_DATABASE, below the instance folder if it is not absolute; `sessions.sqlite3` if there is none.
    """

    def __init__(self, app: Flask | None = None, store: SessionStore | None = None) -> None:
        self._store = store
        if app is not None:
            self.init_app(app)

    def init_app(self, app: Flask) -> None:
        """Has `app` keep its sessions there. Its configuration must be complete in what concerns sessions."""
        store = self._store
        if store is None:
            file = app.config.setdefault("SESSION_DATABASE", "sessions.sqlite3")
            store = SQLiteStore(os.path.join(app.instance_path, file))
        app.session_interface = ServerSessionInterface(store)
        app.extensions["indrik_session"] = self
