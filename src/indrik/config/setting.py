"""The shape of a setting: `Setting` is a row of the table, `BoundSetting` its value in one `Config`."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from indrik.config.kinds import Kind, RejectedValue
from indrik.errors import ConfigError

DEFAULT = "default"


@dataclass(frozen=True, eq=False)
class FromEnvironment:
    """An environment variable that replaces a default; `form` turns its text into a value."""

    variable: str
    form: str = "{}"
    #: Some variables mean something when empty; the others are then as good as absent.
    empty_counts: bool = False
    #: Words that stand for true; any other is false. None: the text is the value.
    true_words: tuple[str, ...] | None = None

    def read(self) -> Any:
        """The value, or None if the variable says nothing."""
        text = os.environ.get(self.variable)
        if text is None or (not text.strip() and not self.empty_counts):
            return None
        if self.true_words is not None:
            return text.strip().lower() in self.true_words
        return self.form.format(text.strip())


@dataclass(frozen=True, eq=False)
class Setting:
    """One row: everything about a setting that does not change while the server runs.

    The command line, the checks, `--help`, the reference page and the JSON schema are all derived from it.
    """

    name: str
    section: str
    kind: Kind
    default: Any
    #: First sentence: what it does. The rest: what an operator must know to choose a value. Markdown.
    help: str
    flags: tuple[str, ...] = ()
    metavar: str | None = None
    environment: FromEnvironment | None = None
    #: For a default that depends on the machine: makes it, while `default` then only describes it.
    make_default: Callable[[], Any] | None = None
    #: False while the behaviour does not exist: then only the default can be set.
    supported: bool = True
    #: Values that cannot be set yet although the setting can.
    unsupported_values: frozenset[Any] = frozenset()
    #: Why it is not supported, or what to use; shown to whoever sets it.
    reason: str = ""
    #: Something to tell the operator about a value that is accepted all the same.
    warn: Callable[[Any], str | None] | None = None
    #: True for what only indrik has.
    own: bool = False

    def parse(self, value: Any) -> Any:
        """The value as the server uses it.

        Raises:
            RejectedValue: it is of the wrong kind or out of range.
            NotSupportedYet: it is right, but its behaviour does not exist yet.
        """
        parsed = self.kind.parse(value)
        if not self.supported and parsed != self.parsed_default():
            raise NotSupportedYet(self.reason)
        try:
            refused = parsed in self.unsupported_values
        except TypeError:  # unhashable, so no member of the set
            refused = False
        if refused:
            raise NotSupportedYet(self.reason)
        return parsed

    def parsed_default(self) -> Any:
        """The default in the form the server uses, freshly made: lists and dicts are never shared."""
        default = self.make_default() if self.make_default is not None else self.default
        return None if default is None else self.kind.parse(default)


class NotSupportedYet(RejectedValue):
    """Refused because the behaviour does not exist yet: nothing is accepted and then ignored."""

    def __init__(self, reason: str) -> None:
        super().__init__("not supported yet" + (f": {reason}" if reason else ""))


@dataclass(eq=False)
class BoundSetting:
    """A setting's value in one `Config`, with where the value came from."""

    row: Setting
    default: Any = None
    value: Any = None
    source: str = DEFAULT
    warnings: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.default = self.value = self.row.parsed_default()
        environment = self.row.environment
        if environment is not None and (value := environment.read()) is not None:
            self.set(value, f"environment variable {environment.variable}")

    @property
    def name(self) -> str:
        return self.row.name

    @property
    def section(self) -> str:
        return self.row.section

    @property
    def is_default(self) -> bool:
        """True if the value is the built-in one. For a hook this means: nothing to call."""
        return self.value is self.default or (not callable(self.value) and bool(self.value == self.default))

    @property
    def is_given(self) -> bool:
        """Whether anybody has set it; a default, or the environment variable in its place, is not enough."""
        variable = self.row.environment.variable if self.row.environment is not None else None
        return self.source not in (DEFAULT, f"environment variable {variable}")

    def get(self) -> Any:
        return self.value

    def set(self, value: Any, source: str) -> None:
        """Check the value and keep it.

        Raises:
            ConfigError: naming the setting, the value, where it came from, and what is wrong with it.
        """
        try:
            self.value = self.row.parse(value)
        except RejectedValue as error:
            raise ConfigError(
                f"invalid value for {self.name}: {value!r} ({source}): {error}"
            ) from error.__cause__
        self.source = source
        if self.row.warn is not None and (text := self.row.warn(self.value)) is not None:
            self.warnings.append(f"{self.name}: {text} ({source})")
