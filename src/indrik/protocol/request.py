"""A parsed request head: what the client asked, as values.

The attributes carry the names that hooks and loggers know from Gunicorn's request object.
"""

from __future__ import annotations

import cython

from indrik.protocol.framing import CHUNKED


@cython.freelist(32)
@cython.cclass
class Request:
    """One request head. Made by the parser, read by anybody, changed by nobody but the parser.

    method, uri, path, query: as sent, percent-encoding untouched; `path` ends before "?".
    host: the authority that the request is for; "" where none was sent (HTTP/1.0).
    minor_version: 1 for HTTP/1.1, 0 for HTTP/1.0.
    names, values: the header fields in their order; `names` are `FieldName` records.
    content_length: bytes, 0 without a body, `framing.CHUNKED` for a chunked one.
    line: the request line, for the scoreboard and the log.
    """

    method = cython.declare(str, visibility="public")
    uri = cython.declare(str, visibility="public")
    path = cython.declare(str, visibility="public")
    query = cython.declare(str, visibility="public")
    host = cython.declare(str, visibility="public")
    line = cython.declare(str, visibility="public")
    minor_version = cython.declare(cython.int, visibility="public")
    names = cython.declare(list, visibility="public")
    values = cython.declare(list, visibility="public")
    content_length = cython.declare(cython.longlong, visibility="public")
    keep_alive = cython.declare(cython.bint, visibility="public")
    expects_continue = cython.declare(cython.bint, visibility="public")
    is_trusted = cython.declare(cython.bint, visibility="public")

    @property
    def version(self) -> tuple[int, int]:
        """The HTTP version, for example `(1, 1)`."""
        return (1, self.minor_version)

    @property
    def headers(self) -> list[tuple[str, str]]:
        """`(UPPER-CASE-NAME, value)` of every field in its order."""
        return [(name[0], value) for name, value in zip(self.names, self.values, strict=True)]

    @property
    def fragment(self) -> str:
        """Always empty: a request target has no fragment (RFC 9112 section 3.2)."""
        return ""

    @property
    def is_chunked(self) -> bool:
        """Whether the body is framed by the chunked transfer coding."""
        return self.content_length == CHUNKED

    def should_close(self) -> bool:
        """Whether the client asked for the connection to be closed after this request."""
        return not self.keep_alive

    def __repr__(self) -> str:
        return f"<Request {self.line!r}>"
