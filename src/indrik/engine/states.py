"""What a connection of HTTP/1.1 is doing."""

from __future__ import annotations

import enum


class State(enum.IntEnum):
    """What happens on a connection now. Exactly one owner at a time: the exchange in EXCHANGE, else the
    loop.
    """

    HEAD = 0  # idle, or a request head is arriving
    BODY = 1  # the body of `request` is arriving
    EXCHANGE = 2  # a handler answers
    SENDING = 3  # the response is complete, its rest waits for the client to read
    LINGERING = 4  # nothing more is sent; input is thrown away so that the client can read the last answer
    CLOSED = 5
    PROXY_HEADER = 6  # just accepted; a PROXY header may or must come before the first request
