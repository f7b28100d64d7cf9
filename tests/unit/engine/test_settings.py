"""The engine's settings are the configuration's, and a limit of 0 means what its help text says."""

from __future__ import annotations

import dataclasses

import pytest

from indrik.config import Config
from indrik.engine.settings import EngineSettings
from indrik.protocol.limits import Limits


def test_defaults_are_the_configuration_s() -> None:
    found = EngineSettings.from_config(Config())
    assert found == EngineSettings()
    assert found.limits == Limits()


@pytest.mark.parametrize("name", ["line", "fields", "field_size"])
@pytest.mark.parametrize(
    ("value", "head", "expected"), [(0, 0, 65536), (0, 1000, 1000), (20000, 0, 20000), (5, 0, 5)]
)
def test_limits_within_the_head(name: str, value: int, head: int, expected: int) -> None:
    cfg = Config()
    cfg.set(f"limit_request_{name}", value)
    cfg.set("limit_request_head", head)
    assert getattr(EngineSettings.from_config(cfg).limits, name) == expected


def test_every_field_comes_from_a_setting() -> None:
    cfg = Config()
    for field in dataclasses.fields(EngineSettings):
        if field.name not in ("limits", "temporary_directory", "has_debugger"):
            assert field.name in cfg.settings, field.name
