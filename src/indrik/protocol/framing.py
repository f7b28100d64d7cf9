"""Where a message ends and whether its connection lives on: the only place that decides either.

RFC 9112 section 6.3 (message body length) and 9.3 (persistence). Everything that two parsers could read in two ways
is refused, because the second reader is a proxy and the difference is a smuggled request.
"""

from __future__ import annotations

from indrik.protocol.refusals import ExpectationFailed, InvalidFraming, UnknownCoding

#: A Content-Length of more digits than this overflows 63 bits in somebody's parser.
_MOST_DIGITS = 18

#: `body_length` of a chunked message.
CHUNKED = -2


def body_length(lengths: list[str], codings: list[str], minor_version: int) -> int:
    """Length of a request body in bytes, or `CHUNKED`; 0 where nothing announces a body.

    `lengths` and `codings` are the values of every Content-Length and Transfer-Encoding field in their order.
    Raises `InvalidFraming` or `UnknownCoding`.
    """
    if codings:
        return _chunked(lengths, codings, minor_version)
    if not lengths:
        return 0
    if len(lengths) > 1:
        raise InvalidFraming("Content-Length was sent more than once")
    text = lengths[0]
    # isdigit() alone takes superscripts and other scripts' digits for digits.
    if not (text.isascii() and text.isdigit()):
        raise InvalidFraming(f"Content-Length {text!r} is not a number")
    if len(text) > _MOST_DIGITS:
        raise InvalidFraming(f"Content-Length {text[:40]!r} has too many digits")
    return int(text)


def _chunked(lengths: list[str], codings: list[str], minor_version: int) -> int:
    if minor_version == 0:
        raise InvalidFraming("Transfer-Encoding in an HTTP/1.0 request")
    if lengths:
        raise InvalidFraming("both Transfer-Encoding and Content-Length were sent")
    names = [name.strip(" \t").lower() for value in codings for name in value.split(",")]
    if names == ["chunked"]:
        return CHUNKED
    if names.count("chunked") > 1:
        raise InvalidFraming("the transfer coding chunked was applied twice")
    if "" in names:
        raise InvalidFraming(f"Transfer-Encoding {', '.join(codings)!r} has an empty member")
    if "chunked" in names and names[-1] != "chunked":
        raise InvalidFraming("chunked is not the last transfer coding")
    raise UnknownCoding(f"transfer coding {', '.join(codings)!r}")


def keeps_alive(connection: list[str], minor_version: int) -> bool:
    """Whether the peer lets the connection be used again (RFC 9112 section 9.3).

    `connection` are the values of every Connection field; each is a list of options.
    """
    options = [option.strip(" \t").lower() for value in connection for option in value.split(",")]
    if "close" in options:
        return False
    return minor_version >= 1 or "keep-alive" in options


def wants_continue(expect: list[str], minor_version: int) -> bool:
    """Whether the peer waits for a 100 response before it sends the body (RFC 9110 section 10.1.1).

    Raises `ExpectationFailed` for any other expectation. HTTP/1.0 has no expectations; they are ignored there.
    """
    if minor_version == 0:
        return False
    for value in expect:
        if value.lower() != "100-continue":
            raise ExpectationFailed(f"Expect: {value!r}")
    return bool(expect)
