"""What the cycle of a request and that of a WebSocket have in common: an exchange, and coroutines of the
application that wait for its client.
"""

from __future__ import annotations

from indrik.engine.exchange import Exchange
from indrik.gateway.task import RequestTask
from indrik.gateway.waiter import Waiter, wait_behind, wake_all

#: Bytes that wait for a slow reader before `send` waits for it.
HIGH_WATER = 65536


class Cycle(RequestTask):
    """The task of one exchange. `receive` waits behind `_receivers`, `send` behind `_drainers`."""

    _exchange: Exchange
    _receivers: Waiter | None  # the latest; the others behind it
    _drainers: Waiter | None

    @property
    def request_line(self) -> str:
        """The request line, for people."""
        return self._exchange.request.line

    # --- what the engine says ---

    def tell(self) -> None:
        """Something that `receive` may wait for has happened."""
        waiting = self._receivers
        if waiting is not None:
            self._receivers = None
            wake_all(waiting)

    def drained(self) -> None:
        """Nothing waits for the client any more."""
        waiting = self._drainers
        if waiting is not None:
            self._drainers = None
            wake_all(waiting)

    # --- what receive and send wait for ---

    def _wait_for_news(self) -> Waiter:
        self._receivers = wait_behind(self._receivers, self._loop)
        return self._receivers

    async def _wait_drained(self) -> None:
        exchange = self._exchange
        while exchange.is_congested_beyond(0):
            self._drainers = wait_behind(self._drainers, self._loop)
            await self._drainers
