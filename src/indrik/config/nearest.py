"""The right name for a wrong one: used wherever a name the operator typed is not known."""

from __future__ import annotations

from collections.abc import Iterable


def nearest(word: str, names: Iterable[str]) -> str | None:
    """The name most like `word`, or None when nothing is near enough to be a likely slip."""
    import difflib  # late: for mistakes only

    found = difflib.get_close_matches(word, list(names), n=1, cutoff=0.6)
    return found[0] if found else None


def did_you_mean(word: str, names: Iterable[str]) -> str:
    """`" (did you mean 'x'?)"` for the end of an error's text, or nothing."""
    name = nearest(word, names)
    return f" (did you mean {name!r}?)" if name is not None else ""


def is_one_typo(word: str, name: str) -> bool:
    """True if one letter added, lost, changed or swapped with its neighbour turns `name` into `word`."""
    if word == name or abs(len(word) - len(name)) > 1:
        return False
    at = 0
    while at < min(len(word), len(name)) and word[at] == name[at]:
        at += 1
    rest_of_word, rest_of_name = word[at:], name[at:]
    if len(word) > len(name):
        return rest_of_word[1:] == rest_of_name
    if len(word) < len(name):
        return rest_of_word == rest_of_name[1:]
    swapped = rest_of_word[:2] == rest_of_name[1::-1] and rest_of_word[2:] == rest_of_name[2:]
    return swapped or rest_of_word[1:] == rest_of_name[1:]
