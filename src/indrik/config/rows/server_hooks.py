"""Rows: the moments at which the server calls code of the operator's."""

from __future__ import annotations

from typing import Any

from indrik.config.kinds import Kind
from indrik.config.resolved import Hook, TrimmedHook, no_hook
from indrik.config.setting import Setting

SECTION = "Server Hooks"
SERVER = Hook(("server",))
WORKER = Hook(("worker",))
BOTH = Hook(("server", "worker"))


def log_request(worker: Any, req: Any) -> None:
    """Default of `pre_request`: the request at level debug. Whoever logs it otherwise need not call this."""
    worker.log.debug("%s %s", req.method, req.path)


def default_ssl_context(_config: Any, default_ssl_context_factory: Any) -> Any:
    """Default of `ssl_context`: the context that the TLS settings describe."""
    return default_ssl_context_factory()


def hook(
    name: str,
    kind: Kind,
    help: str,
    *,
    default: Any = no_hook,
    supported: bool = True,
    reason: str = "",
    own: bool = False,
) -> Setting:
    """A row of this section: hooks have no flag, and nearly all the same default."""
    return Setting(
        name=name,
        section=SECTION,
        kind=kind,
        default=default,
        help=help,
        supported=supported,
        reason=reason,
        own=own,
    )


ROWS = (
    hook("on_starting", SERVER, "Master, before anything else is set up. Its process id is known."),
    hook("on_reload", SERVER, "Master, at a reload (HUP), when the new configuration has been read."),
    hook("when_ready", SERVER, "Master, when it listens, before the first worker is forked."),
    hook("pre_fork", BOTH, "Master, right before a worker is forked."),
    hook("post_fork", BOTH, "Worker, right after the fork, before the application is loaded."),
    hook(
        "post_patch",
        Hook(("worker_or_server",)),
        "Right after gevent has replaced what waits in the standard library (kind `gevent`), before the "
        "application is imported: in the worker, or with `preload_app` in the process that preloads, whose "
        "argument is the server. Here the drivers of databases and the like are made cooperative.",
        own=True,
    ),
    hook("post_worker_init", WORKER, "Worker, when the application is loaded, before the first request."),
    hook("worker_int", WORKER, "Worker, when it gets INT or QUIT."),
    hook("worker_abort", WORKER, "Worker, when it gets ABRT, as a rule because it was silent too long."),
    hook("pre_exec", SERVER, "New process, right before it becomes the new master (USR2)."),
    hook(
        "pre_request",
        Hook(("worker", "req")),
        "Worker, when a request's head has been read, before the application is called. An exception is "
        "answered with 500. The default logs the request at level debug.",
        default=log_request,
    ),
    hook(
        "post_request",
        TrimmedHook(("worker", "req", "environ", "resp"), fewest=2),
        "Worker, when a response is finished and logged, also if the application failed. May take the first "
        "two, three or all of its arguments.",
    ),
    hook("child_exit", BOTH, "Master, when a worker has ended, whatever the reason."),
    hook("worker_exit", BOTH, "Worker, right before it ends, unless it is killed."),
    hook(
        "nworkers_changed",
        Hook(("server", "new_value", "old_value")),
        "Master, when the number of workers is set. `old_value` is None the first time.",
    ),
    hook("on_exit", SERVER, "Master, right before it ends, when the workers are gone."),
    hook(
        "ssl_context",
        Hook(("config", "default_ssl_context_factory")),
        "Returns the `ssl.SSLContext` to use; the second argument makes the one that the TLS settings "
        "describe.",
        default=default_ssl_context,
        supported=False,
        reason="TLS comes in a later version",
    ),
)
