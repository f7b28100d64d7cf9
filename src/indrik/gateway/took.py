"""How long a request took, in the form that loggers get it."""

from __future__ import annotations

import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import cython
else:
    from indrik import uncompiled as cython

if cython.compiled:
    from cython.cimports.cpython.datetime import import_datetime, timedelta_new

    import_datetime()

from indrik.engine.exchange import Exchange
from indrik.engine.transport import monotonic


def time_taken(exchange: Exchange) -> datetime.timedelta:
    """The time since the handler began with the request."""
    seconds: cython.double = monotonic() - exchange.started_at
    if cython.compiled:
        # What timedelta() does with a float costs twenty times as much as the rest.
        whole: cython.int = cython.cast(cython.int, seconds)
        return timedelta_new(0, whole, cython.cast(cython.int, (seconds - whole) * 1e6 + 0.5))
    return datetime.timedelta(0, seconds)
