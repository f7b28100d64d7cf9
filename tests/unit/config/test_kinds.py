from __future__ import annotations

import argparse
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indrik.config.kinds import (
    Anything,
    Choice,
    FileMode,
    Flag,
    Kind,
    OptionalChoice,
    RejectedValue,
    Seconds,
    Text,
    Whole,
)

MODES = Choice(("off", "v1", "v2", "auto"), when_true="auto")


@pytest.mark.parametrize(
    ("kind", "written", "value"),
    [
        (Text(), "  a b ", "a b"),
        (Text(), None, None),
        (Flag(), True, True),
        (Flag(), "TRUE", True),
        (Flag(), " false ", False),
        (Flag(), None, None),
        (Whole(), 3, 3),
        (Whole(), "3", 3),
        (Whole(), "0x10", 16),
        (Whole(), "0o17", 15),
        (Whole(), "0b11", 3),
        (Whole(), True, 1),
        (Whole(1, 5), 5, 5),
        (FileMode(), "022", 0o22),
        (FileMode(), "0o22", 0o22),
        (FileMode(), "0x12", 0x12),
        (FileMode(), "18", 18),
        (FileMode(), 0o22, 0o22),
        (Seconds(), 3, 3.0),
        (Seconds(), "0.5", 0.5),
        (Seconds(), 0, 0.0),
        (MODES, "V1 ", "v1"),
        (MODES, True, "auto"),
        (MODES, "true", "auto"),
        (MODES, False, "off"),
        (MODES, "False", "off"),
        (MODES, None, "off"),
        (Anything(), ["x"], ["x"]),
    ],
)
def test_accepted(kind: Kind, written: Any, value: Any) -> None:
    parsed = kind.parse(written)
    assert parsed == value
    assert type(parsed) is type(value)


@pytest.mark.parametrize(
    ("kind", "written", "text"),
    [
        (Text(), 3, "must be text, not int"),
        (Text(), b"x", "must be text, not bytes"),
        (Flag(), "yes", "must be true or false"),
        (Flag(), 1, "must be true or false"),
        (Whole(), -1, "must be a whole number, 0 or more"),
        (Whole(), "-1", "must be a whole number, 0 or more"),
        (Whole(), "x", "must be a whole number, 0 or more"),
        (Whole(), "", "must be a whole number, 0 or more"),
        (Whole(), "022", "must be a whole number, 0 or more"),
        (Whole(), 1.5, "must be a whole number, 0 or more"),
        (Whole(), None, "must be a whole number, 0 or more"),
        (Whole(1, 5), 6, "must be a whole number from 1 to 5"),
        (Whole(1, 5), 0, "must be a whole number from 1 to 5"),
        (FileMode(), "09", "must be a file mode"),
        (FileMode(), 0o10000, "must be a file mode"),
        (Seconds(), -0.1, "must be a number of seconds, 0 or more"),
        (Seconds(), "inf", "must be a number of seconds, 0 or more"),
        (Seconds(), "nan", "must be a number of seconds, 0 or more"),
        (Seconds(), "soon", "must be a number of seconds, 0 or more"),
        (Seconds(), True, "must be a number of seconds"),
        (Seconds(), None, "must be a number of seconds"),
        (Choice(("drop", "refuse")), "dorp", r"must be one of drop, refuse \(did you mean 'drop'\?\)"),
        (Choice(("drop", "refuse")), True, "must be one of drop, refuse"),
        (Choice(("drop", "refuse")), None, "must be one of drop, refuse"),
        (MODES, "v3", "must be one of off, v1, v2, auto"),
        (MODES, ["v1"], "must be one of off, v1, v2, auto"),
    ],
)
def test_rejected(kind: Kind, written: Any, text: str) -> None:
    with pytest.raises(RejectedValue, match=text):
        kind.parse(written)


@given(st.integers(min_value=0), st.sampled_from(["{}", "{:#x}", "{:#o}", "{:#b}", " {} "]))
def test_a_whole_number_may_be_text_in_any_base(number: int, form: str) -> None:
    assert Whole().parse(form.format(number)) == number


@given(
    st.one_of(
        st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.lists(st.text()), st.binary()
    )
)
@pytest.mark.parametrize(
    "kind",
    [Text(), Flag(), Whole(), Whole(1, 9), FileMode(), Seconds(), MODES, Choice(("a", "b"))],
    ids=lambda kind: kind.label,
)
def test_any_value_is_parsed_or_rejected(kind: Kind, written: Any) -> None:
    try:
        value = kind.parse(written)
    except RejectedValue:
        return
    assert kind.parse(value) == value  # what was accepted stays what it is


def parse_flag(kind: Kind, *arguments: str) -> Any:
    parser = argparse.ArgumentParser(exit_on_error=False)
    parser.add_argument("--flag", default=None, **kind.argument())
    return parser.parse_args([*arguments]).flag


@pytest.mark.parametrize(
    ("kind", "arguments", "value"),
    [
        (Text(), ["--flag", "x"], "x"),
        (Flag(), ["--flag"], True),
        (Flag(const=False), ["--flag"], False),
        (Flag(), [], None),
        (Whole(), ["--flag", "12"], 12),
        (Whole(plain_on_command_line=False), ["--flag", "0x1"], "0x1"),
        (FileMode(), ["--flag", "022"], 0o22),
        (Seconds(), ["--flag", "1.5"], 1.5),
        (Choice(("a", "b")), ["--flag", "nonsense"], "nonsense"),
        (OptionalChoice(("off", "auto"), when_true="auto"), ["--flag"], "auto"),
    ],
)
def test_command_line(kind: Kind, arguments: list[str], value: Any) -> None:
    assert parse_flag(kind, *arguments) == value


@pytest.mark.parametrize(
    ("kind", "text"), [(Whole(), "0x10"), (Whole(), "x"), (FileMode(), "9x"), (Seconds(), "x")]
)
def test_argparse_refuses(kind: Kind, text: str) -> None:
    with pytest.raises(argparse.ArgumentError):
        parse_flag(kind, "--flag", text)
