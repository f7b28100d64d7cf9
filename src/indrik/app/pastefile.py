"""A PasteDeploy file: the application in it, and what else it says about the server.

PasteDeploy is imported only when a file has something for it to read: it is an extra, and the master has no
use for it.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from indrik.config.names import NOT_OURS
from indrik.config.nearest import did_you_mean
from indrik.config.rows import BY_NAME
from indrik.errors import AppImportError, ConfigError

if TYPE_CHECKING:
    import configparser

#: What PasteDeploy takes for an application when no section is named.
MAIN = "main"

#: Settings that a [server:…] section cannot hold: the application is that of the file it stands in.
ABOUT_THE_APPLICATION = frozenset({"paste", "raw_paste_global_conf", "wsgi_app"})


@dataclass(frozen=True)
class PasteFile:
    """A file by its absolute path, and the section in it that is the application."""

    path: str
    section: str = MAIN

    @classmethod
    def parse(cls, text: str) -> PasteFile:
        """From FILE or FILE#SECTION."""
        path, _, section = text.partition("#")
        return cls(path, section or MAIN)

    @property
    def url(self) -> str:
        """The application as PasteDeploy names it."""
        # PasteDeploy takes the path apart at the first "#" and undoes the quoting.
        return f"config:{quote(self.path)}#{self.section}"

    @property
    def folder(self) -> str:
        return os.path.dirname(self.path)

    def load(self, global_conf: Mapping[str, str]) -> Any:
        """Import and make the application.

        Raises:
            ConfigError: PasteDeploy is not installed.
            AppImportError: the file has no such section, or the section does not lead to an application.
            Exception: whatever the application's modules and factories raise, untouched.
        """
        loadwsgi = import_paste_deploy()
        try:
            context = loadwsgi.loadcontext(loadwsgi.APP, self.url, global_conf=dict(global_conf))
        except LookupError as error:
            # Only PasteDeploy itself raises the bare class; a KeyError is a fault in the code it imports.
            if type(error) is LookupError:
                raise AppImportError(f"{self.path}: {error}") from error
            raise
        application = context.create()
        if not callable(application):
            kind = type(application).__name__
            raise AppImportError(f"{self.section!r} in {self.path} is of type {kind}, which cannot be called")
        return application

    def read(self, global_conf: Mapping[str, str]) -> FileSettings:
        """What the file says about the server.

        [server:main] counts only if it says `use = egg:indrik#main`: what is written for another server, an
        address among it, is none of ours.

        Raises:
            ConfigError: the file cannot be read, or PasteDeploy is needed for it and not installed.
        """
        parser = self.parser()
        settings: dict[str, Any] = {"default_proc_name": self.path}
        if parser.has_section("loggers"):
            settings["logconfig"] = self.path
        section = next((name for name in parser.sections() if is_main_server(name)), None)
        if section is None:
            return FileSettings(settings, ())
        where = f"[{section}] in {self.path}"
        user = parser.get(section, "use", fallback="").strip()
        if names_distribution(user, "gunicorn"):
            return FileSettings(
                settings, (f"{where} is for Gunicorn and is not read; 'use = egg:indrik#main' makes it ours",)
            )
        if not names_distribution(user, "indrik"):
            return FileSettings(settings, ())
        import configparser

        loadwsgi = import_paste_deploy()
        try:
            context = loadwsgi.loadcontext(
                loadwsgi.SERVER, f"config:{quote(self.path)}", global_conf=dict(global_conf)
            )
        except (LookupError, ImportError, configparser.Error) as error:
            raise ConfigError(f"{where} cannot be read: {error}") from None
        own = settings_of_server(context.local_conf, where)
        return FileSettings({**settings, **own.settings}, own.warnings)

    def parser(self) -> configparser.ConfigParser:
        """The sections and keys, taken as they are written."""
        import configparser  # late: most servers have no such file

        parser = configparser.ConfigParser(interpolation=None)
        try:
            with open(self.path) as file:
                parser.read_file(file)
        except FileNotFoundError:
            raise ConfigError(f"{self.path!r} not found") from None
        except OSError as error:
            raise ConfigError(f"{self.path!r} cannot be read: {error.strerror}") from None
        except (UnicodeDecodeError, configparser.Error) as error:
            raise ConfigError(f"{self.path!r} is not an ini file: {error}") from None
        return parser


@dataclass(frozen=True)
class FileSettings:
    """Settings by name, and what the operator should be warned about."""

    settings: dict[str, Any]
    warnings: tuple[str, ...]


def is_main_server(section: str) -> bool:
    kind, _, name = section.partition(":")
    return kind == "server" and name.strip() in ("", MAIN)


def names_distribution(use: str, distribution: str) -> bool:
    """Whether a `use` key leads into an installed distribution: `egg:NAME` or `egg:NAME#ENTRY`."""
    return use.startswith("egg:") and use[len("egg:") :].partition("#")[0].strip() == distribution


def settings_of_server(keys: Mapping[str, str | None], where: str) -> FileSettings:
    """The settings that the keys of a [server:…] section stand for: each its own, `host` and `port` `bind`.

    Raises:
        ConfigError: a key is no setting, or one that cannot be set there.
    """
    given = {key.lower(): value for key, value in keys.items() if value is not None}
    host, port = given.pop("host", "").strip(), given.pop("port", "").strip()
    for name in given:
        if name in ABOUT_THE_APPLICATION:
            raise ConfigError(f"{name!r} cannot be set by {where}: the file itself has the application")
        if name not in BY_NAME and name not in NOT_OURS:
            raise ConfigError(f"unknown key {name!r} in {where}{did_you_mean(name, BY_NAME)}")
    settings: dict[str, Any] = {name: value for name, value in given.items() if name in BY_NAME}
    warnings: tuple[str, ...] = ()
    if host or port:
        if "bind" in settings:
            warnings = (f"'bind' in {where} is ignored: 'host' and 'port' stand beside it",)
        settings["bind"] = [address_of(one.strip(), port) for one in (host or "127.0.0.1").split(",")]
    return FileSettings(settings, warnings)


def address_of(host: str, port: str) -> str:
    if not port or host.startswith("unix:"):
        return host
    return f"[{host}]:{port}" if host.count(":") > 1 and not host.startswith("[") else f"{host}:{port}"


def import_paste_deploy() -> Any:
    """The module that loads applications from such a file.

    Raises:
        ConfigError: it is not installed.
    """
    name = "paste.deploy.loadwsgi"
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        # A module that PasteDeploy itself misses is another matter.
        if not f"{name}.".startswith(f"{error.name}."):
            raise
        raise ConfigError(
            "a PasteDeploy file needs the package PasteDeploy: pip install 'indrik[paste]'"
        ) from None
