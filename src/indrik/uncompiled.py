"""What `cython` means where the sources run uncompiled: decorators and a context manager that do nothing.

A compiled module asks Cython at compile time, for types and casts too; a type checker reads typings/cython.
When Python itself runs the module, only the names below are ever looked up: annotations are not evaluated,
and whatever is C stands under `if cython.compiled:`. So an uncompiled installation needs no Cython, and one
that happens to be installed, of whatever version, changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from typing import TypeVar

_Class = TypeVar("_Class", bound=type)

compiled = False

nogil = nullcontext()


def cclass(cls: _Class) -> _Class:
    """An extension type, when compiled."""
    return cls


def no_gc(cls: _Class) -> _Class:
    """An extension type that the garbage collector passes over, when compiled."""
    return cls


def final(cls: _Class) -> _Class:
    """An extension type without subclasses, whose methods are called directly, when compiled."""
    return cls


def freelist(size: int) -> Callable[[_Class], _Class]:
    """An extension type that keeps the memory of up to `size` instances for the next ones, when compiled."""
    return cclass
