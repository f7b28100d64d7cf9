"""Which interface an application speaks, and which worker kind that asks for.

Judged by how it can be called, never by calling it: a WSGI application takes two arguments (PEP 3333), an
ASGI 3 application three, an ASGI 2 application one. What can be called in several of these ways is left
alone, unless it is a coroutine function, whose result no WSGI server could use.
"""

from __future__ import annotations

import functools
import importlib
import inspect
from typing import Any

from indrik.errors import AppImportError
from indrik.workers import SUPPORTED_WORKERS

WSGI = "wsgi"
ASGI = "asgi"
ASGI2 = "asgi2"
FACTORY = "factory"

#: How many positional arguments each interface calls an application with.
_ARGUMENTS = {FACTORY: 0, ASGI2: 1, WSGI: 2, ASGI: 3}

#: Wrappers around wrappers that are looked through; more would be a circle.
_DEPTH = 32


def interface_of(application: Any) -> str | None:
    """WSGI, ASGI, ASGI2, or FACTORY for what takes no argument; None when its signature does not tell."""
    try:
        # What a decorator claims to be, and what it is: they need not agree.
        signatures = [inspect.signature(application, follow_wrapped=follow) for follow in (True, False)]
    except (TypeError, ValueError):
        return None
    possible = [
        name
        for name, count in _ARGUMENTS.items()
        if all(_takes(signature, count) for signature in signatures)
    ]
    if returns_coroutine(application):
        return ASGI if ASGI in possible else None
    return possible[0] if len(possible) == 1 else None


def returns_coroutine(application: Any) -> bool:
    """Whether calling it makes a coroutine: an `async def`, an object with `async def __call__`, or what
    wraps one with `functools.partial` or `functools.wraps`.
    """
    for _ in range(_DEPTH):
        if inspect.iscoroutinefunction(application):
            return True
        if isinstance(application, functools.partial):
            application = application.func
        elif hasattr(application, "__wrapped__"):
            application = application.__wrapped__
        elif inspect.isroutine(application) or inspect.isclass(application):
            return False
        else:
            application = getattr(type(application), "__call__", None)  # noqa: B004
            if application is None or not inspect.isroutine(application):
                return False
    return False


def fitting_class(application: Any, current: Any, cfg: Any) -> Any:
    """The worker class that serves `application`: `current`, or the asgi kind where nobody has chosen one.

    A class of somebody's own, which may call applications in its own way, is left alone. Raises
    `AppImportError` when `current` was chosen and cannot serve it.
    """
    found = interface_of(application)
    is_ours = f"{current.__module__}.{current.__qualname__}" in SUPPORTED_WORKERS.values()
    if not is_ours or found is None or found == current.interface:
        return current
    if found == FACTORY:
        raise AppImportError(
            "the application takes no arguments, so it seems to be a factory: name it as a call, as in "
            "MODULE:create_app(), or give --factory"
        )
    if found == ASGI2:
        raise AppImportError(
            "the application takes one argument, as in ASGI 2, which is not supported: wrap it with "
            "asgiref.compatibility.guarantee_single_callable"
        )
    if found == WSGI:
        raise AppImportError(
            f"this is a WSGI application, and workers of the kind {cfg.worker_class_str} serve ASGI: use "
            "the kind sync (-k sync), or gthread for several threads"
        )
    if cfg.settings["worker_class"].is_given or cfg.threads > 1:
        kind = cfg.worker_class_str
        why = "" if cfg.settings["worker_class"].is_given else " (because of threads)"
        raise AppImportError(
            f"this is an ASGI application, and workers of the kind {kind}{why} serve WSGI: use -k asgi, "
            "without threads"
        )
    module, _, name = SUPPORTED_WORKERS[ASGI].rpartition(".")
    return getattr(importlib.import_module(module), name)


def _takes(signature: inspect.Signature, count: int) -> bool:
    try:
        signature.bind(*range(count))
    except TypeError:
        return False
    return True
