"""The pages made from the rows: the settings' reference, the JSON schema of a TOML configuration, and what
options of uvicorn are here.

    python -m indrik.config.derived --write         make them
    python -m indrik.config.derived --check         fail if one is not what would be made
    python -m indrik.config.derived --unsupported   list the settings whose behaviour does not exist yet

Run in the source tree, or with `--root` naming it. Nothing here depends on the machine it runs on.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from indrik.config.command_line import ARGUMENT_VARIABLES
from indrik.config.files import DEFAULT_FILES
from indrik.config.resolved import Hook
from indrik.config.rows import ROWS
from indrik.config.setting import Setting
from indrik.config.uvicorn_page import page

REMAKE = "python -m indrik.config.derived --write"

INTRODUCTION = f"""\
<!-- Made by `{REMAKE}` from the rows in src/indrik/config/rows. Do not edit. -->

# Settings

Where a value comes from, each overriding those before:

1. the default below;
2. an environment variable, for the few settings that name one below;
3. what a framework's own `Application.init()` returns;
4. the configuration file: the one named by `--config`, else the first of
   {", ".join(f"`./{name}`" for name in DEFAULT_FILES)} and the table `[tool.indrik]` of `./pyproject.toml`;
5. the arguments in `{ARGUMENT_VARIABLES[0]}`, or where that is absent in `{ARGUMENT_VARIABLES[1]}`;
6. the command line.

`indrik --print-config` shows each value with where it came from. In a Python file a setting is a variable of
its name; in TOML a key of its name, and a callable is its dotted path as text. A setting without a flag can
only be set in a file. A setting marked *not supported yet* is refused unless it is set to its default.
"""


def unsupported_rows() -> list[Setting]:
    """The settings that cannot be set yet, and those of which some values cannot."""
    return [row for row in ROWS if not row.supported or row.unsupported_values]


def describe_unsupported(row: Setting) -> str:
    name = row.name
    if row.supported:
        name = f"{name} = {', '.join(sorted(map(str, row.unsupported_values)))}"
    return f"{name}: {row.reason}" if row.reason else name


def reference() -> str:
    """The reference page, in Markdown."""
    sections: dict[str, list[Setting]] = {}
    for row in ROWS:
        sections.setdefault(row.section, []).append(row)
    parts = [INTRODUCTION]
    for section, rows in sections.items():
        parts.append(f"\n## {section}\n")
        parts.extend(describe(row) for row in rows)
    return "\n".join(parts)


def describe(row: Setting) -> str:
    facts = []
    if row.flags:
        facts.append(("Flag", ", ".join(f"`{flag}`" for flag in row.flags)))
    facts.append(("Value", row.kind.label))
    facts.append(("Default", show_default(row)))
    if row.environment is not None:
        facts.append(("Environment", f"`{row.environment.variable}`"))
    if row.own:
        facts.append(("Gunicorn", "has no such setting"))
    if not row.supported or row.unsupported_values:
        what = describe_unsupported(row).removeprefix(row.name).lstrip(" =:")
        facts.append(("Not supported yet", what or "its behaviour does not exist"))
    lines = "\n".join(f"- {name}: {value}" for name, value in facts)
    return f"### {row.name}\n\n{row.help}\n\n{lines}\n"


def show_default(row: Setting) -> str:
    if row.make_default is not None and " " in str(row.default):
        return str(row.default)
    if isinstance(row.kind, Hook):
        return "does nothing" if row.default.__name__ == "no_hook" else f"`{row.default.__name__}`"
    if row.default in (None, "", [], {}):
        return "none"
    return f"`{json.dumps(row.default)}`"


def schema() -> str:
    """The JSON schema of [tool.indrik], or of a TOML file of its own."""
    properties: dict[str, Any] = {}
    for row in ROWS:
        if row.name == "config":
            continue  # only the command line can name the file
        entry = {**row.kind.schema(), "description": row.help}
        if row.make_default is None and row.default is not None and not callable(row.default):
            entry["default"] = row.default
        if not row.supported:
            entry["deprecated"] = True
            entry["$comment"] = "not supported yet" + (f": {row.reason}" if row.reason else "")
        properties[row.name] = entry
    document = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$comment": f"Made by `{REMAKE}`. Do not edit.",
        "title": "Settings of indrik, as in [tool.indrik] of pyproject.toml",
        "type": "object",
        "additionalProperties": False,
        "properties": properties,
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


#: Path in the source tree -> what makes it.
PAGES: dict[str, Callable[[], str]] = {
    "docs/reference/settings.md": reference,
    "docs/reference/settings.schema.json": schema,
    "docs/how-to/moving-from-uvicorn.md": lambda: page(REMAKE),
}


def stale_pages(root: Path) -> list[str]:
    """The pages that are not, or not exactly, what would be made."""
    return [
        name
        for name, make in PAGES.items()
        if not (root / name).is_file() or (root / name).read_text(encoding="utf-8") != make()
    ]


def write_pages(root: Path) -> list[str]:
    """Make the pages that are stale; returns their names."""
    written = stale_pages(root)
    for name in written:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(PAGES[name](), encoding="utf-8")
    return written


def main(arguments: list[str] | None = None) -> int:
    """Exit status: 0, or 1 when `--check` finds a stale page."""
    parser = argparse.ArgumentParser(prog="python -m indrik.config.derived")
    task = parser.add_mutually_exclusive_group(required=True)
    task.add_argument("--write", action="store_true", help="make the pages")
    task.add_argument("--check", action="store_true", help="fail if a page is stale")
    task.add_argument("--unsupported", action="store_true", help="list the settings without behaviour")
    parser.add_argument("--root", type=Path, default=Path(), help="the source tree [.]")
    options = parser.parse_args(arguments)
    if options.unsupported:
        rows = unsupported_rows()
        print("\n".join(describe_unsupported(row) for row in rows))
        print(f"{len(rows)} of {len(ROWS)} settings are not, or not wholly, supported yet")
        return 0
    if options.write:
        for name in write_pages(options.root):
            print(f"written: {name}")
        return 0
    stale = stale_pages(options.root)
    for name in stale:
        print(f"stale: {name} (make it again with `{REMAKE}`)", file=sys.stderr)
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
