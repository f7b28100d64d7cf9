"""A coroutine that is done already."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import cython
else:
    from indrik import uncompiled as cython

#: At its end for ever, and says so without an exception, which would cost as much as what was awaited.
_EXHAUSTED: Any = iter(())


@cython.cclass
class _Done:
    """What `send` returns when there is nothing to wait for: one for all, so that it costs nothing. Whoever
    wants a coroutine, to run it as a task, has one.
    """

    def __await__(self) -> Any:
        return _EXHAUSTED

    def __iter__(self) -> Any:
        return self

    def __next__(self) -> None:
        raise StopIteration

    def send(self, value: Any) -> None:
        """Ends at once."""
        raise StopIteration

    def throw(self, kind: Any, value: Any = None, traceback: Any = None) -> None:
        """Raises what it is given: there is nothing inside that could catch it."""
        if value is None:
            value = kind() if isinstance(kind, type) else kind
        raise value if traceback is None else value.with_traceback(traceback)

    def close(self) -> None:
        """It is at its end."""


DONE: Any = _Done()
