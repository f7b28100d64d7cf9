"""Rows: the moments at which the server calls code of the operator's."""

from __future__ import annotations

from typing import Any

from indrik.config.kinds import Kind
from indrik.config.resolved import Hook, TrimmedHook, no_hook
from indrik.config.setting import Setting

SECTION = "Server Hooks"


def log_request(worker: Any, req: Any) -> None:
    """Default of `pre_request`: the request at level debug. Whoever logs it otherwise need not call this."""
    worker.log.debug("%s %s", req.method, req.path)


def default_ssl_context(_config: Any, default_ssl_context_factory: Any) -> Any:
    """Default of `ssl_context`: the context that the TLS settings describe."""
    return default_ssl_context_factory()


def hook(
    name: str, kind: Kind, help: str, *, default: Any = no_hook, supported: bool = True, reason: str = ""
) -> Setting:
    """A row of this section: hooks have no flag, and nearly all the same default."""
    return Setting(
        name=name, section=SECTION, kind=kind, default=default, help=help, supported=supported, reason=reason
    )


ROWS = (
    hook("on_starting", Hook(("server",)), "Master, before anything else is set up; its process id is known."),
    hook("on_reload", Hook(("server",)), "Master, at a reload (HUP), when the new configuration has been read."),
    hook("when_ready", Hook(("server",)), "Master, when it listens, before the first worker is forked."),
    hook("pre_fork", Hook(("server", "worker")), "Master, right before a worker is forked."),
    hook("post_fork", Hook(("server", "worker")), "Worker, right after the fork, before the application is loaded."),
    hook("post_worker_init", Hook(("worker",)), "Worker, when the application is loaded, before the first request."),
    hook("worker_int", Hook(("worker",)), "Worker, when it gets INT or QUIT."),
    hook("worker_abort", Hook(("worker",)), "Worker, when it gets ABRT, as a rule because it was silent too long."),
    hook("pre_exec", Hook(("server",)), "New process, right before it becomes the new master (USR2)."),
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
    hook("child_exit", Hook(("server", "worker")), "Master, when a worker has ended, whatever the reason."),
    hook("worker_exit", Hook(("server", "worker")), "Worker, right before it ends, unless it is killed."),
    hook(
        "nworkers_changed",
        Hook(("server", "new_value", "old_value")),
        "Master, when the number of workers is set. `old_value` is None the first time.",
    ),
    hook("on_exit", Hook(("server",)), "Master, right before it ends, when the workers are gone."),
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
