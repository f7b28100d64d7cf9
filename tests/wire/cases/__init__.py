"""The wire cases by topic: `TOPICS` maps a topic to its cases."""

from __future__ import annotations

from collections.abc import Mapping

from tests.wire.case import Case
from tests.wire.cases import (
    chunked,
    closing,
    connection,
    environs,
    fields,
    framing,
    limits,
    proxies,
    request_line,
    responses,
    targets,
)

TOPICS: Mapping[str, tuple[Case, ...]] = {
    "request line": request_line.CASES,
    "targets": targets.CASES,
    "fields": fields.CASES,
    "framing": framing.CASES,
    "chunked": chunked.CASES,
    "limits": limits.CASES,
    "connection": connection.CASES,
    "proxies": proxies.CASES,
    "environs": environs.CASES,
    "responses": responses.CASES,
    "closing": closing.CASES,
}
