from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable
from typing import Any
from unittest.mock import Mock

import pytest

from indrik.config import Config
from indrik.errors import AppImportError
from indrik.workers.gasgi import ASGIWorker
from indrik.workers.gthread import ThreadWorker
from indrik.workers.interface import ASGI, ASGI2, FACTORY, WSGI, fitting_class, interface_of
from indrik.workers.sync import SyncWorker


async def asgi(scope: Any, receive: Any, send: Any) -> None: ...


def wsgi(environ: Any, start_response: Any) -> list[bytes]:
    return []


class ASGIObject:
    async def __call__(self, scope: Any, receive: Any, send: Any) -> None: ...


class WSGIObject:
    def __call__(self, environ: Any, start_response: Any) -> list[bytes]:
        return []


class WSGIClass:
    def __init__(self, environ: Any, start_response: Any) -> None: ...


class DoubleClass:
    def __init__(self, scope: Any) -> None: ...

    async def __call__(self, receive: Any, send: Any) -> None: ...


def double(scope: Any) -> Callable[..., Awaitable[None]]:
    async def answer(receive: Any, send: Any) -> None: ...

    return answer


def decorated(function: Any) -> Any:
    @functools.wraps(function)
    def call(*arguments: Any, **keywords: Any) -> Any:
        return function(*arguments, **keywords)

    return call


@functools.wraps(asgi)
def bridge(environ: Any, start_response: Any) -> list[bytes]:
    """What an adapter from ASGI to WSGI may look like: its signature is not its own."""
    return []


async def any_arguments(*arguments: Any) -> None: ...


async def two_arguments(environ: Any, start_response: Any) -> None: ...


async def with_defaults(scope: Any, receive: Any = None, send: Any = None) -> None: ...


def passes_on(scope: Any, receive: Any, send: Any) -> Awaitable[None]:
    return asgi(scope, receive, send)


@pytest.mark.parametrize(
    ("application", "interface"),
    [
        (asgi, ASGI),
        (ASGIObject(), ASGI),
        (ASGIObject().__call__, ASGI),
        (decorated(asgi), ASGI),
        (decorated(decorated(ASGIObject())), ASGI),
        (functools.partial(asgi), ASGI),
        (functools.partial(ASGIObject()), ASGI),
        (functools.partial(lambda flag, scope, receive, send: None, True), ASGI),
        (any_arguments, ASGI),
        (with_defaults, ASGI),
        (passes_on, ASGI),
        (wsgi, WSGI),
        (WSGIObject(), WSGI),
        (WSGIClass, WSGI),
        (decorated(wsgi), WSGI),
        (functools.partial(lambda flag, environ, start_response: [], True), WSGI),
        (double, ASGI2),
        (DoubleClass, ASGI2),
        (lambda: asgi, FACTORY),
        (ASGIObject, FACTORY),
        # In doubt nothing is said.
        (bridge, None),
        (two_arguments, None),
        (lambda environ, start_response, more=None: [], None),
        (lambda *arguments: [], None),
        (Mock(), None),
        (print, None),
        (None, None),
    ],
)
def test_interface(application: Any, interface: str | None) -> None:
    assert interface_of(application) == interface


def test_real_frameworks() -> None:
    django = pytest.importorskip("django.core.handlers.asgi")
    flask = pytest.importorskip("flask")
    assert interface_of(object.__new__(django.ASGIHandler)) == ASGI
    assert interface_of(flask.Flask("shop")) == WSGI


def configured(**settings: Any) -> Config:
    cfg = Config(prog="indrik")
    for name, value in settings.items():
        cfg.set(name, value)
    return cfg


def test_nobody_has_chosen() -> None:
    cfg = configured()
    assert fitting_class(asgi, SyncWorker, cfg) is ASGIWorker
    assert fitting_class(wsgi, SyncWorker, cfg) is SyncWorker
    assert fitting_class(print, SyncWorker, cfg) is SyncWorker


@pytest.mark.parametrize(
    ("application", "kind", "settings", "says"),
    [
        (asgi, SyncWorker, {"worker_class": "sync"}, "kind sync serve WSGI: use -k asgi"),
        (asgi, ThreadWorker, {"worker_class": "gthread"}, "kind gthread serve WSGI: use -k asgi"),
        (asgi, ThreadWorker, {"threads": 4}, r"kind gthread \(because of threads\)"),
        (wsgi, ASGIWorker, {"worker_class": "asgi"}, "kind asgi serve ASGI: use the kind sync"),
        (double, SyncWorker, {}, "ASGI 2"),
        (double, ASGIWorker, {"worker_class": "asgi"}, "ASGI 2"),
        (lambda: asgi, SyncWorker, {}, "--factory"),
    ],
)
def test_what_cannot_be_served(application: Any, kind: Any, settings: dict[str, Any], says: str) -> None:
    with pytest.raises(AppImportError, match=says):
        fitting_class(application, kind, configured(**settings))


def test_a_class_of_ones_own_is_left_alone() -> None:
    class Own:
        pass

    class Adapting(SyncWorker):
        pass

    for kind in (Own, Adapting):
        assert fitting_class(asgi, kind, configured(worker_class=kind)) is kind
