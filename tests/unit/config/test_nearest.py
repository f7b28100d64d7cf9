from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indrik.config.nearest import did_you_mean, is_one_typo, nearest

LETTERS = st.text("abcde", max_size=8)


def test_nearest() -> None:
    assert nearest("wrokers", ["workers", "threads"]) == "workers"
    assert nearest("zzz", ["workers", "threads"]) is None
    assert did_you_mean("treads", ["workers", "threads"]) == " (did you mean 'threads'?)"
    assert did_you_mean("zzz", ["workers"]) == ""


@pytest.mark.parametrize(
    "word", ["worker", "workerss", "workers_", "wrokers", "workars", "owrkers", "workesr", "orkers"]
)
def test_one_typo(word: str) -> None:
    assert is_one_typo(word, "workers")


@pytest.mark.parametrize("word", ["workers", "work", "Workers2", "wokres", "", "worker_class"])
def test_not_one_typo(word: str) -> None:
    assert not is_one_typo(word, "workers")


def edits(word: str) -> set[str]:
    """Every text one typo away, made the slow and obvious way."""
    made = set()
    for at in range(len(word) + 1):
        made |= {word[:at] + letter + word[at:] for letter in "abcde"}
        if at < len(word):
            made |= {word[:at] + letter + word[at + 1 :] for letter in "abcde"} | {word[:at] + word[at + 1 :]}
        if at + 1 < len(word):
            made.add(word[:at] + word[at + 1] + word[at] + word[at + 2 :])
    return made - {word}


@given(LETTERS)
def test_every_single_edit_is_one_typo(name: str) -> None:
    assert all(is_one_typo(word, name) for word in edits(name))


@given(LETTERS, LETTERS)
def test_only_single_edits_are_one_typo(word: str, name: str) -> None:
    assert is_one_typo(word, name) == (word in edits(name))
