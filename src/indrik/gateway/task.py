"""The task of one request: what `asyncio.current_task()` is while the application runs.

It begins at once, inside of the loop's callback that has read the request: `asyncio.Task` would wait for
another turn of the loop, register itself and make itself a name, which costs as much as the rest of a
request, and most requests are answered in their first step. To the application it is a task like any other:
it has a context of its own, waits for futures, and can be cancelled, awaited and listed
(`asyncio.all_tasks()`, as soon as it waits).
"""

from __future__ import annotations

import asyncio
import contextvars
import itertools
import sys
from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import cython
else:
    from indrik import uncompiled as cython

if cython.compiled:
    from cython.cimports.cpython.contextvars import PyContext_Copy, PyContext_Enter, PyContext_Exit
    from cython.cimports.cpython.ref import Py_DECREF, PyObject
    from cython.cimports.indrik.engine.interpreter import PYGEN_RETURN, PyIter_Send, PySendResult

# For whoever brings tasks of his own; typed for `asyncio.Task` alone.
_enter_task: Any = asyncio.tasks._enter_task
_leave_task: Any = asyncio.tasks._leave_task
_register_task: Any = asyncio.tasks._register_task

#: Since Python 3.13 the last request to cancel that is taken back has no effect any more if it had none yet.
_UNCANCEL_KEEPS_RUNNING = sys.version_info >= (3, 13)

_numbers = itertools.count(1)


