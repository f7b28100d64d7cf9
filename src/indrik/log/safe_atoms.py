"""The atoms of one access line as a log record carries them: safe to be written by whatever formats it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from indrik.log.escape import escape, needs_escape


class SafeAtoms(dict[str, Any]):
    """Atoms by name: strings escaped once, a missing atom reads as `-`, header and
    variable names in any case. Named and shaped as Gunicorn's, for subclasses that set
    `atoms_wrapper_class`."""

    def __init__(self, atoms: Mapping[str, Any]) -> None:
        super().__init__(atoms)
        for key, value in atoms.items():
            if isinstance(value, str):
                text = str.__str__(value)
                if needs_escape(text):
                    self[key] = escape(text)
        # Late: a server without an access log has no atoms.
        from indrik.log.atoms import UNQUOTED

        for name in UNQUOTED:
            value = self.get(name)
            if isinstance(value, str):
                self[name] = value.replace(" ", "\\x20")

    def __missing__(self, key: str) -> Any:
        lower = key.lower()
        return self[lower] if key.startswith("{") and lower in self else "-"
