"""An ASGI application that runs the same coroutines in the server's task of a request and in a task of
asyncio, and answers with what happened in each. `test_asgi_task.py` copies it beside the server.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import io
import json
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import anyio.lowlevel

#: Since Python 3.11 asyncio has them.
HAS_GROUPS = sys.version_info >= (3, 11)
groups: Any = asyncio

Scenario = Callable[[Any], Awaitable[Any]]
SCENARIOS: dict[str, Scenario] = {}

#: What became of the tasks of /end/HOW, by HOW and kind of task.
RECORDS: dict[str, list[str]] = {}

variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="untouched")


def scenario(function: Scenario) -> Scenario:
    SCENARIOS[function.__name__] = function
    return function


def this() -> Any:
    """The task. Its type has methods that not all Pythons know."""
    task = asyncio.current_task()
    assert task is not None
    return task


def soon(function: Callable[..., Any], *arguments: Any) -> None:
    asyncio.get_running_loop().call_soon(function, *arguments)


async def outcome(awaitable: Awaitable[Any]) -> str:
    """The value, or the error with its arguments: cancellation's message is one of them."""
    try:
        return f"returned {await awaitable!r}"
    except BaseException as error:
        return f"raised {type(error).__name__}{error.args!r}"


@scenario
async def identity(receive: Any) -> Any:
    task = this()
    await asyncio.sleep(0)
    await asyncio.sleep(0.001)
    return [
        this() is task, task in asyncio.all_tasks(), task.done(), task.cancelled(), task.cancelling(),
        task.get_loop() is asyncio.get_running_loop(), asyncio.isfuture(task), asyncio.iscoroutine(task),
        type(repr(task)).__name__, task.get_coro() is not None, hash(task) == hash(task), task == task,
        await outcome(asyncio.sleep(0, "value")),
    ]  # fmt: skip


@scenario
async def naming(receive: Any) -> Any:
    task = this()
    first = task.get_name()
    task.set_name(7)
    return [isinstance(first, str), first == task.get_name(), task.get_name()]


@scenario
async def unfinished(receive: Any) -> Any:
    found = []
    for method in (this().result, this().exception):
        try:
            found.append(repr(method()))
        except asyncio.InvalidStateError:
            found.append("InvalidStateError")
    return found


@scenario
async def cancel_itself(receive: Any) -> Any:
    task = this()
    found: list[Any] = [task.cancel("message"), task.cancel("another"), task.cancelling()]
    found.append(await outcome(asyncio.sleep(1)))
    found += [task.uncancel(), task.uncancel(), task.uncancel(), task.cancelling()]
    found.append(await outcome(asyncio.sleep(0)))
    return found


@scenario
async def cancel_without_message(receive: Any) -> Any:
    soon(this().cancel)
    found = [await outcome(asyncio.get_running_loop().create_future())]
    this().uncancel()
    return found


@scenario
async def cancelled_while_waiting(receive: Any) -> Any:
    found = []
    queue: asyncio.Queue[int] = asyncio.Queue()
    lock = asyncio.Lock()
    await lock.acquire()
    for wait in (queue.get, lock.acquire, asyncio.Event().wait, lambda: asyncio.sleep(9), receive):
        soon(this().cancel, "from outside")
        found.append(await outcome(wait()))
        found.append(str(this().uncancel()))
    return found


@scenario
async def cancelled_in_child(receive: Any) -> Any:
    child = asyncio.ensure_future(outcome(receive()))
    await asyncio.sleep(0)
    child.cancel("of a child")
    return await child


@scenario
async def cancelled_when_done_already(receive: Any) -> Any:
    """The future is done before the cancellation, the task has not gone on yet."""
    future = asyncio.get_running_loop().create_future()
    task = this()

    def finish() -> None:
        future.set_result(1)
        task.cancel("late")

    soon(finish)
    found = [await outcome(future)]
    found.append(await outcome(asyncio.sleep(0)))
    task.uncancel()
    return found


