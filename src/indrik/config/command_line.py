"""The command line, made from the rows: flags, `--help`, `--version`, and what is said about a wrong flag.

Two properties are relied on elsewhere: every default is None, so that what was not given overrides nothing;
and argparse itself refuses unknown flags and text where a number must be, with status 2.
"""

from __future__ import annotations

import importlib
import os
import shlex
from argparse import SUPPRESS, Action, ArgumentParser, HelpFormatter, Namespace
from collections.abc import Iterable, Sequence
from typing import Any, NoReturn

from indrik import __version__
from indrik.config.nearest import nearest
from indrik.config.rows import BY_NAME
from indrik.config.setting import Setting
from indrik.config.uvicorn_options import OPTIONS, refusal, settings_of
from indrik.errors import ConfigError

#: Beginning of the names under which the parser keeps what uvicorn's options say.
UVICORN = "uvicorn:"

#: In this order; only the first that is set counts.
ARGUMENT_VARIABLES = ("INDRIK_CMD_ARGS", "GUNICORN_CMD_ARGS")


def environment_arguments() -> tuple[str, list[str]]:
    """Name and arguments of the environment variable with arguments, ("", []) if there is none.

    Raises:
        ConfigError: its quotes do not match.
    """
    for variable in ARGUMENT_VARIABLES:
        if variable in os.environ:
            try:
                return variable, shlex.split(os.environ[variable])
            except ValueError as error:
                raise ConfigError(f"environment variable {variable}: {error}") from None
    return "", []


class Parser(ArgumentParser):
    """argparse, with a suggestion for an unknown flag."""

    #: Flags of Gunicorn whose behaviour is not part of indrik -> why.
    foreign: dict[str, str]
    #: Flags that only indrik has: they must not make a prefix ambiguous that users of Gunicorn type.
    own: set[str]
    #: The environment variable the arguments are from, "" for the command line.
    origin = ""

    def parse_args(  # type: ignore[override]  # one signature says what the overloads say
        self, args: Sequence[str] | None = None, namespace: Any = None
    ) -> Any:
        parsed, unknown = self.parse_known_args(args, namespace)
        if unknown:
            self.error(f"unrecognized arguments: {' '.join(unknown)}{self.explain(unknown)}")
        return parsed

    def error(self, message: str) -> NoReturn:
        super().error(f"{message} (in {self.origin})" if self.origin else message)

    def explain(self, unknown: Iterable[str]) -> str:
        for argument in unknown:
            flag = argument.partition("=")[0]
            if flag in self.foreign:
                return f" ({flag} {self.foreign[flag]})"
            if flag.startswith("--") and (name := nearest(flag, self._option_string_actions)) is not None:
                return f" (did you mean {name}?)"
        return ""

    def _get_option_tuples(self, option_string: str) -> list[Any]:
        # The candidates for a shortened flag, each with its action first.
        found = super()._get_option_tuples(option_string)
        shared = [match for match in found if not self.own.intersection(match[0].option_strings)]
        return shared if len(shared) == 1 else found


class RefuseOption(Action):
    """An option of uvicorn that cannot be had here: refused with the reason, whatever its value."""

    def __call__(self, parser: ArgumentParser, *_: Any, **__: Any) -> NoReturn:
        parser.error(refusal(self.const))


class PrintVersion(Action):
    """`--version`, worked out only when asked for: it imports the engine."""

    def __call__(self, parser: ArgumentParser, *_: Any, **__: Any) -> NoReturn:
        print(format_version())
        parser.exit()


def format_version() -> str:
    """Such as "indrik 0.1.0 (compiled, CPython 3.11.7)"."""
    try:
        compiled = bool(importlib.import_module("indrik.engine").COMPILED)
    except (ImportError, AttributeError):
        compiled = False
    how = "compiled" if compiled else "uncompiled"
    import platform  # late: only this line needs it

    return f"indrik {__version__} ({how}, {platform.python_implementation()} {platform.python_version()})"


