"""A configuration whose hooks note that they were called, and with what: `-c python:indrik.testing.hooks`.
"""

from __future__ import annotations

from typing import Any

from indrik.testing.notes import note


def post_fork(server: Any, worker: Any) -> None:
    note("post_fork", worker.pid)


def post_worker_init(worker: Any) -> None:
    note("post_worker_init", worker.pid)


def pre_request(worker: Any, req: Any) -> None:
    note("pre_request", worker.pid, req.method, req.path)


def post_request(worker: Any, req: Any, environ: Any, resp: Any) -> None:
    note("post_request", worker.pid, req.method, req.path, resp.status_code)


def worker_int(worker: Any) -> None:
    note("worker_int", worker.pid)


def worker_abort(worker: Any) -> None:
    note("worker_abort", worker.pid)


def worker_exit(server: Any, worker: Any) -> None:
    note("worker_exit", worker.pid)


def child_exit(server: Any, worker: Any) -> None:
    note("child_exit", worker.pid)
