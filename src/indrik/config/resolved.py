"""Kinds of values that are looked up: users, groups, directories, files, classes, hooks, statsd's address,
processors.
"""

from __future__ import annotations

import glob
import grp
import importlib
import inspect
import os
import pwd
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from indrik.config.kinds import Kind, RejectedValue, Text, Whole
from indrik.config.lists import TextList
from indrik.config.processors import usable_processors


def current_directory() -> str:
    """The working directory as the shell names it.

    `PWD` keeps the symbolic links the operator went through (a `current` switched at each deployment); it is
    believed only if it leads to the same directory.
    """
    here = os.getcwd()
    try:
        shown = os.environ["PWD"]
        known, real = os.stat(shown), os.stat(here)
    except (KeyError, OSError):
        return here
    return shown if (known.st_dev, known.st_ino) == (real.st_dev, real.st_ino) else here


#: Worker processes of one server, at most: there is shared memory for these and for some that replace others.
MOST_WORKERS = 1000


class WorkerCount(Whole):
    """A number of processes; `auto` is one for each processor that may be used, counted at each start and
    reload.
    """

    @property
    def label(self) -> str:  # type: ignore[override]
        return f"{super().label}, or auto"

    def read_text(self, text: str) -> int:
        return usable_processors() if text.strip() == "auto" else super().read_text(text)

    def schema(self) -> dict[str, Any]:
        return {"anyOf": [super().schema(), {"const": "auto"}]}

    def argument(self) -> dict[str, Any]:
        def number(text: str) -> int:
            return self.read_text(text) if text == "auto" else int(text)

        # What argparse calls the type in its message.
        number.__name__ = "int"
        return {"type": number}


class User(Kind):
    """A user by name or number, kept as the number; None is whoever starts the server."""

    label = "user name or number"

    def parse(self, value: Any) -> int:
        if value is None:
            return os.geteuid()
        if isinstance(value, int) and not isinstance(value, bool):
            return value
        if isinstance(value, str) and value.isdigit():
            return int(value)
        try:
            return pwd.getpwnam(value).pw_uid
        except (KeyError, TypeError):
            raise RejectedValue("there is no such user") from None

    def schema(self) -> dict[str, Any]:
        return {"type": ["string", "integer"]}


class Group(Kind):
    """A group by name or number, kept as the number; None is the group of whoever starts the server."""

    label = "group name or number"

    def parse(self, value: Any) -> int:
        if value is None:
            return os.getegid()
        if isinstance(value, int) and not isinstance(value, bool):
            return value
        if isinstance(value, str) and value.isdigit():
            return int(value)
        try:
            return grp.getgrnam(value).gr_gid
        except (KeyError, TypeError):
            raise RejectedValue("there is no such group") from None

    def schema(self) -> dict[str, Any]:
        return {"type": ["string", "integer"]}


class Directory(Text):
    """A directory that exists, as an absolute path."""

    label = "directory"

    def parse(self, value: Any) -> str:
        text = super().parse(value)
        if text is None:
            raise RejectedValue("must be a directory")
        path = os.path.abspath(os.path.join(current_directory(), text))
        if not os.path.isdir(path):
            raise RejectedValue("there is no such directory")
        return path


class ExistingFile(Text):
    """A file that exists, as an absolute path."""

    label = "file"

    def parse(self, value: Any) -> str | None:
        text = super().parse(value)
        if text is None:
            return None
        path = os.path.abspath(os.path.join(current_directory(), text))
        if not os.path.isfile(path):
            raise RejectedValue(f"there is no file {path!r}")
        return path


class DeployFile(Text):
    """A PasteDeploy file that exists, as an absolute path, with the section that may follow after `#`."""

    label = "FILE[#SECTION]"

    def parse(self, value: Any) -> str | None:
        text = super().parse(value)
        if text is None:
            return None
        path, mark, section = text.partition("#")
        path = os.path.normpath(os.path.join(current_directory(), path))
        if not os.path.isfile(path):
            raise RejectedValue(f"{path!r} not found")
        return f"{path}{mark}{section}"


class Files(TextList):
    """Files that exist, or patterns (`*`, `?`, `[`) that may match nothing yet."""

    label = "list of files or patterns"

    def parse_item(self, item: str) -> str:
        if not glob.has_magic(item) and not os.path.isfile(item):
            raise RejectedValue(f"there is no file {item!r}")
        return item


