"""Rows: TLS."""

from __future__ import annotations

from typing import Any

from indrik.config.kinds import Anything, Flag, Text, Whole
from indrik.config.setting import Setting

SECTION = "SSL"
LATER = "TLS comes in a later version; until then put a TLS proxy in front"


# ssl.PROTOCOL_TLS, without the megabytes of memory that importing ssl costs each worker that does no TLS.
PROTOCOL_TLS = 2


def deprecated_version(value: Any) -> str | None:
    if value == PROTOCOL_TLS:
        return None
    return "is ignored and deprecated: the version is negotiated; use the hook ssl_context to narrow it"


ROWS = (
    Setting(
        name="keyfile",
        section=SECTION,
        flags=("--keyfile",),
        kind=Text(),
        metavar="FILE",
        default=None,
        supported=False,
        reason=LATER,
        help="File with the private key of the server.",
    ),
    Setting(
        name="certfile",
        section=SECTION,
        flags=("--certfile",),
        kind=Text(),
        metavar="FILE",
        default=None,
        supported=False,
        reason=LATER,
        help="File with the certificate of the server and its chain. Setting it turns TLS on.",
    ),
    Setting(
        name="ssl_version",
        section=SECTION,
        flags=("--ssl-version",),
        kind=Anything(),
        default=PROTOCOL_TLS,
        warn=deprecated_version,
        help="Deprecated and ignored, with a warning: the version is negotiated.",
    ),
    Setting(
        name="cert_reqs",
        section=SECTION,
        flags=("--cert-reqs",),
        kind=Whole(0, 2, plain_on_command_line=False),
        default=0,
        supported=False,
        reason=LATER,
        help="Whether clients must show a certificate: 0 no, 1 optional, 2 required.",
    ),
    Setting(
        name="ca_certs",
        section=SECTION,
        flags=("--ca-certs",),
        kind=Text(),
        metavar="FILE",
        default=None,
        supported=False,
        reason=LATER,
        help="File with the certificates of the authorities that may have signed a client's certificate.",
    ),
    Setting(
        name="suppress_ragged_eofs",
        section=SECTION,
        flags=("--suppress-ragged-eofs",),
        kind=Flag(),
        default=True,
        supported=False,
        reason=LATER,
        help="Take the end of a connection without TLS's own farewell for a plain end.",
    ),
    Setting(
        name="do_handshake_on_connect",
        section=SECTION,
        flags=("--do-handshake-on-connect",),
        kind=Flag(),
        default=False,
        supported=False,
        reason=LATER,
        help="Do the TLS handshake as soon as a connection is accepted.",
    ),
    Setting(
        name="ciphers",
        section=SECTION,
        flags=("--ciphers",),
        kind=Text(),
        default=None,
        supported=False,
        reason=LATER,
        help="Ciphers allowed, in OpenSSL's form.",
    ),
)
