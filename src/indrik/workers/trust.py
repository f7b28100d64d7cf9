"""Which peers are believed: whether an address is in a list of addresses and networks."""

from __future__ import annotations

import ipaddress
from typing import Any

#: Decisions kept, one a client address.
_PEERS_KEPT = 4096


class Trust:
    """Whether a peer is in one of the lists of addresses. A unix socket's peer always is, as in Gunicorn."""

    def __init__(self, words: list[str], networks: list[Any]) -> None:
        self._trusts_all = "*" in words
        self._networks = networks
        self._known: dict[str, bool] = {}

    def __call__(self, peer: tuple[str, int] | None) -> bool:
        if peer is None or self._trusts_all:
            return True
        host = peer[0]
        known = self._known.get(host)
        if known is None:
            address = ipaddress.ip_address(host.partition("%")[0])
            known = any(address in network for network in self._networks)
            if len(self._known) < _PEERS_KEPT:
                self._known[host] = known
        return known
