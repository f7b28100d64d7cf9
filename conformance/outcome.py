"""What came of a probe: the answers, whether the application was called and what it saw, and the end."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

#: The next request on the same connection was answered, as itself.
KEPT = "kept"
#: The server ended the connection.
CLOSED = "closed"
#: The server waits for more, with the connection open.
WAITS = "waits"
#: The connection is open, and the next request on it was swallowed, or read as something else.
LOST = "lost"

#: None: what was asked for is not there. A list: several values, where an interface hands them on apart.
Value: TypeAlias = "str | list[str] | None"


@dataclass(frozen=True)
class Outcome:
    """statuses: of the answers in their order, interim ones too. calls: how often the application was called.
    end: one of the words above. shown: what the row asks to see (`row.Row.shows`) and what it was.
    """

    statuses: tuple[int, ...] = (200,)
    calls: int = 1
    end: str = KEPT
    shown: Mapping[str, Value] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """For the file of measurements."""
        return {
            "statuses": list(self.statuses),
            "calls": self.calls,
            "end": self.end,
            "shown": dict(self.shown),
        }

    @classmethod
    def of_json(cls, data: Mapping[str, Any]) -> Outcome:
        """The outcome that `as_json` made `data` of."""
        return cls(tuple(data["statuses"]), data["calls"], data["end"], dict(data["shown"]))


def refused(status: int = 400, *before: int) -> Outcome:
    """The last request is answered with `status` and never reaches the application; the connection ends.

    `before` are the statuses of the good requests in front of it.
    """
    return Outcome((*before, status), len(before), CLOSED)


def served(status: int = 200, end: str = KEPT, **shown: Value) -> Outcome:
    """The application is called once and answers with `status`."""
    return Outcome((status,), 1, end, shown)


def answered(status: int = 200, end: str = KEPT, **fields: Value) -> Outcome:
    """As `served`; keys are what is looked at in the answer, with underscores for dashes: a field, `body`,
    `has_` and a field.
    """
    shown = {
        "answer has " + name[4:] if name.startswith("has_") else "answer " + name.replace("_", "-"): value
        for name, value in fields.items()
    }
    return Outcome((status,), 1, end, shown)


def describe(outcome: Outcome, shows_end: bool, is_response: bool) -> str:
    """One outcome in the words of the page.

    `shows_end`: the end matters. `is_response`: the point is about what the application answers, so that it
    was called goes without saying.
    """
    statuses = ", ".join(map(str, outcome.statuses))
    words = []
    if not statuses:
        words.append({WAITS: "waits", CLOSED: "closes without an answer"}.get(outcome.end, "no answer"))
        if outcome.calls and not is_response:
            words.append(f"the application was called{_times(outcome.calls)}")
    else:
        words.append(statuses)
        finals = [status for status in outcome.statuses if status >= 200]
        if not is_response and outcome.calls != sum(status < 400 for status in finals):
            words.append(
                f"the application was called{_times(outcome.calls)}" if outcome.calls else "from the server"
            )
    words += filter(None, _seen(outcome.shown))
    if outcome.end == LOST:
        words.append("**the next request is spoiled**")
    elif outcome.statuses and outcome.end == WAITS:
        words.append("then waits")
    elif outcome.statuses and (shows_end or (outcome.end == KEPT and not outcome.calls)):
        words.append("closes" if outcome.end == CLOSED else "stays open")
    return "; ".join(words)


def _times(calls: int) -> str:
    return "" if calls == 1 else f" {calls} times"


def _seen(shown: Mapping[str, Value]) -> Iterable[str]:
    for name, value in shown.items():
        if name.startswith("answer "):
            yield from _of_answer(name.removeprefix("answer "), value)
        elif name in ("body", "body error"):
            # None: there was no end of it, or nothing wrong with it.
            if value is not None:
                yield f"{name} {_code(value)}"
        elif name == "has early hints":
            yield "" if value == "yes" else "no way to send them"
        elif name == "paths":
            yield f"paths {_code(value)}"
        elif value is None:
            yield f"no {code(name)}"
        else:
            yield code(f"{name}={value}") if isinstance(value, str) else f"{code(name)}: {_code(value)}"


def _of_answer(name: str, value: Value) -> Iterable[str]:
    if name == "complete":
        yield "whole" if value == "yes" else "cut short"
    elif name == "extra":
        yield f"{_code(value)} behind the answer" if value else "nothing behind it"
    elif name == "version":
        yield f"as {_code(value)}"
    elif name in ("body", "reason"):
        yield f"{name} {_code(value)}" if value else f"no {name}"
    elif name.startswith("has "):
        yield ("a " if value == "yes" else "no ") + code(name.removeprefix("has "))
    elif name.startswith("spelling of ") and isinstance(value, str):
        yield code(value)
    elif isinstance(value, list):
        yield " and ".join(code(f"{name}: {one}") for one in value)
    else:
        yield f"no {code(name)}" if value is None else code(f"{name}: {value}")


def _code(value: Value) -> str:
    return " and ".join(map(code, value)) if isinstance(value, list) else code(value or "")


def code(text: str) -> str:
    """`text` as code in a cell of a table: no line end, no backtick, no bar."""
    if not text:
        return "empty"
    shown = text.encode("unicode_escape").decode("ascii").replace("`", "\\x60").replace("|", "\\|")
    name, separator, value = shown.partition("=")
    if value.strip() != value:
        # A blank at an end would not be seen.
        shown = f"{name}{separator}'{value}'"
    return f"`{shown}`" if shown.strip() == shown else f"`'{shown}'`"
