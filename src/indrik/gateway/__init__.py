"""Between an exchange and an application: the environ or scope on the way in, the response rules on the way
out.

A gateway knows one interface (PEP 3333 in `wsgi`, ASGI 3 in `asgi`) and no socket; worker kinds call it.
Start reading in `wsgi`.
"""
