from __future__ import annotations

from typing import Any

import pytest

from indrik.config.kinds import Text, Whole
from indrik.config.lists import Table, TextList
from indrik.config.resolved import Hook, no_hook
from indrik.config.setting import BoundSetting, FromEnvironment, NotSupportedYet, Setting
from indrik.errors import ConfigError


def row(**fields: Any) -> Setting:
    return Setting(
        **{"name": "sample", "section": "Samples", "kind": Whole(), "default": 1, "help": "…", **fields}
    )


def test_set_keeps_the_value_and_its_source() -> None:
    bound = BoundSetting(row())
    assert (bound.get(), bound.source, bound.is_default) == (1, "default", True)
    bound.set("0x10", "command line")
    assert (bound.get(), bound.source, bound.is_default) == (16, "command line", False)


def test_a_wrong_value_changes_nothing() -> None:
    bound = BoundSetting(row())
    with pytest.raises(ConfigError) as caught:
        bound.set(-1, "command line")
    assert (
        str(caught.value) == "invalid value for sample: -1 (command line): must be a whole number, 0 or more"
    )
    assert (bound.value, bound.source) == (1, "default")


def test_unsupported_takes_only_its_default() -> None:
    bound = BoundSetting(row(supported=False, reason="next year"))
    bound.set("1", "a file")
    with pytest.raises(ConfigError, match=r"sample: 2 \(a file\): not supported yet: next year"):
        bound.set(2, "a file")
    with pytest.raises(ConfigError, match="0 or more"):
        bound.set(-2, "a file")  # wrong goes before unsupported


def test_unsupported_hook_takes_only_its_default() -> None:
    bound = BoundSetting(row(kind=Hook(("server",)), default=no_hook, supported=False))
    bound.set(no_hook, "a file")
    with pytest.raises(ConfigError, match=r"not supported yet$"):
        bound.set(lambda server: None, "a file")


def test_single_values_can_be_unsupported() -> None:
    plain = row(kind=Text(), default="a", unsupported_values=frozenset({"b"}))
    assert plain.parse("c") == "c"
    with pytest.raises(NotSupportedYet):
        plain.parse("b")
    assert row(kind=Table(), default={}, unsupported_values=frozenset({"b"})).parse({}) == {}


def test_defaults_are_not_shared() -> None:
    listed = row(kind=TextList(), default=["a"])
    BoundSetting(listed).value.append("b")
    assert BoundSetting(listed).value == ["a"]


def test_hook_is_default_by_identity() -> None:
    bound = BoundSetting(row(kind=Hook(("server",)), default=no_hook))
    assert bound.is_default
    assert bound.value is no_hook
    bound.set(lambda server: None, "a file")
    assert not bound.is_default


def test_warning_about_a_value_that_is_accepted() -> None:
    bound = BoundSetting(row(warn=lambda value: "is much" if value > 5 else None))
    bound.set(5, "a file")
    assert bound.warnings == []
    bound.set(6, "a file")
    assert bound.warnings == ["sample: is much (a file)"]


@pytest.mark.parametrize(
    ("environment", "text", "value"),
    [
        (FromEnvironment("SAMPLE"), "7", "7"),
        (FromEnvironment("SAMPLE"), " ", None),
        (FromEnvironment("SAMPLE"), None, None),
        (FromEnvironment("SAMPLE", empty_counts=True), "", ""),
        (FromEnvironment("SAMPLE", "0.0.0.0:{}"), "80", "0.0.0.0:80"),
        (FromEnvironment("SAMPLE", true_words=("y", "1")), "Y", True),
        (FromEnvironment("SAMPLE", true_words=("y", "1")), "n", False),
    ],
)
def test_environment(
    environment: FromEnvironment, text: str | None, value: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SAMPLE", raising=False)
    if text is not None:
        monkeypatch.setenv("SAMPLE", text)
    assert environment.read() == value


def test_environment_replaces_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SAMPLE", "7")
    bound = BoundSetting(row(environment=FromEnvironment("SAMPLE")))
    assert (bound.value, bound.default, bound.source) == (7, 1, "environment variable SAMPLE")
    assert not bound.is_default
    monkeypatch.setenv("SAMPLE", "many")
    with pytest.raises(ConfigError, match=r"'many' \(environment variable SAMPLE\)"):
        BoundSetting(row(environment=FromEnvironment("SAMPLE")))
