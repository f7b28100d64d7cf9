"""One test for the variants of one case: each is run, and a failure names all that fail.

A test for each variant would cost more than the variants do where they take a millisecond.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

_T = TypeVar("_T")


class Named(Protocol):
    """A case, whose name is shown when it fails."""

    @property
    def name(self) -> str: ...


_Case = TypeVar("_Case", bound=Named)


@dataclass(frozen=True)
class Variant(Generic[_Case]):
    """One case, handed over in one way."""

    case: _Case
    mode: str

    def __str__(self) -> str:
        return f"{self.case.name!r} {self.mode}"


def in_modes(
    cases: Iterable[_Case], modes_of: Callable[[_Case], Iterable[str]]
) -> Iterator[Variant[_Case]]:
    """Each case in each of its ways."""
    return (Variant(case, mode) for case in cases for mode in modes_of(case))


def each(variants: Iterable[_T], run: Callable[[_T], object]) -> None:
    """Calls `run` with each of `variants`. AssertionError if one has failed: it names those that did, with
    what the first of them raised as its cause. AssertionError as well without any variant.
    """
    failed: list[tuple[_T, Exception]] = []
    count = 0
    for variant in variants:
        count += 1
        try:
            run(variant)
        except Exception as error:
            failed.append((variant, error))
    assert count, "there is no variant"
    if failed:
        names = ", ".join(str(variant) for variant, _ in failed)
        first, reason = failed[0]
        raise AssertionError(f"{len(failed)} of {count} fail: {names}; {first}: {reason}") from reason
