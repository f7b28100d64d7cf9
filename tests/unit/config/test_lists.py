from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indrik.config.kinds import Kind, RejectedValue
from indrik.config.lists import (
    Assignments,
    Networks,
    StaticDirectories,
    Table,
    TextList,
    Words,
    WordsOf,
)


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
        (StaticDirectories(), None, None),
        (StaticDirectories(), "", None),
        (StaticDirectories(), [], None),
        (StaticDirectories(), {}, None),
        (StaticDirectories(), " Auto ", "auto"),
        (StaticDirectories(), ["auto"], "auto"),
        (StaticDirectories(), "/a=b=c", {"/a": "b=c"}),
        (StaticDirectories(), ["/a/=b", " /c/d= /e "], {"/a": "b", "/c/d": "/e"}),
        (StaticDirectories(), {"/": "public", "/a//": "b"}, {"/": "public", "/a": "b"}),
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
        (StaticDirectories(), 3, "URL prefixes that begin with / and their directories, not int"),
        (StaticDirectories(), True, "not bool"),
        (StaticDirectories(), ["auto", "/a=b"], "auto cannot be given together with directories"),
        (StaticDirectories(), "everything", "'everything' must be auto or have the form PREFIX=DIR"),
        (StaticDirectories(), {"a": "b"}, "the prefix 'a' must begin with /"),
        (StaticDirectories(), {"/a%20b": "b"}, "free of // and %"),
        (StaticDirectories(), {"//a": "b"}, "free of // and %"),
        (StaticDirectories(), {"/a/": "b", "/a": "c"}, "the prefix '/a' is given twice"),
        (StaticDirectories(), ["/a=b", "/a=c"], "the prefix '/a' is given twice"),
        (StaticDirectories(), {"/a": " "}, "a directory must be the text of a path"),
        (StaticDirectories(), {"/a": None}, "not None"),
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
