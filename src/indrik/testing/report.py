"""What came out of a run of the suite."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass, field

KEPT = "kept"
BROKEN = "broken"
NOT_PROMISED = "not promised"


@dataclass(frozen=True)
class Outcome:
    """One check.

    promise: what a kind promises, in a sentence. verdict: KEPT, BROKEN, or NOT_PROMISED where it does not
    concern this kind. detail: what was found instead, with the end of the server's log; or why it is not
    promised. seconds: how long it took.
    """

    name: str
    promise: str
    verdict: str
    detail: str = ""
    seconds: float = 0.0


@dataclass(frozen=True)
class Report:
    """One run. worker: the kind as it was named."""

    worker: str
    outcomes: list[Outcome] = field(default_factory=list)

    @property
    def broken(self) -> list[Outcome]:
        """The checks that failed."""
        return [outcome for outcome in self.outcomes if outcome.verdict == BROKEN]

    @property
    def is_conforming(self) -> bool:
        """Whether no promise is broken."""
        return not self.broken

    def raise_if_broken(self) -> None:
        """Raises AssertionError with the whole report if a promise is broken."""
        if self.broken:
            raise AssertionError(str(self))

    def summary(self) -> str:
        """What is broken and why, and how many promises are kept."""
        lines = []
        for outcome in self.broken:
            lines.append(f"\n{outcome.name} is broken: {outcome.promise}")
            lines.append(textwrap.indent(outcome.detail, "    "))
        counts = ", ".join(
            f"{sum(outcome.verdict == verdict for outcome in self.outcomes)} {verdict}"
            for verdict in (KEPT, BROKEN, NOT_PROMISED)
        )
        return "\n".join([*lines, f"\n{self.worker}: {counts}"])

    def __str__(self) -> str:
        return "\n".join([*map(line_of, self.outcomes), self.summary()])


def line_of(outcome: Outcome) -> str:
    """One line for one check."""
    why = f" ({outcome.detail})" if outcome.verdict == NOT_PROMISED else ""
    return f"{outcome.verdict:<12}  {outcome.seconds:5.1f} s  {outcome.name}{why}"
