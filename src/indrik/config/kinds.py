"""Kinds of values: how what the operator wrote becomes a setting's value.

A kind knows nothing of a particular setting, and nothing of where the value came from. `parse` accepts what
a Python file, a TOML file or the command line may hold and returns the one form the server uses, or raises
`RejectedValue` with a text that completes the sentence "invalid value for workers: …".
Lists and tables are in `lists`; kinds that need the operating system or an import are in `resolved`.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import Any

from indrik.config.nearest import did_you_mean


class RejectedValue(ValueError):
    """The value is not one of this kind. The text says what would have been."""


class Kind(ABC):
    """How values of one kind are read, and how the derived files describe them."""

    #: For the reference page, e.g. "whole number, 0 or more".
    label: str

    @abstractmethod
    def parse(self, value: Any) -> Any:
        """The value in the form the server uses.

        Raises:
            RejectedValue: it cannot be read as this kind.
        """

    @abstractmethod
    def schema(self) -> dict[str, Any]:
        """The JSON schema (draft 2020-12) of what a TOML file may hold."""

    def argument(self) -> dict[str, Any]:
        """Keyword arguments for argparse's `add_argument`. What argparse refuses ends with status 2."""
        return {"type": str}


class Text(Kind):
    """One string, stripped; None is allowed and means "not set"."""

    label = "text"

    def parse(self, value: Any) -> str | None:
        if value is None:
            return None
        if not isinstance(value, str):
            raise RejectedValue(f"must be text, not {type(value).__name__}")
        return value.strip()

    def schema(self) -> dict[str, Any]:
        return {"type": "string"}


class Flag(Kind):
    """True or false; `const` is what the flag on the command line stands for."""

    label = "true or false"

    def __init__(self, *, const: bool = True) -> None:
        self.const = const

    def parse(self, value: Any) -> bool | None:
        if value is None or isinstance(value, bool):
            return value
        word = value.strip().lower() if isinstance(value, str) else ""
        if word not in ("true", "false"):
            raise RejectedValue("must be true or false")
        return word == "true"

    def schema(self) -> dict[str, Any]:
        return {"type": "boolean"}

    def argument(self) -> dict[str, Any]:
        return {"action": "store_const", "const": self.const}


class Switch(Flag):
    """True or false, whose flag takes the word: for what is on unless somebody says otherwise."""

    words = ("true", "false", "yes", "no", "on", "off", "1", "0")

    def parse(self, value: Any) -> bool:
        if isinstance(value, bool):
            return value
        word = value.strip().lower() if isinstance(value, str) else ""
        if word not in self.words:
            raise RejectedValue(f"must be true or false{did_you_mean(word, self.words) if word else ''}")
        return self.words.index(word) % 2 == 0

    def argument(self) -> dict[str, Any]:
        return {"type": str}


@dataclass(frozen=True, eq=False)
class Whole(Kind):
    """A whole number within bounds; in a file it may be text with a base prefix (0x, 0o, 0b)."""

    minimum: int = 0
    maximum: int | None = None
    #: Some flags take the text as a file would hold it, base prefixes included.
    plain_on_command_line: bool = True

    @property
    def label(self) -> str:  # type: ignore[override]
        if self.maximum is None:
            return f"whole number, {self.minimum} or more"
        return f"whole number from {self.minimum} to {self.maximum}"

    def parse(self, value: Any) -> int:
        try:
            number = self.read_text(value) if isinstance(value, str) else value
        except ValueError:
            number = None
        if not isinstance(number, int):
            raise RejectedValue(f"must be a {self.label}")
        if number < self.minimum or (self.maximum is not None and number > self.maximum):
            raise RejectedValue(f"must be a {self.label}")
        return int(number)

    def read_text(self, text: str) -> int:
        return int(text, 0)

    def schema(self) -> dict[str, Any]:
        bounds = {"minimum": self.minimum}
        if self.maximum is not None:
            bounds["maximum"] = self.maximum
        return {"type": "integer", **bounds}

    def argument(self) -> dict[str, Any]:
        return {"type": int if self.plain_on_command_line else str}


