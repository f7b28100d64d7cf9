"""What a proxy says of its client in front of the first request, by the PROXY protocol."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import cython
else:
    from indrik import uncompiled as cython

from indrik.engine.passable import Passable
from indrik.engine.states import State

# `State`, as C integers when compiled.
_HEAD = int(State.HEAD)
_PROXY_HEADER = int(State.PROXY_HEADER)


class Proxied(Passable):
    """A connection whose client may be another than its peer. For whoever holds the engine's ownership."""

    def expect_proxy_header(self, is_allowed: cython.bint) -> None:
        """Has the PROXY protocol's header read before the first request. Only right after accepting.

        `is_allowed` says whether the peer may send one.
        """
        self.state = _PROXY_HEADER
        self._may_announce = is_allowed

    def _read_proxy_header(self) -> None:
        """Takes the header from the input as soon as it is whole; then requests may follow."""
        # Late: most servers do without (`ServingWorker.check_config` imports it for those that do not).
        from indrik.protocol.proxy_header import parse_proxy_header

        timers = self._context.timers
        header = parse_proxy_header(
            self._input, self._context.settings.proxy_protocol, self._may_announce
        )
        if header is None:
            if self.queue is not timers.head:
                self._arm(timers.head)
            return
        self.state = _HEAD
        if not header.consumed:
            return
        self._input = self._input[header.consumed :]
        self.proxy_header = header
        if header.names_client:
            # `_is_trusted` stays the real peer's: whoever connected has written the fields of the request.
            self.peer = header.source
            self.peer_port = "" if header.source is None else str(header.source[1])
        if not self._input:
            self._arm(timers.drain if self._context.is_draining else timers.first_byte)
