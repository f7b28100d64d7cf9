from __future__ import annotations

import time

import pytest

from indrik.protocol.conditions import FAILED, GO_ON, NOT_MODIFIED, evaluate, parse_date, wants_range

DATE = "Sun, 06 Nov 1994 08:49:37 GMT"
EARLIER = "Sun, 06 Nov 1994 08:49:36 GMT"
LATER = "Sun, 06 Nov 1994 08:49:38 GMT"
SECONDS = 784111777


@pytest.mark.parametrize("text", [DATE, "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"])
def test_three_forms_of_a_date(text: str) -> None:
    assert parse_date(text) == SECONDS


@pytest.mark.parametrize(
    "text",
    [
        "",
        "yesterday",
        "Sun, 06 Now 1994 08:49:37 GMT",
        "Sun, 31 Feb 1994 08:49:37 GMT",
        "Sun, 00 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 0000 08:49:37 GMT",
        "Sun, 06 Nov 1994 24:49:37 GMT",
        "Sun, 06 Nov 1994 08:49:37 CET",
    ],
)
def test_no_date(text: str) -> None:
    assert parse_date(text) is None


@pytest.mark.parametrize(
    ("fields", "is_read", "outcome"),
    [
        ({}, True, GO_ON),
        ({"if-match": '"a"'}, True, GO_ON),
        ({"if-match": "*"}, True, GO_ON),
        ({"if-match": '"b", "a"'}, True, GO_ON),
        ({"if-match": '"b"'}, True, FAILED),
        ({"if-match": 'W/"a"'}, True, FAILED),
        ({"if-match": '"a" "b"'}, True, FAILED),
        ({"if-match": '"a"', "if-unmodified-since": EARLIER}, True, GO_ON),
        ({"if-unmodified-since": DATE}, True, GO_ON),
        ({"if-unmodified-since": EARLIER}, True, FAILED),
        ({"if-unmodified-since": "never"}, True, GO_ON),
        ({"if-none-match": '"a"'}, True, NOT_MODIFIED),
        ({"if-none-match": 'W/"a"'}, True, NOT_MODIFIED),
        ({"if-none-match": '"b", , W/"a",'}, True, NOT_MODIFIED),
        ({"if-none-match": "*"}, True, NOT_MODIFIED),
        ({"if-none-match": '"a"'}, False, FAILED),
        ({"if-none-match": '"b"'}, True, GO_ON),
        ({"if-none-match": '"b"', "if-modified-since": LATER}, True, GO_ON),
        ({"if-modified-since": DATE}, True, NOT_MODIFIED),
        ({"if-modified-since": LATER}, True, NOT_MODIFIED),
        ({"if-modified-since": EARLIER}, True, GO_ON),
        ({"if-modified-since": DATE}, False, GO_ON),
        ({"if-modified-since": "never"}, True, GO_ON),
    ],
)
def test_conditions(fields: dict[str, str], is_read: bool, outcome: int) -> None:
    assert evaluate(fields, is_read, '"a"', SECONDS) == outcome


def test_a_weak_tag_matches_weakly_only() -> None:
    assert evaluate({"if-match": 'W/"a"'}, True, 'W/"a"', None) == FAILED
    assert evaluate({"if-none-match": '"a"'}, True, 'W/"a"', None) == NOT_MODIFIED


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        ('"a"', True),
        ('"b"', False),
        ('W/"a"', False),
        (DATE, True),
        (EARLIER, False),
        (LATER, False),
        ("never", False),
    ],
)
def test_if_range(value: str, wanted: bool) -> None:
    assert wants_range({"if-range": value}, '"a"', SECONDS) is wanted


def test_if_range_against_a_weak_tag_and_no_date() -> None:
    assert not wants_range({"if-range": 'W/"a"'}, 'W/"a"', None)
    assert not wants_range({"if-range": DATE}, '"a"', None)
    assert not wants_range({"if-range": "never"}, '"a"', None)


def test_many_blanks_take_no_time() -> None:
    started = time.process_time()
    assert evaluate({"if-none-match": '"b"' + " ," * 4000 + "x"}, True, '"a"', None) == GO_ON
    assert time.process_time() - started < 1
