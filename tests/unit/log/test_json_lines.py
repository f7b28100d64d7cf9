from __future__ import annotations

import json
import os
from datetime import datetime, timedelta, timezone
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from indrik.log.json_lines import KEYS, json_line
from tests.unit.log.support import TOOK, Request, Response, environ
from tests.unit.log.test_atoms import Clock, basic


def record(env: Any = None, resp: Any = None, took: timedelta = TOOK) -> dict[str, Any]:
    line = json_line(Clock(), resp or Response(), Request(), env or environ(), took)
    assert line.isascii()
    assert line.isprintable()
    value = json.loads(line)
    assert isinstance(value, dict)
    return value


def test_the_keys_are_those_of_the_table_in_its_order() -> None:
    assert list(record()) == [key.name for key in KEYS]


def test_values() -> None:
    value = record(environ(HTTP_REFERER="https://example.org/", HTTP_AUTHORIZATION=basic(b"ada b")))
    value.pop("time")
    assert value == {
        "remote_addr": "127.0.0.1",
        "user": "ada b",
        "method": "GET",
        "path": "/notes",
        "query": "page=2",
        "protocol": "HTTP/1.1",
        "status": 200,
        "bytes": 13,
        "duration_us": 12034,
        "queue_us": 0,
        "referer": "https://example.org/",
        "user_agent": "curl/8.5.0",
        "pid": os.getpid(),
    }


def test_what_is_missing_is_null() -> None:
    class Uncounted:
        status = "weird"

    value = record({"REMOTE_ADDR": ""}, Uncounted())
    missing = [name for name, found in value.items() if found is None]
    assert missing == [
        *("remote_addr", "user", "method", "path", "protocol", "status", "bytes", "referer", "user_agent")
    ]


def test_time_is_rfc_3339_of_now() -> None:
    before = datetime.now(timezone.utc)
    written = datetime.fromisoformat(record()["time"])
    after = datetime.now(timezone.utc)
    assert before - timedelta(milliseconds=1) <= written <= after


def test_a_long_request_does_not_wrap() -> None:
    assert record(took=timedelta(days=2))["duration_us"] == 2 * 86400 * 1_000_000


def test_utf_8_in_a_wsgi_string_becomes_text() -> None:
    value = record(environ(PATH_INFO="/caf\xc3\xa9", HTTP_USER_AGENT="caf\xe9"))
    assert value["path"] == "/caf\u00e9"
    assert value["user_agent"] == "caf\u00e9"


@given(st.text(max_size=30))
def test_every_value_comes_back(agent: str) -> None:
    value = record(environ(HTTP_USER_AGENT=agent))["user_agent"]
    try:
        expected: str | None = agent.encode("latin-1").decode("utf-8")
    except UnicodeError:
        expected = agent
    assert value == (None if agent == "-" else expected)
