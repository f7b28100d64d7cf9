from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indrik.protocol.ranges import MOST_RANGES, parse_ranges


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("bytes=0-0", [(0, 1)]),
        ("bytes=0-", [(0, 10)]),
        ("bytes=3-5", [(3, 6)]),
        ("Bytes=3-99", [(3, 10)]),
        ("bytes=-4", [(6, 10)]),
        ("bytes=-99", [(0, 10)]),
        ("bytes=9-", [(9, 10)]),
        ("bytes=10-", []),
        ("bytes=-0", []),
        ("bytes=0-1, 4-5,, -1", [(0, 2), (4, 6), (9, 10)]),
        ("bytes=8-9,0-1", [(8, 10), (0, 2)]),
        ("bytes=0-1,20-30", [(0, 2)]),
        (f"bytes={'9' * 5000}-", []),
        (f"bytes=0-{'9' * 5000}", [(0, 10)]),
        # What must be ignored.
        ("bytes=5-3", None),
        ("bytes=", None),
        ("bytes=,", None),
        ("bytes=-", None),
        ("bytes=a-b", None),
        ("bytes=0-1;2-3", None),
        ("bytes=+1-2", None),
        ("bytes=\N{ARABIC-INDIC DIGIT ONE}-", None),
        ("items=0-1", None),
        ("0-1", None),
        ("bytes=0-5,3-7", None),
        ("bytes=0-,0-", None),
        ("bytes=" + ",".join(f"{at}-{at}" for at in range(MOST_RANGES + 1)), None),
    ],
)
def test_ten_bytes(value: str, found: list[tuple[int, int]] | None) -> None:
    assert parse_ranges(value, 10) == found


def test_of_nothing() -> None:
    assert parse_ranges("bytes=0-", 0) == []
    assert parse_ranges("bytes=-5", 0) is None


@given(st.text(alphabet="bytes=0123456789-, "), st.integers(0, 1000))
def test_each_part_lies_inside_and_apart(value: str, size: int) -> None:
    found = parse_ranges("bytes=" + value, size)
    covered = [position for first, stop in found or [] for position in range(first, stop)]
    assert len(set(covered)) == len(covered)
    assert all(0 <= position < size for position in covered)
    assert all(first < stop for first, stop in found or [])
