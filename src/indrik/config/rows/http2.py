"""Rows: HTTP/2."""

from __future__ import annotations

from indrik.config.kinds import Choice, Whole
from indrik.config.lists import WordsOf
from indrik.config.setting import Setting

SECTION = "HTTP/2"
LATER = "HTTP/2 comes in a later version; until then put an HTTP/2 proxy in front"

ROWS = (
    Setting(
        name="http_protocols",
        section=SECTION,
        flags=("--http-protocols",),
        kind=WordsOf(("h1", "h2")),
        metavar="STRING",
        default="h1",
        supported=False,
        reason=LATER,
        help="Versions of HTTP offered to TLS clients, the preferred one first: `h1`, `h2`.",
    ),
    Setting(
        name="http2_cleartext",
        section=SECTION,
        flags=("--http2-cleartext",),
        kind=Choice(("off", "prior-knowledge", "upgrade", "both"), when_true="both"),
        metavar="STRING",
        default="off",
        supported=False,
        reason=LATER,
        help="Whether peers in `forwarded_allow_ips` may speak HTTP/2 without TLS, and how they begin.",
    ),
    Setting(
        name="http2_max_concurrent_streams",
        section=SECTION,
        flags=("--http2-max-concurrent-streams",),
        kind=Whole(minimum=1),
        metavar="INT",
        default=100,
        supported=False,
        reason=LATER,
        help="Requests that one connection may have in progress.",
    ),
    Setting(
        name="http2_initial_window_size",
        section=SECTION,
        flags=("--http2-initial-window-size",),
        kind=Whole(0, 2**31 - 1),
        metavar="INT",
        default=65535,
        supported=False,
        reason=LATER,
        help="Bytes of a request body that a client may send ahead of being read.",
    ),
    Setting(
        name="http2_max_frame_size",
        section=SECTION,
        flags=("--http2-max-frame-size",),
        kind=Whole(2**14, 2**24 - 1),
        metavar="INT",
        default=16384,
        supported=False,
        reason=LATER,
        help="Bytes of the greatest frame that a client may send.",
    ),
    Setting(
        name="http2_max_header_list_size",
        section=SECTION,
        flags=("--http2-max-header-list-size",),
        kind=Whole(),
        metavar="INT",
        default=65536,
        supported=False,
        reason=LATER,
        help="Bytes that the header fields of a request may take; 0 = not announced.",
    ),
)
