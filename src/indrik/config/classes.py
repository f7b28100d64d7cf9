"""From the name of a worker or logger class to the class."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from indrik.config.nearest import did_you_mean
from indrik.errors import ConfigError

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint


def load_class(setting: str, uri: str | type, known: Mapping[str, str], group: str) -> Any:
    """The class that `uri` stands for.

    `uri` is a class, one of the names in `known` (name -> dotted path), the name of an entry point of
    `group`, `egg:DISTRIBUTION#NAME`, or a dotted path.

    Raises:
        ConfigError: naming the setting, when there is no such class. An exception raised by the module itself
            while it is imported is passed on untouched.
    """
    if isinstance(uri, type):
        return uri
    if uri.startswith("egg:"):
        return entry_point_of_distribution(setting, uri, group).load()
    path = known.get(uri)
    if path is None and "." not in uri:
        return named_entry_point(setting, uri, known, group).load()
    return import_class(setting, path if path is not None else uri)


def check_class_name(setting: str, uri: str | type, known: Mapping[str, str], group: str) -> None:
    """Refuse a plain name that is nowhere known, without importing anything.

    Raises:
        ConfigError: with the nearest known name.
    """
    if isinstance(uri, str) and uri not in known and "." not in uri and not uri.startswith("egg:"):
        named_entry_point(setting, uri, known, group)


def refuse_worker_of_gunicorn(worker_class: Any) -> None:
    """Refuse a class that only Gunicorn's master can start: each of its workers would fail.

    Raises:
        ConfigError: it is a class of the package gunicorn, or based on one.
    """
    bases: tuple[type, ...] = getattr(worker_class, "__mro__", ())
    base = next((base for base in bases if base.__module__.partition(".")[0] == "gunicorn"), None)
    if base is None:
        return
    own = f"{worker_class.__module__}.{worker_class.__qualname__}"
    whose = "Gunicorn's own" if worker_class is base else f"based on {base.__module__}.{base.__qualname__}"
    raise ConfigError(
        f"invalid value for worker_class: {own} is {whose}, which needs Gunicorn's master; base it on "
        "one of indrik's classes (docs/how-to/own-worker.md), or name one of indrik's kinds"
    )


def named_entry_point(setting: str, name: str, known: Mapping[str, str], group: str) -> EntryPoint:
    # Imported late: it brings the whole of `email` with it, and most servers never come here.
    from importlib.metadata import entry_points

    found = entry_points(group=group)
    for entry_point in found:
        if entry_point.name == name:
            return entry_point
    names = sorted({*known, *(entry_point.name for entry_point in found)})
    raise ConfigError(
        f"invalid value for {setting}: {name!r} is not known, only {', '.join(names) or 'dotted paths'}"
        f"{did_you_mean(name, names)}; a class of your own is named by its dotted path"
    )


def entry_point_of_distribution(setting: str, uri: str, group: str) -> EntryPoint:
    from importlib.metadata import PackageNotFoundError, distribution

    dist_name, _, name = uri[len("egg:") :].partition("#")
    name = name or "sync"
    try:
        found = distribution(dist_name).entry_points
    except PackageNotFoundError:
        raise ConfigError(f"invalid value for {setting}: {uri!r}: {dist_name!r} is not installed") from None
    # Packages made for Gunicorn register their classes under its group.
    groups = (group, group.replace("indrik.", "gunicorn."))
    for entry_point in found:
        if entry_point.name == name and entry_point.group in groups:
            return entry_point
    raise ConfigError(
        f"invalid value for {setting}: {uri!r}: {dist_name!r} has no entry point {name!r} in {group!r}"
    )


def import_class(setting: str, path: str) -> Any:
    module_name, _, name = path.rpartition(".")
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        # Only the module itself missing is the operator's slip; a module that it needs is another matter.
        if error.name is None or not f"{module_name}.".startswith(f"{error.name}."):
            raise
        raise ConfigError(
            f"invalid value for {setting}: {path!r}: there is no module {error.name!r}"
        ) from None
    try:
        return getattr(module, name)
    except AttributeError:
        hint = did_you_mean(name, vars(module))
        raise ConfigError(
            f"invalid value for {setting}: {path!r}: there is no {name!r} in {module_name!r}{hint}"
        ) from None
