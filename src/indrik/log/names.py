"""The server's two loggers, and the Gunicorn names under which they answer too.

Policy kept here only: `gunicorn`, `gunicorn.error` and `gunicorn.access` are the same logger objects as
`indrik`, `indrik.error` and `indrik.access`. So one logging configuration, one filter in a
configuration file, or an application that borrows the handlers of `gunicorn.error` works under both servers
without a word about either."""

from __future__ import annotations

import logging

PARENT = "indrik"
ERROR = "indrik.error"
ACCESS = "indrik.access"

#: Gunicorn's name -> ours; the parent first, so that the children find it when they are linked.
GUNICORN_NAMES = {"gunicorn": PARENT, "gunicorn.error": ERROR, "gunicorn.access": ACCESS}


def share_gunicorn_names() -> None:
    """Make each of Gunicorn's logger names mean our logger. May be called again; the second call changes
    nothing.

    A configuration file often calls `getLogger("gunicorn.error")` before the server has made its own
    loggers. Such an object is kept alive by its holder, so replacing the registry's entry is not enough: it
    is given the state of ours (one `__dict__` for both), and what had been attached to it moves over."""
    registry = logging.Logger.manager.loggerDict
    for name, own_name in GUNICORN_NAMES.items():
        own = logging.getLogger(own_name)
        known = registry.get(name)
        if known is own:
            continue
        if isinstance(known, logging.Logger):
            _take_over(known, own)
        elif isinstance(known, logging.PlaceHolder):
            for child in known.loggerMap:
                if child.parent in (logging.root, own.parent):
                    child.parent = own
        registry[name] = own


def _take_over(known: logging.Logger, own: logging.Logger) -> None:
    for handler in known.handlers:
        own.addHandler(handler)
    for filter_ in known.filters:
        own.addFilter(filter_)
    if own.level == logging.NOTSET and known.level != logging.NOTSET:
        own.setLevel(known.level)
    known.__dict__ = own.__dict__
