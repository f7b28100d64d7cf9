"""Connections, buffers, timers and the loop: the one engine under every worker kind.

The engine owns listeners and connections, reads and parses without ever waiting for a client, and hands
each complete request to the worker kind's handler as an `Exchange`. Only worker kinds create an `Engine`;
gateways see exchanges. Start reading in `connection`, the state machine of one client (on top of `sender`,
`intake`, `passable` and `proxied`: what goes out, comes in, moves to another worker, and what a proxy says
in front of it all); `loop` drives it; `output` and `body` are its buffers. `crew`, `greenlets` and `hosted`
drive the loop for several threads, a hub and an event loop; `siblings` shares the load with the other
workers.
"""

from __future__ import annotations

from indrik.engine.transport import COMPILED as COMPILED