class RequestTask:
    """A coroutine being run on `loop`. For the loop's thread.

    `context` is copied: the coroutine runs in a copy of its own. What frameworks read of `asyncio.Task`
    although it is private has the same names here, and the same meanings.
    """

    _loop: Any
    _coro: Any
    _context: Any
    _name: str | None
    _fut_waiter: Any
    _must_cancel: bool
    _cancel_requests: int
    _cancel_message: Any
    _is_done: bool
    _is_cancelled: bool
    _exception: BaseException | None
    _callbacks: list[tuple[Callable[..., Any], Any]] | None
    _asyncio_future_blocking: bool
    _log_destroy_pending: bool

    def _prepare(self, loop: Any, context: Any) -> None:
        """In place of `__init__`, which costs more than it does."""
        self._loop = loop
        if cython.compiled:
            self._context = PyContext_Copy(context)
        else:
            self._context = context.copy()
        self._coro = None
        self._name = None
        self._fut_waiter = None
        self._must_cancel = False
        self._cancel_requests = 0
        self._cancel_message = None
        self._is_done = False
        self._is_cancelled = False
        self._exception = None
        self._callbacks = None
        self._asyncio_future_blocking = False
        self._log_destroy_pending = True

    def _begin(self) -> None:
        """Makes the coroutine and runs its first step, in the task's context. Not from inside of a task."""
        if cython.compiled:
            context: object = self._context
            PyContext_Enter(context)
            try:
                self._first_step()
            finally:
                PyContext_Exit(context)
        else:
            self._context.run(self._first_step)

    def _first_step(self) -> None:
        _enter_task(self._loop, self)
        try:
            if self._open():
                self._run_once(None)
        finally:
            _leave_task(self._loop, self)
        if not self._is_done and self._coro is not None:
            _register_task(self)

    def _open(self) -> bool:
        """Makes the coroutine, `_coro`; False if there is none, and the task is done."""
        raise NotImplementedError

    def _ended(self, error: Any) -> None:
        """The coroutine has returned, or raised `error`. Runs in the task's context."""
        raise NotImplementedError

    # --- steps ---

    def _step(self, error: BaseException | None = None) -> None:
        """One step, called by the loop in the task's context."""
        if self._is_done:
            return
        self._fut_waiter = None
        _enter_task(self._loop, self)
        try:
            self._run_once(error)
        finally:
            _leave_task(self._loop, self)

    def _run_once(self, error: Any) -> None:
        if self._must_cancel:
            if not isinstance(error, asyncio.CancelledError):
                error = self._make_cancelled_error()
            self._must_cancel = False
        try:
            if error is None:
                if cython.compiled:
                    # Says by its value that the coroutine has returned: an exception would cost more than all
                    # the rest of it.
                    sent = cython.declare(cython.pointer(PyObject), cython.NULL)
                    how: PySendResult = PyIter_Send(self._coro, None, cython.address(sent))
                    waits_for = cython.cast(object, sent)
                    Py_DECREF(waits_for)
                    if how == PYGEN_RETURN:
                        self._finish(self._make_cancelled_error() if self._must_cancel else None)
                        return
                else:
                    waits_for = self._coro.send(None)
            else:
                waits_for = self._coro.throw(error)
        except StopIteration:
            # It may have cancelled itself in its last step.
            self._finish(self._make_cancelled_error() if self._must_cancel else None)
        except (KeyboardInterrupt, SystemExit) as reason:
            self._finish(reason)
            raise
        except BaseException as reason:
            self._finish(reason)
        else:
            self._wait_for(waits_for)

    def _wait_for(self, future: Any) -> None:
        blocking = getattr(future, "_asyncio_future_blocking", None)
        if blocking is None:
            if future is None:
                # A bare yield gives the others a turn (`asyncio.sleep(0)`).
                self._loop.call_soon(self._step, context=self._context)
                return
            problem = f"the coroutine of {self!r} has yielded {future!r}, which cannot be waited for"
        elif asyncio.futures._get_loop(future) is not self._loop:  # type: ignore[attr-defined]
            problem = f"{self!r} waits for {future!r}, which belongs to another event loop"
        elif not blocking:
            problem = f"{self!r} was given {future!r} by yield instead of await"
        elif future is self:
            problem = f"{self!r} waits for itself"
        else:
            future._asyncio_future_blocking = False
            future.add_done_callback(self._wakeup, context=self._context)
            self._fut_waiter = future
            if self._must_cancel and future.cancel(msg=self._cancel_message):
                self._must_cancel = False
            return
        self._loop.call_soon(self._step, RuntimeError(problem), context=self._context)

    def _wakeup(self, future: Any) -> None:
        try:
            future.result()
        except BaseException as error:
            self._step(error)
        else:
            self._step()

    def _finish(self, error: Any) -> None:
        self._is_done = True
        if isinstance(error, asyncio.CancelledError):
            self._is_cancelled = True
        self._exception = error
        self._ended(error)
        callbacks = self._callbacks
        self._callbacks = None
        for callback, context in callbacks or ():
            self._loop.call_soon(callback, self, context=context)

    # --- what a task is to others ---

    def __repr__(self) -> str:
        state = "finished" if self._is_done else "pending"
        return f"<RequestTask {state} name={self.get_name()!r} coro={self._coro!r}>"

    def get_loop(self) -> Any:
        """The event loop."""
        return self._loop

    def get_coro(self) -> Any:
        """The application's coroutine."""
        return self._coro

    def get_context(self) -> contextvars.Context:
        """The context in which the coroutine runs."""
        context: contextvars.Context = self._context
        return context

    def get_name(self) -> str:
        """A name, made when first asked for."""
        if self._name is None:
            self._name = f"Request-{next(_numbers)}"
        return self._name

    def set_name(self, value: object) -> None:
        """Names the task."""
        self._name = str(value)

    def get_stack(self, *, limit: int | None = None) -> list[Any]:
        """The frame in which the coroutine waits."""
        frame = getattr(self._coro, "cr_frame", None)
        return [frame] if frame is not None else []

    def waiting_frames(self) -> list[Any]:
        """The frames of all coroutines that wait for one another, the outermost first: unlike `get_stack`,
        which gives what `asyncio.Task.get_stack` does.
        """
        frames: list[Any] = []
        waits: Any = self._coro
        while waits is not None:
            frame = None
            behind = None
            for prefix, link in (("cr", "cr_await"), ("gi", "gi_yieldfrom"), ("ag", "ag_await")):
                if hasattr(waits, link):
                    frame = getattr(waits, f"{prefix}_frame", None)
                    behind = getattr(waits, link)
                    break
            if frame is not None:
                frames.append(frame)
            waits = behind
        return frames

    def print_stack(self, *, limit: int | None = None, file: Any = None) -> None:
        """Prints the stack as `asyncio.Task` does."""
        asyncio.base_tasks._task_print_stack(self, limit, file)  # type: ignore[attr-defined]

    def done(self) -> bool:
        """Whether the coroutine has ended."""
        return self._is_done

    def cancelled(self) -> bool:
        """Whether it ended by being cancelled."""
        return self._is_cancelled

    def result(self) -> None:
        """None; raises what the coroutine has raised, or `InvalidStateError` before its end."""
        if not self._is_done:
            raise asyncio.InvalidStateError("the request is still in progress")
        if self._exception is not None:
            raise self._exception

    def exception(self) -> BaseException | None:
        """What the coroutine has raised."""
        if not self._is_done:
            raise asyncio.InvalidStateError("the request is still in progress")
        if self._is_cancelled and self._exception is not None:
            raise self._exception
        return self._exception

    def add_done_callback(self, callback: Callable[[Any], Any], *, context: Any = None) -> None:
        """Has the loop call `callback` with this task when it is done."""
        if context is None:
            context = contextvars.copy_context()
        if self._is_done:
            self._loop.call_soon(callback, self, context=context)
            return
        if self._callbacks is None:
            self._callbacks = []
        self._callbacks.append((callback, context))

    def remove_done_callback(self, callback: Callable[[Any], Any]) -> int:
        """Takes `callback` back; how often it was there."""
        before = self._callbacks or []
        self._callbacks = [entry for entry in before if entry[0] != callback]
        return len(before) - len(self._callbacks)

    def cancel(self, msg: Any = None) -> bool:
        """Has `CancelledError` raised in the coroutine at its next step; False if it has ended."""
        if self._is_done:
            return False
        self._cancel_requests += 1
        self._cancel_message = msg
        if self._fut_waiter is not None and self._fut_waiter.cancel(msg=msg):
            return True
        self._must_cancel = True
        return True

    def cancelling(self) -> int:
        """How many requests to cancel are open."""
        return self._cancel_requests

    def uncancel(self) -> int:
        """Takes one request to cancel back; how many are left."""
        if self._cancel_requests > 0:
            self._cancel_requests -= 1
            if self._cancel_requests == 0 and _UNCANCEL_KEEPS_RUNNING:
                self._must_cancel = False
        return self._cancel_requests

    def _make_cancelled_error(self) -> asyncio.CancelledError:
        return asyncio.CancelledError() if self._cancel_message is None else asyncio.CancelledError(
            self._cancel_message
        )

    def __await__(self) -> Generator[Any, None, None]:
        if not self._is_done:
            self._asyncio_future_blocking = True
            yield self
        return self.result()

    __iter__ = __await__


if not cython.compiled:
    # By the class `asyncio.isfuture` tells a future; a compiled attribute is one of the class.
    RequestTask._asyncio_future_blocking = False
