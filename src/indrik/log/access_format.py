"""`access_log_format` compiled once: which atoms it uses, and one call that makes a finished line of them."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from indrik.errors import ConfigError
from indrik.log.atoms import Atom, Environ, find_atom
from indrik.log.escape import escape, escape_unquoted

Line = Callable[[Any, Any, Any, Environ, timedelta], str]

# printf-style formatting with a mapping, as in the Python Library Reference; "*" needs positional arguments.
_PLACEHOLDER = re.compile(r"%(?:%|\((?P<key>[^()]*)\)(?P<how>[#0\- +]*[0-9]*(?:\.[0-9]*)?[hlL]?[a-zA-Z]))")


class AccessFormat:
    """One format. `line(log, resp, req, environ, took)` reads the atoms that the format names and nothing
    else.

    `unknown` lists the keys that are no atom; they print as `-`. Raises ConfigError when the text is not a
    format."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.unknown: list[str] = []
        self._atoms: list[Atom] = []
        self._template = self._parse(text)
        self.line: Line = self._compile()

    def _parse(self, text: str) -> str:
        pieces: list[str] = []
        at = 0
        while (percent := text.find("%", at)) >= 0:
            pieces.append(text[at:percent])
            match = _PLACEHOLDER.match(text, percent)
            if match is None:
                raise ConfigError(
                    f"access_log_format: column {percent + 1}: {text[percent : percent + 12]!r} "
                    "is no placeholder; write %(h)s for an atom and %% for a percent sign"
                )
            at = match.end()
            key = match["key"]
            if key is None:
                pieces.append("%%")
            else:
                pieces.append("%" + match["how"])
                self._atoms.append(self._atom(key, match))
        pieces.append(text[at:])
        return "".join(pieces)

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

    def _compile(self) -> Line:
        template = self._template
        reads = [atom.read for atom in self._atoms]
        unquoted = [index for index, atom in enumerate(self._atoms) if atom.unquoted]
        literal = template % tuple(0 if atom.number else "-" for atom in self._atoms)
        quotes = literal.count('"')
        plain = literal.isascii() and literal.isprintable() and "\\" not in literal

        def line(log: Any, resp: Any, req: Any, environ: Environ, took: timedelta) -> str:
            values = tuple([read(log, resp, req, environ, took) for read in reads])
            text = template % values
            # One look at the whole line instead of one at each value: when it holds printable ASCII, no
            # backslash, and no quote beyond those of the format itself, then no value held anything to
            # escape.
            if (
                plain
                and text.isascii()
                and text.isprintable()
                and text.count('"') == quotes
                and "\\" not in text
            ):
                for index in unquoted:
                    if " " in values[index]:
                        break
                else:
                    return text
            safe = [value if isinstance(value, (int, float)) else escape(str(value)) for value in values]
            for index in unquoted:
                safe[index] = escape_unquoted(values[index])
            return template % tuple(safe)

        return line


def _absent(log: Any, resp: Any, req: Any, environ: Environ, took: timedelta) -> Any:
    return "-"
