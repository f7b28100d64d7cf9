"""Turns a fuzzer's octets into choices: the first ones are settings and splits, the rest is the input."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from typing import TypeVar

T = TypeVar("T")


class Reader:
    """Takes octets from the front of `data`; behind its end all are 0, so every input means something."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def octet(self) -> int:
        """The next octet."""
        value = self._data[self._at] if self._at < len(self._data) else 0
        self._at += 1
        return value

    def one_of(self, values: Sequence[T]) -> T:
        """One of `values`, the first for 0."""
        return values[self.octet() % len(values)]

    def short(self, most: int) -> bytes:
        """A length and that many octets, at most `most`."""
        count = self.octet() % (most + 1)
        found = self._data[self._at : self._at + count]
        self._at += count
        return found

    def rest(self) -> bytes:
        """All that is left."""
        found = self._data[self._at :]
        self._at = len(self._data)
        return found

    @property
    def is_at_end(self) -> bool:
        """Whether nothing is left."""
        return self._at >= len(self._data)


def pieces(data: bytes, how: int) -> Iterator[bytes]:
    """`data` cut apart as `how` says: 0 whole, 1 octet by octet, 2 inside every CRLF, else at places
    that follow from `how` alone, so that a found input stays what it is.
    """
    if how == 0:
        yield data
    elif how == 1:
        for index in range(len(data)):
            yield data[index : index + 1]
    elif how == 2:
        at = 0
        while at < len(data):
            # Between CR and LF, where a parser has most to remember.
            end = data.find(b"\n", at + 1)
            yield data[at : end if end >= 0 else len(data)]
            at = end if end >= 0 else len(data)
    else:
        dice = random.Random(how)
        at = 0
        while at < len(data):
            size = dice.choice((1, 1, 2, 3, 7, 16, 61, 256))
            yield data[at : at + size]
            at += size
