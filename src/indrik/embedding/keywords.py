"""From the keywords of a call to settings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from indrik.config import Config
from indrik.config.nearest import did_you_mean
from indrik.config.uvicorn_options import BY_KEYWORD, settings_of
from indrik.errors import ConfigError

#: Where a setting came from, for the operator.
BY_CALLER = "given by the program"


def named_settings(cfg: Config, given: Mapping[str, Any]) -> dict[str, Any]:
    """`given` with uvicorn's keywords translated; a name that both have is the setting's.

    Raises `TypeError` for an unknown name, `ConfigError` for what uvicorn has and indrik has not.
    """
    # None is how uvicorn's keywords say: the default.
    given = {name: value for name, value in given.items() if value is not None or name not in BY_KEYWORD}
    settings = {name: value for name, value in given.items() if name in cfg.settings}
    foreign = {name: value for name, value in given.items() if name not in settings}
    for name in foreign:
        if name not in BY_KEYWORD:
            hint = did_you_mean(name, [*cfg.settings, *BY_KEYWORD])
            raise TypeError(f"there is no setting {name!r}{hint}")
    translated = settings_of(foreign)
    for name in translated.keys() & settings.keys():
        raise ConfigError(f"{name} and a keyword of uvicorn for it were given: choose one")
    return {**settings, **translated}
