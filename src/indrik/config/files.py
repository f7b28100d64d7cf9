"""Configuration files: finding one, and reading it as Python, as a module or as TOML into a dict."""

from __future__ import annotations

import importlib
import importlib.machinery
import importlib.util
import os
import sys
from collections.abc import Collection
from types import FunctionType, ModuleType
from typing import Any

from indrik.config.names import NOT_OURS
from indrik.config.nearest import did_you_mean, is_one_typo
from indrik.config.rows import BY_NAME
from indrik.errors import ConfigError, ConfigFileError

#: Sought in this order in the directory the server is started in; the first one found is read.
DEFAULT_FILES = ("indrik.conf.py", "gunicorn.conf.py")
PYPROJECT = "pyproject.toml"


def find_default_file() -> str | None:
    """The configuration file to read when none was named, or None."""
    for name in DEFAULT_FILES:
        if os.path.isfile(name):
            return f"./{name}"
    if os.path.isfile(PYPROJECT) and mentions_indrik(PYPROJECT):
        return f"./{PYPROJECT}"
    return None


def mentions_indrik(path: str) -> bool:
    """Whether a pyproject.toml may have the table [tool.indrik].

    Asked before it is parsed: a project's file that has nothing for indrik cannot keep it from starting.
    """
    with open(path, "rb") as file:
        return b"tool.indrik" in file.read().replace(b" ", b"")


def read_python_file(path: str) -> dict[str, Any]:
    """The names that running a Python file defines. It runs as the module `__config__`.

    Raises:
        ConfigError: there is no such file.
        ConfigFileError: it raised an exception, which is the `__cause__`.
    """
    if not os.path.isfile(path):
        raise ConfigError(f"configuration file {path!r} doesn't exist")
    module = ModuleType("__config__")
    module.__file__ = path
    # Functions in the file are looked up by module name, by pickle for one.
    sys.modules["__config__"] = module
    try:
        exec(code_of(path), module.__dict__)
    except Exception as error:
        raise failure(f"configuration file {path!r}", error) from error
    return vars(module)


def code_of(path: str) -> Any:
    if path.endswith(".pyc"):
        return importlib.machinery.SourcelessFileLoader("__config__", path).get_code("__config__")
    # Not through the import system's cache: it takes two versions of one length, written in one second, for
    # equal, and a reload must see the second.
    with open(path, "rb") as file:
        return compile(file.read(), path, "exec", dont_inherit=True)


def read_module(name: str, *, fresh: bool = False) -> dict[str, Any]:
    """The names in a module that can be imported. `fresh` runs it again although it has been imported before.

    Raises:
        ConfigFileError: it cannot be imported; what was raised is the `__cause__`.
    """
    try:
        if fresh:
            sys.modules.pop(name, None)
        return vars(importlib.import_module(name))
    except Exception as error:
        raise failure(f"configuration module {name!r}", error) from error


def failure(what: str, error: Exception) -> ConfigFileError:
    hint = ""
    if isinstance(error, ModuleNotFoundError) and (error.name or "").partition(".")[0] == "gunicorn":
        hint = " (Gunicorn is not installed; what is drop-in for it is under 'indrik', as indrik.log.Logger)"
    return ConfigFileError(f"{what} failed: {type(error).__name__}: {error}{hint}")


def read_toml(path: str) -> dict[str, Any]:
    """The settings in a TOML file: its table [tool.indrik], or all of it if it is not a pyproject.toml.

    Raises:
        ConfigError: there is no such file, it is not TOML, or it holds an unknown setting.
    """
    # Python 3.10 has no tomllib of its own; there the package tomli, which it came from, is installed.
    tomllib: Any = importlib.import_module("tomllib" if sys.version_info >= (3, 11) else "tomli")
    try:
        with open(path, "rb") as file:
            document = tomllib.load(file)
    except FileNotFoundError:
        raise ConfigError(f"configuration file {path!r} doesn't exist") from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"configuration file {path!r} is not TOML: {error}") from None
    tool = document.get("tool", {})
    table = tool.get("indrik") if isinstance(tool, dict) else None
    if table is None:
        if os.path.basename(path) == PYPROJECT:
            raise ConfigError(f"configuration file {path!r} has no table [tool.indrik]")
        table = document
    if not isinstance(table, dict):
        raise ConfigError(f"configuration file {path!r}: tool.indrik must be a table")
    for key in table:
        if key not in BY_NAME:
            raise ConfigError(f"unknown setting {key!r} in {path!r}{did_you_mean(key, BY_NAME)}")
    return table


def settings_in(names: dict[str, Any], where: str) -> tuple[dict[str, Any], list[str]]:
    """The settings among the names of a Python file, and warnings about names that look like a slip.

    Unknown names are ignored, for a file may hold helpers, and settings of Gunicorn that are not ours.
    """
    settings = {name: value for name, value in names.items() if name in BY_NAME}
    warnings = [
        f"{name!r} in {where} is not a setting and is ignored (did you mean {intended!r}?)"
        for name, value in names.items()
        if could_be_meant(name, value) and (intended := meant(name, settings)) is not None
    ]
    if settings.pop("config", None) is not None:
        warnings.append(f"'config' in {where} is ignored: only the command line can name the file")
    return settings, warnings


def could_be_meant(name: str, value: Any) -> bool:
    """False for what a Python file holds for its own use: private names, imports, functions and classes."""
    return (
        name not in BY_NAME
        and name not in NOT_OURS
        and not name.startswith("_")
        and not isinstance(value, ModuleType | FunctionType | type)
    )


def meant(name: str, settings: Collection[str]) -> str | None:
    """The setting that a name may stand for in a file that has these `settings`, None if it is a name of its
    own: a setting whose flag is called so, or one that is a slip away.
    """
    slip = next((setting for setting in BY_NAME if is_one_typo(name, setting)), None)
    flag = "--" + name.replace("_", "-")
    flagged = next((row.name for row in BY_NAME.values() if flag in row.flags), None)
    # One word alone (`pid`, `name`) is a file's own more often than a flag without its hyphens.
    if flagged is None or ("_" not in name and slip is None):
        return slip
    # Where the setting is there too, this is the variable that its value comes from.
    return flagged if flagged not in settings else None
