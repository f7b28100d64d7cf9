"""What a WSGI environ holds beyond fields and path (PEP 3333, RFC 3875)."""

from __future__ import annotations

from conformance.outcome import served
from conformance.row import Row, Topic
from tests.wire.case import get, post

TOPIC = Topic(
    "The environ",
    (
        Row(
            "bare-type",
            "Content-Type in the environ",
            "RFC 3875 4.1.3",
            (get("Content-Type: text/x"),),
            served(CONTENT_TYPE="text/x", HTTP_CONTENT_TYPE=None),
            "under one key only",
            ("CONTENT_TYPE", "HTTP_CONTENT_TYPE"),
            only_wsgi=True,
        ),
        Row(
            "bare-length",
            "Content-Length in the environ",
            "RFC 3875 4.1.2",
            (post("Content-Length: 2", body=b"hi"),),
            served(CONTENT_LENGTH="2", HTTP_CONTENT_LENGTH=None),
            "the same",
            ("CONTENT_LENGTH", "HTTP_CONTENT_LENGTH"),
            only_wsgi=True,
        ),
        Row(
            "no-type",
            "no Content-Type",
            "PEP 3333",
            (get(),),
            served(CONTENT_TYPE=None, CONTENT_LENGTH=None),
            "absent: may be empty or absent; absent says it without doubt",
            ("CONTENT_TYPE", "CONTENT_LENGTH"),
            only_wsgi=True,
        ),
        Row(
            "raw-uri",
            "the target as it came",
            "no standard",
            (get(target="/%61?%62"),),
            served(RAW_URI="/%61?%62", REQUEST_URI=None),
            "`RAW_URI`, Gunicorn's name, which frameworks look for",
            ("RAW_URI", "REQUEST_URI"),
            only_wsgi=True,
        ),
        Row(
            "httpoxy",
            "a field named `Proxy`",
            "RFC 3875 4.1.18",
            (get("Proxy: http://b/"),),
            served(HTTP_PROXY="http://b/"),
            "harmless in an environ that is no process environment",
            ("HTTP_PROXY",),
        ),
        Row(
            "authorization",
            "Authorization",
            "RFC 3875 4.1.18",
            (get("Authorization: Basic x"),),
            served(HTTP_AUTHORIZATION="Basic x"),
            "a gateway may withhold it; the application authenticates, so it gets it",
            ("HTTP_AUTHORIZATION",),
        ),
    ),
)
