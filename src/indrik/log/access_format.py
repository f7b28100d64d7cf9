"""`access_log_format` compiled once: which atoms it uses, and one call that makes a finished line of them."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import cython
else:
    from indrik import uncompiled as cython

from indrik.errors import ConfigError
from indrik.log.atoms import Atom, Environ, find_atom, variable
from indrik.log.escape import escape, escape_unquoted, needs_escape

Line = Callable[[Any, Any, Any, Environ, timedelta], str]

# printf-style formatting with a mapping, as in the Python Library Reference; "*" needs positional arguments.
_PLACEHOLDER = re.compile(r"%(?:%|\((?P<key>[^()]*)\)(?P<how>[#0\- +]*[0-9]*(?:\.[0-9]*)?[hlL]?[a-zA-Z]))")


class AccessFormat:
    """One format. `line(log, resp, req, environ, took)` reads the atoms that the format names and nothing
    else.

    `unknown` lists the keys that are no atom; they print as `-`. Raises ConfigError when the text is not a
    format."""

    def __init__(self, text: str) -> None:
        self.unknown: list[str] = []
        # The line in pieces; those of the placeholders are empty.
        self._pieces: list[str] = []
        # Each placeholder: its index among the pieces; the variable of the environ that it is, or ""; how to
        # read it; whether it is unquoted; and how it is written, None for "%s".
        self._places: list[tuple[int, str, Any, bool, str | None]] = []
        self._parse(text)

    def _parse(self, text: str) -> None:
        literal = ""
        at = 0
        while (percent := text.find("%", at)) >= 0:
            literal += text[at:percent]
            match = _PLACEHOLDER.match(text, percent)
            if match is None:
                raise ConfigError(
                    f"access_log_format: column {percent + 1}: {text[percent : percent + 12]!r} "
                    "is no placeholder; write %(h)s for an atom and %% for a percent sign"
                )
            at = match.end()
            key = match["key"]
            if key is None:
                literal += "%"
            else:
                atom = self._atom(key, match)
                how = None if match["how"] == "s" else "%" + match["how"]
                self._pieces += [literal, ""]
                self._places.append((len(self._pieces) - 1, atom.variable, atom.read, atom.unquoted, how))
                literal = ""
        self._pieces.append(literal + text[at:])

    def _atom(self, key: str, match: re.Match[str]) -> Atom:
        atom = find_atom(key)
        if atom is None:
            self.unknown.append(key)
            atom = Atom(key, "no such atom", "-", _absent)
        try:
            # Longer than one character and larger than any code point, so that %c cannot pass for some values
            # only.
            ("%" + match["how"]) % (2**40 if atom.number else "--",)
        except (TypeError, ValueError, OverflowError) as error:
            what = "a number" if atom.number else f"text, written %({key})s"
            raise ConfigError(
                f"access_log_format: column {match.start() + 1}: {match[0]!r}: {error}; this atom is {what}"
            ) from None
        return atom

    def line(self, log: Any, resp: Any, req: Any, environ: Environ, took: timedelta) -> str:
        """The line of a finished request, without a line end; strings escaped, so that none leaves its
        place.
        """
        pieces: list = self._pieces.copy()
        place: tuple
        value: Any
        index: cython.Py_ssize_t
        key: str
        how: str | None
        for place in self._places:
            key = place[1]
            if key:
                value = variable(environ, key, "-")
            else:
                value = place[2](log, resp, req, environ, took)
            if type(value) is not str and not isinstance(value, (int, float)):
                value = str(value)
            if type(value) is str:
                if needs_escape(value):
                    value = escape_unquoted(value) if place[3] else escape(value)
                elif place[3] and " " in value:
                    value = escape_unquoted(value)
            how = place[4]
            if how is not None:
                value = how % (value,)
            index = place[0]
            pieces[index] = value if type(value) is str else str(value)
        return "".join(pieces)


def _absent(log: Any, resp: Any, req: Any, environ: Environ, took: timedelta) -> Any:
    return "-"
