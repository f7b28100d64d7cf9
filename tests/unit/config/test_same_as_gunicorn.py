"""One configuration serves both servers: names, flags, kinds of values and defaults are Gunicorn's."""

from __future__ import annotations

from typing import Any

import pytest

from indrik.config.config import Config
from indrik.config.kinds import Anything, Choice, FileMode, Flag, Kind, Text, Whole
from indrik.config.lists import Networks, Table, TextList, Words, WordsOf
from indrik.config.resolved import ClassName, Directory, Files, Group, Hook, StatsdAddress, User
from indrik.config.rows import BY_NAME, ROWS
from indrik.config.setting import Setting
from tests.unit.config.gunicorn_settings import COMPUTED, SETTINGS

# Where indrik differs on purpose.
OWN_DEFAULTS = {
    "config": "./indrik.conf.py",
    "default_proc_name": "indrik",
    "logger_class": "indrik.log.Logger",
    "limit_request_line": 8190,
}
# A list of texts whose form is checked as well.
KINDS: dict[str, type[Kind]] = {
    "text": Text,
    "texts": TextList,
    "int": Whole,
    "mode": FileMode,
    "bool": Flag,
    "class": ClassName,
    "files": Files,
    "directory": Directory,
    "user": User,
    "group": Group,
    "dict": Table,
    "networks": Networks,
    "statsd": StatsdAddress,
    "any": Anything,
    "words": Words,
    "words of": WordsOf,
    "choice": Choice,
    "hook": Hook,
}
# Finds a setting by its flags on the command line, as argparse sees them.
ACTIONS = {
    flag: action for action in Config(prog="indrik").parser()._actions for flag in action.option_strings
}
# A text that each kind takes, for a flag that needs one.
SAMPLE = {"int": "7", "mode": "7"}


@pytest.mark.parametrize(
    ("name", "flags", "kind", "action", "default"), SETTINGS, ids=[s[0] for s in SETTINGS]
)
def test_setting(name: str, flags: str, kind: str, action: str, default: Any) -> None:
    row = BY_NAME[name]
    assert row.flags == tuple(flags.split())
    assert kind_of(row) == kind
    assert row.default == OWN_DEFAULTS.get(name, default) or default is COMPUTED
    for flag in row.flags:
        assert what_it_does(flag, name, SAMPLE.get(kind, "text")) == action


def kind_of(row: Setting) -> str:
    """The kind in the words of the table: the one of just this class, else one that it refines."""
    if isinstance(row.kind, Choice):
        return "choice " + "|".join(row.kind.words)
    if isinstance(row.kind, Hook):
        return f"hook {len(row.kind.parameters)}"
    exact = [word for word, cls in KINDS.items() if type(row.kind) is cls]
    return exact[0] if exact else next(word for word, cls in KINDS.items() if isinstance(row.kind, cls))


def what_it_does(flag: str, name: str, sample: str) -> str:
    """Try the flag out, and say what it did in the words of the table."""
    assert ACTIONS[flag].dest == name
    parser = Config(prog="indrik").parser()

    def value_of(*arguments: str) -> Any:
        return getattr(parser.parse_args([*arguments, "--"]), name)

    if ACTIONS[flag].nargs == 0:
        return f"const {value_of(flag)}"
    if isinstance(value_of(flag, sample), list):
        assert value_of(flag, sample, flag, "8") == [sample, "8"]
        return "append"
    return f"value? {value_of(flag)}" if ACTIONS[flag].nargs == "?" else "value"


def test_flags_can_be_shortened_as_far() -> None:
    # A flag of indrik's own must not make ambiguous what was not.
    names = {flag: name for name, flags, *_ in SETTINGS for flag in flags.split() if flag.startswith("--")}
    flags = [*names, "--help", "--version", "--no-control-socket"]
    parser = Config(prog="indrik").parser()
    for flag, name in names.items():
        for length in range(3, len(flag)):
            if sum(other.startswith(flag[:length]) for other in flags) == 1:
                value = [] if ACTIONS[flag].nargs in (0, "?") else ["7"]
                assert getattr(parser.parse_args([flag[:length], *value]), name) is not None


def test_no_setting_is_unknown_to_both() -> None:
    theirs = {name for name, *_ in SETTINGS}
    assert {row.name for row in ROWS if not row.own} == theirs
    assert not {row.name for row in ROWS if row.own} & theirs


def test_names_and_flags_are_used_once() -> None:
    names = [row.name for row in ROWS]
    flags = [flag for row in ROWS for flag in row.flags]
    assert len(set(names)) == len(names)
    assert len(set(flags)) == len(flags)


@pytest.mark.parametrize("name", [row.name for row in ROWS])
def test_default_is_a_right_value(name: str) -> None:
    bound = Config().settings[name]
    assert bound.is_default
    assert bound.source == "default"
    if bound.default is not None:
        bound.set(bound.default, "a test")  # also where nothing else can be set yet
        assert bound.is_default
