"""The checks, by what they are about; each is a function with one duty whose docstring is the promise."""

from __future__ import annotations

from indrik.testing.checks import failing, leaving, living, refusing, serving, telling, timing

#: Names of the modules in the order in which their checks run.
MODULES = tuple(
    module.__name__ for module in (serving, refusing, timing, living, failing, leaving, telling)
)
