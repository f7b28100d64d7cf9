"""Types of the interfaces an application speaks: PEP 3333 (WSGI) and ASGI 3.0.

`wsgiref.types` says the same for WSGI, but only from Python 3.11 on.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from types import TracebackType
from typing import Any, Protocol, TypeAlias

ExcInfo: TypeAlias = tuple[type[BaseException], BaseException, TracebackType | None]
Header: TypeAlias = tuple[str, str]

# PEP 3333 asks for a true dict, not any mapping.
Environ: TypeAlias = dict[str, Any]


class StartResponse(Protocol):
    """PEP 3333's `start_response`; what it returns is the `write()` callable."""

    def __call__(
        self, status: str, headers: list[Header], exc_info: ExcInfo | None = None, /
    ) -> Callable[[bytes], object]: ...


WSGIApplication: TypeAlias = Callable[[Environ, StartResponse], Iterable[bytes]]

Scope: TypeAlias = MutableMapping[str, Any]
Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
ASGIApplication: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]
