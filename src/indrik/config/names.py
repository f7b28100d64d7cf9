"""Names of Gunicorn that one configuration file shared by both servers may hold."""

from __future__ import annotations

#: Dotted paths of worker classes -> the worker kind that does the same work here.
WORKER_ALIASES = {
    "gunicorn.workers.sync.SyncWorker": "sync",
    "gunicorn.workers.gthread.ThreadWorker": "gthread",
    "gunicorn.workers.ggevent.GeventWorker": "gevent",
    "gunicorn.workers.ggevent.GeventPyWSGIWorker": "gevent_pywsgi",
    "gunicorn.workers.gasgi.ASGIWorker": "asgi",
    "gunicorn.workers.gtornado.TornadoWorker": "tornado",
    "uvicorn.workers.UvicornWorker": "asgi",
    "uvicorn.workers.UvicornH11Worker": "asgi",
    "uvicorn_worker.UvicornWorker": "asgi",
    "uvicorn_worker.UvicornH11Worker": "asgi",
}

LOGGER_ALIASES = {
    "gunicorn.glogging.Logger": "indrik.log.Logger",
}

#: Settings of two parts of Gunicorn that are not part of indrik. A file may keep them: they are ignored.
NOT_OURS = frozenset(
    {
        "dirty_apps",
        "dirty_workers",
        "dirty_timeout",
        "dirty_threads",
        "dirty_graceful_timeout",
        "on_dirty_starting",
        "dirty_post_fork",
        "dirty_worker_init",
        "dirty_worker_exit",
        "control_socket",
        "control_socket_mode",
        "control_socket_disable",
    }
)
