"""Worker kinds: how each waits, and how it calls the application. The table is text, so that naming a kind
imports nothing.

The arbiter makes them by `cfg.worker_class`. Start reading in `base`, the contract with the arbiter, and
`serving`, what all kinds have of the engine; then `sync`, the smallest kind. `interface` finds out what an
application speaks; `reloader` and `deadlines` are threads that some workers have, `patching` and `hub` what
the gevent kind does with gevent.
"""

from __future__ import annotations

#: Name of a worker kind -> where its class is.
SUPPORTED_WORKERS = {
    "sync": "indrik.workers.sync.SyncWorker",
    "gthread": "indrik.workers.gthread.ThreadWorker",
    "asgi": "indrik.workers.gasgi.ASGIWorker",
    # Gunicorn's three names; here they are one kind.
    "gevent": "indrik.workers.ggevent.GeventWorker",
    "gevent_wsgi": "indrik.workers.ggevent.GeventWorker",
    "gevent_pywsgi": "indrik.workers.ggevent.GeventWorker",
}
