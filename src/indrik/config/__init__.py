"""Configuration: one declarative row for each setting, and everything derived from it.

`app` and `embedding` fill a `Config`, everybody above reads it. Start reading in `setting`, the shape of a
row, and in `rows`, the table; `kinds`, `lists`, `resolved` and `routes` are the kinds of values. `config` has
the values of one run and what follows from them; `files`, `command_line` and `uvicorn_options` are where they
come from, `derived` and `uvicorn_page` the pages made from the rows. `names` has the names of Gunicorn that a
file may hold, `classes` goes from a name to the class.
"""

from __future__ import annotations

from indrik.config.config import Config
from indrik.config.setting import BoundSetting, Setting

__all__ = ["BoundSetting", "Config", "Setting"]