@dataclass(frozen=True, eq=False)
class FileMode(Whole):
    """A file mode mask; as text a leading 0 means octal, as in the shell."""

    maximum: int | None = 0o7777

    @property
    def label(self) -> str:  # type: ignore[override]
        return "file mode (text such as 022 is octal)"

    def read_text(self, text: str) -> int:
        text = text.strip()
        return int(text, 8) if re.fullmatch(r"0[0-7]+", text) else int(text, 0)

    def schema(self) -> dict[str, Any]:
        return {"type": ["integer", "string"]}

    def argument(self) -> dict[str, Any]:
        def file_mode(text: str) -> int:
            return self.read_text(text)

        return {"type": file_mode}


class Seconds(Kind):
    """A time in seconds, fractions allowed; 0 turns the limit off."""

    label = "seconds, fractions allowed, 0 or more"

    def parse(self, value: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float | str):
            raise RejectedValue("must be a number of seconds")
        try:
            seconds = float(value)
        except ValueError:
            seconds = -1.0
        # "nan" fails the comparison too; an endless timeout is written 0.
        if not 0 <= seconds < float("inf"):
            raise RejectedValue("must be a number of seconds, 0 or more")
        return seconds

    def schema(self) -> dict[str, Any]:
        return {"type": "number", "minimum": 0}

    def argument(self) -> dict[str, Any]:
        return {"type": float}


@dataclass(frozen=True, eq=False)
class Choice(Kind):
    """One word of a few, whatever its case; `when_true` lets true and false stand for a word and "off"."""

    words: tuple[str, ...]
    when_true: str | None = None

    @property
    def label(self) -> str:  # type: ignore[override]
        return "one of " + ", ".join(self.words)

    def parse(self, value: Any) -> str:
        word = value.strip().lower() if isinstance(value, str) else value
        if self.when_true is not None:
            if word in (None, False, "false"):
                return "off"
            if word in (True, "true"):
                return self.when_true
        if not isinstance(word, str):
            raise RejectedValue(f"must be {self.label}")
        if word not in self.words:
            raise RejectedValue(f"must be {self.label}{did_you_mean(word, self.words)}")
        return word

    def schema(self) -> dict[str, Any]:
        return {"enum": [*self.words, *((True, False) if self.when_true is not None else ())]}

    def argument(self) -> dict[str, Any]:
        # Not argparse's `choices`: a wrong value is refused here, with status 1 and a suggestion.
        return {"type": str}


@dataclass(frozen=True, eq=False)
class OptionalChoice(Choice):
    """A choice whose flag may stand alone on the command line and then means `when_true`."""

    def argument(self) -> dict[str, Any]:
        return {"type": str, "nargs": "?", "const": self.when_true}


#: token of RFC 9110 section 5.6.2.
_TOKEN = "[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_STICKY = re.compile(rf"ip|(?:cookie|header):{_TOKEN}|query:[^\s&=#]+")


class Sticky(Text):
    """By what a client is known to the worker that it belongs to."""

    label = "`cookie:NAME`, `query:NAME`, `header:NAME` or `ip`"

    def parse(self, value: Any) -> str | None:
        rule = super().parse(value)
        if rule is not None and not _STICKY.fullmatch(rule):
            raise RejectedValue("must be cookie:NAME, query:NAME, header:NAME or ip")
        return rule

    def schema(self) -> dict[str, Any]:
        return {"type": "string", "pattern": f"^(?:{_STICKY.pattern})$"}


@dataclass(frozen=True, eq=False)
class Anything(Kind):
    """Not looked at: the setting is kept only so that old files load."""

    label: str = field(default="anything", init=False)

    def parse(self, value: Any) -> Any:
        return value

    def schema(self) -> dict[str, Any]:
        return {}
