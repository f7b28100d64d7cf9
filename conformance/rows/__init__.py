"""The rows of the page by topic, in the page's order."""

from __future__ import annotations

from conformance.row import Row, Topic
from conformance.rows import (
    chunked,
    connection,
    environ,
    fields,
    framing,
    proxies,
    request_line,
    responses,
    targets,
    waiting,
)

TOPICS: tuple[Topic, ...] = (
    request_line.TOPIC,
    targets.TOPIC,
    fields.TOPIC,
    framing.TOPIC,
    chunked.TOPIC,
    connection.TOPIC,
    environ.TOPIC,
    responses.TOPIC,
    proxies.TOPIC,
)

ROWS: tuple[Row, ...] = tuple(row for topic in TOPICS for row in topic.rows)

PATIENCE = waiting.ROWS