@scenario
async def timeouts(receive: Any) -> Any:
    found = []
    found.append(await outcome(asyncio.wait_for(receive(), 0.01)))
    found.append(await outcome(asyncio.wait_for(asyncio.sleep(0, 3), 5)))
    if HAS_GROUPS:
        for wait in (receive, lambda: asyncio.sleep(9)):
            async def limited(wait: Any = wait) -> None:
                async with groups.timeout(0.01):
                    await wait()
            found.append(await outcome(limited()))
            found.append(str(this().cancelling()))

        async def nested() -> str:
            async with groups.timeout(5):
                try:
                    async with groups.timeout(0.01):
                        await receive()
                except TimeoutError:
                    await asyncio.sleep(0)
                    return "the inner one"
            return "neither"

        found.append(await outcome(nested()))

        async def at_once() -> None:
            async with groups.timeout(-1):
                await asyncio.sleep(0)
                await asyncio.sleep(9)

        found.append(await outcome(at_once()))

        async def swallowed() -> str:
            async with groups.timeout(0.01) as limit:
                with contextlib.suppress(asyncio.CancelledError):
                    await receive()
                limit.reschedule(None)
            return f"expired: {limit.expired()}"

        found.append(await outcome(swallowed()))
    return [*found, str(this().cancelling())]


@scenario
async def task_groups(receive: Any) -> Any:
    if not HAS_GROUPS:
        return []
    found = []

    async def fails() -> None:
        await asyncio.sleep(0.001)
        raise ValueError("of a child")

    async def with_failure(wait: Any) -> None:
        async with groups.TaskGroup() as group:
            group.create_task(fails())
            await wait()

    for wait in (receive, lambda: asyncio.sleep(9), lambda: asyncio.sleep(0)):
        try:
            await with_failure(wait)
        except BaseException as group:
            found.append(f"{getattr(group, 'exceptions', ())!r} {this().cancelling()}")
    async with groups.TaskGroup() as fine:
        one = fine.create_task(asyncio.sleep(0, 1))
        two = fine.create_task(asyncio.sleep(0.001, 2))
    found.append(str(one.result() + two.result()))

    async def cancelled_outside() -> None:
        soon(this().cancel, "host")
        async with groups.TaskGroup() as group:
            group.create_task(asyncio.sleep(9))

    found.append(await outcome(cancelled_outside()))
    this().uncancel()
    return found


@scenario
async def anyio_scopes(receive: Any) -> Any:
    found: list[Any] = []
    for wait in (receive, lambda: anyio.sleep(9), lambda: asyncio.sleep(9)):
        with anyio.move_on_after(0.01) as scope:
            await wait()
        found += [scope.cancelled_caught, this().cancelling()]
        try:
            with anyio.fail_after(0.01):
                await wait()
        except TimeoutError:
            found.append("TimeoutError")
    with anyio.CancelScope() as scope:
        scope.cancel()
        with anyio.CancelScope(shield=True):
            await anyio.sleep(0.001)
            found.append("shielded")
        await anyio.lowlevel.checkpoint()
        found.append("not reached")
    found += [scope.cancelled_caught, this().cancelling()]
    with anyio.CancelScope() as outer:
        with anyio.CancelScope() as inner:
            soon(outer.cancel)
            await receive()
        found.append("not reached")
    found += [outer.cancelled_caught, inner.cancelled_caught, this().cancelling()]
    found.append(await outcome(anyio.lowlevel.checkpoint()))
    return found


@scenario
async def anyio_groups(receive: Any) -> Any:
    found: list[Any] = []

    async def finishes(task_status: Any = anyio.TASK_STATUS_IGNORED) -> None:
        task_status.started("begun")
        await anyio.sleep(0.001)
        found.append("finished")

    async def fails() -> None:
        await anyio.sleep(0.001)
        raise ValueError("of a child")

    async with anyio.create_task_group() as group:
        found.append(await group.start(finishes))
        group.start_soon(finishes)
    try:
        async with anyio.create_task_group() as group:
            group.start_soon(fails)
            await receive()
    except BaseException as error:
        found.append(f"{type(error).__name__} {getattr(error, 'exceptions', ())!r} {this().cancelling()}")
    async with anyio.create_task_group() as group:
        group.start_soon(anyio.sleep, 9)
        await anyio.lowlevel.checkpoint()
        group.cancel_scope.cancel()
    found.append(await anyio.to_thread.run_sync(lambda: "from a thread"))
    found.append(len(anyio.get_running_tasks()) > 0)
    found.append(anyio.get_current_task().id == id(this()))
    return found


