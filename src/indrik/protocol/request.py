"""A parsed request head: what the client asked, as values.

The attributes carry the names that hooks and loggers know from Gunicorn's request object.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import cython
else:
    from indrik import uncompiled as cython

from indrik.protocol.fields import FieldName
from indrik.protocol.framing import CHUNKED


@cython.freelist(32)
@cython.no_gc
@cython.cclass
class Request:
    """One request head. Filled by the parser, read by anybody, changed by nobody else.

    method, uri, path, query: as sent, percent-encoding untouched; `path` ends before "?".
    host: the authority that the request is for; "" where none was sent (HTTP/1.0).
    minor_version: 1 for HTTP/1.1, 0 for HTTP/1.0.
    names, values: the header fields in their order; `names` are `FieldName` records.
    content_length: bytes, 0 without a body, `framing.CHUNKED` for a chunked one.
    is_trusted: the peer is a proxy that may say for whom it forwards; has_scheme: it may have said the
    scheme. has_upgrade: there is an Upgrade field. has_underscore: there is a field with an
    underscore in its name that was not left out. route: the rule that it matches; None or
    absent unless that was found before the application is called.
    """

    method: str
    uri: str
    path: str
    query: str
    host: str
    minor_version: int
    names: list[FieldName]
    values: list[str]
    content_length: int
    keep_alive: bool
    expects_continue: bool
    is_trusted: bool
    has_scheme: bool
    has_upgrade: bool
    has_underscore: bool
    route: str | None

    def as_far_as_read(self) -> Request | None:
        """This request, whose head may have been refused while it was read: None if not even its line was
        read, without any field if not all were.
        """
        # What nobody has set is None when compiled, and not there when not.
        if getattr(self, "method", None) is None:
            return None
        if getattr(self, "names", None) is None:
            self.host = ""
            self.names = []
            self.values = []
        return self

    @property
    def version(self) -> tuple[int, int]:
        """The HTTP version, for example `(1, 1)`."""
        return (1, self.minor_version)

    @property
    def line(self) -> str:
        """The request line, made anew from its parts."""
        return f"{self.method} {self.uri} HTTP/1.{self.minor_version}"

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
