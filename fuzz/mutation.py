"""Changes inputs without guidance, the same way for the same seed: for the short run, which must not vary."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence

_ODD = bytes(
    (0, 1, 8, 9, 10, 11, 13, 32, 34, 35, 44, 45, 48, 57, 58, 59, 61, 92, 127, 128, 133, 160, 173, 255)
)


def _change_octet(
    data: bytearray, dice: random.Random, words: Sequence[bytes], others: Sequence[bytes]
) -> None:
    if data:
        data[dice.randrange(len(data))] = dice.choice(_ODD) if dice.random() < 0.7 else dice.randrange(256)


def _insert(data: bytearray, dice: random.Random, words: Sequence[bytes], others: Sequence[bytes]) -> None:
    at = dice.randint(0, len(data))
    data[at:at] = dice.choice(words) if dice.random() < 0.7 else bytes((dice.choice(_ODD),))


def _delete(data: bytearray, dice: random.Random, words: Sequence[bytes], others: Sequence[bytes]) -> None:
    at = dice.randint(0, len(data))
    del data[at : at + dice.choice((1, 1, 2, 4, 16))]


def _repeat(data: bytearray, dice: random.Random, words: Sequence[bytes], others: Sequence[bytes]) -> None:
    at = dice.randint(0, len(data))
    part = data[at : at + dice.choice((1, 2, 8, 32))]
    data[at:at] = part * dice.choice((1, 1, 2, 9))


def _splice(data: bytearray, dice: random.Random, words: Sequence[bytes], others: Sequence[bytes]) -> None:
    other = dice.choice(others)
    data[dice.randint(0, len(data)) :] = other[dice.randint(0, len(other)) :]


def _cut(data: bytearray, dice: random.Random, words: Sequence[bytes], others: Sequence[bytes]) -> None:
    del data[dice.randint(0, len(data)) :]


_WAYS: tuple[Callable[[bytearray, random.Random, Sequence[bytes], Sequence[bytes]], None], ...] = (
    _change_octet,
    _change_octet,
    _insert,
    _insert,
    _delete,
    _repeat,
    _splice,
    _cut,
)


def mutations(seeds: Sequence[bytes], words: Sequence[bytes], seed: int, count: int) -> Iterator[bytes]:
    """`count` inputs that follow from `seed`: each one of `seeds`, changed one to four times."""
    dice = random.Random(seed)
    for _ in range(count):
        data = bytearray(dice.choice(seeds))
        for _ in range(dice.randint(1, 4)):
            dice.choice(_WAYS)(data, dice, words, seeds)
        yield bytes(data)
