"""Rows: what a client may send, how long it may take, and what is kept for it in memory."""

from __future__ import annotations

from indrik.config.kinds import Choice, Flag, Seconds, Whole
from indrik.config.setting import Setting

SECURITY = "Security"
TIMEOUTS = "Timeouts"
BUFFERS = "Buffers"
HEADERS = "Server Mechanics"

ROWS = (
    Setting(
        name="limit_request_line",
        section=SECURITY,
        flags=("--limit-request-line",),
        kind=Whole(),
        metavar="INT",
        default=8190,
        help="Bytes of a request line at most; 0 = any, within `limit_request_head`. A longer one is "
        "answered with 414.",
    ),
    Setting(
        name="limit_request_fields",
        section=SECURITY,
        flags=("--limit-request-fields",),
        kind=Whole(),
        metavar="INT",
        default=100,
        help="Header fields of a request at most; 0 = any, within `limit_request_head`. More are answered "
        "with 431.",
    ),
    Setting(
        name="limit_request_field_size",
        section=SECURITY,
        # Spelled with an underscore in Gunicorn as well.
        flags=("--limit-request-field_size",),
        kind=Whole(),
        metavar="INT",
        default=8190,
        help="Bytes of one header field at most, name and line end included; 0 = any, within "
        "`limit_request_head`. A longer one is answered with 431.",
    ),
    Setting(
        name="limit_request_head",
        section=SECURITY,
        flags=("--limit-request-head",),
        kind=Whole(),
        metavar="INT",
        default=65536,
        own=True,
        help="Bytes of a request line and its header fields together at most; 0 means 65536. More are "
        "answered with 431.",
    ),
    Setting(
        name="limit_request_body",
        section=SECURITY,
        flags=("--limit-request-body",),
        kind=Whole(),
        metavar="INT",
        default=0,
        own=True,
        help="Bytes of a request body at most; 0 = any. A greater one is answered with 413, before it is "
        "read if the client announced its length.",
    ),
    Setting(
        name="first_byte_timeout",
        section=TIMEOUTS,
        flags=("--first-byte-timeout",),
        kind=Seconds(),
        metavar="SECONDS",
        default=30.0,
        own=True,
        help="Seconds that a new connection may stay silent before it is closed; 0 = any. Browsers open "
        "connections ahead of need.",
    ),
    Setting(
        name="header_timeout",
        section=TIMEOUTS,
        flags=("--header-timeout",),
        kind=Seconds(),
        metavar="SECONDS",
        default=10.0,
        own=True,
        help="Seconds from the first byte of a request to the end of its header fields; 0 = any. Later is "
        "answered with 408.",
    ),
    Setting(
        name="body_timeout",
        section=TIMEOUTS,
        flags=("--body-timeout",),
        kind=Seconds(),
        metavar="SECONDS",
        default=30.0,
        own=True,
        help="Seconds in which the next `body_timeout` times `body_min_rate` bytes of a request body must "
        "arrive; 0 = any. A slower body is answered with 408.",
    ),
    Setting(
        name="body_min_rate",
        section=TIMEOUTS,
        flags=("--body-min-rate",),
        kind=Whole(),
        metavar="INT",
        default=240,
        own=True,
        help="Bytes a second that a request body must arrive with, on average over `body_timeout`; 0 = any "
        "byte within `body_timeout` will do.",
    ),
    Setting(
        name="write_timeout",
        section=TIMEOUTS,
        flags=("--write-timeout",),
        kind=Seconds(),
        metavar="SECONDS",
        default=60.0,
        own=True,
        help="Seconds in which a client that reads slowly must take the next `write_timeout` times "
        "`write_min_rate` bytes of its response before the connection is closed; 0 = any.",
    ),
    Setting(
        name="write_min_rate",
        section=TIMEOUTS,
        flags=("--write-min-rate",),
        kind=Whole(),
        metavar="INT",
        default=240,
        own=True,
        help="Bytes a second that a client must take of a waiting response, on average over `write_timeout`; "
        "0 = any byte within `write_timeout` will do.",
    ),
    Setting(
        name="body_buffer",
        section=BUFFERS,
        flags=("--body-buffer",),
        kind=Whole(),
        metavar="INT",
        default=1024 * 1024,
        own=True,
        help="Bytes of a request body kept in memory; a greater one goes to a temporary file. So does one of "
        "more than 64 KiB while all bodies of a worker together hold 64 times as much.",
    ),
    Setting(
        name="output_buffer",
        section=BUFFERS,
        flags=("--output-buffer",),
        kind=Whole(),
        metavar="INT",
        default=1024 * 1024,
        own=True,
        help="Bytes of a response kept in memory for a client that reads slowly; more goes to a temporary "
        "file.",
    ),
    Setting(
        name="output_spool",
        section=BUFFERS,
        flags=("--output-spool",),
        kind=Whole(),
        metavar="INT",
        default=1024 * 1024 * 1024,
        own=True,
        help="Bytes of one response in its temporary file at most; then the application waits for the "
        "client.",
    ),
    Setting(
        name="header_map",
        section=HEADERS,
        flags=("--header-map",),
        kind=Choice(("drop", "refuse", "dangerous")),
        default="drop",
        help="What happens to a header field with an underscore in its name, which WSGI cannot tell from one "
        "with a dash: it is dropped, the request is refused with 400, or (`dangerous`) both are taken "
        "for the same.",
    ),
    Setting(
        name="server_header",
        section=HEADERS,
        flags=("--no-server-header",),
        kind=Flag(const=False),
        default=True,
        own=True,
        help="Whether responses have the field `Server`, which says `indrik` without a version. One that the "
        "application sets is sent in any case.",
    ),
    Setting(
        name="permit_obsolete_folding",
        section=HEADERS,
        flags=("--permit-obsolete-folding",),
        kind=Flag(),
        default=False,
        help="Accept header fields folded over several lines (RFC 9112, 5.2) and join them. Proxies differ "
        "in how they read these, which can be used for attacks.",
    ),
    Setting(
        name="strip_header_spaces",
        section=HEADERS,
        flags=("--strip-header-spaces",),
        kind=Flag(),
        default=False,
        help="Accept blanks between a header field's name and its colon. RFC 9112, 5.1 wants such a request "
        "refused, because they have been used for request smuggling.",
    ),
    Setting(
        name="permit_unconventional_http_method",
        section=HEADERS,
        flags=("--permit-unconventional-http-method",),
        kind=Flag(),
        default=False,
        help="Accept any token as method (RFC 9110, 9.1), not only 3 to 20 characters without lower-case "
        "letters and `#`.",
    ),
    Setting(
        name="permit_unconventional_http_version",
        section=HEADERS,
        flags=("--permit-unconventional-http-version",),
        kind=Flag(),
        default=False,
        help="Accept a request line with another major version of HTTP than 1 and answer it as HTTP/1.1, or "
        "as HTTP/1.0 if it is below 1, instead of with 505. HTTP/1.2 and its like are HTTP/1.1 to a server "
        "of HTTP/1.1 (RFC 9110, 6.2) and need no leave.",
    ),
    Setting(
        name="casefold_http_method",
        section=HEADERS,
        flags=("--casefold-http-method",),
        kind=Flag(),
        default=False,
        help="Turn the method into capitals. Methods are case-sensitive (RFC 9110, 9.1).",
    ),
)
