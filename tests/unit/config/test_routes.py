"""The setting `routes`: what it takes, and what it says of the rest."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from indrik.config.kinds import RejectedValue
from indrik.config.routes import RouteLimit, Routes


def parse(value: Any) -> dict[str, RouteLimit]:
    return Routes().parse(value)


def test_every_part() -> None:
    found = parse({"/report/<int:id>": {"concurrency": 2, "timeout": 120}, "login": {"rate": "5/minute"}})
    assert found["/report/<int:id>"] == RouteLimit(2, "", 120.0, ())
    assert found["login"] == RouteLimit(0, "5/minute", 0.0, ((5, 60.0),))
    assert repr(found["/report/<int:id>"]) == "{'concurrency': 2, 'timeout': 120.0}"
    assert parse(found) == found


@pytest.mark.parametrize(
    ("rate", "rates"),
    [
        ("20/minute", ((20, 60.0),)),
        ("20 per minute", ((20, 60.0),)),
        ("5 per 2 hours", ((5, 7200.0),)),
        ("1/second;20/minute", ((1, 1.0), (20, 60.0))),
    ],
)
def test_the_notation_of_limits(rate: str, rates: tuple[tuple[int, float], ...]) -> None:
    assert parse({"/": {"rate": rate}})["/"].rates == rates


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ([], "must be a dict"),
        ({"/": []}, "the limits of '/' must be a dict"),
        ({"/": {}}, "none of concurrency, rate, timeout"),
        ({1: {"concurrency": 1}}, "1 must be the text of a URL rule"),
        ({"/": {"concurency": 1}}, "did you mean 'concurrency'"),
        ({"/": {"key": "remote_addr", "rate": "1/second"}}, "'key' is not one of"),
        ({"/": {"concurrency": 0}}, "1 or more, not 0"),
        ({"/": {"concurrency": True}}, "not True"),
        ({"/": {"timeout": 0}}, "above 0, not 0"),
        ({"/": {"timeout": float("inf")}}, "not inf"),
        ({"/": {"rate": 5}}, "must be text such as '20/minute'"),
        ({"/": {"rate": "often"}}, "'often' is no rate"),
        ({"/": {"rate": "0/minute"}}, "must let 1 to 1000000 requests"),
        ({"/": {"rate": "2000000/minute"}}, "must let 1 to 1000000 requests"),
    ],
)
def test_refused(value: Any, said: str) -> None:
    with pytest.raises(RejectedValue) as caught:
        parse(value)
    assert said in str(caught.value)


def test_without_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "limits", None)
    assert parse({"/": {"concurrency": 1}})["/"].concurrency == 1
    with pytest.raises(RejectedValue, match=r"pip install 'indrik\[routes\]'"):
        parse({"/": {"rate": "1/second"}})