def build_parser(rows: Iterable[Setting], not_ours: Iterable[str], *, usage: str | None, prog: str) -> Parser:
    """The parser for these rows. `not_ours`: settings of Gunicorn that get an explanation, not a guess."""
    parser = Parser(prog=prog, usage=usage, formatter_class=lambda prog: HelpFormatter(prog, width=100))
    parser.foreign = foreign_flags(not_ours)
    parser.own = {flag for row in rows if row.own for flag in row.flags}
    parser.add_argument(
        "-v", "--version", action=PrintVersion, nargs=0, default=SUPPRESS, help="show the version and exit"
    )
    parser.add_argument("args", nargs="*", help=SUPPRESS)
    # Asks for what is the case here: there is no such socket.
    parser.add_argument("--no-control-socket", action="store_true", default=SUPPRESS, help=SUPPRESS)
    groups: dict[str, Any] = {}
    for row in rows:
        if row.flags:
            if row.section not in groups:
                groups[row.section] = parser.add_argument_group(row.section)
            add_flag(groups[row.section], row)
    group = parser.add_argument_group("Names that uvicorn has for settings above")
    parser.own |= add_uvicorn_flags(group, set(parser._option_string_actions), parser.own)
    return parser


def add_uvicorn_flags(group: Any, taken: set[str], own: set[str]) -> set[str]:
    """Adds the flags of uvicorn that no setting has itself, nor users of Gunicorn as a shorter form of one
    (--header); returns them.
    """
    added: set[str] = set()
    for option in OPTIONS:
        on, *off = [flag for flag in option.flags if flag not in taken] or [""]
        if not on or len([flag for flag in taken - own if flag.startswith(on)]) == 1:
            continue
        added.update((on, *off))
        dest = UVICORN + option.name
        if option.is_refused:
            group.add_argument(
                on, dest=dest, action=RefuseOption, nargs="?", const=option, default=None, help=SUPPRESS
            )
            continue
        text = f"as {', '.join(option.settings)}" if option.settings else SUPPRESS
        if len(option.flags) == 2:
            for flag in (on, *off):
                value = flag == option.flags[0]
                group.add_argument(
                    flag, dest=dest, action="store_const", const=value, default=None, help=text
                )
        elif option.make is None:
            row = BY_NAME[option.settings[0]]
            options = {**row.kind.argument(), "metavar": option.metavar}
            group.add_argument(on, dest=row.name, default=None, help=text, **options)
        else:
            kind = int if option.number else str
            how = "append" if option.name == "reload_dirs" else "store"
            group.add_argument(
                on, dest=dest, type=kind, action=how, metavar=option.metavar, default=None, help=text
            )
    return added


def add_flag(group: Any, row: Setting) -> None:
    options = row.kind.argument()
    if "action" not in options or options["action"] == "append":
        options["metavar"] = row.metavar or row.name.upper()
    group.add_argument(*row.flags, dest=row.name, default=None, help=help_text(row), **options)


def help_text(row: Setting) -> str:
    text = row.help.replace("`", "")
    if not row.supported:
        text = f"Not supported yet. {text}"
    default = row.default
    if default is not None and default != [] and not isinstance(default, bool):
        text = f"{text} [{' '.join(default) if isinstance(default, list) else default}]"
    return text.replace("%", "%%")


def foreign_flags(not_ours: Iterable[str]) -> dict[str, str]:
    reasons = {}
    for name in not_ours:
        what = "control socket" if name.startswith("control") else "dirty arbiters"
        flag = "--dirty-app" if name == "dirty_apps" else "--" + name.replace("_", "-")
        reasons[flag] = f"is for Gunicorn's {what}; indrik has none"
    return reasons


def given(arguments: Namespace) -> dict[str, Any]:
    """The settings that were given: name -> value.

    Raises:
        ConfigError: an option of uvicorn has a value that cannot be had, or says what another flag says.
    """
    values = {name: value for name, value in vars(arguments).items() if value is not None}
    settings = {name: value for name, value in values.items() if name in BY_NAME}
    said = settings_of(
        {name.removeprefix(UVICORN): value for name, value in values.items() if name.startswith(UVICORN)}
    )
    for name, value in said.items():
        if name == "reload_extra_files":
            value = [*settings.get(name, ()), *value]
        elif name in settings:
            flag = BY_NAME[name].flags[0]
            raise ConfigError(
                f"{flag} and an option of uvicorn for the same setting ({name}) were given: choose one"
            )
        settings[name] = value
    return settings
