"""Between an exchange and an application: the environ or scope on the way in, the response rules on the way
out.

A gateway knows one interface (PEP 3333 in `wsgi`, ASGI 3 in `asgi`) and no socket; worker kinds call it.
Start reading in `wsgi`, or in `asgi`, `http_cycle` and `websocket` (both on top of `cycle`, which is a
`task`). `environ` and `scope` are made here, with what proxies say (`forwarding`); `response` is what both
interfaces share on the way out. `route_limits` stands in front of a WSGI gateway (the setting `routes`),
`admission` in an ASGI one (`limit_concurrency`). `static_files` answers before one is asked (`static`),
`x_sendfile` sends what an application names; `file_root` is the only way in which names from outside reach
the file system. `flask_app`, `flask_static` and `route_rules` know Flask, by its name and public interface.
"""
