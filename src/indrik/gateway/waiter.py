"""Waiting for the client without a turn of the event loop in between."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import cython
else:
    from indrik import uncompiled as cython

_current_task = asyncio.current_task


class Waiter:
    """A future without a value. For the loop's thread.

    Whoever waits for it goes on inside of `wake`, where an `asyncio.Future` would have the loop call him
    later. That is right where `wake` is called by the engine, between two tasks; from inside of a task the
    loop is asked.
    """

    _loop: Any
    _callback: Any
    _callback_context: Any
    _others: list[tuple[Callable[..., Any], Any]] | None
    _is_done: bool
    _is_cancelled: bool
    _cancel_message: Any
    _asyncio_future_blocking: bool
    _behind: Waiter | None

    def __init__(self, loop: Any) -> None:
        self._loop = loop
        self._callback = None
        self._callback_context = None
        self._others = None
        self._is_done = False
        self._is_cancelled = False
        self._cancel_message = None
        self._asyncio_future_blocking = False
        self._behind = None

    def wake(self) -> None:
        """Lets those who wait go on; does nothing the second time."""
        if self._is_done:
            return
        self._is_done = True
        callback = self._callback
        if callback is None:
            return
        self._callback = None
        if _current_task(self._loop) is None:
            self._callback_context.run(callback, self)
        else:
            self._loop.call_soon(callback, self, context=self._callback_context)
        self._call_others()

    def _call_others(self) -> None:
        others = self._others
        self._others = None
        for callback, context in others or ():
            self._loop.call_soon(callback, self, context=context)

    # --- what a future is to tasks ---

    def get_loop(self) -> Any:
        """The event loop."""
        return self._loop

    def done(self) -> bool:
        """Whether it was woken or cancelled."""
        return self._is_done

    def cancelled(self) -> bool:
        """Whether it was cancelled."""
        return self._is_cancelled

    def result(self) -> None:
        """None; raises `CancelledError` or `InvalidStateError`."""
        if self._is_cancelled:
            # Who cancels a task knows it again by the message (anyio's scopes do).
            message = self._cancel_message
            raise asyncio.CancelledError() if message is None else asyncio.CancelledError(message)
        if not self._is_done:
            raise asyncio.InvalidStateError("nothing has happened yet")

    def exception(self) -> None:
        """As `result`."""
        self.result()

    def cancel(self, msg: Any = None) -> bool:
        """Ends the wait; False if it has ended."""
        if self._is_done:
            return False
        self._is_done = self._is_cancelled = True
        self._cancel_message = msg
        if self._callback is not None:
            self._loop.call_soon(self._callback, self, context=self._callback_context)
            self._callback = None
        self._call_others()
        return True

    def add_done_callback(self, callback: Callable[[Any], Any], *, context: Any = None) -> None:
        """Has `callback` called when it is done, in `context`."""
        if context is None:
            context = contextvars.copy_context()
        if self._is_done:
            self._loop.call_soon(callback, self, context=context)
        elif self._callback is None:
            self._callback = callback
            self._callback_context = context
        else:
            if self._others is None:
                self._others = []
            self._others.append((callback, context))

    def remove_done_callback(self, callback: Callable[[Any], Any]) -> int:
        """Takes `callback` back; how often it was there."""
        removed = 0
        if self._callback is not None and self._callback == callback:
            self._callback = None
            removed = 1
        others = self._others or []
        self._others = [entry for entry in others if entry[0] != callback]
        removed += len(others) - len(self._others)
        if self._callback is None and self._others:
            self._callback, self._callback_context = self._others.pop(0)
        return removed

    # It is its own iterator: a generator would take as much memory as all the rest of a wait.

    def __await__(self) -> Any:
        return self

    def __iter__(self) -> Any:
        return self

    def __next__(self) -> Any:
        if not self._is_done:
            self._asyncio_future_blocking = True
            return self
        self.result()
        raise StopIteration


if not cython.compiled:
    # By the class `asyncio.isfuture` tells a future; a compiled attribute is one of the class.
    Waiter._asyncio_future_blocking = False


def wait_behind(first: Waiter | None, loop: Any) -> Waiter:
    """A new waiter of `loop`; behind it stand `first` and those behind that, but for waits that are over."""
    while first is not None and first._is_done:
        # Whoever asks with a time limit again and again must not leave one each time.
        first = first._behind
    waiter = Waiter(loop)
    waiter._behind = first
    return waiter


def wake_all(first: Waiter) -> None:
    """Wakes `first`, which is the latest, and all behind it; the one that waits longest goes on first."""
    if first._behind is None:
        first.wake()
        return
    waiters: list = []
    waiter: Waiter | None = first
    while waiter is not None:
        waiters.append(waiter)
        waiter = waiter._behind
    while waiters:
        first = waiters.pop()
        first._behind = None
        first.wake()
