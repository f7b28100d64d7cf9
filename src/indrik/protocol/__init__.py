"""HTTP/1.1 and WebSocket as values: bytes in, requests or messages out, and the other way round.

Nothing here knows a socket, a clock, a log or a setting by name, so every rule can be tested with a byte
string. Engine and gateways call it; workers only name some of its values. Start reading in `head` (a request
head), go on with `framing` (where a body ends, the only place that decides it) and `response` (a response
head). `refusals` is the table of what a bad request is told. `conditions`, `ranges` and `codings` say what of
a file a request is sent, `forwarded` and `proxy_header` what proxies say of their clients. A WebSocket opens
in `websocket_handshake` and goes on in `websocket`.
"""
