"""A test of several variants fails if one does, and says which."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from tests.variants import each, in_modes


def test_all_are_run_and_those_that_fail_are_named() -> None:
    seen = []

    def run(number: int) -> None:
        seen.append(number)
        assert number % 2, "even"

    with pytest.raises(AssertionError, match=r"2 of 5 fail: 2, 4; 2: even") as caught:
        each(range(1, 6), run)
    assert seen == [1, 2, 3, 4, 5]
    assert isinstance(caught.value.__cause__, AssertionError)


def test_what_passes() -> None:
    each("ab", str.upper)


def test_no_variant_is_a_mistake() -> None:
    with pytest.raises(AssertionError, match="there is no variant"):
        each([], print)


def test_the_time_limit_of_a_test_ends_it() -> None:
    """pytest's own outcomes are no `Exception`, so none is taken for that of one variant."""

    def run(variant: str) -> None:
        pytest.fail(variant)

    with pytest.raises(pytest.fail.Exception, match=r"^a$"):
        each("ab", run)


def test_a_case_is_named_with_its_mode() -> None:
    cases = [SimpleNamespace(name=name) for name in ("one", "two")]
    variants = in_modes(cases, lambda case: ["whole", "split"] if case.name == "two" else ["whole"])
    assert [str(variant) for variant in variants] == ["'one' whole", "'two' whole", "'two' split"]
