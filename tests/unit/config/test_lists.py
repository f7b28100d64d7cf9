from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indrik.config.kinds import Kind, RejectedValue
from indrik.config.lists import Assignments, Networks, Table, TextList, Words, WordsOf


@pytest.mark.parametrize(
    ("kind", "written", "value"),
    [
        (TextList(), "one", ["one"]),
        (TextList(), [" a ", "b"], ["a", "b"]),
        (TextList(), ("a",), ["a"]),
        (TextList(), None, []),
        (TextList(), "", []),
        (Assignments(), "A=1=2", ["A=1=2"]),
        (Assignments(), ["A="], ["A="]),
        (Words(), "a, b,,c ", ["a", "b", "c"]),
        (Words(), ["a", "b"], ["a", "b"]),
        (Words(), "", []),
        (Words(), None, []),
        (WordsOf(("h1", "h2")), "H2,h1", ["h2", "h1"]),
        (Networks(), "127.0.0.1, ::1,10.0.0.0/8", ["127.0.0.1", "::1", "10.0.0.0/8"]),
        (Networks(), "*", ["*"]),
        (Table(), {"a": 1}, {"a": 1}),
    ],
)
def test_accepted(kind: Kind, written: Any, value: Any) -> None:
    assert kind.parse(written) == value


@pytest.mark.parametrize(
    ("kind", "written", "text"),
    [
        (TextList(), 3, "must be a list of texts, not int"),
        (TextList(), ["a", 3], "but holds 3"),
        (TextList(), [None], "but holds None"),
        (Assignments(), "A", "'A' must have the form KEY=VALUE"),
        (Assignments(), ["=1"], "'=1' must have the form KEY=VALUE"),
        (Words(), 3, "must be words between commas"),
        (Words(), ["a", 3], "must be words between commas"),
        (WordsOf(("h1", "h2")), "h3", "'h3' is not one of h1, h2"),
        (WordsOf(("h1", "h2")), "h1,h1", "none twice"),
        (WordsOf(("h1", "h2")), "", "none twice"),
        (Networks(), "10.0.0.1/8", "has host bits set"),
        (Networks(), "localhost", "an IP address, a network such as 10.0.0.0/8, or"),
        (Table(), [("a", 1)], "must be a dict, not list"),
        (Table(), None, "must be a dict"),
    ],
)
def test_rejected(kind: Kind, written: Any, text: str) -> None:
    with pytest.raises(RejectedValue, match=text):
        kind.parse(written)


@pytest.mark.parametrize("kind", [TextList(), Words(), Table()])
def test_a_value_is_never_shared(kind: Kind) -> None:
    written: Any = {"a": 1} if isinstance(kind, Table) else ["a"]
    assert kind.parse(written) == written
    assert kind.parse(written) is not written


@given(st.lists(st.ip_addresses(), min_size=1))
def test_addresses_between_commas(addresses: list[Any]) -> None:
    assert Networks().parse(",".join(map(str, addresses))) == [str(address) for address in addresses]
