"""Whatever type an application gives, the rule that it broke is named."""

from __future__ import annotations

from typing import Any

import pytest

from indrik.protocol.response import UNKNOWN_LENGTH, InvalidResponse, fields_tail, render, render_early_hints

TAIL = fields_tail("Mon, 01 Jan 2024 00:00:00 GMT", "indrik")
ODD: list[Any] = [None, 5, 1.5, b"X", ["X"], {"X": 1}, ("X",)]


@pytest.mark.parametrize("odd", ODD, ids=repr)
def test_a_name_of_another_type(odd: Any) -> None:
    with pytest.raises(InvalidResponse, match="name"):
        render("200 OK", [(odd, "x")], False, 1, True, UNKNOWN_LENGTH, TAIL)
    with pytest.raises(InvalidResponse, match="name"):
        render_early_hints([(odd, "x")])


@pytest.mark.parametrize("odd", ODD, ids=repr)
def test_a_value_of_another_type(odd: Any) -> None:
    with pytest.raises(InvalidResponse, match="value"):
        render("200 OK", [("X", odd)], False, 1, True, UNKNOWN_LENGTH, TAIL)
    with pytest.raises(InvalidResponse, match="value"):
        render_early_hints([("X", odd)])


def test_a_subclass_of_str_is_a_name_and_a_value() -> None:
    class Text(str):
        __slots__ = ()

    data = render("200 OK", [(Text("X"), Text("y"))], False, 1, True, UNKNOWN_LENGTH, TAIL).data
    assert b"\r\nX: y\r\n" in data
