"""An awaitable that is done already."""

from __future__ import annotations

from typing import Any


class _Done:
    """What `send` returns when there is nothing to wait for: one for all, so that it costs nothing."""

    __slots__ = ()

    def __await__(self) -> Any:
        return self

    def __iter__(self) -> Any:
        return self

    def __next__(self) -> None:
        raise StopIteration


DONE: Any = _Done()
