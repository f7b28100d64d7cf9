"""What a request may be: the sizes and leniencies that the parser is given, as one immutable value."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """Sizes in bytes; `body` 0 means any. `permit_*` and `header_map="dangerous"` weaken checks and are off
    by default.

    `header_map` is what happens to a field name with an underscore: "drop", "refuse" or "dangerous" (mapped
    like a dash). `forwarder_names` are upper-case names (`*`: all) that a trusted proxy may send with an
    underscore.
    """

    line: int = 8190
    fields: int = 100
    field_size: int = 8190
    head: int = 65536
    body: int = 0
    header_map: str = "drop"
    forwarder_names: frozenset[str] = frozenset({"SCRIPT_NAME", "PATH_INFO"})
    permit_obsolete_folding: bool = False
    permit_space_before_colon: bool = False
    permit_unconventional_method: bool = False
    permit_unconventional_version: bool = False
    casefold_method: bool = False
