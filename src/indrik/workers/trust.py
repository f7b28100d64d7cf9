"""Which peers are believed: whether an address is in a list of addresses and networks."""

from __future__ import annotations

import ipaddress
from typing import Any

#: Decisions kept, one a client address.
_PEERS_KEPT = 4096


class Trust:
    """Whether a peer is in one of the lists of addresses. A unix socket's peer always is, as in Gunicorn.

    trusts_all: whether everyone is.
    """

    def __init__(self, words: list[str], networks: list[Any]) -> None:
        self.trusts_all = "*" in words
        self._networks = networks
        self._known: dict[str, bool] = {}

    def __call__(self, peer: tuple[str, int] | None) -> bool:
        return peer is None or self.trusts_all or self.knows(peer[0])

    def knows(self, host: str) -> bool:
        """Whether the address `host` is in the lists. What is no address is in none."""
        known = self._known.get(host)
        if known is None:
            try:
                address = ipaddress.ip_address(host.partition("%")[0])
            except ValueError:
                # Not kept: a client may write anything into the field that it is from.
                return False
            known = any(address in network for network in self._networks)
            if len(self._known) < _PEERS_KEPT:
                self._known[host] = known
        return known
