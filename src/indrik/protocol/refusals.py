"""What a request is refused with: one class a refusal, status and public reason as class attributes.

The public reason is sent to the client, so it never quotes the request; `detail` is for the log only.
"""

from __future__ import annotations

import math
from typing import ClassVar

from indrik.errors import IndrikError

#: The client may try again after a second (RFC 9110 section 10.2.3).
_LATER = "\r\nRetry-After: 1"


class RequestRefused(IndrikError):
    """The peer is at fault: the request is answered with `status` and the connection is closed.

    `detail` is one line for the error log; it may hold octets of the request and is escaped by the log.
    """

    status: ClassVar[str] = "400 Bad Request"
    reason: ClassVar[str] = "The request is malformed."
    kind: ClassVar[str] = "bad-request"
    #: Header fields that the answer must have, each with CRLF before it; they go before `fields_tail`.
    fields: str = ""

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


class InvalidRequestLine(RequestRefused):
    reason = "The request line is malformed."
    kind = "request-line"


class InvalidTarget(RequestRefused):
    reason = "The request target is malformed."
    kind = "target"


class InvalidMethod(RequestRefused):
    reason = "The method is not a valid token."
    kind = "method"


class InvalidField(RequestRefused):
    reason = "A header field is malformed."
    kind = "field"


class InvalidHost(RequestRefused):
    reason = "Exactly one valid Host header field is required."
    kind = "host"


class UntrustedHost(RequestRefused):
    """The request is for a host that the application's configuration does not list."""

    reason = "This host is not served here."
    kind = "untrusted-host"


class InvalidFraming(RequestRefused):
    """The length of the body is stated wrongly or twice (RFC 9112 section 6.3): a smuggling risk."""

    reason = "The length of the request body is ambiguous."
    kind = "framing"


class InvalidChunk(RequestRefused):
    reason = "The chunked request body is malformed."
    kind = "chunk"


class InvalidProxyHeader(RequestRefused):
    """The connection does not begin as the PROXY protocol wants it."""

    reason = "The PROXY header is missing or malformed."
    kind = "proxy-header"


class ProxyHeaderForbidden(RequestRefused):
    """The peer is not in `proxy_allow_ips` and wants to name another as the client."""

    status = "403 Forbidden"
    reason = "This peer may not send a PROXY header."
    kind = "proxy-peer"


class InvalidForwarded(RequestRefused):
    """RFC 7239: the field by which a trusted proxy names its client cannot be read."""

    reason = "The Forwarded header field is malformed."
    kind = "forwarded"


class InvalidScheme(RequestRefused):
    """Header fields of a trusted proxy contradict one another about the scheme."""

    reason = "The forwarded scheme is contradictory."
    kind = "scheme"


class TruncatedBody(RequestRefused):
    reason = "The request body ended before its announced length."
    kind = "truncated"


class BodyNotStored(RequestRefused):
    """The server's own fault: there is no room for the body. The request may be repeated (RFC 9110 section
    15.6.4).
    """

    status = "503 Service Unavailable"
    reason = "The request body could not be stored."
    kind = "storage"
    fields = _LATER


class InvalidHandshake(RequestRefused):
    """RFC 6455 section 4.2.1: a request for a WebSocket that does not ask for it as it must."""

    reason = "The WebSocket handshake is malformed."
    kind = "websocket-handshake"


class UnsupportedWebSocketVersion(RequestRefused):
    """RFC 6455 section 4.4. RFC 9110 section 15.5.22 wants an Upgrade field too."""

    status = "426 Upgrade Required"
    reason = "Only version 13 of WebSocket is supported."
    kind = "websocket-version"
    fields = "\r\nConnection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13"


class RequestTimedOut(RequestRefused):
    """RFC 9110 section 15.5.9."""

    status = "408 Request Timeout"
    reason = "The request did not arrive in time."
    kind = "timeout"


class QueueTimedOut(RequestRefused):
    """The server's own fault: no thread or greenlet was free for `queue_timeout`, or `limit_concurrency` was
    reached for so long.
    """

    status = "503 Service Unavailable"
    reason = "The server is busy; try again later."
    kind = "queue"
    fields = _LATER


class RouteBusy(RequestRefused):
    """As many requests of a route as its `concurrency` allows were in progress for `queue_timeout`."""

    status = "503 Service Unavailable"
    reason = "The server is busy; try again later."
    kind = "route-concurrency"
    fields = _LATER


class RateExceeded(RequestRefused):
    """RFC 6585 section 4. The client may try again after `seconds`."""

    status = "429 Too Many Requests"
    reason = "Too many requests; try again later."
    kind = "route-rate"

    def __init__(self, detail: str, seconds: float = 1.0) -> None:
        super().__init__(detail)
        self.fields = f"\r\nRetry-After: {max(1, math.ceil(seconds))}"


class RequestOverdue(RequestRefused):
    """The application's fault: no answer within `request_timeout` (RFC 9110 section 15.6.5)."""

    status = "504 Gateway Timeout"
    reason = "The application did not answer in time."
    kind = "request-timeout"


class ContentTooLarge(RequestRefused):
    status = "413 Content Too Large"
    reason = "The request body is larger than this server accepts."
    kind = "body-size"


class TargetTooLong(RequestRefused):
    status = "414 URI Too Long"
    reason = "The request line is longer than this server accepts."
    kind = "line-size"


class ExpectationFailed(RequestRefused):
    status = "417 Expectation Failed"
    reason = "Only the expectation 100-continue is supported."
    kind = "expect"


class FieldsTooLarge(RequestRefused):
    """RFC 6585 section 5."""

    status = "431 Request Header Fields Too Large"
    reason = "The header fields are larger or more than this server accepts."
    kind = "fields-size"


class UnknownCoding(RequestRefused):
    """RFC 9112 section 6.1: a transfer coding that is not understood."""

    status = "501 Not Implemented"
    reason = "Only the transfer coding chunked is supported."
    kind = "coding"


class UnsupportedVersion(RequestRefused):
    status = "505 HTTP Version Not Supported"
    reason = "Only major version 1 of HTTP is supported."
    kind = "version"