class StatsdAddress(Kind):
    """HOST:PORT, kept as a tuple, or unix://PATH, kept as the path."""

    label = "HOST:PORT or unix://PATH"

    def parse(self, value: Any) -> str | tuple[str, int] | None:
        if value is None:
            return None
        text = value.strip() if isinstance(value, str) else ""
        if text.startswith("unix://") and len(text) > len("unix://"):
            return text[len("unix://") :]
        host, _, port = text.rpartition(":")
        if not host or not port.isdecimal() or int(port) > 65535:
            raise RejectedValue(f"must be {self.label}")
        return host.strip("[]"), int(port)

    def schema(self) -> dict[str, Any]:
        return {"type": "string"}


@dataclass(frozen=True, eq=False)
class ClassName(Kind):
    """A class, a function that returns one, or its name, which is resolved only when the class is needed.

    `aliases` maps names of Gunicorn's classes to ours, so that one file serves both.
    """

    aliases: Mapping[str, str]
    label: str = field(default="name, dotted path or class", init=False)

    def parse(self, value: Any) -> str | type:
        if inspect.isfunction(value) or inspect.ismethod(value):
            value = value()
        if isinstance(value, type):
            return value
        if not isinstance(value, str) or not value.strip():
            raise RejectedValue("must be the name of a class, its dotted path, or the class")
        return self.aliases.get(value.strip(), value.strip())

    def schema(self) -> dict[str, Any]:
        return {"type": "string"}


def no_hook(*_arguments: object) -> None:
    """Default of every hook: nothing. Known by identity, so that the hot path need not call it."""


@dataclass(frozen=True, eq=False)
class Hook(Kind):
    """A callable that takes `parameters`, or its dotted path. What it returns is ignored."""

    parameters: tuple[str, ...]

    @property
    def label(self) -> str:  # type: ignore[override]
        return f"callable({', '.join(self.parameters)})"

    def parse(self, value: Any) -> Callable[..., Any]:
        if isinstance(value, str):
            value = import_dotted(value)
        if not callable(value):
            raise RejectedValue("must be callable, or the dotted path of a callable")
        return self.fit(value)

    def fit(self, hook: Callable[..., Any]) -> Callable[..., Any]:
        if not takes(hook, len(self.parameters)):
            raise RejectedValue(f"must take {len(self.parameters)} arguments: ({', '.join(self.parameters)})")
        return hook

    def schema(self) -> dict[str, Any]:
        return {"type": "string", "description": "dotted path of the callable"}


@dataclass(frozen=True, eq=False)
class TrimmedHook(Hook):
    """A hook that may take fewer arguments, down to `fewest`: it is wrapped, and called with all of them."""

    fewest: int

    def fit(self, hook: Callable[..., Any]) -> Callable[..., Any]:
        most = len(self.parameters)
        if takes(hook, most):
            return hook
        for count in range(most - 1, self.fewest - 1, -1):
            if takes(hook, count):
                return trimmed(hook, count)
        raise RejectedValue(f"must take {self.fewest} to {most} arguments: ({', '.join(self.parameters)})")


def trimmed(hook: Callable[..., Any], count: int) -> Callable[..., Any]:
    """`hook`, called with only the first `count` of its arguments."""

    def call(*arguments: Any) -> Any:
        return hook(*arguments[:count])

    call.__qualname__ = getattr(hook, "__qualname__", repr(hook))
    return call


def takes(hook: Callable[..., Any], count: int) -> bool:
    """True if `hook` can be called with `count` positional arguments (a built-in may not tell: believed)."""
    try:
        signature = inspect.signature(hook)
    except (ValueError, TypeError):
        return True
    try:
        signature.bind(*range(count))
    except TypeError:
        return False
    return True


def import_dotted(path: str) -> Any:
    """The object at `package.module.name`.

    Raises:
        RejectedValue: the path has no dot, or nothing is there.
    """
    module, dot, name = path.strip().rpartition(".")
    if not dot or not module:
        raise RejectedValue("must be a dotted path such as package.module.name")
    try:
        return getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise RejectedValue(f"cannot be imported: {error}") from error
