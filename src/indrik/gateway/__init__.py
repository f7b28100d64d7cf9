"""Between an exchange and an application: the environ or scope on the way in, the response rules on the way
out.

A gateway knows one interface (PEP 3333 in `wsgi`, ASGI 3 in `asgi`) and no socket; worker kinds call it.
Start reading in `wsgi`, or in `asgi`, `http_cycle` and `websocket` (both on top of `cycle`). `route_limits`
stands in front of a gateway (the setting `routes`), `static_files` answers before one is asked (`static`),
`x_sendfile` sends what an application names; `file_root` is the only way in which names from outside reach
the file system.
"""
