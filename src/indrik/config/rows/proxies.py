"""Rows: which peers are trusted to speak for a client, and in which protocols."""

from __future__ import annotations

from indrik.config.kinds import Choice, Flag, OptionalChoice, Text
from indrik.config.lists import HopCounts, Networks, Table, Words
from indrik.config.setting import FromEnvironment, Setting

SECTION = "Server Mechanics"
UWSGI_LATER = "the uwsgi protocol comes in a later version; until then let the proxy speak HTTP"

ROWS = (
    Setting(
        name="secure_scheme_headers",
        section=SECTION,
        kind=Table(),
        default={"X-FORWARDED-PROTOCOL": "ssl", "X-FORWARDED-PROTO": "https", "X-FORWARDED-SSL": "on"},
        help="Header fields, with their value, by which a trusted proxy says that the client came over "
        "https. Fields that contradict each other are answered with 400.",
    ),
    Setting(
        name="forwarded_allow_ips",
        section=SECTION,
        flags=("--forwarded-allow-ips",),
        kind=Networks(),
        metavar="STRING",
        default="127.0.0.1,::1",
        environment=FromEnvironment("FORWARDED_ALLOW_IPS", empty_counts=True),
        help="Proxies that are trusted to tell the scheme and the fields in `forwarder_headers`: addresses, "
        "networks, or `*` for everyone. Peers on a unix socket are always trusted.",
    ),
    Setting(
        name="forwarder_headers",
        section=SECTION,
        flags=("--forwarder-headers",),
        kind=Words(),
        default="SCRIPT_NAME,PATH_INFO",
        help="Header fields with an underscore in their name that a trusted proxy may send; `*` = all.",
    ),
    Setting(
        name="forwarded",
        section=SECTION,
        kind=HopCounts(),
        default=None,
        own=True,
        help="Take the client's address, scheme, host, port and prefix from what proxies say, with the rules "
        "of Werkzeug's ProxyFix: a dict of how many proxies append each of `for`, `proto`, `host`, `port` "
        'and `prefix`, e.g. `{"for": 1, "proto": 1}`; the value that many from the right is taken. They are '
        "read from `X-Forwarded-For`, `-Proto`, `-Host`, `-Port` and `-Prefix`; with "
        '`"field": "Forwarded"` the first three come from RFC 7239\'s `Forwarded` instead. The two are never '
        "both believed: most proxies pass on unchanged the one that they do not write. Only requests of "
        "peers in `forwarded_allow_ips` are touched.",
    ),
    Setting(
        name="proxy_headers",
        section=SECTION,
        flags=("--proxy-headers",),
        kind=Flag(),
        default=False,
        own=True,
        help="Take the client's address and scheme from `X-Forwarded-For` and `X-Forwarded-Proto` as uvicorn "
        "does: the client is the last address in `X-Forwarded-For` that is not in `forwarded_allow_ips` "
        "itself, or the first if all are or everyone is trusted. Only requests of peers in "
        "`forwarded_allow_ips` are touched. `forwarded`, which counts proxies, does not go with it.",
    ),
    Setting(
        name="proxy_protocol",
        section=SECTION,
        flags=("--proxy-protocol",),
        kind=OptionalChoice(("off", "v1", "v2", "auto"), when_true="auto"),
        metavar="MODE",
        default="off",
        help="Accept a PROXY header, by which a load balancer tells the client's address, at the start of a "
        "connection. With `v1` or `v2`, peers in `proxy_allow_ips` are refused without one; with `auto` "
        "either version will do and none at all, so use it only while changing over. The flag alone means "
        "`auto`. The balancer may be in `forwarded_allow_ips` only if it also removes the header fields that "
        "are believed there: one that forwards TCP passes on whatever its client wrote.",
    ),
    Setting(
        name="proxy_allow_ips",
        section=SECTION,
        flags=("--proxy-allow-from",),
        kind=Networks(),
        default="127.0.0.1,::1",
        help="Peers that may send PROXY headers: addresses, networks, or `*` for everyone. Any other that "
        "sends one is answered with 403. Peers on a unix socket always may.",
    ),
    Setting(
        name="protocol",
        section=SECTION,
        flags=("--protocol",),
        kind=Choice(("http", "uwsgi")),
        metavar="STRING",
        default="http",
        supported=False,
        reason=UWSGI_LATER,
        help="Protocol spoken on the listening sockets.",
    ),
    Setting(
        name="uwsgi_allow_ips",
        section=SECTION,
        flags=("--uwsgi-allow-from",),
        kind=Networks(),
        default="127.0.0.1,::1",
        supported=False,
        reason=UWSGI_LATER,
        help="Peers that may speak the uwsgi protocol: addresses, networks, or `*` for everyone.",
    ),
    Setting(
        name="root_path",
        section=SECTION,
        flags=("--root-path",),
        kind=Text(),
        metavar="STRING",
        default="",
        help="`root_path` of the ASGI scope: where a proxy has mounted the application.",
    ),
)
