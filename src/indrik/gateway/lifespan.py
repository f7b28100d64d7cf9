"""The lifespan protocol of ASGI: start-up and shutdown of the application, and the state that it leaves for
its requests.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from indrik.errors import IndrikError


class LifespanFailed(IndrikError):
    """The application has refused to start up, or to speak the protocol although it must."""


class Lifespan:
    """One application's lifespan on the running loop.

    mode: `auto` goes on without when the application raises before it has answered, `on` does not, `off` does
    not try. state: what requests get a copy of; None when the application does not take part.
    """

    def __init__(self, application: Callable[..., Any], mode: str, log: Any) -> None:
        self._application = application
        self._mode = mode
        self._log = log
        self._task: asyncio.Task[None] | None = None
        self._to_application: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._answered: asyncio.Future[dict[str, Any]] | None = None
        self._expects = ""
        self._has_started_up = False
        self.state: dict[str, Any] | None = None

    async def startup(self) -> None:
        """Has the application start up. Raises `LifespanFailed`."""
        if self._mode == "off":
            return
        self.state = {}
        self._task = asyncio.get_running_loop().create_task(self._run(), name="lifespan")
        self._task.add_done_callback(self._note_end)
        answer = await self._ask("startup")
        if answer is None:
            error = self._end_of_task()
            self.state = None
            if self._mode == "on":
                raise LifespanFailed(
                    f"the application does not speak the lifespan protocol, but asgi_lifespan is on: {error}"
                )
            self._log.debug("The application does not speak the lifespan protocol: %s", error)
        elif answer["type"] == "lifespan.startup.failed":
            message = answer.get("message", "")
            raise LifespanFailed(f"the application failed to start up: {message or 'it gave no reason'}")

    async def shutdown(self, timeout: float) -> None:
        """Has the application shut down, for at most `timeout` seconds."""
        task = self._task
        if task is None or task.done():
            return
        try:
            answer = await asyncio.wait_for(self._ask("shutdown"), timeout)
        except asyncio.TimeoutError:
            self._log.error("The application did not shut down within %.1f s", timeout)
            task.cancel()
            return
        if answer is None:
            self._log.error("The application failed while shutting down: %s", self._end_of_task())
        elif answer["type"] == "lifespan.shutdown.failed":
            self._log.error("The application failed to shut down: %s", answer.get("message", ""))
        await asyncio.wait([task], timeout=0.5)
        task.cancel()

    def _note_end(self, task: asyncio.Task[None]) -> None:
        """The application has left the protocol.

        Its exception is taken here in any case: a worker that is told to stop while it starts up asks for no
        answer any more, and asyncio would report the exception as one that nobody has seen.
        """
        error = None if task.cancelled() else task.exception()
        if error is not None and self._has_started_up and self._expects == "startup":
            self._log.error("The application's lifespan has ended before its shutdown", exc_info=error)

    def abandon(self) -> None:
        """Ends the application's part if it has not ended by itself: the loop may go on without it."""
        if self._task is not None and not self._task.done():
            self._task.cancel()

    async def _run(self) -> None:
        scope = {
            "type": "lifespan",
            "asgi": {"version": "3.0", "spec_version": "2.0"},
            "state": self.state,
        }
        await self._application(scope, self._to_application.get, self._send)

    async def _ask(self, what: str) -> dict[str, Any] | None:
        """The application's answer to `lifespan.WHAT`; None if it ended without one."""
        assert self._task is not None
        self._expects = what
        self._answered = asyncio.get_running_loop().create_future()
        self._to_application.put_nowait({"type": f"lifespan.{what}"})
        waits_for: list[asyncio.Future[Any]] = [self._answered, self._task]
        await asyncio.wait(waits_for, return_when=asyncio.FIRST_COMPLETED)
        return self._answered.result() if self._answered.done() else None

    async def _send(self, message: dict[str, Any]) -> None:
        kind = message["type"]
        if kind not in (f"lifespan.{self._expects}.complete", f"lifespan.{self._expects}.failed"):
            raise RuntimeError(f"ASGI: {kind!r} does not answer lifespan.{self._expects}")
        if self._answered is None or self._answered.done():
            raise RuntimeError(f"ASGI: lifespan.{self._expects} was answered already")
        self._answered.set_result(message)
        if kind == "lifespan.startup.complete":
            self._has_started_up = True

    def _end_of_task(self) -> str:
        assert self._task is not None
        if self._task.cancelled():
            return "its task was cancelled"
        error = self._task.exception()
        return "it returned" if error is None else f"{type(error).__name__}: {error}"
