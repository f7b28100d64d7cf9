"""Where a message ends and whether its connection lives on: the only place that decides either.

RFC 9112 section 6.3 (message body length) and 9.3 (persistence). Everything that two parsers could read in
two ways is refused, because the second reader is a proxy and the difference is a smuggled request.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import cython
else:
    from indrik import uncompiled as cython

from indrik.protocol.octets import digits
from indrik.protocol.refusals import ExpectationFailed, InvalidFraming, UnknownCoding

#: `body_length` of a chunked message.
CHUNKED = -2


def body_length(length: str | None, codings: str | None, minor_version: cython.int) -> cython.longlong:
    """Length of a request body in bytes, or `CHUNKED`; 0 where nothing announces a body.

    `length` and `codings` are the values of Content-Length and Transfer-Encoding, None if absent, the values
    of several fields joined by commas. Raises `InvalidFraming` or `UnknownCoding`.
    """
    if codings is not None:
        return _chunked(length, codings, minor_version)
    if length is None:
        return 0
    # A repeated field was joined, so it is no number either.
    number: cython.longlong = digits(length)
    if number < 0:
        # isdigit() alone takes other scripts' digits for digits.
        if length.isascii() and length.isdigit():
            # One of more digits than `digits` takes overflows 63 bits in somebody's parser.
            raise InvalidFraming(f"Content-Length {length[:60]!r} has too many digits")
        raise InvalidFraming(f"Content-Length {length[:60]!r} is not one number")
    return number


def _chunked(length: str | None, codings: str, minor_version: int) -> int:
    if minor_version == 0:
        raise InvalidFraming("Transfer-Encoding in an HTTP/1.0 request")
    if length is not None:
        raise InvalidFraming("both Transfer-Encoding and Content-Length were sent")
    names = [name.strip(" \t").lower() for name in codings.split(",")]
    if names == ["chunked"]:
        return CHUNKED
    if names.count("chunked") > 1:
        raise InvalidFraming("the transfer coding chunked was applied twice")
    if "" in names:
        raise InvalidFraming(f"Transfer-Encoding {codings[:60]!r} has an empty member")
    if "chunked" in names and names[-1] != "chunked":
        raise InvalidFraming("chunked is not the last transfer coding")
    raise UnknownCoding(f"transfer coding {codings[:60]!r}")


def keeps_alive(connection: str | None, minor_version: cython.int) -> cython.bint:
    """Whether the peer lets the connection be used again (RFC 9112 section 9.3).

    `connection` is the list of connection options, None if there is none.
    """
    if connection is None or connection == "keep-alive":
        return minor_version >= 1 or connection is not None
    options = [option.strip(" \t").lower() for option in connection.split(",")]
    if "close" in options:
        return False
    return minor_version >= 1 or "keep-alive" in options


def wants_continue(expect: str | None, minor_version: int) -> bool:
    """Whether the peer waits for a 100 response before it sends the body (RFC 9110 section 10.1.1).

    Raises `ExpectationFailed` for any other expectation. HTTP/1.0 has no expectations; they are ignored
    there.
    """
    if expect is None or minor_version == 0:
        return False
    if expect.lower() != "100-continue":
        raise ExpectationFailed(f"Expect: {expect[:60]!r}")
    return True
