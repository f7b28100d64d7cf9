"""The ASGI gateway: begins a cycle for each exchange, ends those that take too long, and makes sure that each
has one whole response or none.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
from collections.abc import Callable
from typing import Any

from indrik.engine.exchange import Exchange
from indrik.errors import ConnectionEnded
from indrik.gateway.admission import Admission
from indrik.gateway.environ import EnvironBuilder
from indrik.gateway.http_cycle import CycleOwner, HTTPCycle, open_cycle
from indrik.gateway.response import Response, ResponseNotes
from indrik.gateway.scope import ScopeBuilder
from indrik.gateway.task import RequestTask
from indrik.gateway.took import time_taken
from indrik.gateway.websocket import WebSocketCycle, WebSocketSettings, open_websocket
from indrik.gateway.websocket_pings import PingSchedule
from indrik.protocol.refusals import RequestOverdue, RequestRefused
from indrik.protocol.response import InvalidResponse
from indrik.protocol.websocket_frames import InvalidMessage, WebSocketRefused
from indrik.protocol.websocket_handshake import wants_websocket


def _is_of_departure(error: BaseException | None) -> bool:
    """Whether `error` is, or was made of, what `send` raises when the client has left: frameworks have names
    of their own for it.
    """
    while error is not None:
        if isinstance(error, ConnectionEnded):
            return True
        group = getattr(error, "exceptions", None)
        if isinstance(group, tuple) and group:
            return all(map(_is_of_departure, group))
        error = error.__cause__ or error.__context__
    return False


class ASGIGateway(CycleOwner):
    """Serves exchanges with one ASGI application on the running event loop.

    before: called with the request before the application, None for nothing; after: called with request,
    environ and response behind it. request_timeout: seconds that a request has, 0 for any time.
    disconnect_grace: seconds between telling the application that its client has left and cancelling its
    task; 0 for never. most_cycles, queue_timeout: requests in progress at most, 0 for any number, and seconds
    that another may wait. cycles: requests in progress.
    """

    def __init__(
        self,
        application: Callable[..., Any],
        scopes: ScopeBuilder,
        environs: EnvironBuilder,
        log: Any,
        slot: Any,
        loop: asyncio.AbstractEventLoop,
        before: Any = None,
        after: Any = None,
        request_timeout: float = 0.0,
        disconnect_grace: float = 0.0,
        on_overdue: Callable[[Any], None] | None = None,
        websocket: WebSocketSettings | None = None,
        most_cycles: int = 0,
        queue_timeout: float = 0.0,
    ) -> None:
        CycleOwner.__init__(self, application, scopes, before, request_timeout)
        self.cycles: set[RequestTask] = set()
        self._websocket = websocket or WebSocketSettings()
        self._pings = PingSchedule(self._websocket, loop)
        self._environs = environs
        self._log = log
        self._logs_access = bool(log.access_enabled)
        self._slot = slot
        self._loop = loop
        self._after = after
        self._disconnect_grace = disconnect_grace
        self._on_overdue = on_overdue
        self._notes = ResponseNotes(log)
        self._context = contextvars.copy_context()
        self._admission: Admission | None = None
        if most_cycles:
            self._admission = Admission(most_cycles, queue_timeout, loop, self.cycles, self._begin_late)
        #: Whether nobody will ask for the fields of a request behind the application's scope.
        self.forgets_fields = before is None and after is None and not self._logs_access

    def takes_streams(self) -> bool:
        return True

    def handle(self, exchange: Exchange) -> None:
        """Begins to answer `exchange`, now or when fewer are in progress. Raises only `SystemExit` and its
        like.
        """
        if self._admission is not None and not self._admission.admits():
            self._admission.hold(exchange)
        else:
            self._begin(exchange)

    def _begin_late(self, exchange: Exchange) -> None:
        exchange.started_at = self._loop.time()
        self._begin(exchange)

    def close_admission(self) -> None:
        """Begins with no more requests: those that wait are given up."""
        if self._admission is not None:
            self._admission.close()

    def _begin(self, exchange: Exchange) -> None:
        response: Response = Response.__new__(Response)
        response.status = ""
        response.headers = None
        response.sent = 0
        response._notes = self._notes
        response._exchange = exchange
        response._prepared = None
        response._head = None
        response._overran = False
        if exchange.request.has_upgrade and wants_websocket(exchange.request):
            websocket: WebSocketCycle = open_websocket(
                self, self._websocket, self._loop, self._context, exchange, response
            )
            self.cycles.add(websocket)
            websocket._begin()
            return
        cycle: HTTPCycle = open_cycle(self, self._loop, self._context, exchange, response)
        self.cycles.add(cycle)
        if self.request_timeout:
            exchange.deadline = exchange.started_at + self.request_timeout
            cycle._timer = self._loop.call_at(exchange.deadline, self._check_deadline, cycle)
        cycle._begin()

    def client_left(self, exchange: Exchange) -> None:
        cycle: Any = exchange.owner
        if cycle is not None:
            cycle.tell()
            cycle.drained()
            if self._disconnect_grace:
                # A client that has closed its sending side only cannot be told from one that has left.
                self._loop.call_later(self._disconnect_grace, self._cancel_abandoned, cycle)

    def output_drained(self, exchange: Exchange) -> None:
        owner: Any = exchange.owner
        if owner is not None:
            owner.drained()

    def _cancel_abandoned(self, cycle: RequestTask) -> None:
        if not cycle.done():
            cycle.cancel("the client has left")

    def _check_deadline(self, cycle: HTTPCycle) -> None:
        """The time of a request is over, unless its deadline was moved."""
        if cycle.done():
            return
        exchange = cycle._exchange
        if exchange.deadline > self._loop.time():
            cycle._timer = self._loop.call_at(exchange.deadline, self._check_deadline, cycle)
            return
        if self._on_overdue is not None:
            self._on_overdue(cycle)
        exchange.fail_overdue()
        cycle.cancel("request_timeout is over")

    def websocket_opened(self, cycle: WebSocketCycle) -> None:
        """A client and the application have agreed on a WebSocket."""
        self._pings.add(cycle)

    def websocket_closed(self, cycle: WebSocketCycle, was_left: bool) -> None:
        """The connection of a WebSocket has ended; `was_left` by the application, which may have other things
        to do.
        """
        if self._disconnect_grace and not was_left and not cycle.done():
            self._loop.call_later(self._disconnect_grace, self._cancel_abandoned, cycle)

    def close_websockets(self, seconds: float) -> None:
        """Closes all WebSockets with code 1012, spread over `seconds`: their clients all come back at once
        otherwise.
        """
        cycles = [cycle for cycle in self.cycles if isinstance(cycle, WebSocketCycle) and cycle.is_open]
        for number, cycle in enumerate(cycles):
            self._loop.call_later(seconds * number / len(cycles), cycle.go_away)

    def websocket_ended(self, cycle: WebSocketCycle, error: Any, is_gone: bool, unfinished: str) -> None:
        """The application's task of a WebSocket has ended. `unfinished` says what it has left undone."""
        self.cycles.discard(cycle)
        if self._admission is not None:
            self._admission.note_ended()
        if error is not None:
            self._note_failure(cycle.request_line, error, is_gone, cycle.cancelling() > 0)
        elif unfinished:
            self._note_unfinished(unfinished, cycle.request_line)
        if cycle._response is not None:
            self._write_logs(cycle._exchange, cycle._response)

    def note_refusal(self, exchange: Exchange, refusal: WebSocketRefused) -> None:
        """A client has broken a rule of the WebSocket protocol."""
        exchange.note_refusal(refusal.kind, refusal.detail)

    def cycle_ended(self, cycle: HTTPCycle, error: Any) -> None:
        """Makes sure that there is one whole response or none, and writes the logs."""
        exchange = cycle._exchange
        response = cycle._response
        self.cycles.discard(cycle)
        if self._admission is not None:
            self._admission.note_ended()
        if error is not None:
            gone = exchange.is_disconnected or exchange.is_finished
            self._note_failure(exchange.request.line, error, gone, cycle.cancelling() > 0)
            self._fail(cycle)
        elif not cycle._is_complete and not exchange.is_finished:
            if exchange.is_disconnected or exchange.departure:
                # Nobody is there who could tell the difference.
                exchange.abort()
            else:
                what = "completing" if response.headers is not None else "starting"
                self._note_unfinished(f"without {what} its response to", exchange.request.line)
                self._fail(cycle)
        self._write_logs(exchange, response)

    def _write_logs(self, exchange: Exchange, response: Response) -> None:
        if exchange.was_refused:
            # For the hook: whatever the application has set came too late.
            response.status = RequestOverdue.status
        if not self._logs_access and self._after is None:
            return
        environ: dict = {}
        with contextlib.suppress(RequestRefused):
            environ = self._environs.build(exchange)
        if self._logs_access and not exchange.was_refused:
            self._log.access(response, exchange.request, environ, time_taken(exchange))
        if self._after is not None:
            self._after(exchange.request, environ, response)

    def _note_unfinished(self, what: str, line: str) -> None:
        self._slot.count_error()
        self._log.error("ASGI: the application returned %s %r", what, line)

    def _note_failure(self, line: str, error: Any, is_gone: bool, was_cancelled: bool) -> None:
        """Says in the log how the application has failed."""
        if is_gone and _is_of_departure(error):
            self._log.debug("the client of %r left before the end of its response", line)
        elif isinstance(error, asyncio.CancelledError) and was_cancelled:
            self._log.debug("the task of %r was cancelled", line)
        elif isinstance(error, (InvalidResponse, InvalidMessage)):
            self._slot.count_error()
            self._log.error("the application broke a rule while answering %r: %s", line, error)
            self._log.debug("where it did", exc_info=error)
        elif not isinstance(error, (KeyboardInterrupt, SystemExit)):
            # Those end the worker, which says so. A group of others may be no Exception.
            self._slot.count_error()
            self._log.error("the application failed while answering %r", line, exc_info=error)

    def _fail(self, cycle: HTTPCycle) -> None:
        """Ends an unfinished response: 500 if nothing was sent, else the connection is cut."""
        if cycle._exchange.is_finished:
            return
        try:
            cycle._response.fail()
        except Exception:
            self._log.exception("cannot answer %r", cycle._exchange.request.line)
            cycle._exchange.abort()
