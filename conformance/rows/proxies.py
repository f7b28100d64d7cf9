"""What is believed of whom: forwarded fields, RFC 7239 and the PROXY protocol. The peer is 127.0.0.1."""

from __future__ import annotations

import struct

from conformance.outcome import refused, served
from conformance.row import Row, Topic
from tests.wire.case import get

_V1 = b"PROXY TCP4 192.0.2.1 198.51.100.2 40000 443\r\n"
_SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"
_V2 = _SIGNATURE + struct.pack("!BBH4B4BHH", 0x21, 0x11, 12, 192, 0, 2, 1, 198, 51, 100, 2, 40000, 443)
_LOCAL = _SIGNATURE + struct.pack("!BBH", 0x20, 0x00, 0)
_ADDRESS = ("REMOTE_ADDR",)

TOPIC = Topic(
    "Proxies",
    (
        Row(
            "x-forwarded-proto",
            "`X-Forwarded-Proto: https` from loopback, with the defaults",
            "no standard",
            (get("X-Forwarded-Proto: https"),),
            served(scheme="https"),
            "as in Gunicorn: `forwarded_allow_ips` is loopback, and `secure_scheme_headers` has this field",
            ("scheme",),
        ),
        Row(
            "x-forwarded-for",
            "`X-Forwarded-For: 192.0.2.1` from loopback, with the defaults",
            "no standard",
            (get("X-Forwarded-For: 192.0.2.1"),),
            served(REMOTE_ADDR="127.0.0.1"),
            "not believed before it is known how many proxies append to it: the setting `forwarded`",
            _ADDRESS,
        ),
        Row(
            "scheme-conflict",
            "`X-Forwarded-Proto: https` and `X-Forwarded-Ssl: off`",
            "no standard",
            (get("X-Forwarded-Proto: https", "X-Forwarded-Ssl: off"),),
            refused(),
            "a proxy that contradicts itself lets one of them through from its client",
            ("scheme",),
        ),
        Row(
            "script-name",
            "`SCRIPT_NAME: /app` from loopback, target `/app/x`",
            "PEP 3333",
            (get("SCRIPT_NAME: /app", target="/app/x"),),
            # The next request of the measurement is below another path.
            served(SCRIPT_NAME="/app", PATH_INFO="/x"),
            "as in Gunicorn: a trusted proxy says where the application is mounted; `forwarder_headers`",
            ("SCRIPT_NAME", "PATH_INFO"),
            only_wsgi=True,
        ),
        Row(
            "forwarded-default",
            "`Forwarded: for=192.0.2.1;proto=https`, with the defaults",
            "RFC 7239 8.1",
            (get("Forwarded: for=192.0.2.1;proto=https"),),
            served(REMOTE_ADDR="127.0.0.1", scheme="http"),
            "handed on, not believed",
            ("REMOTE_ADDR", "scheme"),
        ),
        Row(
            "forwarded",
            "the same where `Forwarded` is to be believed for one proxy",
            "RFC 7239 4",
            (get("Forwarded: for=192.0.2.9, for=192.0.2.1;proto=https;host=b"),),
            served(REMOTE_ADDR="192.0.2.1", scheme="https", HTTP_HOST="b"),
            "the last element is the nearest proxy's; those before it are a client's claim",
            ("REMOTE_ADDR", "scheme", "HTTP_HOST"),
            options="Forwarded",
        ),
        Row(
            "forwarded-quoted",
            '`Forwarded: for="[2001:db8::1]:4711"`',
            "RFC 7239 6",
            (get('Forwarded: for="[2001:db8::1]:4711"'),),
            served(REMOTE_ADDR="2001:db8::1"),
            "brackets and port are notation, not address",
            _ADDRESS,
            options="Forwarded",
        ),
        Row(
            "forwarded-unknown",
            "`Forwarded: for=unknown`",
            "RFC 7239 6.2",
            (get("Forwarded: for=unknown"),),
            served(REMOTE_ADDR="unknown"),
            "what the proxy calls its client is handed on: the proxy's own address would be a wrong one",
            _ADDRESS,
            options="Forwarded",
        ),
        Row(
            "forwarded-bad",
            '`Forwarded: for="192.0.2.1`, without its closing quote',
            "RFC 7239 4",
            (get('Forwarded: for="192.0.2.1'),),
            refused(),
            "whoever counts elements in it may be led to another one",
            _ADDRESS,
            options="Forwarded",
        ),
        Row(
            "proxy-v1",
            "PROXY header, version 1",
            "PROXY protocol 2.1",
            (_V1 + get(),),
            served(REMOTE_ADDR="192.0.2.1"),
            "the client is whom the balancer names, if it is in `proxy_allow_ips`",
            _ADDRESS,
            options="PROXY v1",
        ),
        Row(
            "proxy-v1-unknown",
            "`PROXY UNKNOWN`",
            "PROXY protocol 2.1",
            (b"PROXY UNKNOWN\r\n" + get(),),
            served(REMOTE_ADDR="127.0.0.1"),
            "the specification: accept it and use the real connection",
            _ADDRESS,
            options="PROXY v1",
        ),
        Row(
            "proxy-v1-missing",
            "no PROXY header where one is due",
            "PROXY protocol 2",
            (get(),),
            refused(),
            "the specification forbids to guess: who reaches the port past the balancer would pass for it",
            _ADDRESS,
            options="PROXY v1",
        ),
        Row(
            "proxy-v1-bad",
            "`PROXY TCP4 192.0.2.999 …`",
            "PROXY protocol 2.1",
            (_V1.replace(b"192.0.2.1", b"192.0.2.999") + get(),),
            refused(),
            "no address",
            _ADDRESS,
            options="PROXY v1",
        ),
        Row(
            "proxy-v2",
            "PROXY header, version 2",
            "PROXY protocol 2.2",
            (_V2 + get(),),
            served(REMOTE_ADDR="192.0.2.1"),
            "the client is whom the balancer names, if it is in `proxy_allow_ips`",
            _ADDRESS,
            options="PROXY v2",
        ),
        Row(
            "proxy-v2-local",
            "version 2, LOCAL: the balancer's own health check",
            "PROXY protocol 2.2",
            (_LOCAL + get(),),
            served(REMOTE_ADDR="127.0.0.1"),
            "the specification: use the real connection",
            _ADDRESS,
            options="PROXY v2",
        ),
        Row(
            "proxy-off",
            "PROXY header with the defaults",
            "PROXY protocol 2",
            (_V1 + get(),),
            refused(),
            "off by default: then it is a request line, and no good one",
            _ADDRESS,
        ),
    ),
    "Where the point needs a setting, it is on: for indrik `forwarded` and `proxy_protocol`, for the others "
    "their own. A dash is a server without such a feature.",
)
