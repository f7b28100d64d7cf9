"""Configuration: one declarative row for each setting, and everything derived from it.

`rows` holds the table, `setting` the shape of a row, `kinds` and `resolved` the kinds of values, `config` the
values of one run, `files` and `command_line` where they come from, `derived` the pages made from the rows.
"""

from __future__ import annotations

from indrik.config.config import Config
from indrik.config.setting import BoundSetting, Setting

__all__ = ["BoundSetting", "Config", "Setting"]
