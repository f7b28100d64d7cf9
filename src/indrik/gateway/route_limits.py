"""The setting `routes` at work: a handler in front of the gateway that lets requests of a limited route
through, has them wait, or refuses them. There is none where the setting is empty.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from indrik.config.routes import RouteLimit
from indrik.engine.exchange import Exchange, Handler
from indrik.engine.loop import Engine
from indrik.engine.transport import monotonic
from indrik.engine.waiting_room import WaitingRoom
from indrik.errors import ConfigError
from indrik.gateway.environ import EnvironBuilder
from indrik.gateway.route_rules import FlaskRules, PlainRules
from indrik.protocol.refusals import RateExceeded, RequestRefused
from indrik.quotas import Quota
from indrik.scoreboard.slot import Slot


class LimitedRoute:
    """One key of `routes`. What an exchange has as its owner when its route is known."""

    __slots__ = ("gate", "key", "limit", "rates")

    def __init__(self, key: str, limit: RouteLimit, quota: Quota) -> None:
        self.key = key
        self.limit = limit
        self.gate = quota.gate
        self.rates = quota.rates


class RouteLimits(Handler):
    """Has `handler` answer what the limits of its route let through. `handle` is called as the handler's is.

    rules: tells the key of a request. limits: by key; quotas: what the workers share, by key. environs: makes
    what the rules look at. slot: the worker's. queue_timeout: seconds that a request may wait
    for the concurrency of its route, 0 for any time. on_deadline: called with an exchange whose deadline was
    changed, for a kind that must know. `start` is called before the first request.
    """

    def __init__(
        self,
        handler: Handler,
        rules: FlaskRules | PlainRules,
        limits: Mapping[str, RouteLimit],
        quotas: Mapping[str, Quota],
        environs: EnvironBuilder,
        slot: Slot,
        queue_timeout: float,
        on_deadline: Callable[[Exchange], None],
    ) -> None:
        self._handler = handler
        self._rules = rules
        self._routes = {key: LimitedRoute(key, limit, quotas[key]) for key, limit in limits.items()}
        self._environs = environs
        self._slot = slot
        self._number: int = slot.number
        self._on_deadline = on_deadline
        self._room = WaitingRoom(queue_timeout, self._count_free)
        self._context: Any = None

    def start(self, engine: Engine) -> None:
        """`engine` is the one that calls `handle`."""
        self._context = engine.context
        engine.room = self._room

    @property
    def waiting(self) -> int:
        """Whole requests that wait for the concurrency of their route."""
        return self._room.length

    def handle(self, exchange: Exchange) -> None:
        route: LimitedRoute | None = exchange.owner  # type: ignore[assignment]
        is_new = route is None
        if route is None:
            route = self._find(exchange)
            if route is None:
                self._handler.handle(exchange)
                return
            exchange.owner = route
            if route.rates is not None:
                wait = route.rates.admit(monotonic())
                if wait > 0.0:
                    detail = f"more than {route.limit.rate} in the route {route.key!r}"
                    exchange.refuse(RateExceeded(f"{detail} ({exchange.request.line!r})", wait))
                    return
        self._slot.note_route(exchange.request.route or "")
        if route.gate is None:
            self._pass_on(exchange, route)
        elif self._is_behind(route, is_new) or not route.gate.enter(self._number, route.limit.concurrency):
            self._keep(exchange, route)
        else:
            try:
                self._pass_on(exchange, route)
            finally:
                route.gate.leave(self._number)
                self._let_next_begin()

    def client_left(self, exchange: Exchange) -> None:
        self._handler.client_left(exchange)

    def output_drained(self, exchange: Exchange) -> None:
        self._handler.output_drained(exchange)

    def _pass_on(self, exchange: Exchange, route: LimitedRoute) -> None:
        if route.limit.timeout:
            exchange.deadline = monotonic() + route.limit.timeout
            self._on_deadline(exchange)
        self._handler.handle(exchange)

    def _find(self, exchange: Exchange) -> LimitedRoute | None:
        """The limited route of `exchange`, None for any other."""
        try:
            environ = self._environs.build(exchange)
        except (RequestRefused, ConfigError):
            # The handler meets the same, and answers.
            return None
        found = self._rules.find(environ)
        if found is None:
            return None
        key, rule = found
        exchange.request.route = rule
        return self._routes[key]

    # --- waiting ---

    def _is_behind(self, route: LimitedRoute, is_new: bool) -> bool:
        """Whether others of this worker have waited for longer."""
        return is_new and self._room.awaits(route.key)

    def _keep(self, exchange: Exchange, route: LimitedRoute) -> None:
        """Lets `exchange` wait; the loop gives it to `handle` again."""
        ownership = self._context.ownership
        ownership.acquire()
        try:
            if exchange.is_finished or exchange.channel.is_closed:
                # Too late already, or nobody is there: it counts as ended.
                exchange.close_body()
                return
            self._context.defer(exchange)
            self._room.put(exchange, route.key, monotonic())
            self._context.wake()
        finally:
            ownership.release()

    def _let_next_begin(self) -> None:
        """Something was given back."""
        ownership = self._context.ownership
        ownership.acquire()
        try:
            if self._room.length:
                self._room.nudge()
                self._context.wake()
        finally:
            ownership.release()

    def _count_free(self, key: str) -> int:
        route = self._routes[key]
        assert route.gate is not None
        return route.limit.concurrency - route.gate.in_progress()
