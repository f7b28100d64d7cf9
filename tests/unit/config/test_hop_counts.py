"""The setting `forwarded`: a table that must mean something."""

from __future__ import annotations

from typing import Any

import pytest

from indrik.config.config import Config
from indrik.errors import ConfigError


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        (None, None),
        ({"for": 1}, {"for": 1}),
        ({"for": 2, "proto": 1, "host": 0, "port": 1, "prefix": 1}, None),
        ({"for": 1, "field": "forwarded"}, {"for": 1, "field": "Forwarded"}),
        ({"field": " X-FORWARDED ", "host": 1}, {"host": 1, "field": "X-Forwarded"}),
    ],
)
def test_value(value: Any, kept: Any) -> None:
    cfg = Config()
    cfg.set("forwarded", value)
    assert cfg.forwarded == (value if kept is None else kept)
    assert cfg.settings["forwarded"].is_default == (value is None)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("for", "must be a dict"),
        ({}, "at least one proxy"),
        ({"for": 0}, "at least one proxy"),
        ({"for": -1}, "'for' must be a number of proxies"),
        ({"for": True}, "'for' must be a number of proxies"),
        ({"for": "1"}, "'for' must be a number of proxies"),
        ({"prto": 1}, "did you mean 'proto'"),
        ({"for": 1, "field": "Via"}, "'field' must be X-Forwarded or Forwarded"),
        ({"for": 1, "field": 7}, "'field' must be"),
    ],
)
def test_wrong_value(value: Any, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        Config().set("forwarded", value)
