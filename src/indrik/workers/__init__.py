"""Worker kinds. The table is text, so that naming a kind imports nothing."""

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