@scenario
async def wrong_awaitables(receive: Any) -> Any:
    class Yields:
        def __init__(self, value: Any) -> None:
            self.value = value

        def __await__(self) -> Any:
            return (yield self.value)

    found = []
    other = asyncio.new_event_loop()
    try:
        for wait in (
            Yields(5), Yields(other.create_future()), other.create_future(), this(),
            Yields(asyncio.get_running_loop().create_future()),
        ):  # fmt: skip
            found.append((await outcome(wait)).partition("(")[0])
    finally:
        other.close()
    return [*found, await outcome(Yields(None))]


@scenario
async def futures(receive: Any) -> Any:
    loop = asyncio.get_running_loop()
    failing, giving = loop.create_future(), loop.create_future()
    soon(failing.set_exception, ValueError("set"))
    soon(giving.set_result, "given")
    found = [await outcome(failing), await outcome(giving), await outcome(failing)]
    cancelled = loop.create_future()
    soon(cancelled.cancel, "the future was")
    found.append(await outcome(cancelled))
    found.append(await outcome(asyncio.gather(asyncio.sleep(0, 1), asyncio.sleep(0.001, 2))))
    return found


@scenario
async def waited_for_by_others(receive: Any) -> Any:
    task = this()

    async def watch() -> Any:
        done, pending = await asyncio.wait({task}, timeout=0.01)
        shielded = await outcome(asyncio.wait_for(asyncio.shield(task), 0.01))
        return [len(done), len(pending), shielded, task.done(), task.cancelling()]

    return await asyncio.create_task(watch())


@scenario
async def callbacks(receive: Any) -> Any:
    task = this()

    def callback(_: Any) -> None:
        raise AssertionError("it was removed")

    task.add_done_callback(callback)
    task.add_done_callback(callback)
    return [task.remove_done_callback(callback), task.remove_done_callback(callback)]


@scenario
async def what_frameworks_read(receive: Any) -> Any:
    """anyio looks for the loop's main task by the callbacks of all."""
    task = this()
    task.add_done_callback(print)
    callbacks = [callback for callback, _ in task._callbacks]
    found = [print in callbacks, task._fut_waiter, task._must_cancel]
    task.remove_done_callback(print)
    return [*found, task._log_destroy_pending, task._exception, task._asyncio_future_blocking]


@scenario
async def context(receive: Any) -> Any:
    found = [variable.get()]
    variable.set("mine")

    async def child() -> str:
        found.append(variable.get())
        variable.set("the child's")
        return variable.get()

    found.append(await asyncio.create_task(child()))
    await asyncio.sleep(0)
    asyncio.get_running_loop().call_soon(lambda: found.append(variable.get()))
    await asyncio.sleep(0)
    return [*found, variable.get()]


@scenario
async def stacks(receive: Any) -> Any:
    task = this()
    depth = len(task.get_stack())
    shown = io.StringIO()
    task.print_stack(file=shown)
    return [depth > 0, "Stack for" in shown.getvalue()]


async def end(how: str, kind: str) -> None:
    """Ends its task in the way `how`; a callback records how the task looks then."""
    task = this()

    def record(ended: asyncio.Task[Any]) -> None:
        found = [str(ended is task), str(ended.done()), str(ended.cancelled())]
        for method in (ended.result, ended.exception):
            try:
                found.append(repr(method()))
            except ValueError as error:
                found.append(repr(error))
            except asyncio.CancelledError as error:
                # The message is told once.
                found.append(repr(error) if method == ended.result else "CancelledError")
        found += [str(ended.cancel()), variable.get()]
        RECORDS[f"{how} {kind}"] = found

    variable.set("at the registration")
    task.add_done_callback(record)
    variable.set("later")
    if how.endswith("late"):
        await asyncio.sleep(0)
    if how.startswith("raise"):
        raise ValueError("the reason")
    if how.startswith("cancel"):
        task.cancel("the reason")
        if how.startswith("cancel-waiting"):
            await asyncio.sleep(1)


async def application(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] != "http":
        raise NotImplementedError(scope["type"])
    await receive()
    name = scope["path"][1:]
    answer: Any
    if name == "records":
        answer = RECORDS
    elif name.startswith("end/"):
        how = name.removeprefix("end/")
        await asyncio.wait([asyncio.create_task(end(how, "asyncio"))])
        answer = None
    else:
        run = SCENARIOS[name]
        there: Any = await asyncio.ensure_future(run(receive))
        answer = [await run(receive), there]
    body = json.dumps(answer).encode()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": body})
    if name.startswith("end/"):
        await end(how, "request")
