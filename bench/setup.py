"""What every measurement with a load is told: who is measured, on which CPUs, how often."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bench.serverrow import Server


@dataclass(frozen=True)
class Setup:
    """`servers` take turns, `rounds` times, on `server_cpu`; the load comes from `load_cpu`. `places`: where
    what they need is, as environment.places() says.
    """

    servers: Sequence[Server]
    places: Mapping[str, str]
    server_cpu: int
    load_cpu: int
    rounds: int
